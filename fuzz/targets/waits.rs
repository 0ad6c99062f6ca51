//! A system with memory that the input overwrites: who waits for whom, or what is at each of its addresses.
#![no_main]

use std::collections::HashSet;
use std::hint::black_box;

use alpc::port::waiter;
use alpc::wait::chain::{self, Chain};
use alpc::wait::graph::Graph;
use alpc::wait::hang::{self, Hang};
use alpc::wait::table::WaitTable;
use alpc::{
    Kernel, object, object::directory, object::handle, object::identify, port::connection, port::enumerate,
    port::receiver, port::resource, process, process::thread_details, process::typed, report::portlist,
    report::select, wait,
};
use alpc_dump_fuzz::case::{Case, with_overwritten_world};
use kdump::Gva;
use libfuzzer_sys::fuzz_target;

/// Nodes whose chains are followed in one input.
const NODES: usize = 16;
/// Things that are looked at as all that they could be.
const THINGS: usize = 6;

fuzz_target!(|data: &[u8]| {
    let (&choice, rest) = data.split_last().unwrap_or((&0, &[]));
    with_overwritten_world(rest, |kernel, case| {
        let first = usize::from(choice) % case.known.len();
        let chosen: Vec<Gva> = case.known[first..]
            .iter()
            .take(THINGS)
            .map(|&gva| Gva::new(gva))
            .collect();
        match rest.len() % 4 {
            0 => system(kernel, case, chosen[0]),
            1 => things(kernel, &chosen),
            2 => whole(kernel, rest.len() % 32 == 2),
            _ => around(kernel, chosen[0], choice < 128),
        }
    });
});

/// The report on a system.
fn whole(kernel: &Kernel<'_>, twice: bool) {
    let (graph, report) = hang::hang(kernel);
    check_graph(kernel, &graph);
    check_report(&graph, &report);
    if twice {
        // The same memory gives the same report, in the same order.
        let (again, repeated) = hang::hang(kernel);
        assert_eq!(report.signature, repeated.signature);
        assert_eq!(report.trees(&graph), repeated.trees(&again));
        assert_eq!(format!("{report:?}"), format!("{repeated:?}"));
    }
}

/// The waits around whatever is at an address, taken for a message or for a thread.
fn around(kernel: &Kernel<'_>, chosen: Gva, message: bool) {
    let (graph, node) = if message {
        wait::waits_with_message(kernel, chosen)
    } else {
        wait::waits_with_thread(kernel, chosen)
    };
    assert!(graph.node(node).is_some());
    check_graph(kernel, &graph);
    black_box((
        Chain::from(&graph, node),
        graph.chains_of_process(chosen),
        graph.record_around(chosen).nodes.len(),
    ));
}

fn check_graph(kernel: &Kernel<'_>, graph: &Graph) {
    let count = graph.nodes().count();
    for (id, node) in graph.nodes() {
        for edge in graph.edges(id) {
            assert!(graph.node(edge.to).is_some(), "{node:?} leads nowhere");
        }
    }
    for (id, node) in graph.nodes().take(NODES) {
        let chain = Chain::from(graph, id);
        assert!(chain.steps.len() <= count);
        if let Some(server) = node.thread() {
            let _ = black_box(chain::candidates(kernel, graph, server));
        }
    }
    let table = WaitTable::of(graph);
    assert!(table.waits.len() <= graph.reply_waits().count());
    assert_eq!(graph.record().nodes.len(), count);
}

fn check_report(graph: &Graph, report: &Hang) {
    let count = graph.nodes().count();
    assert!(report.stuck <= count);
    for deadlock in report.deadlocks.iter().chain(&report.possible_deadlocks) {
        let ring = &deadlock.ring;
        assert!(!ring.is_empty() && deadlock.members >= 1);
        for (number, step) in ring.iter().enumerate() {
            let next = &ring[(number + 1) % ring.len()];
            assert_eq!(step.next.as_ref().map(|edge| edge.to), Some(next.id));
        }
    }
    for blocker in &report.blockers {
        assert!(graph.node(blocker.id).is_some());
        assert!(blocker.behind.threads <= count && blocker.behind.processes <= count);
    }
    let mut seen = HashSet::new();
    for branch in report.trees(graph) {
        assert!(seen.insert(branch.node), "a node stands twice");
    }
}

/// Each thing as all that it could be.
fn things(kernel: &Kernel<'_>, chosen: &[Gva]) {
    for &at in chosen {
        black_box(format!("{:?}", object::record(kernel, at)));
        black_box(format!("{:?}", resource::resources(kernel, at)));
        black_box(format!("{:?}", process::process(kernel, at)));
        black_box(format!("{:?}", waiter::thread(kernel, at)));
        black_box(format!("{:?}", thread_details::details(kernel.at(at))));
        black_box(format!("{}", identify::identify(kernel, at)));
        black_box(format!("{:?}", directory::listing(kernel, at)));
        let _ = black_box(handle::lookup(kernel, at, at.u64() & 0xfffc));
        let _ = black_box(object::path(kernel, at));
    }
}

/// What there is of each kind, and the handles, ports and members of one.
fn system(kernel: &Kernel<'_>, case: &Case, chosen: Gva) {
    let ports = enumerate::ports(kernel).ports;
    black_box(format!(
        "{:?}",
        portlist::lines(kernel, &ports).collect::<Vec<_>>()
    ));
    black_box(format!(
        "{:?}",
        portlist::orphans(kernel, &ports).collect::<Vec<_>>()
    ));
    black_box(format!("{:?}", connection::graph(kernel, &ports)));
    black_box(format!("{:?}", connection::ports_of(kernel, chosen)));
    black_box(format!("{:?}", connection::connections(kernel, chosen)));
    black_box(format!("{:?}", receiver::system_threads(kernel)));
    black_box(format!(
        "{:?}",
        handle::handles(kernel, chosen, |_| true).map(|found| found.handles.len())
    ));
    let _ = black_box(directory::all(kernel, |_| Ok(true)));
    let _ = black_box(directory::find(kernel, r"\RPC Control\ntsvcs"));
    let _ = black_box(select::object(kernel, &select::Selector::Address(chosen)));
    for name in [
        "_EPROCESS",
        "_ETHREAD",
        "_ALPC_PORT",
        "_KALPC_MESSAGE",
        "_HANDLE_TABLE",
    ] {
        let described = typed::describe(kernel, &case.pdb, name, Some(chosen));
        black_box(format!("{:?}", described.expect("the symbols are sound")));
    }
}

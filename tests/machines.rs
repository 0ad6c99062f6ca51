//! Every machine that Windows runs on: x64 with five levels of page tables, x86 with and without PAE, ARM64.

mod support;

use serde_json::Value;
use support::synthetic::{Sample, every_kernel};
use synth::dump::Kind;
use synth::machine::Machine;
use synth::worlds;

/// The kernels of machines other than x64 with four levels.
fn others() -> impl Iterator<Item = Sample> {
    every_kernel()
        .into_iter()
        .map(Sample::standard)
        .filter(|sample| sample.world.machine != Machine::X64)
        .chain([Sample::of(worlds::without_pae("win7-sp1-x86"))])
}

fn name(sample: &Sample) -> String {
    format!("{} ({:?})", sample.world.truth.kernel, sample.world.machine)
}

/// `!alpc /m` of The Old New Thing, 2013-02-15, without the arrow that its author drew behind ServerThread.
#[test]
fn a_message_of_a_32_bit_windows_8() {
    let sample = Sample::of(worlds::explorer_x86());
    let run = sample.run(&["--style", "modern", "/m", "9c14d020"]);
    let message = "
Message 9c14d020
  MessageID             : 0x0274 (628)
  CallbackID            : 0xCCA5 (52389)
  SequenceNumber        : 0x00000016 (22)
  Type                  : LPC_REQUEST
  DataLength            : 0x0094 (148)
  TotalLength           : 0x00AC (172)
  Canceled              : No
  Release               : No
  ReplyWaitReply        : No
  Continuation          : Yes
  OwnerPort             : 82bb9db8 [ALPC_CLIENT_COMMUNICATION_PORT]
  WaitingThread         : 834553c0
  QueueType             : ALPC_MSGQUEUE_MAIN
  QueuePort             : 84646730 [ALPC_CONNECTION_PORT]
  QueuePortOwnerProcess : 846209c0 (explorer.exe)
  ServerThread          : 00000000
  QuotaCharged          : No
  CancelQueuePort       : 00000000
  CancelSequencePort    : 00000000
  CancelSequenceNumber  : 0x00000000 (0)
  ClientContext         : 02a56b80
  ServerContext         : 00000000
  PortContext           : 0701ea20
  CancelPortContext     : 00000000
  SecurityData          : 962f89b8
  View                  : 00000000
";
    assert_eq!((run.stdout.as_str(), run.status), (message, 0), "{}", run.stderr);
}

/// Debuggers sign-extend 32-bit addresses in places; only an upper half of ones is that.
#[test]
fn sign_extended_addresses_of_a_32_bit_system() {
    let sample = Sample::of(worlds::explorer_x86());
    let plain = sample.run(&["/m", "9c14d020"]);
    for line in [["/m", "ffffffff9c14d020"], ["message", "ffffffff`9c14d020"]] {
        let run = sample.run(&line);
        assert_eq!(
            (run.stdout.as_str(), run.status),
            (plain.stdout.as_str(), 0),
            "{}",
            run.stderr
        );
    }
    for line in [["chain", "834553c0"], ["thread", "834553c0"]] {
        let extended = format!("0xffffffff{}", line[1]);
        let (plain, run) = (sample.run(&line), sample.run(&[line[0], &extended]));
        assert_eq!(
            (run.stdout, run.status),
            (plain.stdout, plain.status),
            "{}",
            run.stderr
        );
    }
    for impossible in ["fffffffe9c14d020", "00000001`9c14d020", "ffffffff`1c14d020"] {
        assert_eq!(sample.run(&["message", impossible]).status, 2, "{impossible}");
    }
}

/// Views that need nothing named.
const VIEWS: [&str; 9] = [
    "info",
    "global -v",
    "global",
    "ports",
    "ports --orphans",
    "threads",
    "processes",
    "modules",
    "handles",
];

#[test]
fn every_view_is_whole_on_every_machine() {
    for sample in others() {
        let truth = &sample.world.truth;
        let port = truth.ports[0].address;
        let named = [
            format!("message {} -v", truth.messages[0].address),
            format!("port {port} -v"),
            format!("connections {port}"),
            format!("thread {}", truth.threads[0].address),
            format!("process {}", truth.processes[0].address),
            format!("object {port}"),
            format!("ports --process {}", truth.processes[4].address),
            format!("dt _ALPC_PORT {port}"),
        ];
        for line in VIEWS.into_iter().map(str::to_owned).chain(named) {
            let line = sample.spelled(&line);
            let args: Vec<&str> = line.split(' ').collect();
            let run = sample.run(&args);
            assert_eq!(
                run.status,
                0,
                "{line} of {}: {}{}",
                name(&sample),
                run.stdout,
                run.stderr
            );
            assert!(!run.stdout.is_empty(), "{line} of {}", name(&sample));
        }
    }
}

/// Strings of a record that are 16 hex digits.
fn wide_addresses(record: &Value) -> Vec<&str> {
    match record {
        Value::String(text) if text.len() == 16 && text.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
            vec![text]
        }
        Value::Array(items) => items.iter().flat_map(wide_addresses).collect(),
        Value::Object(members) => members.values().flat_map(wide_addresses).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn addresses_of_a_32_bit_system_have_8_digits() {
    for sample in others().filter(|sample| sample.world.pointer_size() == 4) {
        for view in VIEWS {
            let mut args = vec!["--format", "json"];
            args.extend(view.split(' '));
            let document = sample.run(&args).json();
            assert_eq!(wide_addresses(&document), [""; 0], "{view} of {}", name(&sample));
        }
    }
}

#[test]
fn info_names_the_machine() {
    for sample in others() {
        let run = sample.run(&["--format", "json", "info"]);
        let record = &run.json()["result"];
        let machine = match sample.world.machine {
            Machine::X64 | Machine::La57 => "x64",
            Machine::X86 | Machine::Pae => "x86",
            Machine::Arm64 => "ARM64",
        };
        assert_eq!(record["header"]["machine"], machine, "{}", name(&sample));
        assert_eq!(record["notes"], Value::Array(Vec::new()), "{}", name(&sample));
    }
}

#[test]
fn dumps_of_every_kind_give_the_same_message() {
    const NARROW: [Kind; 4] = [Kind::Full, Kind::Summary, Kind::BitmapFull, Kind::BitmapKernel];
    const WIDE: [Kind; 3] = [Kind::KernelRanges, Kind::KernelUserRanges, Kind::CompleteRanges];
    for sample in others() {
        let message = sample.spelled(&format!("message {} -v", sample.world.truth.messages[0].address));
        let args: Vec<&str> = message.split(' ').collect();
        let expected = sample.run(&args).stdout;
        let wide = if sample.world.pointer_size() == 8 {
            &WIDE[..]
        } else {
            &[]
        };
        for &kind in NARROW.iter().chain(wide) {
            sample.rewrite(kind);
            let run = sample.run(&args);
            assert_eq!(
                (run.stdout.as_str(), run.status),
                (expected.as_str(), 0),
                "{kind:?} of {}",
                name(&sample)
            );
        }
    }
}

#[test]
fn what_is_missing_on_a_32_bit_system_is_told_in_its_digits() {
    for kernel in ["vista-sp2-x86", "win8-x86", "win10-2004-x86"] {
        let sample = Sample::of(worlds::with_holes(kernel));
        let lost = &sample.world.truth.messages[1];
        let line = sample.spelled(&format!(" {}", lost.address));
        let run = sample.run(&["message", line.trim()]);
        assert_eq!(run.status, 3, "{kernel}: {}{}", run.stdout, run.stderr);
        let owner = run
            .stdout
            .lines()
            .find(|line| line.contains("OwnerPort"))
            .unwrap();
        assert!(owner.ends_with(": ????????"), "{kernel}: {owner}");
        let record = sample.run(&["--format", "json", "message", line.trim()]).stdout;
        assert!(record.contains("paged out to a page file"), "{kernel}: {record}");
        // The address in the reason has the digits of the system, too.
        let at = line.trim();
        assert_eq!(at.len(), 8);
        for said in [&run.stderr, &record] {
            assert!(
                !said.contains(&format!("00000000{}", &at[..5])),
                "{kernel}: {said}"
            );
        }
        assert!(
            record.contains(&format!("\"text\": \"{}", &at[..5])),
            "{kernel}: {record}"
        );
    }
}

/// Kernel stacks have no pages in the general world, so that what is stuck is told with parts missing.
#[test]
fn waits_are_followed_on_every_machine() {
    for sample in others() {
        for (line, statuses) in [
            ("waits", [0, 0]),
            ("hang", [1, 3]),
            ("graph", [0, 0]),
            ("analyze", [0, 0]),
        ] {
            let run = sample.run(&[line]);
            assert!(
                statuses.contains(&run.status),
                "{line} of {}: {}{}",
                name(&sample),
                run.stdout,
                run.stderr
            );
        }
    }
}

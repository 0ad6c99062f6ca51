//! Views that published debugger sessions show completely, to the byte.
//!
//! Source: csandker.io, 2022-05-24, "Offensive Windows IPC Internals 3: ALPC". The sessions are pictures: where
//! they show blanks before the lines of connections, the debugger writes TABs, one for every six columns.

mod support;

use support::synthetic::Sample;
use synth::worlds;

fn modern(sample: &Sample, args: &[&str]) -> String {
    let run = sample.run(&[&["--style", "modern"], args].concat());
    assert_eq!(run.status, 0, "{args:?}: {}", run.stderr);
    run.stdout
}

const EMPTY_QUEUES: &str = "  Main queue is empty.


  Direct message queue is empty.


  Large message queue is empty.


  Pending queue is empty.


  Canceled queue is empty.

";

#[test]
fn a_port_whose_thread_waits_at_it() {
    let sample = Sample::of(worlds::alpc_sample());
    let rows = "\
Port  ffff810a851b1d20
  Type                      : ALPC_CONNECTION_PORT
  CommunicationInfo         : ffff91069bdacf40
    ConnectionPort          : ffff810a851b1d20 (FALPCPort)
    ClientCommunicationPort : 0000000000000000
    ServerCommunicationPort : 0000000000000000
  OwnerProcess              : ffff810a8e33a080 (CPP-ALPC-Basic)
  SequenceNo                : 0x00000001 (1)
  CompletionPort            : 0000000000000000
  CompletionList            : 0000000000000000
  ConnectionPending         : No
  ConnectionRefused         : No
  Disconnected              : No
  Closed                    : No
  FlushOnClose              : Yes
  ReturnExtendedInfo        : No
  Waitable                  : No
  Security                  : Static
  Wow64CompletionList       : No

  1 thread(s) are waiting on the port:

    THREAD ffff810a8a126080  Cid 201c.0384  Teb: 0000000100291000 Win32Thread: 0000000000000000 WAIT

";
    assert_eq!(
        modern(&sample, &["/p", "ffff810a851b1d20"]),
        format!("{rows}{EMPTY_QUEUES}")
    );
    let connections = "
ffff810a851b1d20('FALPCPort') 0, 1 connections
\tffff810a810d9c50 0 ->ffff810a8130bc50 1 ffff810a8c352080('CPP-ALPC-Basic')
";
    assert_eq!(modern(&sample, &["/lpc", "ffff810a851b1d20"]), connections);
}

#[test]
fn a_port_with_a_completion_port() {
    let sample = Sample::of(worlds::terminal_server());
    let rows = "\
Port  ffffbb0f877b1090
  Type                      : ALPC_CONNECTION_PORT
  CommunicationInfo         : ffff930a6fc57890
    ConnectionPort          : ffffbb0f877b1090 (TermSrvApi)
    ClientCommunicationPort : 0000000000000000
    ServerCommunicationPort : 0000000000000000
  OwnerProcess              : ffffbb0f876d0340 (svchost.exe)
  SequenceNo                : 0x000034A6 (13478)
  CompletionPort            : ffffbb0f876afd00
  CompletionList            : 0000000000000000
  ConnectionPending         : No
  ConnectionRefused         : No
  Disconnected              : No
  Closed                    : No
  FlushOnClose              : Yes
  ReturnExtendedInfo        : No
  Waitable                  : No
  Security                  : Static
  Wow64CompletionList       : No

  3 thread(s) are registered with port IO completion object:

    THREAD ffffbb0f8a826080  Cid 0204.1948  Teb: 000000362ba54000 Win32Thread: 0000000000000000 WAIT
    THREAD ffffbb0f853f06c0  Cid 0204.1360  Teb: 000000362ba58000 Win32Thread: 0000000000000000 WAIT
    THREAD ffffbb0f8211a080  Cid 0204.0db4  Teb: 000000362ba5a000 Win32Thread: 0000000000000000 WAIT

";
    assert_eq!(
        modern(&sample, &["/p", "ffffbb0f877b1090"]),
        format!("{rows}{EMPTY_QUEUES}")
    );
    let connections = "
ffffbb0f877b1090('TermSrvApi') 0, 2 connections
\tffffbb0f87e36a00 0 ->ffffbb0f87968d40 0 ffffbb0f82f30140('VBoxService.ex')
\tffffbb0f8a8c97f0 0 ->ffffbb0f8a6bbde0 0 ffffbb0f876f0480('svchost.exe')
";
    assert_eq!(modern(&sample, &["/lpc", "ffffbb0f877b1090"]), connections);
}

#[test]
fn the_ports_of_a_process() {
    let sample = Sample::of(worlds::terminal_server());
    let ports = "
Ports created by the process ffffbb0f858e9080:

\tffffbb0f858dc590('WMsgKRpc049181') 0, 1 connections
\t\tffffbb0f84255d10 0 ->ffffbb0f82f3dd10 0 ffffbb0f8206f300('System')

Ports the process ffffbb0f858e9080 is connected to:

\tffffbb0f8584fbd0 0 -> ffffbb0f845ddd40('ApiPort') 0 ffffbb0f858c1080('csrss.exe')
\tffffbb0f85951070 0 -> ffffbb0f858dab20('lsasspirpc') 0 ffffbb0f8590f100('lsass.exe')
\tffffbb0f876367d0 0 -> ffffbb0f858cfd20('ntsvcs') 34 ffffbb0f85908100('services.exe')
\tffffbb0f87644530 0 -> ffffbb0f8595a810('epmapper') 0 ffffbb0f859e9340('svchost.exe')
\tffffbb0f8773ac60 0 -> ffffbb0f8769ea90('LRPC-19740434a85e57dece') 0 ffffbb0f876cb2c0('svchost.exe')
\tffffbb0f87735ca0 0 -> ffffbb0f8595a310('LRPC-d09fe7462b829698ce') 0 ffffbb0f859752c0('svchost.exe')
\tffffbb0f87808c50 0 -> ffffbb0f8769f090('DwmApiPort') 0 ffffbb0f87679080('dwm.exe')
\tffffbb0f87807070 0 -> ffffbb0f877af570('ThemeApiPort') 0 ffffbb0f876cb2c0('svchost.exe')
\tffffbb0f820d9980 0 -> ffffbb0f877af570('ThemeApiPort') 0 ffffbb0f876cb2c0('svchost.exe')
\tffffbb0f87cdec60 0 -> ffffbb0f877b1590('LRPC-668375facce0e621b6') 0 ffffbb0f876cb2c0('svchost.exe')
\tffffbb0f87dbc9d0 0 -> ffffbb0f877b1310('LRPC-5dda9535f44b592f4b') 0 ffffbb0f876cb2c0('svchost.exe')
\tffffbb0f87cdfa00 0 -> ffffbb0f87742a20('IUserProfile2') 0 ffffbb0f876cb2c0('svchost.exe')
\tffffbb0f87bd26d0 0 -> ffffbb0f87971590('senssvc') 2 ffffbb0f876cb2c0('svchost.exe')


";
    assert_eq!(modern(&sample, &["!alpc /lpp ffffbb0f858e9080"]), ports);
}

/// Help is the same whatever the dump: the text of both generations of the extension.
#[test]
fn the_help_of_both_generations() {
    let sample = Sample::of(worlds::vista_sp2_x64());
    let classic = "\
Arguments:

   /?                   - Print help
   /P [/V] PortAddress  - Dump the ALPC port information
   /M [/V] MsgAddress   - Searches the message and dumps the message information
   /R [/V] ResAddress   - Dumps the information regarding resources
   /G [/V]              - Dumps the global information
";
    assert_eq!(sample.run(&["!alpc"]).stdout, classic);
    let redirected = format!("LPC is now emulated over ALPC. Use !alpc\n{classic}");
    assert_eq!(sample.run(&["!lpc message fffff8800f4cc950"]).stdout, redirected);
    let usage = "
Usage:
  !alpc /m MessageAddress
      Dumps the message at the specified address.
  !alpc /p PortAddress
      Dumps the port at the specified address.
  !alpc /lpc PortAddress
      Dumps all connections for the specified port.
  !alpc /lpp ProcessAddress
      Dumps all connections for the specified process.

";
    assert_eq!(modern(&sample, &["!alpc"]), usage);
    assert_eq!(modern(&sample, &["!alpc port"]), usage);
}

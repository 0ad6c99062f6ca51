//! The tables: nothing is in them without its source, and what is packed is what is checked in.

use std::collections::BTreeSet;

use lrpc::names::{self, Names, TABLES};
use lrpc::{Uuid, system_port};

const PROCEDURES: &str = include_str!("../data/procedures.tsv");
const COUNTS: &str = include_str!("../data/counts.tsv");

#[test]
fn no_row_is_without_its_source() {
    for table in [PROCEDURES, COUNTS, system_port::TABLE].into_iter().chain(TABLES) {
        let columns = table.lines().next().unwrap().split('\t').count();
        for line in table.lines().skip(1) {
            let fields: Vec<&str> = line.split('\t').collect();
            assert_eq!(fields.len(), columns, "{line}");
            assert!(
                !fields[0].is_empty() && !fields[columns - 1].trim().is_empty(),
                "{line}"
            );
        }
    }
}

#[test]
fn all_rows_are_built_in() {
    let names = Names::built_in();
    let packed: Vec<String> = names
        .rows()
        .map(|(uuid, opnum, name, source)| format!("{uuid}\t{opnum}\t{name}\t{source}"))
        .collect();
    let checked_in: Vec<&str> = PROCEDURES.lines().skip(1).collect();
    assert_eq!(packed.len(), checked_in.len());
    let packed: BTreeSet<&str> = packed.iter().map(String::as_str).collect();
    for row in checked_in {
        assert!(packed.contains(row), "{row}");
    }
    for line in COUNTS.lines().skip(1) {
        let mut fields = line.split('\t');
        let uuid: Uuid = fields.next().unwrap().parse().unwrap();
        let interface = names.interface(uuid).unwrap();
        assert_eq!(
            interface.procedures,
            fields.next().unwrap().parse().ok(),
            "{line}"
        );
    }
}

/// Numbers that Microsoft's specifications give: MS-SCMR 3.1.4, MS-LSAT 3.1.4, MS-SAMR 3.1.5.
#[test]
fn documented_procedures_have_their_documented_numbers() {
    let names = Names::built_in();
    let of = |uuid: &str, number| {
        let name = names
            .procedure(uuid.parse().unwrap(), number, Some(26100))
            .unwrap();
        assert!(name.is_sure, "{}", name.text());
        name.text().to_owned()
    };
    let svcctl = "367abb81-9844-35f1-ad32-98f038001003";
    assert_eq!(of(svcctl, 16), "ROpenServiceW");
    assert_eq!(of(svcctl, 19), "RStartServiceW");
    let lsarpc = "12345778-1234-abcd-ef00-0123456789ab";
    assert_eq!(of(lsarpc, 76), "LsarLookupSids3");
    assert_eq!(of(lsarpc, 77), "LsarLookupNames4");
    assert_eq!(
        of("12345778-1234-abcd-ef00-0123456789ac", 5),
        "SamrLookupDomainInSamServer"
    );
    let interface = names.interface(lsarpc.parse().unwrap()).unwrap();
    assert_eq!(
        (interface.name, interface.modules),
        (Some("lsarpc"), "lsasrv.dll")
    );
    assert!(names.may_have(lsarpc.parse().unwrap(), 133) && !names.may_have(lsarpc.parse().unwrap(), 134));
}

#[test]
fn endpoints_are_known_by_their_names() {
    let names = |endpoint| -> Vec<String> {
        let served = names::served(endpoint, Some(22621));
        served.iter().map(|served| served.uuid.to_string()).collect()
    };
    assert_eq!(names("NTSVCS"), ["367abb81-9844-35f1-ad32-98f038001003"]);
    assert_eq!(
        names::served("ntsvcs", Some(6002)).len(),
        2,
        "plug and play was there up to Vista"
    );
    assert_eq!(
        names("lsasspirpc")[0],
        "4f32adc8-6052-4a04-8701-293ccf2096f0",
        "what is surest stands first"
    );
    assert!(
        names("LRPC-0123456789abcdef01").is_empty(),
        "nothing follows from a drawn name"
    );
    assert!(names("ntsvcs2").is_empty() && names("").is_empty());
    assert!(!names("OLE8D2C1F00A1B2C3D4").is_empty() && names("OLE").is_empty() && names("OLEx").is_empty());
    assert_eq!(names::expected_images("lsasspirpc"), Some(vec!["lsass.exe"]));
    assert_eq!(
        names::expected_images("WMsgKRpc0A1B2"),
        Some(vec!["wininit.exe", "winlogon.exe"])
    );
    assert_eq!(names::expected_images("nobody knows it"), None);
}

/// Geoff Chappell's tables of csrss: numbers were given anew in Windows 7 and 8.1.
#[test]
fn calls_of_csrss_are_named_by_their_build() {
    let csr = |number, build| {
        let mut data = [0; 0x20];
        data[8..0xc].copy_from_slice(&u32::to_le_bytes(number));
        let protocol = system_port::of_path("\\Sessions\\1\\Windows\\ApiPort").unwrap();
        let call = system_port::SystemCall::read(protocol, &data, 8).unwrap();
        call.name(build).map(str::to_owned)
    };
    assert_eq!(csr(0x1_0000, Some(7601)).as_deref(), Some("BaseSrvCreateProcess"));
    assert_eq!(csr(0x3_0404, Some(7601)).as_deref(), Some("SrvDeviceEvent"));
    assert_eq!(
        csr(0x3_0404, Some(9600)).as_deref(),
        Some("SrvCreateSystemThreads")
    );
    assert_eq!(
        csr(0x3_0404, None),
        None,
        "without the build it may be one of three"
    );
    assert_eq!(
        csr(0x1_001d, Some(19041)).as_deref(),
        Some("BaseSrvCreateProcess2")
    );
    assert_eq!(csr(0x1_0001, Some(9600)), None, "gone in Windows 8");
}

#[test]
fn ports_are_told_by_their_full_names() {
    use system_port::{Protocol, of_path};
    assert_eq!(of_path("\\Windows\\ApiPort"), Some(Protocol::Csr));
    assert_eq!(of_path("\\sessions\\12\\windows\\apiport"), Some(Protocol::Csr));
    assert_eq!(of_path("\\Sessions\\1\\Windows\\SbApiPort"), Some(Protocol::Sb));
    assert_eq!(of_path("\\SmApiPort"), Some(Protocol::Sm));
    assert_eq!(of_path("\\ThemeApiPort"), Some(Protocol::Unknown));
    assert_eq!(
        of_path("\\RPC Control\\console-0000000000000b2c-lpc-handle"),
        Some(Protocol::Unknown)
    );
    assert_eq!(
        of_path("\\BaseNamedObjects\\[CoreUI]-PID(1)-TID(2) x"),
        Some(Protocol::Unknown)
    );
    for rpc in [
        "\\RPC Control\\SmApiPort",
        "\\RPC Control\\ntsvcs",
        "\\Windows\\ApiPort2",
        "SmApiPort",
        "",
    ] {
        assert_eq!(of_path(rpc), None, "{rpc}");
    }
    assert!(system_port::is_in_rpc_folder("\\RPC Control\\x"));
    assert!(system_port::is_in_rpc_folder(
        "\\Sessions\\1\\AppContainerNamedObjects\\S-1-15-2-1\\RPC Control\\x"
    ));
    assert!(!system_port::is_in_rpc_folder("\\Windows\\ApiPort"));
}

#[test]
fn a_users_own_names_go_first() {
    let mut names = Names::built_in();
    let own = "uuid\topnum\tprocedure\tsource\n\
               367abb81-9844-35f1-ad32-98f038001003\t16\tMine\tmy notes\n\
               \n# a remark\n\
               {DEADBEEF-0000-0000-0000-000000000001}\t0x10\tOther\n";
    names.add(own).unwrap();
    let svcctl = "367abb81-9844-35f1-ad32-98f038001003".parse().unwrap();
    assert_eq!(names.procedure(svcctl, 16, None).unwrap().text(), "Mine");
    assert_eq!(
        names.procedure(svcctl, 19, None).unwrap().text(),
        "RStartServiceW"
    );
    let other = "deadbeef-0000-0000-0000-000000000001".parse().unwrap();
    assert_eq!(names.procedure(other, 16, None).unwrap().text(), "Other");
    for (bad, says) in [
        ("x\t1\tName", "no UUID"),
        ("deadbeef-0000-0000-0000-000000000001\tone\tName", "no number"),
        ("deadbeef-0000-0000-0000-000000000001\t1", "no name"),
    ] {
        let error = names
            .add(&format!("uuid\topnum\tprocedure\n{bad}\n"))
            .unwrap_err();
        assert_eq!(error.line, 2);
        assert!(error.to_string().contains(says), "{error}");
    }
}

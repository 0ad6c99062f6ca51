//! Cuts `layouts/kernels.tsv`, the checked-in extract of real kernel layouts, out of a table of many
//! kernels: `cargo run -p synth --bin extract-layouts -- <types.json>`.
//!
//! Beside `types.json` lies `symbols.json` (PDB identity to global to RVA); the extract is written to
//! `crates/synth/layouts/kernels.tsv`, or to the file named as second argument. The same input gives
//! the same bytes.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value};

/// The kernels of the extract: the name that tests use, and the id in `types.json`.
///
/// Chosen so that every layout generation of the ALPC types is there, before and after the three
/// servicing updates that changed a structure inside a build.
const KERNELS: &[(&str, &str)] = &[
    ("vista-sp2-x64", "verg:x64/windows-vista/sp2"),
    ("win7-sp1-rtm-x64", "verg:x64/windows-7/sp1"),
    ("win7-sp1-x64", "isf:339E74133576439CBCDF7E0229DA3773-1"),
    ("win8-x64", "verg:x64/windows-8/rtm"),
    ("win81-x64", "isf:F41FBC2F11304765ABA251F16752D866-1"),
    ("win81-2022-x64", "isf:BF87AC1D6A9A4A8590D3C22FA1E2786A-1"),
    ("win10-1507-x64", "verg:x64/windows-10/1507"),
    ("win10-1607-x64", "isf:03A098BC85D047028437D88E4C8BBC6B-1"),
    ("win10-1803-x64", "verg:x64/windows-10/1803"),
    ("win10-1809-x64", "isf:4D1166A90BFA1115442F0C6EC2DCD904-1"),
    ("win10-1809-2022-x64", "isf:88B8A4B5CFBA32B6F31E476E95096C28-1"),
    ("win10-2004-x64", "isf:5278AFF86C341677D7D7835C85B7B844-1"),
    ("win10-2004-2022-x64", "isf:5F0CF5D532F385333A9B4ABA25CA6596-1"),
    ("server-2022-x64", "isf:21E85D1745416FB7ACF01CF90A132AAB-1"),
    ("win11-21h2-x64", "isf:0CE4A95C0CD782A7596B034D8648E585-1"),
    ("win11-22h2-x64", "verg:x64/windows-11/22h2"),
    ("win11-24h2-x64", "verg:x64/windows-11/24h2"),
    ("vista-sp2-x86", "verg:x86/windows-vista/sp2"),
    ("win7-sp1-x86", "verg:x86/windows-7/sp1"),
    ("win8-x86", "verg:x86/windows-8/rtm"),
    ("win81-x86", "verg:x86/windows-8.1/update-1"),
    ("win10-1507-x86", "verg:x86/windows-10/1507"),
    ("win10-2004-x86", "verg:x86/windows-10/2004"),
];

/// Types left out: large, and nothing of ALPC, waits, handles or names goes through them.
const DROPPED: &[&str] = &[
    "_CONTROL_AREA",
    "_KLOCK_ENTRY",
    "_MMVAD",
    "_MMVAD_SHORT",
    "_SEGMENT",
];

/// Types of which only some top-level members are kept, with all that is nested in them.
const CUT: &[(&str, &[&str])] = &[
    (
        "_KPRCB",
        &[
            "BuildType",
            "Context",
            "CpuModel",
            "CpuStepping",
            "CpuType",
            "CurrentThread",
            "DispatcherReadyListHead",
            "DpcRoutineActive",
            "DpcTime",
            "IdleThread",
            "InterruptTime",
            "KernelTime",
            "MHz",
            "MajorVersion",
            "MinorVersion",
            "NestingLevel",
            "NextThread",
            "NodeColor",
            "Number",
            "ProcessorState",
            "ReadySummary",
            "UserTime",
            "VendorString",
            "WaitListHead",
        ],
    ),
    (
        "_KPCR",
        &[
            "CurrentPrcb",
            "Irql",
            "KdVersionBlock",
            "NtTib",
            "Number",
            "Prcb",
            "PrcbData",
            "Self",
            "SelfPcr",
            "Used_Self",
        ],
    ),
    (
        "_PEB",
        &[
            "BeingDebugged",
            "ImageBaseAddress",
            "Ldr",
            "ProcessHeap",
            "ProcessParameters",
            "SessionId",
        ],
    ),
    ("_MM_SESSION_SPACE", &["SessionId"]),
    (
        "_TOKEN",
        &[
            "AuthenticationId",
            "Capabilities",
            "CapabilityCount",
            "ImpersonationLevel",
            "IntegrityLevelIndex",
            "LogonSession",
            "MandatoryPolicy",
            "ModifiedId",
            "OriginatingLogonSession",
            "Package",
            "ParentTokenId",
            "PrimaryGroup",
            "Privileges",
            "RestrictedSidCount",
            "RestrictedSids",
            "SessionId",
            "TokenFlags",
            "TokenId",
            "TokenInUse",
            "TokenSource",
            "TokenType",
            "TrustLevelSid",
            "UserAndGroupCount",
            "UserAndGroups",
        ],
    ),
    (
        "_TEB",
        &[
            "ClientId",
            "LastErrorValue",
            "NtTib",
            "ProcessEnvironmentBlock",
            "ThreadLocalStoragePointer",
        ],
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let types = arguments
        .first()
        .ok_or("usage: extract-layouts <types.json> [<extract>]")?;
    let symbols = Path::new(types).with_file_name("symbols.json");
    let table = read(Path::new(types))?;
    let globals = read(&symbols)?;
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/layouts/kernels.tsv");
    let target = arguments.get(1).map_or(default, String::as_str);
    std::fs::write(target, extract(&table, &globals)?)?;
    Ok(())
}

fn read(path: &Path) -> Result<Value, Box<dyn Error>> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// The whole extract; its grammar is in `synth::layout`.
fn extract(table: &Value, globals: &Value) -> Result<String, Box<dyn Error>> {
    let mut out = String::from(
        "# Real kernel layouts, written by extract-layouts; do not edit. Grammar: src/layout/extract.rs.\n",
    );
    let builds = chosen(table)?;
    for (name, build) in &builds {
        kernel_line(&mut out, name, build)?;
    }
    for ((type_name, key), users) in users_of(&builds, "types")? {
        if !DROPPED.contains(&type_name.as_str()) {
            let layout = &table["layouts"][&type_name][&key];
            type_lines(&mut out, &type_name, &users, layout)?;
        }
    }
    for ((enum_name, key), users) in users_of(&builds, "enums")? {
        let values = object(&table["enums"][&enum_name][&key])?;
        writeln!(out, "enum\t{enum_name}\t{users}")?;
        let mut values: Vec<_> = values.iter().map(|(n, v)| (v.as_i64(), n)).collect();
        values.sort_unstable();
        for (value, name) in values {
            writeln!(out, "{}\t{name}", value.ok_or("an enum value")?)?;
        }
    }
    rva_lines(&mut out, &builds, globals)?;
    Ok(out)
}

fn chosen(table: &Value) -> Result<Vec<(&'static str, &Value)>, Box<dyn Error>> {
    let all = table["builds"].as_array().ok_or("no builds")?;
    let find = |id: &str| all.iter().find(|b| b["id"] == id);
    KERNELS
        .iter()
        .map(|(name, id)| Ok((*name, find(id).ok_or_else(|| format!("no build {id}"))?)))
        .collect()
}

fn object(value: &Value) -> Result<&Map<String, Value>, Box<dyn Error>> {
    Ok(value.as_object().ok_or("an object is missing")?)
}

fn text(value: &Value) -> Result<&str, Box<dyn Error>> {
    Ok(value.as_str().ok_or("a text is missing")?)
}

fn kernel_line(out: &mut String, name: &str, build: &Value) -> Result<(), Box<dyn Error>> {
    let identity = match (build["guid"].as_str(), build["age"].as_u64()) {
        (Some(guid), Some(age)) => format!("{guid}-{age}"),
        _ => "-".to_owned(),
    };
    let (version, id) = (text(&build["version"])?, text(&build["id"])?);
    writeln!(
        out,
        "kernel\t{name}\t{}\t{version}\t{id}\t{identity}",
        build["ptr"]
    )?;
    Ok(())
}

/// (name, shape) to the comma-separated indexes of the kernels that have it.
fn users_of(
    builds: &[(&str, &Value)],
    what: &str,
) -> Result<BTreeMap<(String, String), String>, Box<dyn Error>> {
    let mut users: BTreeMap<(String, String), String> = BTreeMap::new();
    for (index, (_, build)) in builds.iter().enumerate() {
        for (name, key) in object(&build[what])? {
            let list = users.entry((name.clone(), text(key)?.to_owned())).or_default();
            let comma = if list.is_empty() { "" } else { "," };
            write!(list, "{comma}{index}")?;
        }
    }
    Ok(users)
}

fn type_lines(out: &mut String, name: &str, users: &str, layout: &Value) -> Result<(), Box<dyn Error>> {
    let kind = text(&layout["kind"])?;
    writeln!(out, "type\t{name}\t{users}\t{kind}\t{}", layout["size"])?;
    for field in layout["fields"].as_array().ok_or("no fields")? {
        let path = text(&field[1])?;
        if !is_kept(name, path) {
            continue;
        }
        let offset = field[0].as_u64().ok_or("a field offset")?;
        let (ty, bytes) = (text(&field[2])?, &field[3]);
        write!(out, "{offset:x}\t{path}\t{ty}\t{bytes}")?;
        if let (Some(position), Some(length)) = (field[4].as_u64(), field[5].as_u64()) {
            write!(out, "\t{position}\t{length}")?;
        }
        out.push('\n');
    }
    Ok(())
}

fn is_kept(type_name: &str, path: &str) -> bool {
    let top = path.split('.').next().unwrap_or(path);
    CUT.iter()
        .find(|(name, _)| *name == type_name)
        .is_none_or(|(_, kept)| kept.contains(&top))
}

/// One line a global: its RVA in each kernel of the extract, `-` where it has none or none is known.
fn rva_lines(out: &mut String, builds: &[(&str, &Value)], globals: &Value) -> Result<(), Box<dyn Error>> {
    let tables: Vec<Option<&Map<String, Value>>> = builds
        .iter()
        .map(|(_, build)| {
            let id = build["id"].as_str()?.strip_prefix("isf:")?;
            globals[id].as_object()
        })
        .collect();
    let mut names: Vec<&String> = tables.iter().flatten().flat_map(|t| t.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| !name.starts_with("Zw"));
    for name in names {
        write!(out, "rva\t{name}")?;
        for table in &tables {
            match table.and_then(|t| t.get(name)).and_then(Value::as_u64) {
                Some(rva) => write!(out, "\t{rva:x}")?,
                None => write!(out, "\t-")?,
            }
        }
        out.push('\n');
    }
    Ok(())
}

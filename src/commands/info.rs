//! `info`: what the dump is, which kernel it is of, and whether its symbols are at hand.

use alpc::image::build_lab::build_lab;
use alpc::locate::choice::Choice;
use alpc::process::crashed::{self, Crashed};
use alpc::process::module::Modules;
use alpc::report::stacks;
use alpc::stack::Stacks;
use alpc::system::Learned;
use alpc::system::own::{self, TypesFrom};
use alpc::{Addr, DerivedGlobal};
use anyhow::Context;
use clap::Args;
use kdump::{Coverage, Header, KernelImage, Machine, Note, SecondaryData, SecondaryEnd, Trailing};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::commands::kernel_identity::{KernelCandidate, KernelIdentity, candidate_rows};
use crate::commands::{Category, Spec, Verb, modules};
use crate::options::Options;
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::output::table::of;
use crate::output::views_lost;
use crate::session::Session;
use crate::text::marked::{Text, text};
use crate::text::rows::{self, Rows, or_question};
use crate::text::{escape, evidence_lines, symbol_lines, time, wait_lines};

/// The dump's header, its kernel, its symbols, and the share of pages that is there
#[derive(Clone, Debug, Args)]
pub struct InfoArgs {}

impl InfoArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Dump,
        switches: &[],
        shape: Shape {
            name: "info",
            results: &[of::<InfoRecord<'static>>],
            tables: &[],
            whole: &[of::<InfoRecord<'static>>],
        },
    };
}

impl Verb for InfoArgs {
    fn run(&self, _: &Options, session: &Session) -> anyhow::Result<Answer> {
        let dump = session.dump();
        let image = session.image();
        let symbols = symbols(session);
        let header = shown_header(session);
        let record = InfoRecord {
            file: session.redactor().view(&dump.path().to_string_lossy()),
            file_size: dump.file_len(),
            header: header_record(&header)?,
            release: kdump::release_name(header.minor_version, header.product_type),
            build_lab: session.kernel().ok().and_then(|kernel| build_lab(&kernel).ok()),
            context_code: context_code(session),
            image: image_contents(session),
            pages: dump.coverage(),
            triage: triage(session),
            secondary_data: kdump::secondary_data(dump)
                .with_context(|| format!("the secondary data of {}", dump.path().display()))?,
            behind_memory: kdump::behind_memory(dump)
                .with_context(|| format!("what is behind the memory of {}", dump.path().display()))?,
            notes: dump.notes(),
            kernel: Found::new(image.map(|image| kernel_record(session, image, &header))),
            identity: KernelIdentity::of(session),
            candidates: KernelCandidate::all(session),
            symbols: Found::new(symbols),
        };
        Answer::new(text(&record, &header), &record)
    }
}

const LABEL: usize = 22;

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct InfoRecord<'a> {
    file: String,
    file_size: u64,
    header: Value,
    /// The releases of Windows that have this build.
    release: Option<String>,
    /// The build in the kernel's own words: `9600.17415.amd64fre.winblue_r4.141028-1500`; null where it cannot be read.
    build_lab: Option<String>,
    /// The code at the instruction pointer of the header's context: `nt!KeBugCheckEx`, `amdppm+0x334c`.
    context_code: Option<String>,
    /// What is known of a file that is no crash dump.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<ImageContents>,
    pages: Coverage,
    triage: Option<TriageContents>,
    secondary_data: Option<SecondaryData>,
    /// What the file of a dump without secondary data holds behind its memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    behind_memory: Option<Trailing>,
    notes: &'a [Note],
    kernel: Found<KernelFound>,
    /// Which kernel it is; null where nothing says so.
    identity: Option<KernelIdentity>,
    /// The published kernels that it can be, by the addresses of its variables; not there when it is known, or none is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<KernelCandidate>,
    symbols: Found<SymbolsFound>,
}

/// A file with the memory of a machine that was not crashed.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
struct ImageContents {
    /// Its form: `ELF core of QEMU`.
    form: &'static str,
    /// The file with the memory, where it is not the one that was named.
    memory: Option<String>,
    /// How many processors it has the registers of.
    processors: usize,
    /// What led to the page tables of the kernel.
    found_by: String,
}

fn image_contents(session: &Session) -> Option<ImageContents> {
    let image = session.dump().image_file()?;
    Some(ImageContents {
        form: image.format().name(),
        memory: image
            .memory_path()
            .map(|path| session.redactor().view(&path.to_string_lossy())),
        processors: image.processors().len(),
        found_by: image.found_by(),
    })
}

/// What a triage dump holds instead of pages.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
struct TriageContents {
    blocks: u64,
    bytes: u64,
    bytes_present: u64,
    kernel_base: Option<Addr>,
    crashed: Crashed,
    modules: Modules,
}

/// What was found, or why not: `info` shows as much as there is.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", schemars(rename = "FoundOr{T}"))]
enum Found<T> {
    Found(T),
    Missing(String),
}

impl<T> Found<T> {
    fn new(result: anyhow::Result<T>) -> Self {
        match result {
            Ok(found) => Self::Found(found),
            Err(error) => Self::Missing(format!("{error:#}")),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
struct KernelFound {
    base: String,
    size_of_image: u32,
    timestamp: u32,
    pdb: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
struct SymbolsFound {
    source: String,
    identity: Option<String>,
    certainty: String,
    /// Why they were chosen, where they are not those that the kernel names.
    evidence: Option<Choice>,
    /// Types that they lack and that other symbols tell.
    types_from: Vec<TypesFrom>,
    /// Types that they lack and that nothing tells.
    types_untold: Vec<&'static str>,
    /// Globals that they lack and that were found otherwise.
    derived: Vec<DerivedGlobal>,
    missing: Vec<String>,
    views_lost: Vec<&'static str>,
}

/// The header, without what somebody wrote into it where that must not be told.
pub(super) fn shown_header(session: &Session) -> Header {
    let mut header = session.dump().header().clone();
    if let Some(redaction) = session.redaction() {
        header.comment = header.comment.map(|text| redaction.text(text));
        header.version_user = header.version_user.map(|text| redaction.text(text));
    }
    header
}

fn triage(session: &Session) -> Option<TriageContents> {
    let dump = session.dump();
    let triage = dump.triage()?;
    let crashed = crashed::crashed(dump)?;
    let crashed = match session.redaction() {
        Some(redaction) => crashed.redacted(redaction),
        None => crashed,
    };
    let (bytes, bytes_present) = triage.bytes();
    Some(TriageContents {
        blocks: triage.claimed_blocks(),
        bytes,
        bytes_present,
        kernel_base: triage.kernel_base().map(|base| Addr::new(base, 8)),
        crashed,
        modules: modules::of_triage(session)?,
    })
}

/// An address in the digits of the system.
fn hex(header: &Header, address: u64) -> String {
    let digits = if header.machine == Machine::I386 { 8 } else { 16 };
    format!("{address:0digits$x}")
}

/// The header as it serializes, with addresses in the digits of the system.
fn header_record(header: &Header) -> anyhow::Result<Value> {
    let mut record = serde_json::to_value(header)?;
    if header.machine == Machine::I386
        && let Value::Object(members) = &mut record
    {
        let addresses = members
            .iter_mut()
            .filter(|(name, _)| !matches!(name.as_str(), "comment" | "version_user"));
        addresses.for_each(|(_, member)| shorten(member));
    }
    Ok(record)
}

/// Takes the upper half of 16 digits away, in which a 32-bit system has nothing.
fn shorten(member: &mut Value) {
    match member {
        Value::String(text) => {
            if text.len() == 16
                && let Some(low) = text.strip_prefix("00000000")
            {
                *text = low.to_owned();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(members) => members.values_mut().for_each(shorten),
        _ => {}
    }
}

fn kernel_record(session: &Session, image: &KernelImage, header: &Header) -> KernelFound {
    KernelFound {
        base: hex(header, image.base.into()),
        size_of_image: image.size_of_image,
        timestamp: image.timestamp,
        pdb: session
            .asked()
            .filter(|asked| asked.learned == Learned::DebugRecord)
            .map(|asked| asked.identity.to_string()),
    }
}

fn symbols(session: &Session) -> anyhow::Result<SymbolsFound> {
    let kernel = session.kernel()?;
    let (layout, missing) = (kernel.layout(), kernel.missing());
    Ok(SymbolsFound {
        source: session.redactor().view(&layout.origin().to_string()),
        identity: layout
            .identity()
            .map(|identity| session.redactor().view(&identity.to_string())),
        certainty: layout.certainty().to_string(),
        evidence: session.choice().cloned(),
        types_from: session.redactor().types_from(own::types_from(layout)),
        types_untold: own::types_untold(&kernel),
        derived: kernel.derived_globals(),
        missing: missing.iter().map(ToString::to_string).collect(),
        views_lost: views_lost::of(&missing),
    })
}

fn text(record: &InfoRecord<'_>, header: &Header) -> Text {
    let mut rows = Rows::new(LABEL, 16);
    rows.heading(escape::text(&record.file));
    rows.text("File size", text!("{} bytes", record.file_size));
    rows.text("Kind", text!("{}, {}", header.kind, machine(header)));
    if let Some(image) = &record.image {
        image_rows(&mut rows, image);
    }
    rows.text("Windows", windows(header));
    if let Some(release) = &record.release {
        rows.text("Release", release);
    }
    if let Some(lab) = &record.build_lab {
        rows.text("Built by", escape::text(lab));
    }
    let is_image = record.image.is_some();
    let told = |value: Option<String>| match (value, is_image) {
        (None, true) => "not found".to_owned(),
        (value, _) => optional(value, |text| text),
    };
    rows.text(
        "System time",
        told(header.system_time.map(|time| time.to_string())),
    );
    rows.text("System uptime", told(header.system_up_time.map(time::span)));
    rows.text(
        "Processors",
        told(header.number_processors.map(|count| count.to_string())),
    );
    // A machine that was not crashed has neither.
    if !is_image {
        rows.text("Bug check", bug_check(header));
        bug_check_parameters(&mut rows, header);
        rows.text("Context", context(header));
    }
    if let Some(code) = &record.context_code {
        rows.nested("Code", escape::text(code));
    }
    rows.text("DirectoryTableBase", hex(header, header.directory_table_base));
    if let Some(attributes) = header.attributes {
        rows.text("Attributes", attribute_names(attributes));
    }
    for (label, address) in [
        ("PsActiveProcessHead", header.ps_active_process_head),
        ("PsLoadedModuleList", header.ps_loaded_module_list),
        ("KdDebuggerDataBlock", header.kd_debugger_data_block),
    ] {
        rows.text(label, told(address.map(|address| hex(header, address.into()))));
    }
    if let Some(comment) = &header.comment {
        rows.text("Comment", escape::text(comment));
    }
    match &record.triage {
        Some(triage) => triage_rows(&mut rows, triage),
        None => {
            if !is_image {
                rows.text("Physical memory", physical_memory(header));
            }
            rows.text("Pages", pages(record.pages));
        }
    }
    if let Some(data) = &record.secondary_data {
        secondary_rows(&mut rows, data);
    }
    let behind = record.secondary_data.as_ref().and_then(|data| data.behind);
    if let Some(behind) = behind.or(record.behind_memory) {
        rows.text("Trailing bytes", trailing(behind));
    }
    for note in record.notes {
        rows.text("Note", escape::text(&note.text));
    }
    if let (Found::Missing(_), Some(triage)) = (&record.kernel, &record.triage)
        && let Some(base) = triage.kernel_base
    {
        rows.text("Kernel base", base.to_string());
    }
    kernel_rows(&mut rows, &record.kernel, record.identity.as_ref());
    candidate_rows(&mut rows, &record.candidates);
    symbol_rows(&mut rows, &record.symbols);
    rows.finish()
}

/// The bits of the header's Attributes, by the names of the published definition; those of newer systems have none.
fn attribute_names(attributes: u32) -> String {
    const NAMES: [&str; 10] = [
        "HiberCrash",
        "DumpDevicePowerOff",
        "InsufficientDumpfileSize",
        "KernelGeneratedTriageDump",
        "LiveDumpGeneratedDump",
        "DumpIsGeneratedOffline",
        "FilterDumpFile",
        "EarlyBootCrash",
        "EncryptedDumpData",
        "DecryptedDump",
    ];
    let mut words: Vec<String> = NAMES
        .into_iter()
        .enumerate()
        .filter(|(bit, _)| attributes >> bit & 1 != 0)
        .map(|(_, name)| name.to_owned())
        .collect();
    // Bits 800, 1000 and 20000 are set in real dumps of Windows 11 24H2, whose attributes are 21008 and 21808.
    let unnamed = attributes >> NAMES.len() << NAMES.len();
    if unnamed != 0 {
        words.push(format!("bits without a known name: 0x{unnamed:x}"));
    }
    if words.is_empty() {
        words.push("none".to_owned());
    }
    format!("0x{attributes:08x} ({})", words.join(", "))
}

fn image_rows(rows: &mut Rows, image: &ImageContents) {
    if let Some(memory) = &image.memory {
        rows.nested("Memory", escape::text(memory));
    }
    rows.nested("Found by", &image.found_by);
    rows.nested(
        "Registers",
        match image.processors {
            0 => "none of processors".to_owned(),
            count => format!("of {}", wait_lines::plural(count, "processor")),
        },
    );
}

fn triage_rows(rows: &mut Rows, triage: &TriageContents) {
    rows.text(
        // A triage dump has no pages: blocks of virtual memory, of any length, at any place.
        "Virtual memory",
        text!(
            "{} of {} bytes are in the file, by {} blocks",
            triage.bytes_present,
            triage.bytes,
            triage.blocks
        ),
    );
    let crashed = &triage.crashed;
    let idle = if crashed.idle {
        " (the idle thread of its processor)"
    } else {
        ""
    };
    let thread = rows::address(&crashed.thread, rows.digits());
    rows.text("Thread", text!("{thread}{idle}"));
    let process = match &crashed.process {
        alpc::Value::Known(process) => format!(
            "{process} ({}, pid {})",
            or_question(&crashed.image, |image| escape::text(image)),
            or_question(&crashed.process_id, ToString::to_string),
        ),
        alpc::Value::Missing(_) => "?".repeat(rows.digits()),
    };
    rows.text("Process", process);
    let modules = &triage.modules.modules;
    let kernel = modules.first().map_or(String::new(), |kernel| {
        format!(
            ", the first {}",
            or_question(&kernel.path, |path| escape::text(path))
        )
    });
    rows.text("Modules", text!("{}{kernel}", modules.len()));
}

/// What drivers added to the dump: the GUID of each piece, with its size as the debugger's `.enumtag` writes it.
fn secondary_rows(rows: &mut Rows, data: &SecondaryData) {
    let bytes: u64 = data.blobs.iter().map(|blob| blob.size).sum();
    let end = match data.ended {
        SecondaryEnd::Complete => "",
        SecondaryEnd::FileCut => "; the file ends inside of it",
        SecondaryEnd::TooMany => "; there are more",
        _ => "; what follows cannot be read",
    };
    rows.text(
        "Secondary data",
        text!("{bytes} bytes in {} blobs{end}", data.blobs.len()),
    );
    // Drivers append such, each by a callback of its own for bug checks (KbCallbackSecondaryDumpData) and under a
    // GUID of its own choice (WDK).
    for blob in &data.blobs {
        let cut = match blob.size.saturating_sub(blob.present) {
            0 => String::new(),
            missing => format!(", {missing:#x} of them cut off"),
        };
        rows.text("", text!("{{{}}} {:#x} bytes{cut}", blob.guid, blob.size));
    }
}

/// What is at the end of the file and belongs to nothing that is known.
fn trailing(behind: Trailing) -> String {
    let what = match behind.zeros {
        Some(true) => "all zero",
        Some(false) => "of no known kind",
        None => "not looked at",
    };
    format!("{} at file offset {:#x}, {what}", behind.bytes, behind.offset.0)
}

fn optional<T>(value: Option<T>, text: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "not in the header".to_owned(), text)
}

pub(super) fn machine(header: &Header) -> String {
    match header.pae_enabled {
        Some(true) => format!("{} with PAE", header.machine),
        _ => header.machine.to_string(),
    }
}

fn windows(header: &Header) -> String {
    let product = match header.product_type {
        // NtProductType as in winnt.h and the WDK: 1 is VER_NT_WORKSTATION. Build 26100 is Windows 11 24H2 and
        // Server 2025, and only this tells them apart.
        Some(1) => ", workstation",
        Some(2) => ", domain controller",
        Some(3) => ", server",
        _ => "",
    };
    // No version of Windows, but f for a free build and c for a checked one; those ended before Windows 10 1803
    // (Microsoft Learn, "Checked Build of Windows").
    let flavour = if header.major_version == 0xc {
        "checked"
    } else {
        "free"
    };
    format!("build {}, {flavour}{product}", header.minor_version)
}

/// What the parameters of the bug check are, where that is known.
fn bug_check_parameters(rows: &mut Rows, header: &Header) {
    let Some(bug_check) = header.bug_check else { return };
    let words = kdump::bug_check_parameters(bug_check.code).unwrap_or_default();
    for (number, (words, value)) in (1..).zip(words.iter().zip(bug_check.parameters)) {
        if !words.is_empty() {
            rows.nested(
                &format!("Parameter {number}"),
                format!("{} {words}", hex(header, value)),
            );
        }
    }
}

fn bug_check(header: &Header) -> String {
    optional(header.bug_check, |bug_check| {
        let parameters: Vec<String> = bug_check
            .parameters
            .iter()
            .map(|&parameter| hex(header, parameter))
            .collect();
        let name = bug_check.name.map(|name| format!(" {name}")).unwrap_or_default();
        format!("0x{:08x}{name} ({})", bug_check.code, parameters.join(", "))
    })
}

/// What the code is called where the processor stood that wrote the header's context.
fn context_code(session: &Session) -> Option<String> {
    let at = session.dump().header().context?.rip;
    let Ok(kernel) = session.kernel() else {
        // A small dump lists its modules without symbols.
        let modules = modules::of_triage(session)?;
        let code = modules.locate(session.dump().kernel_space().addr(at));
        return code.module.is_some().then(|| code.to_string());
    };
    let modules = stacks::modules(&kernel).ok()?;
    Stacks::new(&kernel, &modules).site(at)
}

fn context(header: &Header) -> String {
    let (instruction, stack) = match header.machine {
        Machine::I386 => ("eip", "esp"),
        Machine::Arm64 => ("pc", "sp"),
        _ => ("rip", "rsp"),
    };
    optional(header.context.as_ref(), |context| {
        format!(
            "{instruction} {}, {stack} {}",
            hex(header, context.rip.into()),
            hex(header, context.rsp.into())
        )
    })
}

fn physical_memory(header: &Header) -> String {
    optional(header.number_of_pages, |pages| {
        format!(
            "{pages} pages in {} runs",
            optional(header.number_of_runs, |runs| runs.to_string())
        )
    })
}

fn pages(coverage: Coverage) -> String {
    let Coverage {
        claimed,
        present,
        missing,
        ..
    } = coverage;
    #[allow(clippy::cast_precision_loss, reason = "a percentage is shown to one digit")]
    let share = if claimed == 0 {
        0.0
    } else {
        present as f64 * 100.0 / claimed as f64
    };
    format!("{present} of {claimed} are in the file ({share:.1} %), {missing} are cut off")
}

fn kernel_rows(rows: &mut Rows, kernel: &Found<KernelFound>, identity: Option<&KernelIdentity>) {
    match kernel {
        Found::Found(kernel) => {
            rows.text("Kernel base", &kernel.base);
            rows.text(
                "Kernel image",
                text!(
                    "{:x} bytes, time stamp {:08x}",
                    kernel.size_of_image,
                    kernel.timestamp
                ),
            );
        }
        Found::Missing(why) => paragraph(rows, "Kernel", why),
    }
    let pdb = identity.map(|identity| identity.pdb.as_str());
    if pdb.is_some() || matches!(kernel, Found::Found(_)) {
        let pdb = pdb.unwrap_or("no debug record in the dump");
        rows.text("Kernel symbols", escape::text(pdb));
    }
    if let Some(identity) = identity {
        identity.rows(rows);
    }
}

fn symbol_rows(rows: &mut Rows, symbols: &Found<SymbolsFound>) {
    match symbols {
        Found::Found(symbols) => {
            rows.text(
                "Symbols in use",
                text!("{} ({})", escape::text(&symbols.source), symbols.certainty),
            );
            if let Some(choice) = &symbols.evidence {
                evidence_lines::choice(rows, choice);
            }
            symbol_lines::rows(rows, &symbols.types_from, &symbols.types_untold);
            evidence_lines::derived(rows, &symbols.derived);
            if !symbols.missing.is_empty() {
                rows.text("Symbols lack", symbols.missing.join(", "));
                rows.text("Views lost", symbols.views_lost.join(", "));
            }
        }
        Found::Missing(why) => paragraph(rows, "Symbols in use", &format!("none: {why}")),
    }
}

/// A text of several lines, the label beside the first.
fn paragraph(rows: &mut Rows, label: &str, text: &str) {
    for (index, line) in text.lines().enumerate() {
        rows.text(if index == 0 { label } else { "" }, escape::text(line));
    }
}

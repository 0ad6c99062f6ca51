//! `info`: what the dump is, which kernel it is of, and whether its symbols are at hand.

use kdump::{Coverage, Header, KernelImage, Note};
use ntlayout::Identity;
use serde::Serialize;

use super::Answer;
use crate::output::escape;
use crate::output::rows::Rows;
use crate::output::time;
use crate::session::Session;

const LABEL: usize = 22;

#[derive(Serialize)]
struct InfoRecord<'a> {
    file: String,
    file_size: u64,
    header: &'a Header,
    pages: Coverage,
    notes: &'a [Note],
    kernel: Finding<KernelRecord>,
    symbols: Finding<SymbolsRecord>,
}

/// What was found, or why not: `info` shows as much as there is.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Finding<T> {
    Found(T),
    Missing(String),
}

impl<T> Finding<T> {
    fn new(result: anyhow::Result<T>) -> Self {
        match result {
            Ok(found) => Self::Found(found),
            Err(error) => Self::Missing(format!("{error:#}")),
        }
    }
}

#[derive(Serialize)]
struct KernelRecord {
    base: String,
    size_of_image: u32,
    timestamp: u32,
    pdb: Option<String>,
}

#[derive(Serialize)]
struct SymbolsRecord {
    source: String,
    identity: Option<String>,
    certainty: String,
    missing: Vec<String>,
    views_lost: Vec<&'static str>,
}

pub fn run(session: &Session) -> anyhow::Result<Answer> {
    let dump = session.dump();
    let image = session.image();
    let symbols = match &image {
        Ok(image) => symbols(session, image),
        Err(_) => Err(anyhow::anyhow!("not looked for: the kernel is not identified")),
    };
    let record = InfoRecord {
        file: dump.path().to_string_lossy().into_owned(),
        file_size: dump.file_len(),
        header: dump.header(),
        pages: dump.coverage(),
        notes: dump.notes(),
        kernel: Finding::new(image.map(|image| kernel_record(&image))),
        symbols: Finding::new(symbols),
    };
    Answer::new(text(&record), &record)
}

fn kernel_record(image: &KernelImage) -> KernelRecord {
    KernelRecord {
        base: format!("{:016x}", u64::from(image.base)),
        size_of_image: image.size_of_image,
        timestamp: image.timestamp,
        pdb: Session::wanted(image).as_ref().map(Identity::to_string),
    }
}

fn symbols(session: &Session, image: &KernelImage) -> anyhow::Result<SymbolsRecord> {
    let table = session.symbols(image)?;
    let layout = table.resolve(&alpc::contract::CONTRACT)?;
    Ok(SymbolsRecord {
        source: layout.origin().to_string(),
        identity: table.identity().map(Identity::to_string),
        certainty: layout.certainty().to_string(),
        missing: layout.missing().iter().map(ToString::to_string).collect(),
        views_lost: alpc::contract::views_lost(layout.missing()),
    })
}

fn text(record: &InfoRecord<'_>) -> String {
    let header = record.header;
    let mut rows = Rows::new(LABEL, 16);
    rows.line(&escape::text(&record.file));
    rows.text("File size", &format!("{} bytes", record.file_size));
    rows.text("Kind", &format!("{}, {}", header.kind, header.machine));
    rows.text("Windows", &windows(header));
    rows.text("System time", &optional(header.system_time, time::utc));
    rows.text("System uptime", &optional(header.system_up_time, time::span));
    rows.text(
        "Processors",
        &optional(header.number_processors, |count| count.to_string()),
    );
    rows.text("Bug check", &bug_check(header));
    rows.text("Context", &context(header));
    rows.text(
        "DirectoryTableBase",
        &format!("{:016x}", header.directory_table_base),
    );
    for (label, address) in [
        ("PsActiveProcessHead", header.ps_active_process_head),
        ("PsLoadedModuleList", header.ps_loaded_module_list),
        ("KdDebuggerDataBlock", header.kd_debugger_data_block),
    ] {
        rows.text(
            label,
            &optional(address, |address| format!("{:016x}", u64::from(address))),
        );
    }
    if let Some(comment) = &header.comment {
        rows.text("Comment", &escape::text(comment));
    }
    rows.text("Physical memory", &physical_memory(header));
    rows.text("Pages", &pages(record.pages));
    for note in record.notes {
        rows.text("Note", &escape::text(&note.text));
    }
    kernel_rows(&mut rows, &record.kernel);
    symbol_rows(&mut rows, &record.symbols);
    rows.finish()
}

fn optional<T>(value: Option<T>, text: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "not in the header".to_owned(), text)
}

fn windows(header: &Header) -> String {
    let product = match header.product_type {
        Some(1) => ", workstation",
        Some(2) => ", domain controller",
        Some(3) => ", server",
        _ => "",
    };
    let flavour = if header.major_version == 0xc {
        "checked"
    } else {
        "free"
    };
    format!("build {}, {flavour}{product}", header.minor_version)
}

fn bug_check(header: &Header) -> String {
    optional(header.bug_check, |bug_check| {
        let parameters: Vec<String> = bug_check
            .parameters
            .iter()
            .map(|parameter| format!("{parameter:016x}"))
            .collect();
        format!("0x{:08x} ({})", bug_check.code, parameters.join(", "))
    })
}

fn context(header: &Header) -> String {
    optional(header.context.as_ref(), |context| {
        format!(
            "rip {:016x}, rsp {:016x}",
            u64::from(context.rip),
            u64::from(context.rsp)
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

fn kernel_rows(rows: &mut Rows, kernel: &Finding<KernelRecord>) {
    match kernel {
        Finding::Found(kernel) => {
            rows.text("Kernel base", &kernel.base);
            rows.text(
                "Kernel image",
                &format!(
                    "{:x} bytes, time stamp {:08x}",
                    kernel.size_of_image, kernel.timestamp
                ),
            );
            let identity = kernel.pdb.as_deref().unwrap_or("no debug record in the dump");
            rows.text("Kernel symbols", &escape::text(identity));
        }
        Finding::Missing(why) => paragraph(rows, "Kernel", why),
    }
}

fn symbol_rows(rows: &mut Rows, symbols: &Finding<SymbolsRecord>) {
    match symbols {
        Finding::Found(symbols) => {
            rows.text(
                "Symbols in use",
                &format!("{} ({})", escape::text(&symbols.source), symbols.certainty),
            );
            if !symbols.missing.is_empty() {
                rows.text("Symbols lack", &symbols.missing.join(", "));
                rows.text("Views lost", &symbols.views_lost.join(", "));
            }
        }
        Finding::Missing(why) => paragraph(rows, "Symbols in use", &format!("none: {why}")),
    }
}

/// A text of several lines, the label beside the first.
fn paragraph(rows: &mut Rows, label: &str, text: &str) {
    for (index, line) in text.lines().enumerate() {
        rows.text(if index == 0 { label } else { "" }, &escape::text(line));
    }
}

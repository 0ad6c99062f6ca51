//! Where the kernel's image is.

use crate::dump::Dump;
use crate::dump::debugger_data::{DebuggerData, DebuggerDataError, read};
use crate::image::{BaseSource, ImageError, KernelImage, MZ, image_at};
use crate::memory::cursor::Cursor;
use crate::memory::error::ReadError;
use crate::value::addr::Addr;
use crate::value::address::Gva;

/// How far below PsLoadedModuleList, a variable of the kernel, its image may begin. The largest kernels have
/// about 20 MiB.
const SCAN_PAGES: u64 = (64 << 20) >> 12;

/// One way to the kernel's base that led nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseAttempt {
    /// The way.
    pub by: BaseSource,
    /// The base that it named, when it named one.
    pub base: Option<Addr>,
    /// Why it ended.
    pub error: BaseError,
}

/// Why a way to the kernel's base led nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BaseError {
    /// The debugger data block is of no use.
    #[error(transparent)]
    DebuggerData(#[from] DebuggerDataError),
    /// The loaded module list, or its first entry, cannot be read.
    #[error("the first loaded module cannot be read: {0}")]
    ModuleList(#[source] ReadError),
    /// The header of the dump does not say where the loaded module list is.
    #[error("the dump's header names no loaded module list")]
    NoModuleList,
    /// There is no image at the base.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// No kernel in all the pages searched.
    #[error("no kernel image in {pages} pages, {unreadable} of which could not be read")]
    NotFound {
        /// Pages searched.
        pages: u64,
        /// Pages of these that could not be read.
        unreadable: u64,
    },
}

/// No way led to the kernel's image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the kernel's image cannot be found: {}", tell(attempts))]
pub struct KernelImageError {
    /// Every way tried, in order.
    pub attempts: Vec<BaseAttempt>,
}

impl KernelImageError {
    /// The stable name of this error, for machines: kebab-case, never changed once released.
    pub fn id(&self) -> &'static str {
        "no-kernel-image"
    }

    /// The kernel's base, when a way named it although the image there cannot be read.
    pub fn base(&self) -> Option<Gva> {
        self.attempts
            .iter()
            .find_map(|attempt| attempt.base)
            .map(Addr::gva)
    }
}

fn tell(attempts: &[BaseAttempt]) -> String {
    // Of a dump without memory every way ends alike.
    let header_only = |attempt: &BaseAttempt| {
        matches!(
            &attempt.error,
            BaseError::ModuleList(ReadError::HeaderOnly { .. })
        )
    };
    if attempts.iter().any(header_only) {
        return "of this kind of dump only the header can be read".into();
    }
    let one = |attempt: &BaseAttempt| match attempt.base {
        Some(base) => format!("by {} at {base}: {}", attempt.by, attempt.error),
        None => format!("by {}: {}", attempt.by, attempt.error),
    };
    attempts.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Reads the debugger data block that the header names, in the kernel's address space.
///
/// # Errors
/// The header names none, it cannot be read as far as its KernBase, or its tag is not `KDBG`.
pub fn debugger_data(dump: &Dump) -> Result<DebuggerData, DebuggerDataError> {
    let at = dump.header().kd_debugger_data_block;
    read(at.ok_or(DebuggerDataError::NoAddress)?, &dump.kernel_space())
}

/// Finds the kernel's image: by the debugger data block, else by the first loaded module, else by a search
/// below PsLoadedModuleList.
///
/// # Errors
/// What became of every way.
pub fn kernel_image(dump: &Dump) -> Result<KernelImage, KernelImageError> {
    if let Some(image) = dump.found_kernel() {
        return Ok(KernelImage {
            found_by: Some(BaseSource::PageTables),
            ..image.clone()
        });
    }
    let cursor = dump.kernel_space().cursor();
    let mut attempts = Vec::new();
    let ways: [(BaseSource, Way); 2] = [
        (BaseSource::DebuggerData, base_by_debugger_data),
        (BaseSource::ModuleList, base_by_module),
    ];
    for (by, way) in ways {
        let attempt = match way(dump, &cursor) {
            Ok(base) => match image_at(&cursor, base) {
                Ok(image) => {
                    return Ok(KernelImage {
                        found_by: Some(by),
                        ..image
                    });
                }
                Err(error) => BaseAttempt {
                    by,
                    base: Some(cursor.space().addr(base)),
                    error: error.into(),
                },
            },
            Err(error) => BaseAttempt {
                by,
                base: None,
                error,
            },
        };
        attempts.push(attempt);
    }
    match scan(dump, &cursor) {
        Ok(image) => Ok(KernelImage {
            found_by: Some(BaseSource::Scan),
            ..image
        }),
        Err(error) => {
            attempts.push(BaseAttempt {
                by: BaseSource::Scan,
                base: None,
                error,
            });
            Err(KernelImageError { attempts })
        }
    }
}

/// A way to the kernel's base that needs no search.
type Way = fn(&Dump, &Cursor<'_>) -> Result<Gva, BaseError>;

fn base_by_debugger_data(dump: &Dump, _: &Cursor<'_>) -> Result<Gva, BaseError> {
    Ok(Gva::new(debugger_data(dump)?.kern_base))
}

/// The kernel is the first module loaded: `_KLDR_DATA_TABLE_ENTRY` begins with InLoadOrderLinks and has DllBase
/// behind six pointers, at +30 on 64-bit systems and +18 on 32-bit ones.
fn base_by_module(dump: &Dump, cursor: &Cursor<'_>) -> Result<Gva, BaseError> {
    let list = dump.header().ps_loaded_module_list;
    let list = list.ok_or(BaseError::NoModuleList)?;
    let first = cursor.pointer(list).map_err(BaseError::ModuleList)?;
    let behind = u64::from(cursor.space().pointer_width()).saturating_mul(6);
    let dll_base = Gva::new(first.u64().wrapping_add(behind));
    cursor.pointer(dll_base).map_err(BaseError::ModuleList)
}

/// TimeDateStamp and SizeOfImage of the kernel as the list of loaded modules has them: of a triage dump that in its file,
/// else that of the kernel itself. None where that cannot be read, and of 32-bit systems, where no source says at what place
/// they stand.
///
/// Source: `_KLDR_DATA_TABLE_ENTRY` has SizeOfImage at +40 and TimeDateStamp at +80, as in a real dump that holds the
/// kernel's own header as well.
#[must_use]
pub fn kernel_stamp(dump: &Dump) -> Option<(u32, u32)> {
    const SIZE_OF_IMAGE: u64 = 0x40;
    const TIME_DATE_STAMP: u64 = 0x80;
    // The header's three addresses (of the debugger data block, the modules, the processes) do not tell a
    // kernel: 755 of 1,181 amd64 PDBs share them with another, once the base is taken off. Time stamp and size
    // do.
    if let Some(triage) = dump.triage() {
        let kernel = triage.modules().first()?;
        return Some((kernel.timestamp, kernel.size)).filter(|(_, size)| *size != 0);
    }
    let cursor = dump.kernel_space().cursor();
    if cursor.space().pointer_width() != 8 {
        return None;
    }
    let first = cursor.pointer(dump.header().ps_loaded_module_list?).ok()?;
    let word = |by: u64| cursor.u32(Gva::new(first.u64().wrapping_add(by))).ok();
    Some((word(TIME_DATE_STAMP)?, word(SIZE_OF_IMAGE)?))
}

fn scan(dump: &Dump, cursor: &Cursor<'_>) -> Result<KernelImage, BaseError> {
    let list = dump.header().ps_loaded_module_list;
    let list = list.ok_or(BaseError::NoModuleList)?;
    let mut unreadable = 0u64;
    for down in 0..SCAN_PAGES {
        let base = Gva::new(list.page_align().u64().wrapping_sub(down << 12));
        match cursor.u16(base) {
            Ok(signature) if signature == MZ => {}
            Ok(_) => continue,
            // Not the end of the search: with HVCI the first page of an image can be missing from memory (one
            // source), as can pages between the list and the beginning of the kernel.
            Err(_) => {
                unreadable = unreadable.saturating_add(1);
                continue;
            }
        }
        // Every driver begins with MZ, and copies of ntoskrnl.exe lie in the file cache. Only the name of the
        // PDB in an RSDS record proves that this one is the kernel.
        if let Ok(image) = image_at(cursor, base)
            && image.is_kernel()
        {
            return Ok(image);
        }
    }
    Err(BaseError::NotFound {
        pages: SCAN_PAGES,
        unreadable,
    })
}

//! Loaded images in memory: the kernel's base, its PE header, the identity of its PDB.

use kdmp_parser::gxa::{Gva, Gxa};
use serde::Serialize;

use crate::{Cursor, DebuggerDataError, Dump, ReadError, debugger_data, hex, le};

/// The PDB names of kernels: the uniprocessor and multiprocessor ones with and without PAE, and the one for
/// five levels of page tables.
const KERNEL_PDBS: &[&str] = &["ntkrnlmp", "ntoskrnl", "ntkrpamp", "ntkrnlpa", "ntkrla57"];

/// How far below PsLoadedModuleList, a variable of the kernel, its image may begin. The largest kernels have
/// about 20 MiB.
const SCAN_PAGES: u64 = (64 << 20) >> 12;

/// Limits of what a header may claim, all far above what linkers write.
const MAX_NT_HEADER: u32 = 1 << 20;
const MAX_DEBUG_ENTRIES: u32 = 64;
const MAX_RSDS: u32 = 0x1000;

const DEBUG_ENTRY: u32 = 28;
const CODEVIEW: u32 = 2;
/// GUID and age between the signature and the name.
const RSDS_NAME: usize = 24;

/// Which PDB an image was linked with: its CodeView record of the kind `RSDS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rsds {
    /// The GUID, its bytes as in the file: the first three groups are little-endian.
    pub guid: [u8; 16],
    /// The age.
    pub age: u32,
    /// The PDB's name or path, up to its NUL; bytes that are no UTF-8 are replaced.
    pub pdb_name: String,
}

/// An image in memory, by its PE header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KernelImage {
    /// Where it is loaded.
    #[serde(serialize_with = "hex::gva")]
    pub base: Gva,
    /// SizeOfImage in bytes.
    pub size_of_image: u32,
    /// TimeDateStamp; a hash in images built reproducibly.
    pub timestamp: u32,
    /// Which PDB it was linked with.
    pub codeview: Option<Rsds>,
    /// Why `codeview` is not there.
    pub codeview_error: Option<ImageError>,
    /// What led to the base; `None` when the caller named it.
    pub found_by: Option<BaseSource>,
}

/// What led to the kernel's base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum BaseSource {
    /// KernBase of the debugger data block.
    DebuggerData,
    /// The first entry of the loaded module list.
    ModuleList,
    /// A search for an image below PsLoadedModuleList.
    Scan,
}

impl std::fmt::Display for BaseSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            BaseSource::DebuggerData => "debugger data block",
            BaseSource::ModuleList => "loaded module list",
            BaseSource::Scan => "search below PsLoadedModuleList",
        })
    }
}

/// What is wrong with an image in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "id", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ImageError {
    /// A part of it cannot be read.
    #[error("its {part} cannot be read: {source}")]
    Unreadable {
        /// Which part.
        part: &'static str,
        /// Why.
        source: ReadError,
    },
    /// A signature is not there: no image, or a part of it was overwritten.
    #[error("its {part} is not where it should be")]
    NotThere {
        /// Which part.
        part: &'static str,
    },
    /// A number in it leads out of it or is larger than it can be.
    #[error("its {part} says {value:#x}, which cannot be")]
    Absurd {
        /// Which part.
        part: &'static str,
        /// The number.
        value: u64,
    },
}

impl ImageError {
    /// The stable name of this error, for machines: kebab-case, never changed once released.
    pub fn id(&self) -> &'static str {
        match self {
            ImageError::Unreadable { .. } => "unreadable",
            ImageError::NotThere { .. } => "not-there",
            ImageError::Absurd { .. } => "absurd",
        }
    }
}

/// One way to the kernel's base that led nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseAttempt {
    /// The way.
    pub by: BaseSource,
    /// The base that it named, when it named one.
    pub base: Option<Gva>,
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
        self.attempts.iter().find_map(|attempt| attempt.base)
    }
}

fn tell(attempts: &[BaseAttempt]) -> String {
    let one = |attempt: &BaseAttempt| match attempt.base {
        Some(base) => format!("by {} at {:016x}: {}", attempt.by, base.u64(), attempt.error),
        None => format!("by {}: {}", attempt.by, attempt.error),
    };
    attempts.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Finds the kernel's image: by the debugger data block, else by the first loaded module, else by a search
/// below PsLoadedModuleList.
///
/// # Errors
/// What became of every way.
pub fn kernel_image(dump: &Dump) -> Result<KernelImage, KernelImageError> {
    let cursor = dump.kernel_space().cursor();
    let mut attempts = Vec::new();
    let ways: [(BaseSource, Way); 2] = [
        (BaseSource::DebuggerData, base_by_debugger_data),
        (BaseSource::ModuleList, base_by_module),
    ];
    for (by, way) in ways {
        let attempt = match way(&cursor) {
            Ok(base) => match image_at(&cursor, base) {
                Ok(image) => {
                    return Ok(KernelImage {
                        found_by: Some(by),
                        ..image
                    });
                }
                Err(error) => BaseAttempt {
                    by,
                    base: Some(base),
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
    match scan(&cursor) {
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
type Way = fn(&Cursor<'_>) -> Result<Gva, BaseError>;

fn base_by_debugger_data(cursor: &Cursor<'_>) -> Result<Gva, BaseError> {
    Ok(Gva::new(debugger_data(cursor.space().dump())?.kern_base))
}

/// The kernel is the first module loaded: `_KLDR_DATA_TABLE_ENTRY` begins with InLoadOrderLinks and has DllBase
/// at +30 on x64.
fn base_by_module(cursor: &Cursor<'_>) -> Result<Gva, BaseError> {
    let list = cursor
        .space()
        .dump()
        .header()
        .ps_loaded_module_list
        .ok_or(BaseError::NoModuleList)?;
    let first = cursor.pointer(list).map_err(BaseError::ModuleList)?;
    let dll_base = Gva::new(first.u64().wrapping_add(0x30));
    cursor.pointer(dll_base).map_err(BaseError::ModuleList)
}

fn scan(cursor: &Cursor<'_>) -> Result<KernelImage, BaseError> {
    let list = cursor
        .space()
        .dump()
        .header()
        .ps_loaded_module_list
        .ok_or(BaseError::NoModuleList)?;
    let mut unreadable = 0u64;
    for down in 0..SCAN_PAGES {
        let base = Gva::new(list.page_align().u64().wrapping_sub(down << 12));
        match cursor.u16(base) {
            Ok(signature) if signature == MZ => {}
            Ok(_) => continue,
            Err(_) => {
                unreadable = unreadable.saturating_add(1);
                continue;
            }
        }
        if let Ok(image) = image_at(cursor, base)
            && image.codeview.as_ref().is_some_and(is_kernel)
        {
            return Ok(image);
        }
    }
    Err(BaseError::NotFound {
        pages: SCAN_PAGES,
        unreadable,
    })
}

fn is_kernel(rsds: &Rsds) -> bool {
    let file = rsds
        .pdb_name
        .rsplit(['\\', '/'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    KERNEL_PDBS.contains(&file.strip_suffix(".pdb").unwrap_or(&file))
}

const MZ: u16 = u16::from_le_bytes(*b"MZ");

/// Reads the header and the PDB identity of the image loaded at `base`.
///
/// # Errors
/// No PE image is there, or its header cannot be read. An identity that cannot be read is told in the result.
pub fn image_at(cursor: &Cursor<'_>, base: Gva) -> Result<KernelImage, ImageError> {
    let image = Image { cursor, base };
    let nt = image.nt_header()?;
    let (codeview, codeview_error) = match image.codeview(&nt) {
        Ok(rsds) => (Some(rsds), None),
        Err(error) => (None, Some(error)),
    };
    Ok(KernelImage {
        base,
        size_of_image: nt.size_of_image,
        timestamp: nt.timestamp,
        codeview,
        codeview_error,
        found_by: None,
    })
}

/// An image while it is read.
struct Image<'c, 'd> {
    cursor: &'c Cursor<'d>,
    base: Gva,
}

/// What is of use in `IMAGE_NT_HEADERS`.
struct NtHeader {
    timestamp: u32,
    size_of_image: u32,
    /// RVA and size of the debug directory.
    debug: Option<(u32, u32)>,
}

impl Image<'_, '_> {
    fn read<const N: usize>(&self, rva: u32, part: &'static str) -> Result<[u8; N], ImageError> {
        let mut bytes = [0; N];
        self.cursor
            .read(self.at(rva), &mut bytes)
            .map_err(|source| ImageError::Unreadable { part, source })?;
        Ok(bytes)
    }

    fn at(&self, rva: u32) -> Gva {
        Gva::new(self.base.u64().wrapping_add(rva.into()))
    }

    /// The DOS header, the signature, `IMAGE_FILE_HEADER`, then `IMAGE_OPTIONAL_HEADER`, whose directories
    /// begin at +70 for 64-bit images and at +60 for 32-bit ones.
    fn nt_header(&self) -> Result<NtHeader, ImageError> {
        let dos = self.read::<0x40>(0, "DOS header")?;
        if le::u16(&dos, 0) != Some(MZ) {
            return Err(ImageError::NotThere { part: "DOS header" });
        }
        let part = "PE header";
        let nt_at = le::u32(&dos, 0x3c).unwrap_or_default();
        if nt_at > MAX_NT_HEADER {
            return Err(ImageError::Absurd {
                part: "DOS header",
                value: nt_at.into(),
            });
        }
        let nt = self.read::<0x18>(nt_at, part)?;
        if le::array(&nt, 0) != Some(*b"PE\0\0") {
            return Err(ImageError::NotThere { part });
        }
        let optional = self.read::<0xa8>(nt_at.saturating_add(0x18), part)?;
        let directories: usize = match le::u16(&optional, 0) {
            Some(0x20b) => 0x70,
            Some(0x10b) => 0x60,
            other => {
                return Err(ImageError::Absurd {
                    part,
                    value: other.unwrap_or_default().into(),
                });
            }
        };
        Ok(NtHeader {
            timestamp: le::u32(&nt, 8).unwrap_or_default(),
            size_of_image: le::u32(&optional, 0x38).unwrap_or_default(),
            debug: debug_directory(&nt, &optional, directories),
        })
    }

    fn codeview(&self, nt: &NtHeader) -> Result<Rsds, ImageError> {
        let part = "debug directory";
        let (rva, size) = nt.debug.ok_or(ImageError::NotThere { part })?;
        let entries = size / DEBUG_ENTRY;
        check_inside(nt, rva, size, part)?;
        for number in 0..entries.min(MAX_DEBUG_ENTRIES) {
            let entry = self.read::<28>(rva.saturating_add(number.saturating_mul(DEBUG_ENTRY)), part)?;
            if le::u32(&entry, 12) == Some(CODEVIEW) {
                let field = |offset| le::u32(&entry, offset).unwrap_or_default();
                return self.rsds(nt, field(20), field(16));
            }
        }
        Err(ImageError::NotThere {
            part: "CodeView record",
        })
    }

    fn rsds(&self, nt: &NtHeader, rva: u32, size: u32) -> Result<Rsds, ImageError> {
        let part = "CodeView record";
        check_inside(nt, rva, size, part)?;
        if size > MAX_RSDS || (size as usize) < RSDS_NAME {
            return Err(ImageError::Absurd {
                part,
                value: size.into(),
            });
        }
        let record = self
            .cursor
            .bytes(self.at(rva), size as usize)
            .map_err(|source| ImageError::Unreadable { part, source })?;
        if le::array(&record, 0) != Some(*b"RSDS") {
            return Err(ImageError::NotThere { part });
        }
        Ok(Rsds {
            guid: le::array(&record, 4).unwrap_or_default(),
            age: le::u32(&record, 20).unwrap_or_default(),
            pdb_name: le::text(&record, RSDS_NAME, record.len().saturating_sub(RSDS_NAME))
                .unwrap_or_default(),
        })
    }
}

/// Entry 6 of the directories, when the header has so many and is itself so long.
fn debug_directory(nt: &[u8], optional: &[u8], directories: usize) -> Option<(u32, u32)> {
    let at = directories.saturating_add(6 * 8);
    let header_len = usize::from(le::u16(nt, 0x14)?);
    let count = le::u32(optional, directories.checked_sub(4)?)?;
    if count <= 6 || header_len < at.saturating_add(8) {
        return None;
    }
    Some((le::u32(optional, at)?, le::u32(optional, at.saturating_add(4))?)).filter(|&(rva, _)| rva != 0)
}

fn check_inside(nt: &NtHeader, rva: u32, size: u32, part: &'static str) -> Result<(), ImageError> {
    match rva.checked_add(size) {
        Some(end) if end <= nt.size_of_image && rva != 0 => Ok(()),
        _ => Err(ImageError::Absurd {
            part,
            value: rva.into(),
        }),
    }
}

//! Images in memory: their PE header and the identity of their PDB.

#[cfg(feature = "serde")]
use serde::Serialize;

use crate::memory::cursor::Cursor;
use crate::memory::error::ReadError;
use crate::value::address::Gva;
use crate::value::le;
use crate::value::machine::Machine;

/// Limits of what a header may claim, all far above what linkers write.
const MAX_NT_HEADER: u32 = 1 << 20;
const MAX_DEBUG_ENTRIES: u32 = 64;
const MAX_RSDS: u32 = 0x1000;

const DEBUG_ENTRY: u32 = 28;
const CODEVIEW: u32 = 2;
/// GUID and age between the signature and the name.
const RSDS_NAME: usize = 24;

/// The PDB names of kernels: the uniprocessor and multiprocessor ones with and without PAE, and the one for
/// five levels of page tables.
const KERNEL_PDBS: &[&str] = &["ntkrnlmp", "ntoskrnl", "ntkrpamp", "ntkrnlpa", "ntkrla57"];

/// What every image begins with.
pub(crate) const MZ: u16 = u16::from_le_bytes(*b"MZ");

/// Which PDB an image was linked with: its CodeView record of the kind `RSDS`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[non_exhaustive]
pub struct Rsds {
    /// The GUID, its bytes as in the file: the first three groups are little-endian.
    pub guid: [u8; 16],
    /// The age.
    pub age: u32,
    /// The PDB's name or path, up to its NUL; bytes that are no UTF-8 are replaced.
    pub pdb_name: String,
}

impl Rsds {
    /// Reads a CodeView record; none where it is of another kind, or too short.
    #[must_use]
    pub fn parse(record: &[u8]) -> Option<Self> {
        // The other form, NB10, is of linkers before Visual C++ 7: a time stamp in the place of the GUID.
        if le::array(record, 0) != Some(*b"RSDS") {
            return None;
        }
        Some(Self {
            guid: le::array(record, 4)?,
            age: le::u32(record, 20)?,
            pdb_name: le::text(record, RSDS_NAME, record.len().checked_sub(RSDS_NAME)?)?,
        })
    }

    /// Whether it is the PDB of a kernel.
    pub(crate) fn is_kernel(&self) -> bool {
        let file = self
            // Microsoft's own images have the bare name, `ntkrnlmp.pdb`; others have the whole path of the machine
            // that built them.
            .pdb_name
            .rsplit(['\\', '/'])
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        KERNEL_PDBS.contains(&file.strip_suffix(".pdb").unwrap_or(&file))
    }
}

/// What led to the kernel's base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum BaseSource {
    /// KernBase of the debugger data block.
    DebuggerData,
    /// The first entry of the loaded module list.
    ModuleList,
    /// A search for an image below PsLoadedModuleList.
    Scan,
    /// The search for page tables that lead to a kernel.
    PageTables,
}

impl std::fmt::Display for BaseSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            BaseSource::DebuggerData => "debugger data block",
            BaseSource::ModuleList => "loaded module list",
            BaseSource::Scan => "search below PsLoadedModuleList",
            BaseSource::PageTables => "search through page tables",
        })
    }
}

/// An image in memory, by its PE header.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[non_exhaustive]
pub struct KernelImage {
    /// Where it is loaded.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::gva"))]
    pub base: Gva,
    /// SizeOfImage in bytes.
    pub size_of_image: u32,
    /// TimeDateStamp; a hash in images built reproducibly.
    pub timestamp: u32,
    /// Machine: what it runs on.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub machine: Machine,
    /// Which PDB it was linked with.
    pub codeview: Option<Rsds>,
    /// Why `codeview` is not there.
    pub codeview_error: Option<ImageError>,
    /// What led to the base; `None` when the caller named it.
    pub found_by: Option<BaseSource>,
}

impl KernelImage {
    /// Whether its record proves it to be a kernel. Every driver begins with `MZ`, and copies of ntoskrnl.exe lie in the
    /// file cache: only the name of the PDB does.
    pub(crate) fn is_kernel(&self) -> bool {
        self.codeview.as_ref().is_some_and(Rsds::is_kernel)
    }
}

/// What is wrong with an image in memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "serde", serde(tag = "id", rename_all = "kebab-case"))]
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

/// Reads the header and the PDB identity of the image loaded at `base`.
///
/// # Errors
/// No PE image is there, or its header cannot be read. An identity that cannot be read is told in the result.
pub fn image_at(cursor: &Cursor<'_>, base: Gva) -> Result<KernelImage, ImageError> {
    let image = Image { cursor, base };
    let nt = image.nt_header()?;
    // It may be gone where the headers are there: a real triage dump of 19041 holds no record of its kernel at
    // all, and which one it is follows from addresses and from the time stamp in its list of modules.
    let (codeview, codeview_error) = match image.codeview(&nt) {
        Ok(rsds) => (Some(rsds), None),
        Err(error) => (None, Some(error)),
    };
    Ok(KernelImage {
        base,
        size_of_image: nt.size_of_image,
        timestamp: nt.timestamp,
        machine: nt.machine,
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
    machine: Machine,
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
        // Magic of the optional header: PE32+ has wider members before the directories (Microsoft's PE format).
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
            machine: Machine::from_raw(le::u16(&nt, 4).unwrap_or_default().into()),
            // No time in kernels of Windows 10 and later: they are built reproducibly, and a part of a hash
            // stands in its place (devblogs.microsoft.com/oldnewthing, 2018-01-03).
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
            // Images have several entries, and the CodeView one need not be the first: POGO and REPRO data of
            // the linker stand beside it (Microsoft's PE format, debug type).
            if le::u32(&entry, 12) == Some(CODEVIEW) {
                let field = |offset| le::u32(&entry, offset).unwrap_or_default();
                // AddressOfRawData, at +14 hex of the entry: the image is mapped. PointerToRawData behind it is
                // a place in the file (Microsoft's PE format, "Debug Directory").
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
        Rsds::parse(&record).ok_or(ImageError::NotThere { part })
    }
}

/// Entry 6 of the directories, when the header has so many and is itself so long.
fn debug_directory(nt: &[u8], optional: &[u8], directories: usize) -> Option<(u32, u32)> {
    let at = directories.saturating_add(6 * 8);
    let header_len = usize::from(le::u16(nt, 0x14)?);
    let count = le::u32(optional, directories.checked_sub(4)?)?;
    // The number of directories is not fixed (Microsoft's PE format: NumberOfRvaAndSizes is to be checked
    // first).
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

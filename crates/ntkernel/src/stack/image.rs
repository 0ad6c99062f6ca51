//! An image in memory, read piece by piece: sections, unwind data, exports.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use kdump::{Gva, Rsds};

use crate::image::kernel::{Kernel, offset};
use crate::image::reason::Unreadable;
use crate::image::value::Read;
use crate::why;

/// `IMAGE_FILE_MACHINE_AMD64`.
const AMD64: u16 = 0x8664;

const HEADER: usize = 0x1000;
/// More sections than a linker writes; a kernel has some thirty.
const SECTIONS: usize = 256;
const SECTION: usize = 40;
const EXPORTS: usize = 0;
const EXCEPTIONS: usize = 3;
const DEBUG: usize = 6;
/// Entries of a debug directory that are looked at; linkers write four or five.
const DEBUG_ENTRIES: u32 = 16;
/// `IMAGE_SCN_MEM_EXECUTE` and `IMAGE_SCN_MEM_DISCARDABLE`.
const EXECUTE: u32 = 0x2000_0000;
const DISCARDABLE: u32 = 0x0200_0000;
/// `IMAGE_SCN_MEM_WRITE`.
const WRITE: u32 = 0x8000_0000;
/// Bytes of a `RUNTIME_FUNCTION`.
const FUNCTION: u32 = 12;
/// Names that a module exports at most: ordinals have 16 bits.
const NAMES: u32 = 0xffff;
const NAME: usize = 512;
/// Look-ups that are kept: what is not is searched for again.
const LOOKED_UP: usize = 1 << 16;

/// An entry of `.pdata`: where a function, or a part of one, begins and ends, and where its unwind data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuntimeFunction {
    /// RVA of its first byte.
    pub begin: u32,
    /// RVA of the first byte behind it.
    pub end: u32,
    /// RVA of its unwind data.
    pub unwind: u32,
}

#[derive(Clone, Copy, Debug)]
struct Section {
    start: u32,
    end: u32,
    flags: u32,
    /// Where its bytes are in the file, and how many are there.
    raw: (u32, u32),
}

/// A module's image as it lies in memory.
#[derive(Debug)]
pub struct Image {
    base: Gva,
    size: u32,
    is_x64: bool,
    sections: Vec<Section>,
    directories: [(u32, u32); 7],
    exports: OnceCell<Read<Vec<(u32, String)>>>,
    codeview: OnceCell<Option<Rsds>>,
    /// Entries of `.pdata` that were looked up, by what for: threads wait at the same places.
    functions: RefCell<HashMap<u32, Option<RuntimeFunction>>>,
    key: Key,
    /// Its file, looked for where a part of it is not in the dump.
    file: OnceCell<Option<Arc<[u8]>>>,
}

/// By what the file of an image is found.
#[derive(Clone, Debug, Default)]
pub struct Key {
    /// The name of the file, in a path or alone.
    pub name: String,
    /// TimeDateStamp of its header.
    pub timestamp: u32,
    /// SizeOfImage.
    pub size: u32,
}

/// The file of an image, where it is at hand.
fn file_of(kernel: &Kernel<'_>, key: &Key) -> Option<Arc<[u8]>> {
    kernel.names()?.image_file(&key.name, key.timestamp, key.size)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let end = at.checked_add(2)?;
    Some(u16::from_le_bytes(bytes.get(at..end)?.try_into().ok()?))
}

fn dword(bytes: &[u8], at: usize) -> Option<u32> {
    let end = at.checked_add(4)?;
    Some(u32::from_le_bytes(bytes.get(at..end)?.try_into().ok()?))
}

/// An RVA as an index.
fn index(rva: u32) -> usize {
    usize::try_from(rva).unwrap_or(usize::MAX)
}

impl Image {
    /// Reads the headers of the image at `base`.
    ///
    /// # Errors
    /// They cannot be read, or are none.
    pub fn read(kernel: &Kernel<'_>, base: Gva, key: Option<Key>) -> Read<Self> {
        let mut bytes = vec![0; HEADER];
        let partial = kernel.cursor().read_partial(base, &mut bytes);
        bytes.truncate(partial.read);
        if let Some(image) = Self::parse(base, &bytes) {
            let name = key.map(|key| key.name).unwrap_or_default();
            let key = Key { name, ..image.key };
            return Ok(Self { key, ..image });
        }
        // A small dump has no images, and says which they were.
        if let Some(key) = key.filter(|key| key.size != 0)
            && let Some(file) = file_of(kernel, &key)
            && let Some(image) = Self::parse(base, &file)
        {
            let file = OnceCell::from(Some(file));
            return Ok(Self { key, file, ..image });
        }
        if let (Some(reason), true) = (partial.stopped, bytes.len() < HEADER) {
            return Err(reason);
        }
        Err({
            Unreadable::Implausible(why!(
                "the image at {} does not begin with the header of one",
                kernel.addr(base)
            ))
        })
    }

    fn parse(base: Gva, bytes: &[u8]) -> Option<Self> {
        if bytes.get(..2)? != b"MZ" {
            return None;
        }
        let nt = index(dword(bytes, 0x3c)?);
        if bytes.get(nt..nt.checked_add(4)?)? != b"PE\0\0" {
            return None;
        }
        let at = |by: usize| nt.checked_add(by);
        let is_x64 = word(bytes, at(4)?)? == AMD64;
        let count = usize::from(word(bytes, at(6)?)?).min(SECTIONS);
        let optional = at(24)?;
        let is_wide = word(bytes, optional)? == 0x20b;
        let directories_at = optional.checked_add(if is_wide { 112 } else { 96 })?;
        let size = dword(bytes, optional.checked_add(56)?)?;
        let declared = index(dword(bytes, directories_at.checked_sub(4)?)?);
        let mut directories = [(0, 0); 7];
        for (number, directory) in directories.iter_mut().enumerate().take(declared) {
            let at = directories_at.checked_add(number.checked_mul(8)?)?;
            *directory = (dword(bytes, at)?, dword(bytes, at.checked_add(4)?)?);
        }
        let first = optional.checked_add(usize::from(word(bytes, at(20)?)?))?;
        let mut sections = Vec::with_capacity(count);
        for number in 0..count {
            let at = first.checked_add(number.checked_mul(SECTION)?)?;
            let (len, start) = (
                dword(bytes, at.checked_add(8)?)?,
                dword(bytes, at.checked_add(12)?)?,
            );
            sections.push(Section {
                start,
                end: start.saturating_add(len).min(size),
                flags: dword(bytes, at.checked_add(36)?)?,
                raw: (
                    dword(bytes, at.checked_add(20)?)?,
                    dword(bytes, at.checked_add(16)?)?,
                ),
            });
        }
        Some(Self {
            base,
            size,
            is_x64,
            sections,
            directories,
            exports: OnceCell::new(),
            codeview: OnceCell::new(),
            functions: RefCell::default(),
            // By this pair a symbol store keeps images: the stamp in eight capital digits and the size in small
            // ones without zeros before, in one word, as the folder's name. From Windows 10 on the stamp is
            // part of a hash, and serves as well.
            key: Key {
                name: String::new(),
                timestamp: dword(bytes, at(8)?)?,
                size,
            },
            file: OnceCell::new(),
        })
    }

    /// Where it begins.
    #[must_use]
    pub fn base(&self) -> Gva {
        self.base
    }

    /// Which PDB it was linked with, where its debug directory is in the dump or in the image's file.
    pub fn codeview(&self, kernel: &Kernel<'_>) -> Option<&Rsds> {
        self.codeview.get_or_init(|| self.linked_with(kernel)).as_ref()
    }

    /// The record of the debug directory that names the PDB: out of memory, else out of the image's file.
    fn linked_with(&self, kernel: &Kernel<'_>) -> Option<Rsds> {
        const ENTRY: u32 = 28;
        const CODEVIEW: u32 = 2;
        const HEAD: usize = 24;
        let (table, size) = self.directory(DEBUG);
        let entries = size.checked_div(ENTRY).unwrap_or(0).min(DEBUG_ENTRIES);
        for number in 0..entries {
            let mut entry = [0; 28];
            let at = table.checked_add(number.checked_mul(ENTRY)?)?;
            self.bytes(kernel, at, &mut entry).ok()?;
            let size = index(dword(&entry, 16)?);
            if dword(&entry, 12)? != CODEVIEW || !(HEAD..=HEAD.saturating_add(NAME)).contains(&size) {
                continue;
            }
            let mut record = vec![0; size];
            self.bytes(kernel, dword(&entry, 20)?, &mut record).ok()?;
            if let Some(found) = Rsds::parse(&record) {
                return Some(found);
            }
        }
        None
    }

    /// Whether anything was read out of the image's file instead of the dump.
    #[must_use]
    pub fn is_read_from_file(&self) -> bool {
        self.file.get().is_some_and(Option::is_some)
    }

    /// Whether it is for x64.
    #[must_use]
    pub fn is_x64(&self) -> bool {
        self.is_x64
    }

    /// Whether code that still runs can be there: in a section that is executed, and not thrown away after the module
    /// was started, as `INIT` is.
    #[must_use]
    pub fn is_code(&self, rva: u32) -> bool {
        // INIT sections are discardable: once a driver has started they are gone and their addresses may be
        // anybody's, so what looks like a return into one is no live one.
        let mut sections = self.sections.iter();
        sections.any(|section| {
            (section.start..section.end).contains(&rva)
                && section.flags & EXECUTE != 0
                && section.flags & DISCARDABLE == 0
        })
    }

    /// The RVA of an address in it.
    #[must_use]
    pub fn rva(&self, address: u64) -> Option<u32> {
        let rva = u32::try_from(address.checked_sub(self.base.u64())?).ok()?;
        (rva < self.size).then_some(rva)
    }

    /// The address of an RVA.
    #[must_use]
    pub fn at(&self, rva: u32) -> Gva {
        offset(self.base, rva.into())
    }

    /// Bytes at an RVA, all of which must be in the image.
    pub(crate) fn bytes(&self, kernel: &Kernel<'_>, rva: u32, buf: &mut [u8]) -> Read<()> {
        let end = u64::from(rva).saturating_add(buf.len() as u64);
        if end > u64::from(self.size) {
            return Err(Unreadable::Implausible(why!(
                "the unwind data of the image at {} leads out of it",
                kernel.addr(self.base)
            )));
        }
        match kernel.cursor().read(self.at(rva), buf) {
            Ok(()) => Ok(()),
            // .pdata and .rdata of the kernel and of most drivers are not paged; win32k and images of user mode
            // are pageable throughout, `PAGE*` code of any driver too. Debuggers of other makers had to add
            // this same way (dmaivel/ntoseye).
            Err(reason) => match self.in_file(kernel, rva, buf.len()) {
                Some(bytes) => {
                    buf.copy_from_slice(bytes);
                    Ok(())
                }
                None => Err(reason),
            },
        }
    }

    /// The code at an address, as much of `buf` as there is.
    pub(crate) fn code(&self, kernel: &Kernel<'_>, at: u64, buf: &mut [u8]) -> usize {
        let read = kernel.cursor().read_partial(at.into(), buf).read;
        if read == 0
            && let Some(rva) = self.rva(at)
        {
            let most = buf.len();
            // To the end of the section, if that comes first.
            let length = (1..=most)
                .rev()
                .find(|&length| self.in_file(kernel, rva, length).is_some());
            if let Some(bytes) = length.and_then(|length| self.in_file(kernel, rva, length))
                && let Some(buf) = buf.get_mut(..bytes.len())
            {
                buf.copy_from_slice(bytes);
                return bytes.len();
            }
        }
        read
    }

    /// Bytes of the image in its file: of headers and of sections that nothing writes to.
    fn in_file(&self, kernel: &Kernel<'_>, rva: u32, len: usize) -> Option<&[u8]> {
        let file = self.file.get_or_init(|| file_of(kernel, &self.key)).as_ref()?;
        let end = rva.checked_add(u32::try_from(len).ok()?)?;
        let mut sections = self.sections.iter();
        let section = sections.find(|section| section.start <= rva && end <= section.end)?;
        let (raw, there) = section.raw;
        let inside = rva.checked_sub(section.start)?;
        // Code differs from the file by relocations and by what the kernel patches when it starts; unwind data
        // is made of RVAs and is the same in both. What is written to is another matter.
        if section.flags & WRITE != 0 || inside.checked_add(u32::try_from(len).ok()?)? > there {
            return None;
        }
        let start = index(raw.checked_add(inside)?);
        file.get(start..start.checked_add(len)?)
    }

    /// The entry of `.pdata` that holds an RVA; none for a leaf function, which needs no unwind data.
    ///
    /// # Errors
    /// The pages of `.pdata` that would tell are not in the dump.
    pub fn function(&self, kernel: &Kernel<'_>, rva: u32) -> Read<Option<RuntimeFunction>> {
        if let Some(known) = self.functions.borrow().get(&rva) {
            return Ok(*known);
        }
        let found = self.search(kernel, rva)?;
        let mut functions = self.functions.borrow_mut();
        if functions.len() < LOOKED_UP {
            functions.insert(rva, found);
        }
        Ok(found)
    }

    fn search(&self, kernel: &Kernel<'_>, rva: u32) -> Read<Option<RuntimeFunction>> {
        // Sorted by the linker. The kernel has the same places in nt!PsInvertedFunctionTable, which is found by
        // symbols only.
        let (table, size) = self.directory(EXCEPTIONS);
        let (mut low, mut high) = (0, size.checked_div(FUNCTION).unwrap_or(0));
        while low < high {
            let middle = low.midpoint(high);
            let at = table.saturating_add(middle.saturating_mul(FUNCTION));
            let function = self.runtime_function(kernel, at)?;
            if rva < function.begin {
                high = middle;
            } else if rva >= function.end {
                low = middle.saturating_add(1);
            } else {
                return Ok(Some(function));
            }
        }
        Ok(None)
    }

    /// The `RUNTIME_FUNCTION` at an RVA.
    pub(crate) fn runtime_function(&self, kernel: &Kernel<'_>, at: u32) -> Read<RuntimeFunction> {
        let mut bytes = [0; 12];
        self.bytes(kernel, at, &mut bytes)?;
        let [begin, end, unwind] = [0, 4, 8].map(|at| dword(&bytes, at).unwrap_or_default());
        Ok(RuntimeFunction { begin, end, unwind })
    }

    fn directory(&self, number: usize) -> (u32, u32) {
        let (rva, size) = self.directories.get(number).copied().unwrap_or_default();
        match rva < self.size {
            true => (rva, size.min(self.size.saturating_sub(rva))),
            false => (0, 0),
        }
    }

    /// The exported name at or before an RVA, and where that is.
    ///
    /// # Errors
    /// The table of exports is not in the dump.
    pub fn export(&self, kernel: &Kernel<'_>, rva: u32) -> Read<Option<(&str, u32)>> {
        let exports = self.exports.get_or_init(|| self.all_exports(kernel));
        let exports = exports.as_ref().map_err(Clone::clone)?;
        // The nearest name below is not the function's own where that is not exported: between two exports lie
        // any number of functions, and a large offset is the sign of it.
        let next = exports.partition_point(|&(at, _)| at <= rva);
        let found = next.checked_sub(1).and_then(|number| exports.get(number));
        Ok(found.map(|(at, name)| (name.as_str(), *at)))
    }

    /// Names and RVAs of all exports, in the order of these. A name that cannot be read is left out.
    fn all_exports(&self, kernel: &Kernel<'_>) -> Read<Vec<(u32, String)>> {
        let (table, size) = self.directory(EXPORTS);
        if size < 40 {
            return Ok(Vec::new());
        }
        let mut head = [0; 40];
        self.bytes(kernel, table, &mut head)?;
        let [functions, names, by_address, by_name, ordinals] =
            [20, 24, 28, 32, 36].map(|at| dword(&head, at).unwrap_or_default());
        let names = names.min(NAMES);
        let list = |rva, count: u32, width: u32| -> Read<Vec<u8>> {
            let mut bytes = vec![0; index(count.saturating_mul(width))];
            self.bytes(kernel, rva, &mut bytes)?;
            Ok(bytes)
        };
        let addresses = list(by_address, functions.min(NAMES), 4)?;
        let texts = list(by_name, names, 4)?;
        let ordinals = list(ordinals, names, 2)?;
        let mut exports = Vec::new();
        for number in 0..index(names) {
            // Indexes into the addresses, without the base that ordinals have (Microsoft's PE format, "Export
            // Ordinal Table").
            let ordinal = word(&ordinals, number.saturating_mul(2)).map(usize::from);
            let at = ordinal.and_then(|ordinal| dword(&addresses, ordinal.saturating_mul(4)));
            let text = dword(&texts, number.saturating_mul(4));
            let (Some(at), Some(text)) = (at, text) else {
                continue;
            };
            // What lies in the directory itself is the name of another module's function.
            let is_forwarded = (table..table.saturating_add(size)).contains(&at);
            if let (Some(name), false) = (self.name(kernel, text), is_forwarded) {
                exports.push((at, name));
            }
        }
        exports.sort();
        Ok(exports)
    }

    fn name(&self, kernel: &Kernel<'_>, rva: u32) -> Option<String> {
        let mut bytes = [0; NAME];
        let read = self.code(kernel, self.at(rva).u64(), &mut bytes);
        let read = bytes.get(..read)?;
        let end = read.iter().position(|&byte| byte == 0)?;
        let text = std::str::from_utf8(read.get(..end)?).ok()?;
        let is_name = |c: char| c.is_ascii_graphic();
        (!text.is_empty() && text.chars().all(is_name)).then(|| text.to_owned())
    }
}

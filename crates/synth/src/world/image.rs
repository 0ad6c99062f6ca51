//! The kernel image and the list of loaded modules.

use super::{Module, Name, Pool, World};
use crate::address::Va;
use crate::bytes::{count, low32, put, put_u16, put_u32, put_u64};

/// Where the debug directory is: behind the headers. Linkers place it at the start of the first section, but some
/// kernels have globals in its first bytes.
const DEBUG_DIRECTORY: u64 = 0xa00;
const RSDS: u64 = 0xa40;
const NT_HEADERS: usize = 0xf8;
const IMAGE_DEBUG_TYPE_CODEVIEW: u32 = 2;

impl World {
    /// Adds a module to the end of the list of loaded modules; the kernel itself is the first, made by compiling.
    pub fn module(&mut self, base: Va, size: u32, name: &str) {
        let path = format!("\\SystemRoot\\system32\\drivers\\{name}");
        self.truth.modules.push(Module {
            base,
            size,
            name: name.to_owned(),
            path,
        });
    }

    pub(super) fn compile_image(&mut self) {
        let kernel = Module {
            base: self.truth.kernel_base,
            size: self.kernel.image_size(),
            name: "ntoskrnl.exe".to_owned(),
            path: "\\SystemRoot\\system32\\ntoskrnl.exe".to_owned(),
        };
        self.truth.modules.insert(0, kernel);
        let headers = self.image_headers();
        self.memory.write(self.truth.kernel_base, &headers);
        self.write_debug_record();
        self.compile_modules();
    }

    fn image_headers(&self) -> Vec<u8> {
        let wide = self.pointer_size() == 8;
        let mut b = vec![0u8; 0x400];
        put(&mut b, 0, b"MZ\x90\0");
        put_u32(&mut b, 0x3c, 0xf8);
        put(&mut b, NT_HEADERS, b"PE\0\0");
        let sections = self.kernel.sections();
        let optional_size: u16 = if wide { 0xf0 } else { 0xe0 };
        put_u16(&mut b, NT_HEADERS + 4, self.kernel.machine().number());
        put_u16(
            &mut b,
            NT_HEADERS + 6,
            u16::try_from(sections.len()).expect("few sections"),
        );
        put_u32(&mut b, NT_HEADERS + 8, self.timestamp());
        put_u16(&mut b, NT_HEADERS + 20, optional_size);
        put_u16(&mut b, NT_HEADERS + 22, if wide { 0x22 } else { 0x102 });
        let optional = NT_HEADERS + 24;
        self.put_optional_header(&mut b[optional..optional + usize::from(optional_size)], wide);
        for (i, section) in sections.iter().enumerate() {
            let at = optional + usize::from(optional_size) + 40 * i;
            put(&mut b, at, section.name.as_bytes());
            put_u32(&mut b, at + 8, section.size);
            put_u32(&mut b, at + 12, section.rva);
            put_u32(&mut b, at + 16, section.size);
            put_u32(&mut b, at + 20, section.rva);
            put_u32(&mut b, at + 36, section.characteristics);
        }
        b
    }

    /// PE32+ (0x20b) or PE32 (0x10b).
    fn put_optional_header(&self, b: &mut [u8], wide: bool) {
        put_u16(b, 0, if wide { 0x20b } else { 0x10b });
        put_u32(b, 16, 0x1_0000);
        put_u32(b, 20, 0x1000);
        if wide {
            put_u64(b, 24, self.truth.kernel_base.0);
        } else {
            put_u32(b, 28, low32(self.narrow(self.truth.kernel_base)));
        }
        put_u32(b, 32, 0x1000);
        put_u32(b, 36, 0x200);
        put_u32(b, 56, self.kernel.image_size());
        put_u32(b, 60, 0x400);
        put_u16(b, 68, 1);
        let directories = if wide { 112 } else { 96 };
        put_u32(b, directories - 4, 16);
        put_u32(b, directories + 6 * 8, low32(DEBUG_DIRECTORY));
        put_u32(b, directories + 6 * 8 + 4, 28);
    }

    /// A date of the kernel's time, in seconds since 1970; only its being there matters.
    fn timestamp(&self) -> u32 {
        0x4900_0000 + self.truth.build * 0x4000
    }

    fn write_debug_record(&mut self) {
        let base = self.truth.kernel_base;
        let mut record = b"RSDS".to_vec();
        record.extend(self.truth.guid);
        record.extend(self.truth.age.to_le_bytes());
        record.extend(self.truth.pdb_name.as_bytes());
        record.push(0);
        let mut directory = [0u8; 28];
        put_u32(&mut directory, 4, self.timestamp());
        put_u32(&mut directory, 12, IMAGE_DEBUG_TYPE_CODEVIEW);
        put_u32(&mut directory, 16, low32(count(record.len())));
        put_u32(&mut directory, 20, low32(RSDS));
        put_u32(&mut directory, 24, low32(RSDS));
        self.memory.write(base + DEBUG_DIRECTORY, &directory);
        self.memory.write(base + RSDS, &record);
    }

    fn compile_modules(&mut self) {
        let modules = self.truth.modules.clone();
        let entries: Vec<Va> = modules.iter().map(|module| self.write_module(module)).collect();
        let head = self.global("PsLoadedModuleList");
        self.link(head, &entries);
    }

    fn write_module(&mut self, module: &Module) -> Va {
        // Before Windows 8 the tables have the entry under its user-mode name; its head is the same.
        let of = ["_KLDR_DATA_TABLE_ENTRY", "_LDR_DATA_TABLE_ENTRY"];
        let of = of
            .into_iter()
            .find(|name| self.kernel.has_type(name))
            .expect("one of them");
        let entry = self.allocate(Pool::NonPaged, self.kernel.size(of), *b"MmLd");
        self.point(entry, of, "DllBase", module.base);
        self.set(entry, of, "SizeOfImage", u64::from(module.size));
        for (member, text) in [("FullDllName", &module.path), ("BaseDllName", &module.name)] {
            let string = self.field(entry, of, member);
            self.set_string(string, &Name::from(text.as_str()), Pool::NonPaged);
        }
        self.field(entry, of, "InLoadOrderLinks")
    }
}

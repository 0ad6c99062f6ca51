//! Objects: their headers with the optional parts before them, and the object types.

use super::{Name, Object, ObjectType, Pool, World};
use crate::address::Va;
use crate::bytes::{count, uint};

/// Bits of `InfoMask`; the parts stand before the header in this order, the first nearest.
const CREATOR: u64 = 1;
const NAME: u64 = 2;
const HANDLE: u64 = 4;
const QUOTA: u64 = 8;
const PARTS: [(u64, &str); 4] = [
    (CREATOR, "_OBJECT_HEADER_CREATOR_INFO"),
    (NAME, "_OBJECT_HEADER_NAME_INFO"),
    (HANDLE, "_OBJECT_HEADER_HANDLE_INFO"),
    (QUOTA, "_OBJECT_HEADER_QUOTA_INFO"),
];

/// OB_FLAG_CREATOR_INFO: before Windows 7 a flag, not an offset, tells of the creator part.
const VISTA_FLAG_CREATOR: u64 = 4;
/// OB_FLAG_KERNEL_OBJECT.
const FLAG_KERNEL: u64 = 2;

/// Types in the order of their index, from 2 on, and their pool tags.
const TYPES: [(&str, [u8; 4]); 18] = [
    ("Type", *b"ObjT"),
    ("Directory", *b"Dire"),
    ("SymbolicLink", *b"Symb"),
    ("Token", *b"Toke"),
    ("Job", *b"Job "),
    ("Process", *b"Proc"),
    ("Thread", *b"Thre"),
    ("Event", *b"Even"),
    ("Mutant", *b"Muta"),
    ("Semaphore", *b"Sema"),
    ("Timer", *b"Time"),
    ("WindowStation", *b"Wind"),
    ("Desktop", *b"Desk"),
    ("Section", *b"Sect"),
    ("IoCompletion", *b"IoCo"),
    ("File", *b"File"),
    ("ALPC Port", *b"ALPC"),
    ("Key", *b"Key "),
];

/// Globals that hold a pointer to a type.
const TYPE_GLOBALS: [(&str, &str); 10] = [
    ("ObpTypeObjectType", "Type"),
    ("ObpDirectoryObjectType", "Directory"),
    ("SeTokenObjectType", "Token"),
    ("PsProcessType", "Process"),
    ("PsThreadType", "Thread"),
    ("ExEventObjectType", "Event"),
    ("MmSectionObjectType", "Section"),
    ("IoFileObjectType", "File"),
    ("AlpcPortObjectType", "ALPC Port"),
    ("LpcPortObjectType", "ALPC Port"),
];

/// An object to be made.
#[derive(Clone, Debug)]
pub struct ObjectSpec {
    /// Name of its type.
    pub type_name: &'static str,
    /// Bytes of its body.
    pub size: u64,
    /// Where the body is to be; NULL for anywhere.
    pub address: Va,
    /// Its directory and name.
    pub name: Option<(Va, Name)>,
    /// Whether a quota part stands before the header.
    pub quota: bool,
    /// Whether a creator part stands before the header.
    pub creator: bool,
    /// Whether a handle part stands before the header.
    pub handle_info: bool,
}

impl ObjectSpec {
    /// A nameless object of a type, with a body of `size` bytes.
    #[must_use]
    pub fn of(type_name: &'static str, size: u64) -> Self {
        ObjectSpec {
            type_name,
            size,
            address: Va::NULL,
            name: None,
            quota: false,
            creator: false,
            handle_info: false,
        }
    }

    /// The parts before the header, as `InfoMask` names them.
    fn info_mask(&self) -> u64 {
        let parts = [
            (CREATOR, self.creator),
            (NAME, self.name.is_some()),
            (HANDLE, self.handle_info),
            (QUOTA, self.quota),
        ];
        parts.into_iter().filter(|part| part.1).map(|part| part.0).sum()
    }
}

impl World {
    /// Makes an object: room, header and the parts before it. Returns its body.
    pub fn object(&mut self, spec: ObjectSpec) -> Va {
        let mask = spec.info_mask();
        let before = self.kernel.offset("_OBJECT_HEADER", "Body") + self.parts_size(mask);
        let tag = TYPES
            .iter()
            .find(|(name, _)| *name == spec.type_name)
            .map_or(*b"ObXX", |(_, tag)| *tag);
        let body = if spec.address.is_null() {
            self.allocate(Pool::NonPaged, before + spec.size, tag) + before
        } else {
            self.allocate_at(Pool::NonPaged, spec.address - before, before + spec.size, tag);
            spec.address
        };
        let header = body - self.kernel.offset("_OBJECT_HEADER", "Body");
        self.write_parts(header, mask, &spec);
        if let Some((directory, _)) = &spec.name {
            self.enter(*directory, body);
        }
        let object = Object {
            header,
            type_name: spec.type_name,
            name: spec.name,
            pointer_count: 1,
            handle_count: 0,
        };
        self.truth.objects.insert(body, object);
        body
    }

    /// Address of the `_UNICODE_STRING` with the name that an object was given, in kernels whose headers have an
    /// `InfoMask`.
    #[must_use]
    pub fn name_string(&self, body: Va) -> Va {
        let header = body - self.kernel.offset("_OBJECT_HEADER", "Body");
        let mask = self
            .memory
            .read_uint(self.field(header, "_OBJECT_HEADER", "InfoMask"), 1);
        let info = self.part(header, mask, NAME);
        self.field(info, "_OBJECT_HEADER_NAME_INFO", "Name")
    }

    fn parts_size(&self, mask: u64) -> u64 {
        PARTS
            .iter()
            .filter(|(bit, _)| mask & bit != 0)
            .map(|(_, part)| self.kernel.size(part))
            .sum()
    }

    /// Address of one part before `header`: all nearer ones stand between.
    fn part(&self, header: Va, mask: u64, bit: u64) -> Va {
        header - self.parts_size(mask & (2 * bit - 1))
    }

    fn write_parts(&mut self, header: Va, mask: u64, spec: &ObjectSpec) {
        if let Some((directory, name)) = &spec.name {
            let info = self.part(header, mask, NAME);
            self.point(info, "_OBJECT_HEADER_NAME_INFO", "Directory", *directory);
            let string = self.field(info, "_OBJECT_HEADER_NAME_INFO", "Name");
            self.set_string(string, name, Pool::Paged);
        }
        if spec.creator {
            let info = self.part(header, mask, CREATOR);
            let list = self.field(info, "_OBJECT_HEADER_CREATOR_INFO", "TypeList");
            self.link(list, &[]);
            self.set(info, "_OBJECT_HEADER_CREATOR_INFO", "CreatorUniqueProcess", 4);
        }
        if spec.quota {
            let info = self.part(header, mask, QUOTA);
            self.set(info, "_OBJECT_HEADER_QUOTA_INFO", "NonPagedPoolCharge", spec.size);
        }
        if self.has("_OBJECT_HEADER", "InfoMask") {
            self.set(header, "_OBJECT_HEADER", "InfoMask", mask);
        } else {
            self.write_offsets(header, mask);
        }
    }

    /// Before Windows 7: a distance in bytes for each part, and a flag for the creator.
    fn write_offsets(&mut self, header: Va, mask: u64) {
        let members = [
            (NAME, "NameInfoOffset"),
            (HANDLE, "HandleInfoOffset"),
            (QUOTA, "QuotaInfoOffset"),
        ];
        for (bit, member) in members {
            if mask & bit != 0 {
                self.set(
                    header,
                    "_OBJECT_HEADER",
                    member,
                    header - self.part(header, mask, bit),
                );
            }
        }
        let creator = if mask & CREATOR != 0 {
            VISTA_FLAG_CREATOR
        } else {
            0
        };
        self.set(header, "_OBJECT_HEADER", "Flags", FLAG_KERNEL | creator);
    }

    /// Makes the object types, named in `directory`.
    pub(super) fn make_object_types(&mut self, directory: Va) {
        let size = self.kernel.size("_OBJECT_TYPE");
        for (i, (name, _)) in TYPES.into_iter().enumerate() {
            let spec = ObjectSpec {
                name: Some((directory, name.into())),
                ..ObjectSpec::of("Type", size)
            };
            let address = self.object(ObjectSpec {
                creator: true,
                ..spec
            });
            let index = u8::try_from(i + 2).expect("few types");
            self.types.insert(name, address);
            self.truth.object_types.push(ObjectType { address, name, index });
        }
    }

    pub(super) fn compile_objects(&mut self) {
        self.count_handles();
        for (_, object) in self.truth.objects.clone() {
            self.set(
                object.header,
                "_OBJECT_HEADER",
                "PointerCount",
                object.pointer_count,
            );
            self.set(
                object.header,
                "_OBJECT_HEADER",
                "HandleCount",
                object.handle_count,
            );
            self.write_type(&object);
        }
        self.compile_types();
    }

    fn count_handles(&mut self) {
        let handles = self
            .truth
            .processes
            .iter()
            .flat_map(|process| &process.handles)
            .map(|handle| handle.object);
        for object in handles.collect::<Vec<_>>() {
            let object = self
                .truth
                .objects
                .get_mut(&object)
                .unwrap_or_else(|| panic!("a handle of {object}"));
            object.handle_count += 1;
            object.pointer_count += 1;
        }
    }

    fn write_type(&mut self, object: &Object) {
        let of = self
            .truth
            .object_types
            .iter()
            .find(|of| of.name == object.type_name);
        let of = of
            .unwrap_or_else(|| panic!("no type {}", object.type_name))
            .clone();
        if self.has("_OBJECT_HEADER", "TypeIndex") {
            let mut index = of.index;
            if let Some(cookie) = self.truth.cookie {
                index ^= cookie ^ object.header.0.to_le_bytes()[1];
            }
            self.set(object.header, "_OBJECT_HEADER", "TypeIndex", u64::from(index));
        } else {
            self.point(object.header, "_OBJECT_HEADER", "Type", of.address);
        }
    }

    fn compile_types(&mut self) {
        for of in self.truth.object_types.clone() {
            let string = self.field(of.address, "_OBJECT_TYPE", "Name");
            self.set_string(string, &of.name.into(), Pool::Paged);
            let list = self.field(of.address, "_OBJECT_TYPE", "TypeList");
            self.link(list, &[]);
            self.set(of.address, "_OBJECT_TYPE", "Index", u64::from(of.index));
            let tag = TYPES
                .iter()
                .find(|(name, _)| *name == of.name)
                .map_or([0; 4], |(_, tag)| *tag);
            self.set(of.address, "_OBJECT_TYPE", "Key", uint(&tag));
            let objects = self
                .truth
                .objects
                .values()
                .filter(|object| object.type_name == of.name);
            let (number, handles) = objects.fold((0, 0), |(n, h), object| (n + 1, h + object.handle_count));
            self.set(of.address, "_OBJECT_TYPE", "TotalNumberOfObjects", number);
            self.set(of.address, "_OBJECT_TYPE", "TotalNumberOfHandles", handles);
        }
        self.write_type_table();
        self.write_type_globals();
        self.write_mask_table();
    }

    fn write_type_table(&mut self) {
        for (name, first) in [("ObTypeIndexTable", 0), ("ObpObjectTypes", 2)] {
            let Some(table) = self.try_global(name) else {
                continue;
            };
            if first == 0 {
                // Index 1 is of no type: a pointer that nobody may follow.
                self.memory
                    .write_uint(table + self.pointer_size(), 4, 0xbad0_b0b0);
            }
            for of in self.truth.object_types.clone() {
                let slot = u64::from(of.index) - first;
                self.write_pointer(table + slot * self.pointer_size(), of.address);
            }
        }
    }

    fn write_type_globals(&mut self) {
        for (global, name) in TYPE_GLOBALS {
            if let Some(at) = self.try_global(global) {
                self.write_pointer(at, self.types[name]);
            }
        }
        if let (Some(at), Some(cookie)) = (self.try_global("ObHeaderCookie"), self.truth.cookie) {
            self.memory.write(at, &[cookie]);
        }
    }

    /// `ObpInfoMaskToOffset`: for each mask, the distance of its farthest part.
    fn write_mask_table(&mut self) {
        let Some(at) = self.try_global("ObpInfoMaskToOffset") else {
            return;
        };
        let table: Vec<u8> = (0..0x40u64)
            .map(|mask| u8::try_from(self.parts_size(mask)).expect("small parts"))
            .collect();
        debug_assert_eq!(count(table.len()), 0x40);
        self.memory.write(at, &table);
    }
}

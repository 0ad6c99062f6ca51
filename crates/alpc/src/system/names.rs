//! Names of functions: by the kernel's own symbols, and by those of other modules.

use std::collections::HashMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kdump::Rsds;
use ntkernel::image::names::Names;
use ntlayout::{Guid, Identity, SymbolTable, Table};

use crate::system::System;

/// GUID and age.
type Key = ([u8; 16], u32);

/// The bytes of a file.
type File = Arc<[u8]>;

/// Files of images that are larger are not read: those of kernels have 12 MiB.
const LARGEST: u64 = 128 << 20;
/// Within these bytes is the header of every image.
const HEADER: u64 = 0x1000;

/// What was looked for of modules; nothing of those that were looked for in vain.
#[derive(Default)]
pub struct Modules {
    symbols: Mutex<HashMap<Key, Option<Arc<Table>>>>,
    /// Files of images by time stamp and size.
    images: Mutex<HashMap<(u32, u32), Option<File>>>,
}

impl System {
    /// The table of exactly the kernel in the dump, if that is in use: another build's would name other functions.
    fn own_table(&self) -> Option<&dyn SymbolTable> {
        // Variables and functions move with every monthly update, and a name beside the right one is worse than
        // none.
        let wanted = &self.asked()?.identity;
        let table = self.table().ok()?;
        table.belongs_to(wanted.guid, wanted.age).then_some(table)
    }

    /// The symbols of another module, looked for once in all places that symbols may come from.
    fn of_module(&self, rsds: &Rsds) -> Option<Arc<Table>> {
        let key = (rsds.guid, rsds.age);
        let known = locked(&self.modules.symbols).get(&key).cloned();
        if let Some(known) = known {
            return known;
        }
        let wanted = Identity {
            pdb_name: rsds.pdb_name.clone(),
            guid: Guid(rsds.guid),
            age: rsds.age,
        };
        let found = ntlayout::find(&wanted, &self.places).ok();
        let table = found
            .map(|found| found.table)
            .filter(|table| table.belongs_to(wanted.guid, wanted.age))
            .map(Arc::new);
        let mut modules = locked(&self.modules.symbols);
        modules.insert(key, table.clone());
        table
    }
}

/// Nothing that holds one of these locks can leave it half written.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The file at a path, if it is the image of that time stamp and size.
fn image(path: &Path, timestamp: u32, size: u32) -> Option<File> {
    let file = fs::File::open(path).ok()?;
    let mut file = file.take(LARGEST);
    // Another image need not be read to its end.
    let mut bytes = Vec::new();
    file.by_ref().take(HEADER).read_to_end(&mut bytes).ok()?;
    let word = |at: usize| {
        let end = at.checked_add(4)?;
        Some(u32::from_le_bytes(bytes.get(at..end)?.try_into().ok()?))
    };
    // "PE\0\0" stands where the word at 3c says.
    let header = usize::try_from(word(0x3c)?).ok()?;
    // TimeDateStamp of the file header, SizeOfImage of the optional one.
    let is_it = word(header.checked_add(8)?)? == timestamp && word(header.checked_add(80)?)? == size;
    if !is_it {
        return None;
    }
    file.read_to_end(&mut bytes).ok()?;
    Some(bytes.into())
}

impl Names for System {
    fn nearest(&self, rva: u32) -> Option<(String, u32)> {
        self.own_table()?.nearest(rva).ok()?
    }

    fn nearest_in(&self, module: &Rsds, rva: u32) -> Option<(String, u32)> {
        self.of_module(module)?.nearest(rva).ok()?
    }

    fn image_file(&self, name: &str, timestamp: u32, size: u32) -> Option<File> {
        let key = (timestamp, size);
        let known = locked(&self.modules.images).get(&key).cloned();
        if let Some(known) = known {
            return known;
        }
        // Stores keep images under time stamp and size, as they keep PDBs under GUID and age (Microsoft on
        // SymStore).
        let files = ntlayout::find_images(name, timestamp, size, &self.places);
        let found = files.iter().find_map(|path| image(path, timestamp, size));
        locked(&self.modules.images).insert(key, found.clone());
        found
    }
}

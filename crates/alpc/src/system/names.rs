//! Names of functions: by the kernel's own symbols, and by those of other modules.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use kdump::Rsds;
use ntkernel::image::names::Names;
use ntlayout::{Guid, Identity, SymbolTable, Table};

use crate::system::System;

/// GUID and age.
type Key = ([u8; 16], u32);

/// The symbols of modules; none of those that were looked for in vain.
#[derive(Default)]
pub struct Modules(Mutex<HashMap<Key, Option<Arc<Table>>>>);

impl System {
    /// The table of exactly the kernel in the dump, if that is in use: another build's would name other functions.
    fn own_table(&self) -> Option<&dyn SymbolTable> {
        let wanted = Self::wanted(self.image().ok()?)?;
        let table = self.table().ok()?;
        table.belongs_to(wanted.guid, wanted.age).then_some(table)
    }

    /// The symbols of another module, looked for once in all places that symbols may come from.
    fn of_module(&self, rsds: &Rsds) -> Option<Arc<Table>> {
        let key = (rsds.guid, rsds.age);
        // Nothing that holds the lock can leave it half written.
        let known = self
            .modules
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
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
        let mut modules = self.modules.0.lock().unwrap_or_else(PoisonError::into_inner);
        modules.insert(key, table.clone());
        table
    }
}

impl Names for System {
    fn nearest(&self, rva: u32) -> Option<(String, u32)> {
        self.own_table()?.nearest(rva).ok()?
    }

    fn nearest_in(&self, module: &Rsds, rva: u32) -> Option<(String, u32)> {
        self.of_module(module)?.nearest(rva).ok()?
    }
}

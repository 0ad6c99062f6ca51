//! Loaded kernel modules, and code addresses told by them.

use kdump::{Dump, Gva};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::image::contract::{Global, Module};
use crate::image::kernel::{At, Kernel, Read};
use crate::image::list::{self, List};
use crate::image::redact::Redaction;
use crate::image::value::{Addr, Unreadable, Value};
use crate::object::process_ref;
use crate::why;

/// A loaded kernel module.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ModuleRecord {
    /// Its `_KLDR_DATA_TABLE_ENTRY`; missing where a triage dump lists the module without it.
    pub entry: Value<Addr>,
    /// Where its image begins.
    pub base: Value<Addr>,
    /// Where it ends: the first address behind it.
    pub end: Value<Addr>,
    /// Name of its file.
    pub name: Value<String>,
    /// Full path of its file.
    pub path: Value<String>,
}

/// The loaded kernel modules.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Modules {
    /// In load order: the kernel itself comes first.
    pub modules: Vec<ModuleRecord>,
    /// Set when some may be missing.
    pub complete: Value<()>,
}

/// Reads the modules of `PsLoadedModuleList`.
///
/// Its entries are `_KLDR_DATA_TABLE_ENTRY`, a type that most public symbols lack; it begins as the
/// `_LDR_DATA_TABLE_ENTRY` that all of them have.
///
/// # Errors
/// When neither the symbols nor the dump's header say where the list is.
pub fn modules(kernel: &Kernel<'_>) -> Read<Modules> {
    let list = list(kernel)?;
    Ok(Modules {
        modules: list
            .entries
            .iter()
            .map(|&entry| module(kernel.at(entry)))
            .collect(),
        complete: list.complete("the list of loaded modules").into(),
    })
}

/// The entries of `PsLoadedModuleList`.
pub fn list(kernel: &Kernel<'_>) -> Read<List> {
    let head = kernel.global(Global::PsLoadedModuleList)?;
    // Drivers of the window manager (win32k.sys, win32kbase.sys, win32kfull.sys, cdd.dll) are in this list, but
    // their images lie in memory that each session has of its own: seen from System's page tables they are not
    // there.
    let links = kernel.offset(Module::InLoadOrderLinks)?;
    Ok(list::walk(kernel, head).containers(links))
}

/// The modules that a triage dump lists, which needs no symbols; `None` for a dump of another kind.
#[must_use]
pub fn of_triage(dump: &Dump) -> Option<Modules> {
    let triage = dump.triage()?;
    let width = dump.kernel_space().pointer_width();
    let missing = || Unreadable::NoMember {
        ty: "DUMP_DRIVER_ENTRY64",
        member: "(address)",
    };
    let known = triage.modules().iter().map(|module| {
        let end = module.base.u64().saturating_add(module.size.into());
        let cut = || Unreadable::FileCut(why!("the file ends before the module's name"));
        let path = module.name.clone().ok_or_else(cut);
        ModuleRecord {
            entry: Err(missing()).into(),
            base: Ok(Addr::new(module.base, width)).into(),
            end: Ok(Addr::new(Gva::new(end), width)).into(),
            name: path
                .clone()
                .map(|path| process_ref::file_name(&path).to_owned())
                .into(),
            path: path.into(),
        }
    });
    let modules: Vec<_> = known.collect();
    let complete = if modules.len() as u64 == triage.claimed_modules() {
        Ok(())
    } else {
        let claimed = triage.claimed_modules();
        Err(Unreadable::FileCut(why!(
            "the file ends after {} of {} modules",
            modules.len(),
            claimed
        )))
    };
    Some(Modules {
        modules,
        complete: complete.into(),
    })
}

fn module(entry: At<'_, '_>) -> ModuleRecord {
    let kernel = entry.kernel();
    let base = entry.pointer(Module::DllBase);
    let end = base.clone().and_then(|base| {
        let size = u64::from(entry.u32(Module::SizeOfImage)?);
        Ok(kernel.addr(Gva::new(base.u64().saturating_add(size))))
    });
    let text = |member| entry.address_of(member).and_then(|at| kernel.text(at));
    let path = text(Module::FullDllName);
    let redaction = kernel.redaction();
    // The short name can be in another page than the long one; either tells it.
    let name = text(Module::BaseDllName)
        .ok()
        .filter(|name| !name.is_empty())
        .map_or_else(
            || path.clone().map(|path| process_ref::file_name(&path).to_owned()),
            Ok,
        );
    let name = name.map(|name| match redaction {
        Some(redaction) => redaction.image(name),
        None => name,
    });
    let path = path.map(|path| match redaction {
        Some(redaction) => redaction.image_path(&path),
        None => path,
    });
    ModuleRecord {
        entry: Ok(kernel.addr(entry.address())).into(),
        base: base.map(|base| kernel.addr(base)).into(),
        end: end.into(),
        name: name.into(),
        path: path.into(),
    }
}

/// A code address, told by the module that it is in.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct CodeAddress {
    /// The address.
    pub address: Addr,
    /// File name of the module, without its extension; none when the address is in no module.
    pub module: Option<String>,
    /// Bytes from the module's base.
    pub offset: Option<u64>,
}

impl std::fmt::Display for CodeAddress {
    /// `nt+0x1234`, or the bare address where no module is. The name is as the dump has it: escape it before
    /// it reaches a terminal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.module, self.offset) {
            (Some(module), Some(offset)) => write!(f, "{module}+0x{offset:x}"),
            _ => write!(f, "{}", self.address),
        }
    }
}

impl Modules {
    /// The same with names and paths replaced: for those that were not read through a kernel.
    #[must_use]
    pub fn redacted(mut self, redaction: &Redaction) -> Self {
        for module in &mut self.modules {
            module.name = module.name.clone().map(|name| redaction.image(name));
            module.path = module.path.clone().map(|path| redaction.image_path(&path));
        }
        self
    }

    /// Tells a code address by its module.
    #[must_use]
    pub fn locate(&self, address: Addr) -> CodeAddress {
        let holds = |module: &&ModuleRecord| {
            let (base, end) = (module.base.known(), module.end.known());
            base.is_some_and(|base| base.u64() <= address.u64())
                && end.is_some_and(|end| address.u64() < end.u64())
        };
        let module = self.modules.iter().find(holds);
        let offset = module
            .and_then(|module| module.base.known())
            .map(|base| address.u64().saturating_sub(base.u64()));
        CodeAddress {
            address,
            module: module.and_then(|module| short_name(module.name.known()?)),
            offset,
        }
    }
}

/// The debugger calls the kernel `nt`, whatever its file is called, and the others by their files' names.
fn short_name(file: &str) -> Option<String> {
    const KERNELS: [&str; 5] = ["ntoskrnl", "ntkrnlmp", "ntkrnlpa", "ntkrpamp", "ntkrla57"];
    // The debugger also writes `_` for what cannot stand in a name of a symbol (7z-drv.sys is 7z_drv there);
    // here the name of the file stays as it is.
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let is_kernel = KERNELS.iter().any(|kernel| stem.eq_ignore_ascii_case(kernel));
    Some(if is_kernel { "nt" } else { stem }.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(base: u64, end: u64, name: &str) -> ModuleRecord {
        let addr = |value| Addr::new(Gva::new(value), 8);
        ModuleRecord {
            entry: Value::Known(addr(0)),
            base: Value::Known(addr(base)),
            end: Value::Known(addr(end)),
            name: Value::Known(name.to_owned()),
            path: Value::Known(String::new()),
        }
    }

    #[test]
    fn addresses_are_told_by_their_modules() {
        let modules = Modules {
            modules: vec![
                module(0xffff_f800_0263_e000, 0xffff_f800_02be_7000, "ntoskrnl.exe"),
                module(0xffff_f880_0200_0000, 0xffff_f880_0201_c000, "msrpc.sys"),
            ],
            complete: Value::Known(()),
        };
        let told = |address| modules.locate(Addr::new(Gva::new(address), 8)).to_string();
        assert_eq!(told(0xffff_f800_0263_f234), "nt+0x1234");
        assert_eq!(told(0xffff_f880_0201_bfff), "msrpc+0x1bfff");
        assert_eq!(told(0xffff_f880_0201_c000), "fffff8800201c000");
    }
}

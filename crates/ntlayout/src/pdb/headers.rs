//! What a PDB says of itself, by `pdb2`: GUID, ages, machine, sections.
//!
//! `pdb2` reads whole streams and trusts the container, so both streams are checked before it is asked.

use std::sync::{Mutex, PoisonError};

use pdb::{HeaderVersion, MachineType, PDB};

use crate::error::SymbolError;
use crate::identity::Guid;
use crate::pdb::dbi::{DBI, DBI_STREAM};
use crate::pdb::msf::Msf;
use crate::pdb::source::View;

const INFO_STREAM: u32 = 1;
const INFO: &str = "info stream";
const SECTIONS: &str = "section headers";
/// The info stream's version from which on it holds a GUID: Visual C++ 7.
const VC70: u32 = 20_000_404;

/// A PDB as `pdb2` has it open.
#[derive(Debug)]
pub(super) struct Headers {
    pdb: Mutex<PDB<'static, View>>,
    pub(super) guid: Guid,
    pub(super) info_age: u32,
    /// The DBI stream's age, if it has one.
    pub(super) age: Option<u32>,
    pub(super) pointer_size: Option<u8>,
}

impl Headers {
    pub(super) fn read(msf: &Msf) -> Result<Self, SymbolError> {
        let info = msf.stream(INFO_STREAM).ok_or_else(|| msf.lacks(INFO))?;
        info.check(INFO)?;
        let mut pdb = PDB::open(msf.view()).map_err(|error| refused(msf, "superblock", error))?;
        let info = pdb.pdb_information().map_err(|error| refused(msf, INFO, error))?;
        if !holds_guid(info.version) {
            return Err(msf.corrupt(INFO, format!("version {:?} holds no GUID", info.version)));
        }
        let (age, pointer_size) = linked(msf, &mut pdb)?;
        Ok(Self {
            guid: Guid(info.guid.to_bytes_le()),
            info_age: info.age,
            age,
            pointer_size,
            pdb: Mutex::new(pdb),
        })
    }

    /// Sections and OMAP; see [`AddressMap::read`](super::sections::AddressMap::read) for what must be checked before.
    pub(super) fn address_map(&self, msf: &Msf) -> Result<pdb::AddressMap<'static>, SymbolError> {
        let mut pdb = self.pdb.lock().unwrap_or_else(PoisonError::into_inner);
        pdb.address_map().map_err(|error| refused(msf, SECTIONS, error))
    }
}

/// Age and pointer size, of a PDB that has a DBI stream: one that only holds types has none.
fn linked(msf: &Msf, pdb: &mut PDB<'static, View>) -> Result<(Option<u32>, Option<u8>), SymbolError> {
    let Some(stream) = msf.stream(DBI_STREAM).filter(|stream| stream.len() > 0) else {
        return Ok((None, None));
    };
    stream.check(DBI)?;
    let information = pdb.debug_information();
    let information = information.map_err(|error| refused(msf, DBI, error))?;
    let machine = information.machine_type().ok();
    Ok((information.age(), machine.and_then(pointer_size)))
}

fn holds_guid(version: HeaderVersion) -> bool {
    match version {
        HeaderVersion::V110 => true,
        HeaderVersion::OtherValue(version) => version >= VC70,
        _ => false,
    }
}

fn pointer_size(machine: MachineType) -> Option<u8> {
    match machine {
        MachineType::X86 | MachineType::Arm | MachineType::ArmNT => Some(4),
        MachineType::Amd64 | MachineType::Arm64 | MachineType::Ia64 => Some(8),
        _ => None,
    }
}

fn refused(msf: &Msf, part: &'static str, error: pdb::Error) -> SymbolError {
    match error {
        pdb::Error::IoError(source) => SymbolError::Io {
            path: msf.path().to_owned(),
            source,
        },
        error => msf.corrupt(part, error.to_string()),
    }
}

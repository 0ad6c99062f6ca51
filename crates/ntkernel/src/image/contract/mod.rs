//! The kernel structures, members and globals that the walks need: the one place where they are declared.
//!
//! A symbol table resolves this contract once per kernel (see [`ntlayout`]); after that every read is an
//! index into the resolved offsets. There is no version check anywhere: a member is there or it is not.
//!
//! Source of the spellings: the layouts of 305 kernels from Vista SP1 to Windows 11 25H2. Spellings of one
//! member are listed in order of preference; `R` marks what every kernel with ALPC types has, `O` what only
//! some have.

pub mod fragment;
mod io;
mod locks;
mod objects;
mod ports;
mod processes;
mod security;

use std::fmt;

use ntlayout::{Contract, FieldSpec, GlobalSpec, Layout, Missing, Need};

pub use self::fragment::{Member, Place, START, Type, join};
pub use self::io::{DeviceObject, DriverObject, FileObject, IoStackLocation, Irp};
pub use self::locks::{ExecutiveResource, FastMutex, LockEntry, OwnerEntry, WaitChainEntry};
pub use self::objects::{
    ClientId, Directory, DirectoryEntry, DispatcherHeader, HandleTable, HandleTableEntry, ListEntry, Mutant,
    ObjectCreatorInfo, ObjectHeader, ObjectNameInfo, ObjectNameInformation, ObjectType, PoolHeader, Queue,
    Semaphore, UnicodeString, WaitBlock,
};
pub use self::ports::{Blob, CommunicationInfo, Message, Port, PortMessage};
pub use self::processes::{
    Module, Peb, Process, ProcessControl, ProcessParameters, Processor, PspSessionSpace, SessionSpace, Teb,
    Thread, ThreadControl,
};
pub use self::security::{LogonSession, QualityOfService, Token};

/// A member by the names that the kernel's symbols have: `_KTHREAD.WaitReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberName {
    /// The structure.
    pub ty: &'static str,
    /// The member, by its preferred spelling.
    pub name: &'static str,
}

impl MemberName {
    /// The names of a member.
    #[must_use]
    pub fn of<M: Member>(member: M) -> Self {
        Self {
            ty: M::TYPE.name,
            name: member.spec().name,
        }
    }
}

impl fmt::Display for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.ty, self.name)
    }
}

macro_rules! globals {
    ($($(#[$doc:meta])* $global:ident: $need:ident,)*) => {
        /// The global variables of the contract, by their own names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "a variant's name is its documentation: it is the kernel's own")]
        pub enum Global { $($(#[$doc])* $global,)* }

        impl Global {
            /// Name of the variable in the kernel's symbols.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$global => stringify!($global),)* }
            }
        }

        /// The variables of the contract, in the order of [`Global`].
        pub static GLOBALS: &[GlobalSpec] = &[$(
            GlobalSpec { name: stringify!($global), need: crate::need!($need) },
        )*];
    };
}

/// What this crate itself reads. Who walks more joins fragments of its own behind [`END`].
pub static CONTRACT: Contract = Contract {
    fields: CONTRACT_FIELDS,
    types: CONTRACT_TYPES,
    globals: GLOBALS,
};

/// Where a fragment of another crate begins.
pub const END: Place = security::END;

/// The fields of this crate's fragments.
pub const CONTRACT_FIELDS: &[FieldSpec] = {
    static ALL: [FieldSpec; END.fields] = join(&[
        ports::FIELDS,
        objects::FIELDS,
        processes::FIELDS,
        io::FIELDS,
        locks::FIELDS,
        security::FIELDS,
    ]);
    &ALL
};

/// The types of this crate's fragments.
pub const CONTRACT_TYPES: &[&str] = &{
    const ALL: [&str; END.types] = join(&[
        ports::TYPES,
        objects::TYPES,
        processes::TYPES,
        io::TYPES,
        locks::TYPES,
        security::TYPES,
    ]);
    ALL
};

/// Types that only some kernels have: that symbols lack one of them says nothing of the symbols.
pub const OF_SOME_KERNELS: [&str; 6] = [
    "_BLOB_COUNTERS",
    "_KLOCK_ENTRY",
    "_KWAIT_CHAIN_ENTRY",
    "_MM_SESSION_SPACE",
    "_OB_DUPLICATE_OBJECT_STATE",
    "_PSP_SESSION_SPACE",
];

/// Types that every kernel has, and that the layouts which come with the program do not tell.
pub const OF_SYMBOLS_ALONE: [&str; 9] = [
    "_DEVICE_OBJECT",
    "_DRIVER_OBJECT",
    "_ERESOURCE",
    "_FAST_MUTEX",
    "_IO_STACK_LOCATION",
    "_IRP",
    "_OWNER_ENTRY",
    "_RTL_USER_PROCESS_PARAMETERS",
    "_SEP_LOGON_SESSION_REFERENCES",
];

/// The types that a kernel with ALPC surely has and a symbol table of it does not tell of: what Microsoft's server gives
/// for some kernels has no types, or not all. A table is only doubted when it lacks one that the published layouts of
/// all kernels have.
#[must_use]
pub fn stripped(contract: &Contract, layout: &Layout) -> Vec<&'static str> {
    let mut lacking = layout.lacking(contract);
    lacking.retain(|ty| !OF_SOME_KERNELS.contains(ty));
    let filled = layout.filled().iter().map(|filled| filled.ty);
    let lacked: Vec<&str> = filled.filter(|ty| !OF_SOME_KERNELS.contains(ty)).collect();
    if !are_lost(&lacking) && lacked.is_empty() {
        lacking.clear();
    }
    lacking
}

/// Whether any of some types is one that the layouts which come with the program tell.
#[must_use]
pub fn are_lost(types: &[&str]) -> bool {
    types.iter().any(|ty| !OF_SYMBOLS_ALONE.contains(ty))
}

/// Whether any of some types has a member that no view can do without.
#[must_use]
pub fn are_required(contract: &Contract, types: &[&str]) -> bool {
    let mut fields = contract.fields.iter();
    fields.any(|spec| spec.need == Need::Required && types.contains(&spec.ty))
}

/// Globals that nothing is lost without: what they lead to is found in other ways, or only the surer for them.
const NOT_MISSED: [&str; 20] = [
    "AlpcPortObjectType",
    "AlpcpDummyEvent",
    "ExpSystemResourcesList",
    "KdDebuggerDataBlock",
    "KeBootTime",
    "KeMaximumIncrement",
    "KiProcessorBlock",
    "LpcLegacyMaxMessageLength",
    "NtBuildLab",
    "NtBuildNumber",
    "ObHeaderCookie",
    "ObpDirectoryObjectType",
    "ObpInfoMaskToOffset",
    "ObpKernelHandleTable",
    "ObpTypeObjectType",
    "PsIdleProcess",
    "PsInitialSystemProcess",
    "PsProcessType",
    "PsThreadType",
    "PspCidTable",
];

/// Whether something is lost without what a symbol table lacks.
#[must_use]
pub fn is_missed(missing: &Missing) -> bool {
    !matches!(missing, Missing::Global { name } if NOT_MISSED.contains(name))
}

globals! {
    PsActiveProcessHead: R,
    // These names are the things themselves (a list's head, a table, a cookie) or pointers to them, and nothing
    // in a PDB says which. AlpcpPortList, ObTypeIndexTable, ObpInfoMaskToOffset and AlpcpRegisteredTypes are
    // the things; AlpcMessageTable, AlpcPortObjectType, PspCidTable, ObpRootDirectoryObject and
    // PsInitialSystemProcess hold pointers. Of the Alpc ones that is told by the distances between symbols, of
    // the others it is general knowledge.
    AlpcpPortList: O,
    AlpcPortObjectType: O,
    ObTypeIndexTable: O,
    // In all lists of symbols at hand from 14393 on; those of 10240 and 10586 are expected to have it.
    ObHeaderCookie: O,
    ObpInfoMaskToOffset: O,
    ObpRootDirectoryObject: O,
    ObpTypeObjectType: O,
    ObpDirectoryObjectType: O,
    PsProcessType: O,
    PsThreadType: O,
    AlpcMessageTable: O,
    // 8.1 and later.
    AlpcpSecondaryMessageTables: O,
    AlpcpRegisteredTypes: O,
    AlpcpDummyEvent: O,
    // Of the kernels whose globals are known in Windows 7 alone; the next one from 8.1 on.
    AlpcpNextMessageId: O,
    AlpcpNextCallbackId: O,
    AlpcpLogEnabled: O,
    AlpcpMessageLogEnabled: O,
    AlpcpRegionGranularity: O,
    AlpcpViewGranularity: O,
    LpcLegacyMaxMessageLength: O,
    PspCidTable: O,
    PsInitialSystemProcess: O,
    PsIdleProcess: O,
    ObpKernelHandleTable: O,
    PsLoadedModuleList: O,
    KdDebuggerDataBlock: O,
    NtBuildNumber: O,
    NtBuildLab: O,
    KeTimeIncrement: O,
    KeMaximumIncrement: O,
    KeBootTime: O,
    ExpSystemResourcesList: O,
    KiProcessorBlock: O,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_indexes_its_own_declaration() {
        fn holds<M: Member>(member: M, spelling: &str, ty: &str) {
            let joined = &CONTRACT.fields[member.index()];
            for spec in [member.spec(), joined] {
                assert_eq!((spec.spellings[0], spec.ty), (spelling, ty));
            }
            assert_eq!(CONTRACT.types[M::TYPE.index], ty);
            assert_eq!(M::TYPE.name, ty);
        }
        holds(ListEntry::Blink, "Blink", "_LIST_ENTRY");
        holds(Process::Pcb, "Pcb", "_EPROCESS");
        holds(Module::BaseDllName, "BaseDllName", "_LDR_DATA_TABLE_ENTRY");
        holds(FileObject::Event, "Event", "_FILE_OBJECT");
        holds(FastMutex::Owner, "Owner", "_FAST_MUTEX");
        holds(Port::PortListEntry, "PortListEntry", "_ALPC_PORT");
        holds(Message::PortMessage, "PortMessage", "_KALPC_MESSAGE");
        holds(Token::TokenSource, "TokenSource", "_TOKEN");
        assert_eq!(CONTRACT.fields.len(), LogonSession::AuthorityName.index() + 1);
    }
}

//! ALPC resources: the blobs that ports own and hand to each other.
//!
//! All of them stand behind a `_BLOB` header that tells their kind. The members are those of the kernel's
//! structures, by their own names; sections carry their regions and regions their views.

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::contract::{
    AlpcHandleEntry, AlpcHandleTable, DuplicateState, HandleData, Region, Reserve, Section, SecurityContext,
    SecurityData, View,
};
use crate::port::{self, PortRef};
use ntkernel::image::budget::{Owner, Part};
use ntkernel::image::contract::{Blob, CommunicationInfo, ListEntry, Member, Port};
use ntkernel::image::kernel::{At, Kernel, Read, offset};
use ntkernel::image::list::{self, List};
use ntkernel::image::reason::About;
use ntkernel::image::value::{Addr, Unreadable, Value};
use ntkernel::object::blob::{self, BlobKind, Freed, plausible_kind};
use ntkernel::object::identify::{self, Identity};
use ntkernel::object::process_ref::ProcessRef;
use ntkernel::why;

/// Resources that one view gathers at most. Each list is bounded as well, but in a hostile dump every region
/// of a section may lead to the same views.
const CAP: usize = 1 << 16;

/// Entries of a handle table that are looked at; tables of a live system have some hundreds.
const HANDLE_CAP: u64 = 1 << 20;

/// Bytes of the smallest page.
const PAGE_SIZE: u64 = 0x1000;

/// What the handle of a table's first entry is; the others count up from it.
const FIRST_HANDLE: u64 = 0x10;

/// What was asked for: one resource, or all that a port owns.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Resources {
    /// The port whose resources these are; none when one resource was asked for.
    pub port: Option<PortRef>,
    /// The resources, in the order of the port's list.
    pub resources: Vec<ResourceRecord>,
    /// Set when the list could not be followed to its end.
    pub complete: Value<()>,
}

/// A resource.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ResourceRecord {
    /// Its structure, behind the blob header.
    pub address: Addr,
    /// What it is.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub kind: Value<BlobKind>,
    /// References to it. One that caches references starts at 0x10000.
    pub reference_count: Value<u64>,
    /// References that are kept ready instead of being given back.
    pub cached_references: Value<u64>,
    /// The flags of its header, by the kernel's names.
    pub blob_flags: Value<Vec<&'static str>>,
    /// Set when its header says that it is not in use any more.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub freed: Option<Freed>,
    /// The members of its structure; none for a kind that has no structure.
    pub members: Value<Members>,
}

/// The members of a resource's structure.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(untagged))]
pub enum Members {
    /// `_ALPC_COMMUNICATION_INFO`.
    CommunicationInfo(Box<CommunicationInfoMembers>),
    /// `_KALPC_SECTION`.
    Section(Box<SectionMembers>),
    /// `_KALPC_REGION`.
    Region(Box<RegionMembers>),
    /// `_KALPC_VIEW`.
    View(Box<ViewMembers>),
    /// `_KALPC_RESERVE`.
    Reserve(Box<ReserveMembers>),
    /// `_KALPC_SECURITY_DATA`.
    Security(Box<SecurityMembers>),
    /// `_KALPC_HANDLE_DATA`.
    HandleData(Box<HandleDataMembers>),
    /// A message, which has a view of its own, or a kind that is not known.
    None,
}

/// The two links of a list entry.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Links {
    /// `_LIST_ENTRY.Flink`.
    pub flink: Addr,
    /// `_LIST_ENTRY.Blink`.
    pub blink: Addr,
}

/// What ties the ports of a connection together.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[allow(
    missing_docs,
    reason = "a member's name is its documentation: it is the kernel's own"
)]
pub struct CommunicationInfoMembers {
    pub connection_port: Value<Option<PortRef>>,
    pub server_communication_port: Value<Option<PortRef>>,
    pub client_communication_port: Value<Option<PortRef>>,
    /// Head of the list of connections, or entry in it.
    pub communication_list: Value<Links>,
    pub handle_table: Value<HandleTable>,
    pub close_message: Value<Addr>,
}

/// The resource handles of a connection.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct HandleTable {
    /// Its `_ALPC_HANDLE_TABLE`.
    pub address: Addr,
    /// Its array of entries.
    pub handles: Addr,
    /// How many entries the array has.
    pub total_handles: Value<u64>,
    /// The entries that are in use.
    pub entries: Vec<ResourceHandle>,
    /// Set when entries may be missing.
    pub complete: Value<()>,
}

/// A resource handle.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ResourceHandle {
    /// The handle.
    pub handle: u64,
    /// The resource that it stands for.
    pub object: Addr,
    /// What that is.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub kind: Value<BlobKind>,
}

/// A shared-memory section of a port.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[allow(
    missing_docs,
    reason = "a member's name is its documentation: it is the kernel's own"
)]
pub struct SectionMembers {
    pub section_object: Value<Addr>,
    /// Bytes.
    pub size: Value<u64>,
    pub handle_table: Value<Addr>,
    pub section_handle: Value<u64>,
    pub owner_process: Value<Option<ProcessRef>>,
    pub owner_port: Value<Option<PortRef>>,
    pub internal: Value<bool>,
    pub secure: Value<bool>,
    pub number_of_regions: Value<u32>,
    /// The regions of `RegionListHead`.
    pub regions: Value<Nested>,
}

/// A part of a section.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[allow(
    missing_docs,
    reason = "a member's name is its documentation: it is the kernel's own"
)]
pub struct RegionMembers {
    pub region_list_entry: Value<Links>,
    pub section: Value<Addr>,
    /// Bytes from the start of the section.
    pub offset: Value<u64>,
    /// Bytes.
    pub size: Value<u64>,
    /// Bytes of a view of it.
    pub view_size: Value<u64>,
    pub secure: Value<bool>,
    pub number_of_views: Value<u32>,
    pub read_only_view: Value<Addr>,
    pub read_write_view: Value<Addr>,
    /// The views of `ViewListHead`.
    pub views: Value<Nested>,
}

/// A region mapped into a process.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[allow(
    missing_docs,
    reason = "a member's name is its documentation: it is the kernel's own"
)]
pub struct ViewMembers {
    pub view_list_entry: Value<Links>,
    pub region: Value<Addr>,
    pub owner_port: Value<Option<PortRef>>,
    pub owner_process: Value<Option<ProcessRef>>,
    /// Where it is in that process.
    pub address: Value<Addr>,
    /// Bytes.
    pub size: Value<u64>,
    pub secure_view_handle: Value<Addr>,
    pub write_access_handle: Value<Addr>,
    pub write_access: Value<bool>,
    pub auto_release: Value<bool>,
    pub force_unlink: Value<bool>,
    pub system_space: Value<bool>,
    pub number_of_owner_messages: Value<u32>,
    pub process_view_list_entry: Value<Links>,
}

/// A message kept ready so that sending cannot fail.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[allow(
    missing_docs,
    reason = "a member's name is its documentation: it is the kernel's own"
)]
pub struct ReserveMembers {
    pub owner_port: Value<Option<PortRef>>,
    pub handle_table: Value<Addr>,
    pub handle: Value<u64>,
    pub message: Value<Addr>,
    /// Bytes of the message.
    pub size: Value<u64>,
    pub active: Value<bool>,
}

/// A captured security context.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[allow(
    missing_docs,
    reason = "a member's name is its documentation: it is the kernel's own"
)]
pub struct SecurityMembers {
    pub handle_table: Value<Addr>,
    pub context_handle: Value<u64>,
    pub owning_process: Value<Option<ProcessRef>>,
    pub owner_port: Value<Option<PortRef>>,
    /// Members of the embedded `_SECURITY_CLIENT_CONTEXT`.
    pub dynamic_security: SecurityContextMembers,
    pub revoked: Value<bool>,
    pub impersonated: Value<bool>,
}

/// What a thread impersonates its client with: `_SECURITY_CLIENT_CONTEXT`.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[allow(
    missing_docs,
    reason = "a member's name is its documentation: it is the kernel's own"
)]
pub struct SecurityContextMembers {
    pub client_token: Value<Addr>,
    pub directly_access_client_token: Value<bool>,
    pub direct_access_effective_only: Value<bool>,
    pub server_is_remote: Value<bool>,
}

/// A handle that travels with a message.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[allow(
    missing_docs,
    reason = "a member's name is its documentation: it is the kernel's own"
)]
pub struct HandleDataMembers {
    pub object_type: Value<u32>,
    /// Up to Windows 10 1511.
    pub flags: Value<u32>,
    /// Number of handles, from Windows 10 1607 on.
    pub count: Value<u32>,
    /// The state of the duplication: in the structure itself, or where it points to in older kernels.
    pub duplicate_context: Value<Option<DuplicateContext>>,
}

/// `_OB_DUPLICATE_OBJECT_STATE`; only complete symbol tables have its members.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[allow(
    missing_docs,
    reason = "a member's name is its documentation: it is the kernel's own"
)]
pub struct DuplicateContext {
    /// Where it is.
    pub at: Addr,
    pub source_process: Value<Option<ProcessRef>>,
    pub source_handle: Value<u64>,
    pub object: Value<Addr>,
    pub target_access: Value<u32>,
    pub handle_attributes: Value<u32>,
}

/// The resources in a list of another one.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Nested {
    /// The resources, in list order.
    pub resources: Vec<ResourceRecord>,
    /// Set when the list could not be followed to its end.
    pub complete: Value<()>,
}

/// Why there is no resource at an address.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no ALPC resource and no port is at {address}: {what}")]
pub struct NotAResource {
    /// The address asked for.
    pub address: Addr,
    /// What is there instead.
    pub what: Identity,
}

/// Reads the resource at an address, or all resources of the port there.
///
/// # Errors
/// [`NotAResource`] when the memory before the address is in the dump and is the header of neither. A
/// resource whose memory is not in the dump is no error: its record says so, value by value.
pub fn resources(kernel: &Kernel<'_>, address: Gva) -> Result<Resources, NotAResource> {
    // Two things are both called resource by !alpc: a blob, and a port, whose resources then are listed. An address
    // may be either.
    // Header and body are one allocation, and pointers lead to the body: a published x86 message at 9c14d020 is
    // a page, 8 bytes of pool header and 18 of blob header, hex.
    let kind = plausible_kind(kernel, address);
    let port = kernel.at(address);
    let is_port = match &kind {
        Ok(_) => false,
        Err(Unreadable::Implausible(_)) => port::kind(port).is_ok(),
        // Where the header of a resource may be, memory is missing: a port's bits alone could be anything.
        Err(_) => port::is_certain(port),
    };
    if is_port {
        return Ok(of_port(port));
    }
    if let Err(Unreadable::Implausible(_)) = kind {
        return Err(NotAResource {
            address: kernel.addr(address),
            what: identify::identify(kernel, address),
        });
    }
    Ok(Resources {
        port: None,
        resources: vec![Gatherer::new(kernel).resource(address, None)],
        complete: Value::Known(()),
    })
}

/// All resources that a port owns, in the order of its `ResourceListHead`.
#[must_use]
pub fn of_port(port: At<'_, '_>) -> Resources {
    let kernel = port.kernel();
    let list = bodies_of_port(port);
    let nested = Gatherer::new(kernel).nested(list, None, "the port's list of resources");
    let (resources, complete) = match nested {
        Ok(Nested { resources, complete }) => (resources, complete),
        Err(hole) => (Vec::new(), Err(hole).into()),
    };
    Resources {
        port: Some(PortRef::at(kernel, port.address())),
        resources,
        complete,
    }
}

/// The resources that a port owns: the list links their blob headers.
pub(crate) fn bodies_of_port(port: At<'_, '_>) -> Read<List> {
    let kernel = port.kernel();
    let link = kernel.offset(Blob::ResourceList)?;
    let header = kernel.size_of::<Blob>()?;
    // Linked by ResourceList of the headers, and not by anything in the bodies.
    let mut list = list::walk(kernel, port.address_of(Port::ResourceListHead)?).containers(link);
    for entry in &mut list.entries {
        *entry = offset(*entry, header);
    }
    Ok(list)
}

/// Reads resources and those in their lists, up to a number of them.
struct Gatherer<'k, 'd> {
    kernel: &'k Kernel<'d>,
    left: usize,
}

impl<'k, 'd> Gatherer<'k, 'd> {
    fn new(kernel: &'k Kernel<'d>) -> Self {
        Self { kernel, left: CAP }
    }

    /// Reads a resource, in a list of those that are `expected`. Where its header is not in the dump it is
    /// one of them; one that is something else is not followed, lest lists lead into each other.
    fn resource(&mut self, address: Gva, expected: Option<BlobKind>) -> ResourceRecord {
        let kernel = self.kernel;
        // A blob that caches references has a bias of 10000 hex in its count (published reverse engineering): 10001
        // is one reference.
        let header = blob::header(kernel, address);
        let number = |member| header.clone().and_then(|header| header.uint(member)).into();
        let kind = plausible_kind(kernel, address);
        ResourceRecord {
            address: kernel.addr(address),
            members: match (&kind, expected) {
                (&Ok(kind), None) | (Err(Unreadable::Memory(_)), Some(kind)) => {
                    Ok(self.members(kernel.at(address), kind))
                }
                (&Ok(kind), Some(expected)) if kind == expected => Ok(self.members(kernel.at(address), kind)),
                (Ok(kind), Some(expected)) => Err(Unreadable::Walk(why!(
                    "it is {} in a list of {}, and not followed",
                    kind.to_string(),
                    expected.to_string()
                ))),
                (Err(hole), _) => Err(hole.clone()),
            }
            .into(),
            // A freed blob keeps its header and its bytes until they are used again. Its links are of the free list
            // then: FreeListEntry and ResourceList share their place. In real dumps there are security data with
            // Deleted set, and an info without references and without that bit.
            freed: kind
                .as_ref()
                .ok()
                .and_then(|_| blob::freed(kernel, address).ok()?),
            kind: kind.into(),
            reference_count: number(Blob::ReferenceCount),
            cached_references: number(Blob::CachedReferences),
            blob_flags: header
                .clone()
                .and_then(|header| header.uint(Blob::Flags))
                .map(flag_names)
                .into(),
        }
    }

    fn members(&mut self, at: At<'k, 'd>, kind: BlobKind) -> Members {
        match kind {
            BlobKind::CONNECTION_INFO => Members::CommunicationInfo(Box::new(communication_info(at))),
            BlobKind::SECTION => Members::Section(Box::new(self.section(at))),
            BlobKind::REGION => Members::Region(Box::new(self.region(at))),
            BlobKind::VIEW => Members::View(Box::new(view(at))),
            BlobKind::RESERVE => Members::Reserve(Box::new(reserve(at))),
            BlobKind::SECURITY_CONTEXT => Members::Security(Box::new(security(at))),
            BlobKind::HANDLE_DATA => Members::HandleData(Box::new(handle_data(at))),
            _ => Members::None,
        }
    }

    fn section(&mut self, at: At<'k, 'd>) -> SectionMembers {
        SectionMembers {
            // Sections and regions began with their flags in Vista, and have them behind their sizes since 7:
            // only by name are the members found in both (layouts of 305 kernels).
            section_object: at.addr(Section::SectionObject),
            size: at.uint(Section::Size).into(),
            handle_table: at.addr(Section::HandleTable),
            section_handle: at.uint(Section::SectionHandle).into(),
            owner_process: process(at, Section::OwnerProcess),
            owner_port: port_of(at, Section::OwnerPort),
            internal: at.flag(Section::Internal).into(),
            secure: at.flag(Section::Secure).into(),
            number_of_regions: at.u32(Section::NumberOfRegions).into(),
            regions: self
                .contained(
                    at,
                    Section::RegionListHead,
                    Region::RegionListEntry,
                    BlobKind::REGION,
                )
                .into(),
        }
    }

    fn region(&mut self, at: At<'k, 'd>) -> RegionMembers {
        RegionMembers {
            region_list_entry: links(at, Region::RegionListEntry),
            section: at.addr(Region::Section),
            offset: at.uint(Region::Offset).into(),
            size: at.uint(Region::Size).into(),
            view_size: at.uint(Region::ViewSize).into(),
            secure: at.flag(Region::Secure).into(),
            number_of_views: at.u32(Region::NumberOfViews).into(),
            read_only_view: at.addr(Region::ReadOnlyView),
            read_write_view: at.addr(Region::ReadWriteView),
            views: self
                .contained(at, Region::ViewListHead, View::ViewListEntry, BlobKind::VIEW)
                .into(),
        }
    }

    fn contained(
        &mut self,
        at: At<'k, 'd>,
        head: impl Member,
        link: impl Member,
        kind: BlobKind,
    ) -> Read<Nested> {
        if self.left == 0 {
            return Err(Self::too_many());
        }
        let link = self.kernel.offset(link)?;
        let list = list::walk(self.kernel, at.address_of(head)?).containers(link);
        self.nested(
            Ok(list),
            Some(kind),
            why!("the list of each {}", kind.to_string()),
        )
    }

    fn nested(&mut self, list: Read<List>, kind: Option<BlobKind>, what: impl Into<About>) -> Read<Nested> {
        let list = list?;
        let mut complete = list.complete(what);
        let mut resources = Vec::new();
        for address in list.entries {
            let Some(left) = self.left.checked_sub(1) else {
                complete = Err(Self::too_many());
                break;
            };
            self.left = left;
            resources.push(self.resource(address, kind));
        }
        Ok(Nested {
            resources,
            complete: complete.into(),
        })
    }

    fn too_many() -> Unreadable {
        Unreadable::Walk(why!("gave up after {} resources", CAP))
    }
}

/// Names of the bits of `_BLOB.u1.Flags`.
fn flag_names(flags: u64) -> Vec<&'static str> {
    // By published reverse engineering of Windows 10 and 11 kernels; symbols have the byte and not its bits.
    const NAMES: [(u64, &str); 4] = [
        (1, "ReferenceCache"),
        (2, "Lookaside"),
        (4, "Initializing"),
        (8, "Deleted"),
    ];
    NAMES
        .into_iter()
        .filter(|(bit, _)| flags & bit != 0)
        .map(|(_, name)| name)
        .collect()
}

fn view(at: At<'_, '_>) -> ViewMembers {
    ViewMembers {
        view_list_entry: links(at, View::ViewListEntry),
        region: at.addr(View::Region),
        owner_port: port_of(at, View::OwnerPort),
        owner_process: process(at, View::OwnerProcess),
        address: at.addr(View::Address),
        size: at.uint(View::Size).into(),
        // By their names what MmSecureVirtualMemory returns (inferred): while such a handle is held, the process can
        // neither free the memory nor narrow its protection (WDK).
        secure_view_handle: at.addr(View::SecureViewHandle),
        write_access_handle: at.addr(View::WriteAccessHandle),
        write_access: at.flag(View::WriteAccess).into(),
        auto_release: at.flag(View::AutoRelease).into(),
        force_unlink: at.flag(View::ForceUnlink).into(),
        // 16299 and later. That such a view is in the kernel's part follows from the name alone.
        system_space: at.flag(View::SystemSpace).into(),
        number_of_owner_messages: at.u32(View::NumberOfOwnerMessages).into(),
        // A view is in two lists: that of its region, and that of the process that it is mapped into, whose
        // head is _EPROCESS.AlpcContext.ViewListHead.
        process_view_list_entry: links(at, View::ProcessViewListEntry),
    }
}

fn reserve(at: At<'_, '_>) -> ReserveMembers {
    ReserveMembers {
        owner_port: port_of(at, Reserve::OwnerPort),
        // What a client gives to send with it: an id with bit 31 set is such a handle, looked up in the table of its
        // connection and not in the message table.
        handle_table: at.addr(Reserve::HandleTable),
        handle: at.uint(Reserve::Handle).into(),
        message: at.addr(Reserve::Message),
        // Put in before Active by servicing: in 9600 by .19913, in 14393 by .4583, in 17763 between .437 and
        // .2114, in 18362 by .356.
        size: at.uint(Reserve::Size).into(),
        active: at.flag(Reserve::Active).into(),
    }
}

/// Reads an embedded `_SECURITY_CLIENT_CONTEXT`.
pub(crate) fn security_context(at: At<'_, '_>, member: impl Member) -> SecurityContextMembers {
    let context = at.embedded(member);
    let flag = |member| context.clone().and_then(|at| at.flag(member)).into();
    let client_token = context
        .clone()
        .and_then(|at| at.pointer(SecurityContext::ClientToken));
    SecurityContextMembers {
        client_token: client_token.map(|token| at.kernel().addr(token)).into(),
        directly_access_client_token: flag(SecurityContext::DirectlyAccessClientToken),
        direct_access_effective_only: flag(SecurityContext::DirectAccessEffectiveOnly),
        server_is_remote: flag(SecurityContext::ServerIsRemote),
    }
}

fn security(at: At<'_, '_>) -> SecurityMembers {
    SecurityMembers {
        handle_table: at.addr(SecurityData::HandleTable),
        context_handle: at.uint(SecurityData::ContextHandle).into(),
        owning_process: process(at, SecurityData::OwningProcess),
        owner_port: port_of(at, SecurityData::OwnerPort),
        dynamic_security: security_context(at, SecurityData::DynamicSecurity),
        // A context that was revoked is refused when the server asks to impersonate by it (a decompile, the same in
        // several kernels).
        revoked: at.flag(SecurityData::Revoked).into(),
        // Set when a server did: whom it has acted for is a fact and no possibility.
        impersonated: at.flag(SecurityData::Impersonated).into(),
    }
}

fn handle_data(at: At<'_, '_>) -> HandleDataMembers {
    HandleDataMembers {
        // At 4 up to Windows 10 1511 and at 0 since 1607, where it changed places with its neighbour.
        object_type: at.u32(HandleData::ObjectType).into(),
        flags: at.u32(HandleData::Flags).into(),
        count: at.u32(HandleData::Count).into(),
        duplicate_context: duplicate_state(at)
            .map(|state| state.map(duplicate_context))
            .into(),
    }
}

/// Where the state of a duplication is. The symbols tell whether the member is the structure or points to it:
/// only a pointer has the size of one.
fn duplicate_state<'k, 'd>(at: At<'k, 'd>) -> Read<Option<At<'k, 'd>>> {
    let kernel = at.kernel();
    let field = kernel.field(HandleData::DuplicateContext)?;
    // A pointer up to Windows 8, 0x28 bytes in place on x64 from 8.1 on.
    if field.size != kernel.pointer_size() {
        return at.embedded(HandleData::DuplicateContext).map(Some);
    }
    let state = at.pointer(HandleData::DuplicateContext)?;
    Ok((state.u64() != 0).then(|| kernel.at(state)))
}

fn duplicate_context(state: At<'_, '_>) -> DuplicateContext {
    DuplicateContext {
        at: state.kernel().addr(state.address()),
        source_process: process(state, DuplicateState::SourceProcess),
        source_handle: state.uint(DuplicateState::SourceHandle).into(),
        object: state.addr(DuplicateState::Object),
        target_access: state.u32(DuplicateState::TargetAccess).into(),
        handle_attributes: state.u32(DuplicateState::HandleAttributes).into(),
    }
}

fn communication_info(at: At<'_, '_>) -> CommunicationInfoMembers {
    CommunicationInfoMembers {
        connection_port: port_of(at, CommunicationInfo::ConnectionPort),
        server_communication_port: port_of(at, CommunicationInfo::ServerCommunicationPort),
        client_communication_port: port_of(at, CommunicationInfo::ClientCommunicationPort),
        // One member, two uses: the head of the list in the info of a connection port, whose other two ports
        // are null, and the entry in it in the info of a connection (published reverse engineering; a Windows
        // 10 view shows 0 and 0).
        communication_list: links(at, CommunicationInfo::CommunicationList),
        handle_table: handle_table(at).into(),
        // Since 8.1. A message LPC_PORT_CLOSED that is kept ready, so that the end of a connection can always
        // be told.
        close_message: at.addr(CommunicationInfo::CloseMessage),
    }
}

/// The resource handles of a connection.
///
/// # Errors
/// When the table itself is not in the dump.
pub fn handle_table(info: At<'_, '_>) -> Read<HandleTable> {
    let kernel = info.kernel();
    let table = info.embedded(CommunicationInfo::HandleTable)?;
    // The table is part of the info, and its members stand in three orders: Flags first in Vista, behind the
    // count from Windows 7 on, at the end since March 2022.
    let handles = table.pointer(AlpcHandleTable::Handles)?;
    // 32 bits until March 2022, 64 on x64 since, by an update within the same builds (9600.20302, 14393.5006,
    // 17763.2686, 19041.1586, 20348.587, 22000.556).
    let total_handles = table.uint(AlpcHandleTable::TotalHandles);
    let stride = kernel.size_of::<AlpcHandleEntry>()?.max(1);
    let (entries, complete) = match &total_handles {
        _ if handles.u64() == 0 => (Vec::new(), Ok(())),
        Ok(total) => handle_entries(kernel, handles, *total, stride),
        Err(hole) => (Vec::new(), Err(hole.clone())),
    };
    Ok(HandleTable {
        address: kernel.addr(table.address()),
        handles: kernel.addr(handles),
        total_handles: total_handles.into(),
        entries,
        complete: complete.into(),
    })
}

fn handle_entries(
    kernel: &Kernel<'_>,
    handles: Gva,
    total: u64,
    stride: u64,
) -> (Vec<ResourceHandle>, Read<()>) {
    let mut entries = Vec::new();
    let mut complete = Ok(());
    let mut index = 0;
    while index < total.min(HANDLE_CAP) {
        let entry = kernel.at(offset(handles, index.saturating_mul(stride)));
        let own = own_page(kernel, handles, entry.address(), stride, index);
        match own.and_then(|()| entry.pointer(AlpcHandleEntry::Object)) {
            Ok(object) if object.u64() == 0 => {}
            Ok(object) => entries.push(ResourceHandle {
                // Handles of this table count by one from 10 hex on (published reverse engineering), unlike
                // those of processes.
                handle: index.saturating_add(FIRST_HANDLE),
                object: kernel.addr(object),
                kind: plausible_kind(kernel, object).into(),
            }),
            Err(hole) => {
                if complete.is_ok() {
                    complete = Err(hole);
                }
                index = index.saturating_add(others_in_page(entry.address(), stride));
            }
        }
        index = index.saturating_add(1);
    }
    if total > HANDLE_CAP && complete.is_ok() {
        complete = Err(Unreadable::Walk(why!(
            "gave up after {} of {} handles",
            HANDLE_CAP,
            total
        )));
    }
    (entries, complete)
}

/// Whether the page that an entry is the first in is no other table's, nor shown a second time in this one.
fn own_page(kernel: &Kernel<'_>, handles: Gva, entry: Gva, stride: u64, number: u64) -> Read<()> {
    if number != 0 && entry.u64() % PAGE_SIZE >= stride {
        return Ok(());
    }
    let owner = Owner {
        owner: handles,
        number,
    };
    let claimed = kernel.claim(Part::ResourceHandle, entry, owner);
    claimed.map_err(|taken| {
        let (at, other) = (kernel.addr(entry), kernel.addr(taken.owner));
        Unreadable::Walk(why!("the handles at {} are those of the table at {}", at, other))
    })
}

/// How many entries behind this one begin in the same page, which is missing.
fn others_in_page(entry: Gva, stride: u64) -> u64 {
    let left = PAGE_SIZE
        .saturating_sub(1)
        .saturating_sub(entry.u64() % PAGE_SIZE);
    left.checked_div(stride).unwrap_or(0)
}

fn links(at: At<'_, '_>, member: impl Member) -> Value<Links> {
    let kernel = at.kernel();
    at.embedded(member)
        .and_then(|entry| {
            Ok(Links {
                flink: kernel.addr(entry.pointer(ListEntry::Flink)?),
                blink: kernel.addr(entry.pointer(ListEntry::Blink)?),
            })
        })
        .into()
}

fn port_of(at: At<'_, '_>, member: impl Member) -> Value<Option<PortRef>> {
    at.pointer(member)
        .map(|port| (port.u64() != 0).then(|| PortRef::at(at.kernel(), port)))
        .into()
}

fn process(at: At<'_, '_>, member: impl Member) -> Value<Option<ProcessRef>> {
    at.pointer(member)
        .map(|process| (process.u64() != 0).then(|| ProcessRef::at(at.kernel(), process)))
        .into()
}

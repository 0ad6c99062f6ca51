//! Reserves, sections with regions and views, security data, handle data.

use super::{BlobId, ObjectSpec, Resource, World};
use crate::address::Va;
use crate::bytes::count;

impl World {
    /// Makes a reserve of `owner_port`, in its connection's handle table and on its resource list, for `message`.
    pub fn reserve(&mut self, owner_port: Va, message: Va, active: bool) -> Va {
        let address = self.blob(BlobId::Reserve, Va::NULL, 0);
        let (communication_info, handle) = self.own(owner_port, address);
        self.truth.resources.push(Resource::Reserve {
            address,
            owner_port,
            communication_info,
            handle,
            message,
            size: 0x200,
            active,
        });
        let message = self.message_mut(message);
        message.reserve = address;
        if self.kernel.has("_KALPC_MESSAGE", "u1.s1.ReserveReference") {
            self.message_mut_by_reserve(address)
                .flags
                .insert("ReserveReference");
        }
        address
    }

    fn message_mut_by_reserve(&mut self, reserve: Va) -> &mut super::Message {
        let found = self
            .truth
            .messages
            .iter_mut()
            .find(|message| message.reserve == reserve);
        found.expect("just given to it")
    }

    /// Makes a section of `owner_port` with a section object of its own.
    pub fn section(&mut self, owner_port: Va, size: u64) -> Va {
        let address = self.blob(BlobId::Section, Va::NULL, 0);
        let (communication_info, handle) = self.own(owner_port, address);
        let section_object = self.object(ObjectSpec::of("Section", 0x50));
        let owner_process = self.truth.port(owner_port).owner;
        self.truth.resources.push(Resource::Section {
            address,
            section_object,
            size,
            communication_info,
            handle,
            owner_process,
            owner_port,
            secure: false,
            regions: Vec::new(),
        });
        address
    }

    /// Makes a region of a section.
    pub fn region(&mut self, section: Va, offset: u64, size: u64) -> Va {
        let address = self.blob(BlobId::Region, Va::NULL, 0);
        match self.resource_mut(section) {
            Resource::Section { regions, .. } => regions.push(address),
            other => panic!("{other:?} is no section"),
        }
        self.truth.resources.push(Resource::Region {
            address,
            section,
            offset,
            size,
            view_size: size,
            views: Vec::new(),
            read_only_view: Va::NULL,
            read_write_view: Va::NULL,
        });
        address
    }

    /// Makes a view of a region: mapped at `base` in the process that owns `owner_port`.
    pub fn view(&mut self, region: Va, owner_port: Va, base: Va, write_access: bool) -> Va {
        let address = self.blob(BlobId::View, Va::NULL, 0);
        let size = match self.resource_mut(region) {
            Resource::Region {
                views,
                view_size,
                read_only_view,
                read_write_view,
                ..
            } => {
                views.push(address);
                *if write_access {
                    read_write_view
                } else {
                    read_only_view
                } = address;
                *view_size
            }
            other => panic!("{other:?} is no region"),
        };
        let owner_process = self.truth.port(owner_port).owner;
        self.truth.resources.push(Resource::View {
            address,
            region,
            owner_port,
            owner_process,
            base,
            size,
            write_access,
            owner_messages: 0,
        });
        address
    }

    /// Makes the security data of a client, as seen through `owner_port`.
    pub fn security_data(&mut self, owner_port: Va, owning_process: Va) -> Va {
        self.security_data_at(Va::NULL, owner_port, owning_process)
    }

    /// As [`World::security_data`], at an address that a published case demands.
    pub fn security_data_at(&mut self, address: Va, owner_port: Va, owning_process: Va) -> Va {
        let address = self.blob(BlobId::Security, address, 0);
        let (communication_info, handle) = self.own(owner_port, address);
        self.truth.resources.push(Resource::Security {
            address,
            communication_info,
            handle,
            owning_process,
            owner_port,
            revoked: false,
        });
        address
    }

    /// Makes handle data: an object on its way with a message.
    pub fn handle_data(&mut self, object_type: u32, flags_or_count: u32) -> Va {
        let address = self.blob(BlobId::HandleData, Va::NULL, 0);
        self.truth.resources.push(Resource::HandleData {
            address,
            object_type,
            flags_or_count,
        });
        address
    }

    /// Puts a blob on the resource list of a port and into its connection's handle table.
    fn own(&mut self, port: Va, blob: Va) -> (Va, u64) {
        let record = self.port_mut(port);
        record.resources.push(blob);
        let info = record.communication_info;
        let handle = self.blob_handle(info, blob);
        (info, handle)
    }

    fn resource_mut(&mut self, address: Va) -> &mut Resource {
        let found = self
            .truth
            .resources
            .iter_mut()
            .find(|resource| resource.address() == address);
        found.unwrap_or_else(|| panic!("no resource at {address}"))
    }

    pub(super) fn compile_resources(&mut self) {
        for resource in self.truth.resources.clone() {
            match &resource {
                Resource::Reserve { .. } => self.write_reserve(&resource),
                Resource::Section { .. } => self.write_section(&resource),
                Resource::Region { .. } => self.write_region(&resource),
                Resource::View { .. } => self.write_view(&resource),
                Resource::Security { .. } => self.write_security(&resource),
                Resource::HandleData { .. } => self.write_handle_data(&resource),
            }
        }
        self.link_process_views();
    }

    fn handle_table_of(&self, info: Va) -> Va {
        self.field(info, "_ALPC_COMMUNICATION_INFO", "HandleTable")
    }

    fn write_reserve(&mut self, resource: &Resource) {
        const TYPE: &str = "_KALPC_RESERVE";
        let Resource::Reserve {
            address,
            owner_port,
            communication_info,
            handle,
            message,
            size,
            active,
        } = *resource
        else {
            return;
        };
        self.point(address, TYPE, "OwnerPort", owner_port);
        let table = self.handle_table_of(communication_info);
        self.point(address, TYPE, "HandleTable", table);
        self.set(address, TYPE, "Handle", handle);
        self.point(address, TYPE, "Message", message);
        self.set_if(address, TYPE, "Size", size);
        self.set(address, TYPE, "Active", u64::from(active));
    }

    fn write_section(&mut self, resource: &Resource) {
        const TYPE: &str = "_KALPC_SECTION";
        let Resource::Section {
            address,
            section_object,
            size,
            communication_info,
            handle,
            owner_process,
            owner_port,
            secure,
            ref regions,
        } = *resource
        else {
            return;
        };
        self.point(address, TYPE, "SectionObject", section_object);
        self.set(address, TYPE, "Size", size);
        let table = self.handle_table_of(communication_info);
        self.point(address, TYPE, "HandleTable", table);
        self.set(address, TYPE, "SectionHandle", handle);
        self.point(address, TYPE, "OwnerProcess", owner_process);
        self.point(address, TYPE, "OwnerPort", owner_port);
        self.set(address, TYPE, "u1.s1.Secure", u64::from(secure));
        self.set(address, TYPE, "NumberOfRegions", count(regions.len()));
        self.link_members(
            address,
            (TYPE, "RegionListHead"),
            regions,
            ("_KALPC_REGION", "RegionListEntry"),
        );
    }

    fn write_region(&mut self, resource: &Resource) {
        const TYPE: &str = "_KALPC_REGION";
        let Resource::Region {
            address,
            section,
            offset,
            size,
            view_size,
            ref views,
            read_only_view,
            read_write_view,
        } = *resource
        else {
            return;
        };
        self.point(address, TYPE, "Section", section);
        self.set(address, TYPE, "Offset", offset);
        self.set(address, TYPE, "Size", size);
        self.set(address, TYPE, "ViewSize", view_size);
        self.point(address, TYPE, "ReadOnlyView", read_only_view);
        self.point(address, TYPE, "ReadWriteView", read_write_view);
        self.set(address, TYPE, "NumberOfViews", count(views.len()));
        self.link_members(
            address,
            (TYPE, "ViewListHead"),
            views,
            ("_KALPC_VIEW", "ViewListEntry"),
        );
    }

    fn write_view(&mut self, resource: &Resource) {
        const TYPE: &str = "_KALPC_VIEW";
        let Resource::View {
            address,
            region,
            owner_port,
            owner_process,
            base,
            size,
            write_access,
            owner_messages,
        } = *resource
        else {
            return;
        };
        self.point(address, TYPE, "Region", region);
        self.point(address, TYPE, "OwnerPort", owner_port);
        self.point(address, TYPE, "OwnerProcess", owner_process);
        self.point(address, TYPE, "Address", base);
        self.set(address, TYPE, "Size", size);
        self.set(address, TYPE, "u1.s1.WriteAccess", u64::from(write_access));
        self.set(address, TYPE, "NumberOfOwnerMessages", u64::from(owner_messages));
    }

    fn write_security(&mut self, resource: &Resource) {
        const TYPE: &str = "_KALPC_SECURITY_DATA";
        let Resource::Security {
            address,
            communication_info,
            handle,
            owning_process,
            owner_port,
            revoked,
        } = *resource
        else {
            return;
        };
        let table = self.handle_table_of(communication_info);
        self.point(address, TYPE, "HandleTable", table);
        self.set(address, TYPE, "ContextHandle", handle);
        self.point(address, TYPE, "OwningProcess", owning_process);
        self.point(address, TYPE, "OwnerPort", owner_port);
        self.set(address, TYPE, "u1.s1.Revoked", u64::from(revoked));
    }

    fn write_handle_data(&mut self, resource: &Resource) {
        const TYPE: &str = "_KALPC_HANDLE_DATA";
        let Resource::HandleData {
            address,
            object_type,
            flags_or_count,
        } = *resource
        else {
            return;
        };
        self.set(address, TYPE, "ObjectType", u64::from(object_type));
        let member = if self.has(TYPE, "Count") { "Count" } else { "Flags" };
        self.set(address, TYPE, member, u64::from(flags_or_count));
    }

    fn link_members(&mut self, owner: Va, head: (&str, &str), members: &[Va], entry: (&str, &str)) {
        let head = self.field(owner, head.0, head.1);
        let entries: Vec<Va> = members
            .iter()
            .map(|&member| self.field(member, entry.0, entry.1))
            .collect();
        self.link(head, &entries);
    }

    /// `EPROCESS.AlpcContext.ViewListHead` of every process.
    fn link_process_views(&mut self) {
        let processes: Vec<Va> = self
            .truth
            .processes
            .iter()
            .map(|process| process.address)
            .collect();
        for process in processes {
            let views: Vec<Va> = self
                .truth
                .resources
                .iter()
                .filter(
                    |one| matches!(one, Resource::View { owner_process, .. } if *owner_process == process),
                )
                .map(Resource::address)
                .collect();
            let head = ("_EPROCESS", "AlpcContext.ViewListHead");
            self.link_members(process, head, &views, ("_KALPC_VIEW", "ProcessViewListEntry"));
        }
    }
}

//! Blobs: what ALPC allocates has a `_BLOB` header before its body.

use serde::Serialize;

use super::{Blob, Pool, World};
use crate::address::Va;
use crate::bytes::uint;

/// `_BLOB_ID`: what a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum BlobId {
    /// 1: `_ALPC_COMMUNICATION_INFO`.
    Connection,
    /// 2: `_KALPC_MESSAGE`.
    Message,
    /// 3: `_KALPC_SECURITY_DATA`.
    Security,
    /// 4: `_KALPC_SECTION`.
    Section,
    /// 5: `_KALPC_REGION`.
    Region,
    /// 6: `_KALPC_VIEW`.
    View,
    /// 7: `_KALPC_RESERVE`.
    Reserve,
    /// 9: `_KALPC_HANDLE_DATA`.
    HandleData,
}

impl BlobId {
    /// Every kind that has a registered type.
    pub const ALL: [BlobId; 8] = [
        BlobId::Connection,
        BlobId::Message,
        BlobId::Security,
        BlobId::Section,
        BlobId::Region,
        BlobId::View,
        BlobId::Reserve,
        BlobId::HandleData,
    ];

    /// The value of `ResourceId`.
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            BlobId::Connection => 1,
            BlobId::Message => 2,
            BlobId::Security => 3,
            BlobId::Section => 4,
            BlobId::Region => 5,
            BlobId::View => 6,
            BlobId::Reserve => 7,
            BlobId::HandleData => 9,
        }
    }

    /// The type of the body.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        match self {
            BlobId::Connection => "_ALPC_COMMUNICATION_INFO",
            BlobId::Message => "_KALPC_MESSAGE",
            BlobId::Security => "_KALPC_SECURITY_DATA",
            BlobId::Section => "_KALPC_SECTION",
            BlobId::Region => "_KALPC_REGION",
            BlobId::View => "_KALPC_VIEW",
            BlobId::Reserve => "_KALPC_RESERVE",
            BlobId::HandleData => "_KALPC_HANDLE_DATA",
        }
    }

    /// The global that is its `_BLOB_TYPE`.
    fn type_global(self) -> &'static str {
        match self {
            BlobId::Connection => "AlpcConnectionType",
            BlobId::Message => "AlpcMessageType",
            BlobId::Security => "AlpcSecurityType",
            BlobId::Section => "AlpcSectionType",
            BlobId::Region => "AlpcRegionType",
            BlobId::View => "AlpcViewType",
            BlobId::Reserve => "AlpcReserveType",
            BlobId::HandleData => "AlpcHandleDataType",
        }
    }

    fn pool_tag(self) -> [u8; 4] {
        match self {
            BlobId::Connection => *b"AlIn",
            BlobId::Message => *b"AlMs",
            BlobId::Security => *b"AlSe",
            BlobId::Section => *b"AlSc",
            BlobId::Region => *b"AlRe",
            BlobId::View => *b"AlVi",
            BlobId::Reserve => *b"AlRr",
            BlobId::HandleData => *b"AlHa",
        }
    }

    /// Messages come from a lookaside list and keep cached references.
    fn type_flags(self) -> u64 {
        match self {
            BlobId::Message => 3,
            _ => 0,
        }
    }
}

impl World {
    /// Makes a blob of `id` with `extra` bytes behind its structure; NULL asks for any address. Returns its body.
    pub(super) fn blob(&mut self, id: BlobId, address: Va, extra: u64) -> Va {
        let header = self.kernel.size("_BLOB");
        let length = header + self.kernel.size(id.type_name()) + extra;
        let body = if address.is_null() {
            self.allocate(Pool::Paged, length, id.pool_tag()) + header
        } else {
            self.allocate_at(Pool::Paged, address - header, length, id.pool_tag());
            address
        };
        self.truth.blobs.insert(
            body,
            Blob {
                id,
                reference_count: 1,
                flags: 0,
            },
        );
        body
    }

    /// The `_BLOB` of a body.
    pub(super) fn blob_header(&self, body: Va) -> Va {
        body - self.kernel.size("_BLOB")
    }

    pub(super) fn compile_blobs(&mut self) {
        for (body, blob) in self.truth.blobs.clone() {
            let at = self.blob_header(body);
            self.set(at, "_BLOB", "ResourceId", blob.id.number());
            self.set(at, "_BLOB", "u1.Flags", u64::from(blob.flags));
            self.set(at, "_BLOB", "ReferenceCount", u64::from(blob.reference_count));
            let counts = self.truth.global.blobs.entry(blob.id).or_insert((0, 0));
            counts.0 += 1;
        }
        for id in BlobId::ALL {
            self.write_blob_type(id);
        }
    }

    fn write_blob_type(&mut self, id: BlobId) {
        const TYPE: &str = "_BLOB_TYPE";
        let Some(at) = self.try_global(id.type_global()) else {
            return;
        };
        let (created, deleted) = self.truth.global.blobs.get(&id).copied().unwrap_or_default();
        self.set(at, TYPE, "ResourceId", id.number());
        self.set(at, TYPE, "PoolTag", uint(&id.pool_tag()));
        self.set(at, TYPE, "Flags", id.type_flags());
        self.set(at, TYPE, "UsualSize", self.kernel.size(id.type_name()));
        if self.has(TYPE, "Counters") {
            let counters = self.blob_counters(id);
            self.set(counters, "_BLOB_COUNTERS", "CreatedObjects", u64::from(created));
            self.set(counters, "_BLOB_COUNTERS", "DeletedObjects", u64::from(deleted));
            self.point(at, TYPE, "Counters", counters);
        } else {
            self.set(at, TYPE, "CreatedObjects", u64::from(created));
            self.set(at, TYPE, "DeletedObjects", u64::from(deleted));
        }
        let slot = self.global("AlpcpRegisteredTypes") + id.number() * self.pointer_size();
        self.write_pointer(slot, at);
    }

    /// The counters of a type: a global since Windows 8.1.
    fn blob_counters(&mut self, id: BlobId) -> Va {
        match self.try_global(&format!("{}Counters", id.type_global())) {
            Some(global) => global,
            None => self.allocate(Pool::NonPaged, self.kernel.size("_BLOB_COUNTERS"), *b"AlCn"),
        }
    }
}

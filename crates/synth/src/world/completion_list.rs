//! Completion lists: memory that a port shares with its owner.

use super::{CompletionList, Pool, World};
use crate::address::Va;

const LIST: &str = "_ALPC_COMPLETION_LIST";
const HEADER: &str = "_ALPC_COMPLETION_LIST_HEADER";

/// Lengths of the parts behind the header: of the list, the bitmap and the messages.
const LIST_SIZE: u64 = 0x400;
const BITMAP_SIZE: u64 = 0x40;
const DATA_SIZE: u64 = 0x2000;
/// Where the owner sees the memory.
const USER: Va = Va(0x0210_0000);

impl World {
    /// Gives a port a completion list in which three messages wait. No two of its numbers are the same, so that a
    /// reader cannot take one for another.
    pub fn completion_list(&mut self, port: Va) {
        let list_offset = self.kernel.size(HEADER);
        let bitmap_offset = list_offset + LIST_SIZE;
        let data_offset = bitmap_offset + BITMAP_SIZE;
        let total = data_offset + DATA_SIZE;
        let address = self.allocate(Pool::System, self.kernel.size(LIST), *b"AlCl");
        let header = self.allocate(Pool::System, list_offset, *b"AlCl");
        let mdl = self.allocate(Pool::System, 0x40, *b"Mdl ");
        let mut pointers = vec![
            ("OwnerProcess", self.truth.port(port).owner),
            ("Mdl", mdl),
            ("UserVa", USER),
            ("UserLimit", USER + total),
            ("DataUserVa", USER + data_offset),
            ("SystemVa", header),
            ("Header", header),
            ("List", header + list_offset),
            ("Bitmap", header + bitmap_offset),
            ("Data", header + data_offset),
        ];
        if self.has(LIST, "CompletionListLock") {
            pointers.push(("CompletionListLock", Va(0x11)));
        }
        let list = CompletionList {
            address,
            header,
            pointers,
            numbers: vec![
                ("TotalSize", total),
                ("ListSize", LIST_SIZE),
                ("BitmapSize", BITMAP_SIZE),
                ("DataSize", DATA_SIZE),
                ("BitmapLimit", 0x80),
                ("BitmapNextHint", 0x13),
                ("ConcurrencyCount", 3),
                ("AttributeFlags", 0x6000_0000),
                ("AttributeSize", 0x38),
            ],
            header_numbers: vec![
                ("StartMagic", 0x1122_3344_5566_7788),
                ("TotalSize", total),
                ("ListOffset", list_offset),
                ("ListSize", LIST_SIZE),
                ("BitmapOffset", bitmap_offset),
                ("BitmapSize", BITMAP_SIZE),
                ("DataOffset", data_offset),
                ("DataSize", DATA_SIZE),
                ("AttributeFlags", 0x6000_0000),
                ("AttributeSize", 0x38),
                ("State.u1.s1.Head", 0x00ab_cdef),
                ("State.u1.s1.Tail", 0x00ab_cdf2),
                ("State.u1.s1.ActiveThreadCount", 0x7ffe),
                ("LastMessageId", 0x2468),
                ("LastCallbackId", 0x1357),
                ("PostCount", 0x1_0203),
                ("ReturnCount", 0x1_0200),
                ("LogSequenceNumber", 0x4_0506),
                ("UserLock", 0x15),
                ("EndMagic", 0x8877_6655_4433_2211),
            ],
        };
        for &(member, value) in &list.pointers {
            self.point(address, LIST, member, value);
        }
        for &(member, value) in &list.numbers {
            self.set(address, LIST, member, value);
        }
        for &(member, value) in &list.header_numbers {
            self.set(header, HEADER, member, value);
        }
        self.truth.completion_lists.push(list);
        let port = self.port_mut(port);
        port.completion_list = address;
        port.flags.insert("HasCompletionList");
    }
}

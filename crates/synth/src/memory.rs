//! Sparse virtual memory, before it has page tables.

use std::collections::BTreeMap;

use crate::address::{PAGE_SIZE, Va};
use crate::bytes::{count, index, le, uint};
use crate::physical::Page;

/// What the page-table entry of a page says, and whether its frame is in the dump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backing {
    /// A valid entry, its frame in the dump.
    #[default]
    Resident,
    /// An entry in transition: not valid, but the frame still holds the page.
    Transition,
    /// Paged out: the entry names a place in a paging file.
    PageFile,
    /// Never touched: the entry holds only a protection.
    DemandZero,
    /// The entry refers to a prototype entry. Its protection sets bit 11, as if it were in transition.
    Prototype,
    /// A valid entry whose frame is not in the dump.
    LeftOut,
}

/// The size of the pages that map a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageSize {
    /// 4 KiB: one entry of a page table.
    Small,
    /// 2 MiB: one entry of a page directory.
    Large,
    /// 4 MiB: one entry of a page directory of x86 without PAE.
    Large4M,
    /// 1 GiB: one entry of a page-directory-pointer table.
    Huge,
}

impl PageSize {
    /// Bytes in one page.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            PageSize::Small => PAGE_SIZE,
            PageSize::Large => PAGE_SIZE << 9,
            PageSize::Large4M => PAGE_SIZE << 10,
            PageSize::Huge => PAGE_SIZE << 18,
        }
    }
}

/// Pages by virtual address. Writing makes the page.
#[derive(Clone, Debug, Default)]
pub struct VirtualMemory {
    pages: BTreeMap<Va, Box<Page>>,
    backing: BTreeMap<Va, Backing>,
    regions: Vec<(Va, u64, PageSize)>,
    aliases: Vec<Alias>,
}

/// Addresses at which page tables show a page that is elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Alias {
    /// The first of them.
    pub at: Va,
    /// How many pages from there on.
    pub pages: u64,
    /// The page that all of them show.
    pub of: Va,
}

impl VirtualMemory {
    /// Memory without a page.
    pub const EMPTY: VirtualMemory = VirtualMemory {
        pages: BTreeMap::new(),
        backing: BTreeMap::new(),
        regions: Vec::new(),
        aliases: Vec::new(),
    };

    /// Memory without a page.
    #[must_use]
    pub fn new() -> Self {
        Self::EMPTY
    }

    /// Maps `[base, base + length)` with pages of `size`; both are multiples of it.
    ///
    /// # Panics
    /// Where they are not.
    pub fn map_with(&mut self, base: Va, length: u64, size: PageSize) {
        assert!(
            base.0.is_multiple_of(size.bytes()) && length.is_multiple_of(size.bytes()),
            "{base} + {length:#x}"
        );
        self.regions.push((base, length, size));
    }

    /// The size of the pages that map `address`.
    #[must_use]
    pub fn page_size(&self, address: Va) -> PageSize {
        let region = self
            .regions
            .iter()
            .find(|(base, length, _)| address >= *base && address.0 - base.0 < *length);
        region.map_or(PageSize::Small, |&(_, _, size)| size)
    }

    /// Has page tables show the page of `of` at each of `pages` pages from `at` on as well, where nothing else is.
    pub fn alias(&mut self, at: Va, pages: u64, of: Va) {
        self.aliases.push(Alias {
            at: at.page(),
            pages,
            of: of.page(),
        });
    }

    /// Pages that are shown at other addresses as well.
    #[must_use]
    pub fn aliases(&self) -> &[Alias] {
        &self.aliases
    }

    /// Says what the entry of `address`'s page is to be; the page exists afterwards.
    pub fn set_backing(&mut self, address: Va, backing: Backing) {
        self.page_mut(address.page());
        self.backing.insert(address.page(), backing);
    }

    /// What the entry of `address`'s page is to be.
    #[must_use]
    pub fn backing(&self, address: Va) -> Backing {
        self.backing.get(&address.page()).copied().unwrap_or_default()
    }

    /// Stores `bytes` at `address`, over as many pages as it takes.
    pub fn write(&mut self, address: Va, bytes: &[u8]) {
        let mut at = address;
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = index(PAGE_SIZE - at.offset()).min(rest.len());
            let (now, later) = rest.split_at(room);
            let offset = index(at.offset());
            self.page_mut(at.page())[offset..offset + room].copy_from_slice(now);
            at = Va(at.0.wrapping_add(count(room)));
            rest = later;
        }
    }

    /// `length` bytes at `address`; what was never written is zero.
    #[must_use]
    pub fn read(&self, address: Va, length: u64) -> Vec<u8> {
        (0..length).map(|i| self.byte(address + i)).collect()
    }

    /// Stores `value` in `size` bytes, least significant first.
    pub fn write_uint(&mut self, address: Va, size: u64, value: u64) {
        self.write(address, &le(value, size));
    }

    /// The integer in the `size` bytes at `address`.
    #[must_use]
    pub fn read_uint(&self, address: Va, size: u64) -> u64 {
        uint(&self.read(address, size))
    }

    /// Makes every page of `[address, address + length)` exist.
    pub fn touch(&mut self, address: Va, length: u64) {
        let mut page = address.page();
        while page.0 < address.0 + length {
            self.page_mut(page);
            page = page + PAGE_SIZE;
        }
    }

    /// Whether the page of `address` exists.
    #[must_use]
    pub fn has_page(&self, address: Va) -> bool {
        self.pages.contains_key(&address.page())
    }

    /// Every page with its bytes, in order.
    pub fn pages(&self) -> impl Iterator<Item = (Va, &Page)> {
        self.pages.iter().map(|(&address, page)| (address, page.as_ref()))
    }

    fn page_mut(&mut self, page: Va) -> &mut Page {
        self.pages.entry(page).or_insert_with(|| Box::new([0; 0x1000]))
    }

    fn byte(&self, address: Va) -> u8 {
        self.pages
            .get(&address.page())
            .map_or(0, |page| page[index(address.offset())])
    }
}

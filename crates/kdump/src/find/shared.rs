//! What the page says that the kernel shares with every process (`KUSER_SHARED_DATA`).
//!
//! InterruptTime 8 and SystemTime 0x14 (`KSYSTEM_TIME`: low, high, high again), NtBuildNumber 0x260 since Windows 10,
//! NtProductType 0x264, NtMajorVersion 0x26c, NtMinorVersion 0x270, SuiteMask 0x2d0 (Windows SDK, ntddk.h; the same in the
//! symbols of all 305 kernels).

use crate::memory::space::AddressSpace;
use crate::value::address::Gva;
use crate::value::le;
use crate::value::time::{FileTime, TimeSpan};

/// The page as read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SharedData {
    /// The build number.
    pub(crate) build: Option<u32>,
    pub(crate) system_time: Option<FileTime>,
    pub(crate) up_time: Option<TimeSpan>,
    pub(crate) product_type: Option<u32>,
    pub(crate) suite_mask: Option<u32>,
}

/// Reads the page, as far as it is there.
pub(crate) fn read(space: &AddressSpace<'_>) -> SharedData {
    let at = match space.pointer_width() {
        4 => 0xffdf_0000,
        _ => 0xffff_f780_0000_0000,
    };
    let mut page = [0; 0x300];
    if space.cursor().read(Gva::new(at), &mut page).is_err() {
        return SharedData::default();
    }
    let word = |offset| le::u32(&page, offset);
    // The time is read as the kernel's callers do: it is being written while both halves of high differ.
    let time = |offset: usize| {
        let (low, high) = (word(offset)?, word(offset.saturating_add(4))?);
        let again = word(offset.saturating_add(8))?;
        (high == again)
            .then(|| (u64::from(high) << 32) | u64::from(low))
            .filter(|&time| time != 0)
    };
    let build = match (word(0x260), word(0x26c), word(0x270)) {
        (Some(build), ..) if (10_000..0x1_0000).contains(&build) => Some(build),
        // One build each was released of these two.
        (_, Some(6), Some(2)) => Some(9200),
        (_, Some(6), Some(3)) => Some(9600),
        // These had service packs, which the image's version tells.
        (_, Some(6), Some(1)) => Some(7601),
        (_, Some(6), Some(0)) => Some(6002),
        _ => None,
    };
    SharedData {
        build,
        system_time: time(0x14).map(FileTime),
        up_time: time(0x8).map(TimeSpan),
        product_type: word(0x264).filter(|kind| (1..=3).contains(kind)),
        suite_mask: word(0x2d0),
    }
}

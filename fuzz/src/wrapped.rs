//! Containers of symbol files whose checksums an input need not guess.

/// The beginning of every xz file.
pub const XZ: &[u8] = b"\xfd7zXZ\0";

/// The CRC-32 of xz and gzip.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    let byte = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    };
    !bytes.iter().fold(u32::MAX, byte)
}

/// Sets the checksums of a file's headers to what they must be: those of xz's stream and first block, and none for
/// the first blocks of a cabinet, which are then expanded whatever they hold.
pub fn mend(file: &mut [u8]) {
    if file.starts_with(XZ) {
        sum(file, 6, 8);
        let block = file.get(12).map_or(0, |&words| (usize::from(words) + 1) * 4);
        sum(file, 12, 12 + block.saturating_sub(4));
    } else if file.starts_with(b"MSCF") {
        let mut at = word(file, 36).unwrap_or(0) as usize;
        for _ in 0..8 {
            let Some(len) = word(file, at.saturating_add(4)) else {
                break;
            };
            file[at..at + 4].fill(0);
            at += 8 + (len & 0xffff) as usize;
        }
    }
}

/// Puts the CRC of `from..to` behind it.
fn sum(file: &mut [u8], from: usize, to: usize) {
    let Some(crc) = file.get(from..to).map(crc32) else {
        return;
    };
    if let Some(place) = file.get_mut(to..to + 4) {
        place.copy_from_slice(&crc.to_le_bytes());
    }
}

fn word(file: &[u8], at: usize) -> Option<u32> {
    let bytes = file.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

//! Compressions that files of memory use and that crates unpack: each into exactly as many bytes as must come out.

use std::io::Read;

use flate2::{Decompress, FlushDecompress, Status};
use ruzstd::decoding::FrameDecoder;

/// The largest window of a Zstandard frame. Who writes pages of 4 KiB needs no larger one, and a forged one would
/// have its memory reserved.
const MAX_WINDOW: u64 = 1 << 20;

/// A zlib stream (RFC 1950).
pub(crate) fn zlib(packed: &[u8], plain: &mut [u8]) -> bool {
    let want = plain.len() as u64;
    let mut stream = Decompress::new(true);
    let status = stream.decompress(packed, plain, FlushDecompress::Finish);
    matches!(status, Ok(Status::StreamEnd)) && stream.total_out() == want
}

/// LZO1X, as `lzo1x_1_compress` writes it.
pub(crate) fn lzo(packed: &[u8], plain: &mut [u8]) -> bool {
    lzokay::decompress::decompress(packed, plain).is_ok_and(|len| len == plain.len())
}

/// A block of Snappy, without frames.
pub(crate) fn snappy(packed: &[u8], plain: &mut [u8]) -> bool {
    // Asked before: the block says itself how much it becomes.
    snap::raw::decompress_len(packed).is_ok_and(|len| len == plain.len())
        && snap::raw::Decoder::new().decompress(packed, plain).is_ok()
}

/// The signature that a stream of Snappy's frames begins with (framing_format.txt).
const SIGNATURE: &[u8] = b"\xff\x06\0\0sNaPpY";

/// Chunks of a stream of Snappy's frames, each with its check, without the signature before them.
pub(crate) fn snappy_frames(packed: &[u8], plain: &mut [u8]) -> bool {
    let mut frames = snap::read::FrameDecoder::new(SIGNATURE.chain(packed));
    frames.read_exact(plain).is_ok() && frames.read(&mut [0]).is_ok_and(|more| more == 0)
}

/// A Zstandard frame (RFC 8878).
pub(crate) fn zstd(packed: &[u8], plain: &mut [u8]) -> bool {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(MAX_WINDOW);
    decoder
        .decode_all(packed, plain)
        .is_ok_and(|len| len == plain.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::packed::Unpack;

    /// A page, and what zlib 1.2.13, liblzo2 2.10, and the libraries of Snappy and Zstandard make of it.
    #[test]
    fn what_real_compressors_wrote_is_unpacked() {
        let page: Vec<u8> = b"ALPC message of a port "
            .iter()
            .copied()
            .cycle()
            .take(0x1000)
            .collect();
        let mut long = b"\x80\x20\x58ALPC message of a port ".to_vec();
        long.extend(b"\xfe\x17\0".repeat(63));
        long.extend(b"\xa2\x17\0");
        let with: [(&str, Unpack, &[u8]); 4] = [
            (
                "zlib",
                zlib,
                &[
                    0x78, 0x9c, 0xed, 0xc8, 0x31, 0x0d, 0x00, 0x20, 0x0c, 0x45, 0x41, 0x2b, 0xdf, 0x4a, 0xc3,
                    0xca, 0x80, 0x85, 0x0e, 0xc0, 0x44, 0x4a, 0x28, 0xfe, 0x83, 0x0f, 0xf2, 0x6e, 0x3c, 0xab,
                    0xad, 0x68, 0xf5, 0x4c, 0x9f, 0x5d, 0x31, 0xe4, 0xda, 0x71, 0xae, 0x8c, 0xa6, 0x69, 0x9a,
                    0xa6, 0x69, 0x9a, 0xa6, 0x69, 0x9a, 0xa6, 0xe9, 0x7f, 0xfa, 0x01, 0x87, 0xcd, 0x4e, 0x19,
                ],
            ),
            (
                "lzo",
                lzo,
                &[
                    0x00, 0x05, 0x41, 0x4c, 0x50, 0x43, 0x20, 0x6d, 0x65, 0x73, 0x73, 0x61, 0x67, 0x65, 0x20,
                    0x6f, 0x66, 0x20, 0x61, 0x20, 0x70, 0x6f, 0x72, 0x74, 0x20, 0x20, 0x00, 0x00, 0x00, 0x00,
                    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xca, 0x58, 0x00, 0x0a,
                    0x20, 0x6f, 0x66, 0x20, 0x61, 0x20, 0x70, 0x6f, 0x72, 0x74, 0x20, 0x41, 0x4c, 0x11, 0x00,
                    0x00,
                ],
            ),
            ("snappy", snappy, &long),
            (
                "zstd",
                zstd,
                &[
                    0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x00, 0x0f, 0xfd, 0x00, 0x00, 0xb8, 0x41, 0x4c, 0x50, 0x43,
                    0x20, 0x6d, 0x65, 0x73, 0x73, 0x61, 0x67, 0x65, 0x20, 0x6f, 0x66, 0x20, 0x61, 0x20, 0x70,
                    0x6f, 0x72, 0x74, 0x20, 0x01, 0x00, 0xcd, 0xaf, 0xfe, 0x6c, 0x02,
                ],
            ),
        ];
        for (name, unpack, packed) in with {
            let mut plain = vec![0xcc; page.len()];
            assert!(unpack(packed, &mut plain), "{name}");
            assert!(plain == page, "{name}");
            // Neither less nor more than what must come out, and nothing out of a part.
            let mut other = vec![0; page.len() - 1];
            assert!(!unpack(packed, &mut other), "{name}: too much");
            other.resize(page.len() + 1, 0);
            assert!(!unpack(packed, &mut other), "{name}: too little");
            for len in 0..packed.len() {
                assert!(!unpack(packed.get(..len).unwrap(), &mut plain), "{name}: {len}");
            }
        }
    }
}

//! Forms that hold one stream of bytes without a name.

use std::io::{self, BufRead, BufReader, Read};

use ruzstd::decoding::StreamingDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

use crate::form::Form;
use crate::why::Why;
use crate::{Counted, copy};

/// What an xz file may ask for: `xz -9` wants 64 MiB, and a file says itself how much, up to 4 GiB.
const MAX_DICTIONARY_KIB: u32 = 512 << 10;
/// The window of `zstd --long=27`, which is what its own decoder takes without being told, and four times as much.
const MAX_WINDOW: u64 = 512 << 20;

pub(crate) fn unpack(form: Form, file: BufReader<impl Read>, out: &mut Counted<'_>) -> Result<(), Why> {
    let copied = match form {
        // Both write several ones behind each other: pigz, pbzip2, `cat`. A plain decoder ends after the first without an
        // error.
        Form::Gzip => copy(&mut flate2::bufread::MultiGzDecoder::new(file), out),
        Form::Bzip2 => copy(&mut bzip2::bufread::MultiBzDecoder::new(file), out),
        Form::Xz => copy(
            &mut lzma_rust2::XzReader::new_mem_limit(file, true, MAX_DICTIONARY_KIB),
            out,
        ),
        Form::Zstandard => return zstandard(file, out),
        Form::Zip | Form::SevenZip | Form::Cabinet => {
            return Err(Why::Damaged("it is an archive".to_owned()));
        }
    };
    Ok(copied?)
}

/// Frames behind each other, as `zstd -T0` of some versions and `pzstd` write, with others between them that a decoder
/// steps over (RFC 8878, 3.1.2).
fn zstandard(mut file: BufReader<impl Read>, out: &mut Counted<'_>) -> Result<(), Why> {
    while !file.fill_buf()?.is_empty() {
        let mut decoder = match StreamingDecoder::new_with_max_window_size(&mut file, MAX_WINDOW) {
            Ok(decoder) => decoder,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                skip(&mut file, u64::from(length))?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        copy(&mut decoder, out)?;
        let decoder = decoder.into_frame_decoder();
        let (said, is) = (
            decoder.get_checksum_from_data(),
            decoder.get_calculated_checksum(),
        );
        if said.is_some() && said != is {
            return Err(Why::Damaged("its checksum is wrong".to_owned()));
        }
    }
    Ok(())
}

fn skip(file: &mut impl Read, len: u64) -> Result<(), Why> {
    let skipped = io::copy(&mut file.take(len), &mut io::sink())?;
    match skipped == len {
        true => Ok(()),
        false => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
    }
}

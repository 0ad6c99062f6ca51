//! Forms that hold files with names.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};

use cab::Cabinet;
use sevenz_rust2::{ArchiveReader, Password};
use zip::ZipArchive;

use crate::choose::Member;
use crate::form::Form;
use crate::guarded::guarded;
use crate::why::Why;
use crate::{Counted, copy};

/// The files in an archive, without folders; `None` of a form that has no names.
pub(crate) fn members(form: Form, file: &File) -> Result<Option<Vec<Member>>, Why> {
    guarded(|| listed(form, file))
}

fn listed(form: Form, file: &File) -> Result<Option<Vec<Member>>, Why> {
    let clone = || -> Result<_, Why> {
        let mut file = file.try_clone()?;
        file.rewind()?;
        Ok(BufReader::new(file))
    };
    match form {
        Form::Zip => in_zip(clone()?).map(Some),
        Form::SevenZip => in_7z(clone()?).map(Some),
        Form::Cabinet => in_cabinet(clone()?).map(Some),
        Form::Gzip | Form::Zstandard | Form::Xz | Form::Bzip2 => Ok(None),
    }
}

/// Writes one file of an archive.
pub(crate) fn unpack(
    form: Form,
    file: BufReader<File>,
    member: &str,
    out: &mut Counted<'_>,
) -> Result<(), Why> {
    guarded(|| match form {
        Form::Zip => {
            let mut archive = ZipArchive::new(file)?;
            let mut reader = archive.by_name(member)?;
            Ok(copy(&mut reader, out)?)
        }
        Form::SevenZip => out_of_7z(file, member, out),
        Form::Cabinet => {
            let mut cabinet = Cabinet::new(file)?;
            let mut reader = cabinet.read_file(member)?;
            Ok(copy(&mut reader, out)?)
        }
        Form::Gzip | Form::Zstandard | Form::Xz | Form::Bzip2 => {
            Err(Why::Damaged("it has no names".to_owned()))
        }
    })
}

fn in_zip(file: impl Read + Seek) -> Result<Vec<Member>, Why> {
    let mut archive = ZipArchive::new(file)?;
    let mut members = Vec::new();
    for number in 0..archive.len() {
        let entry = archive.by_index_raw(number)?;
        if entry.is_file() {
            members.push(Member {
                name: entry.name()?.into_owned(),
                len: Some(entry.size()),
            });
        }
    }
    Ok(members)
}

fn in_7z(file: impl Read + Seek) -> Result<Vec<Member>, Why> {
    let archive = ArchiveReader::new(file, Password::empty())?;
    Ok(archive
        .archive()
        .files
        .iter()
        .filter(|entry| entry.has_stream() && !entry.is_directory())
        .map(|entry| Member {
            name: entry.name().to_owned(),
            len: Some(entry.size()),
        })
        .collect())
}

/// Files before the wanted one are unpacked for nothing: 7-Zip packs all of them as one.
fn out_of_7z(file: impl Read + Seek, member: &str, out: &mut Counted<'_>) -> Result<(), Why> {
    let mut archive = ArchiveReader::new(file, Password::empty())?;
    let mut found = false;
    archive.for_each_entries(|entry, reader| {
        found = entry.name() == member && entry.has_stream();
        match found {
            true => copy(reader, out)?,
            false => {
                io::copy(reader, &mut io::sink())?;
            }
        }
        Ok(!found)
    })?;
    match found {
        true => Ok(()),
        false => Err(Why::Damaged("its file is not found again".to_owned())),
    }
}

fn in_cabinet(file: impl Read + Seek) -> Result<Vec<Member>, Why> {
    let cabinet = Cabinet::new(file)?;
    Ok(cabinet
        .folder_entries()
        .flat_map(|folder| folder.file_entries())
        .map(|entry| Member {
            name: entry.name().to_owned(),
            len: Some(u64::from(entry.uncompressed_size())),
        })
        .collect())
}

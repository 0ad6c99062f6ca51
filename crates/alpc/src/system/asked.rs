//! Which kernel it is.

use kdump::{Dump, KernelImage};
use ntlayout::published::{self, Published};
use ntlayout::{Guid, Identity, Processor, Version};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

/// Where it was learned which kernel it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Learned {
    /// The debug record of the kernel's image names its PDB.
    DebugRecord,
    /// TimeDateStamp and SizeOfImage in the header of its image, which are those of a published kernel.
    ImageHeader,
    /// The same in the list of loaded modules.
    ModuleList,
}

impl Learned {
    /// The words for it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::DebugRecord => "the debug record of its image",
            Self::ImageHeader => "time stamp and size in the header of its image",
            Self::ModuleList => "time stamp and size in the list of loaded modules",
        }
    }
}

/// Which kernel a dump is of, as far as it says so.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Asked {
    /// Which PDB it was linked with.
    pub identity: Identity,
    /// Where that was learned.
    pub learned: Learned,
    /// TimeDateStamp and SizeOfImage of its image: by what the dump says, else as it was published.
    pub stamp: Option<(u32, u32)>,
    /// What is known of it, of a published kernel.
    pub published: Option<Published>,
    /// What else in the dump names another kernel, and which.
    pub contradiction: Option<String>,
}

impl Asked {
    /// The version of its image, of a published kernel.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.published.as_ref()?.version
    }

    /// For which processor it is, of a published kernel.
    #[must_use]
    pub fn processor(&self) -> Option<Processor> {
        self.published.as_ref()?.processor
    }

    /// By the debug record of the image; else by time stamp and size, of the image or in the list of modules.
    #[must_use]
    pub fn of(dump: &Dump, image: Option<&KernelImage>) -> Option<Self> {
        // Newer images have a hash where the time of linking was, so that equal sources give equal files (Raymond
        // Chen, "Why are the module timestamps in Windows 10 so nonsensical?"). As a key it does as well: of 2,065
        // published kernels no two share it and the size.
        let in_header = image.map(|image| (image.timestamp, image.size_of_image));
        let in_list = || kdump::kernel_stamp(dump);
        let record = image.and_then(|image| image.codeview.as_ref());
        // GUID and age are drawn with each build of the PDB: nothing else is as sure. But not every dump holds the
        // debug directory; one of two real triage dumps that were looked at has none of the kernel.
        if let Some(rsds) = record {
            let identity = Identity {
                pdb_name: rsds.pdb_name.clone(),
                guid: Guid(rsds.guid),
                age: rsds.age,
            };
            let known = published::by_identity(&identity);
            let stamp = in_header.or_else(in_list);
            let other = stamp.and_then(|(timestamp, size)| published::by_stamp(timestamp, size));
            let other = other.filter(|other| !is_of(other, &identity));
            return Some(Self {
                learned: Learned::DebugRecord,
                stamp: stamp.or(known.as_ref().and_then(|known| known.stamp)),
                published: known,
                contradiction: other.map(|other| {
                    format!(
                        "its debug record names {identity}, its time stamp and size those of {}",
                        other.identity
                    )
                }),
                identity,
            });
        }
        let by = |stamp: Option<(u32, u32)>, learned| {
            let (timestamp, size) = stamp?;
            Some((published::by_stamp(timestamp, size)?, learned))
        };
        let (known, learned) =
            by(in_header, Learned::ImageHeader).or_else(|| by(in_list(), Learned::ModuleList))?;
        Some(Self {
            identity: known.identity.clone(),
            learned,
            stamp: known.stamp,
            published: Some(known),
            contradiction: None,
        })
    }
}

fn is_of(published: &Published, identity: &Identity) -> bool {
    (published.identity.guid, published.identity.age) == (identity.guid, identity.age)
}

//! Which kernel a dump is of, as `info`, `symbols` and `triage` have it.

use alpc::system::Learned;
use ntlayout::Identity;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::session::Session;
use crate::text::escape;
use crate::text::marked::{Look, text};
use crate::text::rows::Rows;

/// Which kernel it is.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct KernelIdentity {
    /// The symbol server's key of its PDB: name, GUID and age.
    pub pdb: String,
    /// The symbol server's key of its image: name, time stamp and size; null where neither the dump nor the table of
    /// published kernels has these.
    image: Option<String>,
    /// The version of its image; null of a kernel that is not in the table.
    version: Option<String>,
    /// Where it was learned which kernel it is.
    learned: Learned,
    /// What else in the dump names another kernel; not there when nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    contradiction: Option<String>,
}

impl KernelIdentity {
    /// What the dump says of it; none where it does not.
    pub fn of(session: &Session) -> Option<Self> {
        let asked = session.asked()?;
        // The time stamp in eight capital digits, the size without padding right behind it: so stores name an
        // image's folder.
        let image = |(timestamp, size)| format!("{}/{timestamp:08X}{size:x}", image_name(&asked.identity));
        Some(Self {
            pdb: session.redactor().view(&asked.identity.to_string()),
            image: asked.stamp.map(image),
            version: asked.version().map(|version| version.to_string()),
            learned: asked.learned,
            contradiction: asked.contradiction.clone(),
        })
    }

    /// What is not in the dump's own words, in rows.
    pub fn rows(&self, rows: &mut Rows) {
        if self.learned != Learned::DebugRecord {
            rows.text("Identified by", self.learned.words());
        }
        if let Some(version) = &self.version {
            rows.text("Kernel version", version);
        }
        if let Some(image) = &self.image {
            rows.text("Image on servers", image);
        }
        if let Some(contradiction) = &self.contradiction {
            rows.look(
                Look::Warning,
                text!("  contradiction: {}", escape::text(contradiction)),
            );
        }
    }
}

/// A published kernel that the dump can be of, which does not say of which it is.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct KernelCandidate {
    /// The symbol server's key of its PDB: name, GUID and age.
    pub pdb: String,
    /// The version of its image; null where no source says it.
    version: Option<String>,
}

impl KernelCandidate {
    /// Those whose variables are where the dump says.
    pub fn all(session: &Session) -> Vec<Self> {
        let kernels = session.candidates().iter();
        let candidates = kernels.map(|(kernel, _)| Self {
            pdb: kernel.identity.to_string(),
            version: kernel.version.map(|version| version.to_string()),
        });
        candidates.collect()
    }
}

/// Each in a row, under one label.
pub fn candidate_rows(rows: &mut Rows, candidates: &[KernelCandidate]) {
    let mut label = "By its addresses";
    for candidate in candidates {
        let version = candidate.version.as_deref().unwrap_or("version not known");
        rows.text(label, text!("may be {version} ({})", candidate.pdb));
        label = "";
    }
}

/// What symbol servers file an image as, by its PDB. Systems with several processors have another file of that name.
fn image_name(identity: &Identity) -> &'static str {
    match identity.pdb_name.to_ascii_lowercase().as_str() {
        "ntkrla57.pdb" => "ntkrla57.exe",
        "ntkrpamp.pdb" => "ntkrpamp.exe",
        "ntkrnlpa.pdb" => "ntkrnlpa.exe",
        // ntkrnlmp.exe is what most machines run; setup copies it under the name of the other one (Windows Internals
        // on the kernel's files).
        _ => "ntoskrnl.exe",
    }
}

//! The files of `fixtures/`, which the repository keeps.

use crate::dump::Kind;
use crate::worlds;

/// Every file with its name. The same bytes every time.
#[must_use]
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    let vista = worlds::vista_sp2_x64();
    vec![
        ("vista-sp2-x64.dmp", vista.dump(Kind::Summary)),
        ("vista-sp2-x64.pdb", vista.pdb()),
    ]
}

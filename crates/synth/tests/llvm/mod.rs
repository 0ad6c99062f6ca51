//! LLVM's reader of PDBs, where it is installed.

use std::process::Command;

/// What `llvm-pdbutil dump` says of a PDB; `None` where there is no such tool.
pub fn dump(pdb: &[u8], arguments: &[&str]) -> Option<String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pdb).unwrap();
    let mut command = Command::new("llvm-pdbutil");
    let output = command
        .arg("dump")
        .args(arguments)
        .arg(file.path())
        .output()
        .ok()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

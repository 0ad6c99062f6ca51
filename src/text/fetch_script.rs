//! Scripts that fetch symbols, for a machine that has a network: this program has none.

/// Where Microsoft gives its symbols away.
pub const SERVER: &str = "https://msdl.microsoft.com/download/symbols";

/// A file of a symbol server.
pub struct File<'a> {
    /// Its name.
    pub name: &'a str,
    /// The folder that servers keep it in: GUID and age.
    pub key: &'a str,
    /// The GUID as the file has it, in hex.
    pub guid: String,
}

// `--location`, since the server answers with a redirection to where the file is kept. The GUID stands whole in
// a PDB: it is in the first block of its stream, 12 bytes in, and a block is never torn (LLVM's "The PDB Info
// Stream").
const SH_HEAD: &str = r#"#!/bin/sh
# Fetches the symbols that the kernels of dumps ask for into a symbol store: the folder that the first argument names, or
# "symbols". Run it again to resume; what is there already stays. One that fails does not stop the others: the status is 1
# then. Needs curl.
set -u
store=${1:-symbols}
failed=0

# ADDRESS FILE
get() {
    curl --fail --location --retry 3 --continue-at - --output "$2" "$1" && return
    # 33: the server cannot go on where an earlier run ended.
    [ $? -eq 33 ] || return 1
    rm -f "$2"
    curl --fail --location --retry 3 --output "$2" "$1"
}

# NAME KEY GUID
fetch() {
    target=$store/$1/$2/$1
    if [ -s "$target" ]; then
        echo "there already: $target"
        return
    fi
    mkdir -p "$store/$1/$2" || return 1
    if ! get "SERVER/$1/$2/$1" "$target.part"; then
        echo "$target: not fetched" >&2
        return 1
    fi
    # A PDB has its GUID in it. An error page or a compressed file has not.
    if ! od -An -v -tx1 "$target.part" | tr -d ' \n' | grep -q "$3"; then
        mv "$target.part" "$target.wrong"
        echo "$target.wrong: not the PDB that was asked for; it is left for a look" >&2
        return 1
    fi
    mv "$target.part" "$target" || return 1
    echo "fetched: $target"
}

"#;

// For Windows PowerShell 5.1, which is on every Windows: there Invoke-WebRequest draws a bar that makes large
// downloads many times slower (PowerShell issue 2138), and parses pages with Internet Explorer's engine, which
// is gone on some systems, unless it has -UseBasicParsing.
const PS1_HEAD: &str = r#"# Fetches the symbols that the kernels of dumps ask for into a symbol store: the folder that -Store names, or "symbols". Run
# it again to resume; what is there already stays. One that fails does not stop the others: the status is 1 then.
param([string]$Store = 'symbols')
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$failed = 0

function Get-Symbols([string]$Name, [string]$Key, [string]$Guid) {
    $folder = Join-Path (Join-Path $Store $Name) $Key
    $target = Join-Path $folder $Name
    if ((Test-Path $target) -and (Get-Item $target).Length -gt 0) { "there already: $target"; return }
    New-Item -ItemType Directory -Force $folder | Out-Null
    Invoke-WebRequest -UseBasicParsing "SERVER/$Name/$Key/$Name" -OutFile "$target.part"
    # A PDB has its GUID in it. An error page or a compressed file has not.
    $bytes = [IO.File]::ReadAllBytes((Resolve-Path "$target.part"))
    if (-not [BitConverter]::ToString($bytes).Replace('-', '').Contains($Guid.ToUpper())) {
        Move-Item -Force "$target.part" "$target.wrong"
        throw "$target.wrong: not the PDB that was asked for; it is left for a look"
    }
    Move-Item -Force "$target.part" $target
    "fetched: $target"
}

"#;

/// A script for shells of Unix.
pub fn sh(files: &[File<'_>]) -> String {
    let calls = files
        .iter()
        .map(|file| format!("fetch {} {} {} || failed=1\n", file.name, file.key, file.guid));
    SH_HEAD.replace("SERVER", SERVER) + &calls.collect::<String>() + "exit $failed\n"
}

/// The same for PowerShell.
pub fn ps1(files: &[File<'_>]) -> String {
    let call = |file: &File<'_>| {
        let arguments = format!("'{}' '{}' '{}'", file.name, file.key, file.guid);
        format!("try {{ Get-Symbols {arguments} }} catch {{ Write-Warning $_; $failed = 1 }}\n")
    };
    PS1_HEAD.replace("SERVER", SERVER) + &files.iter().map(call).collect::<String>() + "exit $failed\n"
}

/// A manifest, as symchk takes it with `/im`: a line a file.
pub fn manifest(files: &[File<'_>]) -> String {
    // Name, key, and 1 for "a file": what `symchk /om` writes on the machine without a network (Microsoft Learn,
    // "Using a Manifest File with SymChk").
    let lines = files.iter().map(|file| format!("{},{},1\n", file.name, file.key));
    lines.collect()
}

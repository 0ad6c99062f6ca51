//! Where symbols are looked for, and in which order.

use std::env;
use std::path::{Path, PathBuf};

use crate::path::{Place, parse_path};

/// All places where symbols for a dump are looked for, in order: those that a user named, `_NT_ALT_SYMBOL_PATH`, `_NT_SYMBOL_PATH`, the dump's folder, and
/// the platform's cache folder.
pub fn all_places(options: &[PathBuf], dump: &Path) -> Vec<Place> {
    let cache = cache_folder();
    let default_store = default_store();
    let default_store = default_store.as_deref().or(cache.as_deref());
    let mut places: Vec<Place> = options
        .iter()
        .flat_map(|option| option_places(option, default_store))
        .collect();
    // The order of the debuggers: the alternate path is searched first (Microsoft's "Symbol path for Windows
    // debuggers").
    for variable in ["_NT_ALT_SYMBOL_PATH", "_NT_SYMBOL_PATH"] {
        if let Ok(path) = env::var(variable) {
            places.extend(parse_path(&path, default_store));
        }
    }
    let beside = dump.parent().filter(|folder| !folder.as_os_str().is_empty());
    places.push(Place::Beside(beside.unwrap_or(Path::new(".")).to_owned()));
    places.extend(cache.map(Place::named));
    places
}

/// Of the places that a user named those that are not there; of what is not on this machine nothing is asked.
#[must_use]
pub fn absent_places(options: &[PathBuf]) -> Vec<PathBuf> {
    let places = options.iter().flat_map(|option| option_places(option, None));
    let paths = places.filter_map(|place| match place {
        Place::Path(path) | Place::Store(path) => Some(path),
        Place::Beside(_) | Place::Remote(_) => None,
    });
    paths.filter(|path| !path.exists()).collect()
}

/// An option is a path as it stands, unless only the grammar of symbol paths makes sense of it. Whether it is there
/// is asked only of what is on this machine.
fn option_places(option: &Path, default_store: Option<&Path>) -> Vec<Place> {
    match (Place::named(option.to_owned()), option.to_str()) {
        (Place::Path(path), Some(text)) if !path.exists() => parse_path(text, default_store),
        (Place::Remote(_), Some(text)) => parse_path(text, default_store),
        (place, _) => vec![place],
    }
}

/// The folder `alpc-dump/symbols` among the user's caches; nothing is ever written there by this crate.
pub fn cache_folder() -> Option<PathBuf> {
    let folder = |variable: &str| {
        env::var_os(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let caches = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Caches"))
    } else {
        folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")))
    };
    caches.map(|caches| caches.join("alpc-dump").join("symbols"))
}

/// Where the debuggers keep what they fetch when a path names no store.
fn default_store() -> Option<PathBuf> {
    let data = env::var_os("ProgramData").filter(|_| cfg!(windows))?;
    // C:\ProgramData\Dbg\Sym, of WinDbg and Visual Studio, whatever the user.
    Some(PathBuf::from(data).join("Dbg").join("Sym"))
}

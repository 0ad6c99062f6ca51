//! Names of interfaces and procedures.
//!
//! Out of published interface definitions (Microsoft's open specifications, impacket, Samba), and for interfaces that
//! nobody has documented out of the symbols of servers of several versions of Windows (published by Akamai and James
//! Forshaw). `data/` has the tables with the source of every row.

mod endpoint;
mod packed;
mod version;

use std::borrow::Cow;
use std::collections::HashMap;

pub use endpoint::{Served, expected_images, served};

use crate::uuid::Uuid;
use packed::Table;

/// The tables as they are checked in: procedures, interfaces with their numbers of procedures, endpoints, images.
pub const TABLES: [&str; 2] = [endpoint::TABLE, endpoint::IMAGES];

/// What is known of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interface {
    /// Its id.
    pub uuid: Uuid,
    /// Its name; none for one that is known by its server alone.
    pub name: Option<&'static str>,
    /// The modules that serve it, with commas between them; empty when that is not known.
    pub modules: &'static str,
    /// How many procedures it has at least: the highest number that is known, and one.
    pub procedures: Option<u16>,
}

/// The name of a procedure.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Procedure<'n> {
    name: Cow<'n, str>,
    /// Whether it is sure in the build that was asked for: documented, or the same in versions around it. Interfaces
    /// that nobody has documented change from one version of Windows to another.
    pub is_sure: bool,
    /// Where it is from.
    pub source: Cow<'n, str>,
}

impl Procedure<'_> {
    /// The name.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.name
    }
}

/// Names of procedures: those that are built in, and before them a user's own.
#[derive(Clone, Debug, Default)]
pub struct Names {
    own: HashMap<(Uuid, u32), (String, String)>,
}

/// A line of a table of names that is none.
#[derive(Clone, Debug, thiserror::Error)]
#[error("line {line}: {what}; a line is: UUID, number, name, source, with a tab between them")]
pub struct BadLine {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl Names {
    /// The names that are built in.
    #[must_use]
    pub fn built_in() -> Self {
        Self::default()
    }

    /// Adds a user's own, which go before the others: a table like `data/procedures.tsv`, with or without its first line
    /// and its last column. Of several for one number the first one stands.
    ///
    /// # Errors
    /// When a line cannot be read.
    pub fn add(&mut self, table: &str) -> Result<(), BadLine> {
        // Spreadsheets that save as "CSV UTF-8" or text, and Notepad before Windows 10 1903, begin UTF-8 with a byte
        // order mark.
        let table = table.strip_prefix('\u{feff}').unwrap_or(table);
        for (at, line) in table.lines().enumerate() {
            let is_title = at == 0 && line.starts_with("uuid\t");
            if is_title || line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let bad = |what: String| BadLine {
                line: at.saturating_add(1),
                what,
            };
            let mut fields = line.split('\t').map(str::trim);
            let uuid = fields.next().unwrap_or_default();
            let uuid: Uuid = uuid
                .parse()
                .map_err(|error: crate::uuid::NotAUuid| bad(error.to_string()))?;
            let number = fields.next().unwrap_or_default();
            // `0x2c` by those who read headers, 44 by those who read specifications: opnums are decimal in
            // Microsoft's.
            let hex = number.strip_prefix("0x");
            let parsed = hex.map_or_else(|| number.parse(), |hex| u32::from_str_radix(hex, 16));
            let number = parsed.map_err(|_| bad(format!("{number:?} is no number of a procedure")))?;
            let name = fields.next().filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| bad("it has no name".to_owned()))?;
            let source = fields.next().unwrap_or_default();
            let named = self.own.entry((uuid, number));
            named.or_insert_with(|| (name.to_owned(), source.to_owned()));
        }
        Ok(())
    }

    /// What is known of an interface.
    #[must_use]
    pub fn interface(&self, uuid: Uuid) -> Option<Interface> {
        let found = Table::built_in().interface(uuid)?;
        let (name, modules) = split(found.name);
        Some(Interface {
            uuid,
            name,
            modules,
            procedures: (found.procedures != 0).then_some(found.procedures),
        })
    }

    /// The name of an interface's procedure in a build of Windows.
    #[must_use]
    pub fn procedure(&self, interface: Uuid, number: u32, build: Option<u32>) -> Option<Procedure<'_>> {
        if let Some((name, source)) = self.own.get(&(interface, number)) {
            return Some(Procedure {
                name: name.into(),
                is_sure: true,
                source: source.into(),
            });
        }
        let rows = Table::built_in().procedures(interface, number);
        let (row, is_sure) = version::choose(&rows, build)?;
        Some(Procedure {
            name: row.name.into(),
            is_sure,
            source: row.source.into(),
        })
    }

    /// Whether an interface may have a procedure of this number: true as well where its number of procedures is unknown.
    #[must_use]
    pub fn may_have(&self, interface: Uuid, number: u32) -> bool {
        let known = self
            .interface(interface)
            .and_then(|interface| interface.procedures);
        // The highest number that any source knows, and one: of an interface that has grown since it is too small,
        // so a user's own names count as well.
        known.is_none_or(|known| number < u32::from(known)) || self.own.contains_key(&(interface, number))
    }

    /// Every row that is built in: interface, number, name, source.
    pub fn rows(&self) -> impl Iterator<Item = (Uuid, u16, &'static str, &'static str)> {
        Table::built_in().rows()
    }
}

/// `lsarpc [lsasrv.dll]` and `[bisrv.dll]`: a name, if there is one, and the modules.
fn split(text: &'static str) -> (Option<&'static str>, &'static str) {
    let (name, modules) = match text.split_once('[') {
        Some((name, rest)) => (name, rest.split(']').next().unwrap_or_default()),
        None => (text, ""),
    };
    // What a table says in brackets is of no use in a line: `epmapper (ept)`.
    let name = name.split(" (").next().unwrap_or(name).trim();
    ((!name.is_empty()).then_some(name), modules)
}

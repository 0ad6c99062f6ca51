//! Names that only look the same: what somebody who wants to be taken for another server gives a port or a program.

use std::collections::BTreeMap;

use kdump::Gva;
use ntkernel::image::redact::Redaction;
use ntkernel::object;
use ntkernel::process::image_name;

use super::{Check, kinds};
use crate::port::enumerate;

/// Names of Windows' own programs that others are often named like. (Windows Internals; all of them run in every Windows
/// from Vista on.)
const OWN: [&str; 9] = [
    "csrss.exe",
    "lsass.exe",
    "lsm.exe",
    "services.exe",
    "smss.exe",
    "svchost.exe",
    "wininit.exe",
    "winlogon.exe",
    "explorer.exe",
];

/// A name as the eye takes it: case, blanks at the end and what cannot be seen left out, letters that look like others
/// replaced by these. The letters are those of Unicode's list of confusables (UTS 39) that look like the Latin ones which
/// names of Windows have; digits that are taken for letters beside them.
pub(super) fn looks(name: &str) -> String {
    name.trim_end()
        .chars()
        .filter(|letter| !is_unseen(*letter))
        .map(look)
        .flat_map(char::to_lowercase)
        .map(|letter| match letter {
            // Capital I and small L, one and zero.
            'i' | '1' | '|' => 'l',
            '0' => 'o',
            other => other,
        })
        .collect()
}

fn is_unseen(letter: char) -> bool {
    matches!(
        letter,
        '\0' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}

fn look(letter: char) -> char {
    match letter {
        'а' | 'А' | 'α' | 'Α' => 'a',
        'В' | 'Β' => 'b',
        'с' | 'С' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'Е' | 'Ε' => 'e',
        'һ' | 'Н' | 'Η' => 'h',
        'і' | 'І' | 'Ι' | 'ι' | 'ı' => 'i',
        'ј' | 'Ј' => 'j',
        'К' | 'Κ' | 'κ' => 'k',
        'ӏ' | 'Ӏ' => 'l',
        'М' | 'Μ' => 'm',
        'Ν' => 'n',
        'о' | 'О' | 'ο' | 'Ο' => 'o',
        'р' | 'Р' | 'ρ' | 'Ρ' => 'p',
        'ѕ' | 'Ѕ' => 's',
        'Т' | 'Τ' => 't',
        'υ' => 'u',
        'ν' | 'ѵ' => 'v',
        'ԝ' => 'w',
        'х' | 'Х' | 'Χ' => 'x',
        'у' | 'У' | 'Υ' => 'y',
        'Ζ' => 'z',
        '\u{ff01}'..='\u{ff5e}' => {
            let narrow = u32::from(letter).saturating_sub(0xfee0);
            char::from_u32(narrow).unwrap_or(letter)
        }
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{3000}' => ' ',
        other => other,
    }
}

impl Check<'_, '_> {
    /// Names of ports in one directory, and of images, that only look the same.
    pub(super) fn look_alikes(&mut self, ports: &enumerate::Ports) {
        // Compared are the names as they are, whatever records may tell of them.
        let kernel = &self.kernel.unredacted();
        let hides = self.kernel.redaction().is_some_and(Redaction::hides_names);
        let mut named: BTreeMap<_, Vec<(Gva, String)>> = BTreeMap::new();
        for &port in &ports.ports {
            let header = object::header(kernel, port);
            let name = header.clone().and_then(object::name).ok().flatten();
            let Some(name) = name else { continue };
            let directory = header.and_then(object::directory_of).ok().flatten();
            named
                .entry((directory, looks(&name)))
                .or_default()
                .push((port, name));
        }
        for alike in named.values().filter(|alike| alike.len() > 1) {
            self.alike(alike, hides);
        }
        let processes: Vec<Gva> = match &self.processes {
            Ok(processes) => processes.iter().copied().collect(),
            Err(_) => return,
        };
        for process in processes {
            let Ok(image) = image_name(kernel.at(process)) else {
                continue;
            };
            let meant = OWN.iter().find(|own| looks(own) == looks(&image));
            if let Some(own) = meant.filter(|own| !image.eq_ignore_ascii_case(own)) {
                let at = self.kernel.addr(process);
                let named = match hides {
                    true => String::new(),
                    false => format!(", \"{}\",", apart(&image)),
                };
                let text = format!("the name of the process {at}{named} looks like {own}");
                self.find(kinds::LOOK_ALIKE, &[process], text);
            }
        }
    }

    fn alike(&mut self, alike: &[(Gva, String)], hides: bool) {
        let Some(((first, name), others)) = alike.split_first() else {
            return;
        };
        for (other, second) in others {
            let (at, other_at) = (self.kernel.addr(*first), self.kernel.addr(*other));
            let names = match hides {
                true => String::new(),
                false => format!(": \"{}\" and \"{}\"", apart(name), apart(second)),
            };
            let text = format!("the names of the ports {at} and {other_at} look the same{names}");
            self.find(kinds::LOOK_ALIKE, &[*first, *other], text);
        }
    }
}

/// A name in which what looks alike can be told apart.
fn apart(name: &str) -> String {
    let told = |letter: char| match letter {
        ' '..='~' => letter.to_string(),
        other => other.escape_unicode().to_string(),
    };
    name.chars().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::looks;

    #[test]
    fn names_that_look_the_same() {
        for (one, other) in [
            ("svchost.exe", "svch0st.exe"),
            ("svchost.exe", "svсhоst.exe"),
            ("lsass.exe", "Isass.exe"),
            ("lsass.exe", "1sass.exe"),
            ("ntsvcs", "ntsvcs  "),
            ("epmapper", "ｅpmapper"),
            ("ApiPort", "Api\u{200b}Port"),
        ] {
            assert_eq!(looks(one), looks(other), "{one} {other}");
        }
        for (one, other) in [
            ("lsass.exe", "lsaiso.exe"),
            ("ntsvcs", "ntsvc"),
            ("spoolsv.exe", "spoolss"),
        ] {
            assert_ne!(looks(one), looks(other));
        }
    }
}

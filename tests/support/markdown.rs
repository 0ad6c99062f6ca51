//! The documents as their readers see them: what is in fences, links and headings.

use std::fs;
use std::path::PathBuf;

use super::root;

/// A document of the repository.
pub struct Page {
    /// Its path from the root, with `/` between folders.
    pub name: String,
    pub text: String,
}

/// What stands between two fences.
pub struct Block {
    /// Where it begins: the page and the line of the fence.
    pub at: String,
    /// What stands behind the opening fence.
    pub info: String,
    pub lines: Vec<String>,
}

/// One command of a console block, with what is shown below it.
pub struct Shown {
    pub at: String,
    pub command: String,
    pub output: Vec<String>,
}

impl Page {
    /// A document by its path from the root.
    pub fn open(name: &str) -> Self {
        let text = fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self {
            name: name.to_owned(),
            text,
        }
    }

    /// README.md and all pages of docs/.
    pub fn all() -> Vec<Self> {
        let folder = fs::read_dir(root().join("docs")).unwrap();
        let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".md")).collect();
        names.sort();
        let pages = names.iter().map(|name| Self::open(&format!("docs/{name}")));
        std::iter::once(Self::open("README.md")).chain(pages).collect()
    }

    /// The folder that its links start at.
    pub fn folder(&self) -> PathBuf {
        root().join(&self.name).parent().unwrap().to_owned()
    }

    /// All blocks, in order. One that does not end is a mistake.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let Some(info) = line.trim_start().strip_prefix("```") else {
                continue;
            };
            let at = format!("{}:{}", self.name, number + 1);
            let mut inside = Vec::new();
            loop {
                let (_, line) = lines.next().unwrap_or_else(|| panic!("{at}: no end"));
                if line.trim_start().starts_with("```") {
                    break;
                }
                inside.push(line.to_owned());
            }
            blocks.push(Block {
                at,
                info: info.to_owned(),
                lines: inside,
            });
        }
        blocks
    }

    /// Its lines without those in fences.
    pub fn prose(&self) -> Vec<&str> {
        let mut inside = false;
        let is_prose = |line: &&str| {
            let fence = line.trim_start().starts_with("```");
            inside ^= fence;
            !inside && !fence
        };
        self.text.lines().filter(is_prose).collect()
    }

    /// What stands between back-ticks in its prose.
    pub fn code(&self) -> Vec<String> {
        let prose = self.prose().join(" ");
        prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    /// The names of its headings, as links write them behind `#`: lower case, blanks as hyphens, no other signs.
    pub fn anchors(&self) -> Vec<String> {
        let prose = self.prose().into_iter();
        let headings = prose.filter(|line| line.starts_with('#'));
        headings
            .map(|line| anchor(line.trim_start_matches('#')))
            .collect()
    }

    /// Where its links and pictures lead, out of prose.
    pub fn links(&self) -> Vec<String> {
        let prose = self.prose().join("\n");
        let mut links = Vec::new();
        for behind in prose.split("](").skip(1) {
            let target = behind.split([')', ' ']).next().unwrap_or_default();
            links.push(target.to_owned());
        }
        links
    }
}

impl Block {
    /// The commands of a console block: each line behind `$ `, and the lines below it up to the next.
    pub fn shown(&self) -> Vec<Shown> {
        let mut commands: Vec<Shown> = Vec::new();
        for line in &self.lines {
            if let Some(command) = line.strip_prefix("$ ") {
                commands.push(Shown {
                    at: self.at.clone(),
                    command: command.to_owned(),
                    output: Vec::new(),
                });
            } else {
                let last = commands.last_mut();
                let last = last.unwrap_or_else(|| panic!("{}: no command above {line}", self.at));
                last.output.push(line.clone());
            }
        }
        assert!(!commands.is_empty(), "{}: no command", self.at);
        commands
    }
}

impl Shown {
    /// A line of what is shown that is not printed, or not there; a line of dots stands for any number of lines.
    pub fn differs(&self, printed: &str) -> Option<String> {
        let printed: Vec<&str> = printed.lines().collect();
        let parts: Vec<&[String]> = self.output.split(|line| line == "...").collect();
        let mut from = 0;
        for (number, part) in parts.iter().enumerate() {
            let (first, last) = (number == 0, number + 1 == parts.len());
            let rest = printed.get(from..).unwrap_or_default();
            let at = place(rest, part, first, last);
            let Some(at) = at else {
                let nowhere = part.iter().find(|line| !rest.contains(&line.as_str()));
                return Some(nowhere.or(part.first()).cloned().unwrap_or_default());
            };
            from += at + part.len();
        }
        None
    }
}

/// Where the lines stand: at the begin if they are the first part, at the end if the last, else anywhere.
fn place(printed: &[&str], part: &[String], first: bool, last: bool) -> Option<usize> {
    let end = printed.len().checked_sub(part.len())?;
    let mut places = 0..=end;
    places.find(|&at| {
        let same = printed.iter().skip(at).zip(part).all(|(one, other)| one == other);
        same && (!first || at == 0) && (!last || at == end)
    })
}

/// The name of a heading in links.
fn anchor(heading: &str) -> String {
    let signs = heading.trim().chars().filter_map(|sign| match sign {
        ' ' => Some('-'),
        '-' | '_' => Some(sign),
        _ if sign.is_alphanumeric() => Some(sign),
        _ => None,
    });
    signs.collect::<String>().to_lowercase()
}

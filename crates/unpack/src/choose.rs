//! Which file of an archive is the dump.

/// How the names of dumps and of images of memory end, in any case of letters.
const ENDS: [&str; 12] = [
    "dmp", "mdmp", "hdmp", "vmem", "vmrs", "raw", "mem", "img", "elf", "core", "lime", "sav",
];
/// Names that are told of an archive with several files.
const NAMED: usize = 4;

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Its length, where the archive tells.
    pub(crate) len: Option<u64>,
}

/// The only file, or the only one that is named like a dump; what there is instead.
pub(crate) fn dump(members: &[Member]) -> Result<&Member, String> {
    if let [one] = members {
        return Ok(one);
    }
    let named = |member: &&Member| {
        let (_, end) = member.name.rsplit_once('.').unwrap_or_default();
        ENDS.iter().any(|known| end.eq_ignore_ascii_case(known))
    };
    let dumps: Vec<&Member> = members.iter().filter(named).collect();
    match dumps.as_slice() {
        [one] => Ok(one),
        [] if members.is_empty() => Err("it is empty".to_owned()),
        [] => Err(format!("none of its {} files is named like one", members.len())),
        several => {
            let names: Vec<String> = several
                .iter()
                .take(NAMED)
                .map(|member| shown(&member.name))
                .collect();
            let more = match several.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            Err(format!("{}{more} may be", names.join(", ")))
        }
    }
}

/// A name that was read from a file, on one line.
fn shown(name: &str) -> String {
    name.escape_debug().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(names: &[&str]) -> Result<String, String> {
        let members: Vec<Member> = names
            .iter()
            .map(|name| Member {
                name: (*name).to_owned(),
                len: None,
            })
            .collect();
        dump(&members).map(|member| member.name.clone())
    }

    #[test]
    fn the_only_dump_is_taken() {
        assert_eq!(among(&["report"]).unwrap(), "report");
        assert_eq!(
            among(&["a.txt", "Windows/MEMORY.DMP"]).unwrap(),
            "Windows/MEMORY.DMP"
        );
        assert_eq!(among(&[]).unwrap_err(), "it is empty");
        assert_eq!(
            among(&["a.txt", "b.txt"]).unwrap_err(),
            "none of its 2 files is named like one"
        );
        assert_eq!(
            among(&["a.dmp", "b\n.mdmp"]).unwrap_err(),
            "a.dmp, b\\n.mdmp may be"
        );
        assert_eq!(
            among(&["1.dmp", "2.dmp", "3.dmp", "4.dmp", "5.dmp", "6.dmp"]).unwrap_err(),
            "1.dmp, 2.dmp, 3.dmp, 4.dmp and 2 more may be"
        );
    }
}

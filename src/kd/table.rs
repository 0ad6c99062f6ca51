//! The debugger's commands that are not run here: those that only change how a debugger shows or finds things pass, and
//! of the others it is told which of ours comes nearest.

/// What a debugger's command comes to here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Here {
    /// Nothing, and no later line depends on it: why.
    Passes(&'static str),
    /// This one of ours, or how to write it.
    Nearest(&'static str),
}

use Here::{Nearest, Passes};

const SYMBOLS: Here =
    Passes("symbols are found by -y and the symbol path of the environment; `symbols` says where");
const EXTENSIONS: Here = Passes("no extensions are loaded: what is here is built in");
const LOG: Here = Passes("no log is written: -o FILE keeps the results");
const SHOWN: Here = Passes("it only changes how a debugger shows things");
const STACKS: Here = Nearest("`stack THREAD` shows the kernel stack of a thread, `stacks` those of all");
const MEMORY: Here = Nearest(
    "`db`, `dw`, `dd`, `dq ADDRESS [L COUNT]` or `mem ADDRESS [LEN]`; `dt TYPE ADDRESS` shows a type's members",
);
const RUNNING: Here = Nearest("a dump does not run: `threads` lists what each thread does");
const CODE: Here = Nearest("no code is shown here: `modules` lists what is loaded");
const CONTEXT: Here = Nearest(
    "the current process and thread stay those of the crash: name others in each line, as in `!process ADDRESS 7`",
);
const SCRIPT: Here = Nearest(
    "scripts that decide and repeat are not run: `hang`, `ports` and `threads` look at the whole system",
);
const LOCKS: Here = Nearest("`locks`, and `chain THREAD` for the owner of what one thread waits for");
const DEVICES: Here = Nearest(
    "`hang` and `chain THREAD` show a thread's I/O requests, `irp ADDRESS` the devices and drivers of one",
);

const TABLES: Here = Nearest("`mem ADDRESS -v` says where its bytes are in physical memory and in the file");
const CHANGES: Here = Nearest("a dump is only read, and not searched: `mem ADDRESS [LEN]` shows its memory");

/// By name in lower case, without the `+` and options that are written onto some.
const TABLE: &[(&[&str], Here)] = &[
    (
        &[
            ".reload", ".symfix", ".sympath", ".symopt", ".exepath", "!sym", "!symfix", "ld",
        ],
        SYMBOLS,
    ),
    (
        &[
            ".load",
            ".loadby",
            ".unload",
            ".unloadall",
            ".extpath",
            ".setdll",
            ".chain",
        ],
        EXTENSIONS,
    ),
    (&[".logopen", ".logclose", ".logappend", ".logfile"], LOG),
    (
        &[
            ".prompt_allow",
            ".lines",
            ".cls",
            ".beep",
            ".wtitle",
            ".hh",
            ".outmask",
            ".prefer_dml",
            ".enable_unicode",
            ".enable_long_status",
            ".force_radix_output",
            ".srcpath",
            ".lsrcpath",
            ".srcfix",
            ".lsrcfix",
            ".srcnoisy",
            ".sleep",
            ".printf",
            ".nvload",
            ".scriptload",
            ".noversion",
            // It hides the warnings about pages that a kernel dump has left out on purpose (Microsoft's
            // ".ignore_missing_pages").
            ".ignore_missing_pages",
            ".kframes",
            "!gle",
            "l+",
            "l-",
        ],
        SHOWN,
    ),
    (
        &["!qlocks", "!deadlock", "!cs", "!lock", "!exqueue", "!owner"],
        LOCKS,
    ),
    (
        &["!devstack", "!devobj", "!drvobj", "!irpfind", "!fileobj"],
        DEVICES,
    ),
    // `kd` is raw stack data, not a stack walk (Microsoft's "k, kb, kc, kd").
    (&["kd", "!mk", "!stackwalk"], STACKS),
    (
        &[
            "d", "da", "db", "dc", "dd", "dp", "dq", "du", "dw", "dps", "dqs", "dds", "dl", "!db", "!dd",
            "!dq",
        ],
        MEMORY,
    ),
    (&["!pte", "!vtop"], TABLES),
    (&["e", "eb", "ed", "eq", "s"], CHANGES),
    (&["g", "p", "t", "bp", "bl", "bu", "ba", "bc"], RUNNING),
    (&["u", "ub", "uf", "ln", "x", "!chkimg", "r", "r?"], CODE),
    (
        &[
            ".process", ".thread", ".context", ".trap", ".cxr", ".frame", ".ecxr", "!session",
        ],
        CONTEXT,
    ),
    (
        &[
            ".if",
            ".else",
            ".elsif",
            ".for",
            ".foreach",
            ".while",
            ".do",
            ".block",
            ".catch",
            ".leave",
            "!for_each_process",
            "!for_each_thread",
            "!for_each_module",
            "!list",
            "as",
            "al",
            "ad",
            "aS",
            "?",
            "??",
            "!dml_proc",
            "j",
            "z",
        ],
        SCRIPT,
    ),
    (
        // In kernel mode `~` is a processor: `~2s` changes to the third one. `~*k`, every thread's stack, is a
        // user-mode command that people type from habit (Microsoft's "~ (Thread Status)" and "~s (Change
        // Current Processor)").
        &["~", "!pcr", "!prcb", "!cpuinfo"],
        Nearest("`threads`: each line says what runs, on which processor, or is ready"),
    ),
    (&["!wct"], Nearest("`chain THREAD`")),
    (
        &[
            "!timer",
            "!dpcs",
            "!idt",
            "!irql",
            "!vm",
            "!memusage",
            "!poolused",
            "!pool",
            "!poolfind",
            "!verifier",
        ],
        Nearest("it has no view here; `info` shows what the dump is and holds"),
    ),
    (
        &[
            "!analyze",
            "vertarget",
            "version",
            ".bugcheck",
            ".time",
            ".dumpdebug",
            "!blackboxbsd",
            "||",
            "!cpuid",
            ".lastevent",
            "!errrec",
            "!whattime",
        ],
        Nearest("`info`"),
    ),
    (
        &["!lmi", "!dh", "!drivers"],
        Nearest("`symbols` for the kernel's own, `modules` for all"),
    ),
    (
        &["!peb", "!teb", "!job"],
        Nearest("`process PROCESS` and `thread THREAD`"),
    ),
    (
        &["!acl", "!sid", "!logonsession"],
        Nearest("`security PORT|OBJECT` for descriptors, `token THREAD|PROCESS` for who acts"),
    ),
    (
        // The names without a slash are in no help of the extension: EreTIk's notes on kdexts.dll 6.2.9200 list
        // them.
        &["!alpc"],
        Nearest(
            "!alpc [/m|/p|/r|/lpc|/lpp|-section|-region|-view|-presl] [/v] ADDRESS, or !alpc [/g|-graph|-lp|-lp0|-analyze]",
        ),
    ),
    (&["!lpc"], Nearest("!lpc message|port|thread ADDRESS")),
    (
        &["!thread"],
        Nearest("!thread [ADDRESS|-1|-t ID [FLAGS]]; `threads` lists all"),
    ),
    (
        &["!process"],
        Nearest("!process [PROCESS|-1 [FLAGS]] or !process 0 FLAGS [IMAGE]"),
    ),
    (&["!object"], Nearest("!object ADDRESS|PATH")),
    (
        &["!handle"],
        Nearest("!handle 0 FLAGS [PROCESS [TYPE]]: all handles, not one"),
    ),
    (
        &["lm"],
        Nearest("lm, lm m NAME or lm a ADDRESS: kernel modules only"),
    ),
    (
        &["dt", "dx", "!dso", "dv"],
        Nearest("`dt TYPE [ADDRESS]`: no fields, no expressions"),
    ),
];

/// What is known of a debugger's command.
pub fn find(word: &str) -> Option<Here> {
    let word = without_module(word);
    // Every thread is named with its command: `~*k`.
    let word = match word.starts_with('~') {
        true => "~".to_owned(),
        false => word,
    };
    // `.sympath+ PATH` appends where `.sympath PATH` replaces; `.srcpath+` and `.exepath+` likewise.
    let bare = word.trim_end_matches('+');
    let known = |name: &str| name == word || name == bare;
    TABLE
        .iter()
        .find_map(|(names, here)| names.iter().any(|name| known(name)).then_some(*here))
}

/// An extension's command in lower case, without its module: `!module.name` asks one extension DLL, needed where two have
/// the same name, as `!locks` of user and kernel mode (`!ntsdexts.locks`, `!kdexts.locks`).
pub fn without_module(word: &str) -> String {
    let word = word.to_ascii_lowercase();
    match word.split_once('.') {
        Some((module, name)) if module.starts_with('!') => format!("!{name}"),
        _ => word,
    }
}

/// The names of all, for those who mistyped one.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().flat_map(|(names, _)| names.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_stands_once_and_says_one_short_line() {
        let mut all: Vec<&str> = names().collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        for (names, Passes(text) | Nearest(text)) in TABLE {
            assert!(text.len() < 130 && !text.contains('\n'), "{names:?}");
        }
    }

    #[test]
    fn commands_are_found_however_they_are_written() {
        assert_eq!(find("!QLOCKS"), Some(LOCKS));
        assert_eq!(find("!kdexts.qlocks"), Some(LOCKS));
        assert_eq!(find(".sympath+"), Some(SYMBOLS));
        assert!(matches!(find("~*kv"), Some(Nearest(_))));
        assert_eq!(find("!nothing"), None);
    }
}

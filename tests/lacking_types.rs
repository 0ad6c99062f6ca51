//! Symbols of the right identity that lack types, as some PDBs of Microsoft's server do: all of them or some. What they
//! lack comes from elsewhere and is told, and a view that needs what nothing tells does not end with 0.

mod support;

use std::fs;
use std::path::PathBuf;

use alpc::CONTRACT;
use alpc::image::contract;
use ntlayout::{Layout, Pdb, SymbolTable, built_in};
use serde_json::Value;
use support::{Run, alpc_dump, say_if_none, shared};
use synth::dump::Kind;
use synth::layout::Kernel;
use synth::pdb::describe_kernel;
use synth::world::Built;
use synth::worlds;
use tempfile::TempDir;

/// A kernel whose identity comes with the program, and one whose does not.
const KNOWN: &str = "win10-2004-x64";
const UNKNOWN: &str = "win10-1803-x64";

const VIEWS: [&str; 9] = [
    "waits",
    "hang",
    "threads",
    "processes",
    "ports",
    "handles",
    "global",
    "analyze",
    "graph",
];

fn pdb_without(kernel: &Kernel, forgets: impl Fn(&str) -> bool) -> Vec<u8> {
    let mut pdb = describe_kernel(kernel);
    pdb.types.forget(forgets);
    pdb.write()
}

fn has(list: &Value, name: &str) -> bool {
    list.as_array().is_some_and(|list| list.contains(&name.into()))
}

/// A dump, and PDBs of its kernel in folders of their own.
struct Case {
    folder: TempDir,
}

impl Case {
    fn of(world: &Built) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("memory.dmp"), world.dump(Kind::BitmapKernel)).unwrap();
        let case = Self { folder };
        case.put("whole", &world.pdb());
        case.put("none", &pdb_without(&world.kernel, |_| true));
        case
    }

    fn put(&self, name: &str, pdb: &[u8]) {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("ntkrnlmp.pdb"), pdb).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, symbols: &[&str], args: &[&str]) -> Run {
        let mut line = vec![self.path("memory.dmp").to_str().unwrap().to_owned()];
        for name in symbols {
            line.push("-y".to_owned());
            line.push(
                self.path(&format!("{name}/ntkrnlmp.pdb"))
                    .to_str()
                    .unwrap()
                    .to_owned(),
            );
        }
        line.extend(args.iter().map(|arg| (*arg).to_owned()));
        alpc_dump(&line.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn json(&self, symbols: &[&str], view: &str, more: &[&str]) -> (Value, Run) {
        let mut args = vec!["--format", "json", "-c", view];
        args.extend(more);
        let run = self.run(symbols, &args);
        (run.json(), run)
    }
}

#[test]
fn the_layouts_of_the_same_image_fill_what_is_lacking() {
    let case = Case::of(&worlds::standard(KNOWN));
    for view in VIEWS {
        // Of locks and I/O requests the layouts that come with the program tell nothing, with or without a PDB.
        let compared: &[&str] = if matches!(view, "hang" | "graph") {
            &[]
        } else {
            &["whole"]
        };
        let (whole, wanted) = case.json(compared, view, &[]);
        let (filled, run) = case.json(&["none"], view, &[]);
        assert_eq!(filled["result"], whole["result"], "{view}");
        assert_eq!(run.status, wanted.status, "{view}: {}", run.stderr);
        let symbols = &filled["symbols"];
        assert_eq!(symbols["certainty"], "exact");
        let from = &symbols["types_from"][0];
        assert!(
            from["types"].as_array().unwrap().contains(&"_EPROCESS".into()),
            "{from}"
        );
        assert!(
            from["source"]
                .as_str()
                .unwrap()
                .starts_with("built-in layouts of "),
            "{from}"
        );
        assert!(run.stderr.contains("; they lack _ALPC_PORT, "), "{}", run.stderr);
        assert!(whole["symbols"]["types_from"].is_null() && whole["symbols"]["types_untold"].is_null());
    }
    for (view, label) in [("info", "Types lacking"), ("symbols", "Types lacking")] {
        let run = case.run(&["none"], &[view]);
        assert!(run.stdout.contains(label), "{}", run.stdout);
        assert!(!case.run(&["whole"], &[view]).stdout.contains(label));
    }
    assert_eq!(case.run(&["none"], &["symbols", "--check"]).status, 0);
    let explained = case.run(&["none"], &["--explain", "-c", "process pid:4"]);
    assert!(
        explained.stdout.contains("(by built-in layouts of "),
        "{}",
        explained.stdout
    );
}

#[test]
fn what_the_dump_holds_chooses_what_is_lacking() {
    let case = Case::of(&worlds::standard(UNKNOWN));
    for view in ["waits", "threads", "handles"] {
        let (whole, _) = case.json(&["whole"], view, &[]);
        let (filled, run) = case.json(&["none"], view, &[]);
        assert_eq!(
            filled["symbols"]["certainty"], "chosen by invariants",
            "{}",
            run.stderr
        );
        assert!(filled["symbols"]["source"].as_str().unwrap().starts_with("PDB "));
        assert_eq!(filled["result"], whole["result"], "{view}");
    }
    // The next source that is of the kernel is surer than what explains it.
    let (next, run) = case.json(&["none", "whole"], "waits", &[]);
    assert_eq!(next["result"], case.json(&["whole"], "waits", &[]).0["result"]);
    assert_eq!(next["symbols"]["certainty"], "exact", "{}", run.stderr);
    assert!(
        next["symbols"]["types_from"][0]["source"]
            .as_str()
            .unwrap()
            .contains("whole")
    );
    let looked = case.run(&["none", "whole"], &["symbols"]).stdout;
    assert!(
        looked.contains("the right symbols, without all of the types that are needed"),
        "{looked}"
    );
}

#[test]
fn nothing_ends_well_when_nothing_tells_the_types() {
    let case = Case::of(&worlds::standard(UNKNOWN));
    for view in VIEWS
        .into_iter()
        .chain(["message 0x4", "dt _EPROCESS", "check", "pack -o x"])
    {
        let line: Vec<&str> = ["--exact-symbols"].into_iter().chain(view.split(' ')).collect();
        let run = case.run(&["none"], &line);
        assert_eq!(run.status, 2, "{view}: {}{}", run.stdout, run.stderr);
        if !view.starts_with("check") {
            assert!(run.stderr.contains("has no types"), "{view}: {}", run.stderr);
        }
    }
    let run = case.run(&["none"], &["--exact-symbols", "symbols", "--check"]);
    assert_eq!(run.status, 1, "{}", run.stdout);
    // Without a world there is nothing to choose by either.
    let (json, run) = case.json(&["none"], "waits", &["--exact-symbols"]);
    assert_eq!(
        (run.status, &json["error"]["id"]),
        (2, &"symbols-without-types".into())
    );
}

#[test]
fn some_types_that_nothing_tells_are_no_absence() {
    let world = worlds::standard(UNKNOWN);
    let case = Case::of(&world);
    case.put(
        "some",
        &pdb_without(&world.kernel, |ty| ty == "_ETHREAD" || ty == "_KTHREAD"),
    );
    for view in ["waits", "hang", "threads"] {
        let (json, run) = case.json(&["some"], view, &["--exact-symbols"]);
        assert_ne!(run.status, 0, "{view}: {}", run.stderr);
        assert!(
            json["symbols"].is_null()
                || ["_ETHREAD", "_KTHREAD"]
                    .iter()
                    .all(|ty| has(&json["symbols"]["types_untold"], ty)),
            "{view}: {json}"
        );
    }
    assert_eq!(
        case.run(&["some"], &["--exact-symbols", "symbols", "--check"])
            .status,
        1
    );
    assert_eq!(case.run(&["some"], &["symbols", "--check"]).status, 0);
    // A pack of them does not tell of them either, and says so.
    let pack = case.path("some.pack");
    let run = case.run(
        &["some"],
        &["--exact-symbols", "pack", "-o", pack.to_str().unwrap()],
    );
    assert_eq!(run.status, 3, "{}{}", run.stdout, run.stderr);
    assert!(
        run.stdout.contains("they lack _ETHREAD, _KTHREAD"),
        "{}",
        run.stdout
    );
    let dump = case.path("memory.dmp");
    let run = alpc_dump(&[
        dump.to_str().unwrap(),
        "-y",
        pack.to_str().unwrap(),
        "--exact-symbols",
        "threads",
    ]);
    assert_ne!(run.status, 0, "{}", run.stderr);
    // Whole types are looked for in all that is at hand.
    assert_eq!(case.run(&["some"], &["dt", "_ETHREAD"]).status, 2);
    assert_eq!(case.run(&["some", "whole"], &["dt", "_ETHREAD"]).status, 0);
    assert_eq!(case.run(&["some"], &["dt", "_EPROCESS"]).status, 0);
}

/// Each type by itself: that it is lacking is known, and the layout is the same once it is filled.
#[test]
fn each_type_that_is_lacking_is_known_and_filled() {
    let kernel = Kernel::named(KNOWN);
    let resolve = |bytes: Vec<u8>| {
        let pdb = Pdb::from_bytes("ntkrnlmp.pdb", bytes).unwrap();
        pdb.resolve(&CONTRACT).unwrap()
    };
    let places = |layout: &Layout| {
        let fields = (0..CONTRACT.fields.len()).map(|index| {
            let field = layout.field(index)?;
            Some((field.offset, field.bits))
        });
        fields.collect::<Vec<_>>()
    };
    let whole = resolve(pdb_without(&kernel, |_| false));
    assert_eq!(contract::stripped(&CONTRACT, &whole), [] as [&str; 0]);
    let known = built_in(whole.identity().unwrap())
        .unwrap()
        .resolve(&CONTRACT)
        .unwrap();
    for ty in CONTRACT.types {
        if !kernel.has_type(ty) {
            continue;
        }
        let lacking = resolve(pdb_without(&kernel, |name| name == *ty));
        assert!(lacking.lacking(&CONTRACT).contains(ty), "{ty}");
        let never_told = contract::OF_SYMBOLS_ALONE.contains(ty) || contract::OF_SOME_KERNELS.contains(ty);
        if never_told {
            continue;
        }
        assert_eq!(contract::stripped(&CONTRACT, &lacking), [*ty]);
        let filled = lacking.filled_from(&CONTRACT, &known);
        assert!(filled.filled().iter().any(|filled| filled.ty == *ty), "{ty}");
        for (index, (found, wanted)) in places(&filled).into_iter().zip(places(&whole)).enumerate() {
            // Of some types the PDB of the tests has fewer members than the kernel.
            if wanted.is_some() {
                assert_eq!(found, wanted, "{ty}: {:?}", CONTRACT.fields[index]);
            }
        }
    }
}

#[test]
fn the_published_case() {
    let Some(folder) = shared("cases/exact-pdb-without-types") else {
        say_if_none(0, "the PDB without types");
        return;
    };
    let here = tempfile::tempdir().unwrap();
    let unpack = |name: &str| {
        let packed = fs::File::open(folder.join(format!("{name}.xz"))).unwrap();
        let mut file = fs::File::create(here.path().join(name)).unwrap();
        std::io::copy(&mut lzma_rust2::XzReader::new(packed, true), &mut file).unwrap();
        here.path().join(name).to_str().unwrap().to_owned()
    };
    let (dump, pdb) = (unpack("base.dmp"), unpack("notypes.pdb"));
    for view in ["hang", "waits", "threads", "ports"] {
        let run =
            |more: &[&str]| alpc_dump(&[&[dump.as_str(), "--format", "json"], more, &["-c", view]].concat());
        let (plain, filled) = (run(&[]), run(&["-y", &pdb]));
        assert_eq!(plain.status, filled.status, "{view}: {}", filled.stderr);
        if view != "ports" {
            assert_eq!(plain.json()["result"], filled.json()["result"], "{view}");
        }
    }
}

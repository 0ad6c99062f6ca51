//! Kernel stacks, against calls that an emulator saw: `crates/synth/data/stacks/README.md`.

mod support;

use serde_json::Value;
use support::Run;
use support::synthetic::Sample;
use synth::address::Va;
use synth::layout::Kernel;
use synth::world::Built;
use synth::worlds::hang;
use synth::worlds::stacks::{self, Entry, SwitchedOut};

const PAGE: u64 = 0x1000;

fn stack(sample: &Sample, scene: &SwitchedOut, args: &[&str]) -> Run {
    let thread = format!("{:016x}", scene.thread.0);
    sample.run(&[&["stack", &thread], args].concat())
}

fn frames(document: &Value) -> Vec<(String, String, String)> {
    let frames = document["result"]["stack"]["frames"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let frame = |frame: &Value| {
        (
            text(&frame["child_sp"]),
            text(&frame["address"]),
            text(&frame["found"]),
        )
    };
    frames.iter().map(frame).collect()
}

fn expected(scene: &SwitchedOut) -> Vec<(String, String, String)> {
    let calls = std::iter::once(&scene.switch).chain(&scene.calls);
    // The switch frame gives two frames; unwind data gives the others.
    let found = ["switch-frame", "switch-frame"]
        .into_iter()
        .chain(std::iter::repeat("unwound"));
    let frame = |(call, found): (&stacks::Call, &str)| {
        let hex = |at: Va| format!("{:016x}", at.0);
        (hex(call.sp), hex(call.returns_to), found.to_owned())
    };
    calls.zip(found).map(frame).collect()
}

fn x64() -> Vec<&'static str> {
    let all = Kernel::names().into_iter();
    all.filter(|name| name.ends_with("-x64")).collect()
}

#[test]
fn every_frame_is_one_that_was_called_in_every_generation() {
    for kernel in x64() {
        let (built, scene) = stacks::shapes(kernel, Entry::Kernel);
        let run = stack(&Sample::of(built), &scene, &["--format", "json"]);
        let document = run.json();
        assert_eq!(frames(&document), expected(&scene), "{kernel}: {}", run.stderr);
        let stack = &document["result"]["stack"];
        assert_eq!(stack["complete"], true, "{kernel}");
        assert_eq!(stack["scanned"], Value::Array(Vec::new()), "{kernel}");
        assert_eq!(run.status, 0, "{kernel}: {}", run.stderr);
    }
}

/// A thread of user mode ends at its system call, whose trap frame says where user mode goes on, though nothing of the
/// kernel's own unwind data is in the dump.
#[test]
fn a_system_call_leads_to_user_mode_by_its_trap_frame() {
    for kernel in x64() {
        let (built, scene) = stacks::shapes(kernel, Entry::User);
        let run = stack(&Sample::of(built), &scene, &["--format", "json"]);
        let document = run.json();
        let mut expected = expected(&scene);
        let hex = |at: Va| format!("{:016x}", at.0);
        expected.push((
            hex(stacks::USER.sp),
            hex(stacks::USER.returns_to),
            "trap-frame".to_owned(),
        ));
        assert_eq!(frames(&document), expected, "{kernel}: {}", run.stderr);
        let frames = &document["result"]["stack"]["frames"];
        let entry = &frames[expected.len() - 2];
        assert_eq!(entry["trap_frame"], hex(scene.trap_frame), "{kernel}");
        assert_eq!(document["result"]["stack"]["complete"], true, "{kernel}");
        assert_eq!(run.status, 0, "{kernel}");
    }
}

/// Threads whose stacks are not known may be in any function: that is said where they are not found.
#[test]
fn what_is_not_found_may_be_where_nothing_is_known() {
    let (built, scene) = stacks::shapes("win10-1809-x64", Entry::Kernel);
    let sample = Sample::of(built);
    let run = sample.run(&["stacks", "--find", "shapes!saves", "--format", "json"]);
    let document = run.json();
    let threads = document["result"]["threads"].as_array().unwrap();
    assert_eq!(threads.len(), 1);
    assert_eq!(threads[0]["thread"], format!("{:016x}", scene.thread.0));
    for args in [
        &["stacks", "--find", "nowhere"][..],
        &["stacks", "--group", "--find", "nowhere"],
    ] {
        let run = sample.run(args);
        assert_eq!(run.status, 3, "{}", run.stderr);
        assert!(
            run.stdout.contains("no thread is known to be in such a function"),
            "{}",
            run.stdout
        );
        assert!(
            run.stdout.contains("not followed to their ends"),
            "{}",
            run.stdout
        );
    }
}

#[test]
fn frames_of_x86_are_linked_by_their_frame_pointers() {
    let all = Kernel::names().into_iter();
    for kernel in all.filter(|name| name.ends_with("-x86")) {
        for ebp_at in [0xc, 0x10, 0x14, 0x18] {
            let (built, thread, calls) = stacks::frame_pointers(kernel, ebp_at);
            let sample = Sample::of(built);
            let address = format!("{:08x}", thread.0 & 0xffff_ffff);
            let run = sample.run(&["stack", &address, "--format", "json"]);
            let document = run.json();
            let hex = |at: Va| format!("{:08x}", at.0 & 0xffff_ffff);
            let found = ["switch-frame", "switch-frame", "frame-pointer", "frame-pointer"];
            let expected: Vec<_> = calls
                .iter()
                .zip(found)
                .map(|(call, found)| (hex(call.sp), hex(call.returns_to), found.to_owned()))
                .collect();
            assert_eq!(
                frames(&document),
                expected,
                "{kernel} {ebp_at:#x}: {}",
                run.stderr
            );
            assert_eq!(document["result"]["stack"]["complete"], true, "{kernel}");
            let text = sample.run(&["stack", &address]).stdout;
            assert!(text.contains("\nChildEBP RetAddr  Call Site\n"), "{text}");
            assert!(
                text.contains(&format!("\n{} {} ", hex(calls[1].sp), hex(calls[2].returns_to))),
                "{text}"
            );
        }
    }
}

/// The function that a call was made in, as the linker lists it.
fn site(scene: &SwitchedOut, call: stacks::Call) -> String {
    let rva = call.returns_to.0 - scene.image.0;
    // A call can be the last instruction of its function.
    let functions = stacks::functions();
    let (at, name) = functions.iter().rev().find(|(at, _)| *at < rva).unwrap();
    format!("{name}+0x{:x}", rva - at)
}

#[test]
fn modules_are_named_by_their_own_symbols() {
    let (built, scene) = stacks::shapes("win10-1809-x64", Entry::Kernel);
    let sample = Sample::of(built);
    sample.write_symbols("shapes.pdb", &stacks::pdb_of_shapes());
    let run = stack(&sample, &scene, &[]);
    for call in &scene.calls {
        let site = format!(" shapes!{} [", site(&scene, *call));
        assert!(run.stdout.contains(&site), "{site}: {}", run.stdout);
    }
    // Symbols of another build name nothing.
    let (built, scene) = stacks::shapes("win11-22h2-x64", Entry::Kernel);
    let mut forged = built.clone();
    let rsds = (0..0x1000).find(|at| built.memory.read(scene.image + 0x2000 + *at, 4) == b"RSDS");
    forged
        .memory
        .write(scene.image + 0x2000 + rsds.unwrap() + 4, b"another");
    let sample = Sample::of(forged);
    sample.write_symbols("shapes.pdb", &stacks::pdb_of_shapes());
    let run = stack(&sample, &scene, &[]);
    assert!(!run.stdout.contains("shapes!medium"), "{}", run.stdout);
    assert!(run.stdout.contains("shapes!saves+"), "{}", run.stdout);
}

#[test]
fn the_rows_are_the_debugger_s() {
    let (built, scene) = stacks::shapes("win10-1809-x64", Entry::Kernel);
    let sample = Sample::of(built);
    sample.write_pdb(&stacks::pdb(&sample.world));
    let run = stack(&sample, &scene, &[]);
    let quad = |at: Va| format!("{:08x}`{:08x}", at.0 >> 32, at.0 & 0xffff_ffff);
    let mut lines = run.stdout.lines();
    lines
        .by_ref()
        .find(|line| *line == "Child-SP          RetAddr           Call Site")
        .unwrap();
    let all: Vec<_> = std::iter::once(&scene.switch).chain(&scene.calls).collect();
    for (number, call) in all.iter().enumerate() {
        // A row's RetAddr is where the function of the next row goes on; the last one returns to nothing.
        let caller = all.get(number + 1).map_or(Va::NULL, |caller| caller.returns_to);
        let row = lines.next().unwrap();
        let begin = format!("{} {} ", quad(call.sp), quad(caller));
        assert!(row.starts_with(&begin), "{row}: {begin}");
        let site = match number {
            0 => "nt!KiSwapContext+0x76 [switch-frame]".to_owned(),
            // Two of the functions are exported; the others have no name without the module's PDB.
            _ => match site(&scene, **call) {
                name if name.starts_with("saves+") || name.starts_with("last+") => format!("shapes!{name} ["),
                _ => format!("shapes+0x{:x} [", call.returns_to.0 - scene.image.0),
            },
        };
        assert!(row[begin.len()..].starts_with(&site), "{row}");
    }
    assert_eq!(lines.next(), None);
}

/// Whatever is missing makes a stack shorter, and says so: no frame is ever another than the one that was called.
#[test]
fn no_missing_page_makes_a_frame_wrong() {
    let (built, scene) = stacks::shapes("win11-22h2-x64", Entry::Kernel);
    let whole = expected(&scene);
    let stack_pages = (1..=6).map(|page| Va(scene.stack_base.0 - page * PAGE));
    let image_pages = (0..5).map(|page| scene.image + page * PAGE);
    let mut shorter = 0;
    let map = built.map();
    for page in stack_pages
        .chain(image_pages)
        .filter(|page| map.frames.contains_key(&page.page()))
    {
        let sample = Sample::without_pages(&built, &[page]);
        let run = stack(&sample, &scene, &["--format", "json"]);
        let document = run.json();
        let found = frames(&document);
        assert_eq!(found, whole[..found.len()], "{page}");
        let stack = &document["result"]["stack"];
        if found.len() < whole.len() {
            shorter += 1;
            assert!(stack["complete"].is_null(), "{page}");
            assert!(
                stack["unreadable"]["complete"]["text"].is_string(),
                "{page}: {stack}"
            );
            assert_eq!(run.status, 3, "{page}");
        } else {
            assert_eq!(stack["complete"], true, "{page}");
        }
        for frame in stack["scanned"].as_array().unwrap() {
            assert_eq!(frame["found"], "scanned");
        }
    }
    // Two pages of the stack; headers, unwind data and the table of it.
    assert!(shorter >= 4, "{shorter}");
}

/// What the dump lacks of an image is in its file, if that is the same image.
#[test]
fn files_of_images_serve_where_the_dump_has_not_their_pages() {
    let (built, scene) = stacks::shapes("win11-22h2-x64", Entry::Kernel);
    // Code, unwind data, and the table of it.
    let pages = [0x1000, 0x2000, 0x4000].map(|at| scene.image + at);
    let sample = Sample::without_pages(&built, &pages);
    let look = |sample: &Sample| {
        let document = stack(sample, &scene, &["--format", "json"]).json();
        (frames(&document), document["result"]["stack"]["complete"].clone())
    };
    let (shorter, complete) = look(&sample);
    assert_eq!((shorter.len(), complete), (2, Value::Null));
    let word = |at: usize| u32::from_le_bytes(stacks::IMAGE[at..at + 4].try_into().unwrap());
    let header = word(0x3c) as usize;
    let key = format!("{:08X}{:x}", word(header + 8), word(header + 80));
    let path = format!("shapes.sys/{key}/shapes.sys");
    // Another build's image, however it came to lie there.
    let mut other = stacks::IMAGE.to_vec();
    other[header + 8] ^= 1;
    sample.write_symbols(&path, &other);
    assert_eq!(look(&sample).0.len(), 2);
    sample.write_symbols(&path, stacks::IMAGE);
    assert_eq!(look(&sample), (expected(&scene), Value::Bool(true)));
    let (name, rva) = ("saves", 0x1030);
    assert!(stacks::functions().contains(&(rva, name)));
    let run = stack(&sample, &scene, &[]);
    assert!(run.stdout.contains("shapes!saves+0x"), "{}", run.stdout);
    let said = "with files of the symbol path for what the dump lacks of: shapes\n";
    assert!(run.stdout.contains(said), "{}", run.stdout);
    let document = stack(&sample, &scene, &["--format", "json"]).json();
    assert_eq!(document["result"]["stack"]["from_files"][0], "shapes");
    // Which PDB it was linked with is in the file as well.
    assert!(!run.stdout.contains("shapes!medium+0x"), "{}", run.stdout);
    sample.write_symbols("shapes.pdb", &stacks::pdb_of_shapes());
    let run = stack(&sample, &scene, &[]);
    assert!(run.stdout.contains("shapes!medium+0x"), "{}", run.stdout);
}

/// Every byte of the table and of the unwind data, set to other values: a shorter stack, or another, never a crash, and
/// never a frame off the stack.
#[test]
fn forged_unwind_data_costs_nothing() {
    let (built, scene) = stacks::shapes("win11-22h2-x64", Entry::Kernel);
    let limit = scene.stack_base.0 - 6 * PAGE;
    for at in (0x20e0..0x2184).chain(0x4000..0x409c).step_by(3) {
        let mut built: Built = built.clone();
        let place = scene.image + at;
        let byte = built.memory.read(place, 1)[0];
        built.memory.write(place, &[byte ^ 0x25]);
        let run = stack(&Sample::of(built), &scene, &["--format", "json"]);
        let document = run.json();
        assert!(run.status == 0 || run.status == 3, "{at:#x}: {}", run.stderr);
        for (sp, _, _) in frames(&document) {
            let sp = u64::from_str_radix(&sp, 16).unwrap();
            assert!((limit..=scene.stack_base.0).contains(&sp), "{at:#x}: {sp:x}");
        }
    }
}

/// The last one of a chain says where it is, instead of what lies on its stack.
#[test]
fn the_end_of_a_chain_says_where_it_is() {
    let (scene, stack) = hang::row_to_driver("win10-1809-x64");
    let sample = Sample::of(scene.built);
    sample.write_pdb(&stacks::pdb(&sample.world));
    let inner = format!("shapes!{}", site(&stack, stack.calls[0]));
    let thread = format!("{:016x}", stack.thread.0);
    for command in [&["hang"][..], &["chain", &thread]] {
        let run = sample.run(command);
        assert!(run.stdout.contains(&format!("  in {inner}\n")), "{}", run.stdout);
        assert!(!run.stdout.contains("modules on its stack"), "{}", run.stdout);
    }
    let document = sample.run(&["hang", "--format", "json"]).json();
    let suspect = &document["result"]["blockers"][0]["suspect"]["stack"];
    assert_eq!(suspect["doing"]["site"], inner.as_str());
    assert_eq!(suspect["doing"]["frame"], 1);
    // All of them: the one that the switch left, and that of user mode, which is the sixteenth at most.
    assert_eq!(suspect["frames"].as_array().unwrap().len(), 16);
    assert_eq!(stack.calls.len() + 2, 17);
    assert!(suspect["ended"].is_null());
    let record = sample.run(&["triage"]).lines().remove(0);
    let blocker = &record["root_blocker"];
    assert_eq!(blocker["function"], "shapes!last");
    assert_eq!(blocker["stack"][0], "nt!KiSwapContext+0x76");
    assert_eq!(blocker["stack"][1], inner.as_str());
    assert_eq!(blocker["stack"].as_array().unwrap().len(), 8);
    // Beside the signature, and stable: the function without an offset.
    assert_eq!(record["signature_in"], "in/1:shapes!last");
    assert_eq!(document["result"]["signature_in"], "in/1:shapes!last");
    // The rows stand where the debugger has them, behind each thread that has a stack.
    let process = format!("{:016x}", sample.world.truth.thread(stack.thread).process.0);
    let threads = sample.run(&["threads", "--stacks", "--process", &process]).stdout;
    let own = sample.run(&["thread", &thread]).stdout;
    let rows = &own[own.find("Child-SP").unwrap()..];
    assert!(threads.contains(rows), "{threads}");
    assert_eq!(sample.run(&[&format!("!process {process} 7")]).stdout, threads);
    // Redaction hides which driver it is, wherever a frame names it.
    let run = sample.run(&["stack", &thread, "--redact", "names,paths"]);
    assert!(!run.stdout.contains("shapes"), "{}", run.stdout);
    assert!(run.stdout.contains("nt!KiSwapContext+0x76"), "{}", run.stdout);
}

/// What a gate says of frames: found, not there as far as stacks are known, and only elsewhere.
#[test]
fn conditions_on_frames() {
    let (scene, stack) = hang::row_to_driver("win10-1809-x64");
    let sample = Sample::of(scene.built);
    sample.write_pdb(&stacks::pdb(&sample.world));
    let truth = &sample.world.truth;
    let image = truth.process(truth.thread(stack.thread).process).image;
    let rules = format!(
        "[[stack]]\nfunction = \"SHAPES!last\"\n[[stack]]\nfunction = \"shapes!last\"\nat-most = 1\n\
         [[stack]]\nfunction = \"nowhere!\"\n[[stack]]\nfunction = \"shapes!\"\nimage = \"nobody.exe\"\n\
         [[stack]]\nfunction = \"shapes!\"\nimage = {image:?}\n"
    );
    let run = sample.check(&rules, &["--format", "json"]);
    let document = run.json();
    let conditions = document["result"]["conditions"].as_array().unwrap();
    let verdicts: Vec<_> = conditions
        .iter()
        .map(|condition| condition["verdict"].as_str().unwrap())
        .collect();
    // Other threads' stacks are not known to their ends, so that one more may be in the function; nobody runs that image.
    assert_eq!(
        verdicts,
        ["fail", "undecided", "undecided", "pass", "fail"],
        "{document:#}"
    );
    let found = &conditions[0]["found"][0];
    assert_eq!(found["thread"], format!("{:016x}", stack.thread.0));
    assert_eq!(found["site"], format!("shapes!{}", site(&stack, stack.calls[0])));
    assert_eq!(conditions[0]["look_at"], format!("stack {:016x}", stack.thread.0));
    assert_eq!(sample.check("[[stack]]\nfunction = \"\"\n", &[]).status, 2);
}

/// Whether the last one of a chain ran between two dumps: by how often it was switched to.
#[test]
fn the_last_of_a_chain_in_two_dumps() {
    let dump = |switches: u64| {
        let (mut scene, stack) = hang::row_to_driver("win10-1809-x64");
        scene
            .built
            .set(stack.thread, "_KTHREAD", "ContextSwitches", switches);
        let sample = Sample::of(scene.built);
        sample.write_pdb(&stacks::pdb(&sample.world));
        (sample, stack)
    };
    let (first, stack) = dump(7);
    for (switches, words) in [
        (7, "= thread {}: did not run in between; in "),
        (8, "> thread {}: ran in between, once; in "),
        (107, "> thread {}: ran in between, 100 times; in "),
    ] {
        let (second, _) = dump(switches);
        let run = first.diff(&second, &["--by", "addresses"]);
        let line = run.stdout.lines().last().unwrap();
        let (mark, rest) = words.split_once("{}").unwrap();
        assert!(
            line.trim_start()
                .starts_with(&format!("{mark}{:016x} ", stack.thread.0)),
            "{line}"
        );
        let place = format!("shapes!{}", site(&stack, stack.calls[0]));
        assert!(line.ends_with(&format!("{rest}{place}")), "{line}");
        let record = first
            .diff(&second, &["--by", "addresses", "--format", "json"])
            .json();
        assert_eq!(record["result"]["ends"][0]["switches"], switches - 7);
    }
    let by_names = first.diff(&first, &["--by", "names"]);
    assert!(!by_names.stdout.contains("LAST IN"), "{}", by_names.stdout);
}

/// The words are those at the stack pointer of the frame around, where a function saves its registers if it does; the
/// header is that of published stacks.
#[test]
fn arguments_are_the_words_above_the_return_address() {
    let (mut built, scene) = stacks::shapes("win10-1809-x64", Entry::Kernel);
    let inner = scene.calls[1].sp;
    for (number, value) in [0xe2_u64, 0x1111, 0x2222, 0xffff_f802_1111_2222]
        .into_iter()
        .enumerate()
    {
        built.write_pointer(Va(inner.0 + 8 * number as u64), Va(value));
    }
    let sample = Sample::of(built);
    let run = stack(&sample, &scene, &["--args"]);
    let lines: Vec<&str> = run.stdout.lines().collect();
    let head = lines
        .iter()
        .position(|line| line.starts_with("Child-SP"))
        .unwrap();
    let args = format!("{:<71}", "Args to Child");
    assert_eq!(
        lines[head],
        format!("Child-SP          RetAddr           : {args} : Call Site")
    );
    let words = " : 00000000`000000e2 00000000`00001111 00000000`00002222 fffff802`11112222 : shapes!last";
    assert!(lines[head + 2].contains(words), "{}", run.stdout);
    let document = stack(&sample, &scene, &["--args", "--format", "json"]).json();
    assert_eq!(document["result"]["arguments"][1][3], "fffff80211112222");
    assert!(document["result"]["arguments"][0].as_array().unwrap().len() == 4);
    assert!(stack(&sample, &scene, &["--format", "json"]).json()["result"]["arguments"].is_null());
}

/// Frame records of real ARM64 code lead through the calls that an emulator saw. They tell where in its frame each function
/// is, not its stack pointer: between that of its call and that of the one around it.
#[test]
fn frame_records_of_arm64_lead_through_the_calls() {
    let (built, scene) = stacks::arm64("win11-21h2-arm64");
    let sample = Sample::of(built);
    let document = stack(&sample, &scene, &["--format", "json"]).json();
    let found = frames(&document);
    let calls: Vec<_> = std::iter::once(&scene.switch).chain(&scene.calls).collect();
    let hex = |at: Va| format!("{:016x}", at.0);
    assert_eq!(found.len(), calls.len(), "{document:#}");
    for (number, ((sp, address, how), call)) in found.iter().zip(&calls).enumerate() {
        assert_eq!(*address, hex(call.returns_to));
        assert_eq!(
            how,
            if number == 0 {
                "switch-frame"
            } else {
                "frame-pointer"
            }
        );
        let outer = calls.get(number + 1).map_or(scene.stack_base, |outer| outer.sp);
        assert!((hex(call.sp)..hex(outer)).contains(sp), "{number}: {sp}");
    }
    assert_eq!(document["result"]["stack"]["complete"], true);
    // Each page of the stack and of the image in turn: shorter, with a reason, never others.
    let built = &sample.world;
    let first = scene.switch.sp.0 & !(PAGE - 1);
    let stack_pages = (first..scene.stack_base.0).step_by(0x1000).map(Va);
    let pages: Vec<Va> = stack_pages.chain([scene.image + 0x1000]).collect();
    for page in pages {
        let holed = Sample::without_pages(built, &[page]);
        let document = stack(&holed, &scene, &["--format", "json"]).json();
        let shorter = frames(&document);
        assert!(found.starts_with(&shorter), "{page}");
        let complete = &document["result"]["stack"]["complete"];
        assert!(shorter.len() == found.len() || complete.is_null(), "{page}");
    }
    // A return address before which no call is ends the walk.
    let mut forged = built.clone();
    let record = scene.switch.sp + 0x20;
    forged.write_pointer(record + 8, scene.calls[0].returns_to + 4);
    let document = stack(&Sample::of(forged), &scene, &["--format", "json"]).json();
    assert_eq!(frames(&document).len(), 1);
    let reason = &document["result"]["stack"]["unreadable"]["complete"]["text"];
    assert!(
        reason.as_str().unwrap().ends_with("before which no call is"),
        "{reason}"
    );
    // One that the processor signed is the same address.
    let mut signed = built.clone();
    signed.write_pointer(
        record + 8,
        Va(scene.calls[0].returns_to.0 & 0x00ff_ffff_ffff_ffff | 0x2a80 << 48 | 1 << 55),
    );
    let document = stack(&Sample::of(signed), &scene, &["--format", "json"]).json();
    assert_eq!(frames(&document), found);
}

/// Of a thread that runs on ARM64 the frame where it stands is shown, by the header's context, and why no more are.
#[test]
fn a_running_thread_of_arm64_shows_where_it_stands() {
    let sample = Sample::standard("win11-21h2-arm64");
    let run = sample.run(&["stack", "current", "--format", "json"]);
    let stack = run.json()["result"]["stack"].clone();
    let frames = stack["frames"].as_array().unwrap();
    assert_eq!(
        (frames.len(), &frames[0]["found"]),
        (1, &Value::from("context")),
        "{stack}"
    );
    let header = sample.run(&["info", "--format", "json"]).json()["result"]["header"].clone();
    assert_eq!(frames[0]["address"], header["context"]["rip"]);
    let reason = stack["unreadable"]["complete"]["text"].as_str().unwrap();
    assert!(reason.contains("frame records alone do not lead on"), "{reason}");
}

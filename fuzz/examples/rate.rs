//! Executions of walks over damaged systems, as many as there is time for, which add up over runs.
//!
//! `cargo run --release --example rate -- <folder> [seconds]` goes on where the counts in the folder end. Whatever ends in
//! a panic, or tells what is not so, is noted in `finds.txt` there with the numbers that do it again:
//! `rate <folder> again <world> <target> <number>`. `rate <folder> pages` smears each page of each world once, for all
//! targets.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use alpc_dump_fuzz::overlay::{Overlay, Target};
use synth::layout::Kernel;
use synth::worlds;

/// Executions of one target over one world before the next has its turn.
const TURN: u64 = 2000;
/// Longer than any walk over so small a system may take.
const SLOW: Duration = Duration::from_secs(2);
/// Of one kind so many finds are noted.
const NOTED: usize = 20;

type Counts = BTreeMap<(String, String), u64>;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let folder = Path::new(args.get(1).ok_or("which folder?")?);
    fs::create_dir_all(folder)?;
    let memory = if Path::new("/dev/shm").is_dir() {
        "/dev/shm"
    } else {
        "/tmp"
    };
    let place = Path::new(memory).join(format!("alpc-dump-rate-{}", std::process::id()));
    fs::create_dir_all(&place)?;
    let result = match args.get(2).map(String::as_str) {
        Some("pages") => pages(&place),
        Some("again") => again(&place, &args[3..]),
        seconds => run(folder, &place, seconds.unwrap_or("60").parse()?),
    };
    fs::remove_dir_all(&place)?;
    result
}

/// A small system of each generation whose layouts are complete.
fn overlays(place: &Path) -> Result<Vec<Overlay>, Box<dyn Error>> {
    let mut all = Vec::new();
    for (number, kernel) in Kernel::complete().into_iter().enumerate() {
        let built = match number % 4 {
            0 => worlds::hang::self_call(kernel).built,
            1 => worlds::hang::ring_of_three(kernel).built,
            2 => worlds::hang::row_to_mutant(kernel).built,
            _ => worlds::hang::row_to_process(kernel).built,
        };
        all.push(Overlay::new(kernel, &built, place)?);
    }
    Ok(all)
}

fn pages(place: &Path) -> Result<(), Box<dyn Error>> {
    std::panic::set_hook(Box::new(|_| {}));
    let (mut walks, mut panics, mut told) = (0u64, 0u64, 0u64);
    for overlay in overlays(place)? {
        for (number, change) in overlay.smears().enumerate() {
            for target in Target::ALL {
                walks += 1;
                let changes = [change.clone()];
                let found = catch_unwind(AssertUnwindSafe(|| overlay.changed(target, &changes)));
                let text = match found {
                    Ok(invented) => {
                        let invented = invented?;
                        told += u64::from(!invented.is_empty());
                        (!invented.is_empty()).then(|| format!("told {invented:x?}"))
                    }
                    Err(_) => {
                        panics += 1;
                        Some("panic".to_owned())
                    }
                };
                if let Some(text) = text {
                    let smear = ["zeros", "filler", "another page"][number % 3];
                    println!(
                        "{} {}, {smear} at {:#x}: {text}",
                        overlay.name,
                        target.name(),
                        change.at
                    );
                }
            }
        }
    }
    println!("{walks} walks over smeared pages: {panics} panics, {told} told what is not so");
    Ok(())
}

fn again(place: &Path, args: &[String]) -> Result<(), Box<dyn Error>> {
    let [world, target, number] = args else {
        return Err("again <world> <target> <number>".into());
    };
    let overlays = overlays(place)?;
    let overlay = overlays
        .iter()
        .find(|overlay| overlay.name == *world)
        .ok_or("no such world")?;
    let target = Target::ALL
        .into_iter()
        .find(|known| known.name() == *target)
        .ok_or("no such target")?;
    let number = number.parse()?;
    for change in overlay.changes(target, number) {
        let was = &overlay.bytes[change.at..change.at + change.bytes.len()];
        let shown = change.bytes.len().min(16);
        println!(
            "{:#x} +{:#x}: {:02x?} was {:02x?}",
            change.at,
            change.bytes.len(),
            &change.bytes[..shown],
            &was[..shown]
        );
    }
    println!("{:x?}", overlay.execute(target, number)?);
    Ok(())
}

fn run(folder: &Path, place: &Path, seconds: u64) -> Result<(), Box<dyn Error>> {
    let overlays = overlays(place)?;
    let mut counts = read(&folder.join("counts.txt"));
    let mut finds: BTreeMap<String, usize> = BTreeMap::new();
    let mut rates: BTreeMap<String, (u64, Duration)> = BTreeMap::new();
    let mut log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("finds.txt"))?;
    // A find is a line of a file here, and the next execution follows.
    std::panic::set_hook(Box::new(|_| {}));
    let end = Instant::now() + Duration::from_secs(seconds);
    // The slowest targets have the fewest executions a turn, or the others would never come to theirs.
    'all: loop {
        for overlay in &overlays {
            for target in Target::ALL {
                let key = (overlay.name.clone(), target.name());
                let next = counts.get(&key).copied().unwrap_or(0);
                let begun = Instant::now();
                let mut done = 0;
                while done < TURN && begun.elapsed() < Duration::from_millis(500) {
                    let number = next + done;
                    let one = Instant::now();
                    let found = match catch_unwind(AssertUnwindSafe(|| overlay.execute(target, number))) {
                        Ok(told) => {
                            let invented = told?;
                            (!invented.is_empty()).then(|| ("told", format!("{invented:x?}")))
                        }
                        Err(panic) => {
                            let text = panic.downcast_ref::<String>().cloned();
                            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                            Some(("panic", text.unwrap_or_default()))
                        }
                    };
                    let slow = one.elapsed() > SLOW;
                    let found = found.or_else(|| slow.then(|| ("slow", format!("{:?}", one.elapsed()))));
                    if let Some((kind, text)) = found {
                        let seen = finds.entry(format!("{kind} {}", key.1)).or_default();
                        *seen += 1;
                        if *seen <= NOTED {
                            writeln!(log, "{kind} {} {} {number}: {text}", key.0, key.1)?;
                        }
                    }
                    done += 1;
                }
                let rate = rates.entry(key.1.clone()).or_default();
                rate.0 += done;
                rate.1 += begun.elapsed();
                counts.insert(key, next + done);
                if Instant::now() >= end {
                    break 'all;
                }
            }
            write(&folder.join("counts.txt"), &counts)?;
        }
    }
    write(&folder.join("counts.txt"), &counts)?;
    for (target, (executions, took)) in rates {
        let overlay = overlays.first().map_or(0, |overlay| overlay.bytes.len());
        println!(
            "{target}: {executions} executions, {:.0} a second ({overlay} bytes)",
            executions as f64 / took.as_secs_f64()
        );
    }
    println!(
        "all runs: {} executions; found now: {finds:?}",
        counts.values().sum::<u64>()
    );
    Ok(())
}

fn read(path: &Path) -> Counts {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = |line: &str| {
        let mut words = line.split(' ').map(str::to_owned);
        Some(((words.next()?, words.next()?), words.next()?.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

/// There is always one whole file of counts.
fn write(path: &Path, counts: &Counts) -> std::io::Result<()> {
    let mut text = String::new();
    for ((world, target), count) in counts {
        let _ = writeln!(text, "{world} {target} {count}");
    }
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(new, path)
}

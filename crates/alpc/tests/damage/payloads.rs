//! The data of messages: behind the message first, then in the extension buffer.

use alpc::port::message::{self, Detail};
use alpc::port::payload::Payload;
use kdump::Gva;
use synth::address::Va;
use synth::layout::Kernel as Layouts;
use synth::world::{Built, Message, Resource, message::kind};
use synth::worlds;

use super::Opened;

/// What a message of so many bytes holds.
fn data(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n / 251 + n) as u8).collect()
}

/// A world with a message of each length, the first of them of a reserve with less room than others.
fn world(kernel: &str, lengths: &[usize]) -> (Built, Vec<Va>) {
    let mut messages = Vec::new();
    let world = worlds::standard_with(kernel, |world| {
        let client = world
            .truth
            .ports
            .iter()
            .find(|port| port.kind == synth::world::PortKind::Client)
            .unwrap()
            .address;
        for &length in lengths {
            let message = world.message(Message {
                type_word: kind::DATAGRAM,
                owner_port: client,
                ..Message::default()
            });
            if messages.is_empty() {
                world.reserve(client, message, true);
                let reserve = world.truth.resources.last_mut().unwrap();
                let Resource::Reserve { size, .. } = reserve else {
                    panic!("{reserve:?}")
                };
                *size = 0x180;
            }
            world.extend(message, &data(length));
            messages.push(message);
        }
    });
    (world, messages)
}

fn payload(opened: &Opened, message: Va) -> Payload {
    let gva = Gva::new(match opened.dump.header().machine {
        kdump::Machine::I386 => message.0 & 0xffff_ffff,
        _ => message.0,
    });
    let record = message::read(&opened.kernel(), gva, Detail::Full).unwrap();
    record.details.unwrap().payload.get().unwrap().clone()
}

const LENGTHS: [usize; 9] = [0x300, 0, 0x40, 0xff, 0x101, 0x200, 0x201, 0x3c0, 0xffd7];

/// Every byte of every length, on every machine and generation.
#[test]
fn data_begins_behind_the_message_and_goes_on_in_the_buffer() {
    for kernel in Layouts::names() {
        let (world, messages) = world(kernel, &LENGTHS);
        let opened = Opened::of(&world);
        let header = world.kernel.size("_PORT_MESSAGE") as usize;
        let plain = if world.kernel.pointer_size() == 4 {
            0x100
        } else {
            0x200
        };
        let of_reserve = match world.kernel.has("_KALPC_RESERVE", "Size") {
            true => 0x180 - header,
            false => plain,
        };
        for (number, (&length, &message)) in LENGTHS.iter().zip(&messages).enumerate() {
            let found = payload(&opened, message);
            let case = format!("{kernel}, {length:#x}");
            assert_eq!(found.bytes, data(length), "{case}");
            assert!(found.complete.known().is_some() && found.gaps.is_empty() && found.rest.is_empty());
            let room = if number == 0 { of_reserve } else { plain };
            let split = found.extension.as_ref().map(|extension| extension.offset);
            assert_eq!(split, (length > room).then_some(room as u64), "{case}");
            // What no source is certain of says so.
            let inferred = found
                .extension
                .as_ref()
                .is_some_and(|extension| extension.inferred);
            assert_eq!(
                inferred,
                length > room && plain == 0x100 && room == plain,
                "{case}"
            );
        }
    }
}

/// Data that was not copied into its message is told to be elsewhere: what is behind the message is of another time.
#[test]
fn data_in_the_senders_memory_is_no_data_of_the_message() {
    for kernel in Layouts::names() {
        for (at, told) in [
            (0x12_3450, Some(0x12_3450)),
            (0x12_3451, Some(0x12_3450)),
            (1, None),
            (0, None),
        ] {
            let (mut world, messages) = world(kernel, &[0x40, 0x40]);
            world.set(messages[1], "_KALPC_MESSAGE", "DataUserVa", at);
            let found = payload(&Opened::of(&world), messages[1]);
            let sender = found.sender_address.map(|addr| addr.gva().u64());
            assert_eq!(sender, told, "{kernel} {at:#x}");
            let reason = found.complete.reason().map(alpc::Unreadable::id);
            assert_eq!(reason, told.map(|_| "not-captured"), "{kernel} {at:#x}");
            assert_eq!(found.bytes, data(0x40));
        }
    }
}

/// Whichever page is missing, each byte that is there is at its place, and what is missing is told.
#[test]
fn a_missing_page_shifts_nothing() {
    let (world, messages) = world("win10-2004-x64", &[0x40, 0x3000, 0x3000, 0x3000, 0xffd7]);
    let whole = Opened::of(&world);
    let size = world.kernel.size("_KALPC_MESSAGE");
    let mut extended = 0;
    for &message in &messages[1..] {
        let truth = world.truth.message(message);
        let length = usize::from(truth.data_length);
        let data = data(length);
        let start = message + size;
        let mut pages: Vec<Va> = [start, start + 0x1ff].map(Va::page).to_vec();
        let rest = (length - 0x200) as u64;
        pages.extend((0..=rest / 0x1000).map(|page| (truth.extension_buffer + page * 0x1000).page()));
        pages.retain(|page| *page != message.page() && *page != (message + size - 1).page());
        pages.dedup();
        for lost in pages {
            let opened = whole.in_bytes(world.dump_without(super::kind(&world), &[lost]));
            let found = payload(&opened, message);
            let mut seen: Vec<Option<u8>> = vec![None; length];
            let first = std::iter::once((0, &found.bytes));
            for (offset, bytes) in first.chain(found.rest.iter().map(|piece| (piece.offset, &piece.bytes))) {
                for (at, &byte) in (offset as usize..).zip(bytes) {
                    assert_eq!(seen[at].replace(byte), None);
                }
            }
            for gap in &found.gaps {
                let range = gap.offset as usize..(gap.offset + gap.length) as usize;
                assert!(seen[range.clone()].iter().all(Option::is_none));
                assert_eq!(gap.reason.id(), "not-in-dump");
                seen[range.clone()]
                    .iter_mut()
                    .zip(&data[range])
                    .for_each(|(seen, &byte)| *seen = Some(byte));
            }
            assert_eq!(seen, data.iter().copied().map(Some).collect::<Vec<_>>(), "{lost}");
            let gap = &found.gaps[0];
            assert_eq!(
                found.bytes.len() as u64,
                gap.offset,
                "the first byte that is missing"
            );
            assert_eq!(found.complete.reason().unwrap().id(), "not-in-dump");
            extended += usize::from(gap.offset > 0x200);
        }
    }
    assert!(extended > 10, "{extended}");
}

/// A message whose buffer is gone: what is behind the message is told, the rest is not invented.
#[test]
fn a_buffer_that_is_null_or_too_small_is_a_gap() {
    let (world, messages) = world("win11-22h2-x64", &[0x40, 0x400]);
    let whole = Opened::of(&world);
    for (member, value, gap) in [
        ("ExtensionBuffer", 0, (0x200, 0x200)),
        ("ExtensionBufferSize", 0x80, (0x280, 0x180)),
    ] {
        let mut torn = world.clone();
        let at = messages[1] + world.kernel.offset("_KALPC_MESSAGE", member);
        torn.memory.write_uint(at, 8, value);
        let opened = whole.in_bytes(torn.dump(super::kind(&world)));
        let found = payload(&opened, messages[1]);
        assert_eq!(found.bytes, data(0x400)[..gap.0]);
        assert_eq!(
            (found.gaps[0].offset, found.gaps[0].length),
            (gap.0 as u64, gap.1)
        );
        assert!(found.rest.is_empty() && found.complete.reason().is_some());
    }
}

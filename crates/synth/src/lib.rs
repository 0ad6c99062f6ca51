//! Builds kernel dumps and PDBs for tests, sharing nothing with the code that reads them.
//!
//! A [`world::World`] is told what a system is like: processes, threads, ports, messages. Compiling it lays all of that
//! out in virtual memory by the layout of a real kernel ([`layout`]); [`paging`] puts the pages into scattered frames,
//! [`dump`] writes the frames as a dump file, [`pdb`] the symbols. What the world was told stays beside it as its
//! [`world::Truth`], which a reader's answers are compared with. [`worlds`] has whole worlds, ready made.
//!
//! ```
//! use synth::dump::Kind;
//! use synth::world::{ConnectionSpec, Message, Port, Process, Queue, World, message::kind};
//!
//! let mut world = World::new("win10-2004-x64", 1);
//! let system = world.process(Process { pid: 4, image: "System", ..Process::default() });
//! let client = world.process(Process { pid: 8, image: "client.exe", ..Process::default() });
//! let root = world.root();
//! let port = world.connection_port(Port { owner: system, ..Port::default() }, root, "PowerPort");
//! let connection = world.connect(ConnectionSpec { to: port, client, ..ConnectionSpec::default() });
//! let message = world.message(Message {
//!     type_word: kind::DATAGRAM,
//!     data_length: 16,
//!     owner_port: connection.client,
//!     ..Message::default()
//! });
//! world.enqueue(message, Queue::Main, port);
//!
//! let built = world.compile(|_, header| header.bugcheck.code = 0xe2);
//! assert_eq!(built.truth.port(port).queue(Queue::Main), [message]);
//! let (dump, pdb) = (built.dump(Kind::BitmapKernel), built.pdb());
//! # assert!(dump.starts_with(b"PAGEDU64") && pdb.starts_with(b"Microsoft C/C++ MSF 7.00"));
//! ```

pub mod address;
mod bytes;
pub mod container;
pub mod dump;
pub mod fixtures;
pub mod isf;
pub mod layout;
pub mod machine;
pub mod memory;
pub mod paging;
pub mod payload;
pub mod pdb;
pub mod physical;
pub mod random;
pub mod world;
pub mod worlds;

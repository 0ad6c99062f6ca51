//! The tools: what each takes, and which command it is.

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::cli::Command;
use crate::commands::calls::CallsArgs;
use crate::commands::chain::ChainArgs;
use crate::commands::hang::HangArgs;
use crate::commands::info::InfoArgs;
use crate::commands::irp::IrpArgs;
use crate::commands::message::MessageArgs;
use crate::commands::object::ObjectArgs;
use crate::commands::port::PortArgs;
use crate::commands::processes::ProcessArgs;
use crate::commands::resource::ResourceArgs;
use crate::commands::stack::StackArgs;
use crate::commands::thread::ThreadArgs;
use crate::commands::waits::WaitsArgs;
use crate::failure::Failure;
use crate::mcp::pages::Page;
use crate::text::time;

/// What an assistant asked.
pub struct Asked {
    /// About what.
    pub about: About,
    /// The part of long lists that it wants.
    pub page: Page,
}

/// What is asked about.
pub enum About {
    /// A dump.
    Dump(Question),
    /// The dumps of a folder.
    Folder {
        /// As it was given.
        folder: String,
        /// Whether those in the folders in it are meant too.
        recursive: bool,
    },
}

/// A command about a dump.
pub struct Question {
    /// The dump, as it was given.
    pub dump: String,
    /// The command.
    pub command: Command,
    /// Whether its values are explained.
    pub explain: bool,
    /// The command as words of a command line.
    pub words: Vec<String>,
}

/// A tool as it is listed, and how its arguments are read.
struct Listed {
    name: &'static str,
    what: &'static str,
    schema: fn() -> JsonObject,
    read: fn(JsonObject) -> anyhow::Result<Asked>,
}

const TOOLS: [Listed; 10] = [
    listed::<Open>(
        "open",
        "Open a kernel dump and say what it is: the system, the crash, which symbols serve, what is missing. The other tools open dumps by themselves.",
    ),
    listed::<HangQuestion>(
        "hang",
        "What is stuck in the system, on whom, since when and why: deadlocks, blockers, ports in trouble, and what to look at next. Ask this first.",
    ),
    listed::<ChainQuestion>(
        "chain",
        "Follow the wait of a thread, message or process to whoever holds it up, step by step with the evidence.",
    ),
    listed::<WaitsForQuestion>(
        "waits_for",
        "Who waits, directly or not, for a process, thread, port, message or lock.",
    ),
    listed::<PortQuestion>(
        "port",
        "An ALPC port: owner, connections, queues, messages, who waits at it.",
    ),
    listed::<MessageQuestion>(
        "message",
        "An ALPC message: its ports, its state, who sent it and who is to answer.",
    ),
    listed::<StackQuestion>(
        "stack",
        "The kernel stack of a thread, with the certainty of each frame.",
    ),
    listed::<CallsQuestion>(
        "calls",
        "RPC calls that wait for replies: interface, procedure, client and server.",
    ),
    listed::<FolderQuestion>(
        "triage_folder",
        "A record for each dump of a folder: what it is, what hangs in it, and its signature.",
    ),
    listed::<ExplainQuestion>(
        "explain",
        "Where each value of a view comes from: in the kernel's structures, in memory, and in the file.",
    ),
];

const fn listed<T: Arguments>(name: &'static str, what: &'static str) -> Listed {
    Listed {
        name,
        what,
        schema: schema::<T>,
        read: read::<T>,
    }
}

/// All tools, as a client sees them.
pub fn all() -> Vec<Tool> {
    let tool = |listed: &Listed| {
        let annotations = ToolAnnotations::new()
            .read_only(true)
            .idempotent(true)
            .open_world(false);
        Tool::new(listed.name, listed.what, (listed.schema)()).with_annotations(annotations)
    };
    TOOLS.iter().map(tool).collect()
}

/// What a client asks; nothing for a tool that there is not.
pub fn asked(tool: &str, arguments: JsonObject) -> Option<anyhow::Result<Asked>> {
    let listed = TOOLS.iter().find(|listed| listed.name == tool)?;
    Some((listed.read)(arguments))
}

fn schema<T: JsonSchema>() -> JsonObject {
    match Json::from(schemars::schema_for!(T)) {
        Json::Object(schema) => schema,
        _ => JsonObject::new(),
    }
}

fn read<T: Arguments>(arguments: JsonObject) -> anyhow::Result<Asked> {
    let read: T = serde_json::from_value(Json::Object(arguments))
        .map_err(|error| Failure::fatal("bad-arguments", format!("the arguments: {error}")))?;
    read.asked()
}

/// The arguments of a tool.
trait Arguments: DeserializeOwned + JsonSchema {
    /// What they ask.
    fn asked(self) -> anyhow::Result<Asked>;
}

/// Makes the arguments of a tool that is about one dump.
macro_rules! question {
    ($name:ident { $($(#[$meta:meta])* $field:ident: $type:ty,)* } $ask:expr) => {
        #[derive(Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        struct $name {
            /// The dump: a path in one of the folders that the server allows, absolute or from such a folder on
            dump: String,
            $($(#[$meta])* $field: $type,)*
            /// The first element that is shown of each list that is longer than the limit [default: 0]
            offset: Option<u64>,
            /// Elements that are shown of each list [default: 50; at most 1000]
            limit: Option<u64>,
        }

        impl Arguments for $name {
            fn asked(self) -> anyhow::Result<Asked> {
                let ask: fn(&Self, &mut Words) -> anyhow::Result<Command> = $ask;
                let mut words = Words::default();
                let command = ask(&self, &mut words)?;
                words.0.insert(0, command.spec().name().to_owned());
                Ok(Asked {
                    page: Page::new(self.offset, self.limit),
                    about: About::Dump(Question {
                        explain: words.0.iter().any(|word| word == EXPLAIN),
                        dump: self.dump,
                        command,
                        words: words.0,
                    }),
                })
            }
        }
    };
}

/// The option by which a command explains its values. No name is taken for it: see [`Words::name`].
const EXPLAIN: &str = "--explain";

/// The words of a command line behind the command.
#[derive(Default)]
struct Words(Vec<String>);

impl Words {
    /// A name or an address, which stands alone.
    fn name(&mut self, name: &str) -> anyhow::Result<String> {
        // `-` reads stdin, which is the client's, and what begins so would be an option.
        if name.is_empty() || name.starts_with('-') {
            let text = format!("{name:?} names nothing: give an address, an id as in pid:828, or a name");
            return Err(Failure::fatal("bad-arguments", text));
        }
        self.0.push(name.to_owned());
        Ok(name.to_owned())
    }

    fn option(&mut self, option: &str, value: Option<&String>) -> Option<String> {
        let value = value?;
        self.0.push(format!("{option}={value}"));
        Some(value.clone())
    }
}

question!(Open {} | _, _ | Ok(Command::Info(InfoArgs {})));

question!(HangQuestion {
    /// A wait longer than this is a finding: 30s, 5m, 2h, 1d
    longer_than: Option<String>,
} |question, words| {
    let limit = words.option("--longer-than", question.longer_than.as_ref());
    let longer_than = limit.map(|limit| span(&limit)).transpose()?;
    Ok(Command::Hang(HangArgs { longer_than }))
});

question!(ChainQuestion {
    /// A thread (address or tid:N), a message (address or id:N) or a process (address, pid:N or image name)
    start: String,
    /// Also threads that the last one may have handed its work to
    candidates: Option<bool>,
} |question, words| {
    let start = words.name(&question.start)?;
    let candidates = question.candidates == Some(true);
    if candidates {
        words.0.push("--candidates".to_owned());
    }
    Ok(Command::Chain(ChainArgs { start, candidates }))
});

question!(
    WaitsForQuestion {
        /// A process, thread, port, message or lock, by address, id (pid:N, tid:N, id:N) or name
        what: String,
    } | question,
    words | {
        let what = Words::default().name(&question.what)?;
        let target = words.option("--for", Some(&what));
        let (process, port, longer_than, session) = (None, None, None, None);
        Ok(Command::Waits(WaitsArgs {
            target,
            process,
            port,
            longer_than,
            session,
        }))
    }
);

question!(
    PortQuestion {
        /// Address of the port, its name, or its full path as in `\RPC Control\ntsvcs`
        port: String,
    } | question,
    words
        | Ok(Command::Port(PortArgs {
            port: words.name(&question.port)?
        }))
);

question!(
    MessageQuestion {
        /// Address of the message, or its id as id:3068 or id:0xbfc
        message: String,
    } | question,
    words
        | Ok(Command::Message(MessageArgs {
            message: words.name(&question.message)?
        }))
);

question!(
    StackQuestion {
        /// Address of the thread, its id as tid:1234 or tid:0x4d2, or current
        thread: String,
    } | question,
    words
        | Ok(Command::Stack(StackArgs {
            thread: words.name(&question.thread)?,
            args: false
        }))
);

question!(CallsQuestion {
    /// Only at ports with this in their name
    port: Option<String>,
    /// Only of this process, as client or as server: address, id or image name
    process: Option<String>,
    /// Only of interfaces with this in their name or UUID
    interface: Option<String>,
    /// Only of procedures with this in their name, or of this number
    procedure: Option<String>,
} |question, words| Ok(Command::Calls(CallsArgs {
    port: words.option("--port", question.port.as_ref()),
    process: words.option("--process", question.process.as_ref()),
    interface: words.option("--interface", question.interface.as_ref()),
    procedure: words.option("--procedure", question.procedure.as_ref()),
})));

/// The views that are explained.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum View {
    Hang,
    Chain,
    Message,
    Port,
    Thread,
    Process,
    Object,
    Irp,
    Resource,
}

question!(ExplainQuestion {
    /// The view
    view: View,
    /// What it is of, by address, id or name; nothing for hang
    of: Option<String>,
} |question, words| {
    let command = explained(question.view, question.of.as_ref(), words)?;
    words.0.push(EXPLAIN.to_owned());
    Ok(command)
});

fn explained(view: View, of: Option<&String>, words: &mut Words) -> anyhow::Result<Command> {
    let of = match (view, of) {
        (View::Hang, _) => return Ok(Command::Hang(HangArgs { longer_than: None })),
        (_, Some(of)) => words.name(of)?,
        (_, None) => return Err(Failure::fatal("bad-arguments", "say in `of` what the view is of")),
    };
    Ok(match view {
        View::Hang => Command::Hang(HangArgs { longer_than: None }),
        View::Chain => Command::Chain(ChainArgs {
            start: of,
            candidates: false,
        }),
        View::Message => Command::Message(MessageArgs { message: of }),
        View::Port => Command::Port(PortArgs { port: of }),
        View::Thread => Command::Thread(ThreadArgs { thread: of }),
        View::Process => Command::Process(ProcessArgs { process: of }),
        View::Object => Command::Object(ObjectArgs { object: of }),
        View::Irp => Command::Irp(IrpArgs { irp: of }),
        View::Resource => Command::Resource(ResourceArgs { resource: of }),
    })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FolderQuestion {
    /// A folder that the server allows, or one in it
    folder: String,
    /// Look also into the folders in it
    recursive: Option<bool>,
    /// The first dump that is shown where there are more than the limit [default: 0]
    offset: Option<u64>,
    /// Dumps that are shown [default: 50; at most 1000]
    limit: Option<u64>,
}

impl Arguments for FolderQuestion {
    fn asked(self) -> anyhow::Result<Asked> {
        Ok(Asked {
            page: Page::new(self.offset, self.limit),
            about: About::Folder {
                folder: self.folder,
                recursive: self.recursive == Some(true),
            },
        })
    }
}

fn span(text: &str) -> anyhow::Result<u64> {
    time::parse_span(text).map_err(|why| Failure::fatal("bad-arguments", format!("longer_than: {why}")))
}

//! What stands beside the pictures of a page: the blockers with what proves them, and the pictures' own captions.

use crate::text::graph::behind::Subject;
use crate::text::graph::scene::Scene;
use crate::text::graph::svg::{self, Use, beginning, escaped};

/// What is told of a deadlock or a blocker. All text is escaped for a terminal, not for the format.
#[derive(Clone, Debug)]
pub struct Told {
    /// What its picture is of.
    pub subject: Subject,
    /// Which it is: `Blocker 1`, `Deadlock`.
    pub name: String,
    /// What it is, in a sentence.
    pub sentence: String,
    /// Who waits behind it.
    pub behind: String,
    /// What else is known: the function that it is in.
    pub more: Vec<String>,
    /// The steps to it, each with the fields that say so.
    pub steps: Vec<Proof>,
    /// The command that tells more, behind the dump; empty where there is none.
    pub command: String,
}

/// A step of a chain, and the fields that say so.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The step in a sentence.
    pub step: String,
    /// The fields, line by line.
    pub fields: Vec<String>,
}

/// Signs that one thing in the panel may take: names have any length.
const LONGEST: usize = 400;

/// Bytes of the panel; what has no room is counted.
pub const ROOM: usize = 96 << 10;

/// The list of deadlocks and blockers, the first one with its evidence open; the first `pictures` of them have a picture.
/// `left_out` more are in no list.
pub fn list(all: &[Told], pictures: usize, left_out: usize, links: bool) -> String {
    let mut out = match all {
        [] => String::from("<h2>Nothing that threads wait for</h2>\n"),
        _ => String::from("<h2>What they wait for</h2>\n"),
    };
    out.push_str("<ol class=\"roots\">\n");
    let mut shown = 0;
    for (number, told) in all.iter().enumerate() {
        let entry = entry(number, told, number < pictures);
        if out.len() + entry.len() > ROOM {
            break;
        }
        out.push_str(&entry);
        shown += 1;
    }
    out.push_str("</ol>\n");
    let more = all.len() - shown + left_out;
    if more > 0 {
        out.push_str(&format!(
            "<p class=\"dim\">and {more} more that threads wait for: <code>alpc-dump DUMP hang -v</code></p>\n"
        ));
    }
    if links {
        out.push_str(
            "<p><button type=\"button\" class=\"plain\" data-picture=\"links\">Who is connected to whom</button></p>\n",
        );
    }
    out
}

fn entry(number: usize, told: &Told, has_picture: bool) -> String {
    let (name, sentence) = (escaped(&told.name), shown(&told.sentence));
    let mut out = match has_picture {
        true => format!(
            "<li><button type=\"button\" class=\"root\" data-picture=\"{number}\"{}><b>{name}</b> {sentence}</button>",
            if number == 0 { " aria-current=\"true\"" } else { "" }
        ),
        false => format!("<li><p class=\"root\"><b>{name}</b> {sentence}</p>"),
    };
    for line in std::iter::once(&told.behind).chain(&told.more) {
        out.push_str(&format!("<p class=\"dim\">{}</p>\n", shown(line)));
    }
    if !told.steps.is_empty() {
        let open = if number == 0 { " open" } else { "" };
        out.push_str(&format!("<details{open}><summary>what proves it</summary>\n"));
        for proof in &told.steps {
            out.push_str(&format!("<p class=\"step\">{}</p>", shown(&proof.step)));
            if !proof.fields.is_empty() {
                let fields: Vec<String> = proof.fields.iter().map(|field| shown(field)).collect();
                out.push_str(&format!("<pre>{}</pre>\n", fields.join("\n")));
            }
        }
        out.push_str("</details>");
    }
    if !told.command.is_empty() {
        out.push_str(&format!(
            "<p class=\"dim\">look at: <code>alpc-dump DUMP {}</code></p>",
            escaped(&told.command)
        ));
    }
    out + "</li>\n"
}

/// The beginning of a text, as markup.
fn shown(text: &str) -> String {
    escaped(&beginning(text, LONGEST))
}

/// A picture with what it is of; all but the first wait until they are asked for. `links` is the picture of the
/// connections between its processes.
pub fn picture(
    id: &str,
    told: &Captions<'_>,
    scene: &Scene,
    links: Option<&Scene>,
    is_first: bool,
) -> String {
    let hidden = if is_first { "" } else { " hidden" };
    let mut out = format!(
        "<section class=\"scene\" data-scene=\"{id}\"{hidden}>\n<h2>{}</h2>\n",
        shown(told.head)
    );
    if !told.below.is_empty() {
        out.push_str(&format!("<p>{}</p>\n", shown(told.below)));
    }
    out.push_str(&svg::inline(scene, told.head, Use::Choose));
    if let Some(links) = links {
        out.push_str("<div class=\"links\" hidden>\n<h3>Connections between these processes</h3>\n");
        out.push_str(&svg::inline(links, "connections", Use::Choose));
        out.push_str("</div>\n");
    }
    out + "</section>\n"
}

/// What stands in the place of pictures.
pub fn nothing(words: &str) -> String {
    format!(
        "<section class=\"scene\" data-scene=\"none\">\n<h2>{}</h2>\n</section>\n",
        shown(words)
    )
}

/// What stands above a picture.
#[derive(Clone, Copy, Debug)]
pub struct Captions<'c> {
    /// What it is of.
    pub head: &'c str,
    /// What else is to say.
    pub below: &'c str,
}

/// What the lines of pictures mean.
pub fn legend() -> String {
    let mut out = String::from("<div class=\"legend\">\n");
    for (class, words) in svg::LEGEND {
        out.push_str(&format!(
            "<span><svg class=\"picture\" width=\"34\" height=\"8\" aria-hidden=\"true\"><path class=\"wire {class}\" \
             d=\"M0 4H34\"/></svg>{words}</span>\n"
        ));
    }
    out + "</div>\n"
}

//! `irp`: the debugger's `!irp`, one I/O request with the drivers that it was sent through.

use alpc::image::value::Unreadable;
use alpc::process::irp::{IrpInFull, StackLocation};
use alpc::{Addr, Value};
use clap::Args;

use crate::commands::{Category, Spec, Verb};
use crate::failure::Failure;
use crate::options::Options;
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::output::table::of;
use crate::selector;
use crate::session::Session;
use crate::text::marked::{Text, text};
use crate::text::rows::{or_question, unknown_address};
use crate::text::wait_lines;

/// One I/O request: which driver has it, and through which it came there (!irp)
#[derive(Clone, Debug, Args)]
pub struct IrpArgs {
    /// Address of the request (_IRP), as hang, chain and thread -v print it
    #[arg(value_name = "ADDR")]
    pub irp: String,
}

impl IrpArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::System,
        switches: &[],
        shape: Shape {
            name: "irp",
            results: &[of::<IrpInFull>],
            tables: &[],
            whole: &[of::<IrpInFull>],
        },
    };
}

impl Verb for IrpArgs {
    fn run(&self, _: &Options, session: &Session) -> anyhow::Result<Answer> {
        let kernel = session.kernel()?;
        let address = selector::structure(&kernel, &self.irp)?;
        let record = IrpInFull::at(&kernel, address).map_err(|hole| match hole {
            Unreadable::NotThere { .. } => Failure::not_there("not-an-irp", hole.to_string()),
            hole => Failure::partial(
                hole.id(),
                format!(
                    "the I/O request at {} cannot be read: {hole}",
                    kernel.addr(address)
                ),
            ),
        })?;
        let digits = record.address.digits();
        Ok(Answer::new(text(&record, digits), &record)?.served_by(&kernel))
    }

    fn named(&self) -> Vec<String> {
        vec![self.irp.clone()]
    }

    fn is_of_one_thing(&self) -> bool {
        true
    }

    fn look_at(&mut self, address: String) {
        self.irp = address;
    }
}

fn text(record: &IrpInFull, digits: usize) -> Text {
    let count = or_question(&record.stack_count, ToString::to_string);
    let state = match (&record.locations, &record.current_location, &record.stack_count) {
        (Value::Known(locations), Value::Known(current), Value::Known(count)) if locations.is_empty() => {
            match current.checked_sub(*count) {
                Some(1) => Text::from("was not sent to a driver yet"),
                _ => Text::from("is completed"),
            }
        }
        (_, current, _) => text!("is at {} of them", or_question(current, ToString::to_string)),
    };
    let thread = or_question(&record.thread, |thread| match thread.gva().u64() {
        0 => "no thread".to_owned(),
        _ => format!("thread {thread}"),
    });
    let mut text = text!(
        "\nI/O request {}, made for {count} drivers, {state}, of {thread}\n",
        record.address
    );
    match &record.locations {
        Value::Known(locations) if locations.is_empty() => {}
        Value::Known(locations) => {
            text.push(text!(
                "       {:<digits$}  {:<digits$}  {:<28}  Driver\n",
                "Device",
                "File",
                "Function"
            ));
            locations
                .iter()
                .for_each(|location| text.push(line(location, digits)));
            let below = locations.last().map_or(0, |last| last.number.saturating_sub(1));
            if below > 0 {
                text.push(text!("       not sent yet to the {below} below\n"));
            }
        }
        Value::Missing(hole) => text.push(text!("  the drivers that it was sent to: ? ({hole})\n")),
    }
    text
}

/// `  > 2  fffffa801a2f0060  fffffa801a3c0010  device control  \FileSystem\Npfs`
fn line(location: &StackLocation, digits: usize) -> Text {
    let mark = if location.current { '>' } else { ' ' };
    let pointer = |value: &Value<Option<Addr>>| match value {
        Value::Known(Some(at)) => Text::from(at.to_string()),
        Value::Known(None) => Text::from(format!("{:<digits$}", "-")),
        Value::Missing(_) => unknown_address(digits),
    };
    let device = pointer(&location.device.clone().map(Some));
    let file = pointer(&location.file_object);
    let function = or_question(&location.major_function, |major| {
        format!("{:<28}", wait_lines::major_function(*major))
    });
    let driver = or_question(&location.driver, wait_lines::driver);
    text!(
        "  {mark} {:>2}  {device}  {file}  {function}  {driver}\n",
        location.number
    )
}

//! `resource`: the debugger's `!alpc /R`, of which only the name is known; the layout is ours.

use alpc::Value;
use alpc::object::blob::BlobKind;
use alpc::port::resource::{
    self, CommunicationInfoMembers, DuplicateContext, HandleDataMembers, HandleTable, Links, Members, Nested,
    RegionMembers, ReserveMembers, ResourceRecord, Resources, SectionMembers, SecurityMembers, ViewMembers,
};
use clap::Args;

use crate::commands::{Category, Spec, Verb};
use crate::failure::Failure;
use crate::options::{Options, Style};
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::output::table::of;
use crate::selector;
use crate::session::Session;
use crate::text::marked::{Text, text};
use crate::text::rows::{self, Rows};

/// One resource, or all that a port owns: sections, views, reserves ... (!alpc /R)
#[derive(Clone, Debug, Args)]
pub struct ResourceArgs {
    /// Address of the resource; or address, name or full path of the port that owns resources
    #[arg(value_name = "ADDR|NAME")]
    pub resource: String,
}

impl ResourceArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Views,
        switches: &[
            ("r", &["resource"]),
            // Later debuggers split the view of resources by what they are.
            ("section", &["resource"]),
            ("region", &["resource"]),
            ("view", &["resource"]),
            ("presl", &["resource"]),
        ],
        shape: Shape {
            name: "resource",
            results: &[of::<Resources>],
            tables: &[],
            whole: &[of::<Resources>],
        },
    };
}

impl Verb for ResourceArgs {
    fn run(&self, options: &Options, session: &Session) -> anyhow::Result<Answer> {
        let kernel = session.kernel()?;
        let address = selector::resource(&kernel, &self.resource)?;
        let record = resource::resources(&kernel, address)
            .map_err(|error| Failure::not_there("not-a-resource", error.to_string()))?;
        let manner = Manner {
            style: options.style,
            verbose: options.verbose,
            digits: kernel.addr(address).digits(),
        };
        Ok(Answer::new(text(&record, manner), &record)?.served_by(&kernel))
    }

    fn named(&self) -> Vec<String> {
        vec![self.resource.clone()]
    }

    fn is_of_one_thing(&self) -> bool {
        true
    }

    fn look_at(&mut self, address: String) {
        self.resource = address;
    }
}

/// Width of a row's label.
const LABEL: usize = 21;

/// Columns that a resource in the list of another one is indented by.
const INDENT: usize = 4;

/// How the blocks of a view are written.
#[derive(Clone, Copy)]
struct Manner {
    style: Style,
    verbose: bool,
    digits: usize,
}

/// One block a resource: an empty line, the header, the rows.
fn text(record: &Resources, manner: Manner) -> Text {
    let mut rows = Rows::new(LABEL, manner.digits);
    for resource in &record.resources {
        rows.line("");
        rows.block(&block(resource, manner), 0);
    }
    if let Some(port) = &record.port {
        if record.resources.is_empty() && record.complete.reason().is_none() {
            rows.heading(text!("The port {} owns no resources.", port.address));
        }
        rows.end_of_list(&record.complete);
    }
    rows.finish()
}

fn block(resource: &ResourceRecord, manner: Manner) -> Text {
    let mut rows = Rows::new(resource.members.known().map_or(LABEL, label_width), manner.digits);
    let at = match manner.style {
        Style::Classic => "@ ",
        Style::Modern => "",
    };
    // Of /R nothing is known but its line in the help of 2009, "Dumps the information regarding resources".
    rows.heading(text!("Resource {at}{}", resource.address));
    rows.known("Type", &resource.kind);
    if let Some(freed) = resource.freed {
        rows.text("Freed", freed.text());
    }
    rows.wide_number("ReferenceCount", &resource.reference_count, 4);
    if manner.verbose {
        rows.wide_number("CachedReferences", &resource.cached_references, 4);
        rows.text(
            "BlobFlags",
            rows::or_question(&resource.blob_flags, |flags| flags.join(" ")),
        );
    }
    let members = match &resource.members {
        Value::Known(members) => members,
        Value::Missing(_) => {
            rows.text("Members", rows::unknown());
            return rows.finish();
        }
    };
    match members {
        Members::CommunicationInfo(members) => communication_info(&mut rows, members),
        Members::Section(members) => section(&mut rows, members, manner),
        Members::Region(members) => region(&mut rows, members, manner),
        Members::View(members) => view(&mut rows, members),
        Members::Reserve(members) => reserve(&mut rows, members),
        Members::Security(members) => security(&mut rows, members),
        Members::HandleData(members) => handle_data(&mut rows, members),
        Members::None => elsewhere(&mut rows, resource),
    }
    rows.finish()
}

/// The names of two ports of a communication info are longer than the labels of the other views.
fn label_width(members: &Members) -> usize {
    match members {
        Members::CommunicationInfo(_) => "ServerCommunicationPort".len(),
        Members::HandleData(_) | Members::Security(_) => "  DirectlyAccessClientToken".len(),
        _ => LABEL,
    }
}

fn elsewhere(rows: &mut Rows, resource: &ResourceRecord) {
    if matches!(resource.kind, Value::Known(BlobKind::MESSAGE)) {
        rows.text("Members", text!("see message {}", resource.address));
    }
}

fn section(rows: &mut Rows, members: &SectionMembers, manner: Manner) {
    rows.address("SectionObject", &members.section_object);
    rows.wide_number("Size", &members.size, 4);
    rows.address("HandleTable", &members.handle_table);
    rows.wide_number("SectionHandle", &members.section_handle, 4);
    rows.process("OwnerProcess", &members.owner_process);
    rows.port("OwnerPort", &members.owner_port);
    rows.flag("Internal", &members.internal);
    rows.flag("Secure", &members.secure);
    rows.number("NumberOfRegions", &members.number_of_regions, 4);
    nested(rows, "RegionListHead", &members.regions, "region", manner);
}

fn region(rows: &mut Rows, members: &RegionMembers, manner: Manner) {
    links(rows, "RegionListEntry", &members.region_list_entry);
    rows.address("Section", &members.section);
    rows.wide_number("Offset", &members.offset, 4);
    rows.wide_number("Size", &members.size, 4);
    rows.wide_number("ViewSize", &members.view_size, 4);
    rows.flag("Secure", &members.secure);
    rows.number("NumberOfViews", &members.number_of_views, 4);
    rows.address("ReadOnlyView", &members.read_only_view);
    rows.address("ReadWriteView", &members.read_write_view);
    nested(rows, "ViewListHead", &members.views, "view", manner);
}

/// A contained list: a row that counts what was found, then an indented block for each.
fn nested(rows: &mut Rows, label: &str, list: &Value<Nested>, what: &str, manner: Manner) {
    let Value::Known(list) = list else {
        return rows.text(label, rows::unknown());
    };
    rows.text(label, format!("{} {what}(s)", list.resources.len()));
    for resource in &list.resources {
        rows.line("");
        rows.block(&block(resource, manner), INDENT);
    }
    rows.end_of_list(&list.complete);
}

fn view(rows: &mut Rows, members: &ViewMembers) {
    links(rows, "ViewListEntry", &members.view_list_entry);
    rows.address("Region", &members.region);
    rows.port("OwnerPort", &members.owner_port);
    rows.process("OwnerProcess", &members.owner_process);
    rows.address("Address", &members.address);
    rows.wide_number("Size", &members.size, 4);
    rows.address("SecureViewHandle", &members.secure_view_handle);
    rows.address("WriteAccessHandle", &members.write_access_handle);
    rows.flag("WriteAccess", &members.write_access);
    rows.flag("AutoRelease", &members.auto_release);
    rows.flag("ForceUnlink", &members.force_unlink);
    rows.flag("SystemSpace", &members.system_space);
    rows.number("NumberOfOwnerMessages", &members.number_of_owner_messages, 4);
    links(rows, "ProcessViewListEntry", &members.process_view_list_entry);
}

fn reserve(rows: &mut Rows, members: &ReserveMembers) {
    rows.port("OwnerPort", &members.owner_port);
    rows.address("HandleTable", &members.handle_table);
    rows.wide_number("Handle", &members.handle, 4);
    rows.address("Message", &members.message);
    rows.wide_number("Size", &members.size, 4);
    rows.flag("Active", &members.active);
}

fn security(rows: &mut Rows, members: &SecurityMembers) {
    rows.address("HandleTable", &members.handle_table);
    rows.wide_number("ContextHandle", &members.context_handle, 4);
    rows.process("OwningProcess", &members.owning_process);
    rows.port("OwnerPort", &members.owner_port);
    let context = &members.dynamic_security;
    rows.text("DynamicSecurity", "_SECURITY_CLIENT_CONTEXT");
    rows.address("  ClientToken", &context.client_token);
    rows.flag(
        "  DirectlyAccessClientToken",
        &context.directly_access_client_token,
    );
    rows.flag(
        "  DirectAccessEffectiveOnly",
        &context.direct_access_effective_only,
    );
    rows.flag("  ServerIsRemote", &context.server_is_remote);
    rows.flag("Revoked", &members.revoked);
    rows.flag("Impersonated", &members.impersonated);
}

fn handle_data(rows: &mut Rows, members: &HandleDataMembers) {
    rows.number("ObjectType", &members.object_type, 4);
    rows.number("Flags", &members.flags, 4);
    rows.number("Count", &members.count, 4);
    let digits = rows.digits();
    let context = rows::reference(&members.duplicate_context, digits, |context| {
        context.at.to_string()
    });
    rows.text("DuplicateContext", context);
    if let Value::Known(Some(context)) = &members.duplicate_context {
        duplicate_context(rows, context);
    }
}

fn duplicate_context(rows: &mut Rows, context: &DuplicateContext) {
    rows.process("  SourceProcess", &context.source_process);
    rows.wide_number("  SourceHandle", &context.source_handle, 4);
    rows.address("  Object", &context.object);
    rows.number("  TargetAccess", &context.target_access, 8);
    rows.number("  HandleAttributes", &context.handle_attributes, 4);
}

fn communication_info(rows: &mut Rows, members: &CommunicationInfoMembers) {
    rows.port("ConnectionPort", &members.connection_port);
    rows.port("ServerCommunicationPort", &members.server_communication_port);
    rows.port("ClientCommunicationPort", &members.client_communication_port);
    links(rows, "CommunicationList", &members.communication_list);
    rows.address("CloseMessage", &members.close_message);
    match &members.handle_table {
        Value::Known(table) => handle_table(rows, table),
        Value::Missing(_) => rows.text("HandleTable", rows::unknown_address(rows.digits())),
    }
}

/// The table, its entries in use one a line: handle, resource, kind.
fn handle_table(rows: &mut Rows, table: &HandleTable) {
    rows.text("HandleTable", table.address.to_string());
    rows.text("  Handles", table.handles.to_string());
    rows.text(
        "  TotalHandles",
        text!(
            "{}, {} in use",
            rows::or_question(&table.total_handles, |total| format!("0x{total:04X} ({total})")),
            rows::or_question(&table.total_handles, |_| table.entries.len().to_string())
        ),
    );
    for entry in &table.entries {
        let kind = rows::or_question(&entry.kind, ToString::to_string);
        rows.line(text!("    0x{:04X} {} {kind}", entry.handle, entry.object));
    }
    rows.end_of_list(&table.complete);
}

/// A list entry, as the debugger writes one.
fn links(rows: &mut Rows, label: &str, value: &Value<Links>) {
    // As `dt` writes a _LIST_ENTRY.
    let unknown = rows::unknown_address(rows.digits());
    let text = match value {
        Value::Known(Links { flink, blink }) => format!("[ {flink} - {blink} ]"),
        Value::Missing(hole) if hole.is_absence() => "-".to_owned(),
        Value::Missing(_) => format!("[ {unknown} - {unknown} ]"),
    };
    rows.text(label, &text);
}

//! Which views a member or global that the symbols lack costs.

use ntlayout::Missing;

/// The views that fall away, or lose part of what they show, without what a symbol table lacks.
pub fn of(missing: &[Missing]) -> Vec<&'static str> {
    let mut views: Vec<&'static str> = missing.iter().flat_map(views_of).copied().collect();
    views.sort_unstable();
    views.dedup();
    views
}

fn views_of(missing: &Missing) -> &'static [&'static str] {
    match missing {
        Missing::Type { ty } | Missing::Field { ty, .. } => match *ty {
            "_ALPC_PORT" | "_EPROCESS" | "_LIST_ENTRY" => {
                &["message", "port", "resource", "global", "threads"]
            }
            "_KALPC_MESSAGE" | "_KALPC_MESSAGE_ATTRIBUTES" | "_PORT_MESSAGE" => {
                &["message", "port", "threads"]
            }
            "_ETHREAD" | "_KTHREAD" | "_DISPATCHER_HEADER" => &["port", "threads"],
            "_HANDLE_TABLE" | "_HANDLE_TABLE_ENTRY" => &["message by id", "handles"],
            "_OBJECT_DIRECTORY" | "_OBJECT_DIRECTORY_ENTRY" => &["names"],
            "_BLOB" => &["message", "resource"],
            "_ALPC_COMPLETION_LIST" | "_ALPC_COMPLETION_LIST_HEADER" => &["port (completion list)"],
            "_IRP" => &["thread (IRPs)", "hang (I/O requests)"],
            "_IO_STACK_LOCATION" | "_FILE_OBJECT" | "_DEVICE_OBJECT" | "_DRIVER_OBJECT" => {
                &["hang (I/O requests)"]
            }
            "_ERESOURCE" | "_OWNER_ENTRY" | "_KWAIT_CHAIN_ENTRY" | "_FAST_MUTEX" | "_KLOCK_ENTRY" => {
                &["hang (owners of locks)"]
            }
            "_TEB" | "_PEB" | "_RTL_USER_PROCESS_PARAMETERS" => &["hang (services)"],
            "_PSP_SESSION_SPACE" => &["processes (session)"],
            "_OB_DUPLICATE_OBJECT_STATE" => &["resource (handle data)"],
            _ => &["port", "resource"],
        },
        Missing::Global { name } => match *name {
            "PsActiveProcessHead" => &["processes", "threads"],
            "AlpcpPortList" => &["ports"],
            "AlpcMessageTable" | "AlpcpSecondaryMessageTables" => &["messages in no queue"],
            "AlpcpRegisteredTypes" => &["global (blob types)"],
            "ObpRootDirectoryObject" => &["names"],
            "ObTypeIndexTable" => &["handles (types)"],
            "AlpcpNextMessageId"
            | "AlpcpNextCallbackId"
            | "AlpcpLogEnabled"
            | "AlpcpMessageLogEnabled"
            | "AlpcpRegionGranularity"
            | "AlpcpViewGranularity" => &["global (settings)"],
            "KeTimeIncrement" => &["waits (how long)"],
            "PsLoadedModuleList" => &["modules"],
            _ => &[],
        },
    }
}

#[cfg(test)]
mod tests {
    use alpc::CONTRACT;
    use alpc::image::contract;

    use super::*;

    #[test]
    fn whatever_is_missed_costs_a_view_and_nothing_else_does() {
        let globals = CONTRACT
            .globals
            .iter()
            .map(|global| Missing::Global { name: global.name });
        let types = CONTRACT.types.iter().map(|ty| Missing::Type { ty });
        for missing in globals.chain(types) {
            let views = of(std::slice::from_ref(&missing));
            assert_eq!(
                contract::is_missed(&missing),
                !views.is_empty(),
                "{missing}: {views:?}"
            );
        }
    }
}

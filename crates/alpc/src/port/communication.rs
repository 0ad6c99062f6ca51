//! The communication infos that tie the ports of connections together.

use crate::port;
use ntkernel::image::contract::CommunicationInfo;
use ntkernel::image::kernel::{At, Read};
use ntkernel::image::list::{self, List};

/// The communication infos of a connection port's connections, in list order.
///
/// # Errors
/// When the port's own info, which has the head of the list, is not in the dump.
pub fn infos(port: At<'_, '_>) -> Read<List> {
    let kernel = port.kernel();
    // The same member is the head in the info of the connection port and an entry in those of its connections.
    let head = port::info(port)?.address_of(CommunicationInfo::CommunicationList)?;
    Ok(list::walk(kernel, head).containers(kernel.offset(CommunicationInfo::CommunicationList)?))
}

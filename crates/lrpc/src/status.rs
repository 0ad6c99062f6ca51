//! Statuses that RPC gives up with.

/// The name of a status, by Windows' own headers; none for one that says nothing of RPC.
///
/// Event logs write them in hex: 0x6ba is `RPC_S_SERVER_UNAVAILABLE`, 0x6be `RPC_S_CALL_FAILED`. Source: winerror.h.
#[must_use]
pub fn name(status: u32) -> Option<&'static str> {
    Some(match status {
        0 => "RPC_S_OK",
        5 => "ERROR_ACCESS_DENIED",
        14 => "ERROR_OUTOFMEMORY",
        1702 => "RPC_S_INVALID_BINDING",
        // Also what a request gets whose binding id the server has never heard of.
        1717 => "RPC_S_UNKNOWN_IF",
        // 0x6ba: no port of that name, or nobody at it. The usual word for a service that has died.
        1722 => "RPC_S_SERVER_UNAVAILABLE",
        1723 => "RPC_S_SERVER_TOO_BUSY",
        // The call was under way: nobody knows whether the server has run it.
        1726 => "RPC_S_CALL_FAILED",
        // "Did not execute": the same, but the server surely has not (Microsoft Learn on RPC's return values).
        1727 => "RPC_S_CALL_FAILED_DNE",
        1728 => "RPC_S_PROTOCOL_ERROR",
        // The answer to a bind without a common transfer syntax: a 32-bit client has NDR20 alone, a 64-bit one NDR64
        // too.
        1730 => "RPC_S_UNSUPPORTED_TRANS_SYN",
        // A number beyond the procedures of the server's version of the interface.
        1745 => "RPC_S_PROCNUM_OUT_OF_RANGE",
        1764 => "RPC_S_CANNOT_SUPPORT",
        1783 => "RPC_X_BAD_STUB_DATA",
        // What RpcCancelThread and RpcAsyncCancelCall lead to.
        1818 => "RPC_S_CALL_CANCELLED",
        _ => return None,
    })
}

// SPDX-License-Identifier: Apache-2.0
// One row per error kind; docs/protocol.schema.json repeats the table and a test compares them.
#include "server/error_kind.h"

#include <array>
#include <cstddef>

namespace handeye {
namespace {

using E = ErrorCode;
using K = ErrorKind;

constexpr std::array kRows{
    ErrorKindRow{K::ParseError, "parse_error", -32700, E::ParseFailed, false, "The message is not JSON, or passes its limits."},
    ErrorKindRow{K::InvalidRequest, "invalid_request", -32600, E::ParseFailed, false, "JSON, but not one JSON-RPC 2.0 request."},
    ErrorKindRow{K::UnknownMethod, "unknown_method", -32601, E::Unsupported, false, "There is no such method."},
    ErrorKindRow{K::InvalidParams, "invalid_params", -32602, E::InvalidArgument, false, "A parameter is missing, of the wrong type or out of range; `field` names it."},
    ErrorKindRow{K::Unauthorized, "unauthorized", -32001, E::PermissionDenied, false, "The token is missing or wrong."},
    ErrorKindRow{K::RateLimited, "rate_limited", -32002, E::Overloaded, true, "Too many wrong tokens from this peer."},
    ErrorKindRow{K::ProtocolUnsupported, "protocol_unsupported", -32003, E::Unsupported, false, "The server does not speak that version of the protocol."},
    ErrorKindRow{K::ScopeDenied, "scope_denied", -32004, E::PermissionDenied, false, "This connection does not hold the scope that the method needs."},
    ErrorKindRow{K::NoSuchSession, "no_such_session", -32010, E::NotFound, false, "No session, open or recorded, has this id."},
    ErrorKindRow{K::NoSuchTask, "no_such_task", -32011, E::NotFound, false, "No task has this id."},
    ErrorKindRow{K::NoSuchSubscription, "no_such_subscription", -32012, E::NotFound, false, "This connection has no such subscription."},
    ErrorKindRow{K::SessionClosed, "session_closed", -32013, E::Unavailable, false, "The session is closed; its recording can still be read."},
    ErrorKindRow{K::TaskRunning, "task_running", -32014, E::Overloaded, true, "The session is busy with a task."},
    ErrorKindRow{K::RequestKeyReused, "request_key_reused", -32015, E::InvalidArgument, false, "This request_key was used with another body."},
    ErrorKindRow{K::StopLatched, "stop_latched", -32016, E::Cancelled, true, "Everything was stopped; control.reset_stop comes first."},
    ErrorKindRow{K::EngineMissing, "engine_missing", -32017, E::Unavailable, false, "No model is loaded and none is being loaded."},
    ErrorKindRow{K::ShuttingDown, "shutting_down", -32018, E::Unavailable, true, "The server is ending."},
    ErrorKindRow{K::NoSuchStream, "no_such_stream", -32023, E::NotFound, false, "This connection has no such stream."},
    ErrorKindRow{K::OutcomeUnknown, "outcome_unknown", -32025, E::Unavailable, false, "The server ended while the first call with this request_key ran; it is not repeated."},
    ErrorKindRow{K::LeaseHeld, "lease_held", -32019, E::PermissionDenied, true, "Somebody else holds the control of this session; `control.status` says who."},
    ErrorKindRow{K::PolicyDenied, "policy_denied", -32024, E::PermissionDenied, false, "The policy does not allow this action."},
    ErrorKindRow{K::NoSuchApproval, "no_such_approval", -32022, E::NotFound, false, "No approval has this id."},
    ErrorKindRow{K::ApprovalStale, "approval_stale", -32020, E::Cancelled, false, "The approval is decided, has expired, or its picture has changed."},
    ErrorKindRow{K::ApprovalDenied, "approval_denied", -32021, E::PermissionDenied, false, "A person said no."},
    ErrorKindRow{K::NoSuchQuestion, "no_such_question", -32026, E::NotFound, false, "No question that waits has this id."},
    ErrorKindRow{K::InvalidArgument, "invalid_argument", -32602, E::InvalidArgument, false, "Something in the request is out of contract."},
    ErrorKindRow{K::ParseFailed, "parse_failed", -32030, E::ParseFailed, false, "Text or bytes do not follow their format."},
    ErrorKindRow{K::OutOfBounds, "out_of_bounds", -32031, E::OutOfBounds, false, "A coordinate, offset or size lies outside its limit."},
    ErrorKindRow{K::LimitExceeded, "limit_exceeded", -32032, E::LimitExceeded, false, "A named bound was passed."},
    ErrorKindRow{K::NotFound, "not_found", -32033, E::NotFound, false, "A file, window, element or name does not exist."},
    ErrorKindRow{K::Unsupported, "unsupported", -32034, E::Unsupported, false, "Known, and not available here."},
    ErrorKindRow{K::PermissionDenied, "permission_denied", -32035, E::PermissionDenied, false, "Policy or the operating system said no."},
    ErrorKindRow{K::Unavailable, "backend_unavailable", -32036, E::Unavailable, true, "A display, device or program is missing or went away."},
    ErrorKindRow{K::Overloaded, "overloaded", -32037, E::Overloaded, true, "A bounded queue is full."},
    ErrorKindRow{K::Cancelled, "cancelled", -32038, E::Cancelled, false, "Stopped by a person, a signal or a request."},
    ErrorKindRow{K::DeadlineExceeded, "deadline_exceeded", -32039, E::DeadlineExceeded, true, "A deadline passed."},
    ErrorKindRow{K::IoFailed, "io_failed", -32040, E::IoFailed, true, "The operating system reported an I/O error."},
    ErrorKindRow{K::OutOfMemory, "out_of_memory", -32041, E::OutOfMemory, true, "There is not enough memory for this."},
    ErrorKindRow{K::EngineLost, "engine_lost", -32042, E::EngineLost, true, "The model's device or process is gone."},
    ErrorKindRow{K::Internal, "internal", -32603, E::Internal, false, "A broken promise inside the server."},
};

constexpr bool is_in_order() {
    for (std::size_t i = 0; i < kRows.size(); ++i) {
        if (static_cast<std::size_t>(kRows[i].kind) != i) {
            return false;
        }
    }
    return true;
}
static_assert(is_in_order() && kRows.size() == static_cast<std::size_t>(K::Internal) + 1);

} // namespace

std::span<const ErrorKindRow> error_kind_table() { return kRows; }

const ErrorKindRow& error_kind_row(ErrorKind kind) { return kRows[static_cast<std::size_t>(kind)]; }

ErrorKind error_kind(ErrorCode code) {
    switch (code) {
    case E::InvalidArgument: return K::InvalidArgument;
    case E::ParseFailed: return K::ParseFailed;
    case E::OutOfBounds: return K::OutOfBounds;
    case E::LimitExceeded: return K::LimitExceeded;
    case E::NotFound: return K::NotFound;
    case E::Unsupported: return K::Unsupported;
    case E::PermissionDenied: return K::PermissionDenied;
    case E::Unavailable: return K::Unavailable;
    case E::Overloaded: return K::Overloaded;
    case E::Cancelled: return K::Cancelled;
    case E::DeadlineExceeded: return K::DeadlineExceeded;
    case E::IoFailed: return K::IoFailed;
    case E::OutOfMemory: return K::OutOfMemory;
    case E::EngineLost: return K::EngineLost;
    case E::Internal: return K::Internal;
    }
    return K::Internal;
}

RpcError to_rpc_error(const Error& error) { return {error_kind(error.code), error.message, ""}; }

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// The stable names of everything the control API can say no with. Clients decide by kind; messages may change.
#pragma once

#include "base/result.h"

#include <span>
#include <string>
#include <string_view>

namespace handeye {

enum class ErrorKind {
    // The envelope.
    ParseError, InvalidRequest, UnknownMethod, InvalidParams,
    // Who may do what.
    Unauthorized, RateLimited, ProtocolUnsupported, ScopeDenied,
    // What a request named or wanted.
    NoSuchSession, NoSuchTask, NoSuchSubscription, SessionClosed, TaskRunning, RequestKeyReused, StopLatched,
    EngineMissing, ShuttingDown, NoSuchStream, OutcomeUnknown,
    // Authority.
    LeaseHeld, PolicyDenied, NoSuchApproval, ApprovalStale, ApprovalDenied, NoSuchQuestion,
    // The program's own errors, one for each ErrorCode.
    InvalidArgument, ParseFailed, OutOfBounds, LimitExceeded, NotFound, Unsupported, PermissionDenied, Unavailable,
    Overloaded, Cancelled, DeadlineExceeded, IoFailed, OutOfMemory, EngineLost, Internal,
};

struct ErrorKindRow {
    ErrorKind kind;
    std::string_view name;    ///< `data.kind` on the wire
    int rpc_code;             ///< `code` on the wire
    ErrorCode error_code;     ///< `data.code` on the wire: the class of the failure
    bool is_retryable;        ///< the same request may succeed later
    std::string_view meaning; ///< one line for the docs
};

/// Every kind, in the order of the enum.
std::span<const ErrorKindRow> error_kind_table();
const ErrorKindRow& error_kind_row(ErrorKind kind);
/// The kind of an error of the program.
ErrorKind error_kind(ErrorCode code);

/// A "no" on its way to a client. `field` names the parameter that is wrong, "" where it is not about one.
struct RpcError {
    ErrorKind kind = ErrorKind::Internal;
    std::string message;
    std::string field;
};
RpcError to_rpc_error(const Error& error);

} // namespace handeye

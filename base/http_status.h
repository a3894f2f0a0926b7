// SPDX-License-Identifier: Apache-2.0
// The status codes of HTTP (RFC 9110) that clients of ours tell apart.
#pragma once

namespace handeye::http_status {

// Where each class begins.
inline constexpr int kOk = 200;
inline constexpr int kRedirect = 300;
inline constexpr int kClientFault = 400;
inline constexpr int kServerFault = 500;

inline constexpr int kUnauthorized = 401;
inline constexpr int kForbidden = 403;
inline constexpr int kNotFound = 404;
inline constexpr int kMethodNotAllowed = 405;
inline constexpr int kTimeout = 408;
inline constexpr int kTooLarge = 413;
inline constexpr int kTooEarly = 425;
inline constexpr int kTooMany = 429;
inline constexpr int kNotImplemented = 501;
inline constexpr int kUnavailable = 503;

} // namespace handeye::http_status

// SPDX-License-Identifier: Apache-2.0
// What of a request's head the checks of the guard look at. Pure.
#pragma once

#include "server/http_guard.h"
#include "server/transport/beast_types.h"

namespace handeye {

RequestHead read_head(const http::request<http::empty_body>& request);

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// The host of a web address, as rules on domains compare it. Inside this folder only.
#pragma once

#include <string>

namespace handeye {

/// "https://user@www.Example.org:8443/x" -> "www.Example.org"; empty for what is no such address.
std::string host_of(const std::string& url);

} // namespace handeye

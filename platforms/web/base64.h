// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::web {

/// ParseFailed for anything but whole base64 with its padding.
Result<std::vector<std::uint8_t>> from_base64(std::string_view text);
std::string to_base64(std::span<const std::uint8_t> bytes);

} // namespace handeye::web

// SPDX-License-Identifier: Apache-2.0
// SHA-256 for content addresses and hash chains, random bytes for tokens, ULIDs for names that sort by time.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace handeye {

using Sha256 = std::array<std::uint8_t, 32>;

Sha256 sha256(std::span<const std::uint8_t> data);
Sha256 sha256(std::string_view text);
/// Lower-case hexadecimal.
std::string to_hex(std::span<const std::uint8_t> bytes);
/// Bytes from the operating system's generator, as hexadecimal: random_hex(32) is a 256-bit token.
Result<std::string> random_hex(std::size_t bytes);
/// 26 characters of Crockford base 32: 48 bits of milliseconds, then 80 random bits.
Result<std::string> make_ulid(WallTime now);
/// Compares in time that depends on the lengths only.
bool equal_constant_time(std::string_view a, std::string_view b);

} // namespace handeye

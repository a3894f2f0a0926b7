// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace handeye {

/// How a row (one head of one token) of cached keys or values is kept: floats; halves; or codes of 8 bits with a half as the scale
/// of each kKvGroup of them.
enum class KvFormat { F32, F16, Q8 };
inline constexpr int kKvGroup = 64;

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// What handeye-reader and its caller say to each other. Native byte order: both are this build. Inside this folder only.
#pragma once

#include "base/child_wire.h"

#include <cstdint>

namespace handeye::reading {

using wire::bytes_of;
using wire::Deadline;
using wire::Moved;
using wire::receive_all;
using wire::send_all;

/// Caller: the languages, once.
struct Hello {
    std::uint32_t languages_bytes = 0;
};
/// Caller: one line; its pixels follow, a byte each.
struct Ask {
    std::int32_t width_px = 0;
    std::int32_t height_px = 0;
};
/// Reader: `bytes` follow; of words when `code` is 0, else a message for people.
struct Answer {
    std::uint32_t code = 0;
    std::uint32_t words = 0;
    std::uint32_t bytes = 0;
};
/// One word; its text follows.
struct Word {
    std::int32_t x = 0, y = 0, width_px = 0, height_px = 0;
    float confidence = 0; ///< 0..1
    std::uint32_t text_bytes = 0;
};

constexpr std::uint32_t kLanguagesBytesMax = 256;
constexpr std::uint32_t kAnswerBytesMax = 256U << 10U;

} // namespace handeye::reading

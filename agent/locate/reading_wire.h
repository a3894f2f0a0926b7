// SPDX-License-Identifier: Apache-2.0
// What handeye-reader and its caller say to each other. Native byte order: both are this build. Inside this folder only.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>

namespace handeye::reading {

using Deadline = std::chrono::steady_clock::time_point;

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

enum class Moved { All, Gone, TooLate };
Moved send_all(int socket, std::span<const std::uint8_t> bytes, Deadline deadline);
Moved receive_all(int socket, std::span<std::uint8_t> into, Deadline deadline);

template <class T>
std::span<std::uint8_t> bytes_of(T& value) { return {reinterpret_cast<std::uint8_t*>(&value), sizeof value}; }

} // namespace handeye::reading

// SPDX-License-Identifier: Apache-2.0
// What handeye and handeye-video say to each other: both ends are of one build.
#pragma once

#include <cstdint>

namespace handeye {

/// With the film's descriptor.
struct FilmQuestion {
    std::uint64_t bytes = 0;
};

inline constexpr std::uint32_t kFilmProgress = 0xFFFFFFFF;

/// With a memfd of the frames' pixels (RGB, one after the other), or before a message, or one of many that tell how far it is.
struct FilmHead {
    std::uint32_t code = 0; ///< 0: the frames; kFilmProgress; otherwise ErrorCode + 1, a message follows
    std::uint32_t message_bytes = 0;
    double share = 0; ///< of a progress head
    std::int32_t width_px = 0;
    std::int32_t height_px = 0;
    std::int32_t frames = 0;
    std::uint32_t breaks_off = 0;
    double fps = 0;
    std::int32_t own_width_px = 0;
    std::int32_t own_height_px = 0;
    std::int32_t own_frames = 0;
    std::int32_t unused = 0;
    double own_fps = 0;
};

inline constexpr int kFilmFramesMax = 600;
inline constexpr std::int64_t kFilmPixelsMax = 48'000'000; ///< of all frames that are handed on
inline constexpr std::uint32_t kFilmMessageBytesMax = 1024;

} // namespace handeye

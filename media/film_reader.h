// SPDX-License-Identifier: Apache-2.0
// Films from outside as a model looks at them: decoded by handeye-video, a process of their own that has nothing and may call nothing
// but read, write and memory. MP4, QuickTime, Matroska, WebM, AVI, FLV, WMV, MPEG, Ogg; GIF and TIFF, whose one frame is a picture.
#pragma once

#include "base/file.h"
#include "base/result.h"
#include "engine/chat.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <stop_token>

namespace handeye {

struct Film {
    VideoPart video;         ///< what is shown to the model: 2 frames a second, 600 at most, shrunk where it would shrink them
    Size size;               ///< the film's own, turned upright; frames, rate and length are its own, too
    int frames = 0;
    double fps = 0;
    double seconds = 0;
    bool breaks_off = false; ///< the end could not be decoded and is not in `video`
};

inline constexpr std::int64_t kFilmBytesMax = std::int64_t{4} << 30U;

class FilmReader {
public:
    using Progress = std::function<void(double share)>;

    /// `program`: handeye-video; one runs for each film.
    explicit FilmReader(std::filesystem::path program, std::chrono::milliseconds patience = std::chrono::seconds(120))
        : program_(std::move(program)), patience_(patience) {}

    /// A regular file, from its beginning on; its position moves. LimitExceeded beyond kFilmBytesMax, 64 megapixels a frame or two
    /// million frames; ParseFailed for what is no film, with how the process ended where the film killed it; DeadlineExceeded,
    /// Unavailable without a process, Cancelled at once when `stop` is requested. Any thread, several at once: each takes a process of
    /// up to 2 GiB, so whoever reads for strangers bounds how many.
    Result<Film> read(const FileDescriptor& file, const Progress& on_progress = {}, const std::stop_token& stop = {}) const;
    /// The same from memory.
    Result<Film> read(std::span<const std::uint8_t> bytes, const Progress& on_progress = {}, const std::stop_token& stop = {}) const;

private:
    const std::filesystem::path program_;
    const std::chrono::milliseconds patience_;
};

} // namespace handeye

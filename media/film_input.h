// SPDX-License-Identifier: Apache-2.0
// A film's container and its decoder, read from a descriptor: FFmpeg's handles owned, its limits set.
#pragma once

#include "base/geometry.h"
#include "base/result.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

struct AVCodecContext;
struct AVFormatContext;
struct AVFrame;
struct AVIOContext;
struct AVPacket;
struct AVStream;

namespace handeye {

struct FreeFilmPart {
    void operator()(AVFormatContext* format) const;
    void operator()(AVIOContext* bytes) const;
    void operator()(AVCodecContext* codec) const;
    void operator()(AVFrame* frame) const;
    void operator()(AVPacket* packet) const;
};
template <class T>
using FilmPart = std::unique_ptr<T, FreeFilmPart>;

class FilmInput {
public:
    /// From the file's beginning. ParseFailed, Unsupported with the codec's name, LimitExceeded. `file` outlives it.
    static Result<FilmInput> open(int file);

    [[nodiscard]] const AVStream& stream() const { return *stream_; }
    [[nodiscard]] double frames_per_second() const; ///< 0: the container does not say
    [[nodiscard]] Size size() const;                ///< as stored, not turned
    [[nodiscard]] int quarter_turns() const;        ///< clockwise, 0 to 3: how it is to be turned to stand upright

    /// Packets of its pictures, without decoding. LimitExceeded beyond what FilmReader names.
    Result<int> count_frames(const std::function<void(double share)>& on_progress);
    /// Hands on every frame in the order of showing until `on_frame` says false. Damaged ones are left out.
    Result<void> decode(const std::function<Result<bool>(const AVFrame& frame)>& on_frame);

private:
    FilmInput() = default;
    Result<void> open_decoder();
    Result<bool> receive(AVFrame& frame, const std::function<Result<bool>(const AVFrame& frame)>& on_frame);

    std::unique_ptr<int> file_; // where the callbacks look
    FilmPart<AVIOContext> bytes_;
    FilmPart<AVFormatContext> format_; // after bytes_: closed before them
    FilmPart<AVCodecContext> codec_;
    AVStream* stream_ = nullptr; // of format_
};

/// FFmpeg's words for one of its error numbers.
std::string film_problem(int error);

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
#include "media/film_reader.h"

#include "base/child_process.h"
#include "base/child_wire.h"
#include "base/image_codec.h"
#include "media/film_wire.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye {
namespace {

using wire::bytes_of;
using wire::Deadline;
using wire::Moved;

/// The child may have been taken over: nothing that it says is believed.
bool makes_sense(const FilmHead& head) {
    const ImageLimits limits;
    const Size size{head.width_px, head.height_px}, own{head.own_width_px, head.own_height_px};
    const auto is_size = [&](Size s) { return !s.is_empty() && s.width_px <= limits.side_px_max && s.height_px <= limits.side_px_max; };
    const auto is_rate = [](double fps) { return std::isfinite(fps) && fps > 0 && fps < 1e6; };
    return is_size(size) && is_size(own) && head.frames >= 1 && head.frames <= kFilmFramesMax && size.area() <= kFilmPixelsMax / head.frames &&
           head.own_frames >= 1 && is_rate(head.fps) && is_rate(head.own_fps);
}

/// Read, not mapped: a file that shrinks is a short read.
Result<Film> read_frames(const FilmHead& head, const FileDescriptor& pixels) {
    if (!makes_sense(head) || !pixels.is_open()) {
        return Error{ErrorCode::Internal, "the answer of handeye-video makes no sense"};
    }
    Film film{.video = {.frames = {}, .fps = head.fps}, .size = {head.own_width_px, head.own_height_px}, .frames = head.own_frames,
              .fps = head.own_fps, .seconds = head.own_frames / head.own_fps, .breaks_off = head.breaks_off != 0};
    const Size size{head.width_px, head.height_px};
    const std::size_t bytes = static_cast<std::size_t>(size.area()) * 3;
    for (int i = 0; i < head.frames; ++i) {
        std::vector<std::uint8_t> frame(bytes);
        for (std::size_t at = 0; at < bytes;) {
            const ssize_t got = ::pread(pixels.get(), frame.data() + at, bytes - at, static_cast<off_t>(static_cast<std::size_t>(i) * bytes + at));
            if (got <= 0) {
                return Error{ErrorCode::Internal, "handeye-video sent too few pixels"};
            }
            at += static_cast<std::size_t>(got);
        }
        film.video.frames.push_back(TRY(Image::from_pixels(size, PixelFormat::Rgb, std::move(frame))));
    }
    return film;
}

/// Heads up to the one that is not progress.
Moved receive_answer(int socket, FilmHead& head, FileDescriptor& pixels, Deadline deadline, const FilmReader::Progress& on_progress) {
    for (;;) {
        const Moved moved = wire::receive_with_descriptor(socket, bytes_of(head), pixels, deadline);
        if (moved != Moved::All || head.code != kFilmProgress) {
            return moved;
        }
        if (on_progress && std::isfinite(head.share)) {
            on_progress(std::clamp(head.share, 0.0, 1.0));
        }
    }
}

} // namespace

Result<Film> FilmReader::read(const FileDescriptor& file, const Progress& on_progress, const std::stop_token& stop) const {
    struct stat facts {};
    if (::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) {
        return Error{ErrorCode::InvalidArgument, "a film is read from a regular file, and this is none"};
    }
    if (facts.st_size < 1 || facts.st_size > kFilmBytesMax) {
        return Error{facts.st_size < 1 ? ErrorCode::ParseFailed : ErrorCode::LimitExceeded,
                     fmt::format("a film of {} bytes; from 1 to {} are taken", facts.st_size, kFilmBytesMax)};
    }
    const std::unique_ptr<Child> child = TRY(Child::start(program_));
    const std::stop_callback hang_up(stop, [link = child->socket()] { ::shutdown(link->get(), SHUT_RDWR); }); // wakes who waits below
    const int socket = child->socket()->get();
    const Deadline deadline = std::chrono::steady_clock::now() + patience_;
    FilmQuestion question{static_cast<std::uint64_t>(facts.st_size)};
    FilmHead head;
    FileDescriptor pixels;
    static_cast<void>(wire::send_with_descriptor(socket, bytes_of(question), file.get())); // a child that is gone says so at the answer
    Moved moved = receive_answer(socket, head, pixels, deadline, on_progress);
    std::string message(std::min(head.message_bytes, kFilmMessageBytesMax), '\0');
    if (moved == Moved::All && head.code != 0) {
        moved = wire::receive_all(socket, {reinterpret_cast<std::uint8_t*>(message.data()), message.size()}, deadline);
    }
    if (stop.stop_requested()) {
        return Error{ErrorCode::Cancelled, "the film is not wanted any more"};
    }
    if (moved == Moved::TooLate) {
        return Error{ErrorCode::DeadlineExceeded, fmt::format("the film was not decoded within {} s: cut it, or make its pictures smaller", std::chrono::duration_cast<std::chrono::seconds>(patience_).count())};
    }
    if (moved == Moved::Gone) {
        return Error{ErrorCode::ParseFailed, "the film ended the process that decoded it: " + child->reap()};
    }
    if (head.code != 0) {
        return Error{static_cast<ErrorCode>(std::min<std::uint32_t>(head.code - 1, static_cast<std::uint32_t>(ErrorCode::Internal))), message};
    }
    return read_frames(head, pixels);
}

Result<Film> FilmReader::read(std::span<const std::uint8_t> bytes, const Progress& on_progress, const std::stop_token& stop) const {
    FileDescriptor file(::memfd_create("film", MFD_CLOEXEC));
    while (file.is_open() && !bytes.empty()) {
        const ssize_t put = ::write(file.get(), bytes.data(), bytes.size());
        if (put <= 0) {
            return Error{ErrorCode::OutOfMemory, fmt::format("no memory for a film: {}", std::strerror(errno))};
        }
        bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    return read(file, on_progress, stop);
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
#include "base/picture_decoder.h"

#include "base/child_wire.h"
#include "base/file.h"
#include "base/log.h"

#include <algorithm>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye {
namespace {

using wire::bytes_of;
using wire::Deadline;
using wire::Moved;
using wire::receive_all;
using wire::send_all;
using wire::wait_for;

constexpr std::uint32_t kMessageBytesMax = 4096;
constexpr std::size_t kFirstBytes = 1U << 20U; // memory grows with what came

/// The child may have been taken over: nothing that it says is believed. Read, not mapped: a file that shrinks is a short read.
Result<Image> read_pixels(const DecodedHead& head, const FileDescriptor& pixels) {
    const ImageLimits limits;
    const Size size{head.width_px, head.height_px};
    if (size.is_empty() || size.width_px > limits.side_px_max || size.height_px > limits.side_px_max || size.area() > limits.pixels_max || !pixels.is_open()) {
        return Error{ErrorCode::Internal, "the picture decoder's answer makes no sense"};
    }
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size.area()) * 3);
    for (std::size_t at = 0; at < bytes.size();) {
        const ssize_t got = ::pread(pixels.get(), bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
        if (got <= 0) {
            return Error{ErrorCode::Internal, "the picture decoder's pixels are too few"};
        }
        at += static_cast<std::size_t>(got);
    }
    return Image::from_pixels(size, PixelFormat::Rgb, std::move(bytes));
}

} // namespace

int PictureDecoder::pid() const {
    const std::lock_guard lock(mutex_);
    return child_ ? child_->pid() : -1;
}

Result<Image> PictureDecoder::decode(std::span<const std::uint8_t> bytes, const std::stop_token& stop) {
    if (const ImageLimits limits; static_cast<std::int64_t>(bytes.size()) > limits.file_bytes_max || bytes.empty()) {
        return Error{bytes.empty() ? ErrorCode::ParseFailed : ErrorCode::LimitExceeded,
                     fmt::format("a picture file of {} bytes; from 1 to {} are taken", bytes.size(), limits.file_bytes_max)};
    }
    const std::lock_guard lock(mutex_);
    if (child_ && wait_for(child_->socket()->get(), POLLIN, std::chrono::steady_clock::now() + std::chrono::milliseconds(1))) {
        child_.reset(); // it speaks unasked: it ended, or worse
    }
    const bool is_fresh = !child_;
    if (is_fresh) {
        child_ = TRY(Child::start(program_));
    }
    Result<Image> image = ask(bytes, stop);
    if (!image && image.error().code == ErrorCode::ParseFailed && !child_ && !is_fresh) { // it may have ended between two pictures
        child_ = TRY(Child::start(program_));
        image = ask(bytes, stop);
    }
    return image;
}

Result<Image> PictureDecoder::ask(std::span<const std::uint8_t> bytes, const std::stop_token& stop) {
    const Deadline deadline = std::chrono::steady_clock::now() + patience_;
    const std::stop_callback hang_up(stop, [link = child_->socket()] { ::shutdown(link->get(), SHUT_RDWR); }); // wakes who waits below
    const int socket = child_->socket()->get();
    std::uint64_t size = bytes.size();
    if (send_all(socket, bytes_of(size), deadline) == Moved::All) {
        static_cast<void>(send_all(socket, bytes, deadline)); // a child that is gone says so at the answer
    }
    Result<Image> image = receive(deadline, stop);
    const bool is_answer = image || image.error().code == ErrorCode::ParseFailed || image.error().code == ErrorCode::LimitExceeded ||
                           image.error().code == ErrorCode::Unsupported;
    if (!is_answer) { // late, nonsense, or still at work on what nobody wants
        child_.reset();
    }
    return image;
}

Result<Image> PictureDecoder::receive(Deadline deadline, const std::stop_token& stop) {
    const int socket = child_->socket()->get();
    DecodedHead head;
    FileDescriptor pixels;
    Moved moved = wire::receive_with_descriptor(socket, bytes_of(head), pixels, deadline);
    std::string message(std::min(head.message_bytes, kMessageBytesMax), '\0');
    if (moved == Moved::All && head.code != 0) {
        moved = receive_all(socket, {reinterpret_cast<std::uint8_t*>(message.data()), message.size()}, deadline);
    }
    if (stop.stop_requested()) {
        return Error{ErrorCode::Cancelled, "the picture is not wanted any more"};
    }
    if (moved == Moved::TooLate) {
        return Error{ErrorCode::DeadlineExceeded, fmt::format("the picture was not decoded within {} ms", patience_.count())};
    }
    if (moved == Moved::Gone) {
        const std::string how = child_->reap();
        child_.reset(); // the next picture has a new one
        log::warn("picture", "the decoder ended on a picture: " + how);
        return Error{ErrorCode::ParseFailed, "the picture ended the process that decoded it: " + how};
    }
    if (head.code == 0) {
        return read_pixels(head, pixels);
    }
    const auto code = static_cast<ErrorCode>(std::min<std::uint32_t>(head.code - 1, static_cast<std::uint32_t>(ErrorCode::Internal)));
    return Error{code, message};
}

namespace {

void send_head(int socket, DecodedHead head, int pixels) { static_cast<void>(wire::send_with_descriptor(socket, bytes_of(head), pixels)); }

Result<FileDescriptor> write_pixels(const Image& image) {
    FileDescriptor file(::memfd_create("picture", MFD_CLOEXEC));
    std::span<const std::uint8_t> left = image.bytes();
    while (file.is_open() && !left.empty()) {
        const ssize_t put = ::write(file.get(), left.data(), left.size());
        if (put <= 0) {
            return Error{ErrorCode::OutOfMemory, "no memory for the pixels"};
        }
        left = left.subspan(static_cast<std::size_t>(put));
    }
    return file;
}

void answer(int socket, std::span<const std::uint8_t> bytes) {
    Result<Image> image = decode_image(bytes);
    Result<FileDescriptor> pixels = image ? write_pixels(image->to_rgb()) : Result<FileDescriptor>(image.error());
    if (pixels) {
        send_head(socket, {0, image->size().width_px, image->size().height_px, 0}, pixels->get());
        return;
    }
    const std::string message = pixels.error().message.substr(0, kMessageBytesMax);
    send_head(socket, {static_cast<std::uint32_t>(pixels.error().code) + 1, 0, 0, static_cast<std::uint32_t>(message.size())}, -1);
    static_cast<void>(send_all(socket, {reinterpret_cast<const std::uint8_t*>(message.data()), message.size()}, Deadline::max()));
}

} // namespace

int serve_pictures(int socket) {
    const ImageLimits limits;
    for (;;) {
        std::uint64_t size = 0;
        const Deadline never = std::chrono::steady_clock::now() + std::chrono::hours(24 * 365);
        if (receive_all(socket, bytes_of(size), never) != Moved::All) {
            return 0;
        }
        if (size > static_cast<std::uint64_t>(limits.file_bytes_max)) {
            return 1;
        }
        std::vector<std::uint8_t> bytes;
        while (bytes.size() < size) {
            const std::size_t have = bytes.size();
            bytes.resize(have + std::min<std::size_t>(kFirstBytes, size - have));
            if (receive_all(socket, std::span(bytes).subspan(have), never) != Moved::All) {
                return 0;
            }
        }
        answer(socket, bytes);
    }
}

} // namespace handeye

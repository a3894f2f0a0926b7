// SPDX-License-Identifier: Apache-2.0
#include "agent/text_reader.h"

#include "agent/locate/reading_wire.h"
#include "base/log.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

namespace handeye {
namespace {

using reading::Moved;

Error too_late(std::chrono::milliseconds patience) {
    return {ErrorCode::DeadlineExceeded, fmt::format("a line of text was not read within {} ms", patience.count())};
}

/// Nothing that the reader says is believed: it may have been taken over by what it read.
Result<std::vector<ReadWord>> words_of(const reading::Answer& answer, std::span<const std::uint8_t> bytes, Size line) {
    std::vector<ReadWord> words;
    const Rect all{0, 0, line.width_px, line.height_px};
    for (std::uint32_t i = 0; i < answer.words; ++i) {
        reading::Word head;
        if (bytes.size() < sizeof head) {
            return Error{ErrorCode::Internal, "the text reader's answer is cut off"};
        }
        std::memcpy(&head, bytes.data(), sizeof head);
        bytes = bytes.subspan(sizeof head);
        const bool is_sane = head.text_bytes <= bytes.size() && std::isfinite(head.confidence) && head.x >= 0 && head.y >= 0 && head.width_px > 0 &&
                             head.height_px > 0 && head.x <= line.width_px && head.y <= line.height_px && head.width_px <= line.width_px &&
                             head.height_px <= line.height_px;
        if (!is_sane) {
            return Error{ErrorCode::Internal, "the text reader's answer makes no sense"};
        }
        const std::string text(reinterpret_cast<const char*>(bytes.data()), head.text_bytes);
        bytes = bytes.subspan(head.text_bytes);
        const Rect box = Rect{head.x, head.y, head.width_px, head.height_px}.intersected(all);
        words.push_back({text, box, std::clamp<double>(static_cast<double>(head.confidence), 0, 1)});
    }
    return words;
}

} // namespace

Result<void> TextReader::start() {
    auto started = Child::start(program_);
    if (!started) {
        return Error{ErrorCode::Unavailable, "text cannot be read: " + started.error().message};
    }
    child_ = std::move(started).value();
    const reading::Deadline deadline = std::chrono::steady_clock::now() + patience_;
    const int socket = child_->socket()->get();
    reading::Hello hello{static_cast<std::uint32_t>(languages_.size())};
    reading::Answer answer;
    static_cast<void>(reading::send_all(socket, reading::bytes_of(hello), deadline)); // one that is gone says so below
    static_cast<void>(reading::send_all(socket, {reinterpret_cast<const std::uint8_t*>(languages_.data()), languages_.size()}, deadline));
    Moved moved = reading::receive_all(socket, reading::bytes_of(answer), deadline);
    std::string message(std::min(answer.bytes, reading::kAnswerBytesMax), '\0');
    if (moved == Moved::All) {
        moved = reading::receive_all(socket, {reinterpret_cast<std::uint8_t*>(message.data()), message.size()}, deadline);
    }
    if (moved == Moved::All && answer.code == 0) {
        return {};
    }
    const std::string how = moved == Moved::All ? message : moved == Moved::TooLate ? "it did not start in time" : child_->reap();
    child_.reset();
    return Error{ErrorCode::Unavailable, moved == Moved::All ? how : fmt::format("text cannot be read: {}: {}", program_.filename().string(), how)};
}

Result<std::vector<ReadWord>> TextReader::read_line(const Image& line) {
    const Size size = line.size();
    if (size.is_empty() || line.format() != PixelFormat::Gray || size.width_px > kSidePxMax || size.height_px > kSidePxMax || size.area() > kPixelsMax) {
        return Error{ErrorCode::InvalidArgument, fmt::format("a line of text is grey and has at most {} pixels; this one is {}x{}", kPixelsMax,
                                                             size.width_px, size.height_px)};
    }
    const bool is_fresh = !child_;
    if (is_fresh) {
        TRY(start());
    }
    auto words = ask(line);
    if (!words && words.error().code == ErrorCode::ParseFailed && !is_fresh) { // it may have ended between two lines
        child_.reset();
        TRY(start());
        words = ask(line);
    }
    if (!words) {
        child_.reset(); // late, gone or nonsense: the next line has a new one
    }
    return words;
}

Result<std::vector<ReadWord>> TextReader::ask(const Image& line) {
    const reading::Deadline deadline = std::chrono::steady_clock::now() + patience_;
    const int socket = child_->socket()->get();
    reading::Ask head{line.size().width_px, line.size().height_px};
    reading::Answer answer;
    static_cast<void>(reading::send_all(socket, reading::bytes_of(head), deadline)); // one that is gone says so at the answer
    static_cast<void>(reading::send_all(socket, line.bytes(), deadline));
    Moved moved = reading::receive_all(socket, reading::bytes_of(answer), deadline);
    if (moved == Moved::All && answer.bytes > reading::kAnswerBytesMax) {
        return Error{ErrorCode::Internal, "the text reader's answer is too long"};
    }
    std::vector<std::uint8_t> bytes(moved == Moved::All ? answer.bytes : 0);
    if (moved == Moved::All) {
        moved = reading::receive_all(socket, bytes, deadline);
    }
    if (moved == Moved::TooLate) {
        return too_late(patience_);
    }
    if (moved == Moved::Gone) {
        const std::string how = child_->reap();
        log::warn("text", "the text reader ended on a line: " + how);
        return Error{ErrorCode::ParseFailed, "the picture ended the process that read it: " + how};
    }
    if (answer.code != 0) {
        return Error{ErrorCode::Internal, std::string(bytes.begin(), bytes.end())};
    }
    return words_of(answer, bytes, line.size());
}

} // namespace handeye

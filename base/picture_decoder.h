// SPDX-License-Identifier: Apache-2.0
// Pictures from outside, decoded in a process of their own that has nothing, may call nothing but read, write and memory, and is
// started again when one of them kills it.
#pragma once

#include "base/child_process.h"
#include "base/image.h"
#include "base/image_codec.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>

namespace handeye {

/// What the child says before the pixels, which are in the memfd that comes with it, or before its message.
struct DecodedHead {
    std::uint32_t code = 0; ///< 0: a picture follows; otherwise ErrorCode + 1, a message follows
    std::int32_t width_px = 0;
    std::int32_t height_px = 0;
    std::uint32_t message_bytes = 0;
};

class PictureDecoder {
public:
    /// `program`: handeye-decoder; it runs from the first picture on.
    explicit PictureDecoder(std::filesystem::path program, std::chrono::milliseconds patience = std::chrono::seconds(20))
        : program_(std::move(program)), patience_(patience) {}

    /// RGB. As decode_image(), its limits included, which are checked here before anything is sent; besides: Unavailable when the
    /// child cannot be started, ParseFailed with how it ended when the picture killed it, DeadlineExceeded, Cancelled at once when
    /// `stop` is requested. Any thread; one at a time.
    Result<Image> decode(std::span<const std::uint8_t> bytes, const std::stop_token& stop = {});
    /// Of the child that runs; -1: none.
    [[nodiscard]] int pid() const;

private:
    Result<Image> ask(std::span<const std::uint8_t> bytes, const std::stop_token& stop);
    Result<Image> receive(std::chrono::steady_clock::time_point deadline, const std::stop_token& stop);

    const std::filesystem::path program_;
    const std::chrono::milliseconds patience_;
    mutable std::mutex mutex_; // guards the child and who talks to it
    std::unique_ptr<Child> child_;
};

/// The child's side: answers pictures on `socket` until the other side closes it. Returns the exit code.
int serve_pictures(int socket);

} // namespace handeye

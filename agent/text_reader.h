// SPDX-License-Identifier: Apache-2.0
// Words read from pictures of single lines (OCR), in a process of their own: what is on a screen is written by strangers, and a
// reader that such pixels take over has no file, no network and no program to start.
#pragma once

#include "base/child_process.h"
#include "base/image.h"
#include "base/result.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace handeye {

struct ReadWord {
    std::string text_utf8;
    Rect box;              ///< in the line's pixels
    double confidence = 0; ///< 0..1
};

/// One thread at a time.
class TextReader {
public:
    /// `program`: handeye-reader; it runs from the first line on. `languages`: Tesseract's names, "+" between them.
    TextReader(std::filesystem::path program, std::string languages, std::chrono::milliseconds patience = std::chrono::seconds(15))
        : program_(std::move(program)), languages_(std::move(languages)), patience_(patience) {}

    /// `line`: grey, dark on light, up to kSidePxMax a side. Unavailable names the language data that are missing and their package,
    /// or the program; ParseFailed when the picture ended the reader (the next line has a new one); DeadlineExceeded.
    Result<std::vector<ReadWord>> read_line(const Image& line);

    /// Of the child that runs; -1: none.
    [[nodiscard]] int pid() const { return child_ ? child_->pid() : -1; }

    static constexpr int kSidePxMax = 16384;
    static constexpr std::int64_t kPixelsMax = std::int64_t{4} << 20U;

private:
    Result<void> start();
    Result<std::vector<ReadWord>> ask(const Image& line);

    const std::filesystem::path program_;
    const std::string languages_;
    const std::chrono::milliseconds patience_;
    std::unique_ptr<Child> child_;
};

/// The child's side: loads what the other end names, calls `enter_sandbox`, then reads lines until the socket is closed. Returns
/// the exit code. In the library handeye::reading, so that nothing else links Tesseract.
int serve_reading(int socket, const std::function<bool()>& enter_sandbox);

} // namespace handeye

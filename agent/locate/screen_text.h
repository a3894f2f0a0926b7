// SPDX-License-Identifier: Apache-2.0
// The text on a picture: lines found by geometry, read one by one, each once. Inside this folder only.
#pragma once

#include "agent/text_reader.h"

#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>

namespace handeye::locate {

/// Words that stand on one line, from the left; boxes in the picture's pixels.
struct TextLine {
    std::vector<ReadWord> words;
    Rect box;
    [[nodiscard]] std::string text() const;
    [[nodiscard]] double confidence() const; ///< the mean of the words'
};

/// Where lines of text may be: high enough, crowded enough, without the frames around them. From the top, then from the left.
/// At most kLinesMax; `is_all` tells whether that was all.
struct LineBoxes {
    std::vector<Rect> boxes;
    bool is_all = true;
};
LineBoxes find_line_boxes(const Image& picture, Rect area);

/// Buttons, fields and other frames, by their outlines.
std::vector<Rect> find_frames(const Image& picture);

/// A line as the reader likes it: grey, dark on light whatever it was, scaled to `scale` of its size, with a margin.
struct PreparedLine {
    Image picture;
    Point origin;      ///< of its first pixel in the picture that it was cut from
    double scale = 1;
};
Result<PreparedLine> prepare_line(const Image& picture, Rect box);

/// Pieces of one line, by geometry: the same height, the same row, a gap not wider than the line is high.
std::vector<TextLine> join_lines(std::vector<TextLine> pieces);

class ScreenText {
public:
    ScreenText(std::filesystem::path reader, std::string languages) : reader_(std::move(reader), std::move(languages)) {}
    /// The lines that touch `area`. Unavailable where text cannot be read at all; LimitExceeded for a picture that is too large.
    Result<std::vector<TextLine>> lines(const Image& picture, Rect area);

    /// Lines that the reader was asked about so far: what is on the screen unchanged is not read again.
    [[nodiscard]] std::size_t lines_asked() const { return lines_asked_; }
    [[nodiscard]] int reader_pid() const { return reader_.pid(); }

    static constexpr std::int64_t kPicturePixelsMax = std::int64_t{40} << 20U;
    static constexpr std::size_t kLinesMax = 1500;
    static constexpr std::chrono::seconds kPatience{60};

private:
    Result<std::vector<ReadWord>> read(const PreparedLine& line);

    TextReader reader_;
    std::size_t lines_asked_ = 0;
    std::uint64_t boxes_key_ = 0; // of the picture whose boxes are kept
    LineBoxes boxes_;
    std::unordered_map<std::uint64_t, std::pair<std::vector<ReadWord>, std::list<std::uint64_t>::iterator>> known_; // by the line's pixels
    std::list<std::uint64_t> order_; // of use, the latest first
};

} // namespace handeye::locate

// SPDX-License-Identifier: Apache-2.0
// Where the messages of RFB begin and end in the bytes to and from a server, once the handshake is over. Pure.
//
// libgvnc does not know the Extended Clipboard and takes its messages for a broken protocol: who reads along takes them out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace handeye::vnc {

/// Finds where the messages of a client begin in what libgvnc writes.
class ClientMessages {
public:
    [[nodiscard]] bool is_between() const { return left_ == 0 && head_.empty(); }
    void take(std::string_view bytes);

private:
    std::string head_;     ///< of a message whose size is not known yet
    std::size_t left_ = 0; ///< of the message that is being sent
};

/// Follows a server that was asked for pixels of 32 bits and a depth of 24.
class ServerMessages {
public:
    std::function<void(std::string_view extended)> on_extended; ///< flags and what follows them

    /// Returns what is for libgvnc.
    std::string take(std::string_view bytes);
    /// Something came that is not known here: from then on everything is for libgvnc, which says what is wrong with it.
    [[nodiscard]] bool is_lost() const { return is_lost_; }

private:
    enum class State { Type, Update, Colours, CutText, Extended, Rect, Rre, Length, TightControl, TightFilter, TightPalette, TightLength, TileMask, TileColours };
    enum class Then { Message, Rect, Tile, TightLength };
    void step(std::string& out);
    void step_type();
    void step_rect();
    void step_tight();
    void step_tile();
    void begin(State state, std::size_t wanted);
    void skip(std::uint64_t bytes, Then then);
    void skipped();
    void tight_data(std::uint64_t before, std::uint64_t bytes);
    void next_tile();
    [[nodiscard]] std::uint32_t number(std::size_t at, std::size_t size) const;

    State state_ = State::Type;
    Then then_ = Then::Message;
    std::string head_;
    std::size_t wanted_ = 1;  ///< of head_
    std::uint64_t skip_ = 0;
    std::uint32_t rects_left_ = 0;
    std::uint32_t width_ = 0, height_ = 0; ///< of the rectangle
    std::uint32_t tile_x_ = 0, tile_y_ = 0;
    std::uint32_t then_tile_bytes_ = 0; ///< of each of its parts
    bool is_lost_ = false;
};

/// A SetEncodings with this one number.
std::string set_one_encoding(std::int32_t encoding);

// The Extended Clipboard: a cut text with a negative length holds flags and, compressed, UTF-8.
constexpr std::int32_t kExtendedClipboard = static_cast<std::int32_t>(0xC0A1E5CEU);
struct ExtendedText {
    bool takes_notices = false; ///< of caps: the server asks for a text when a program there wants it
    bool is_caps = false, is_request = false, is_notify = false, is_provide = false, has_text = false;
    std::string text_utf8; ///< of what is provided
};
/// What does not decompress, or is larger than a megabyte, has no text.
ExtendedText read_extended(std::string_view extended);
std::string extended_caps();
std::string extended_notify(bool has_text);
std::string extended_request();
std::string extended_provide(std::string_view text_utf8);

} // namespace handeye::vnc

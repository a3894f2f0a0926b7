// SPDX-License-Identifier: Apache-2.0
#include "platforms/vnc/messages.h"

#include <algorithm>

namespace handeye::vnc {
namespace {

constexpr std::uint32_t kExtendedBytesMax = 2U << 20U;
constexpr std::uint32_t kTile = 16;
constexpr std::uint32_t kPixelBytes = 4, kTightPixelBytes = 3;
constexpr std::uint32_t kTightPlainMax = 12; // fewer bytes are not compressed

std::uint32_t number_of(std::string_view bytes, std::size_t at, std::size_t size) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
        value = value << 8U | static_cast<unsigned char>(bytes[at + i]);
    }
    return value;
}

/// Bytes of the whole message; 0 where its head is not whole.
std::size_t client_message_bytes(std::string_view head) {
    switch (head[0]) {
    case 0: return 20; // SetPixelFormat
    case 2: return head.size() < 4 ? 0 : 4 + std::size_t{4} * number_of(head, 2, 2); // SetEncodings
    case 3: return 10; // FramebufferUpdateRequest
    case 4: return 8;  // KeyEvent
    case 5: return 6;  // PointerEvent
    case 6: return head.size() < 8 ? 0 : 8 + number_of(head, 4, 4); // ClientCutText
    default: return 1; // libgvnc sends nothing else to those who did not offer it
    }
}

} // namespace

void ClientMessages::take(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t count = std::max<std::size_t>(std::min(left_, bytes.size()), 1);
        if (left_ > 0) {
            left_ -= count;
        } else {
            head_ += bytes[0];
            if (const std::size_t size = client_message_bytes(head_); size > 0) {
                left_ = size - head_.size();
                head_.clear();
            }
        }
        bytes.remove_prefix(count);
    }
}

std::uint32_t ServerMessages::number(std::size_t at, std::size_t size) const { return number_of(head_, at, size); }

std::string ServerMessages::take(std::string_view bytes) {
    std::string out;
    while (!bytes.empty()) {
        if (is_lost_ || skip_ > 0) {
            const std::size_t count = is_lost_ ? bytes.size() : static_cast<std::size_t>(std::min<std::uint64_t>(skip_, bytes.size()));
            out += bytes.substr(0, count);
            bytes.remove_prefix(count);
            if (!is_lost_ && (skip_ -= count) == 0) {
                skipped();
            }
            continue;
        }
        const std::size_t count = std::min(wanted_ - head_.size(), bytes.size());
        head_ += bytes.substr(0, count);
        bytes.remove_prefix(count);
        if (head_.size() == wanted_) {
            step(out);
        }
    }
    return out;
}

void ServerMessages::begin(State state, std::size_t wanted) {
    state_ = state;
    wanted_ = wanted;
    head_.clear();
}

void ServerMessages::skip(std::uint64_t bytes, Then then) {
    then_ = then;
    skip_ = bytes;
    if (bytes == 0) {
        skipped();
    }
}

void ServerMessages::skipped() {
    switch (then_) {
    case Then::Message: return begin(State::Type, 1);
    case Then::TightLength: return begin(State::TightLength, 1);
    case Then::Tile: return next_tile();
    case Then::Rect:
        if (--rects_left_ > 0) {
            return begin(State::Rect, 12);
        }
        return begin(State::Type, 1);
    }
}

/// The head is whole; what is for libgvnc goes on at once.
void ServerMessages::step(std::string& out) {
    const bool is_text = state_ == State::CutText && (number(4, 4) & 0x80000000U) != 0;
    const bool is_held = (state_ == State::Type && head_[0] == 3) || is_text || state_ == State::Extended;
    if (!is_held) {
        out += state_ == State::TightLength ? head_.substr(head_.size() - 1) : head_; // that grows byte by byte
    }
    switch (state_) {
    case State::Type: return step_type();
    case State::Update:
        rects_left_ = number(1, 2);
        return rects_left_ > 0 ? begin(State::Rect, 12) : begin(State::Type, 1);
    case State::Colours: return skip(std::uint64_t{6} * number(3, 2), Then::Message);
    case State::CutText:
        if (!is_text) {
            return skip(number(4, 4), Then::Message);
        }
        if (const std::uint32_t size = ~number(4, 4) + 1; size >= 4 && size <= kExtendedBytesMax) {
            return begin(State::Extended, size);
        }
        out += head_;
        is_lost_ = true;
        return;
    case State::Extended:
        if (on_extended) {
            on_extended(head_);
        }
        return begin(State::Type, 1);
    case State::Rect: return step_rect();
    case State::Rre: return skip(kPixelBytes + std::uint64_t{kPixelBytes + 8} * number(0, 4), Then::Rect);
    case State::Length: return skip(number(0, 4), Then::Rect);
    case State::TightControl:
    case State::TightFilter:
    case State::TightPalette:
    case State::TightLength: return step_tight();
    case State::TileMask:
    case State::TileColours: return step_tile();
    }
}

void ServerMessages::step_type() {
    switch (head_[0]) {
    case 0: return begin(State::Update, 3);
    case 1: return begin(State::Colours, 5);
    case 2: return begin(State::Type, 1); // Bell
    case 3: // its type is held until the sign of its length is known
        state_ = State::CutText;
        wanted_ = 8;
        return;
    default: is_lost_ = true;
    }
}

void ServerMessages::step_rect() {
    width_ = number(4, 2);
    height_ = number(6, 2);
    const std::uint64_t area = std::uint64_t{width_} * height_;
    switch (static_cast<std::int32_t>(number(8, 4))) {
    case 0: return skip(area * kPixelBytes, Then::Rect);
    case 1: return skip(4, Then::Rect); // CopyRect
    case 2: return begin(State::Rre, 4);
    case 5:
        tile_x_ = tile_y_ = 0;
        return area > 0 ? begin(State::TileMask, 1) : skip(0, Then::Rect);
    case 7: return begin(State::TightControl, 1);
    case 16:   // ZRLE
    case -307: // DesktopName
        return begin(State::Length, 4);
    case -223: return skip(0, Then::Rect); // DesktopSize
    case -224: // LastRect
        rects_left_ = 1;
        return skip(0, Then::Rect);
    case -239: return skip(area * kPixelBytes + std::uint64_t{(width_ + 7) / 8} * height_, Then::Rect); // RichCursor
    default: is_lost_ = true;
    }
}

void ServerMessages::tight_data(std::uint64_t before, std::uint64_t bytes) {
    if (bytes < kTightPlainMax) {
        return skip(before + bytes, Then::Rect);
    }
    skip(before, Then::TightLength);
}

void ServerMessages::step_tight() {
    const std::uint64_t area = std::uint64_t{width_} * height_;
    const std::uint32_t byte = number(head_.size() - 1, 1);
    if (state_ == State::TightControl) {
        const std::uint32_t kind = byte >> 4U;
        if (kind == 8) { // one colour
            return skip(kTightPixelBytes, Then::Rect);
        }
        if (kind > 9) {
            is_lost_ = true;
            return;
        }
        if (kind == 9) { // JPEG
            return begin(State::TightLength, 1);
        }
        return (kind & 4U) != 0 ? begin(State::TightFilter, 1) : tight_data(0, area * kTightPixelBytes);
    }
    if (state_ == State::TightFilter) {
        return byte == 1 ? begin(State::TightPalette, 1) : tight_data(0, area * kTightPixelBytes);
    }
    if (state_ == State::TightPalette) {
        return tight_data(std::uint64_t{byte + 1} * kTightPixelBytes, byte == 1 ? std::uint64_t{(width_ + 7) / 8} * height_ : area);
    }
    if ((byte & 0x80U) != 0 && wanted_ < 3) { // seven bits in each byte, eight in the third
        ++wanted_;
        return;
    }
    std::uint64_t size = number(0, 1) & 0x7fU;
    size |= head_.size() > 1 ? std::uint64_t{number(1, 1) & 0x7fU} << 7U : 0;
    size |= head_.size() > 2 ? std::uint64_t{number(2, 1)} << 14U : 0;
    skip(size, Then::Rect);
}

void ServerMessages::next_tile() {
    tile_x_ += kTile;
    if (tile_x_ >= width_) {
        tile_x_ = 0;
        tile_y_ += kTile;
    }
    if (tile_y_ < height_) {
        return begin(State::TileMask, 1);
    }
    skip(0, Then::Rect);
}

void ServerMessages::step_tile() {
    if (state_ == State::TileColours) { // colours, then a count
        return skip(std::uint64_t{number(head_.size() - 1, 1)} * then_tile_bytes_, Then::Tile);
    }
    const std::uint32_t mask = number(0, 1);
    const std::uint64_t area = std::uint64_t{std::min(kTile, width_ - tile_x_)} * std::min(kTile, height_ - tile_y_);
    if ((mask & 1U) != 0) { // raw
        return skip(area * kPixelBytes, Then::Tile);
    }
    const std::size_t colours = ((mask & 2U) != 0 ? kPixelBytes : 0) + ((mask & 4U) != 0 ? kPixelBytes : 0);
    if ((mask & 8U) == 0) {
        return skip(colours, Then::Tile);
    }
    then_tile_bytes_ = (mask & 16U) != 0 ? kPixelBytes + 2 : 2;
    begin(State::TileColours, colours + 1);
}

} // namespace handeye::vnc

// SPDX-License-Identifier: Apache-2.0
// Where secrets became readable on the screen: whatever changed while one was typed is covered from then on. Inside this folder only.
#pragma once

#include "base/geometry.h"
#include "base/image.h"
#include "platforms/platform.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace handeye {

class SecretMasks {
public:
    /// What the screen looks like right before a secret is typed.
    void begin(Image before) { before_ = std::move(before); }
    /// Once more what it looks like: until end() everything that differs from before is covered.
    void look(const Image& now, std::span<const WindowInfo> windows, Point origin);
    /// What changes from now on is not the secret's doing.
    void end() { before_.reset(); }
    [[nodiscard]] bool is_watching() const { return before_.has_value(); }
    [[nodiscard]] bool is_empty() const { return masks_.empty(); }

    /// What to cover in `now`. A mask goes with its window. It is dropped when the window has another title and other pixels are
    /// there; a window of another size is covered whole until then, as nobody knows where its text went.
    std::vector<Rect> boxes(const Image& now, std::span<const WindowInfo> windows, Point origin);

private:
    struct Mask {
        std::uint64_t window = 0; ///< 0: none, its place is the target's
        Size window_size;
        std::string title;
        Rect box;                 ///< relative to the window
        Image pixels;             ///< what it covers, as of the last look
    };
    void add(const Rect& box, const Image& now, std::span<const WindowInfo> windows, Point origin);

    std::optional<Image> before_;
    std::vector<Mask> masks_;
};

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
#include "agent/typed_where.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include <fmt/format.h>

namespace handeye {
namespace {

/// The screens that were seen while this text may have been going anywhere: the one before, and all until its program had read it.
std::vector<const SeenScreen*> screens_of(const Typed& typed, const std::deque<SeenScreen>& screens) {
    std::vector<const SeenScreen*> out;
    for (const SeenScreen& screen : screens) {
        if (screen.done <= typed.began) {
            out.clear(); // only the newest of those before
        }
        if (screen.begun <= typed.over) {
            out.push_back(&screen);
        }
        if (typed.ended && screen.begun >= *typed.ended && screen.is_caught_up) {
            break;
        }
    }
    return out;
}

/// It shows where the text went: read after the last input that may have moved the focus, and while nothing had changed since,
/// or while the text was being typed.
bool is_in_time(const SeenScreen& screen, const Typed& typed) {
    constexpr Duration kGlance = std::chrono::milliseconds(150); // between the last word that nothing changed and the first key
    const bool is_within = screen.begun >= typed.began && screen.done <= typed.over;
    const bool is_right_before = screen.begun > typed.focus_since && screen.done <= typed.began && screen.still_until + kGlance >= typed.began;
    return is_within || is_right_before;
}

bool takes_text(const Element& element) {
    constexpr std::array<std::string_view, 4> kRoles{"entry", "text", "spin button", "combo box"}; // a button may open a password dialog
    return !element.is_secret && element.mark > 0 && element.is_enabled && std::find(kRoles.begin(), kRoles.end(), element.role) != kRoles.end();
}

const Element* focused_of(const SeenScreen& screen, const Rect& window) {
    const Element* found = nullptr; // the innermost: lists come parents first
    for (const Element& element : screen.elements) {
        const bool is_inside = window.size().is_empty() || window.contains(element.box.center());
        found = element.is_focused && is_inside ? &element : found;
    }
    return found;
}

} // namespace

Privacy privacy_of(const Typed& typed, const std::deque<SeenScreen>& screens) {
    const std::vector<const SeenScreen*> seen = screens_of(typed, screens);
    const bool sees_password = std::any_of(seen.begin(), seen.end(), [](const SeenScreen* screen) {
        return std::any_of(screen->elements.begin(), screen->elements.end(), [](const Element& element) { return element.is_secret; });
    });
    bool was_in_time = false, is_on_password = false, is_elsewhere = true, is_told = false, has_moved = false;
    for (const SeenScreen* const screen : seen) {
        const bool is_same_window = screen->focused_window != 0 && screen->focused_window == typed.window_id;
        is_told = is_told || (is_same_window && focused_of(*screen, typed.window) != nullptr);
        has_moved = has_moved || (typed.window_id != 0 && screen->begun >= typed.began && screen->is_caught_up && !is_same_window);
        if (is_same_window && screen->is_caught_up && screen->withheld.empty() && is_in_time(*screen, typed)) {
            was_in_time = true;
            const Element* const focused = focused_of(*screen, typed.window);
            is_on_password = is_on_password || (focused != nullptr && focused->is_secret);
            is_elsewhere = is_elsewhere && focused != nullptr && focused->mark > 0;
        }
    }
    const bool was_clicked = typed.clicked && takes_text(*typed.clicked);
    const bool is_sure = typed.window_id != 0 && !has_moved && !is_on_password && (was_clicked || (was_in_time && is_elsewhere));
    if (is_sure) {
        return Privacy::Plain;
    }
    return sees_password || is_told || has_moved || was_clicked ? Privacy::Password : Privacy::Unknown;
}

std::string field_of_password(const Typed& typed, const std::deque<SeenScreen>& screens) {
    std::string found;
    for (const SeenScreen* const screen : screens_of(typed, screens)) {
        const Element* of_many = nullptr;
        int count = 0;
        for (const Element& element : screen->elements) {
            if (element.is_secret && element.is_focused) {
                return fmt::format("{}\n{}", element.id, element.label_utf8);
            }
            if (element.is_secret) {
                of_many = &element;
                ++count;
            }
        }
        if (count == 1) {
            found = fmt::format("{}\n{}", of_many->id, of_many->label_utf8);
        }
    }
    return found;
}

} // namespace handeye

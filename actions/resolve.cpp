// SPDX-License-Identifier: Apache-2.0
// Actions to events. Times between events are the shortest that common toolkits take for what is meant.
#include "actions/resolve.h"

#include "actions/keys.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include <fmt/format.h>

namespace handeye {
namespace {

using std::chrono::milliseconds;

constexpr Duration kAfterMove = milliseconds(20);     // enter events reach the widget before the press
constexpr Duration kPressed = milliseconds(20);       // from press to release
constexpr Duration kBetweenClicks = milliseconds(80); // inside the 250-400 ms of GTK, Qt and browsers, above their debounce
constexpr Duration kAroundHeldKeys = milliseconds(100);
constexpr Duration kBeforeDragMoves = milliseconds(60);
constexpr Duration kDragTime = milliseconds(400);     // all motions of a drag together
constexpr Duration kFingerTime = milliseconds(1000);  // of a finger's way: slow enough that what it moves stops where it is let go
constexpr Duration kBeforeDrop = milliseconds(100);
constexpr Duration kBetweenNotches = milliseconds(15);
constexpr Duration kBetweenKeys = milliseconds(12);
constexpr Duration kFocusTime = milliseconds(60);     // from the click into a field to its first key
constexpr int kDragMovesMin = 12;
constexpr int kDragMovesMax = 48;
constexpr int kDragMovePx = 20;
constexpr int kSwipeNotches = 5;
constexpr std::size_t kUrlBytesMax = 8192;
constexpr double kNotchPx = 100.0;                    // what browsers scroll per notch
constexpr double kThousand = 1000.0;

int clamped(int value, int size) {
    return std::clamp(value, 0, size - 1);
}
/// The published expression: int(x * (width / 1000.0)). Another order of operations differs by a pixel for some values.
Point from_thousandths(double x, double y, Size size) {
    return {clamped(static_cast<int>(x * (size.width_px / kThousand)), size.width_px),
            clamped(static_cast<int>(y * (size.height_px / kThousand)), size.height_px)};
}
bool is_inside(double value, double limit) {
    return std::isfinite(value) && value >= 0 && value <= limit;
}

/// Every line break as "\n", which platforms type as Return.
std::string with_plain_line_breaks(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool is_first_half = text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
        if (!is_first_half) {
            out += text[i] == '\r' ? '\n' : text[i];
        }
    }
    return out;
}

class Planner {
public:
    explicit Planner(const ResolveContext& context) : context_(context) {}

    Result<Plan> plan(const Action& action) {
        const Result<void> added = std::visit([this](const auto& a) { return add(a); }, action);
        if (!added) {
            return added.error();
        }
        return std::move(plan_);
    }

private:
    /// Built in place: GCC 12 sees uninitialised strings in a moved variant of variants that are not there.
    template <class T>
    void push(T op) {
        plan_.ops.emplace_back(std::in_place_type<T>, std::move(op));
    }
    void pause(Duration duration) { push(Pause{duration}); }
    void move(Point to) { push(InputEvent(PointerMove{to})); }
    void button(MouseButton which, Edge edge) { push(InputEvent(PointerButton{which, edge})); }
    void key(const std::string& keysym, Edge edge) { push(InputEvent(Key{keysym, edge})); }
    void tap(const std::string& keysym) {
        key(keysym, Edge::Press);
        key(keysym, Edge::Release);
    }

    /// Records the chain of one place and returns where it is in the target.
    Result<Point> locate(const Target& target) {
        CoordinateChain chain;
        if (const Mark* mark = std::get_if<Mark>(&target)) {
            const Point center = TRY(mark_center(*mark));
            chain.model = Spot{Units::Pixels, double(center.x), double(center.y), std::nullopt};
            chain.target = {center, context_.target};
            chain.image = {to_picture(center), context_.picture};
        } else {
            const Spot& spot = std::get<Spot>(target);
            chain.model = spot;
            chain.target = {TRY(spot_in_target(spot)), context_.target};
            chain.image = {spot.units == Units::Thousandths ? from_thousandths(spot.x, spot.y, context_.picture)
                                                            : to_picture(chain.target.point),
                           context_.picture};
        }
        plan_.points.push_back(chain);
        return chain.target.point;
    }

    [[nodiscard]] Result<Point> spot_in_target(const Spot& spot) const {
        if (spot.units == Units::Thousandths) {
            if (!is_inside(spot.x, kThousand) || !is_inside(spot.y, kThousand)) {
                return Error{ErrorCode::OutOfBounds,
                             fmt::format("[{:g},{:g}] lies outside the screen: coordinates are 0-999", spot.x, spot.y)};
            }
            return from_thousandths(spot.x, spot.y, context_.target);
        }
        const Size size = context_.target;
        if (!is_inside(spot.x, size.width_px) || !is_inside(spot.y, size.height_px) || spot.x >= size.width_px ||
            spot.y >= size.height_px) {
            return Error{ErrorCode::OutOfBounds, fmt::format("({:g}, {:g}) lies outside the {}x{} target", spot.x, spot.y,
                                                             size.width_px, size.height_px)};
        }
        return Point{static_cast<int>(spot.x), static_cast<int>(spot.y)};
    }

    [[nodiscard]] Result<Point> mark_center(Mark mark) const {
        const auto element = std::ranges::find(context_.elements, mark.number, &Element::mark);
        if (element == context_.elements.end() || mark.number <= 0) {
            return Error{ErrorCode::NotFound, fmt::format("no element carries the label [{}]", mark.number)};
        }
        const Rect visible = element->box.intersected({0, 0, context_.target.width_px, context_.target.height_px});
        if (visible.size().is_empty()) {
            return Error{ErrorCode::OutOfBounds, fmt::format("element [{}] lies outside the {}x{} target", mark.number,
                                                             context_.target.width_px, context_.target.height_px)};
        }
        return visible.center();
    }

    [[nodiscard]] Point to_picture(Point target) const {
        const auto scale = [](int value, int from, int to) {
            return clamped(static_cast<int>(std::int64_t{value} * to / std::max(from, 1)), to);
        };
        return {scale(target.x, context_.target.width_px, context_.picture.width_px),
                scale(target.y, context_.target.height_px, context_.picture.height_px)};
    }

    Result<Point> locate_or_middle(const std::optional<Target>& at) {
        return locate(at ? *at : Target(Spot{Units::Thousandths, kThousand / 2, kThousand / 2, std::nullopt}));
    }

    /// Keysyms of held keys, in order; every one must be a modifier.
    static Result<std::vector<std::string>> held_keysyms(const std::vector<std::string>& names) {
        std::vector<std::string> keysyms;
        for (const std::string& name : names) {
            const auto meaning = find_key(name);
            if (!meaning) {
                return Error{ErrorCode::NotFound, fmt::format("there is no key called '{}'", name.substr(0, 40))};
            }
            if (!meaning->is_modifier) {
                return Error{ErrorCode::InvalidArgument, fmt::format("'{}' is not a modifier key and cannot be held", name)};
            }
            keysyms.push_back(meaning->keysym);
        }
        return keysyms;
    }
    void press_all(const std::vector<std::string>& keysyms, Duration after) {
        for (const std::string& keysym : keysyms) {
            key(keysym, Edge::Press);
        }
        if (!keysyms.empty()) {
            pause(after);
        }
    }
    void release_all(const std::vector<std::string>& keysyms, Duration before) {
        if (!keysyms.empty()) {
            pause(before);
        }
        for (auto keysym = keysyms.rbegin(); keysym != keysyms.rend(); ++keysym) {
            key(*keysym, Edge::Release);
        }
    }

    void click_at(Point point, MouseButton which, int count, Duration held) {
        move(point);
        pause(kAfterMove);
        for (int i = 0; i < count; ++i) {
            if (i > 0) {
                pause(kBetweenClicks);
            }
            button(which, Edge::Press);
            pause(held);
            button(which, Edge::Release);
        }
    }

    Result<void> add(const Click& click) {
        if (click.count < 1 || click.count > 3) {
            return Error{ErrorCode::InvalidArgument, fmt::format("a click has 1 to 3 presses, not {}", click.count)};
        }
        if (click.hold < Duration::zero() || (click.hold > Duration::zero() && click.count != 1)) {
            return Error{ErrorCode::InvalidArgument, "a long press is one press, held for more than no time"};
        }
        const Point point = TRY(locate(click.at));
        const std::vector<std::string> held = TRY(held_keysyms(click.hold_keys));
        press_all(held, kAroundHeldKeys);
        click_at(point, click.button, click.count, click.hold > Duration::zero() ? std::min(click.hold, kHoldMax) : kPressed);
        release_all(held, kAroundHeldKeys);
        return {};
    }

    Result<void> add(const Hover& hover) {
        const Point point = TRY(locate(hover.at));
        // Two motions: some toolkits send enter and over events only when the pointer moves inside the widget.
        move({point.x > 0 ? point.x - 1 : std::min(point.x + 1, context_.target.width_px - 1), point.y});
        move(point);
        return {};
    }

    Result<void> add(const Drag& drag) {
        const Point from = TRY(locate(drag.from));
        const Point to = TRY(locate(drag.to));
        const std::vector<std::string> held = TRY(held_keysyms(drag.hold_keys));
        press_all(held, kAroundHeldKeys);
        move(from);
        pause(kAfterMove);
        button(MouseButton::Left, Edge::Press);
        pause(kBeforeDragMoves);
        move_pressed(from, to, kDragTime);
        pause(kBeforeDrop);
        button(MouseButton::Left, Edge::Release);
        release_all(held, kAroundHeldKeys);
        return {};
    }

    void move_pressed(Point from, Point to, Duration time) {
        const double distance = std::hypot(to.x - from.x, to.y - from.y);
        const int moves = std::clamp(static_cast<int>(distance) / kDragMovePx, kDragMovesMin, kDragMovesMax);
        for (int i = 1; i <= moves; ++i) {
            const auto between = [&](int a, int b) { return a + static_cast<int>(std::lround((b - a) * double(i) / moves)); };
            move({between(from.x, to.x), between(from.y, to.y)});
            pause(time / moves);
        }
    }

    /// A finger's way from a point to a point: pressed on the way and let go of at once.
    Result<void> add_finger_path(const Target& at, const Target& end) {
        const Point from = TRY(locate(at));
        const Point to = TRY(locate(end));
        move(from);
        pause(kAfterMove);
        button(MouseButton::Left, Edge::Press);
        move_pressed(from, to, kFingerTime);
        button(MouseButton::Left, Edge::Release);
        return {};
    }

    void turn_wheel(Point over, Direction direction, int notches) {
        move(over);
        pause(kAfterMove);
        for (int i = 0; i < notches; ++i) {
            if (i > 0) {
                pause(kBetweenNotches);
            }
            switch (direction) {
            case Direction::Up: push(InputEvent(Wheel{0, -1})); break;
            case Direction::Down: push(InputEvent(Wheel{0, 1})); break;
            case Direction::Left: push(InputEvent(Wheel{-1, 0})); break;
            case Direction::Right: push(InputEvent(Wheel{1, 0})); break;
            }
        }
    }

    Result<void> add(const Scroll& scroll) {
        int notches = scroll.notches;
        if (scroll.viewport_share > 0) {
            const bool is_vertical = scroll.direction == Direction::Up || scroll.direction == Direction::Down;
            const int extent = is_vertical ? context_.target.height_px : context_.target.width_px;
            notches = static_cast<int>(std::clamp(std::round(scroll.viewport_share * extent / kNotchPx), 1.0, double(kNotchesMax)));
        }
        if (notches < 1) {
            return Error{ErrorCode::InvalidArgument, fmt::format("a scroll of {} notches does nothing", notches)};
        }
        if (notches > kNotchesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("a scroll of {} notches is longer than {}", notches, kNotchesMax)};
        }
        turn_wheel(TRY(locate_or_middle(scroll.at)), scroll.direction, notches);
        return {};
    }

    /// With a pointer instead of a finger the wheel does what a swipe does: finger up shows what is further down.
    Result<void> add(const Swipe& swipe) {
        if (swipe.to) {
            return swipe.at ? add_finger_path(*swipe.at, *swipe.to) : Result<void>(Error{ErrorCode::InvalidArgument, "a swipe to a point begins at a point"});
        }
        const auto wheel_direction = [](Direction finger) {
            switch (finger) {
            case Direction::Up: return Direction::Down;
            case Direction::Down: return Direction::Up;
            case Direction::Left: return Direction::Right;
            case Direction::Right: return Direction::Left;
            }
            return Direction::Down;
        };
        turn_wheel(TRY(locate_or_middle(swipe.at)), wheel_direction(swipe.direction), kSwipeNotches);
        return {};
    }

    Result<void> add(const TypeText& type) {
        if (type.text_utf8.size() > kTextBytesMax) {
            return Error{ErrorCode::LimitExceeded,
                         fmt::format("the text to type takes {} bytes, more than {}", type.text_utf8.size(), kTextBytesMax)};
        }
        for (const char c : type.text_utf8) {
            const auto byte = static_cast<unsigned char>(c);
            if ((byte < 0x20 && c != '\n' && c != '\t' && c != '\r') || byte == 0x7F) {
                return Error{ErrorCode::InvalidArgument, fmt::format("the text to type holds the control character {:#04x}", byte)};
            }
        }
        if (type.into) {
            click_at(TRY(locate(*type.into)), MouseButton::Left, 1, kPressed);
            pause(kFocusTime);
        }
        if (type.clear_first) {
            key("Control_L", Edge::Press);
            tap("a");
            key("Control_L", Edge::Release);
            pause(kBetweenKeys);
            tap("BackSpace");
            pause(kBetweenKeys);
        }
        if (!type.text_utf8.empty()) {
            push(TypeOp{with_plain_line_breaks(type.text_utf8)});
        }
        if (type.press_enter) {
            tap("Return");
        }
        return {};
    }

    Result<void> add(const KeyChord& chord) {
        const std::vector<std::string> modifiers = TRY(held_keysyms(chord.modifiers));
        if (chord.keys.empty()) {
            return Error{ErrorCode::InvalidArgument, "a key action names no key"};
        }
        std::vector<std::string> keys;
        for (const std::string& name : chord.keys) {
            const auto meaning = find_key(name);
            if (!meaning) {
                return Error{ErrorCode::NotFound, fmt::format("there is no key called '{}'", name.substr(0, 40))};
            }
            keys.push_back(meaning->keysym);
        }
        press_all(modifiers, kBetweenKeys);
        for (std::size_t i = 0; i < keys.size(); ++i) {
            if (i > 0) {
                pause(kBetweenKeys);
            }
            press_key(keys[i]);
        }
        release_all(modifiers, kBetweenKeys);
        return {};
    }
    /// A capital letter alone is Shift and the letter, whatever a platform makes of the keysym "A".
    void press_key(const std::string& keysym) {
        if (keysym.size() != 1 || std::isupper(static_cast<unsigned char>(keysym[0])) == 0) {
            tap(keysym);
            return;
        }
        key("Shift_L", Edge::Press);
        tap(std::string(1, static_cast<char>(std::tolower(static_cast<unsigned char>(keysym[0])))));
        key("Shift_L", Edge::Release);
    }

    Result<void> add(const Wait& wait) {
        if (wait.duration < Duration::zero()) {
            return Error{ErrorCode::InvalidArgument, "a wait cannot be shorter than nothing"};
        }
        pause(std::min(wait.duration, kWaitMax));
        return {};
    }

    Result<void> add(const OpenApp& app) {
        if (app.name.empty() || app.name.size() > 200) {
            return Error{ErrorCode::InvalidArgument, "an application's name takes 1 to 200 bytes"};
        }
        LaunchApp launch{{app.name}};
        launch.argv.insert(launch.argv.end(), app.args.begin(), app.args.end());
        push(Command(std::move(launch)));
        return {};
    }

    Result<void> add(const OpenUrl& open) {
        if (open.url.empty() || open.url.size() > kUrlBytesMax) {
            return Error{ErrorCode::InvalidArgument, fmt::format("an address takes 1 to {} bytes", kUrlBytesMax)};
        }
        push(Command(open));
        return {};
    }

    Result<void> add(const FocusWindow& focus) {
        if (focus.title.empty()) {
            return Error{ErrorCode::InvalidArgument, "which window to bring to the front is not said"};
        }
        push(Command(focus));
        return {};
    }

    Result<void> add(const Navigate& navigate) {
        switch (navigate.to) {
        case Place::Back: push(Command(NavigateBack{})); break;
        case Place::Home: push(Command(NavigateHome{})); break;
        case Place::SearchPage: push(Command(OpenUrl{std::string(context_.search_page_url)})); break;
        }
        return {};
    }

    // These speak to a person or to the loop: nothing happens on the screen.
    static Result<void> add(const Answer&) { return {}; }
    static Result<void> add(const AskUser&) { return {}; }
    static Result<void> add(const Finish&) { return {}; }

    const ResolveContext& context_;
    Plan plan_;
};

} // namespace

Result<Plan> resolve(const Action& action, const ResolveContext& context) {
    if (context.picture.is_empty() || context.target.is_empty()) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("cannot map a {}x{} picture to a {}x{} target", context.picture.width_px,
                                 context.picture.height_px, context.target.width_px, context.target.height_px)};
    }
    return Planner(context).plan(action);
}

} // namespace handeye

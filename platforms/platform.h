// SPDX-License-Identifier: Apache-2.0
// The seam to a screen and its input: a desktop, a browser, a phone, a VNC server, a recording.
// Capture and input share one coordinate frame: pixels of the target (a whole display, or one window of it).
// One thread at a time may use a Platform, except release_all(), which any thread may call at any moment.
#pragma once

#include "base/clock.h"
#include "base/geometry.h"
#include "base/image.h"
#include "base/result.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace handeye {

struct Monitor {
    std::string name;
    Rect area; ///< in the display's frame
    bool is_primary = false;
};

struct DisplayInfo {
    std::string platform; ///< "x11", ...
    std::string backend;  ///< how pixels are read: "xshm", "ximage", ...
    Size size;            ///< of the target: the frame of captures and of input
    std::string address;  ///< how another program reaches the same screen: the X display's name, ...
    Point origin;         ///< of the target in its display's frame
    std::vector<Monitor> monitors;
    std::string authority_file; ///< x11 with a display of its own: other programs' XAUTHORITY; empty: what they have
};

struct Screenshot {
    Image image;
    std::uint64_t sequence = 0; ///< counts captures of this Platform
    TimePoint captured_at{};
};

/// What a platform knows about a thing on the screen without looking at pixels (AT-SPI node, DOM node, Android view).
struct Element {
    int mark = 0; ///< the number drawn beside it in set-of-marks pictures
    std::string role;       ///< "push button", "entry", "check box": AT-SPI's names
    std::string label_utf8; ///< its accessible name, else that of what labels it
    Rect box;
    bool is_secret = false; ///< a password field: mask it before anything is stored
    std::string id;         ///< the accessible id, the id in the page; empty: it has none
    std::string value_utf8; ///< the text in it; never of a secret
    bool is_enabled = true;
    std::optional<bool> is_checked; ///< of what can be
    int parent = -1;        ///< place in the same list; -1: none
    bool is_focused = false; ///< keys go there, as far as its program tells
};

struct WindowInfo {
    std::uint64_t id = 0;
    std::string title_utf8;
    std::string window_class;
    Rect area; ///< in the display's frame
    int pid = 0;
    bool is_focused = false;
    std::string app; ///< the program's file name as the system tells it ("chromium"); empty: unknown
    std::string url; ///< of the page it shows; empty: the platform cannot know
};

enum class MouseButton { Left, Middle, Right };
enum class Edge { Press, Release };

struct PointerMove {
    Point to;
};
struct PointerButton {
    MouseButton button = MouseButton::Left;
    Edge edge = Edge::Press;
};
/// Wheel notches; down and right are positive.
struct Wheel {
    int right_notches = 0;
    int down_notches = 0;
};
/// One key by its X keysym name ("Return", "a", "Control_L", "F5"); platforms translate.
struct Key {
    std::string keysym;
    Edge edge = Edge::Press;
};
using InputEvent = std::variant<PointerMove, PointerButton, Wheel, Key>;

/// Whether an effect was seen; `Refused` and `Partial` come with a reason.
enum class Certainty { Confirmed, Unverifiable, SuspectedNoop, Partial, Refused };
std::string_view certainty_name(Certainty certainty);

struct TextResult {
    Certainty certainty = Certainty::Unverifiable;
    std::string route;               ///< "keysyms", "keymap", "paste", ...
    std::size_t characters_sent = 0; ///< of the text's Unicode code points
    std::string reason;              ///< which characters did not arrive and why; empty when all did
};

struct LaunchApp {
    std::vector<std::string> argv; ///< argv[0] is a program or a desktop entry's name
};
struct FocusWindow {
    std::string title; ///< part of the title, letter case ignored
    bool operator==(const FocusWindow&) const = default;
};
struct NavigateBack {};
struct NavigateHome {};
struct OpenUrl {
    std::string url;
    bool operator==(const OpenUrl&) const = default;
};
using Command = std::variant<LaunchApp, FocusWindow, NavigateBack, NavigateHome, OpenUrl>;

struct SettleOptions {
    Duration quiet = std::chrono::milliseconds(80);     ///< no change for this long means settled
    Duration deadline = std::chrono::milliseconds(2000);///< give up waiting after this long
};
struct Settled {
    bool is_quiet = false; ///< false: the deadline came first
    bool has_changed = false; ///< pixels changed since the last capture() or settle()
    Duration waited{};
};

/// Input that did not come from this Platform: a person's hands, or another program's events.
enum class PersonAct { Pointer, Button, Key, KillSwitch };
std::string_view person_act_name(PersonAct act);
struct PersonWatch {
    std::string kill_chord; ///< "ctrl+alt+escape": reported as KillSwitch; empty: none
    /// Called from a thread of the platform; must not block, nor end the Platform.
    std::function<void(PersonAct act)> on_act;
};

struct PersonFollow; // platforms/person_input.h
class ProbeWindow;   // platforms/probe.h
struct ProbeFact;

class Platform {
public:
    virtual ~Platform() = default;

    virtual Result<DisplayInfo> display() = 0;
    /// The target's pixels now. Unavailable when the display or the window went away.
    virtual Result<Screenshot> capture() = 0;
    /// Empty where the platform has none or it is switched off.
    virtual Result<std::vector<Element>> elements() = 0;
    virtual Result<std::vector<WindowInfo>> windows() = 0;
    /// The window that a click at this point of the target would reach; id 0 where there is none. Unless a platform knows better:
    /// the last of windows() that contains it.
    virtual Result<WindowInfo> window_at(Point in_target);
    /// The window that a key would reach; id 0 where there is none. Unless a platform knows better: the one of windows() that is
    /// focused.
    virtual Result<WindowInfo> focused_window();
    /// Where the pointer is, in the target's frame; nullopt where there is no pointer.
    virtual Result<std::optional<Point>> pointer() = 0;

    /// One low-level event; returns when the target's server has taken it. OutOfBounds for a point outside the target,
    /// InvalidArgument for an unknown key. What is pressed is remembered until released.
    virtual Result<void> inject(const InputEvent& event) = 0;
    /// inject(), unless `stop` is requested: Cancelled then. Who requests it and then calls release_all() may count on it: once
    /// that has returned, no press, motion or character of this call follows. So it is with the `stop` of type_text().
    virtual Result<void> inject_unless_stopped(const InputEvent& event, const std::stop_token& stop);
    /// As long as the returned object lives other programs can neither paint nor move their windows: for the moment between a
    /// look and a press, no longer. Null where a platform has no such thing.
    virtual Result<std::shared_ptr<void>> freeze();
    /// Text of any Unicode into whatever has the focus; newline is the Return key, tab is Tab.
    /// Stops between two characters when `stop` is requested (Partial).
    virtual Result<TextResult> type_text(std::string_view text_utf8, std::stop_token stop) = 0;
    /// Unsupported, with what is possible here, where the platform has no such thing.
    virtual Result<void> perform(const Command& command) = 0;
    /// How the program that was launched last failed ("ended with exit code 2"); empty while it runs, when it ended well, and
    /// where that cannot be known.
    virtual std::string launch_failure() { return {}; }
    /// What LaunchApp opens by name, as people call it; empty where a platform cannot tell. The names are other people's words.
    virtual Result<std::vector<std::string>> app_names() { return std::vector<std::string>{}; }
    /// The text in the clipboard; empty: it holds none. Unsupported where the platform cannot read it.
    virtual Result<std::string> clipboard();

    /// A window of our own, in front, that tells what really arrives. Unsupported, with the reason, where there can be none.
    virtual Result<std::unique_ptr<ProbeWindow>> open_probe();
    /// Where there is none: what can be proven without it. Empty where a platform has no more than a look and a motion.
    virtual std::vector<ProbeFact> probe_facts();

    /// Waits until the picture is still, or the deadline. Driven by change notices, not by polling, where there are any.
    virtual Result<Settled> settle(const SettleOptions& options, std::stop_token stop) = 0;

    /// From now on and as long as this Platform lives `on_act` hears of other people's input. Once. Unsupported where that cannot
    /// be told.
    virtual Result<void> watch_person(PersonWatch watch);
    /// From now on and as long as this Platform lives each press, release and wheel notch on the display is told, our own too. Once.
    /// Unsupported where input cannot be followed.
    virtual Result<void> follow_person(PersonFollow follow);

    /// Releases every key and button that this Platform pressed. Called on every exit path; safe to call twice.
    virtual Result<void> release_all() = 0;
};

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// Puts the parts together: one connection for pixels and their change notices, others for input, keyboard and programs, so that
// each part reads its own events.
#include "platforms/x11/platform.h"

#include "platforms/open_registry.h"
#include "platforms/x11/clipboard.h"
#include "platforms/x11/monitors.h"
#include "platforms/x11/windows.h"

#include <sys/wait.h>

#include <algorithm>
#include <thread>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

constexpr Duration kReadPatience = std::chrono::seconds(10); // a loaded machine may leave a program without its turn for seconds
constexpr Duration kFrozenMax = std::chrono::milliseconds(250); // whatever keeps us: a person's desktop is not ours to hold
constexpr Duration kClipboardTime = std::chrono::seconds(1);
constexpr Duration kManagerPatience = std::chrono::milliseconds(500);
constexpr int kOwnClients = 8;   // connections that one platform opens at most, its guardian's and its clipboard's among them
constexpr int kSpareClients = 32; // left to the programs of the person whose display it is
constexpr unsigned long kClientIds = 1UL << 29U; // resource ids of all clients together; each has as many as its mask says
constexpr SettleOptions kQuietInstead{std::chrono::milliseconds(60), std::chrono::milliseconds(600)};

/// A server that is full opens no window for anybody any more. One that cannot be asked is not asked.
Result<void> check_room(Connection& screen) {
    int event = 0, error = 0, count = 0;
    XResClient* clients = nullptr;
    if (XResQueryExtension(screen.get(), &event, &error) == 0 || XResQueryClients(screen.get(), &count, &clients) == 0 || count == 0) {
        return {};
    }
    const auto clients_max = static_cast<int>(kClientIds / (clients[0].resource_mask + 1UL));
    XFree(clients);
    if (count + kOwnClients + kSpareClients > clients_max) {
        return Error{ErrorCode::Overloaded, fmt::format("X display \"{}\" takes {} clients and has {}: a session needs up to {}, and {} stay free for other programs",
                                                        screen.name(), clients_max, count, kOwnClients, kSpareClients)};
    }
    return {};
}

} // namespace

Result<std::unique_ptr<Platform>> X11Platform::open(const PlatformOptions& options,
                                                    std::unique_ptr<HeadlessDisplay> headless, Clock& clock) {
    std::unique_ptr<X11Platform> platform(new X11Platform(options, clock));
    platform->address_ = headless ? headless->address() : DisplayAddress{options.display, {}};
    platform->headless_ = std::move(headless);
    TRY(platform->open_parts());
    TRY(platform->choose_target());
    TRY(platform->target_area());
    auto* raw = platform.get();
    register_open_platform(raw, [raw](bool refuse_more) { raw->quiesce(refuse_more); });
    return std::unique_ptr<Platform>(std::move(platform));
}

X11Platform::~X11Platform() {
    unregister_open_platform(this);
    if (keymap_ != nullptr && keymap_->has_bindings()) {
        static_cast<void>(wait_until_read()); // else the last characters would lose their keys
    }
}

Result<void> X11Platform::open_parts() {
    screen_ = TRY(Connection::open(address_));
    TRY(check_room(*screen_));
    accessibility_ = std::make_unique<Accessibility>(*screen_, clock_);
    reader_ = TRY(ScreenReader::open(*screen_, CaptureRoute::SharedMemory));
    damage_ = TRY(DamageWatcher::open(*screen_, clock_));
    gate_ = TRY(InputGate::open(address_));
    keymap_ = TRY(Keymap::open(address_, *gate_));
    clients_ = TRY(ClientSync::open(address_, clock_));
    typer_ = std::make_unique<TextTyper>(address_, *gate_, *keymap_, *clients_, clock_, [this] { return wait_until_read(); });
    return {};
}

Result<void> X11Platform::choose_target() {
    if (options_.window_title.empty()) {
        return {};
    }
    const WindowInfo window = TRY(find_window(*screen_, options_.window_title));
    window_ = window.id;
    window_title_ = window.title_utf8;
    return activate_window(*screen_, window_, clock_);
}

/// Where the target is now; remembered as the frame of input.
Result<Rect> X11Platform::target_area() {
    const Size root = TRY(root_size(*screen_));
    const Rect all{0, 0, root.width_px, root.height_px};
    Rect area = options_.region.value_or(all);
    if (window_ != 0) {
        area = TRY(window_area(*screen_, window_).with_context(fmt::format("window \"{}\"", window_title_)));
        if (options_.region) { // a part of the window
            const Rect& part = *options_.region;
            area = Rect{area.x + part.x, area.y + part.y, part.width_px, part.height_px}.intersected(area);
        }
    }
    const Rect visible = area.intersected(all);
    const bool is_cut_region = window_ == 0 && !(visible == area); // a window may hang over the edge; a region is as asked for
    if (visible.size().is_empty() || is_cut_region) {
        return Error{ErrorCode::OutOfBounds,
                     fmt::format("the target {}x{}+{}+{} does not lie inside the {}x{} display", area.width_px, area.height_px,
                                 area.x, area.y, root.width_px, root.height_px)};
    }
    area_ = visible;
    return visible;
}

/// Input is for the frame that was captured last; only a target that is gone stops it.
Result<void> X11Platform::check_target() {
    if (window_ != 0) {
        TRY(window_area(*screen_, window_).with_context(fmt::format("window \"{}\"", window_title_)));
    }
    return screen_->check("input");
}

Result<DisplayInfo> X11Platform::display() {
    const Rect area = TRY(target_area());
    DisplayInfo info;
    info.platform = "x11";
    info.backend = reader_->route() == CaptureRoute::SharedMemory ? "xshm" : "ximage";
    info.size = area.size();
    info.address = screen_->name();
    info.origin = {area.x, area.y};
    info.monitors = TRY(list_monitors(*screen_));
    info.authority_file = headless_ ? headless_->authority_file().string() : "";
    return info;
}

Result<Screenshot> X11Platform::capture() {
    const Rect area = TRY(target_area());
    damage_->mark();
    const TimePoint now = clock_.now();
    Image image = TRY(reader_->read(area));
    return Screenshot{std::move(image), ++captures_, now};
}

/// In the frame of the last capture, as input is: a window that moved since must not move the one without the other.
Result<std::vector<Element>> X11Platform::elements() {
    TRY(check_target());
    return accessibility_->elements(area_);
}

Result<std::vector<WindowInfo>> X11Platform::windows() { return list_windows(*screen_); }

Result<WindowInfo> X11Platform::window_at(Point in_target) {
    return find_window_at(*screen_, {in_target.x + area_.x, in_target.y + area_.y});
}

Result<WindowInfo> X11Platform::focused_window() { return find_focused_window(*screen_); }

/// A grab of the server, on the connection that captures; the one that sends input is beyond grabs. It ends by itself soon after.
Result<std::shared_ptr<void>> X11Platform::freeze() {
    TRY(screen_->check("freezing the screen"));
    XGrabServer(screen_->get());
    XSync(screen_->get(), 0);
    is_frozen_ = true; // afterwards: or another thread's thaw() might come before the grab, and nobody's after it
    const auto watchdog = std::make_shared<std::jthread>([this](const std::stop_token& stop) {
        if (clock_.sleep_for(kFrozenMax, stop) == WaitResult::Reached) {
            thaw();
        }
    });
    return std::shared_ptr<void>(this, [this, watchdog](void*) {
        watchdog->request_stop();
        thaw();
    });
}

/// Any thread: Xlib lets one send while another waits.
void X11Platform::thaw() {
    if (is_frozen_.exchange(false) && !screen_->is_lost()) {
        XUngrabServer(screen_->get());
        XFlush(screen_->get());
    }
}

Result<std::optional<Point>> X11Platform::pointer() {
    TRY(screen_->check("pointer"));
    ::Window root = 0, child = 0;
    int root_x = 0, root_y = 0, x = 0, y = 0;
    unsigned mask = 0;
    XQueryPointer(screen_->get(), screen_->root(), &root, &child, &root_x, &root_y, &x, &y, &mask);
    TRY(screen_->check("pointer"));
    return std::optional<Point>(Point{root_x - area_.x, root_y - area_.y});
}

Result<TextResult> X11Platform::type_text(std::string_view text_utf8, std::stop_token stop) {
    TRY(check_target());
    TRY(let_focus_settle());
    const InputGate::Obeying obeying(*gate_, stop);
    return typer_->type(text_utf8, std::move(stop));
}

Result<Settled> X11Platform::settle(const SettleOptions& options, std::stop_token stop) {
    TRY(screen_->check("settling"));
    // A program that is still busy with the last input has not begun to paint: silence means nothing until it is through.
    const TimePoint start = clock_.now();
    TRY(clients_->wait_for_manager(start + options.deadline, stop));
    TRY(clients_->wait_until_handled(start + options.deadline, stop));
    const Duration waited = clock_.now() - start;
    SettleOptions rest = options;
    rest.deadline = std::max(options.deadline - waited, Duration::zero());
    Settled settled = TRY(damage_->settle(area_, rest, std::move(stop)));
    settled.waited += waited;
    return settled;
}

/// Returns when the program with the focus has handled all input so far; DeadlineExceeded when it does not: what it would read with
/// another keyboard map would be wrong text.
Result<void> X11Platform::wait_until_read() {
    TRY(gate_->sync());
    switch (TRY(clients_->wait_until_handled(clock_.now() + kReadPatience, {}))) {
    case Handling::Done: return {};
    case Handling::Busy:
        return Error{ErrorCode::DeadlineExceeded, "the program with the focus did not handle its input within 10 s"};
    case Handling::CannotTell: break;
    }
    TRY(damage_->settle(area_, kQuietInstead, {})); // no sign of life to be had: silence on the screen is the best there is
    return {};
}

/// Keys that follow a click go where the click puts the focus, not where it was: some managers take it from everybody in between.
Result<void> X11Platform::let_focus_settle() {
    if (may_focus_move_) {
        const TimePoint deadline = clock_.now() + kManagerPatience;
        TRY(clients_->wait_for_manager(deadline, {}));
        TRY(clients_->wait_until_handled(deadline, {})); // the program may hand the focus on to one of its windows
        may_focus_move_ = false;
    }
    return {};
}

Result<void> X11Platform::watch_person(PersonWatch watch) {
    human_ = TRY(HumanInput::open(address_, gate_->sent(), std::move(watch)));
    return {};
}

Result<void> X11Platform::follow_person(PersonFollow follow) {
    person_ = TRY(PersonInputReader::open(address_, clock_, std::move(follow)));
    return {};
}

Result<void> X11Platform::release_all() {
    thaw(); // else the server might hear of the releases only when the other thread thaws
    return gate_->release_all();
}

void X11Platform::quiesce(bool refuse_more) {
    if (refuse_more) {
        gate_->close();
    }
    static_cast<void>(gate_->release_all()); // on a way out: nobody is left to tell
    static_cast<void>(gate_->restore_keyboard());
}

Result<std::string> X11Platform::clipboard() {
    const std::unique_ptr<Clipboard> clipboard = TRY(Clipboard::open(address_, clock_));
    return clipboard->read(clock_.now() + kClipboardTime);
}

std::string X11Platform::launch_failure() {
    const int status = newest_launched_ ? newest_launched_->load() : 0;
    if (status == kStillRuns) {
        return {};
    }
    if (WIFSIGNALED(status)) {
        return fmt::format("was ended by signal {}", WTERMSIG(status));
    }
    return WEXITSTATUS(status) != 0 ? fmt::format("ended with exit code {}", WEXITSTATUS(status)) : std::string();
}

Result<std::unique_ptr<Platform>> open_x11(const PlatformOptions& options, Clock& clock) {
    std::unique_ptr<HeadlessDisplay> headless;
    if (options.headless) {
        headless = TRY(HeadlessDisplay::start({.size = *options.headless}, clock));
    }
    return X11Platform::open(options, std::move(headless), clock);
}

PlatformSupport describe_x11() {
    const auto connection = Connection::open({});
    if (!connection) {
        return {"x11", false, connection.error().message};
    }
    const auto size = root_size(**connection);
    if (!size) {
        return {"x11", false, size.error().message};
    }
    SystemClock clock;
    return {"x11", true, fmt::format("display {}, {}x{}; {}", (*connection)->name(), size->width_px, size->height_px,
                                     Accessibility(**connection, clock).describe())};
}

} // namespace handeye::x11

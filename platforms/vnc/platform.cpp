// SPDX-License-Identifier: Apache-2.0
// The session with one server, and the way back to one that went away.
#include "platforms/vnc/platform.h"

#include "platforms/open_registry.h"
#include "platforms/vnc/password.h"

#include "base/file.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

namespace handeye::vnc {
namespace {

constexpr Duration kConnectPatience = std::chrono::seconds(20);
constexpr Duration kCapturePatience = std::chrono::seconds(10);
constexpr Duration kBackOffFirst = std::chrono::milliseconds(250), kBackOffMax = std::chrono::seconds(8);
constexpr std::size_t kCaBytesMax = 4U << 20U;
constexpr const char* kSystemAuthorities = "/etc/ssl/certs/ca-certificates.crt";
constexpr std::uint64_t kDesktopWindow = 1;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

/// The desktop went away with the program that showed it, or is too slow: worth another try. A refusal stays one.
bool may_come_back(const Error& error) { return error.code != ErrorCode::PermissionDenied && error.code != ErrorCode::Unsupported; }

} // namespace

Result<std::unique_ptr<Platform>> open_vnc(const PlatformOptions& options, Clock& clock) {
    if (options.attach.empty()) {
        return Error{ErrorCode::InvalidArgument, "platform vnc needs the server's address: --attach HOST:DISPLAY"};
    }
    LinkOptions link{.address = TRY(parse_address(options.attach)), .user = options.vnc.user, .password = {}, .ca_pem = {}};
    link.tls = options.vnc.tls.empty() ? "auto" : options.vnc.tls;
    if (link.tls != "auto" && link.tls != "require" && link.tls != "verify") {
        return Error{ErrorCode::InvalidArgument, fmt::format("tls \"{}\" is none of auto (encrypted where the server offers it), require, verify (with a certificate)",
                                                             link.tls.substr(0, 64))};
    }
    const VncOptions& vnc = options.vnc;
    link.password = TRY(vnc.bound_passwords.empty() ? read_password(vnc.password_file) : read_bound_password(vnc.password_file, vnc.bound_passwords, link.address));
    if (!options.vnc.ca_file.empty()) {
        link.ca_pem = TRY(read_file(options.vnc.ca_file, kCaBytesMax).with_context("ca file"));
    } else if (link.tls == "verify") {
        link.ca_pem = TRY(read_file(kSystemAuthorities, kCaBytesMax).with_context("the system's certificate authorities; give --ca-file"));
    }
    return VncPlatform::open(std::move(link), options.vnc.view_only, clock);
}

PlatformSupport describe_vnc() {
    std::error_code problem;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", problem).parent_path() / "handeye-vnc";
    const bool is_there = ::access(program.c_str(), X_OK) == 0;
    return {"vnc", is_there, is_there ? "any VNC server that answers: --attach HOST:DISPLAY" : fmt::format("{} is missing; it holds the connection", program.string())};
}

Result<std::unique_ptr<Platform>> VncPlatform::open(LinkOptions options, bool is_view_only, Clock& clock) {
    std::unique_ptr<VncPlatform> platform(new VncPlatform(std::move(options), is_view_only, clock));
    TRY(platform->connect(kConnectPatience));
    auto* raw = platform.get();
    register_open_platform(raw, [raw](bool refuse_more) { raw->quiesce(refuse_more); });
    return std::unique_ptr<Platform>(std::move(platform));
}

VncPlatform::~VncPlatform() {
    unregister_open_platform(this);
    static_cast<void>(gate_.release_all()); // a server that went away holds nothing of ours that could be reached
}

Result<void> VncPlatform::connect(Duration patience) {
    link_ = TRY(Link::open(options_, patience, {}));
    TRY(gate_.use(link_));
    typer_.forget();
    lost_at_.reset();
    attempts_ = 0;
    frame_ = link_->state().size;
    changes_seen_ = 0;
    return take_pointer_out();
}

/// TigerVNC, and what descends from it, paints a pointer that somebody else has moved last into the picture, over what lies there. It
/// tells nobody where that is, and stops when we have moved it: to the middle, where that of a fresh server is.
Result<void> VncPlatform::take_pointer_out() {
    if (is_view_only_ || !link_->state().may_paint_pointer) { // its shape, or that there is none to draw, comes before the first pixels
        return {};
    }
    // Two places, one after the other: only a pointer that it has seen elsewhere is taken out of the picture.
    const Point middle{frame_.width_px / 2, frame_.height_px / 2};
    for (const Point to : {Point{std::max(middle.x - 1, 0), middle.y}, middle}) {
        if (!gate_.move(to)) {
            return {}; // input is stopped: there is a picture all the same
        }
        TRY(gate_.sync());
    }
    return {};
}

/// At most one attempt for each call, and none before its time: who asks for pixels is not kept waiting for a server that is down.
Result<void> VncPlatform::reconnect_if_lost() {
    const LinkState state = link_->state();
    if (!state.failure) {
        return {};
    }
    const TimePoint now = clock_.now();
    if (!lost_at_) {
        lost_at_ = next_attempt_ = now;
        lost_why_ = state.failure;
    }
    const auto away = [&](ErrorCode code, const std::string& rest) {
        return Error{code, fmt::format("the connection to VNC server {} was lost {:.1f} s ago ({}); {}", describe(options_.address), seconds(clock_.now() - *lost_at_), lost_why_->message, rest)};
    };
    if (!may_come_back(*lost_why_)) {
        return *lost_why_;
    }
    if (now < next_attempt_) {
        return away(lost_why_->code, fmt::format("{} attempts to reach it again failed, the next one in {:.1f} s", attempts_, seconds(next_attempt_ - now)));
    }
    const Result<void> connected = connect(kConnectPatience);
    if (connected) {
        return {};
    }
    next_attempt_ = clock_.now() + std::min(kBackOffMax, kBackOffFirst * (1 << std::min(attempts_, 8)));
    ++attempts_;
    return away(connected.error().code, fmt::format("attempt {} to reach it again failed: {}", attempts_, connected.error().message));
}

Result<DisplayInfo> VncPlatform::display() {
    TRY(reconnect_if_lost());
    const LinkState state = link_->state();
    DisplayInfo info;
    info.platform = "vnc";
    info.backend = state.is_encrypted ? "rfb over tls" : "rfb";
    info.size = frame_; // and not what the desktop may have become since: of one moment with the picture
    info.address = describe(options_.address);
    info.monitors = {{state.name, {0, 0, frame_.width_px, frame_.height_px}, true}};
    return info;
}

Result<Screenshot> VncPlatform::capture() {
    TRY(reconnect_if_lost());
    const TimePoint now = clock_.now();
    Image image = TRY(link_->snapshot(now + kCapturePatience, {}));
    changes_seen_ = link_->state().changes_shown;
    frame_ = image.size();
    return Screenshot{std::move(image), ++captures_, now};
}

Result<std::vector<Element>> VncPlatform::elements() { return std::vector<Element>(); }

/// RFB knows one: the desktop.
Result<std::vector<WindowInfo>> VncPlatform::windows() {
    TRY(reconnect_if_lost());
    const LinkState state = link_->state();
    WindowInfo desktop;
    desktop.id = kDesktopWindow;
    desktop.title_utf8 = state.name;
    desktop.area = {0, 0, frame_.width_px, frame_.height_px};
    desktop.is_focused = true;
    return std::vector<WindowInfo>{desktop};
}

/// Where we put it: servers do not tell where others did.
Result<std::optional<Point>> VncPlatform::pointer() { return gate_.pointer(); }

Result<TextResult> VncPlatform::type_text(std::string_view text_utf8, std::stop_token stop) {
    TRY(check_input());
    const InputGate::Obeying obeying(gate_, stop);
    return typer_.type(*link_, text_utf8, stop);
}

Result<std::string> VncPlatform::clipboard() {
    TRY(reconnect_if_lost());
    if (const LinkState state = link_->state(); state.clipboard_utf8) {
        return *state.clipboard_utf8;
    }
    return Error{ErrorCode::Unsupported, "the VNC server has told nothing of its clipboard since the connection began: servers tell of changes alone"};
}

Result<Settled> VncPlatform::settle(const SettleOptions& options, std::stop_token stop) {
    TRY(reconnect_if_lost());
    const TimePoint start = clock_.now(), deadline = start + options.deadline;
    Settled settled;
    const std::uint64_t number = TRY(link_->begin_fence()); // what was sent is read, and what had changed is told, before silence counts
    const Result<void> read = link_->wait_fence(number, deadline, stop);
    if (!read && read.error().code != ErrorCode::DeadlineExceeded && read.error().code != ErrorCode::Cancelled) {
        return read.error();
    }
    TimePoint still_since = start;
    while (read && !settled.is_quiet && !stop.stop_requested() && clock_.now() < deadline) {
        const LinkState state = link_->state();
        still_since = std::max(still_since, state.changed_at);
        const TimePoint until = std::min(deadline, still_since + options.quiet);
        settled.is_quiet = !TRY(link_->wait_change(state.changes, until, stop)) && clock_.now() >= still_since + options.quiet && !stop.stop_requested();
    }
    const std::uint64_t changes = link_->state().changes;
    settled.has_changed = changes > changes_seen_;
    changes_seen_ = changes;
    settled.waited = clock_.now() - start;
    return settled;
}

Result<void> VncPlatform::release_all() { return gate_.release_all(); }

void VncPlatform::quiesce(bool refuse_more) {
    if (refuse_more) {
        gate_.close();
    }
    static_cast<void>(gate_.release_all()); // on a way out: nobody is left to tell
}

} // namespace handeye::vnc

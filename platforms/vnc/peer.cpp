// SPDX-License-Identifier: Apache-2.0
// Pictures and input. RFB has no receipts: a fence is a request for one pixel whether it changed or not, which servers answer after
// everything that was sent before it, with all changes they know of.
#include "platforms/vnc/peer.h"

#include "platforms/vnc/taps.h"

#include "base/child_wire.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <glib-unix.h>
#include <gvnc.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace handeye::vnc {
namespace {

constexpr int kSidePxMax = 16384;
constexpr std::int64_t kPixelsMax = 64'000'000;
constexpr unsigned kAskAgainMs = 10; // a server that paints all the time is not asked more often
constexpr unsigned kSnapshotAgainMs = 1;
constexpr std::chrono::milliseconds kGoodbyePatience(500);

/// All of the library's that lose nothing: what the agent sees is what is there. A server takes the first that it has.
constexpr std::array<gint32, 6> kPictures{VNC_CONNECTION_ENCODING_TIGHT, VNC_CONNECTION_ENCODING_ZRLE, VNC_CONNECTION_ENCODING_HEXTILE,
                                          VNC_CONNECTION_ENCODING_RRE, VNC_CONNECTION_ENCODING_COPY_RECT, VNC_CONNECTION_ENCODING_RAW};
/// The cursor's shape is asked for so that the server does not paint it into the picture. Not EXTENDED_DESKTOP_RESIZE: with it each
/// fence would be answered by the desktop's size first.
constexpr std::array<gint32, 4> kNotices{VNC_CONNECTION_ENCODING_DESKTOP_RESIZE, VNC_CONNECTION_ENCODING_LAST_RECT,
                                         VNC_CONNECTION_ENCODING_RICH_CURSOR, VNC_CONNECTION_ENCODING_DESKTOP_NAME};

VncPixelFormat bgrx() {
    VncPixelFormat format{};
    format.bits_per_pixel = 32;
    format.depth = 24;
    format.byte_order = G_LITTLE_ENDIAN;
    format.true_color_flag = 1;
    format.red_max = format.green_max = format.blue_max = 255;
    format.red_shift = 16;
    format.green_shift = 8;
    return format;
}

} // namespace

void Peer::begin() {
    check_security();
    stage_ = Stage::Running;
    taps().is_initialized = true;
    taps().theirs.on_extended = [this](std::string_view message) { take_extended(message); };
    VncPixelFormat format = bgrx();
    vnc_connection_set_pixel_format(connection_, &format);
    std::vector<gint32> encodings(kPictures.begin(), kPictures.end());
    if (!texts_[kUnixPath].empty() || texts_[kHost] == "localhost" || texts_[kHost] == "::1" || texts_[kHost].starts_with("127.")) {
        std::rotate(encodings.begin(), encodings.end() - 1, encodings.end()); // bytes cost less than packing them
    }
    encodings.insert(encodings.end(), kNotices.begin(), kNotices.end());
    encodings.push_back(kExtendedClipboard); // its messages never get to the library
    vnc_connection_set_encodings(connection_, static_cast<int>(encodings.size()), encodings.data());
    resize({vnc_connection_get_width(connection_), vnc_connection_get_height(connection_)});
}

void Peer::resize(Size size) {
    if (size.is_empty() || size.width_px > kSidePxMax || size.height_px > kSidePxMax || size.area() > kPixelsMax) {
        fail({ErrorCode::LimitExceeded, fmt::format("the server's desktop is {}x{}; from 1x1 to {} pixels a side and {} in all are taken",
                                                    size.width_px, size.height_px, kSidePxMax, kPixelsMax)});
    }
    const std::size_t bytes = static_cast<std::size_t>(size.area()) * 4;
    std::vector<std::uint8_t> pixels(bytes, 0);
    VncPixelFormat format = bgrx();
    VncFramebuffer* const fresh = VNC_FRAMEBUFFER(vnc_base_framebuffer_new(pixels.data(), static_cast<guint16>(size.width_px), static_cast<guint16>(size.height_px),
                                                                           size.width_px * 4, &format, &format));
    vnc_connection_set_framebuffer(connection_, fresh);
    if (framebuffer_ != nullptr) {
        g_object_unref(framebuffer_);
    }
    framebuffer_ = fresh;
    pixels_ = std::move(pixels);
    size_ = size;
    shared_ = FileDescriptor(::memfd_create("vnc", MFD_CLOEXEC));
    if (!shared_.is_open() || ::ftruncate(shared_.get(), static_cast<off_t>(bytes)) != 0) {
        fail({ErrorCode::OutOfMemory, "no memory for the picture"});
    }
    SizeTell told{size.width_px, size.height_px};
    tell(Tell::Size, wire::bytes_of(told), shared_.get());
    vnc_connection_framebuffer_update_request(connection_, FALSE, 0, 0, static_cast<guint16>(size.width_px), static_cast<guint16>(size.height_px));
    fence_at_.reset(); // its pixel may be gone
    start_fence();
}

void Peer::ask_for_changes() {
    vnc_connection_framebuffer_update_request(connection_, TRUE, 0, 0, static_cast<guint16>(size_.width_px), static_cast<guint16>(size_.height_px));
}

void Peer::changed(Rect area) {
    if (!is_ready_told_) {
        is_ready_told_ = true;
        ReadyTell ready{takes_unicode_ ? 1U : 0U, is_encrypted_ ? 1U : 0U};
        const char* const name = vnc_connection_get_name(connection_);
        tell_text(Tell::Ready, {reinterpret_cast<const char*>(&ready), sizeof ready}, name != nullptr ? name : "");
    }
    const bool is_fence = fence_at_ && area.contains(*fence_at_);
    if (!is_fence || area.size().area() > 1) {
        tell(Tell::Changed, {});
    }
    if (!is_asking_planned_) {
        is_asking_planned_ = true;
        g_timeout_add(kAskAgainMs, [](gpointer self) -> gboolean {
            static_cast<Peer*>(self)->is_asking_planned_ = false;
            static_cast<Peer*>(self)->ask_for_changes();
            return G_SOURCE_REMOVE;
        }, this);
    }
    if (is_fence && !is_fence_answered_) {
        is_fence_answered_ = true;
        answer_fence();
    }
}

void Peer::start_fence() {
    if (fence_at_ || fences_.empty()) {
        return;
    }
    const auto pixel = static_cast<std::int64_t>(fences_.front().number % static_cast<std::uint64_t>(size_.area()));
    fence_at_ = Point{static_cast<int>(pixel % size_.width_px), static_cast<int>(pixel / size_.width_px)};
    is_fence_answered_ = false;
    ask_for_changes(); // all that changed comes along
    vnc_connection_framebuffer_update_request(connection_, FALSE, static_cast<guint16>(fence_at_->x), static_cast<guint16>(fence_at_->y), 1, 1);
}

void Peer::answer_fence() {
    if (fences_.front().has_picture) {
        g_timeout_add(0, [](gpointer self) -> gboolean {
            if (!static_cast<Peer*>(self)->try_snapshot()) {
                g_timeout_add(kSnapshotAgainMs, [](gpointer me) -> gboolean { return static_cast<Peer*>(me)->try_snapshot() ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE; }, self);
            }
            return G_SOURCE_REMOVE;
        }, this);
        return;
    }
    std::uint64_t number = fences_.front().number;
    fences_.pop_front();
    fence_at_.reset();
    tell(Tell::Answered, wire::bytes_of(number));
    start_fence();
}

/// True: done, or there is nothing to do any more. An update comes in rectangles, and libgvnc does not say which is the last. But it sends
/// requests only between messages: a picture after which one leaves at once was whole.
bool Peer::try_snapshot() {
    if (!fence_at_ || !is_fence_answered_ || fences_.empty()) {
        return true; // the desktop has another size now: the fence starts again
    }
    if (::pwrite(shared_.get(), pixels_.data(), pixels_.size(), 0) != static_cast<ssize_t>(pixels_.size())) {
        fail({ErrorCode::OutOfMemory, "no memory for the picture"});
    }
    const std::uint64_t before = taps().bytes_sent;
    ask_for_changes();
    if (taps().bytes_sent == before) {
        return false;
    }
    fences_.front().has_picture = false;
    answer_fence();
    return true;
}

bool Peer::take_ask() {
    const auto soon = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    MessageHead head;
    if (wire::receive_all(platform_, wire::bytes_of(head), soon) != wire::Moved::All || head.bytes > kMessageBytesMax) {
        return false;
    }
    std::vector<std::uint8_t> payload(head.bytes);
    if (wire::receive_all(platform_, payload, soon) != wire::Moved::All || stage_ != Stage::Running) {
        return false;
    }
    const auto read = [&](auto value) {
        std::memcpy(&value, payload.data(), std::min(sizeof value, payload.size()));
        return value;
    };
    switch (static_cast<Ask>(head.kind)) {
    case Ask::Connect: return false;
    case Ask::Pointer:
        pointer_ = read(PointerAsk{});
        vnc_connection_pointer_event(connection_, static_cast<guint8>(pointer_.buttons), static_cast<guint16>(pointer_.x), static_cast<guint16>(pointer_.y));
        break;
    case Ask::Key: {
        const auto key = read(KeyAsk{});
        key.is_press != 0 ? static_cast<void>(held_keys_.insert(key.keysym)) : static_cast<void>(held_keys_.erase(key.keysym));
        vnc_connection_key_event(connection_, key.is_press != 0 ? TRUE : FALSE, key.keysym, 0);
        break;
    }
    case Ask::Clipboard: set_clipboard({reinterpret_cast<const char*>(payload.data()), payload.size()}); break;
    case Ask::Fence:
    case Ask::Snapshot:
        fences_.push_back({read(std::uint64_t{}), static_cast<Ask>(head.kind) == Ask::Snapshot});
        start_fence();
        break;
    }
    return true;
}

void Peer::set_clipboard(std::string_view text_utf8) {
    if (takes_unicode_) {
        clipboard_utf8_ = text_utf8; // delivered when a program there asks for it: that is how it is known that one did
        return send_raw(extended_notify(!text_utf8.empty()));
    }
    gsize size = 0;
    gchar* const latin = g_convert(text_utf8.data(), static_cast<gssize>(text_utf8.size()), "ISO-8859-1", "UTF-8", nullptr, &size, nullptr);
    if (latin != nullptr) { // the platform asks for nothing else
        vnc_connection_client_cut_text(connection_, latin, size);
        g_free(latin);
    }
}

/// Inside the library's read: what is sent is sent when that is over.
void Peer::take_extended(std::string_view message) {
    ExtendedText text = read_extended(message);
    if (text.is_caps && text.has_text && text.takes_notices) { // libvncserver offers the rest, and x11vnc drops what it gets
        takes_unicode_ = true;
        taps().raw += extended_caps();
    } else if (text.is_request && !clipboard_utf8_.empty()) {
        taps().raw += extended_provide(clipboard_utf8_);
        tell(Tell::Fetched, {});
    } else if (text.is_notify && text.has_text) {
        taps().raw += extended_request();
    } else if (text.is_provide) {
        tell_text(Tell::Clipboard, {}, text.text_utf8);
    }
    g_idle_add([](gpointer self) -> gboolean {
        static_cast<Peer*>(self)->ask_for_changes(); // brings it on its way
        return G_SOURCE_REMOVE;
    }, this);
}

void Peer::send_raw(const std::string& messages) {
    taps().raw += messages;
    ask_for_changes();
}

bool Peer::release_all() {
    if (stage_ != Stage::Running || (held_keys_.empty() && pointer_.buttons == 0)) {
        return true;
    }
    for (const std::uint32_t keysym : held_keys_) {
        vnc_connection_key_event(connection_, FALSE, keysym, 0);
    }
    vnc_connection_pointer_event(connection_, 0, static_cast<guint16>(pointer_.x), static_cast<guint16>(pointer_.y));
    const std::uint64_t before = taps().bytes_sent;
    ask_for_changes(); // in the middle of a message from the server nothing leaves
    return taps().bytes_sent > before;
}

void Peer::say_goodbye() {
    if (server_ < 0 || ::shutdown(server_, SHUT_WR) != 0) {
        return;
    }
    std::array<char, 4096> ignored{};
    const auto until = std::chrono::steady_clock::now() + kGoodbyePatience;
    for (auto now = std::chrono::steady_clock::now(); now < until; now = std::chrono::steady_clock::now()) {
        pollfd wait{server_, POLLIN, 0};
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - now).count();
        if (::poll(&wait, 1, static_cast<int>(left) + 1) <= 0 || ::recv(server_, ignored.data(), ignored.size(), MSG_DONTWAIT) <= 0) {
            return;
        }
    }
}

void Peer::tell(Tell kind, std::span<const std::uint8_t> payload, int file) {
    if (is_platform_gone_) {
        return;
    }
    MessageHead head{static_cast<std::uint32_t>(kind), static_cast<std::uint32_t>(payload.size())};
    std::array<iovec, 2> parts{{{&head, sizeof head}, {const_cast<std::uint8_t*>(payload.data()), payload.size()}}};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    if (file >= 0) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* const note = CMSG_FIRSTHDR(&message);
        note->cmsg_level = SOL_SOCKET;
        note->cmsg_type = SCM_RIGHTS;
        note->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(note), &file, sizeof file);
    }
    std::size_t left = sizeof head + payload.size();
    while (left > 0) {
        const ssize_t sent = ::sendmsg(platform_, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            is_platform_gone_ = true; // what is held is let go where its end of the socket is seen
            return;
        }
        left -= static_cast<std::size_t>(sent);
        auto moved = static_cast<std::size_t>(sent);
        for (iovec& part : parts) {
            const std::size_t here = std::min(moved, part.iov_len);
            part.iov_base = static_cast<char*>(part.iov_base) + here;
            part.iov_len -= here;
            moved -= here;
        }
        message.msg_control = nullptr;
        message.msg_controllen = 0;
    }
}

void Peer::tell_text(Tell kind, std::string_view head, std::string_view text) {
    std::string both(head);
    both += text.substr(0, kMessageBytesMax - head.size());
    tell(kind, {reinterpret_cast<const std::uint8_t*>(both.data()), both.size()});
}

void Peer::fail(const Error& error) {
    FailedTell told{static_cast<std::uint32_t>(error.code)};
    tell_text(Tell::Failed, {reinterpret_cast<const char*>(&told), sizeof told}, error.message.substr(0, 2000));
    std::_Exit(0);
}

} // namespace handeye::vnc

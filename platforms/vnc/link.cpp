// SPDX-License-Identifier: Apache-2.0
#include "platforms/vnc/link.h"

#include "base/child_wire.h"
#include "base/printable.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <vector>

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

namespace handeye::vnc {
namespace {

constexpr const char* kProgram = "handeye-vnc";
constexpr Size kSizeMax{16384, 16384};
constexpr std::int64_t kPixelsMax = 64'000'000;
constexpr std::size_t kNameMax = 256;
constexpr std::size_t kClipboardMax = 1U << 20U;
constexpr int kEventsAheadMax = 32;
constexpr auto kSendPatience = std::chrono::seconds(2); // to the process beside us
constexpr auto kEndPatience = std::chrono::seconds(1);
constexpr auto kEver = std::chrono::hours(24 * 365);

std::string_view text_of(const std::vector<std::uint8_t>& payload, std::size_t from) {
    const std::size_t at = std::min(from, payload.size());
    return {reinterpret_cast<const char*>(payload.data()) + at, payload.size() - at};
}

template <class T>
std::string_view bytes_as_text(const T& value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

/// The head, and the descriptor that may come with it.
bool receive_head(int socket, MessageHead& head, FileDescriptor& file) {
    iovec part{&head, sizeof head};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t got = 0;
    do {
        got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
    } while (got < 0 && errno == EINTR);
    if (const cmsghdr* const note = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
        note != nullptr && note->cmsg_type == SCM_RIGHTS && note->cmsg_len == CMSG_LEN(sizeof(int))) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(note), sizeof fd);
        file = FileDescriptor(fd);
    }
    return got == static_cast<ssize_t>(sizeof head);
}

std::vector<std::string> connect_texts(const LinkOptions& options) {
    std::vector<std::string> texts(kConnectTexts);
    texts[kHost] = options.address.host;
    texts[kPort] = std::to_string(options.address.port);
    texts[kUnixPath] = options.address.unix_path;
    texts[kUser] = options.user;
    texts[kPassword] = options.password.value_or("");
    texts[kHasPassword] = options.password ? "1" : "";
    texts[kCaPem] = options.ca_pem;
    texts[kTls] = options.tls;
    return texts;
}

} // namespace

Result<std::unique_ptr<Link>> Link::open(const LinkOptions& options, Duration patience, std::stop_token stop) {
    std::unique_ptr<Link> link(new Link(options));
    auto* raw = link.get();
    link->thread_ = std::jthread([raw](const std::stop_token& end) { raw->run(end); });
    const TimePoint deadline = std::chrono::steady_clock::now() + patience;
    std::unique_lock lock(link->mutex_);
    const bool is_told = link->changed_.wait_until(lock, std::move(stop), deadline, [&] { return link->is_ready_ || link->state_.failure; });
    if (link->state_.failure) {
        return *link->state_.failure;
    }
    if (!is_told) {
        const bool is_late = std::chrono::steady_clock::now() >= deadline;
        return is_late ? Error{ErrorCode::DeadlineExceeded, fmt::format("VNC server {} did not show its desktop within {} s", describe(options.address),
                                                                        std::chrono::duration_cast<std::chrono::seconds>(patience).count())}
                       : Error{ErrorCode::Cancelled, "stopped while connecting"};
    }
    lock.unlock();
    return link;
}

Link::~Link() {
    thread_.request_stop(); // it lets go of what is held, and ends
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kEndPatience, [this] { return is_over_; });
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
    }
}

void Link::run(const std::stop_token& stop) {
    std::error_code problem;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", problem).parent_path() / kProgram;
    Result<std::unique_ptr<Child>> child = Child::start(program);
    if (!child) {
        return end({ErrorCode::Unavailable, fmt::format("{}: it holds connections to VNC servers and lies beside the other programs", child.error().message)});
    }
    const int socket = (*child)->socket()->get();
    std::string packed = pack_texts(connect_texts(options_));
    const MessageHead head{static_cast<std::uint32_t>(Ask::Connect), static_cast<std::uint32_t>(packed.size())};
    std::string message(bytes_as_text(head));
    message += packed;
    const auto sent = wire::send_all(socket, {reinterpret_cast<const std::uint8_t*>(message.data()), message.size()}, std::chrono::steady_clock::now() + std::chrono::seconds(10));
    explicit_bzero(packed.data(), packed.size());
    explicit_bzero(message.data(), message.size());
    {
        const std::lock_guard lock(mutex_);
        socket_ = (*child)->socket();
        pid_ = (*child)->pid();
    }
    const std::stop_callback hang_up(stop, [link = (*child)->socket()] { ::shutdown(link->get(), SHUT_WR); });
    while (sent == wire::Moved::All && take_tell(socket)) {
    }
    {
        const std::lock_guard lock(mutex_);
        pid_ = -1;
        is_over_ = true;
        changed_.notify_all();
    }
    const bool is_asked = stop.stop_requested();
    const std::string how = is_asked ? "" : (*child)->reap();
    end(is_asked ? Error{ErrorCode::Cancelled, "the connection was closed"}
                 : Error{ErrorCode::ParseFailed, fmt::format("VNC server {} sent what ended the process that reads it: {}", describe(options_.address), how)});
}

void Link::end(Error error) {
    const std::lock_guard lock(mutex_);
    if (!state_.failure) {
        state_.failure = std::move(error);
    }
    changed_.notify_all();
}

bool Link::take_tell(int socket) {
    MessageHead head;
    FileDescriptor file;
    if (!receive_head(socket, head, file) || head.bytes > kMessageBytesMax) {
        return false;
    }
    std::vector<std::uint8_t> payload(head.bytes);
    if (wire::receive_all(socket, payload, std::chrono::steady_clock::now() + kEver) != wire::Moved::All) {
        return false;
    }
    const auto read = [&](auto value) {
        std::memcpy(&value, payload.data(), std::min(sizeof value, payload.size()));
        return value;
    };
    if (static_cast<Tell>(head.kind) == Tell::Failed) {
        const auto code = std::min<std::uint32_t>(read(FailedTell{}).code, static_cast<std::uint32_t>(ErrorCode::Internal));
        end({static_cast<ErrorCode>(code), fmt::format("VNC server {}: {}", describe(options_.address), printable_line(text_of(payload, sizeof(FailedTell))))});
        return true; // its end follows
    }
    if (static_cast<Tell>(head.kind) == Tell::Size) {
        take_size(payload, std::move(file));
        return true;
    }
    const std::lock_guard lock(mutex_);
    switch (static_cast<Tell>(head.kind)) {
    case Tell::Ready:
        state_.takes_unicode = read(ReadyTell{}).takes_unicode != 0;
        state_.is_encrypted = read(ReadyTell{}).is_encrypted != 0;
        state_.name = printable_line(text_of(payload, sizeof(ReadyTell)).substr(0, kNameMax));
        is_ready_ = !state_.size.is_empty();
        break;
    case Tell::Changed:
        ++state_.changes;
        state_.changed_at = std::chrono::steady_clock::now();
        break;
    case Tell::Answered:
        fences_answered_ = std::clamp(read(std::uint64_t{}), fences_answered_, fences_begun_);
        state_.changes_shown = state_.changes; // they were told before it
        break;
    case Tell::Clipboard: state_.clipboard_utf8 = text_of(payload, 0).substr(0, kClipboardMax); break;
    case Tell::Fetched: ++state_.fetches; break;
    case Tell::Renamed: state_.name = printable_line(text_of(payload, 0).substr(0, kNameMax)); break;
    case Tell::Pointer: state_.may_paint_pointer = read(PointerTell{}).has_shape == 0; break;
    case Tell::Size:
    case Tell::Failed: break;
    default: return false; // not one of ours: it was taken over
    }
    changed_.notify_all();
    return true;
}

void Link::take_size(const std::vector<std::uint8_t>& payload, FileDescriptor pixels) {
    SizeTell told;
    std::memcpy(&told, payload.data(), std::min(sizeof told, payload.size()));
    const Size size{told.width_px, told.height_px};
    if (size.is_empty() || size.width_px > kSizeMax.width_px || size.height_px > kSizeMax.height_px || size.area() > kPixelsMax || !pixels.is_open()) {
        return end({ErrorCode::Internal, "handeye-vnc tells a size that makes no sense"});
    }
    const std::lock_guard lock(mutex_);
    state_.size = size;
    pixels_ = std::move(pixels);
    ++state_.changes;
    state_.changed_at = std::chrono::steady_clock::now();
    changed_.notify_all();
}

LinkState Link::state() const {
    const std::lock_guard lock(mutex_);
    return state_;
}

Result<void> Link::send(Ask kind, std::string_view payload) {
    const MessageHead head{static_cast<std::uint32_t>(kind), static_cast<std::uint32_t>(payload.size())};
    std::string message(bytes_as_text(head));
    message += payload;
    std::shared_ptr<FileDescriptor> socket;
    {
        const std::lock_guard lock(mutex_);
        if (state_.failure) {
            return *state_.failure;
        }
        socket = socket_;
    }
    const std::lock_guard lock(send_mutex_);
    const auto moved = wire::send_all(socket->get(), {reinterpret_cast<const std::uint8_t*>(message.data()), message.size()}, std::chrono::steady_clock::now() + kSendPatience);
    explicit_bzero(message.data(), message.size()); // it may have been typed text
    if (moved == wire::Moved::All) {
        return {};
    }
    if (moved == wire::Moved::Gone) { // its last words say why
        std::unique_lock wait(mutex_);
        changed_.wait_for(wait, kEndPatience, [this] { return state_.failure.has_value(); });
    }
    end({moved == wire::Moved::TooLate ? ErrorCode::DeadlineExceeded : ErrorCode::Unavailable,
         fmt::format("VNC server {} takes no input any more", describe(options_.address))}); // half a message: nothing fits after it
    return *state().failure;
}

Result<void> Link::send_pointer(PointerAsk pointer) { return send(Ask::Pointer, bytes_as_text(pointer)); }

Result<void> Link::send_key(KeyAsk key) { return send(Ask::Key, bytes_as_text(key)); }

Result<void> Link::send_clipboard(std::string_view text_utf8) {
    if (text_utf8.size() > kMessageBytesMax / 4) {
        return Error{ErrorCode::LimitExceeded, fmt::format("a text of {} bytes for the clipboard; the limit is {}", text_utf8.size(), kMessageBytesMax / 4)};
    }
    return send(Ask::Clipboard, text_utf8);
}

Result<std::uint64_t> Link::begin_fence() {
    std::uint64_t number = 0;
    {
        const std::lock_guard lock(mutex_);
        number = ++fences_begun_;
    }
    TRY(send(Ask::Fence, bytes_as_text(number)));
    return number;
}

Error Link::failure_now() const { return *state_.failure; }

Result<void> Link::wait_fence(std::uint64_t number, TimePoint deadline, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const bool is_answered = changed_.wait_until(lock, stop, deadline, [&] { return fences_answered_ >= number || state_.failure; });
    if (state_.failure) {
        return failure_now();
    }
    if (is_answered) {
        return {};
    }
    if (stop.stop_requested()) {
        return Error{ErrorCode::Cancelled, "stopped while the VNC server was waited for"};
    }
    return Error{ErrorCode::DeadlineExceeded, fmt::format("VNC server {} is connected and answers nothing: it has not taken the last input, nor shown its desktop",
                                                          describe(options_.address))};
}

Result<void> Link::keep_pace(TimePoint deadline, const std::stop_token& stop) {
    std::uint64_t wait_for = 0;
    {
        const std::lock_guard lock(mutex_);
        if (++events_ahead_ < kEventsAheadMax) {
            return {};
        }
        events_ahead_ = 0;
        wait_for = pace_;
    }
    if (wait_for != 0) {
        TRY(wait_fence(wait_for, deadline, stop)); // that of the events before: the server is at work on these meanwhile
    }
    const std::uint64_t number = TRY(begin_fence());
    const std::lock_guard lock(mutex_);
    pace_ = number;
    return {};
}

Result<bool> Link::wait_change(std::uint64_t seen, TimePoint until, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const bool is_changed = changed_.wait_until(lock, stop, until, [&] { return state_.changes > seen || state_.failure; });
    if (state_.failure) {
        return failure_now();
    }
    return is_changed && !stop.stop_requested();
}

Result<bool> Link::wait_fetch(std::uint64_t seen, TimePoint until, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const bool is_fetched = changed_.wait_until(lock, stop, until, [&] { return state_.fetches > seen || state_.failure; });
    if (state_.failure) {
        return failure_now();
    }
    return is_fetched;
}

Result<Image> Link::snapshot(TimePoint deadline, const std::stop_token& stop) {
    for (;;) {
        std::uint64_t number = 0;
        Size size;
        {
            const std::lock_guard lock(mutex_);
            number = ++fences_begun_;
            size = state_.size;
        }
        TRY(send(Ask::Snapshot, bytes_as_text(number)));
        TRY(wait_fence(number, deadline, stop));
        const std::lock_guard lock(mutex_);
        if (!(state_.size == size)) {
            continue; // the desktop took another size meanwhile
        }
        std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size.area()) * 4);
        for (std::size_t at = 0; at < bytes.size();) {
            const ssize_t got = ::pread(pixels_.get(), bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
            if (got <= 0) { // read, not mapped: memory that was made smaller is a short read
                return Error{ErrorCode::Internal, "handeye-vnc shares fewer pixels than it told"};
            }
            at += static_cast<std::size_t>(got);
        }
        return Image::from_pixels(size, PixelFormat::Bgrx, std::move(bytes));
    }
}

} // namespace handeye::vnc

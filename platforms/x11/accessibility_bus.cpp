// SPDX-License-Identifier: Apache-2.0
// sd-bus, which unlike libatspi has no globals: a process may be on the buses of several displays.
#include "platforms/x11/accessibility_bus.h"

#include <systemd/sd-bus.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

constexpr std::size_t kHonestBytesMax = 1U << 20U; // of one text; what is longer is an attack
constexpr std::size_t kAddressBytesMax = 512;
constexpr std::uint64_t kSessionPatienceUs = 200'000;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Bytes of the UTF-8 sequence that `text` begins with; 0: none.
std::size_t sequence_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    const std::size_t length = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (length == 0 || length > text.size()) {
        return 0;
    }
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80U) {
            return 0;
        }
    }
    const bool is_overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
    const bool is_no_character = (first == 0xED && byte(1) >= 0xA0) || (first == 0xF4 && byte(1) >= 0x90);
    return is_overlong || is_no_character ? 0 : length;
}

} // namespace

std::string clean_text(std::string_view text, std::size_t bytes_max) {
    std::string clean;
    while (!text.empty()) {
        const std::size_t length = sequence_length(text);
        const bool is_control = length == 1 && (static_cast<unsigned char>(text[0]) < 0x20 || text[0] == 0x7F) && text[0] != '\n' && text[0] != '\t';
        const std::string_view piece = length == 0 ? kReplacement : is_control ? std::string_view(" ") : text.substr(0, length);
        if (clean.size() + piece.size() > bytes_max) {
            break;
        }
        clean += piece;
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return clean;
}

bool is_socket_address(std::string_view address) {
    const bool is_local = address.starts_with("unix:path=") || address.starts_with("unix:abstract=");
    return is_local && address.size() <= kAddressBytesMax &&
           std::none_of(address.begin(), address.end(), [](char c) { return c == ';' || static_cast<unsigned char>(c) < 0x21; });
}

std::string ask_session_for_address() {
    if (std::getenv("DBUS_SESSION_BUS_ADDRESS") == nullptr && std::getenv("XDG_RUNTIME_DIR") == nullptr) {
        return {};
    }
    sd_bus* bus = nullptr;
    sd_bus_message* question = nullptr;
    sd_bus_message* answer = nullptr;
    std::string address;
    if (sd_bus_open_user(&bus) >= 0 &&
        sd_bus_message_new_method_call(bus, &question, "org.a11y.Bus", "/org/a11y/bus", "org.a11y.Bus", "GetAddress") >= 0 &&
        sd_bus_message_set_auto_start(question, 0) >= 0 && sd_bus_call(bus, question, kSessionPatienceUs, nullptr, &answer) >= 0) {
        address = BusReply(answer).text(kAddressBytesMax);
    }
    sd_bus_message_unref(answer);
    sd_bus_message_unref(question);
    sd_bus_flush_close_unref(bus);
    return address;
}

bool BusReply::is_error() const { return sd_bus_message_is_method_error(message_, nullptr) != 0; }

std::uint32_t BusReply::number() {
    std::uint32_t value = 0;
    return sd_bus_message_read(message_, "u", &value) > 0 ? value : 0;
}

std::string BusReply::read_text(std::size_t bytes_max) {
    const char* text = nullptr;
    if (sd_bus_message_read(message_, "s", &text) <= 0 || text == nullptr) {
        return {};
    }
    const std::string_view all(text);
    is_excessive_ = is_excessive_ || all.size() > kHonestBytesMax;
    return clean_text(all.substr(0, bytes_max), bytes_max);
}

std::string BusReply::text(std::size_t bytes_max) { return is_error() ? std::string() : read_text(bytes_max); }

std::string BusReply::property_text(std::size_t bytes_max) {
    std::string text = !is_error() && sd_bus_message_enter_container(message_, 'v', "s") > 0 ? read_text(bytes_max) : std::string();
    text.erase(text.find_last_not_of(" \n\t") + 1); // mousepad's menus are "About      "
    return text.erase(0, text.find_first_not_of(" \n\t"));
}

std::int32_t BusReply::property_number() {
    std::int32_t value = 0;
    return !is_error() && sd_bus_message_read(message_, "v", "i", &value) > 0 ? value : 0;
}

std::optional<double> BusReply::property_real() {
    double value = 0;
    return !is_error() && sd_bus_message_read(message_, "v", "d", &value) > 0 ? std::optional(value) : std::nullopt;
}

std::uint64_t BusReply::states() {
    const void* words = nullptr;
    std::size_t bytes = 0;
    std::uint32_t both[2] = {0, 0};
    if (!is_error() && sd_bus_message_read_array(message_, 'u', &words, &bytes) > 0) {
        std::memcpy(both, words, std::min(bytes, sizeof both));
    }
    return std::uint64_t{both[1]} << 32U | both[0];
}

std::optional<Rect> BusReply::extents() {
    std::int32_t x = 0, y = 0, width = 0, height = 0;
    if (is_error() || sd_bus_message_read(message_, "(iiii)", &x, &y, &width, &height) <= 0) {
        return std::nullopt;
    }
    static constexpr std::int32_t kFarthest = 1 << 20; // sums of such numbers stay numbers
    const auto bounded = [](std::int32_t value) { return std::clamp(value, -kFarthest, kFarthest); };
    return Rect{bounded(x), bounded(y), std::max(bounded(width), 0), std::max(bounded(height), 0)};
}

std::optional<Accessible> BusReply::read_accessible() {
    const char* name = nullptr;
    const char* path = nullptr;
    if (sd_bus_message_read(message_, "(so)", &name, &path) <= 0) {
        return std::nullopt;
    }
    constexpr std::size_t kNameBytesMax = 255; // the bus allows no more; a path has no limit but ours
    if (std::strlen(name) > kNameBytesMax || std::strlen(path) > kAddressBytesMax) {
        is_excessive_ = true;
        return std::nullopt;
    }
    return Accessible{name, path};
}

std::vector<Accessible> BusReply::accessibles(std::size_t count_max) {
    std::vector<Accessible> found;
    if (is_error() || sd_bus_message_enter_container(message_, 'a', "(so)") <= 0) {
        return found;
    }
    while (found.size() < count_max) {
        std::optional<Accessible> one = read_accessible();
        if (!one) {
            break;
        }
        found.push_back(*std::move(one));
    }
    return found;
}

std::optional<Accessible> BusReply::related(std::uint32_t relation) {
    constexpr int kRelationsMax = 32;
    if (is_error() || sd_bus_message_enter_container(message_, 'a', "(ua(so))") <= 0) {
        return std::nullopt;
    }
    for (int i = 0; i < kRelationsMax && sd_bus_message_enter_container(message_, 'r', "ua(so)") > 0; ++i) {
        if (number() == relation) {
            return sd_bus_message_enter_container(message_, 'a', "(so)") > 0 ? read_accessible() : std::nullopt;
        }
        if (sd_bus_message_skip(message_, "a(so)") < 0 || sd_bus_message_exit_container(message_) < 0) {
            break;
        }
    }
    return std::nullopt;
}

Result<std::unique_ptr<AccessibilityBus>> AccessibilityBus::open(const std::string& address) {
    if (!is_socket_address(address)) {
        return Error{ErrorCode::InvalidArgument, "the accessibility bus is not at a socket of this machine"};
    }
    std::unique_ptr<AccessibilityBus> bus(new AccessibilityBus);
    int failure = sd_bus_new(&bus->bus_);
    if (failure >= 0) {
        sd_bus_negotiate_fds(bus->bus_, 0);
        sd_bus_set_bus_client(bus->bus_, 1);
        failure = sd_bus_set_address(bus->bus_, address.c_str());
    }
    if (failure >= 0) {
        failure = sd_bus_start(bus->bus_);
    }
    if (failure < 0) {
        return Error{ErrorCode::Unavailable, fmt::format("the accessibility bus at {}: {}", clean_text(address, 200), std::strerror(-failure))};
    }
    return bus;
}

AccessibilityBus::~AccessibilityBus() {
    for (const Call& call : calls_) {
        sd_bus_slot_unref(call.slot);
    }
    sd_bus_close_unref(bus_);
}

int AccessibilityBus::on_message(sd_bus_message* message, void* data, void* /*error*/) {
    const auto* const call = static_cast<Call*>(data);
    AccessibilityBus& bus = *call->bus;
    std::list<Call> done; // alive until the handler is through, though it may start other calls
    done.splice(done.end(), bus.calls_, call->self);
    BusReply reply(message);
    done.front().on_reply(reply);
    sd_bus_slot_unref(done.front().slot);
    return 1;
}

bool AccessibilityBus::call(const Accessible& to, const char* interface, const char* member, std::span<const Argument> arguments,
                            Handler on_reply, Outlives outlives) {
    calls_.push_back({this, std::move(on_reply), outlives, nullptr, {}});
    Call& call = calls_.back();
    call.self = std::prev(calls_.end());
    sd_bus_message* message = nullptr;
    int failure = sd_bus_message_new_method_call(bus_, &message, to.bus_name.c_str(), to.path.c_str(), interface, member);
    for (const Argument& argument : arguments) {
        if (failure < 0) {
            break;
        }
        if (const auto* text = std::get_if<std::string>(&argument)) {
            failure = sd_bus_message_append(message, "s", text->c_str());
        } else if (const auto* count = std::get_if<std::uint32_t>(&argument)) {
            failure = sd_bus_message_append(message, "u", *count);
        } else {
            failure = sd_bus_message_append(message, "i", std::get<std::int32_t>(argument));
        }
    }
    if (failure >= 0) {
        sd_bus_message_set_auto_start(message, 0);
        const auto handler = [](sd_bus_message* reply, void* data, sd_bus_error* error) { return on_message(reply, data, error); };
        failure = sd_bus_call_async(bus_, &call.slot, message, handler, &call, UINT64_MAX);
    }
    sd_bus_message_unref(message);
    if (failure < 0) {
        calls_.pop_back();
    }
    return failure >= 0;
}

Result<bool> AccessibilityBus::run(Clock& clock, TimePoint deadline, const std::function<bool()>& is_done) {
    while (!is_done()) {
        const Duration left = deadline - clock.now();
        if (left <= Duration::zero()) {
            return false;
        }
        int handled = sd_bus_process(bus_, nullptr);
        if (handled == 0) {
            handled = sd_bus_wait(bus_, static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::microseconds>(left).count()));
        }
        if (handled < 0 && handled != -EINTR) {
            return Error{ErrorCode::Unavailable, fmt::format("the accessibility bus: {}", std::strerror(-handled))};
        }
    }
    return true;
}

void AccessibilityBus::forget_calls() {
    calls_.remove_if([](const Call& call) {
        if (call.outlives == Outlives::Nothing) {
            sd_bus_slot_unref(call.slot);
        }
        return call.outlives == Outlives::Nothing;
    });
}

} // namespace handeye::x11

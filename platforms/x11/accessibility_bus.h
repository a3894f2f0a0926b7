// SPDX-License-Identifier: Apache-2.0
// A connection to one accessibility bus: calls that are answered later, with a bound on what is read from an answer. Who answers may
// be anybody: nothing here trusts a count, a length or a character.
#pragma once

#include "base/clock.h"
#include "base/geometry.h"
#include "base/result.h"

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

struct sd_bus;
struct sd_bus_message;
struct sd_bus_slot;

namespace handeye::x11 {

/// An object of a program, as AT-SPI names it.
struct Accessible {
    std::string bus_name; ///< of the program's connection: ":1.7"
    std::string path;
    bool operator==(const Accessible&) const = default;
};

/// An answer, to be read once, within the handler that gets it. What it does not hold reads as empty.
class BusReply {
public:
    explicit BusReply(sd_bus_message* message) : message_(message) {}
    [[nodiscard]] bool is_error() const;
    /// Something in it was longer than any honest program's: whoever sent it is not to be asked again.
    [[nodiscard]] bool is_excessive() const { return is_excessive_; }

    std::uint32_t number();
    std::string text(std::size_t bytes_max);
    std::string property_text(std::size_t bytes_max);
    std::int32_t property_number();
    std::optional<double> property_real();
    std::uint64_t states();
    std::optional<Rect> extents();
    std::vector<Accessible> accessibles(std::size_t count_max);
    /// The first object that this relation (its number in AT-SPI) leads to.
    std::optional<Accessible> related(std::uint32_t relation);

private:
    std::string read_text(std::size_t bytes_max);
    std::optional<Accessible> read_accessible();

    sd_bus_message* message_;
    bool is_excessive_ = false;
};

/// `text` with at most `bytes_max` bytes, whole characters, U+FFFD for each byte that is not UTF-8 and a blank for each control
/// character.
std::string clean_text(std::string_view text, std::size_t bytes_max);

/// Whether this is the address of a socket on this machine: others (a program to start, a network) are refused, since anybody on
/// the display may have written it.
bool is_socket_address(std::string_view address);
/// What the session bus of this process's environment says, without starting anything; empty: nothing.
std::string ask_session_for_address();

class AccessibilityBus {
public:
    using Argument = std::variant<std::string, std::uint32_t, std::int32_t>;
    using Handler = std::function<void(BusReply& reply)>;

    /// Does not wait: what is wrong with the bus shows in run(). InvalidArgument for an address that is_socket_address() refuses.
    static Result<std::unique_ptr<AccessibilityBus>> open(const std::string& address);
    ~AccessibilityBus();
    AccessibilityBus(const AccessibilityBus&) = delete;
    AccessibilityBus& operator=(const AccessibilityBus&) = delete;

    /// Whether forget_calls() concerns a call.
    enum class Outlives { Nothing, Walk };
    /// `on_reply` is called within run(), also for an error. Nothing is started for it. False: that is no name or no path, and no
    /// answer will come.
    [[nodiscard]] bool call(const Accessible& to, const char* interface, const char* member, std::span<const Argument> arguments,
                            Handler on_reply, Outlives outlives = Outlives::Nothing);
    /// Handles answers until `is_done`; false when the deadline came first. Unavailable: the bus is gone.
    Result<bool> run(Clock& clock, TimePoint deadline, const std::function<bool()>& is_done);
    /// No handler of a call so far is called from now on.
    void forget_calls();

private:
    struct Call {
        AccessibilityBus* bus;
        Handler on_reply;
        Outlives outlives;
        sd_bus_slot* slot = nullptr;
        std::list<Call>::iterator self;
    };
    AccessibilityBus() = default;
    static int on_message(sd_bus_message* message, void* data, void* error);

    sd_bus* bus_ = nullptr;
    std::list<Call> calls_;
};

} // namespace handeye::x11

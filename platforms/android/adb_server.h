// SPDX-License-Identifier: Apache-2.0
// The adb server's protocol ("smart sockets"): which devices there are, and a byte stream to a service of one of them. The server
// is a program of its own (`adb start-server`); nothing here starts one. Every call is a connection of its own, so that a device
// that was gone is found again by the next call.
#pragma once

#include "base/net/byte_stream.h"
#include "base/result.h"

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::android {

struct AdbDevice {
    std::string serial;
    std::string state; ///< "device": ready; "offline", "unauthorized", ...
    std::string model; ///< as the server tells it; may be empty
    bool operator==(const AdbDevice&) const = default;
};

inline constexpr std::size_t kDevicesMax = 1000;
inline constexpr std::size_t kAnswerBytesMax = 0xFFFF; ///< of a host answer: its length has four hexadecimal digits

/// The lines of host:devices-l. ParseFailed for a line without a serial and a state, LimitExceeded for more than kDevicesMax.
Result<std::vector<AdbDevice>> parse_devices(std::string_view text);
/// The one to use: `wanted`, or without it the only one that is ready. Unavailable and NotFound list what is there and say what to do.
Result<AdbDevice> choose_device(const std::vector<AdbDevice>& devices, std::string_view wanted);
/// What to do on the phone about a state other than "device".
std::string advice_for(std::string_view state);

/// HOST:PORT given by a person, else $ADB_SERVER_SOCKET (tcp:HOST:PORT, tcp:PORT, localfilesystem:PATH), else
/// $ANDROID_ADB_SERVER_ADDRESS and $ANDROID_ADB_SERVER_PORT, else 127.0.0.1:5037. InvalidArgument names the form.
Result<Endpoint> adb_server_address(const std::string& given);

class AdbServer {
public:
    explicit AdbServer(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}

    /// The protocol's number (41 since 2018). Unavailable with `adb start-server` where none listens.
    Result<int> version(const StreamWait& wait);
    Result<std::vector<AdbDevice>> devices(const StreamWait& wait);
    /// What the device's end can do: "shell_v2", "cmd", ...
    Result<std::vector<std::string>> features(const std::string& serial, const StreamWait& wait);
    /// Makes the server look for a device over TCP ("192.168.0.7:5555"). Unavailable when it did not find one.
    Result<void> connect_device(const std::string& address, const StreamWait& wait);

    /// A stream to a service of the device ("shell,v2,raw:...", "exec:...", "sync:"). Unavailable names the device and its state.
    Result<std::unique_ptr<ByteStream>> open_service(const std::string& serial, std::string_view service, const StreamWait& wait);

    [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }

private:
    Result<std::unique_ptr<ByteStream>> dial(const StreamWait& wait);
    Result<std::string> ask(std::string_view service, const StreamWait& wait);
    Error explain_lost(const std::string& serial, std::string_view said, const StreamWait& wait);

    Endpoint endpoint_;
};

} // namespace handeye::android

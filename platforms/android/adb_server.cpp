// SPDX-License-Identifier: Apache-2.0
// A request is four hexadecimal digits and its text; the answer is OKAY, or FAIL with a reason of the same form (the Android Open
// Source Project's OVERVIEW.TXT and SERVICES.TXT of adb).
#include "platforms/android/adb_server.h"

#include "platforms/android/shown.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include <fmt/format.h>

namespace handeye::android {
namespace {

constexpr std::uint16_t kDefaultPort = 5037;
constexpr std::size_t kServiceBytesMax = 256U << 10U; // adb's own limit for one request since version 41 is the packet's
constexpr std::size_t kHexDigits = 4;

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : value;
}

Result<std::size_t> read_length(ByteStream& stream, const StreamWait& wait) {
    std::array<std::uint8_t, kHexDigits> digits{};
    TRY(stream.read_exact(digits, wait));
    const std::string text(digits.begin(), digits.end());
    std::size_t length = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), length, 16);
    if (problem != std::errc() || end != text.data() + text.size()) {
        return Error{ErrorCode::ParseFailed, fmt::format("the adb server's answer has \"{}\" where a length in four hexadecimal digits belongs",
                                                         shown(text))};
    }
    return length;
}

Result<std::string> read_text(ByteStream& stream, const StreamWait& wait) {
    const std::size_t length = TRY(read_length(stream, wait));
    std::string text(length, '\0');
    if (length > 0) {
        TRY(stream.read_exact({reinterpret_cast<std::uint8_t*>(text.data()), text.size()}, wait)); // bytes of a std::string
    }
    return text;
}

/// What the server says to a request: empty for OKAY, else its reason.
Result<std::string> request(ByteStream& stream, std::string_view service, const StreamWait& wait) {
    if (service.size() > kServiceBytesMax || service.size() > kAnswerBytesMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("an adb request of {} bytes; the limit is {}", service.size(), kAnswerBytesMax)};
    }
    TRY(stream.write_all(fmt::format("{:04x}{}", service.size(), service), wait));
    std::array<std::uint8_t, 4> status{};
    TRY(stream.read_exact(status, wait));
    const std::string word(status.begin(), status.end());
    if (word == "OKAY") {
        return std::string();
    }
    if (word != "FAIL") {
        return Error{ErrorCode::ParseFailed, fmt::format("what listens there is no adb server: it answered \"{}\", not OKAY or FAIL",
                                                         shown(word))};
    }
    const std::string reason = TRY(read_text(stream, wait));
    return reason.empty() ? "no reason given" : shown(reason);
}

Result<std::uint16_t> port_of(const std::string& text, std::string_view variable) {
    std::uint16_t port = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (problem != std::errc() || end != text.data() + text.size() || port == 0) {
        return Error{ErrorCode::InvalidArgument, fmt::format("${} is \"{}\", not a port from 1 to 65535", variable, shown(text))};
    }
    return port;
}

Result<Endpoint> endpoint_of_socket(const std::string& socket) {
    constexpr std::string_view kTcp = "tcp:", kFile = "localfilesystem:";
    if (socket.starts_with(kFile)) {
        return parse_endpoint("unix:" + socket.substr(kFile.size())).with_context("$ADB_SERVER_SOCKET");
    }
    if (!socket.starts_with(kTcp)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("$ADB_SERVER_SOCKET is \"{}\"; the forms are tcp:HOST:PORT, tcp:PORT and localfilesystem:PATH",
                                                             shown(socket))};
    }
    const std::string rest = socket.substr(kTcp.size());
    if (rest.find(':') != std::string::npos) {
        return parse_endpoint(rest).with_context("$ADB_SERVER_SOCKET");
    }
    Endpoint endpoint;
    endpoint.host = "127.0.0.1";
    endpoint.port = TRY(port_of(rest, "ADB_SERVER_SOCKET"));
    return endpoint;
}

std::string list_of(const std::vector<AdbDevice>& devices) {
    std::string text;
    for (const AdbDevice& device : devices) {
        text += fmt::format("{}{}{}{}", text.empty() ? "" : ", ", device.serial, device.model.empty() ? "" : " (" + device.model + ")",
                            device.state == "device" ? "" : ": " + device.state);
    }
    return text;
}

} // namespace

Result<std::vector<AdbDevice>> parse_devices(std::string_view text) {
    std::vector<AdbDevice> devices;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
            continue;
        }
        const std::size_t serial_end = line.find_first_of(" \t");
        const std::size_t state_begin = serial_end == std::string_view::npos ? serial_end : line.find_first_not_of(" \t", serial_end);
        if (serial_end == 0 || state_begin == std::string_view::npos) {
            return Error{ErrorCode::ParseFailed, fmt::format("the adb server lists a device as \"{}\"; a serial and a state belong there",
                                                             shown(line))};
        }
        if (devices.size() == kDevicesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("the adb server lists more than {} devices", kDevicesMax)};
        }
        const std::string_view rest = line.substr(state_begin);
        AdbDevice device{shown(line.substr(0, serial_end)), shown(rest.substr(0, rest.find_first_of(" \t\r"))), {}};
        if (rest.starts_with("no permissions")) {
            device.state = "no permissions";
        }
        constexpr std::string_view kModel = " model:";
        if (const std::size_t model = rest.find(kModel); model != std::string_view::npos) {
            const std::string_view value = rest.substr(model + kModel.size());
            device.model = shown(value.substr(0, value.find_first_of(" \t\r")));
        }
        devices.push_back(std::move(device));
    }
    return devices;
}

std::string advice_for(std::string_view state) {
    if (state == "unauthorized") {
        return "unlock the phone and allow USB debugging in the dialog it shows";
    }
    if (state == "authorizing" || state == "connecting") {
        return "it is being connected: try again in a moment";
    }
    if (state == "offline") {
        return "it does not answer: unplug and plug it in again, or switch USB debugging off and on under Settings, Developer options";
    }
    if (state == "no permissions") {
        return "this user may not open the USB device: install the package android-sdk-platform-tools-common (udev rules) and plug it in again";
    }
    if (state == "recovery" || state == "sideload" || state == "bootloader" || state == "rescue") {
        return "Android is not running on it: restart it (`adb reboot`)";
    }
    return "wait until Android has started on it";
}

Result<AdbDevice> choose_device(const std::vector<AdbDevice>& devices, std::string_view wanted) {
    if (!wanted.empty()) {
        const auto found = std::ranges::find(devices, wanted, &AdbDevice::serial);
        if (found == devices.end()) {
            return Error{ErrorCode::Unavailable, fmt::format("android device {} is not there; adb sees {}", shown(wanted),
                                                             devices.empty() ? "none" : list_of(devices))};
        }
        if (found->state != "device") {
            return Error{ErrorCode::Unavailable, fmt::format("android device {} is {}: {}", found->serial, found->state, advice_for(found->state))};
        }
        return *found;
    }
    std::vector<AdbDevice> ready;
    std::ranges::copy_if(devices, std::back_inserter(ready), [](const AdbDevice& device) { return device.state == "device"; });
    if (ready.size() == 1) {
        return ready.front();
    }
    if (ready.size() > 1) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} android devices are there, choose one with --serial SERIAL: {}", ready.size(), list_of(ready))};
    }
    if (!devices.empty()) {
        return Error{ErrorCode::Unavailable, fmt::format("no android device is ready: {} is {}: {}", devices.front().serial, devices.front().state,
                                                         advice_for(devices.front().state))};
    }
    return Error{ErrorCode::Unavailable, "no android device is there: switch USB debugging on under Settings, Developer options and plug it in, "
                                         "or `adb connect HOST:PORT`"};
}

Result<Endpoint> adb_server_address(const std::string& given) {
    if (!given.empty()) {
        return parse_endpoint(given).with_context("the adb server's address");
    }
    if (const std::string socket = environment("ADB_SERVER_SOCKET"); !socket.empty()) {
        return endpoint_of_socket(socket);
    }
    Endpoint endpoint;
    endpoint.host = environment("ANDROID_ADB_SERVER_ADDRESS");
    endpoint.port = kDefaultPort;
    if (endpoint.host.empty()) {
        endpoint.host = "127.0.0.1";
    }
    if (const std::string port = environment("ANDROID_ADB_SERVER_PORT"); !port.empty()) {
        endpoint.port = TRY(port_of(port, "ANDROID_ADB_SERVER_PORT"));
    }
    return endpoint;
}

Result<std::unique_ptr<ByteStream>> AdbServer::dial(const StreamWait& wait) {
    Result<std::unique_ptr<ByteStream>> stream = ByteStream::connect(endpoint_, wait);
    if (!stream && stream.error().code == ErrorCode::Unavailable) {
        return Error{ErrorCode::Unavailable, fmt::format("no adb server answers at {} ({}): start it with `adb start-server` (Debian package adb)",
                                                         to_string(endpoint_), stream.error().message)};
    }
    return stream;
}

Result<std::string> AdbServer::ask(std::string_view service, const StreamWait& wait) {
    const std::unique_ptr<ByteStream> stream = TRY(dial(wait));
    const std::string context = fmt::format("adb server {}", to_string(endpoint_));
    const std::string refusal = TRY(request(*stream, service, wait).with_context(context));
    if (!refusal.empty()) {
        return Error{ErrorCode::Unavailable, fmt::format("{} refused {}: {}", context, service.substr(0, service.find(':', 5)), refusal)};
    }
    return read_text(*stream, wait).with_context(context);
}

Result<int> AdbServer::version(const StreamWait& wait) {
    const std::string text = TRY(ask("host:version", wait));
    int number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
    if (problem != std::errc() || end != text.data() + text.size()) {
        return Error{ErrorCode::ParseFailed, fmt::format("the adb server calls its version \"{}\"", shown(text))};
    }
    return number;
}

Result<std::vector<AdbDevice>> AdbServer::devices(const StreamWait& wait) {
    const std::string text = TRY(ask("host:devices-l", wait));
    return parse_devices(text);
}

Result<std::vector<std::string>> AdbServer::features(const std::string& serial, const StreamWait& wait) {
    const Result<std::string> text = ask(fmt::format("host-serial:{}:features", serial), wait);
    if (!text) {
        return text.error().code == ErrorCode::Unavailable ? explain_lost(serial, text.error().message, wait) : text.error();
    }
    std::vector<std::string> features;
    std::string_view rest = *text;
    while (!rest.empty()) {
        const std::string_view one = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), one.size() + 1));
        features.emplace_back(one);
    }
    return features;
}

Result<void> AdbServer::connect_device(const std::string& address, const StreamWait& wait) {
    const std::string said = TRY(ask("host:connect:" + address, wait));
    if (said.starts_with("connected to") || said.starts_with("already connected")) {
        return {};
    }
    return Error{ErrorCode::Unavailable, fmt::format("adb cannot connect to {}: {}", address, shown(said))};
}

/// The device's state in place of the server's words, where the server still answers.
Error AdbServer::explain_lost(const std::string& serial, std::string_view said, const StreamWait& wait) {
    const Result<std::vector<AdbDevice>> known = devices(wait);
    if (!known) {
        return known.error();
    }
    const Result<AdbDevice> chosen = choose_device(*known, serial);
    return chosen ? Error{ErrorCode::Unavailable, fmt::format("android device {}: {}", serial, said)} : chosen.error();
}

Result<std::unique_ptr<ByteStream>> AdbServer::open_service(const std::string& serial, std::string_view service, const StreamWait& wait) {
    std::unique_ptr<ByteStream> stream = TRY(dial(wait));
    const std::string context = fmt::format("android device {} through the adb server {}", serial, to_string(endpoint_));
    const Result<std::string> transport = request(*stream, "host:transport:" + serial, wait).with_context(context);
    if (!transport) {
        return transport.error();
    }
    if (!transport->empty()) {
        return explain_lost(serial, *transport, wait);
    }
    const Result<std::string> opened = request(*stream, service, wait).with_context(context);
    if (!opened && opened.error().code == ErrorCode::Unavailable) { // the device went while it was asked
        return explain_lost(serial, opened.error().message, wait);
    }
    if (!opened) {
        return opened.error();
    }
    if (!opened->empty()) {
        return explain_lost(serial, fmt::format("refused the service {}: {}", service.substr(0, service.find(':')), *opened), wait);
    }
    return stream;
}

} // namespace handeye::android

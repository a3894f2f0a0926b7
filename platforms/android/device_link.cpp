// SPDX-License-Identifier: Apache-2.0
#include "platforms/android/device_link.h"

#include "platforms/android/shown.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

namespace handeye::android {
namespace {

// Packets of the service shell,v2 (AOSP, adb's shell_protocol.h): a kind, a length in little-endian bytes, the data.
enum class Packet : std::uint8_t { Stdin = 0, Stdout = 1, Stderr = 2, Exit = 3 };
constexpr std::size_t kPacketHeadBytes = 5;
constexpr std::size_t kPacketBytesMax = 16U << 20U;
constexpr std::size_t kPieceBytes = 64U << 10U;
constexpr std::string_view kExitMark = "\nhandeye-exit:"; // of a device without shell,v2

std::uint32_t little_endian(const std::uint8_t* bytes) {
    return std::uint32_t{bytes[0]} | std::uint32_t{bytes[1]} << 8U | std::uint32_t{bytes[2]} << 16U | std::uint32_t{bytes[3]} << 24U;
}
std::string little_endian(std::uint32_t value) {
    std::string bytes;
    for (unsigned shift = 0; shift < 32; shift += 8) {
        bytes += static_cast<char>((value >> shift) & 0xFFU);
    }
    return bytes;
}

Result<void> read_into(ByteStream& stream, std::string& text, std::size_t bytes, const StreamWait& wait) {
    const std::size_t before = text.size();
    text.resize(before + bytes);
    return stream.read_exact({reinterpret_cast<std::uint8_t*>(text.data()) + before, bytes}, wait); // bytes of a std::string
}

/// A command without its arguments, which may be what a person types.
std::string named(std::string_view command) { return shown(trimmed(command.substr(0, command.find_first_of("'\n")))); }

Error too_long(std::string_view command, std::size_t bytes_max) {
    return {ErrorCode::LimitExceeded, fmt::format("\"{}\" printed more than {} bytes", named(command), bytes_max)};
}

/// Until the other side ends it.
Result<std::string> read_all(ByteStream& stream, std::string_view command, std::size_t bytes_max, const StreamWait& wait) {
    std::string text;
    std::array<std::uint8_t, kPieceBytes> piece{};
    while (true) {
        const std::size_t bytes = TRY(stream.read_some(piece, wait));
        if (bytes == 0) {
            return text;
        }
        if (text.size() + bytes > bytes_max) {
            return too_long(command, bytes_max);
        }
        text.append(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(bytes));
    }
}

} // namespace

std::string shell_quoted(std::string_view argument) {
    std::string out = "'";
    for (const char c : argument) {
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return out + "'";
}

std::string DeviceLink::name() const {
    return device_.model.empty() ? device_.serial : fmt::format("{} ({})", device_.serial, device_.model);
}

Result<DeviceLink> DeviceLink::open(AdbServer server, const std::string& wanted, const StreamWait& wait) {
    TRY(server.version(wait));
    std::vector<AdbDevice> devices = TRY(server.devices(wait));
    const bool is_known = std::ranges::find(devices, wanted, &AdbDevice::serial) != devices.end();
    if (!is_known && wanted.find(':') != std::string::npos) {
        TRY(server.connect_device(wanted, wait));
        devices = TRY(server.devices(wait));
    }
    DeviceLink link(std::move(server), TRY(choose_device(devices, wanted)));
    const std::vector<std::string> features = TRY(link.server_.features(link.device_.serial, wait));
    link.has_shell_v2_ = std::ranges::find(features, "shell_v2") != features.end();
    return link;
}

/// A device over TCP that the server has forgotten is looked for once more.
Result<std::unique_ptr<ByteStream>> DeviceLink::open_service(std::string_view service, const StreamWait& wait) {
    Result<std::unique_ptr<ByteStream>> stream = server_.open_service(device_.serial, service, wait);
    const bool is_lost = !stream && stream.error().code == ErrorCode::Unavailable;
    if (is_lost && device_.serial.find(':') != std::string::npos && server_.connect_device(device_.serial, wait)) {
        return server_.open_service(device_.serial, service, wait);
    }
    return stream;
}

Result<ShellResult> DeviceLink::run_v2(std::string_view command, const ShellOptions& options) {
    const StreamWait wait = StreamWait::lasting(options.timeout, options.stop);
    const std::unique_ptr<ByteStream> stream = TRY(open_service(fmt::format("shell,v2,raw:{}", command), wait));
    ShellResult result;
    while (true) {
        std::array<std::uint8_t, kPacketHeadBytes> head{};
        TRY(stream->read_exact(head, wait));
        const std::uint32_t length = little_endian(head.data() + 1);
        if (length > kPacketBytesMax) {
            return Error{ErrorCode::ParseFailed, fmt::format("a shell packet of {} bytes; the limit is {}", length, kPacketBytesMax)};
        }
        if (result.out.size() + result.err.size() + length > options.bytes_max) {
            return too_long(command, options.bytes_max);
        }
        std::string other;
        const bool is_out = head[0] == static_cast<std::uint8_t>(Packet::Stdout);
        const bool is_err = head[0] == static_cast<std::uint8_t>(Packet::Stderr);
        TRY(read_into(*stream, is_out ? result.out : is_err ? result.err : other, length, wait));
        if (head[0] == static_cast<std::uint8_t>(Packet::Exit)) {
            if (length != 1) {
                return Error{ErrorCode::ParseFailed, fmt::format("an exit packet of {} bytes; it has one", length)};
            }
            result.exit_code = static_cast<unsigned char>(other[0]);
            return result;
        }
    }
}

Result<ShellResult> DeviceLink::run_plain(std::string_view command, const ShellOptions& options) {
    const StreamWait wait = StreamWait::lasting(options.timeout, options.stop);
    const std::unique_ptr<ByteStream> stream = TRY(open_service(fmt::format("exec:{}\nprintf '\\nhandeye-exit:%d' $?", command), wait));
    ShellResult result;
    result.out = TRY(read_all(*stream, command, options.bytes_max, wait));
    const std::size_t mark = result.out.rfind(kExitMark);
    if (mark == std::string::npos) {
        return Error{ErrorCode::Unavailable, fmt::format("the connection ended before \"{}\" did", named(command))};
    }
    const std::string_view code = std::string_view(result.out).substr(mark + kExitMark.size());
    const auto [end, problem] = std::from_chars(code.data(), code.data() + code.size(), result.exit_code);
    if (problem != std::errc() || end != code.data() + code.size()) {
        return Error{ErrorCode::ParseFailed, fmt::format("\"{}\" where an exit code belongs", shown(code))};
    }
    result.out.resize(mark);
    return result;
}

Result<ShellResult> DeviceLink::run(std::string_view command, const ShellOptions& options) {
    return (has_shell_v2_ ? run_v2(command, options) : run_plain(command, options)).with_context("android device " + name());
}

std::string_view failure_in(const ShellResult& result) {
    constexpr std::array<std::string_view, 5> kWords{"Exception", "Error:", "Error type", "not permitted", "Permission denied"};
    for (std::string_view text : {std::string_view(result.err), std::string_view(result.out)}) {
        while (!text.empty()) {
            const std::string_view line = text.substr(0, text.find('\n'));
            text.remove_prefix(std::min(text.size(), line.size() + 1));
            if (std::ranges::any_of(kWords, [&](std::string_view word) { return line.find(word) != std::string_view::npos; })) {
                return trimmed(line);
            }
        }
    }
    return {};
}

Result<std::string> DeviceLink::run_well(std::string_view command, const ShellOptions& options) {
    ShellResult result = TRY(run(command, options));
    std::string_view failure = failure_in(result);
    if (failure.empty() && result.exit_code == 0) {
        return std::move(result.out);
    }
    if (failure.empty()) {
        failure = trimmed(result.err.empty() ? result.out : result.err);
    }
    const std::string what = fmt::format("android device {}: \"{}\" failed with exit code {}: {}", name(), named(command),
                                         result.exit_code, failure.empty() ? "it said nothing" : shown(failure));
    if (failure.find("INJECT_EVENTS") != std::string_view::npos) {
        return Error{ErrorCode::PermissionDenied, what + "; some makers ask for another switch in Developer options: "
                                                         "\"USB debugging (Security settings)\""};
    }
    const bool is_denied = failure.find("SecurityException") != std::string_view::npos || failure.find("ermission") != std::string_view::npos;
    return Error{is_denied ? ErrorCode::PermissionDenied : ErrorCode::Unsupported, what};
}

Result<std::string> DeviceLink::read_file(const std::string& path, const ShellOptions& options) {
    const StreamWait wait = StreamWait::lasting(options.timeout, options.stop);
    const std::string context = fmt::format("android device {}: {}", name(), shown(path));
    const std::unique_ptr<ByteStream> stream = TRY(open_service("sync:", wait));
    TRY(stream->write_all("RECV" + little_endian(static_cast<std::uint32_t>(path.size())) + path, wait));
    std::string content;
    while (true) {
        std::array<std::uint8_t, 8> head{};
        TRY(stream->read_exact(head, wait).with_context(context));
        const std::string_view id(reinterpret_cast<const char*>(head.data()), 4); // four letters
        const std::uint32_t length = little_endian(head.data() + 4);
        if (id == "DONE") {
            return content;
        }
        if (length > kPieceBytes || (id != "DATA" && id != "FAIL")) {
            return Error{ErrorCode::ParseFailed, fmt::format("{}: \"{}\" of {} bytes where a piece of at most {} belongs", context, shown(id), length, kPieceBytes)};
        }
        if (content.size() + length > options.bytes_max) {
            return Error{ErrorCode::LimitExceeded, fmt::format("{} is longer than {} bytes", context, options.bytes_max)};
        }
        if (id == "FAIL") {
            std::string reason;
            TRY(read_into(*stream, reason, length, wait));
            return Error{ErrorCode::NotFound, fmt::format("{}: {}", context, shown(reason))};
        }
        TRY(read_into(*stream, content, length, wait));
    }
}

} // namespace handeye::android

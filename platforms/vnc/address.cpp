// SPDX-License-Identifier: Apache-2.0
#include "platforms/vnc/address.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

namespace handeye::vnc {
namespace {

constexpr int kFirstPort = 5900;
constexpr int kDisplayMax = 99;
constexpr std::size_t kTextMax = 1024;
constexpr std::size_t kUnixPathMax = 107; // of sockaddr_un

std::optional<int> number(std::string_view text) {
    int value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool is_whole = problem == std::errc() && end == text.data() + text.size() && !text.empty();
    return is_whole && value >= 0 && value <= 65535 ? std::optional(value) : std::nullopt;
}

Error bad(std::string_view text, std::string_view why) {
    return {ErrorCode::InvalidArgument,
            fmt::format("\"{}\" is no address of a VNC server: {}; write HOST:DISPLAY, HOST::PORT or /PATH of a socket", text.substr(0, 100), why)};
}

} // namespace

Result<Address> parse_address(std::string_view text) {
    if (text.empty() || text.size() > kTextMax || std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) <= ' '; })) {
        return bad(text, text.empty() ? "it is empty" : "it is too long or has blanks in it");
    }
    const std::string_view path = text.starts_with("unix:") ? text.substr(5) : text;
    if (path.starts_with('/')) {
        return path.size() <= kUnixPathMax ? Result<Address>(Address{.host = {}, .port = 0, .unix_path = std::string(path)})
                                           : bad(text, fmt::format("a socket's path has at most {} bytes", kUnixPathMax));
    }
    std::string_view host = text, rest;
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos) {
            return bad(text, "\"[\" without \"]\"");
        }
        host = text.substr(1, close - 1);
        rest = text.substr(close + 1);
    } else if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
        host = text.substr(0, colon);
        rest = text.substr(colon);
    }
    Address address{.host = host.empty() ? "localhost" : std::string(host), .port = kFirstPort, .unix_path = {}};
    if (rest.empty()) {
        return address;
    }
    const bool is_port = rest.starts_with("::");
    const auto value = number(rest.substr(is_port ? 2 : 1));
    if (!rest.starts_with(':') || !value) {
        return bad(text, "what follows the host is no number from 0 to 65535; an IPv6 address stands in [ ]");
    }
    address.port = is_port || *value > kDisplayMax ? *value : kFirstPort + *value;
    return address.port > 0 ? Result<Address>(address) : bad(text, "there is no port 0");
}

std::string describe(const Address& address) {
    if (!address.unix_path.empty()) {
        return address.unix_path;
    }
    const bool is_v6 = address.host.find(':') != std::string::npos;
    return fmt::format("{}{}{}::{}", is_v6 ? "[" : "", address.host, is_v6 ? "]" : "", address.port);
}

bool is_local(const Address& address) {
    return !address.unix_path.empty() || address.host == "localhost" || address.host == "::1" || address.host.starts_with("127.");
}

} // namespace handeye::vnc

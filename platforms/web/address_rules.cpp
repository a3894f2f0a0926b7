// SPDX-License-Identifier: Apache-2.0
// Addresses come from the browser, which has parsed them, and from prompts, which have not: what cannot be read plainly is refused,
// so that two readings of one address can never differ to a page's advantage.
#include "platforms/web/address_rules.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>

namespace handeye::web {

namespace {

constexpr std::size_t kHostMax = 253;
constexpr std::size_t kShownMax = 120;
constexpr int kDepthMax = 4; // of addresses inside addresses
constexpr std::array<std::string_view, 4> kHostSchemes{"http", "https", "ws", "wss"};
constexpr std::array<std::string_view, 3> kOpenSchemes{"data", "blob", "about"};

bool is_one_of(std::string_view text, const auto& list) { return std::find(list.begin(), list.end(), text) != list.end(); }

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c); });
    return out;
}

bool is_scheme(std::string_view text) {
    const auto is_sign = [](unsigned char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'; };
    return !text.empty() && text.front() >= 'a' && text.front() <= 'z' && std::all_of(text.begin(), text.end(), is_sign);
}

bool is_host(std::string_view host) {
    const auto is_sign = [](unsigned char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'; };
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        return std::all_of(host.begin() + 1, host.end() - 1, [](unsigned char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == ':' || c == '.'; });
    }
    return !host.empty() && host.size() <= kHostMax && std::all_of(host.begin(), host.end(), is_sign);
}

struct HostPort {
    std::string host;
    int port = 0;
};

/// "host:port" with the brackets of IPv6; a dot at the end names the same host.
std::optional<HostPort> read_host_port(std::string_view text) {
    HostPort out;
    const std::size_t bracket = text.rfind(']');
    const std::size_t colon = text.rfind(':');
    std::string_view host = text;
    if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
        host = text.substr(0, colon);
        const std::string_view digits = text.substr(colon + 1);
        const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
        if (problem != std::errc() || end != digits.data() + digits.size() || out.port < 1 || out.port > 65535) {
            return std::nullopt;
        }
    }
    out.host = lower(host);
    if (out.host.size() > 1 && out.host.back() == '.') {
        out.host.pop_back();
    }
    return is_host(out.host) ? std::optional(out) : std::nullopt;
}

int default_port(std::string_view scheme) { return scheme == "https" || scheme == "wss" ? 443 : 80; }

bool matches_host(const AddressPattern& pattern, const HostPort& at) {
    if (pattern.port != 0 && pattern.port != at.port) {
        return false;
    }
    if (pattern.host.empty()) {
        return true;
    }
    const bool is_below = at.host.size() > pattern.host.size() + 1 && at.host.ends_with(pattern.host) &&
                          at.host[at.host.size() - pattern.host.size() - 1] == '.';
    const bool is_number = pattern.host.front() == '[' || pattern.host.find_first_not_of("0123456789.") == std::string::npos;
    return (at.host == pattern.host && !pattern.only_below) || (is_below && !is_number);
}

/// What an address names, as far as rules are about it.
struct Named {
    std::string scheme;
    std::optional<HostPort> at; // of the schemes that have a host
};

std::optional<Named> read_address(std::string_view url, int depth) {
    const std::size_t colon = url.find(':');
    if (colon == std::string_view::npos || depth > kDepthMax || url.find_first_of("\t\r\n") != std::string_view::npos) {
        return std::nullopt;
    }
    Named named{lower(url.substr(0, colon)), std::nullopt};
    std::string_view rest = url.substr(colon + 1);
    if (!is_scheme(named.scheme)) {
        return std::nullopt;
    }
    if (named.scheme == "blob" || named.scheme == "filesystem") {
        auto inner = read_address(rest, depth + 1);
        return inner && inner->at ? inner : std::optional(named);
    }
    if (!is_one_of(named.scheme, kHostSchemes)) {
        return named;
    }
    if (!rest.starts_with("//") || rest.find('\\') != std::string_view::npos) { // browsers read "\" as "/"
        return std::nullopt;
    }
    rest.remove_prefix(2);
    std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
        authority.remove_prefix(at + 1);
    }
    named.at = read_host_port(authority);
    if (!named.at) {
        return std::nullopt;
    }
    if (named.at->port == 0) {
        named.at->port = default_port(named.scheme);
    }
    return named;
}

const AddressPattern* find_match(const std::vector<AddressPattern>& list, const Named& named) {
    const auto found = std::find_if(list.begin(), list.end(), [&](const AddressPattern& pattern) {
        return pattern.scheme.empty() ? named.at && matches_host(pattern, *named.at) : pattern.scheme == named.scheme;
    });
    return found == list.end() ? nullptr : &*found;
}

std::string list_of(const std::vector<AddressPattern>& patterns) {
    std::string out;
    for (const AddressPattern& pattern : patterns) {
        out += fmt::format("{}{}", out.empty() ? "" : ", ", pattern.text);
        if (out.size() > kShownMax) {
            return out.substr(0, kShownMax) + "...";
        }
    }
    return out;
}

} // namespace

Result<AddressPattern> parse_address_pattern(std::string_view text) {
    AddressPattern pattern;
    pattern.text = text;
    const std::string folded = lower(text);
    std::string_view rest = folded;
    if (rest.ends_with(':') && is_scheme(rest.substr(0, rest.size() - 1))) {
        pattern.scheme = rest.substr(0, rest.size() - 1);
        return pattern;
    }
    if (rest == "*") {
        return pattern;
    }
    if (rest.starts_with("*.")) {
        pattern.only_below = true;
        rest.remove_prefix(2);
    }
    const auto at = read_host_port(rest);
    if (!at) {
        return Error{ErrorCode::InvalidArgument, fmt::format("\"{}\" is no domain for a list of addresses; it takes example.org, *.example.org, example.org:8443, "
                                                             "an IP address, * or a scheme such as data: (a name outside ASCII in its xn-- form)",
                                                             text.substr(0, kShownMax))};
    }
    pattern.host = at->host;
    pattern.port = at->port;
    return pattern;
}

std::string why_refused(const AddressRules& rules, std::string_view url) {
    const bool is_blank = url == "about:blank" || url == "about:srcdoc" || url.starts_with("about:blank#") || url.starts_with("about:blank?");
    const auto named = read_address(url, 0);
    if (!named) {
        return fmt::format("it is no address that can be read: \"{}\"", url.substr(0, kShownMax));
    }
    if (const AddressPattern* denied = find_match(rules.deny, *named); denied != nullptr && !is_blank) {
        return fmt::format("deny \"{}\"", denied->text);
    }
    if (is_blank) {
        return {};
    }
    const bool is_file = named->scheme == "file";
    if (!rules.allow.empty()) {
        if (find_match(rules.allow, *named) != nullptr || (is_file && rules.may_read_files)) {
            return {};
        }
        return fmt::format("allow lists {} only", list_of(rules.allow));
    }
    if (named->at || is_one_of(named->scheme, kOpenSchemes) || (is_file && rules.may_read_files)) {
        return {};
    }
    return is_file ? std::string("file: addresses are for sessions whose first page is a file, or allow \"file:\"")
                   : fmt::format("addresses of scheme \"{}:\" are not loaded unless allow names it", named->scheme);
}

std::vector<std::string> resolver_switches(const AddressRules& rules) {
    constexpr std::string_view kNowhere = "handeye-denied.invalid"; // RFC 6761: never resolves, at a proxy neither
    std::string list;
    const auto add = [&](std::string_view verb, const std::string& host, std::string_view target) {
        list += fmt::format("{}{} {}{}{}", list.empty() ? "" : ", ", verb, host, target.empty() ? "" : " ", target);
    };
    for (const AddressPattern& pattern : rules.deny) {
        if (!pattern.scheme.empty() || pattern.port != 0) {
            continue; // names are resolved without their port: left to the interception
        }
        if (!pattern.only_below) {
            add("MAP", pattern.host.empty() ? "*" : pattern.host, kNowhere);
        }
        if (!pattern.host.empty()) {
            add("MAP", "*." + pattern.host, kNowhere);
        }
    }
    const bool is_open = std::any_of(rules.allow.begin(), rules.allow.end(), [](const AddressPattern& p) { return p.scheme.empty() && p.host.empty(); });
    if (!rules.allow.empty() && !is_open) {
        for (const AddressPattern& pattern : rules.allow) {
            if (!pattern.scheme.empty()) {
                continue;
            }
            if (!pattern.only_below) {
                add("EXCLUDE", pattern.host, "");
            }
            add("EXCLUDE", "*." + pattern.host, "");
        }
        add("MAP", "*", kNowhere);
    }
    return list.empty() ? std::vector<std::string>() : std::vector<std::string>{"--host-rules=" + list};
}

} // namespace handeye::web

// SPDX-License-Identifier: Apache-2.0
// Addresses come from the browser, which has parsed them, and from prompts, which have not: what cannot be read plainly is refused,
// so that two readings of one address can never differ to a page's advantage.
#include "platforms/web/address_rules.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <arpa/inet.h>
#include <netinet/in.h>

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
    return !host.empty() && host.size() <= kHostMax && std::all_of(host.begin(), host.end(), is_sign);
}

struct HostPort {
    std::string host;
    int port = 0;
};

/// As browsers write it; an IPv4 address inside an IPv6 one ("[::ffff:127.0.0.1]") is that IPv4 address: the same machine answers.
std::optional<std::string> read_ipv6(std::string_view host) {
    in6_addr address{};
    if (inet_pton(AF_INET6, std::string(host.substr(1, host.size() - 2)).c_str(), &address) != 1) {
        return std::nullopt;
    }
    const auto& b = address.s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&address)) {
        return fmt::format("{}.{}.{}.{}", b[12], b[13], b[14], b[15]);
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    std::string out = inet_ntop(AF_INET6, &address, text.data(), text.size());
    if (out.find('.') != std::string::npos) { // browsers write the last 32 bits as the others
        out = fmt::format("{}{:x}:{:x}", out.substr(0, out.rfind(':') + 1), b[12] * 256 + b[13], b[14] * 256 + b[15]);
    }
    return "[" + out + "]";
}

/// "::ffff:7f00:1" of "127.0.0.1"; empty: it is no IPv4 address.
std::string inside_ipv6(const std::string& host) {
    in_addr address{};
    if (inet_pton(AF_INET, host.c_str(), &address) != 1) {
        return {};
    }
    const std::uint32_t bits = ntohl(address.s_addr);
    return fmt::format("::ffff:{:x}:{:x}", bits >> 16U, bits & 0xFFFFU);
}

bool is_number(const std::string& host) { return !host.empty() && (host.front() == '[' || host.find_first_not_of("0123456789.") == std::string::npos); }

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
    if (out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']') {
        const auto address = read_ipv6(out.host);
        out.host = address.value_or("");
        return address ? std::optional(out) : std::nullopt;
    }
    if (out.host.size() > 1 && out.host.back() == '.') {
        out.host.pop_back();
    }
    return is_host(out.host) ? std::optional(out) : std::nullopt;
}

int default_port(std::string_view scheme) { return scheme == "https" || scheme == "wss" ? 443 : 80; }

enum class List { Allow, Deny };

/// An allowed "host:port" is that host alone: browsers cannot be told of a port of every host below one.
bool matches_host(const AddressPattern& pattern, const HostPort& at, List list) {
    if (pattern.port != 0 && pattern.port != at.port) {
        return false;
    }
    if (pattern.host.empty()) {
        return true;
    }
    const bool is_below = at.host.size() > pattern.host.size() + 1 && at.host.ends_with(pattern.host) &&
                          at.host[at.host.size() - pattern.host.size() - 1] == '.';
    const bool takes_below = !is_number(pattern.host) && (pattern.port == 0 || list == List::Deny);
    return (at.host == pattern.host && !pattern.only_below) || (is_below && takes_below);
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

const AddressPattern* find_match(const AddressRules& rules, List list, const Named& named) {
    const std::vector<AddressPattern>& patterns = list == List::Allow ? rules.allow : rules.deny;
    const auto found = std::find_if(patterns.begin(), patterns.end(), [&](const AddressPattern& pattern) {
        return pattern.scheme.empty() ? named.at && matches_host(pattern, *named.at, list) : pattern.scheme == named.scheme;
    });
    return found == patterns.end() ? nullptr : &*found;
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
    if (const AddressPattern* denied = find_match(rules, List::Deny, *named); denied != nullptr && !is_blank) {
        return fmt::format("deny \"{}\"", denied->text);
    }
    if (is_blank) {
        return {};
    }
    const bool is_file = named->scheme == "file";
    if (!rules.allow.empty()) {
        if (find_match(rules, List::Allow, *named) != nullptr || (is_file && rules.may_read_files)) {
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

namespace {

/// A list of rules for the browser's names, "MAP pattern replacement, ..."; the first that fits counts, save that EXCLUDE wins over all.
/// Patterns are matched with the host, an IPv6 address without its brackets, and then with "host:port", there with them.
class NameRules {
public:
    void deny(const AddressPattern& pattern) {
        if (pattern.host.empty()) {
            add("MAP", "*", kNowhere);
            return;
        }
        for (const std::string& name : pattern.only_below ? std::vector<std::string>() : names_of(pattern.host)) {
            add("MAP", with_port(name, pattern.port), kNowhere);
        }
        for (const std::string& name : names_below(pattern.host)) {
            add("MAP", with_port(name, pattern.port), kNowhere);
        }
    }
    void allow(const AddressPattern& pattern) {
        for (const std::string& name : pattern.only_below ? std::vector<std::string>() : names_of(pattern.host)) {
            add("MAP", with_port(name, pattern.port), pattern.port == 0 ? bracketed(name) : with_port(name, pattern.port)); // to itself
        }
        if (pattern.port == 0) {
            for (const std::string& name : names_below(pattern.host)) {
                add("EXCLUDE", name, {});
            }
        }
    }
    void deny_the_rest() { add("MAP", "*", kNowhere); }
    [[nodiscard]] const std::string& list() const { return list_; }

private:
    static constexpr std::string_view kNowhere = "handeye-denied.invalid"; // RFC 6761: never resolves, at a proxy neither

    void add(std::string_view verb, std::string_view pattern, std::string_view target) {
        list_ += fmt::format("{}{} {}{}{}", list_.empty() ? "" : ", ", verb, pattern, target.empty() ? "" : " ", target);
    }
    /// All spellings that reach the same host, without brackets.
    static std::vector<std::string> names_of(const std::string& host) {
        if (host.front() == '[') {
            return {host.substr(1, host.size() - 2)};
        }
        const std::string inside = inside_ipv6(host);
        return {host, inside.empty() ? host + "." : inside};
    }
    static std::vector<std::string> names_below(const std::string& host) {
        return is_number(host) ? std::vector<std::string>() : std::vector<std::string>{"*." + host, "*." + host + "."};
    }
    static std::string bracketed(const std::string& name) { return name.find(':') == std::string::npos ? name : "[" + name + "]"; }
    static std::string with_port(const std::string& name, int port) { return port == 0 ? name : fmt::format("{}:{}", bracketed(name), port); }

    std::string list_;
};

} // namespace

std::vector<std::string> resolver_switches(const AddressRules& rules) {
    NameRules all;
    for (const AddressPattern& pattern : rules.deny) {
        if (pattern.scheme.empty()) {
            all.deny(pattern);
        }
    }
    const bool is_open = std::any_of(rules.allow.begin(), rules.allow.end(), [](const AddressPattern& p) { return p.scheme.empty() && p.host.empty(); });
    if (!rules.allow.empty() && !is_open) {
        for (const AddressPattern& pattern : rules.allow) {
            if (pattern.scheme.empty()) {
                all.allow(pattern);
            }
        }
        all.deny_the_rest();
    }
    if (all.list().empty()) {
        return {};
    }
    // WebRTC sends datagrams to addresses that nothing resolves; what it sends over TCP keeps to the rules.
    return {"--host-rules=" + all.list(), "--webrtc-ip-handling-policy=disable_non_proxied_udp"};
}

} // namespace handeye::web

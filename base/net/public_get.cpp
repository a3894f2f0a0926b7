// SPDX-License-Identifier: Apache-2.0
#include "base/net/public_get.h"

#include "base/net/http_get.h"
#include "base/printable.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <memory>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace handeye {
namespace {

constexpr std::size_t kHostBytesMax = 253;
constexpr std::size_t kAddressesTried = 3;
constexpr std::size_t kShownMax = 100;

struct Block4 {
    std::uint32_t begin;
    int bits;
};
constexpr std::uint32_t address4(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) { return a << 24U | b << 16U | c << 8U | d; }
// IANA's registry of special-purpose addresses (RFC 6890), those that are not globally reachable; and 6to4's relays.
constexpr std::array kNotPublic4{
    Block4{address4(0, 0, 0, 0), 8},       Block4{address4(10, 0, 0, 0), 8},     Block4{address4(100, 64, 0, 0), 10},  Block4{address4(127, 0, 0, 0), 8},
    Block4{address4(169, 254, 0, 0), 16},  Block4{address4(172, 16, 0, 0), 12},  Block4{address4(192, 0, 0, 0), 24},   Block4{address4(192, 0, 2, 0), 24},
    Block4{address4(192, 88, 99, 0), 24},  Block4{address4(192, 168, 0, 0), 16}, Block4{address4(198, 18, 0, 0), 15},  Block4{address4(198, 51, 100, 0), 24},
    Block4{address4(203, 0, 113, 0), 24},  Block4{address4(224, 0, 0, 0), 4},    Block4{address4(240, 0, 0, 0), 4}};

struct Block6 {
    std::array<std::uint8_t, 4> begin;
    int bits;
};
// Within 2000::/3, outside of which nothing is public: Teredo and the like, documentation, 6to4.
constexpr std::array kNotPublic6{Block6{{0x20, 0x01, 0x00, 0x00}, 23}, Block6{{0x20, 0x01, 0x0d, 0xb8}, 32}, Block6{{0x20, 0x02, 0x00, 0x00}, 16}, Block6{{0x3f, 0xff, 0x00, 0x00}, 20}};

std::uint32_t first_four(std::span<const std::uint8_t> address) { return address4(address[0], address[1], address[2], address[3]); }
bool is_in(std::uint32_t address, std::uint32_t begin, int bits) { return ((address ^ begin) >> static_cast<unsigned>(32 - bits)) == 0; }

std::string shown(std::string_view text) { return printable_line(text.substr(0, kShownMax)); }

/// The URL, when its host may be asked.
Result<HttpUrl> allowed_url(std::string_view url, const PublicGetOptions& options) {
    if (url.find('[') != std::string_view::npos) { // an address, which no list holds
        return Error{ErrorCode::PermissionDenied, fmt::format("nothing is fetched from \"{}\": hosts are named, not numbered", shown(url))};
    }
    HttpUrl parsed = TRY(parse_http_url(url));
    const int own_port = parsed.endpoint.is_tls ? 443 : 80;
    const std::string& host = parsed.endpoint.host;
    const std::string with_port = fmt::format("{}:{}", host, parsed.endpoint.port);
    const bool is_allowed = std::any_of(options.hosts.begin(), options.hosts.end(), [&](const std::string& one) { return one == with_port || (one == host && parsed.endpoint.port == own_port); });
    if (!is_allowed) {
        return Error{ErrorCode::PermissionDenied, fmt::format("nothing is fetched from \"{}\": this server was not told to (--allowed-media-domains)", shown(with_port))};
    }
    return parsed;
}

Result<std::vector<std::string>> public_addresses(const std::string& host, const PublicGetOptions& options) {
    std::vector<std::string> found = TRY(options.resolve(host));
    if (found.empty()) {
        return Error{ErrorCode::Unavailable, fmt::format("\"{}\" has no address", shown(host))};
    }
    for (const std::string& address : found) {
        if (!is_public_address(address)) { // one is enough: who answers for this name wants somewhere else
            return Error{ErrorCode::PermissionDenied, fmt::format("nothing is fetched from \"{}\": {} is no address of the public internet", shown(host), shown(address))};
        }
    }
    found.resize(std::min(found.size(), kAddressesTried));
    return found;
}

Result<HttpBody> judge(const HttpHead& head, const PublicGetOptions& options) {
    if (head.status >= 300 && head.status < 400) {
        return Error{ErrorCode::PermissionDenied, fmt::format("it answers with a redirect ({}), and none is followed", head.status)};
    }
    if (head.status != 200) {
        return Error{ErrorCode::Unavailable, fmt::format("it answers with status {}", head.status)};
    }
    if (const std::string_view coding = head.field("content-encoding"); !coding.empty() && coding != "identity") {
        return Error{ErrorCode::PermissionDenied, fmt::format("its body is compressed ({}), and none is unpacked", shown(coding))};
    }
    if (head.content_length.value_or(0) > options.bytes_max) {
        return Error{ErrorCode::LimitExceeded, fmt::format("its body has {} bytes; the limit is {}", *head.content_length, options.bytes_max)};
    }
    return HttpBody::Wanted;
}

Result<std::vector<std::uint8_t>> get_from(const std::string& address, const HttpUrl& url, const PublicGetOptions& options, TimePoint deadline, const std::stop_token& stop) {
    HttpUrl there = url;
    there.endpoint.host = address;
    if (options.route) {
        there.endpoint = options.route(there.endpoint);
    }
    const std::string origin = origin_of(url);
    HttpGetOptions asked{.tls = options.tls, .fields = {{"Host", origin.substr(origin.find("//") + 2)}, {"Accept", "image/*, video/*"}}, .body_bytes_max = options.bytes_max};
    asked.tls.server_name = url.endpoint.host;
    asked.deadline = deadline;
    std::vector<std::uint8_t> body;
    const HttpSink sink{.on_head = [&](const HttpHead& head) { return judge(head, options); },
                        .on_body = [&](std::span<const std::uint8_t> piece) -> Result<void> {
                            body.insert(body.end(), piece.begin(), piece.end());
                            return {};
                        }};
    TRY(http_get(there, asked, sink, stop));
    return body;
}

} // namespace

bool is_public_address(std::span<const std::uint8_t> address) {
    if (address.size() == 4) {
        return std::none_of(kNotPublic4.begin(), kNotPublic4.end(), [&](const Block4& block) { return is_in(first_four(address), block.begin, block.bits); });
    }
    if (address.size() != 16 || (address[0] & 0xe0U) != 0x20U) {
        return false;
    }
    return std::none_of(kNotPublic6.begin(), kNotPublic6.end(), [&](const Block6& block) { return is_in(first_four(address), first_four(block.begin), block.bits); });
}

bool is_public_address(std::string_view numeric) {
    const std::string text(numeric);
    std::array<std::uint8_t, 16> bytes{};
    if (::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) {
        return is_public_address(std::span(bytes).first(4));
    }
    return ::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1 && is_public_address(std::span<const std::uint8_t>(bytes));
}

Result<std::vector<std::string>> resolve_host(const std::string& host) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* first = nullptr;
    if (const int problem = ::getaddrinfo(host.c_str(), nullptr, &hints, &first); problem != 0) {
        return Error{ErrorCode::Unavailable, fmt::format("\"{}\" cannot be looked up: {}", shown(host), ::gai_strerror(problem))};
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(first, ::freeaddrinfo);
    std::vector<std::string> out;
    for (const addrinfo* one = first; one != nullptr; one = one->ai_next) {
        std::array<char, INET6_ADDRSTRLEN> text{};
        const void* const bytes = one->ai_family == AF_INET ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(one->ai_addr)->sin_addr)
                                                            : static_cast<const void*>(&reinterpret_cast<const sockaddr_in6*>(one->ai_addr)->sin6_addr);
        if (::inet_ntop(one->ai_family, bytes, text.data(), text.size()) != nullptr) {
            out.emplace_back(text.data());
        }
    }
    return out;
}

Result<void> check_media_host(std::string_view host) {
    const std::string_view name = host.substr(0, host.find(':'));
    const auto is_fine = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; };
    const std::string_view last = name.substr(name.rfind('.') + 1); // of an address, in whatever notation, it begins with a digit
    bool is_good = !name.empty() && name.size() <= kHostBytesMax && std::all_of(name.begin(), name.end(), is_fine) && !last.empty() && !(last[0] >= '0' && last[0] <= '9');
    if (name.size() < host.size()) {
        std::uint16_t port = 0;
        const std::string_view digits = host.substr(name.size() + 1);
        const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
        is_good = is_good && problem == std::errc() && end == digits.data() + digits.size() && port != 0;
    }
    return is_good ? Result<void>()
                   : Error{ErrorCode::InvalidArgument, fmt::format("\"{}\" is no host name: lower-case letters, digits, \"-\" and \".\" (xn--... for others), no address; with :PORT where it is not the scheme's own", shown(host))};
}

Result<std::vector<std::uint8_t>> get_public(std::string_view url, const PublicGetOptions& options, const std::stop_token& stop) {
    const HttpUrl wanted = TRY(allowed_url(url, options));
    const std::vector<std::string> addresses = TRY(public_addresses(wanted.endpoint.host, options));
    const TimePoint deadline = std::chrono::steady_clock::now() + options.timeout;
    Error last{ErrorCode::Unavailable, "no address answers"};
    for (const std::string& address : addresses) {
        auto got = get_from(address, wanted, options, deadline, stop).with_context(shown(origin_of(wanted)));
        if (got || got.error().code != ErrorCode::Unavailable) {
            return got;
        }
        last = got.error();
    }
    return last;
}

} // namespace handeye

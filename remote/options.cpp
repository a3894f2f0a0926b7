// SPDX-License-Identifier: Apache-2.0
#include "remote/options.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kAddressesMax = 64;
constexpr std::size_t kModelNameBytesMax = 512;
constexpr std::size_t kKeyBytesMax = 4096;

Error bad_address(const std::string& why) {
    return Error{ErrorCode::InvalidArgument, fmt::format("{}; a model on a server is named http://HOST[:PORT]/v1[#NAME] or https://..., several with commas between", why)};
}

bool is_visible(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7F'; });
}

Result<RemoteAddress> parse_one(std::string_view text) {
    const std::size_t hash = std::min(text.find('#'), text.size());
    auto url = parse_http_url(text.substr(0, hash));
    if (!url) {
        return bad_address(url.error().message); // without the text: somebody may have put a password in it
    }
    if (url->target.find('?') != std::string::npos) {
        return bad_address(fmt::format("{} has a query, which the routes below it cannot have", origin_of(*url)));
    }
    while (url->target.ends_with('/')) {
        url->target.pop_back();
    }
    if (url->target.empty()) {
        url->target = "/v1";
    }
    RemoteAddress address{std::move(*url), std::string(text.substr(std::min(hash + 1, text.size())))};
    if (address.model.size() > kModelNameBytesMax || !is_visible(address.model) || (hash < text.size() && address.model.empty())) {
        return bad_address(fmt::format("the name behind # at {} must have 1 to {} visible characters", origin_of(address.base), kModelNameBytesMax));
    }
    return address;
}

} // namespace

std::string to_string(const RemoteAddress& address) {
    return origin_of(address.base) + address.base.target + (address.model.empty() ? "" : "#" + address.model);
}

bool names_servers(std::string_view model) { return model.starts_with("http://") || model.starts_with("https://"); }

Result<std::vector<RemoteAddress>> parse_remote_addresses(std::string_view text) {
    std::vector<RemoteAddress> addresses;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        RemoteAddress address = TRY(parse_one(text.substr(begin, end - begin)));
        begin = end + 1;
        if (std::find(addresses.begin(), addresses.end(), address) != addresses.end()) {
            return bad_address(to_string(address) + " is there twice");
        }
        addresses.push_back(std::move(address));
        if (addresses.size() > kAddressesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("at most {} servers", kAddressesMax)};
        }
    }
    return addresses;
}

bool is_this_machine(const Endpoint& endpoint) {
    return endpoint.host == "localhost" || endpoint.host == "::1" || endpoint.host == "127.0.0.1";
}

Result<void> check_remote_options(const RemoteOptions& options) {
    if (options.addresses.empty()) {
        return bad_address("no server is named");
    }
    if (options.api_key.size() > kKeyBytesMax || !is_visible(options.api_key)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("the API key must be up to {} visible ASCII characters on one line", kKeyBytesMax)};
    }
    for (const RemoteAddress& address : options.addresses) {
        if (!address.base.endpoint.is_tls && !is_this_machine(address.base.endpoint) && !options.allows_plain_http) {
            return Error{ErrorCode::PermissionDenied,
                         fmt::format("{} is beyond this machine and without TLS: every screenshot would cross the network in the clear. Use https, or a tunnel to "
                                     "127.0.0.1, or say --allow-plain-http (remote.allow_plain_http) on a network that you trust", origin_of(address.base))};
        }
    }
    return {};
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// Which addresses a browser may load: allowed and denied domains and schemes. Pure.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace handeye::web {

/// One entry of a list, checked: "example.org" (that host and every host below it), "*.example.org" (only those below it),
/// "example.org:8443" (that port alone; allowed: of that host alone), "127.0.0.1", "[::1]", "*" (every host), "data:" (every address of
/// that scheme). IPv4 inside IPv6, "[::ffff:127.0.0.1]", is that IPv4 address.
struct AddressPattern {
    std::string text; ///< as it was written, for messages
    std::string scheme; ///< "data"; empty: it is about hosts
    std::string host;   ///< in lower case; empty: every host
    bool only_below = false;
    int port = 0; ///< 0: every port
};
/// InvalidArgument shows the text and the forms.
Result<AddressPattern> parse_address_pattern(std::string_view text);

struct AddressRules {
    std::vector<AddressPattern> allow; ///< not empty: nothing else is loaded
    std::vector<AddressPattern> deny;  ///< wins over allow
    bool may_read_files = false;       ///< file: addresses; the caller says so where the first page is one
    [[nodiscard]] bool has_lists() const { return !allow.empty() || !deny.empty(); }
};

/// Empty: it may be loaded. Otherwise which rule refuses it, for people: `deny "ads.example"`.
///
/// A deny entry that matches refuses. Then, without an allow list: http, https, ws, wss, data, blob and about may be loaded, file where
/// may_read_files, everything else (chrome:, javascript:, view-source:, ftp:, ...) may not. With an allow list: hosts by http, https, ws and
/// wss that an entry names, other schemes that an entry names, and about:blank and about:srcdoc, which hold nothing of their own.
/// blob: and filesystem: are judged by the address inside them, `blob:null/...` as a scheme.
std::string why_refused(const AddressRules& rules, std::string_view url);

/// Switches that make a browser's own connections keep to the lists, proxies included: for what no interception of requests sees
/// (WebSockets, prefetching, prerendering, WebTransport; WebRTC without UDP). Empty where no host is listed. One thing they do not hold
/// back: a denied host below an allowed one.
std::vector<std::string> resolver_switches(const AddressRules& rules);

} // namespace handeye::web

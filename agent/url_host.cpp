// SPDX-License-Identifier: Apache-2.0
#include "agent/url_host.h"

#include <algorithm>

namespace handeye {

std::string host_of(const std::string& url) {
    const std::size_t scheme = url.find("://");
    if (scheme == std::string::npos) {
        return "";
    }
    std::string authority = url.substr(scheme + 3);
    authority.resize(std::min(authority.find_first_of("/?#\\"), authority.size()));
    if (const std::size_t at = authority.rfind('@'); at != std::string::npos) {
        authority.erase(0, at + 1);
    }
    if (const std::size_t port = authority.rfind(':'); port != std::string::npos && authority.find(']') == std::string::npos) {
        authority.resize(port);
    }
    while (authority.ends_with('.')) {
        authority.pop_back();
    }
    return authority;
}

} // namespace handeye

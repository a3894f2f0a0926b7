// SPDX-License-Identifier: Apache-2.0
#include "server/transport/request_head.h"

namespace handeye {

RequestHead read_head(const http::request<http::empty_body>& request) {
    RequestHead head;
    head.target = std::string(request.target());
    for (const auto& field : request) {
        if (field.name() == http::field::host) {
            head.hosts.emplace_back(field.value());
        } else if (field.name() == http::field::origin) {
            head.origins.emplace_back(field.value());
        }
    }
    head.is_get = request.method() == http::verb::get;
    head.is_upgrade = websocket::is_upgrade(request);
    return head;
}

} // namespace handeye

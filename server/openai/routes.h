// SPDX-License-Identifier: Apache-2.0
// The routes of the endpoint as one table: what is not in it is 404, and docs/openapi.json says the same.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace handeye {

enum class RouteId { Health, Ping, Metrics, Version, OpenApi, Models, Model, Chat, Text, Tokenize, Detokenize };

struct Route {
    RouteId id = RouteId::Health;
    std::string_view path; ///< ends with '/': whatever follows is a name
    bool needs_key = true;
    bool is_post = false; ///< with a JSON body; else GET and HEAD without one
};
std::span<const Route> routes();
/// nullptr: there is none.
const Route* find_route(std::string_view path);
/// What follows the route's own path, %XX decoded.
std::string name_in(const Route& route, std::string_view path);

} // namespace handeye

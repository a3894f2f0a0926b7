// SPDX-License-Identifier: Apache-2.0
#include "server/openai/routes.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace handeye {
namespace {

constexpr std::array kRoutes{
    Route{RouteId::Health, "/health", false, false},
    Route{RouteId::Ping, "/ping", false, false},
    Route{RouteId::Metrics, "/metrics", false, false},
    Route{RouteId::Version, "/version", false, false},
    Route{RouteId::OpenApi, "/openapi.json", false, false},
    Route{RouteId::Models, "/v1/models", true, false},
    Route{RouteId::Model, "/v1/models/", true, false},
    Route{RouteId::Chat, "/v1/chat/completions", true, true},
    Route{RouteId::Text, "/v1/completions", true, true},
    Route{RouteId::Tokenize, "/tokenize", true, true},
    Route{RouteId::Detokenize, "/detokenize", true, true},
};

} // namespace

std::span<const Route> routes() { return kRoutes; }

const Route* find_route(std::string_view path) {
    const auto* const found = std::find_if(kRoutes.begin(), kRoutes.end(), [&](const Route& route) {
        return route.path.ends_with('/') ? path.size() > route.path.size() && path.starts_with(route.path) : path == route.path;
    });
    return found == kRoutes.end() ? nullptr : found;
}

std::string name_in(const Route& route, std::string_view path) {
    path.remove_prefix(std::min(route.path.size(), path.size()));
    std::string out;
    for (std::size_t i = 0; i < path.size(); ++i) {
        unsigned code = 0;
        const char* const digits = path.data() + i + 1;
        if (path[i] == '%' && i + 2 < path.size() && std::from_chars(digits, digits + 2, code, 16).ptr == digits + 2) {
            out += static_cast<char>(code);
            i += 2;
        } else {
            out += path[i];
        }
    }
    return out;
}

} // namespace handeye

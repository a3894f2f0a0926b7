// SPDX-License-Identifier: Apache-2.0
#include "apps/miniwob/devtools.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/json_fields.h"
#include "base/net/http_get.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::miniwob {
namespace {

using nlohmann::json;

constexpr Duration kPatience = std::chrono::seconds(60); // only a hang reaches it
constexpr JsonLimits kMessageLimits{.bytes_max = 16U << 20U};
constexpr std::size_t kWordsMax = 300; // of what a page throws

/// The paths of the pages' own WebSockets.
Result<std::vector<std::string>> find_pages(const std::string& address) {
    const HttpUrl url = TRY(parse_http_url(fmt::format("http://{}/json/list", address)));
    std::string body;
    const HttpSink sink{.on_head = [](const HttpHead&) -> Result<HttpBody> { return HttpBody::Wanted; },
                        .on_body = [&body](std::span<const std::uint8_t> piece) -> Result<void> {
                            body.append(piece.begin(), piece.end());
                            return {};
                        }};
    TRY(http_get(url, {.body_bytes_max = 1U << 20U}, sink, {}));
    const json targets = TRY(parse_json(body));
    std::vector<std::string> pages;
    for (const json& target : targets) {
        if (json_text(target, "type") == "page") {
            pages.push_back("/devtools/page/" + json_text(target, "id"));
        }
    }
    return pages.empty() ? Error{ErrorCode::NotFound, fmt::format("the browser at {} shows no page: {}", address, body.substr(0, 500))} : Result<std::vector<std::string>>(std::move(pages));
}

} // namespace

Result<std::unique_ptr<DevTools>> DevTools::connect(const std::string& address) {
    const Endpoint endpoint = TRY(parse_endpoint(address));
    WebSocketOptions options;
    options.target = TRY(find_pages(address)).front();
    std::unique_ptr<DevTools> tools(new DevTools(TRY(WebSocketClient::connect(endpoint, options))));
    TRY(tools->call("Page.enable", json::object()));
    return tools;
}

Result<std::size_t> DevTools::count_pages(const std::string& address) { return TRY(find_pages(address)).size(); }

Result<json> DevTools::call(std::string_view method, const json& params) {
    const TimePoint deadline = SystemClock().now() + kPatience;
    const int id = ++last_id_;
    TRY(socket_->send_text(dump_json({{"id", id}, {"method", method}, {"params", params}}), deadline));
    for (;;) {
        const WebSocketMessage message = TRY(socket_->receive(deadline, stop_).with_context(method));
        json answer = TRY(parse_json(message.bytes, kMessageLimits).with_context(method));
        if (json_int(answer, "id") != id) {
            continue; // an event
        }
        if (const json& error = json_object(answer, "error"); !error.empty()) {
            return Error{ErrorCode::InvalidArgument, fmt::format("{}: {}", method, json_text(error, "message"))};
        }
        return json_object(answer, "result");
    }
}

Result<json> DevTools::evaluate_in(const std::string& expression, int context) {
    json params{{"expression", expression}, {"returnByValue", true}, {"awaitPromise", true}};
    if (context != 0) {
        params["contextId"] = context;
    }
    const json result = TRY(call("Runtime.evaluate", params));
    if (const json& details = json_object(result, "exceptionDetails"); !details.empty()) {
        const std::string text = json_text(json_object(details, "exception"), "description", json_text(details, "text", "an exception"));
        return Error{ErrorCode::Internal, text.substr(0, std::min(text.find('\n'), kWordsMax))};
    }
    return json_member(json_object(result, "result"), "value");
}

Result<json> DevTools::evaluate(const std::string& expression) {
    return evaluate_in(expression, 0);
}

Result<void> DevTools::open_world() {
    const json tree = TRY(call("Page.getFrameTree", json::object()));
    const json world = TRY(call("Page.createIsolatedWorld",
                                {{"frameId", json_text(json_object(json_object(tree, "frameTree"), "frame"), "id")}, {"worldName", "oracle"}}));
    world_ = json_int(world, "executionContextId");
    return {};
}

Result<json> DevTools::evaluate_apart(const std::string& expression) {
    return evaluate_in(expression, world_);
}

} // namespace handeye::miniwob

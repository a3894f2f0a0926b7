// SPDX-License-Identifier: Apache-2.0
// A second client of a browser's DevTools, apart from the platform: it looks into the page and evaluates JavaScript there, while all
// input goes through the platform. One thread.
#pragma once

#include "base/net/client.h"
#include "base/result.h"

#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json_fwd.hpp>

namespace handeye::miniwob {

class DevTools {
public:
    /// `address`: "HOST:PORT", as DisplayInfo::address of the platform web has it. The page is the browser's only one.
    static Result<std::unique_ptr<DevTools>> connect(const std::string& address);
    /// How many pages the browser shows: more than one after a click that opened another.
    static Result<std::size_t> count_pages(const std::string& address);

    /// What ends the calls from now on.
    void stop_on(std::stop_token stop) { stop_ = std::move(stop); }
    /// The method's result; messages of up to 16 MiB. DeadlineExceeded after 60 s, Cancelled when what stop_on() was given is requested. An answer of the browser that says no is an Error with its words.
    Result<nlohmann::json> call(std::string_view method, const nlohmann::json& params);
    /// The value of an expression in the page's own world; promises are waited for. What the page throws is an Error.
    Result<nlohmann::json> evaluate(const std::string& expression);
    /// From now on, until the next navigation, evaluate_apart() runs in a world that shares nothing with the page but its elements.
    Result<void> open_world();
    Result<nlohmann::json> evaluate_apart(const std::string& expression);

private:
    explicit DevTools(std::unique_ptr<WebSocketClient> socket) : socket_(std::move(socket)) {}
    Result<nlohmann::json> evaluate_in(const std::string& expression, int context);

    std::unique_ptr<WebSocketClient> socket_;
    std::stop_token stop_;
    int last_id_ = 0;
    int world_ = 0; ///< the execution context of evaluate_apart()
};

} // namespace handeye::miniwob

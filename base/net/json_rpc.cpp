// SPDX-License-Identifier: Apache-2.0
// Requests out, replies and notifications in, matched by id.
#include "base/net/json_rpc.h"

#include "base/json.h"

#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kNotificationsMax = 65536;
constexpr JsonLimits kMessageLimits{.bytes_max = 16U << 20U, .depth_max = 64};

constexpr std::array kCodes{
    ErrorCode::InvalidArgument, ErrorCode::ParseFailed, ErrorCode::OutOfBounds, ErrorCode::LimitExceeded,
    ErrorCode::NotFound, ErrorCode::Unsupported, ErrorCode::PermissionDenied, ErrorCode::Unavailable,
    ErrorCode::Overloaded, ErrorCode::Cancelled, ErrorCode::DeadlineExceeded, ErrorCode::IoFailed,
    ErrorCode::OutOfMemory, ErrorCode::EngineLost, ErrorCode::Internal};

// The wire names a code beside the kind, so that callers who only know ErrorCode still learn the class of the failure.
ErrorCode code_named(const std::string& name) {
    for (const ErrorCode code : kCodes) {
        if (error_code_name(code) == name) {
            return code;
        }
    }
    return ErrorCode::Internal;
}

RpcFailure read_failure(const json& error) {
    RpcFailure failure;
    failure.code = error.value("code", 0);
    failure.message = error.value("message", "");
    if (const auto data = error.find("data"); data != error.end() && data->is_object()) {
        failure.kind = data->value("kind", "");
        failure.field = data->value("field", "");
        failure.is_retryable = data->value("retryable", false);
        failure.error_code = code_named(data->value("code", ""));
    }
    return failure;
}

} // namespace

struct JsonRpcClient::Incoming {
    std::optional<std::uint64_t> id; ///< unset: a notification, or a failure that names no request
    RpcNotification notification;
    RpcReply reply;
};

JsonRpcClient::JsonRpcClient(std::unique_ptr<WebSocketClient> socket) : socket_(std::move(socket)) {}

void JsonRpcClient::keep(RpcNotification notification) {
    if (notifications_.size() >= kNotificationsMax) {
        notifications_.pop_front();
        notifications_.push_front({"events.gap", R"({"reason":"the client did not fetch its notifications"})"});
        return;
    }
    notifications_.push_back(std::move(notification));
}

Result<JsonRpcClient::Incoming> JsonRpcClient::receive_one(TimePoint deadline, const std::stop_token& stop) {
    WebSocketMessage message = TRY(socket_->receive(deadline, stop));
    while (!message.is_text) { // a picture of a stream that another user of this socket asked for, or of one just stopped
        message = TRY(socket_->receive(deadline, stop));
    }
    const json body = TRY(parse_json(message.bytes, kMessageLimits));
    Incoming incoming;
    try {
        if (body.contains("method")) {
            incoming.notification = {body.at("method").get<std::string>(), dump_json(body.value("params", json::object()))};
            return incoming;
        }
        if (const json& id = body.at("id"); id.is_number_unsigned()) {
            incoming.id = id.get<std::uint64_t>();
        }
        if (const auto error = body.find("error"); error != body.end()) {
            incoming.reply.failure = read_failure(*error);
        } else {
            incoming.reply.result_json = dump_json(body.at("result"));
        }
    } catch (const json::exception& problem) {
        return Error{ErrorCode::ParseFailed, fmt::format("server sent no JSON-RPC message: {}", problem.what())};
    }
    return incoming;
}

Result<RpcReply> JsonRpcClient::request(const std::string& method, const std::string& params_json, TimePoint deadline,
                                        std::stop_token stop) {
    const std::uint64_t id = next_id_++;
    TRY(socket_->send_text(fmt::format(R"({{"jsonrpc":"2.0","id":{},"method":{},"params":{}}})", id,
                                       dump_json(json(method)), params_json.empty() ? "{}" : params_json),
                           deadline));
    for (;;) {
        Incoming incoming = TRY(receive_one(deadline, stop));
        if (!incoming.notification.method.empty()) {
            keep(std::move(incoming.notification));
        } else if (incoming.id == id || (!incoming.id && incoming.reply.failure)) {
            last_failure_ = incoming.reply.failure;
            return std::move(incoming.reply);
        } // else: the late answer to a call that was given up
    }
}

Result<std::string> JsonRpcClient::call(const std::string& method, const std::string& params_json, TimePoint deadline,
                                        std::stop_token stop) {
    RpcReply reply = TRY(request(method, params_json, deadline, std::move(stop)));
    if (reply.failure) {
        return Error{reply.failure->error_code, fmt::format("{}: {}", reply.failure->kind, reply.failure->message)};
    }
    return std::move(reply.result_json);
}

Result<RpcNotification> JsonRpcClient::next_notification(TimePoint deadline, std::stop_token stop) {
    while (notifications_.empty()) {
        Incoming incoming = TRY(receive_one(deadline, stop));
        if (!incoming.notification.method.empty()) {
            return std::move(incoming.notification);
        }
    }
    RpcNotification first = std::move(notifications_.front());
    notifications_.pop_front();
    return first;
}

Result<std::string> JsonRpcClient::identify(const std::string& client_name, const std::string& token, TimePoint deadline,
                                            std::stop_token stop) {
    const RpcNotification hello = TRY(next_notification(deadline, stop));
    if (hello.method != "hello") {
        return Error{ErrorCode::ParseFailed, fmt::format("the server's first message is \"{}\", not hello", hello.method)};
    }
    json params{{"protocol", 1}, {"client", client_name}};
    if (!token.empty()) {
        params["token"] = token;
    }
    return call("connection.identify", dump_json(params), deadline, std::move(stop));
}

} // namespace handeye

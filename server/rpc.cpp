// SPDX-License-Identifier: Apache-2.0
#include "server/rpc.h"

#include "base/json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kMethodBytesMax = 64;
constexpr std::size_t kIdBytesMax = 128;

bool is_id(const json& id) {
    return id.is_number_integer() || (id.is_string() && id.get_ref<const std::string&>().size() <= kIdBytesMax);
}

// What is wrong with the envelope; empty when nothing is.
std::string envelope_fault(const json& body) {
    if (body.is_array()) {
        return "batches are not taken: send one request per message";
    }
    if (!body.is_object()) {
        return fmt::format("a request is an object, this is {}", body.type_name());
    }
    if (const auto version = body.find("jsonrpc"); version == body.end() || *version != "2.0") {
        return R"("jsonrpc" must be "2.0")";
    }
    if (const auto id = body.find("id"); id != body.end() && !is_id(*id)) {
        return fmt::format(R"("id" must be an integer or a string of at most {} bytes)", kIdBytesMax);
    }
    const auto method = body.find("method");
    if (method == body.end() || !method->is_string() || method->get_ref<const std::string&>().empty() ||
        method->get_ref<const std::string&>().size() > kMethodBytesMax) {
        return fmt::format(R"("method" must be a string of 1 to {} bytes)", kMethodBytesMax);
    }
    return "";
}

} // namespace

std::variant<RpcRequest, RpcRefusal> parse_request(std::string_view text, std::size_t bytes_max) {
    auto parsed = parse_json(text, {.bytes_max = bytes_max, .depth_max = 64});
    if (!parsed) {
        return RpcRefusal{"null", {ErrorKind::ParseError, parsed.error().message, ""}};
    }
    json& body = *parsed;
    std::string id = "null";
    if (const auto found = body.is_object() ? body.find("id") : body.end(); found != body.end() && is_id(*found)) {
        id = dump_json(*found);
    }
    if (std::string fault = envelope_fault(body); !fault.empty()) {
        return RpcRefusal{std::move(id), {ErrorKind::InvalidRequest, std::move(fault), ""}};
    }
    RpcRequest request{body.contains("id") ? std::move(id) : "", body["method"].get<std::string>(), nullptr};
    json params = json::object();
    if (const auto given = body.find("params"); given != body.end()) {
        params = std::move(*given);
    }
    if (!params.is_object()) {
        return RpcRefusal{request.id_json.empty() ? "null" : request.id_json,
                          {ErrorKind::InvalidParams, "\"params\" must be an object: parameters have names", "params"}};
    }
    request.params = std::make_shared<const json>(std::move(params));
    return request;
}

std::string result_text(std::string_view id_json, std::string_view result_json) {
    return fmt::format(R"({{"jsonrpc":"2.0","id":{},"result":{}}})", id_json, result_json);
}

std::string error_text(std::string_view id_json, const RpcError& error) {
    const ErrorKindRow& row = error_kind_row(error.kind);
    json data{{"kind", row.name}, {"code", error_code_name(row.error_code)}, {"retryable", row.is_retryable}};
    if (!error.field.empty()) {
        data["field"] = error.field;
    }
    const json body{{"code", row.rpc_code}, {"message", error.message}, {"data", std::move(data)}};
    return fmt::format(R"({{"jsonrpc":"2.0","id":{},"error":{}}})", id_json, dump_json(body));
}

std::string notification_text(std::string_view method, std::string_view params_json) {
    return fmt::format(R"({{"jsonrpc":"2.0","method":"{}","params":{}}})", method, params_json);
}

} // namespace handeye

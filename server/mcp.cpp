// SPDX-License-Identifier: Apache-2.0
#include "server/mcp.h"

#include "base/json.h"
#include "server/rpc.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::string_view kLegacy = "2025-11-25";
constexpr std::string_view kModern = "2026-07-28";
constexpr const char* kVersionKey = "io.modelcontextprotocol/protocolVersion";
constexpr const char* kServerKey = "io.modelcontextprotocol/serverInfo";
constexpr int kUnsupportedVersion = -32022;
constexpr std::size_t kMessageBytesMax = 1U << 20U;
constexpr int kListLifeMs = 3'600'000; // the list of tools is the program's own

/// One tool: one method of the control API under a name that a model understands.
struct Tool {
    const char* name;
    const char* method;
    const char* description;
    const char* schema; ///< of the arguments; their names are the method's
    bool is_read_only;
};
// The order is part of the contract: clients keep prompts in caches.
constexpr std::array<Tool, 10> kTools{{
    {"session_open", "session.create", "Opens a screen to work on and gives its session handle.",
     R"({"type":"object","properties":{"platform":{"type":"string","description":"x11, web, android or vnc"},"target":{"type":"object","description":"as the target options of `handeye act --help`: display, window, headless, launch, url, serial, attach, ...; files, sockets and programs only as the daemon's configuration lists them under targets"}},"required":["platform"]})", false},
    {"session_close", "session.close", "Stops what runs in a session, lets go of all keys, seals its recording.",
     R"({"type":"object","properties":{"session":{"type":"string"}},"required":["session"]})", false},
    {"look", "screen.capture", "A picture of the session's screen now.",
     R"({"type":"object","properties":{"session":{"type":"string"},"max_px":{"type":"integer","minimum":16,"maximum":16384,"description":"longest side"},"format":{"type":"string","enum":["png","jpeg"]}},"required":["session"]})", true},
    {"act", "input.act", "One action in pixels of the screen, such as {\"verb\":\"click\",\"x\":160,\"y\":70}; says what is known about its effect.",
     R"({"type":"object","properties":{"session":{"type":"string"},"action":{"type":"object","description":"verb and its fields: click, double_click, right_click, hover, drag, scroll, type, key, wait"}},"required":["session","action"]})", false},
    {"type_text", "input.type", "Types text into whatever has the focus.",
     R"({"type":"object","properties":{"session":{"type":"string"},"text":{"type":"string"},"secret":{"type":"boolean","description":"keep it out of the log"}},"required":["session","text"]})", false},
    {"run_task", "task.run", "Lets handeye's own model carry out a goal; gives a task handle at once.",
     R"({"type":"object","properties":{"session":{"type":"string"},"goal":{"type":"string"},"budget":{"type":"object","description":"max_steps, max_seconds, max_tokens"},"request_key":{"type":"string","description":"makes a repetition harmless"}},"required":["session","goal"]})", false},
    {"run_task_file", "task.run_file", "Carries out a task file (steps written down beforehand, in YAML) and checks it first; gives a task handle at once.",
     R"({"type":"object","properties":{"session":{"type":"string"},"file":{"type":"string","description":"its name in files"},"files":{"type":"object","description":"text of each file by its name"},"vars":{"type":"object","description":"values of its variables"},"request_key":{"type":"string","description":"makes a repetition harmless"}},"required":["session","file","files"]})", false},
    {"task_status", "task.wait", "How a task stands; waits up to timeout_ms for its end.",
     R"({"type":"object","properties":{"task":{"type":"string"},"timeout_ms":{"type":"integer","minimum":0,"maximum":600000}},"required":["task"]})", true},
    {"recordings", "recording.list", "The recordings of earlier sessions, newest first.", R"({"type":"object","properties":{}})", true},
    {"approve_status", "approval.list", "Actions that wait for a person's yes. Only a person can give it.",
     R"({"type":"object","properties":{"session":{"type":"string"}}})", true},
}};
static_assert(kTools.size() <= 10);

json server_info() { return {{"name", "handeye"}, {"version", HANDEYE_VERSION}}; }
json capabilities() { return {{"tools", json::object()}}; }

std::string error_message(std::string_view id_json, int code, const std::string& message, const json& data = nullptr) {
    json error{{"code", code}, {"message", message}};
    if (!data.is_null()) {
        error["data"] = data;
    }
    return fmt::format(R"({{"jsonrpc":"2.0","id":{},"error":{}}})", id_json, dump_json(error));
}

/// The result in the form of the caller's revision.
std::string answer(std::string_view id_json, json result, bool is_modern) {
    if (is_modern) {
        result["resultType"] = "complete";
        result["_meta"][kServerKey] = server_info();
    }
    return result_text(id_json, dump_json(result));
}

json tool_list(bool is_modern) {
    json tools = json::array();
    for (const Tool& tool : kTools) {
        tools.push_back({{"name", tool.name},
                         {"description", tool.description},
                         {"inputSchema", json::parse(tool.schema)},
                         {"annotations", {{"readOnlyHint", tool.is_read_only}}}});
    }
    json out{{"tools", std::move(tools)}};
    if (is_modern) {
        out["ttlMs"] = kListLifeMs;
        out["cacheScope"] = "private";
    }
    return out;
}

// A picture as a picture; everything else as JSON, for people and for programs.
json tool_result(const Tool& tool, const Outcome& outcome) {
    if (outcome.error) {
        // The way out that the message names is a method of the control API: no tool takes the target from anybody.
        const bool is_held = outcome.error->kind == ErrorKind::LeaseHeld;
        const std::string message = is_held ? outcome.error->message.substr(0, outcome.error->message.find(';')) + "; wait until it is free: task_status says when a task has ended" : outcome.error->message;
        const json text{{"kind", error_kind_row(outcome.error->kind).name}, {"message", message}};
        return {{"content", {{{"type", "text"}, {"text", dump_json(text)}}}}, {"isError", true}};
    }
    json result = json::parse(outcome.result_json, nullptr, false);
    json content = json::array();
    if (std::string_view(tool.name) == "look" && result.contains("base64")) {
        content.push_back({{"type", "image"}, {"data", result["base64"]}, {"mimeType", result["media_type"]}});
        result.erase("base64");
    }
    content.push_back({{"type", "text"}, {"text", dump_json(result)}});
    return {{"content", std::move(content)}, {"structuredContent", std::move(result)}, {"isError", false}};
}

std::string asked_version(const json& params) {
    const auto meta = params.find("_meta");
    const bool has_meta = meta != params.end() && meta->is_object() && meta->contains(kVersionKey) && meta->at(kVersionKey).is_string();
    return has_meta ? meta->at(kVersionKey).get<std::string>() : "";
}

json discovery() {
    return {{"supportedVersions", {kModern}}, {"capabilities", capabilities()}, {"ttlMs", kListLifeMs}, {"cacheScope", "private"},
            {"instructions", "Open a session, look, act; or hand a goal to run_task and follow it with task_status."}};
}

} // namespace

void McpServer::call_tool(const std::string& id, const json& params, bool is_modern, std::function<void(std::optional<std::string>)> done) const {
    const auto name = params.contains("name") && params.at("name").is_string() ? params.at("name").get<std::string>() : "";
    const auto tool = std::find_if(kTools.begin(), kTools.end(), [&](const Tool& t) { return t.name == name; });
    json arguments = params.value("arguments", json::object());
    if (tool == kTools.end() || !arguments.is_object()) {
        done(error_message(id, -32602, tool == kTools.end() ? fmt::format("there is no tool \"{}\"", name) : "arguments must be an object"));
        return;
    }
    call_(tool->method, arguments, [id, is_modern, tool, done = std::move(done)](const Outcome& outcome) {
        done(answer(id, tool_result(*tool, outcome), is_modern));
    });
}

void McpServer::take(std::string_view message, std::function<void(std::optional<std::string>)> done) const {
    const auto parsed = parse_request(message, kMessageBytesMax);
    if (const auto* const refusal = std::get_if<RpcRefusal>(&parsed); refusal != nullptr) {
        done(error_message(refusal->id_json, error_kind_row(refusal->error.kind).rpc_code, refusal->error.message));
        return;
    }
    const auto& request = std::get<RpcRequest>(parsed);
    const json& params = *request.params;
    const std::string version = asked_version(params);
    if (request.id_json.empty()) {
        done(std::nullopt); // a notification
    } else if (!version.empty() && version != kModern) {
        done(error_message(request.id_json, kUnsupportedVersion, "unsupported protocol version", {{"supported", {kModern}}, {"requested", version}}));
    } else if (request.method == "initialize") {
        done(answer(request.id_json, {{"protocolVersion", kLegacy}, {"capabilities", capabilities()}, {"serverInfo", server_info()}}, false));
    } else if (request.method == "server/discover") {
        done(answer(request.id_json, discovery(), true));
    } else if (request.method == "ping") {
        done(answer(request.id_json, json::object(), !version.empty()));
    } else if (request.method == "tools/list") {
        done(answer(request.id_json, tool_list(!version.empty()), !version.empty()));
    } else if (request.method == "tools/call") {
        call_tool(request.id_json, params, !version.empty(), std::move(done));
    } else {
        done(error_message(request.id_json, -32601, fmt::format("there is no method \"{}\"", request.method)));
    }
}

} // namespace handeye

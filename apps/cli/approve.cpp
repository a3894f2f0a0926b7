// SPDX-License-Identifier: Apache-2.0
// `handeye approve`: what waits for a person, and the person's yes or no.
#include "apps/cli/daemon_call.h"

#include "base/clock.h"
#include "base/json.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <iterator>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;

// Not in these words: where it goes is said by its target.
constexpr std::array<std::string_view, 10> kPlaceNames{"verb", "x", "y", "to_x", "to_y", "mark", "to_mark", "box", "to_box", "units"};

bool is_pending(const json& approval) { return approval.value("state", "") == "pending"; }

std::string spaced(std::string name) {
    std::ranges::replace(name, '_', ' ');
    return name;
}

/// "drag at (10, 20) to (30, 40)", "type, text "Ada"": the verb, its places in target pixels, and what else it says.
std::string in_words(const json& resolved) {
    const json action = resolved.value("action", json::object());
    std::string out = spaced(action.value("verb", ""));
    const char* before = " at";
    for (const json& point : resolved.value("target", json::array())) {
        out += fmt::format("{} ({}, {})", before, point.value("x", 0), point.value("y", 0));
        before = " to";
    }
    for (const auto& [name, value] : action.items()) {
        if (std::ranges::find(kPlaceNames, name) == kPlaceNames.end()) {
            out += fmt::format(", {} {}", spaced(name), dump_json(value)); // as JSON: no control character reaches the terminal
        }
    }
    return out;
}

/// Whole seconds until then by this machine's clock; 0 when it is over or no time.
std::int64_t seconds_until(const std::string& utc) {
    std::tm time{};
    if (strptime(utc.c_str(), "%Y-%m-%dT%H:%M:%S", &time) == nullptr) {
        return 0;
    }
    const auto left = std::chrono::system_clock::from_time_t(timegm(&time)) - SystemClock().wall_now();
    return std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::seconds>(left).count());
}

std::string state_words(const json& approval) {
    if (is_pending(approval)) {
        return fmt::format("waits, {} s left", seconds_until(approval.value("expires_at", "")));
    }
    const std::string by = approval.value("by", "");
    return spaced(approval.value("state", "")) + (by.empty() ? "" : " by " + by);
}

std::string list_text(const json& result) {
    std::string out;
    for (const json& approval : result.at("approvals")) {
        const json window = approval.value("window", json::object());
        out += fmt::format("{}{}  {}  {} risk  session {}\n    {}{}\n    {}", out.empty() ? "" : "\n", approval.value("approval", ""), state_words(approval),
                           approval.value("risk", ""), approval.value("session", ""), in_words(approval.value("action", json::object())),
                           window.empty() ? "" : fmt::format(", in the window {} of {}", dump_json(window.value("title", "")), window.value("app", "an unknown program")),
                           approval.value("reason", ""));
    }
    return out.empty() ? "nothing waits for you" : out;
}

Result<int> list(const DaemonAddress& daemon, bool has_decided, const Context& context) {
    const std::unique_ptr<JsonRpcClient> client = TRY(connect_daemon(daemon, "handeye", context));
    json result = TRY(ask(*client, "approval.list", json::object(), context));
    if (!has_decided) {
        json waiting = json::array();
        std::ranges::copy_if(result.at("approvals"), std::back_inserter(waiting), is_pending);
        result["approvals"] = std::move(waiting);
    }
    if (context.json) {
        print_json(result);
    } else {
        print(list_text(result));
    }
    return 0;
}

std::string decided_text(const json& approval) {
    const std::string lease = approval.value("lease", "");
    const std::string state = spaced(approval.value("state", ""));
    return lease.empty() ? state
                         : fmt::format("{}: mouse and keyboard are yours, lease {}\ngive them back: handeye lease release {} {}", state, lease,
                                       approval.value("session", ""), lease);
}

} // namespace

Runner declare_approve(CLI::App& app) {
    struct Options {
        std::shared_ptr<DaemonAddress> daemon;
        std::string id = "list";
        std::string answer;
        std::string note;
        bool all = false;
    };
    const auto options = std::make_shared<Options>();
    options->daemon = add_daemon_option(app);
    app.add_option("ID", options->id, "Approval, or `list` (the default)");
    app.add_option("ANSWER", options->answer, "yes, no or take-over")->check(CLI::IsMember({"yes", "no", "take-over"}));
    app.add_option("--note", options->note, "Told to the model");
    app.add_flag("--all", options->all, "List also those that were decided not long ago");
    return [options](const Context& context) -> Result<int> {
        if (options->id == "list") {
            return list(*options->daemon, options->all, context);
        }
        if (options->answer.empty()) {
            return ask_and_print(*options->daemon, "approval.get", {{"approval", options->id}}, context, [](const json& result) { return result.dump(2); });
        }
        json params{{"approval", options->id}, {"decision", options->answer == "yes" ? "approve" : options->answer == "no" ? "deny" : "take_over"}};
        if (!options->note.empty()) {
            params["note"] = options->note;
        }
        return ask_and_print(*options->daemon, "approval.decide", params, context, decided_text);
    };
}

} // namespace handeye::cli

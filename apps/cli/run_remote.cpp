// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/run_remote.h"

#include "agent/step.h"
#include "apps/cli/daemon_call.h"
#include "apps/cli/event_printer.h"
#include "base/file.h"
#include "base/json.h"
#include "base/net/json_rpc.h"
#include "server/picture.h"

#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;

constexpr Duration kCallDeadline = std::chrono::seconds(30);
constexpr Duration kOpenDeadline = std::chrono::seconds(60); ///< session.create may start programs on the target
constexpr Duration kStopDeadline = std::chrono::seconds(10);
constexpr std::size_t kPictureBytesMax = 8U << 20U;
constexpr std::size_t kMessageBytes = 1U << 20U; ///< that a daemon takes which does not say
constexpr std::size_t kRestOfRequest = 8192;     ///< policy, budget and what is around them
constexpr Duration kForever = std::chrono::hours(24 * 365);

constexpr std::array<TaskOutcome, 11> kOutcomes{
    TaskOutcome::Done,        TaskOutcome::Unconfirmed, TaskOutcome::FellShort, TaskOutcome::Infeasible, TaskOutcome::BudgetExceeded, TaskOutcome::Stuck, TaskOutcome::ParseFailures,
    TaskOutcome::Denied,      TaskOutcome::NeedsPerson, TaskOutcome::Stopped,       TaskOutcome::Failed};

TaskOutcome outcome_from_name(const std::string& name) {
    for (const TaskOutcome outcome : kOutcomes) {
        if (task_outcome_name(outcome) == name) {
            return outcome;
        }
    }
    return TaskOutcome::Failed;
}

TimePoint in(Duration duration) { return SystemClock().now() + duration; }

/// A session and its task in the daemon, seen from here.
class RemoteRun {
public:
    RemoteRun(JsonRpcClient rpc, const Context& context) : rpc_(std::move(rpc)), context_(context) {}

    Result<int> run(const RemoteTask& task) {
        TRY(enter(rpc_, "handeye run", task.daemon, context_));
        const json info = TRY(call("connection.info", json::object()));
        if (info.value("stop_latched", false)) { // before a screen opens
            return Error{ErrorCode::Cancelled, "the daemon was stopped, and starts no task until `handeye reset-stop`"};
        }
        const std::size_t bytes_max = info.value(json::json_pointer("/limits/message_bytes_max"), kMessageBytes);
        const json params = TRY(task_params(task, bytes_max)); // files, too, are read before
        session_ = TRY(field(call("session.create",
                                  {{"platform", task.target.platform}, {"target", json::parse(target_to_json(task.target))}, {"secrets", task.secrets}},
                                  kOpenDeadline),
                             "session"));
        const Result<TaskOutcome> outcome = carry_out(task, params);
        if (has_left_) {
            return outcome.error();
        }
        const Result<json> ended = call("task.wait", {{"task", task_}, {"timeout_ms", 5000}}); // task.finished comes a moment before
        const Result<json> session = call("session.get", {{"session", session_}});
        const Result<void> written = task.file && outcome ? write_results(task.file->results) : Result<void>();
        const Result<json> closed = call("session.close", {{"session", session_}}); // also when the task could not be started
        if (!outcome) {
            return outcome.error();
        }
        TRY(closed);
        TRY(written);
        if (!context_.json && ended && session) {
            const std::string recording = session->value("recording", "");
            const std::string message = ended->value("message", "");
            print(fmt::format("{}: {} ({} actions, {:.1f} s, in the daemon)", task_outcome_name(*outcome), message.substr(0, message.find('\n')), // the rest stands at its step
                              ended->value("steps", 0), ended->value("wall_ms", 0.0) / 1e3));
            print(fmt::format("recording: {}\nreport:    handeye report {}", recording, recording));
        }
        return ended ? ended->value("exit_code", task_exit_code(*outcome)) : task_exit_code(*outcome);
    }

private:
    Result<json> call(const std::string& method, const json& params, Duration deadline = kCallDeadline) {
        const std::string result = TRY(rpc_.call(method, dump_json(params), in(deadline)));
        return parse_json(result, {.bytes_max = 64U << 20U});
    }

    static Result<std::string> field(const Result<json>& result, const char* name) {
        if (!result) {
            return result.error();
        }
        if (!result->is_object() || !result->contains(name) || !(*result)[name].is_string()) {
            return Error{ErrorCode::ParseFailed, fmt::format("the daemon's answer has no \"{}\"", name)};
        }
        return (*result)[name].get<std::string>();
    }

    static Result<json> task_params(const RemoteTask& task, std::size_t bytes_max) {
        const SessionOptions& options = task.session;
        json params = task.file ? TRY(file_params(*task.file, bytes_max)) : json{{"goal", task.goal}};
        if (options.surface) {
            params["surface"] = surface_name(*options.surface);
        }
        params["budget"] = {{"max_steps", options.budget.steps_max},
                            {"max_seconds", std::chrono::duration<double>(options.budget.wall_max).count()},
                            {"max_tokens", options.budget.tokens_max}};
        if (!task.has_own_steps_max) {
            params["budget"].erase("max_steps");
        }
        if (!options.policy.allow_verbs.empty() || !options.policy.deny_verbs.empty()) {
            params["policy"] = {{"allow_verbs", options.policy.allow_verbs}, {"deny_verbs", options.policy.deny_verbs}};
        }
        return params;
    }

    static Result<json> file_params(const RemoteFile& file, std::size_t bytes_max) {
        json params{{"file", file.parts.file}, {"files", json::object()}, {"vars", file.vars}, {"languages", file.languages}};
        for (const auto& [name, path] : file.parts.texts) {
            params["files"][name] = TRY(read_file(path, kBundleTextBytesMax));
        }
        for (const auto& [name, path] : file.parts.pictures) {
            const std::string bytes = TRY(read_file(path, kPictureBytesMax));
            params["pictures"][name] = to_base64({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
        }
        if (const std::size_t bytes = dump_json(params).size() + kRestOfRequest; bytes > bytes_max) {
            return Error{ErrorCode::LimitExceeded, fmt::format("the task file with its files and pictures has {} bytes as a message, the daemon takes {} (limits.message_bytes): --in-process does without it", bytes, bytes_max)};
        }
        return params;
    }

    Result<void> write_results(const ResultFiles& files) {
        if (files.json.empty() && files.junit.empty()) {
            return {};
        }
        const json result = TRY(call("task.result", {{"task", task_}}));
        return write(files, dump_json(result.value("result", json::object())), result.value("junit", ""));
    }

    Result<TaskOutcome> carry_out(const RemoteTask& task, json params) {
        EventPrinter printer(session_, context_.json);
        TRY(call("events.subscribe", {{"sessions", {session_}}, {"from_seq", 1}}));
        params["session"] = session_;
        task_ = TRY(field(call(task.file ? "task.run_file" : "task.run", params), "task"));
        if (!context_.json) {
            fmt::print(stderr, "session {}, task {}: both stay in the daemon should this program be killed or its terminal go; Ctrl-C stops the task, `handeye sessions close {}` ends both\n",
                       session_, task_, session_);
        }
        return follow(printer);
    }

    Result<TaskOutcome> follow(EventPrinter& printer) {
        bool has_cancelled = false;
        TimePoint deadline = in(kForever);
        while (true) {
            const Result<RpcNotification> note = rpc_.next_notification(deadline, has_cancelled ? std::stop_token() : context_.stop);
            if (!note && note.error().code == ErrorCode::Cancelled && context_.is_hung_up()) {
                has_left_ = true;
                return Error{ErrorCode::Cancelled, fmt::format("the terminal is gone; the task goes on: `handeye task wait {}`", task_)};
            }
            if (!note && note.error().code == ErrorCode::Cancelled && !has_cancelled) {
                has_cancelled = true;
                deadline = in(kStopDeadline);
                TRY(call("task.cancel", {{"task", task_}}));
                continue;
            }
            if (!note && note.error().code == ErrorCode::Unavailable) {
                return Error{ErrorCode::Unavailable, fmt::format("{}; if handeyed still runs, so does the task: `handeye task wait {}`; if not, what was done "
                                                                 "until then is in `handeye recordings show {}` once it runs again",
                                                                 note.error().message, task_, session_)};
            }
            if (!note) {
                return note.error();
            }
            if (note->method != "event") {
                continue;
            }
            const json event = TRY(parse_json(note->params_json, {.bytes_max = 64U << 20U}));
            const json data = event.value("data", json::object());
            const std::string type = event.value("type", "");
            printer.print_event(event.value("seq", std::uint64_t{0}), event.value("t_wall", ""),
                                event.value("t_mono_ns", std::int64_t{0}), type, dump_json(data));
            if (type == "task.finished") {
                return outcome_from_name(data.value("outcome", ""));
            }
        }
    }

    JsonRpcClient rpc_;
    const Context& context_;
    std::string session_;
    std::string task_;
    bool has_left_ = false; ///< the task is to go on without this program
};

} // namespace

bool is_daemon_there(const DaemonAddress& daemon, const Context& context) { return connect_socket(daemon, context.stop).has_value(); }

Result<std::optional<int>> run_in_daemon(const RemoteTask& task, const Context& context) {
    Result<std::unique_ptr<WebSocketClient>> socket = connect_socket(task.daemon, context.stop);
    if (!socket && task.daemon.text.empty() && socket.error().code == ErrorCode::Unavailable) {
        return std::optional<int>(); // nobody listens on the user's own socket: the caller runs the task itself
    }
    if (!socket) {
        return std::move(socket).error().with_context("daemon");
    }
    RemoteRun run(JsonRpcClient(std::move(*socket)), context);
    const int code = TRY(run.run(task));
    return std::optional<int>(code);
}

} // namespace handeye::cli

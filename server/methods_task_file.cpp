// SPDX-License-Identifier: Apache-2.0
// task.run_file and task.result: task files handed to a session. Nothing is read from this machine's disk by a name that a client
// gives, but below the folder that the operator allows.
#include "agent/task_program.h"
#include "base/json.h"
#include "server/core.h"
#include "server/method_table.h"
#include "server/peer.h"
#include "server/task_bundle_params.h"
#include "server/task_request.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

/// What the request says beside the file; taken from the connection before the file is looked at.
struct Asked {
    json params;
    TaskSpec spec;
    bool may_ask_model = false;
    std::string no_model; ///< why not
};

// Names go to the reader's process, which opens files by them.
std::optional<RpcError> check_languages(const std::string& names) {
    const bool is_plain = std::all_of(names.begin(), names.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '+'; });
    return is_plain ? std::nullopt : std::optional(RpcError{ErrorKind::InvalidParams, "languages are names such as eng+deu", "languages"});
}

/// InvalidParams with FILE:LINE:COL lines.
RpcResult<std::shared_ptr<TaskProgram>> program_from(Core& core, const Asked& asked) {
    DecodePicture decode;
    if (core.services.decode_picture) {
        decode = [&core](std::span<const std::uint8_t> bytes) { return core.services.decode_picture(bytes, core.ending.get_token()); };
    }
    auto bundle = bundle_from(asked.params, decode);
    if (const auto* const wrong = std::get_if<RpcError>(&bundle); wrong != nullptr) {
        return *wrong;
    }
    auto program = TaskProgram::load(std::get<std::shared_ptr<const TaskBundle>>(bundle), variables_from(asked.params), core.services.task_files_root);
    if (!program) {
        return RpcError{ErrorKind::InvalidParams, program.error().message, "files"};
    }
    if ((*program)->needs_model() && !asked.may_ask_model) {
        return RpcError{ErrorKind::EngineMissing, "the task file asks the model: " + asked.no_model, ""};
    }
    (*program)->set_languages(asked.params.value("languages", "eng"));
    return std::shared_ptr<TaskProgram>(std::move(*program));
}

void start(Core& core, Asked asked, const Reply& reply) {
    if (reply.is_answered()) { // cancelled while it waited
        return;
    }
    auto loaded = program_from(core, asked);
    if (const auto* const wrong = std::get_if<RpcError>(&loaded); wrong != nullptr) {
        reply.fail(*wrong);
        return;
    }
    const auto program = std::get<std::shared_ptr<TaskProgram>>(std::move(loaded));
    const auto session_id = asked.params.at("session").get<std::string>();
    const auto session = core.hub.find(session_id);
    if (const std::string kind = program->platform().kind; session && !kind.empty() && kind != session->status().platform) {
        reply.fail(RpcError{ErrorKind::InvalidParams, fmt::format("the task file is for the platform {}, the session is on {}", kind, session->status().platform), "files"});
        return;
    }
    TaskSpec spec = std::move(asked.spec);
    spec.goal_utf8 = program->name();
    spec.budget = budget_from(asked.params, program->budget(), Widen::No);
    spec.policy = narrowed(std::move(spec.policy), program->policy());
    if (!spec.secrets) {
        spec.secrets.emplace();
        for (const auto& [name, source] : program->secrets()) {
            spec.secrets->push_back(name);
        }
    }
    spec.program = program;
    const auto started = core.hub.run_task(session_id, std::move(spec));
    if (const auto* const error = std::get_if<RpcError>(&started); error != nullptr) {
        reply.fail(*error);
        return;
    }
    const auto& status = std::get<TaskStatus>(started);
    reply.ok({{"task", status.task}, {"session", status.session}, {"state", task_state_name(status.state)}, {"name", program->name()}});
}

} // namespace

void task_run_file(const Call& call) {
    if (const auto wrong = check_languages(call.params.value("languages", "")); wrong) {
        call.reply.fail(*wrong);
        return;
    }
    auto spec = spec_from(call, "task.run_file");
    if (const auto* const wrong = std::get_if<RpcError>(&spec); wrong != nullptr) {
        call.reply.fail(*wrong);
        return;
    }
    Asked asked{.params = call.params, .spec = std::get<TaskSpec>(std::move(spec))};
    const std::optional<RpcError> no_model = missing_model(call.core);
    asked.may_ask_model = !no_model;
    asked.no_model = no_model ? no_model->message : "";
    const auto job = [&core = call.core, asked = std::move(asked), reply = call.reply] { start(core, asked, reply); };
    if (!call.core.file_reader.submit(job)) {
        call.reply.fail(RpcError{ErrorKind::Overloaded, "too many task files wait to be read", ""});
    }
}

void task_result(const Call& call) {
    const auto task = call.params.at("task").get<std::string>();
    const auto session = call.core.hub.find_task(task);
    if (!session) {
        call.reply.fail(RpcError{ErrorKind::NoSuchTask, fmt::format("there is no task \"{}\"", task), "task"});
        return;
    }
    const auto result = session->file_result(task);
    if (const auto* const error = std::get_if<RpcError>(&result); error != nullptr) {
        call.reply.fail(*error);
        return;
    }
    const auto& documents = std::get<FileResult>(result);
    call.reply.ok({{"task", task}, {"result", json::parse(documents.json_text, nullptr, false)}, {"junit", documents.junit}});
}

} // namespace handeye

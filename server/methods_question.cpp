// SPDX-License-Identifier: Apache-2.0
// question.*: what a task file asks people (its `ask` steps). Answering needs the scope approve: it is a person's word.
#include "base/json.h"
#include "server/core.h"
#include "server/method_table.h"
#include "server/peer.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

json question_json(const QuestionRecord& record) {
    json out{{"question", record.question}, {"session", record.session}, {"text", record.text_utf8}, {"choices", record.choices},
             {"state", question_state_name(record.state)}, {"expires_at", format_utc(record.expires_at)}};
    if (record.state == QuestionState::Answered) {
        out["by"] = record.by;
    }
    return out;
}

} // namespace

void question_list(const Call& call) {
    const std::string wanted = call.params.value("session", "");
    json questions = json::array();
    for (const SessionStatus& status : call.core.hub.list()) {
        const auto session = wanted.empty() || status.session == wanted ? call.core.hub.find(status.session) : nullptr;
        for (const QuestionRecord& record : session ? session->questions().list() : std::vector<QuestionRecord>()) {
            questions.push_back(question_json(record));
        }
    }
    call.reply.ok({{"questions", std::move(questions)}});
}

void question_answer(const Call& call) {
    const auto question = call.params.at("question").get<std::string>();
    for (const SessionStatus& status : call.core.hub.list()) {
        const auto session = call.core.hub.find(status.session);
        if (!session || !session->questions().find(question)) {
            continue;
        }
        const auto answered = session->questions().answer(question, call.params.at("answer").get<std::string>(), call.peer.client());
        if (const auto* const error = std::get_if<RpcError>(&answered); error != nullptr) {
            call.reply.fail(*error);
        } else {
            call.reply.ok(question_json(std::get<QuestionRecord>(answered)));
        }
        return;
    }
    call.reply.fail(RpcError{ErrorKind::NoSuchQuestion, fmt::format("there is no question \"{}\"", question), "question"});
}

} // namespace handeye

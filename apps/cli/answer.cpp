// SPDX-License-Identifier: Apache-2.0
// `handeye answer`: what task files in the daemon ask people, and the answers.
#include "apps/cli/daemon_call.h"
#include "base/printable.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;

std::string waiting(const json& result) {
    std::string out;
    for (const json& row : result.value("questions", json::array())) {
        if (row.value("state", "") != "pending") {
            continue;
        }
        std::string choices;
        for (const json& choice : row.value("choices", json::array())) {
            choices += (choices.empty() ? " [" : ", ") + choice.get<std::string>();
        }
        out += fmt::format("{}{}  {}{}{}", out.empty() ? "" : "\n", row.value("question", ""), printable(row.value("text", "")), printable(choices), choices.empty() ? "" : "]");
    }
    return out.empty() ? "nothing is asked" : out;
}

} // namespace

Runner declare_answer(CLI::App& app) {
    struct Options {
        std::shared_ptr<DaemonAddress> daemon;
        std::string question;
        std::string answer;
    };
    const auto options = std::make_shared<Options>();
    options->daemon = add_daemon_option(app);
    CLI::Option* const question = app.add_option("QUESTION", options->question, "Its id; without one: all that waits");
    CLI::Option* const answer = app.add_option("ANSWER", options->answer, "The answer; one of the choices, where there are any");
    question->needs(answer);
    app.footer("Example: handeye answer 01M80E8XWB5NVN743PCVPFRGXD \"the second one\"");
    return [options](const Context& context) -> Result<int> {
        if (options->question.empty()) {
            return ask_and_print(*options->daemon, "question.list", json::object(), context, waiting);
        }
        return ask_and_print(*options->daemon, "question.answer", {{"question", options->question}, {"answer", options->answer}}, context,
                             [](const json&) { return std::string("answered"); });
    };
}

} // namespace handeye::cli

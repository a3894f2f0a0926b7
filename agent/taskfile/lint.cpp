// SPDX-License-Identifier: Apache-2.0
// What is no mistake and yet makes a task file break or surprise. One function per rule; the table is what docs/task-files.md lists.
#include "agent/taskfile/load.h"

#include "agent/plain_picture.h"
#include "agent/taskfile/scalars.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

namespace handeye::taskfile {
namespace {

constexpr auto kLongWait = std::chrono::minutes(10);

class Linter {
public:
    Linter(const LoadedFiles& files, const Loaded& file, std::vector<TaskFinding>& findings) : files_(files), file_(file), findings_(findings) {}

    void whole() {
        unread_names();
        no_policy();
        for_each_step_of_file(file_.tree, [&](const Node& step) { this->step(step); });
        for_each_object(file_.tree, ShapeId::File, [&](const Node& node, ShapeId shape) { object(node, shape); });
        for_each_picture(file_.tree, [&](const Node& name) { picture(name); });
    }

private:
    void warn(const char* rule, Place place, std::string message) {
        findings_.push_back({TaskFinding::Severity::Warning, file_.shown, place.line, place.column, std::move(message), rule});
    }

    void unread_names() {
        if (const Node* const vars = file_.tree.find("vars"); vars != nullptr) {
            for (const Entry& entry : vars->entries) {
                if (file_.read.vars.find(entry.key) == file_.read.vars.end()) {
                    warn("unused-variable", entry.place, fmt::format("the variable \"{}\" is never read", entry.key));
                }
            }
        }
    }

    void picture(const Node& name) {
        const Result<Image> read = has_reference(name.scalar) ? Result<Image>(Error{ErrorCode::NotFound, ""}) : files_.picture(file_, name.scalar);
        if (read && is_of_one_colour(*read)) {
            warn("blank-picture", name.place, fmt::format("the picture {} is of one colour: nothing can be found by it", name.scalar));
        }
    }

    // With a goal the model chooses what is done: something must bound it.
    void no_policy() {
        const Node* const policy = file_.tree.find("policy");
        const Node* first_goal = nullptr;
        for_each_step_of_file(file_.tree, [&](const Node& step) {
            if (first_goal == nullptr && step.find("goal") != nullptr) {
                first_goal = &step;
            }
        });
        if (first_goal != nullptr && policy == nullptr) {
            warn("no-policy", first_goal->place, "the model chooses the actions of a goal, and no policy bounds them; name the apps at least");
        }
    }

    void step(const Node& step) {
        const std::string_view verb = verb_of(step);
        if (verb == "sleep") {
            warn("sleep", step.place, "this waits for a time; \"wait_until\" ends as soon as it can, and says when it cannot");
        }
        if (const Node* const goal = step.find("goal"); goal != nullptr) {
            if (step.find("done_when") == nullptr) {
                warn("no-proof", goal->place, "nothing but the model's own word says that the goal is reached; add \"done_when\"");
            }
            const Node* const policy = file_.tree.find("policy");
            if (step.find("budget") == nullptr && (policy == nullptr || policy->find("budget") == nullptr)) {
                warn("no-budget", goal->place, "no budget for this goal; 50 steps and an hour hold");
            }
        }
        if (is_set(step, "irreversible")) {
            irreversible(step, verb);
        }
        if (const Node* const type = step.find("type"); type != nullptr) {
            secret(*type);
        }
        if (const Node* const run = step.find("run"); run != nullptr && run_path(file_, *run).empty()) {
            warn("unknown-file", run->place, "which file this runs is known only then: nothing about it can be checked or explained before");
        }
    }
    void irreversible(const Node& step, std::string_view verb) {
        const Node* const policy = file_.tree.find("policy");
        if (policy == nullptr || policy->find("confirm") == nullptr) {
            warn("unconfirmed", step.place, "an irreversible step, and no rule asks a person first; see \"policy.confirm\"");
        }
        const Node* const call = step.find(verb);
        if (call != nullptr && call->find("model") != nullptr) {
            warn("guess", call->place, "an irreversible step must not land on what the model guesses; name the target by id, label, text or template");
        }
    }
    void secret(const Node& type) {
        const Node* const vars = file_.tree.find("vars");
        const auto pieces = parse_text(text_of(type, "text"));
        const bool types_secret = vars != nullptr && pieces && std::any_of(pieces->begin(), pieces->end(), [&](const TextPiece& piece) {
            const Node* const row = piece.is_reference && piece.text.starts_with("vars.") ? vars->find(std::string_view(piece.text).substr(5)) : nullptr;
            return row != nullptr && text_of(*row, "type") == "secret";
        });
        const std::string verify = text_of(type, "verify");
        if (types_secret && verify != "masked" && verify != "none") {
            warn("secret-read-back", type.place, "a secret is typed and read back; \"verify: masked\" looks at the number of signs only");
        }
    }

    void object(const Node& node, ShapeId shape) {
        const bool is_target = shape == ShapeId::Target || shape == ShapeId::Click || shape == ShapeId::Hover;
        if (const Node* const at = is_target ? node.find("at") : nullptr; at != nullptr) {
            constexpr std::array<std::string_view, 6> kBetter{"id", "role", "label", "text", "template", "model"};
            if (std::none_of(kBetter.begin(), kBetter.end(), [&](std::string_view key) { return node.find(key) != nullptr; })) {
                warn("coordinates", at->place, "a target by its pixels alone is another one as soon as a window moves; add a text, a label or a template");
            }
        }
        if (const Node* const within = node.find("within"); within != nullptr) {
            if (const auto wait = parse_duration(within->scalar); wait && *wait > kLongWait) {
                warn("long-wait", within->place, fmt::format("a wait of {}; nobody sees for so long that it will fail", within->scalar));
            }
        }
        if (const Node* const votes = node.find("votes"); votes != nullptr && (votes->scalar == "1" || (votes->scalar.back() - '0') % 2 == 0)) {
            warn("votes", votes->place, fmt::format("{} votes; an odd number of at least 3 can settle it", votes->scalar));
        }
    }

    const LoadedFiles& files_;
    const Loaded& file_;
    std::vector<TaskFinding>& findings_;
};

} // namespace

void lint(const LoadedFiles& loaded, std::vector<TaskFinding>& findings) {
    for (const auto& path : loaded.order) {
        std::vector<TaskFinding> of_file;
        Linter(loaded, loaded.files.at(path), of_file).whole();
        std::stable_sort(of_file.begin(), of_file.end(), [](const TaskFinding& a, const TaskFinding& b) { return std::pair(a.line, a.column) < std::pair(b.line, b.column); });
        findings.insert(findings.end(), of_file.begin(), of_file.end());
    }
}

} // namespace handeye::taskfile

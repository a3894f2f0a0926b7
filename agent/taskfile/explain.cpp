// SPDX-License-Identifier: Apache-2.0
// The union of everything that task files may do, told before anything is done.
#include "agent/taskfile/load.h"

#include "agent/taskfile/expression.h"
#include "agent/taskfile/scalars.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace handeye::taskfile {
namespace {

constexpr std::int64_t kGoalSteps = 50;       // Budget's own
constexpr std::int64_t kLoopItems = 1000;     // for_each's own
constexpr std::int64_t kCountMax = 1'000'000'000'000;

std::int64_t integer(const std::string& text, std::int64_t otherwise) {
    std::int64_t value = otherwise;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}
std::int64_t steps_of_budget(const Node* budget, std::int64_t otherwise) {
    if (budget == nullptr || budget->find("steps") == nullptr) {
        return otherwise;
    }
    const auto count = parse_count(text_of(*budget, "steps"));
    return count ? *count : otherwise;
}

void add(std::vector<std::string>& list, std::string word) {
    if (!word.empty() && std::find(list.begin(), list.end(), word) == list.end()) {
        list.push_back(std::move(word));
    }
}

class Explainer {
public:
    explicit Explainer(const LoadedFiles& loaded) : loaded_(loaded) {}

    TaskFileUse whole() {
        if (loaded_.order.empty()) {
            return {};
        }
        // A file is listed after those it runs in no case: the first is the one that was asked for.
        const Loaded& first = loaded_.files.at(loaded_.order.front());
        use_.name = text_of(first.tree, "name");
        if (const Node* const platform = first.tree.find("platform"); platform != nullptr) {
            use_.platform = text_of(*platform, "kind");
        }
        for (const auto& path : loaded_.order) {
            file(loaded_.files.at(path));
        }
        const Node* const policy = first.tree.find("policy");
        const Node* const budget = policy != nullptr ? policy->find("budget") : nullptr;
        if (budget != nullptr) {
            for (const Entry& entry : budget->entries) {
                use_.budget.emplace(entry.key, entry.value.scalar);
            }
        }
        const std::int64_t actions = std::min(actions_of_file(first, 0), steps_of_budget(budget, kCountMax));
        if (actions < kCountMax) {
            use_.actions_max = actions;
        }
        return std::move(use_);
    }

private:
    void file(const Loaded& loaded) {
        add(use_.task_files, loaded.shown);
        if (const Node* const vars = loaded.tree.find("vars"); vars != nullptr) {
            for (const Entry& entry : vars->entries) {
                if (text_of(entry.value, "type") == "secret") {
                    use_.secrets.emplace(entry.key, text_of(entry.value, "from"));
                }
            }
        }
        if (const Node* const policy = loaded.tree.find("policy"); policy != nullptr) {
            this->policy(*policy);
        }
        for_each_step_of_file(loaded.tree, [&](const Node& step) { this->step(loaded, step); });
        for_each_object(loaded.tree, ShapeId::File, [&](const Node& node, ShapeId shape) { object(node, shape); });
    }

    void policy(const Node& policy) {
        for (const auto& [key, list] : {std::pair{"deny", &use_.denied}, std::pair{"confirm", &use_.confirmed}}) {
            if (const Node* const rules = policy.find(key); rules != nullptr) {
                for (const Node& rule : rules->items) {
                    add(*list, in_words(rule));
                }
            }
        }
        for (const char* const key : {"apps", "window_classes", "domains"}) {
            if (const Node* const words = policy.find(key); words != nullptr) {
                add(use_.denied, fmt::format("everything but {} {}", key, joined(*words)));
            }
        }
        if (const Node* const verbs = policy.find("verbs"); verbs != nullptr) {
            for (const Node& verb : verbs->items) {
                add(use_.goal_verbs, verb.scalar);
            }
        }
    }
    static std::string joined(const Node& list) {
        std::vector<std::string_view> words;
        std::transform(list.items.begin(), list.items.end(), std::back_inserter(words), [](const Node& item) { return std::string_view(item.scalar); });
        return fmt::format("{}", fmt::join(words, ", "));
    }
    static std::string in_words(const Node& rule) {
        std::vector<std::string> parts;
        for (const Entry& entry : rule.entries) {
            parts.push_back(fmt::format("{} {}", entry.key, entry.value.kind == Node::Kind::List ? joined(entry.value) : entry.value.scalar));
        }
        return fmt::format("{}", fmt::join(parts, "; "));
    }

    void step(const Loaded& loaded, const Node& step) {
        const std::string_view verb = verb_of(step);
        ++use_.verbs[std::string(verb)];
        if (is_set(step, "irreversible")) {
            const std::string label = text_of(step, "label");
            add(use_.irreversible, !label.empty() ? label : fmt::format("{}:{} {}", loaded.shown, step.place.line, verb));
        }
        const Node* const goal = step.find("goal");
        if (goal != nullptr) {
            const Node* const policy = loaded.tree.find("policy");
            const std::int64_t of_file = steps_of_budget(policy != nullptr ? policy->find("budget") : nullptr, kGoalSteps);
            use_.goals.push_back({text_of(*goal, "text"), steps_of_budget(step.find("budget"), of_file), step.find("done_when") != nullptr});
        }
    }

    void object(const Node& node, ShapeId shape) {
        const Shape& row = shape_of(shape);
        const auto text = [&](const char* key) { return row.find(key) != nullptr ? text_of(node, key) : std::string(); };
        add(use_.pictures, text("template"));
        if (shape == ShapeId::Launch) {
            add(use_.apps, text("app"));
        } else if (shape == ShapeId::OpenUrl) {
            add(use_.urls, text("url"));
        } else if (shape == ShapeId::Focus) {
            add(use_.windows, text("window"));
        } else if (shape == ShapeId::Key) {
            for (const Node& chord : node.find("keys")->items) {
                add(use_.keys, chord.scalar);
            }
        } else if (shape == ShapeId::Ask) {
            add(use_.person_questions, text("question"));
        } else if (shape == ShapeId::Platform && node.find("launch") != nullptr && !node.find("launch")->items.empty()) {
            add(use_.apps, node.find("launch")->items[0].scalar);
        } else if (shape != ShapeId::File && shape != ShapeId::Run) {
            add(use_.files_read, text("file"));
            add(use_.model_questions, text("model"));
        }
    }

    // --- how much at most ----------------------------------------------------------------------------------------------------

    static std::int64_t times(std::int64_t a, std::int64_t b) { return a == 0 || b == 0 ? 0 : a > kCountMax / b ? kCountMax : std::min(a * b, kCountMax); }
    static std::int64_t plus(std::int64_t a, std::int64_t b) { return std::min(a + b, kCountMax); }

    std::int64_t actions_of_file(const Loaded& loaded, std::size_t depth) {
        std::int64_t sum = 0;
        for (const char* const key : {"steps", "finally"}) {
            if (const Node* const steps = loaded.tree.find(key); steps != nullptr) {
                sum = plus(sum, actions_of(loaded, *steps, depth));
            }
        }
        if (const Node* const list = loaded.tree.find("on_interstitial"); list != nullptr) {
            for (const Node& item : list->items) {
                sum = plus(sum, times(integer(text_of(item, "max"), 1), actions_of(loaded, *item.find("do"), depth)));
            }
        }
        return sum;
    }
    std::int64_t actions_of(const Loaded& loaded, const Node& steps, std::size_t depth) {
        std::int64_t sum = 0;
        for (const Node& step : steps.items) {
            const Node* const own = step.find("retry");
            const Node* const retry = own != nullptr ? own : is_set(step, "irreversible") ? nullptr : loaded.tree.find("retry");
            const std::int64_t tries = 1 + (retry != nullptr ? integer(text_of(*retry, "max"), 0) : 0);
            sum = plus(sum, times(tries, actions_of_step(loaded, step, depth)));
        }
        return sum;
    }
    std::int64_t actions_of_step(const Loaded& loaded, const Node& step, std::size_t depth) {
        const std::string_view verb = verb_of(step);
        const Node* const call = step.find(verb);
        if (verb == "goal") {
            const Node* const policy = loaded.tree.find("policy");
            return steps_of_budget(step.find("budget"), steps_of_budget(policy != nullptr ? policy->find("budget") : nullptr, kGoalSteps));
        }
        if (verb == "run") {
            const auto found = loaded_.files.find(std::filesystem::weakly_canonical(run_path(loaded, *call)));
            if (depth >= kRunDepthMax || found == loaded_.files.end()) {
                return kCountMax;
            }
            const auto [known, is_new] = actions_of_files_.try_emplace(found->first, 0);
            if (is_new) { // once for each file, however often it is run
                const std::int64_t actions = actions_of_file(found->second, depth + 1);
                actions_of_files_[found->first] = actions;
                return actions;
            }
            return known->second;
        }
        if (const Node* const inner = step.find("steps"); inner != nullptr) {
            return times(rounds_of(verb, *call), actions_of(loaded, *inner, depth));
        }
        if (verb == "scroll" && call->find("until") != nullptr) {
            return integer(text_of(*call, "max"), 20);
        }
        constexpr std::string_view kWithoutAction = " wait_until sleep extract assert capture ask set ";
        return kWithoutAction.find(fmt::format(" {} ", verb)) == std::string_view::npos ? 1 : 0;
    }
    static std::int64_t rounds_of(std::string_view verb, const Node& call) {
        if (verb == "group") {
            return 1;
        }
        const std::int64_t most = integer(text_of(call, "max"), kLoopItems);
        const Node* const list = call.find("in");
        return list != nullptr && list->kind == Node::Kind::List ? std::min(most, static_cast<std::int64_t>(list->items.size())) : most;
    }

    const LoadedFiles& loaded_;
    std::map<std::filesystem::path, std::int64_t> actions_of_files_;
    TaskFileUse use_;
};

} // namespace

TaskFileUse explain(const LoadedFiles& loaded) { return Explainer(loaded).whole(); }

} // namespace handeye::taskfile

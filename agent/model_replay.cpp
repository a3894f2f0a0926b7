// SPDX-License-Identifier: Apache-2.0
#include "agent/model_replay.h"

#include "agent/report_model.h"
#include "agent/step_stage.h"
#include "base/image_codec.h"
#include "base/json.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace handeye {
namespace {

using nlohmann::json;
using report::field_of;
using report::number_of;
using report::text_of;

constexpr double kNearShare = 0.02; // of the target's longer side

Surface surface_of(const std::string& name) { return find_surface(name).value_or(Surface::Desktop); }

SamplingOptions sampling_of(const json& recorded) {
    SamplingOptions out;
    out.temperature = static_cast<decltype(out.temperature)>(number_of(recorded, "temperature", out.temperature));
    out.top_p = static_cast<decltype(out.top_p)>(number_of(recorded, "top_p", out.top_p));
    out.top_k = static_cast<int>(std::clamp(number_of(recorded, "top_k", out.top_k), 0.0, 1e6));
    out.repetition_penalty = static_cast<decltype(out.repetition_penalty)>(number_of(recorded, "repetition_penalty", out.repetition_penalty));
    out.seed = static_cast<std::uint64_t>(std::clamp(number_of(recorded, "seed", 0), 0.0, 9e15));
    return out;
}

std::optional<Point> place_of(const report::StepRecord& step) {
    const json& points = field_of(step.executed, "points");
    if (!points.is_array() || points.empty()) {
        return std::nullopt;
    }
    const json& at = field_of(points[0], "target");
    return Point{static_cast<int>(std::clamp(number_of(at, "x"), -1e6, 1e6)), static_cast<int>(std::clamp(number_of(at, "y"), -1e6, 1e6))};
}

/// What the recorded step was, as the history of later ones has it.
Step step_of(const report::StepRecord& record, const Image& seen, std::optional<ParsedReply> parsed) {
    Step step;
    step.index = record.index;
    step.seen.image = seen;
    step.parsed = std::move(parsed);
    step.gate.gate = text_of(record.gated, "gate") == "deny" ? Gate::Deny : Gate::Allow;
    const std::string certainty = text_of(record.verified, "certainty", text_of(record.executed, "certainty"));
    step.result.certainty = certainty == "refused" ? Certainty::Refused : Certainty::Confirmed;
    return step;
}

class ModelReplay {
public:
    ModelReplay(const Recording& recording, ChatModel& model, Clock& clock, const ModelReplayOptions& options, std::stop_token stop)
        : recording_(recording), model_(model), clock_(clock), options_(options), stop_(std::move(stop)) {}

    Result<std::vector<ReplayedAnswer>> run() {
        const report::SessionRecord session = report::collect(recording_);
        if (!session.damage.empty()) {
            return Error{ErrorCode::InvalidArgument, "the recording is damaged: " + session.damage};
        }
        if (session.tasks.empty()) {
            return Error{ErrorCode::InvalidArgument, "the recording holds no task"};
        }
        const report::TaskRecord& task = session.tasks.back();
        const bool was_asked = std::any_of(task.steps.begin(), task.steps.end(), [](const auto& step) { return !step.prompts.empty(); });
        if (!was_asked) {
            return Error{ErrorCode::InvalidArgument, "no model was asked in this task: there is nothing to ask again"};
        }
        read_options(session.opened);
        std::vector<ReplayedAnswer> out;
        for (const report::StepRecord& step : task.steps) {
            if (step.prompts.empty()) {
                continue;
            }
            out.push_back(TRY(ask_again(step, text_of(task.started, "goal")).with_context(fmt::format("step {}", step.index))));
            if (options_.on_answer) {
                options_.on_answer(out.back());
            }
        }
        return out;
    }

private:
    void read_options(const json& opened) {
        if (const Result<Policy> policy = policy_from_json(dump_json(field_of(opened, "policy")))) {
            policy_text_ = describe_policy(*policy);
        }
        const json& budget = field_of(opened, "thinking_budget");
        thinking_budget_ = budget.is_number() ? std::optional(static_cast<int>(std::clamp(budget.get<double>(), 0.0, 1e6))) : std::nullopt;
        max_new_tokens_ = static_cast<int>(std::clamp(number_of(opened, "max_new_tokens", max_new_tokens_), 1.0, 1e6));
    }

    Result<std::string> text_blob_of(const json& event) const {
        const std::vector<std::uint8_t> bytes = TRY(recording_.blob(text_of(field_of(event, "text"), "sha256")));
        return std::string(bytes.begin(), bytes.end());
    }

    Result<ReplayedAnswer> ask_again(const report::StepRecord& step, const std::string& goal) {
        const json& asked = step.prompts.back();
        const std::string surface = text_of(asked, "surface", "desktop");
        if (surface == "web") {
            return Error{ErrorCode::Unsupported, "the marks on its picture were not recorded"};
        }
        const std::string sha256 = text_of(field_of(step.before, "frame"), "sha256");
        if (sha256.empty()) {
            return Error{ErrorCode::InvalidArgument, "its picture was not recorded: " + text_of(step.before, "withheld", "no reason was given")};
        }
        const std::vector<std::uint8_t> png = TRY(recording_.blob(sha256));
        const Image seen = TRY(decode_image(png));
        PromptInput input;
        input.prompt = options_.prompt.empty() ? model_.info().prompt : options_.prompt;
        input.surface = surface_of(surface);
        input.goal_utf8 = goal;
        input.screenshot = seen;
        input.policy_text = policy_text_;
        input.history = history_.steps();
        input.memory = history_.memory();
        RenderedPrompt prompt = TRY(render_prompt(input, options_.render));
        ReplayedAnswer out;
        out.step = step.index;
        out.is_prompt_same = events::prompt_text(prompt.request) == text_blob_of(asked).value_or("");
        prompt.request.sampling = sampling_of(field_of(step.prompts.front(), "sampling"));
        prompt.request.thinking_budget = thinking_budget_;
        prompt.request.max_new_tokens = max_new_tokens_;
        const TimePoint begin = clock_.now();
        const Completion reply = TRY(model_.generate(prompt.request, {}, stop_));
        out.took = clock_.now() - begin;
        if (stop_.stop_requested()) {
            return Error{ErrorCode::Cancelled, "stopped"};
        }
        compare(step, parse_reply(reply.text_utf8, prompt.dialect), {prompt.picture, seen.size(), {}}, out);
        remember(step, seen, prompt.dialect);
        return out;
    }

    /// The recorded answer, parsed again, as what later prompts tell of this step.
    void remember(const report::StepRecord& step, const Image& seen, Dialect dialect) {
        const Result<std::string> said = step.answers.empty() ? Result<std::string>(std::string()) : text_blob_of(step.answers.back());
        const Result<ParsedReply> parsed = parse_reply(said.value_or(""), dialect);
        history_.add(step_of(step, seen, parsed ? std::optional(*parsed) : std::nullopt), text_of(step.finished, "observation", "Success"));
    }

    static void compare(const report::StepRecord& step, const Result<ParsedReply>& now, const ResolveContext& context, ReplayedAnswer& out) {
        const json& then = step.proposals.empty() ? field_of(step.before, "") : step.proposals.back();
        out.call_then = text_of(then, "call");
        out.at_then = place_of(step);
        if (!now) {
            out.is_same = out.call_then.empty();
            out.why = out.is_same ? "" : "no action: " + now.error().message.substr(0, 120);
            return;
        }
        out.call_now = now->call;
        const std::string summary_then = text_of(then, "summary");
        const Result<Action> action_then = parse_action(dump_json(field_of(then, "action")));
        if (!action_then) {
            out.why = "there was no action then";
            return;
        }
        const Result<Plan> plan = resolve(now->action, context);
        if (!plan) {
            out.why = plan.error().message;
            return;
        }
        out.at_now = plan->points.empty() ? std::nullopt : std::optional(plan->points.front().target.point);
        if (make_fact(now->action).action != make_fact(*action_then).action) {
            out.why = fmt::format("another action: {} instead of {}", summarize(*now), summary_then);
            return;
        }
        out.why = other_place(step, context.target, out);
        out.is_same = out.why.empty();
    }

    /// Empty: it is the same place.
    static std::string other_place(const report::StepRecord& step, Size target, const ReplayedAnswer& answer) {
        if (!answer.at_then || !answer.at_now) {
            return answer.at_then.has_value() == answer.at_now.has_value() ? "" : "one has a place, the other has none";
        }
        const double off = std::hypot(answer.at_now->x - answer.at_then->x, answer.at_now->y - answer.at_then->y);
        const json& element = field_of(field_of(step.executed, "points")[0], "element");
        const json& box = field_of(element, "box");
        const auto side = [&](const char* key) { return static_cast<int>(std::clamp(number_of(box, key), -1e6, 1e6)); };
        const Rect hit{side("x"), side("y"), side("width"), side("height")};
        const bool is_same = hit.size().is_empty() ? off <= kNearShare * std::max(target.width_px, target.height_px) : hit.contains(*answer.at_now);
        const std::string what = text_of(element, "label").empty() ? "" : fmt::format(" of {} \"{}\"", text_of(element, "role"), text_of(element, "label"));
        return is_same ? "" : fmt::format("another place, {:.0f} px away{}", off, what.empty() ? "" : ", outside" + what);
    }

    const Recording& recording_;
    ChatModel& model_;
    Clock& clock_;
    const ModelReplayOptions& options_;
    const std::stop_token stop_;
    std::string policy_text_;
    std::optional<int> thinking_budget_;
    int max_new_tokens_ = 8192;
    History history_;
};

} // namespace

Result<std::vector<ReplayedAnswer>> replay_model(const Recording& recording, ChatModel& model, Clock& clock, const ModelReplayOptions& options, std::stop_token stop) {
    return ModelReplay(recording, model, clock, options, std::move(stop)).run();
}

} // namespace handeye

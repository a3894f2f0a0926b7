// SPDX-License-Identifier: Apache-2.0
// One task: limits, then steps until one of them ends it. What a step does is in step_runner.cpp.
#include "agent/session.h"

#include "agent/events.h"
#include "agent/program_hands.h"
#include "agent/step_runner.h"
#include "base/hash.h"
#include "base/log.h"

#include <fmt/format.h>

namespace handeye {
namespace {

Result<void> check_options(const SessionOptions& options) {
    const Budget& budget = options.budget;
    if (budget.steps_max < 0 || budget.wall_max < Duration::zero() || budget.tokens_max < 0 || budget.parse_failures_max < 1) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("a budget of {} steps, {} ns, {} tokens and {} parse failures makes no sense", budget.steps_max,
                                 budget.wall_max.count(), budget.tokens_max, budget.parse_failures_max)};
    }
    if (budget.actions_per_minute_max < 0 || budget.same_action_max < 0) {
        return Error{ErrorCode::InvalidArgument, fmt::format("a budget of {} actions a minute and {} repetitions makes no sense",
                                                             budget.actions_per_minute_max, budget.same_action_max)};
    }
    if (options.max_new_tokens < 1) {
        return Error{ErrorCode::InvalidArgument, fmt::format("max_new_tokens is {}, the least is 1", options.max_new_tokens)};
    }
    return check_policy(options.policy);
}

class AgentSession final : public Session {
public:
    AgentSession(SessionOptions options, Platform& platform, ChatModel& model, Clock& clock, StepSink& sink)
        : options_(std::move(options)), is_models_prompt_(options_.prompt.empty()), platform_(platform), model_(model), clock_(clock),
          log_(sink, clock, *options_.redactor) {
        take_prompt(options_);
    }

    ~AgentSession() override {
        if (!is_opened_) {
            return;
        }
        if (const Result<void> closed = log_.emit(events::session_closed(tasks_)); !closed) {
            log::debug("session", "session.closed was not recorded: " + closed.error().message); // sealed already
        }
    }

    [[nodiscard]] const std::string& id() const override { return options_.session_id; }

    Result<void> configure(const Budget& budget, const Policy& policy, std::optional<Surface> surface) override {
        SessionOptions changed = options_;
        changed.budget = budget;
        changed.policy = policy;
        changed.surface = surface;
        take_prompt(changed);
        TRY(check_options(changed));
        options_ = std::move(changed);
        return {};
    }

    Result<TaskReport> run_task(const std::string& goal_utf8, std::stop_token stop) override {
        return run(goal_utf8, stop, [&](StepRunner& runner) -> Result<TaskEnd> {
            if (goal_utf8.empty()) {
                return TaskEnd{TaskOutcome::Failed, "the goal is empty"};
            }
            if (goal_utf8.size() > options_.render.goal_bytes_max) {
                return TaskEnd{TaskOutcome::Failed, fmt::format("the goal has {} bytes, the limit is {}", goal_utf8.size(), options_.render.goal_bytes_max)};
            }
            return runner.pursue({goal_utf8, options_.budget, {}});
        });
    }

    Result<TaskReport> run_program(const std::string& name, Program& program, std::stop_token stop) override {
        return run(name, stop, [&](StepRunner& runner) -> Result<TaskEnd> {
            ProgramHands hands(runner, borrowed(), stop);
            return program.run(hands);
        });
    }

private:
    void take_prompt(SessionOptions& options) {
        options.prompt = is_models_prompt_ ? model_.info().prompt : options.prompt;
        if (!options.surface) {
            const Result<DisplayInfo> display = platform_.display();
            options.surface = default_surface(options.prompt, display ? display->platform : "", options.render);
        }
    }
    StepRunner::Borrowed borrowed() { return {options_, platform_, model_, clock_, log_, *options_.redactor}; }

    template <class Work>
    Result<TaskReport> run(const std::string& goal_utf8, const std::stop_token& stop, const Work& work) {
        const TimePoint start = clock_.now();
        if (!is_opened_) {
            TRY(open());
        }
        ++tasks_;
        TRY(log_.emit(events::task_started(tasks_, clip_utf8(goal_utf8, options_.render.goal_bytes_max))));
        PolicyGate gate = TRY(PolicyGate::create(options_.policy));
        StepRunner runner(borrowed(), std::move(gate), tasks_, stop);
        const Result<TaskEnd> end = work(runner);
        if (const Result<void> released = platform_.release_all(); !released) {
            log::error("session", "keys or buttons may still be pressed: " + released.error().message);
        }
        if (!end) {
            return end.error();
        }
        TaskReport report{end->outcome, end->message, runner.answer(), runner.steps(), runner.tokens(), clock_.now() - start};
        TRY(log_.emit(events::task_finished(tasks_, report)));
        return report;
    }

    Result<void> open() {
        DisplayInfo display;
        display.platform = "unavailable";
        if (Result<DisplayInfo> found = platform_.display()) {
            display = *std::move(found);
        } // otherwise the first capture says what is wrong, as the task's outcome
        is_opened_ = true;
        return log_.emit(events::session_opened(options_.session_id, options_, display, model_.info()));
    }

    SessionOptions options_;
    const bool is_models_prompt_; ///< no other one was asked for
    Platform& platform_;
    ChatModel& model_;
    Clock& clock_;
    EventLog log_;
    bool is_opened_ = false;
    int tasks_ = 0;
};

} // namespace

Result<std::unique_ptr<Session>> Session::create(SessionOptions options, Platform& platform, ChatModel& model, Clock& clock,
                                                 StepSink& sink) {
    TRY(check_options(options));
    if (options.session_id.empty()) {
        options.session_id = TRY(make_ulid(clock.wall_now()));
    }
    if (!options.redactor) {
        options.redactor = std::make_shared<Redactor>();
    }
    return std::unique_ptr<Session>(new AgentSession(std::move(options), platform, model, clock, sink));
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// One step of the loop, stage by stage, and what is carried from step to step. Inside this folder only.
#pragma once

#include "agent/drop_guard.h"
#include "agent/events.h"
#include "agent/frame_encoder.h"
#include "agent/history.h"
#include "agent/program.h"
#include "agent/redactor.h"
#include "agent/session.h"
#include "agent/stuck.h"
#include "agent/window_facts.h"

#include <deque>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace handeye {

/// Stamps events and hands them on; knows how long that took.
class EventLog {
public:
    EventLog(StepSink& sink, Clock& clock, const Redactor& redactor) : sink_(sink), clock_(clock), redactor_(redactor) {}
    /// What must not be written down is taken out here, before any sink has it.
    Result<void> emit(SessionEvent event);
    /// Time spent in the sink since the last call.
    Duration take_time() { return std::exchange(time_, Duration::zero()); }

private:
    StepSink& sink_;
    Clock& clock_;
    const Redactor& redactor_;
    Duration time_{};
};

/// Unset: go on. An Error: the sink failed, nothing more can be recorded.
using StageResult = Result<std::optional<TaskEnd>>;

/// Requested when the task is stopped or the target is taken away, whichever comes first.
class Halt {
public:
    Halt(const std::stop_token& stop, const std::stop_token& running)
        : on_stop_(stop, Request{&source_}), on_taken_(running, Request{&source_}) {}
    [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

private:
    struct Request {
        std::stop_source* source;
        void operator()() const { source->request_stop(); }
    };
    std::stop_source source_;
    std::stop_callback<Request> on_stop_;
    std::stop_callback<Request> on_taken_;
};

class StepRunner {
public:
    struct Borrowed {
        const SessionOptions& options;
        Platform& platform;
        ChatModel& model;
        Clock& clock;
        EventLog& log;
        Redactor& redactor;
    };
    StepRunner(Borrowed borrowed, PolicyGate gate, int task, std::stop_token stop);

    /// The model's steps until one of them ends the goal, or it is seen to be reached.
    Result<TaskEnd> pursue(const Pursuit& pursuit);
    /// One step that is known beforehand.
    Result<StepEnd> run_proposed(const Propose& propose);
    /// A question of a program; the answer as it came.
    Result<Completion> ask_aside(const ModelQuestion& question);
    /// What the model would do first for this goal on this screen.
    Result<Suggestion> suggest(const std::string& goal_utf8, Look look);
    /// The screen and its elements now; the step that follows on the same picture does not ask for them again.
    Result<Look> look();
    Result<Blob> keep_picture(std::optional<Rect> area);
    /// Waits while somebody else has the target, or the task is paused; that time counts for no budget.
    StageResult wait_for_turn();
    /// Time that no budget counts: a person was waited for.
    void leave_out(Duration waited);
    /// Stopped, or out of a budget.
    StageResult check_limits();
    void narrow(PolicyGate gate, const Budget& budget);
    void restore();
    [[nodiscard]] const events::At& at() const { return at_; }
    [[nodiscard]] std::stop_token halt() const { return halt_ ? halt_->token() : stop_; }

    [[nodiscard]] const std::string& answer() const { return answer_; }
    [[nodiscard]] int steps() const { return at_.step; }
    [[nodiscard]] std::int64_t tokens() const { return tokens_; }

private:
    static constexpr int kDenialsMax = 3; ///< in a row

    /// How much may be used, and from where it counts: the task's, and within it a goal's.
    struct Allowance {
        Budget budget;
        int steps_before = 0;
        std::int64_t tokens_before = 0;
        TimePoint start{};
        [[nodiscard]] bool is_out_of_time(TimePoint now) const { return now - start >= budget.wall_max; }
    };
    StageResult check_allowance(const Allowance& allowance);
    [[nodiscard]] std::int64_t tokens_left() const;
    void begin_goal(const Pursuit& pursuit);
    Result<std::optional<TaskEnd>> run_step(const Pursuit& pursuit);
    Result<Step> begin_step();
    Result<void> take_proposal(Step& step, const Propose& propose, StepEnd& end);
    StageResult observe(Step& step);
    StageResult ask(Step& step);
    PromptInput prompt_input(const std::string& goal_utf8, const Image& screenshot, const std::vector<Element>& elements);
    const std::vector<std::string>& app_names();
    Result<Completion> ask_beside(const std::string& prompt_name, ChatRequest request);
    StageResult ask_once(Step& step, const RenderedPrompt& prompt, const SamplingOptions& sampling);
    /// Unset: answers are free.
    std::optional<AnswerGrammar> answer_grammar_of(Dialect dialect);
    StageResult look_closer(Step& step, PromptInput input);
    void hide_password(const Step& step, const Action& action);
    GateDecision decide_by_all(const ActionFacts& facts);
    StageResult act(Step& step);
    Result<void> decide(Step& step);
    StageResult ask_person(Step& step);
    ApprovalRequest make_request(const Step& step, std::string id) const;
    StageResult hear_answer(Step& step, ApprovalAnswer answer);
    WindowInfo target_window(const Step& step) const;
    bool is_as_approved(const Step& step) const;
    StageResult check_rate(const Step& step);
    StageResult execute_plan(Step& step);
    StageResult refuse(Step& step, std::string reason);
    [[nodiscard]] bool is_taken() const; ///< by a pause, a person or a script; not by a stop
    Result<void> tell_state(std::string_view state);
    StageResult verify(Step& step);
    Result<StuckVerdict> suspect(Step& step);
    Result<void> finish(Step& step, const std::string& nudge);
    std::optional<TaskEnd> conclude(const Step& step);
    Result<Completion> generate(ChatRequest request, RepetitionWatcher& watcher);
    Result<Screenshot> capture(Duration& time, std::vector<Element>& elements, std::string& withheld);
    Result<void> record_frame(const Screenshot& shot, const std::vector<Element>& elements, const std::string& withheld,
                              std::string_view when, Duration capture_time);
    [[nodiscard]] bool is_out_of_time() const;

    Borrowed with_;
    std::vector<PolicyGate> gates_; // the task's, then those of the files that it runs; all must allow
    events::At at_;
    std::string goal_;
    std::vector<Allowance> allowances_;
    std::stop_token stop_;
    std::stop_token running_;     // of the control state, for this step
    std::unique_ptr<Halt> halt_;  // of this step
    History history_;
    StuckDetector detector_;
    FrameEncoder encoder_;
    std::vector<Element> elements_; // of the current observation
    bool are_elements_known_ = true; // no: a password field may be among what is not told
    Image last_image_;              // of the last capture, and what was told of it
    std::vector<Element> last_elements_;
    std::optional<std::vector<std::string>> app_names_; // of the target; unset: not asked yet
    Size picture_;                  // that the model saw
    std::string answer_;
    std::int64_t tokens_ = 0;
    int parse_failures_ = 0;
    int denials_ = 0;
    int acted_ = 0;           // actions that sent something
    int effects_ = 0;         // of those, confirmed or beyond checking
    std::string left_undone_;  // how the last action fell short: "was refused"; empty: it did not
    std::string frame_sha256_;           // of the step's first picture
    std::optional<FocusGuard> focus_;    // of this step, where it types and a rule or a person looked at windows
    std::optional<DropGuard> drop_;      // of this step's action
    ApprovalRequest approval_;           // of this step; empty id: none
    std::deque<TimePoint> acted_at_;     // of the last minute
    std::string last_digest_;
    int same_actions_ = 0;
    Duration encode_time_{}; // of this step
    std::optional<Point> clicked_; // last, in target pixels: where what is typed next goes
};

} // namespace handeye

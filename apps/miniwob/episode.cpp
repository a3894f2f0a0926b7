// SPDX-License-Identifier: Apache-2.0
#include "apps/miniwob/episode.h"

#include "agent/program.h"
#include "agent/recorder.h"
#include "apps/miniwob/pixel_platform.h"
#include "apps/miniwob/task_page.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/json_fields.h"
#include "platforms/open_platform.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::miniwob {
namespace {

using nlohmann::json;

constexpr std::array kEndings{Ending::Solved,   Ending::Partial,  Ending::Wrong, Ending::NotOver,  Ending::SaidDone,
                              Ending::SaidFail, Ending::NoAction, Ending::Stuck, Ending::LeftPage, Ending::Broken};

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

/// Why an episode went on no further, where the page did not end it.
Ending ending_of(TaskOutcome outcome) {
    switch (outcome) {
    case TaskOutcome::Done:
    case TaskOutcome::Unconfirmed: return Ending::SaidDone;
    case TaskOutcome::Infeasible:
    case TaskOutcome::NeedsPerson: return Ending::SaidFail;
    case TaskOutcome::BudgetExceeded: return Ending::NotOver;
    case TaskOutcome::Stuck: return Ending::Stuck;
    case TaskOutcome::ParseFailures: return Ending::NoAction;
    case TaskOutcome::FellShort:
    case TaskOutcome::Denied:
    case TaskOutcome::Stopped:
    case TaskOutcome::Failed: return Ending::Broken;
    }
    return Ending::Broken;
}

/// The model's steps, with a look at the page after each.
class Attempt final : public Program {
public:
    Attempt(TaskPage& page, std::string goal, const Budget& budget) : page_(page), goal_(std::move(goal)), budget_(budget) {}

    Result<TaskEnd> run(Hands& hands) override {
        const auto is_over = [this]() -> Result<bool> {
            look();
            return trouble_.has_value() || state_.is_over || !state_.is_task;
        };
        const TaskEnd end = TRY(hands.pursue({goal_, budget_, is_over}));
        if (end.outcome != TaskOutcome::Stopped && !trouble_ && !state_.is_over) {
            look(); // the last step, too, may have ended it
        }
        return judge(end);
    }

    [[nodiscard]] Ending ending() const { return ending_; }
    [[nodiscard]] const PageState& state() const { return state_; }
    /// The page's, not the model's: the connection to it broke.
    [[nodiscard]] const std::optional<Error>& trouble() const { return trouble_; }

private:
    void look() {
        if (Result<PageState> state = page_.state()) {
            state_ = *std::move(state);
        } else {
            trouble_ = state.error();
        }
    }

    TaskEnd judge(const TaskEnd& end) {
        if (trouble_) {
            return {TaskOutcome::Failed, trouble_->message};
        }
        if (!state_.is_task) {
            ending_ = Ending::LeftPage;
            return {TaskOutcome::FellShort, "the page of the task is no longer there"};
        }
        if (!state_.is_over) {
            ending_ = ending_of(end.outcome);
            const bool is_claim = end.outcome == TaskOutcome::Done || end.outcome == TaskOutcome::Unconfirmed;
            return is_claim ? TaskEnd{TaskOutcome::FellShort, "the model says that it is done, and the page does not"} : end;
        }
        ending_ = state_.raw_reward == 1 ? Ending::Solved : state_.raw_reward > 0 ? Ending::Partial : Ending::Wrong;
        if (ending_ == Ending::Solved) {
            return {TaskOutcome::Done, "the page gives its whole reward"};
        }
        return {TaskOutcome::FellShort, fmt::format("the page gives {:.3g} of 1{}{}", state_.raw_reward, state_.reason.empty() ? "" : ": ", state_.reason)};
    }

    TaskPage& page_;
    std::string goal_;
    Budget budget_;
    PageState state_;
    Ending ending_ = Ending::Broken;
    std::optional<Error> trouble_;
};

/// What the events tell of the time and of the questions.
void add_up(const std::vector<SessionEvent>& events, EpisodeResult& result) {
    for (const SessionEvent& event : events) {
        if (event.type == "engine.finished") {
            ++result.model_calls;
        } else if (event.type == "task.step_finished") {
            const json data = parse_json(event.data_json).value_or(json::object());
            const json& times = json_object(data, "timings_ms");
            const auto spent = [&times](const char* stage) { return json_number(times, stage) / 1e3; };
            result.profile.capture += spent("capture") + spent("verify");
            result.profile.model += spent("generate") + spent("render");
            result.profile.act += spent("execute");
            result.profile.settle += spent("settle");
        }
    }
}

class BrowserPlayer final : public Player {
public:
    BrowserPlayer(const PlayerOptions& options, ChatModel& model, Clock& clock) : options_(options), model_(model), clock_(clock) {}

    Result<void> open(const Task& first) {
        PlatformOptions wanted;
        wanted.platform = "web";
        wanted.headless = Size{std::max(options_.view.width_px, kWindow.width_px), std::max(options_.view.height_px, kWindow.height_px)};
        wanted.web.scale = options_.scale;
        wanted.web.browser = options_.browser;
        wanted.web.url = page_url(options_.pages, first.name);
        platform_ = TRY(open_platform(wanted, clock_));
        const DisplayInfo display = TRY(platform_->display());
        address_ = display.address;
        browser_ = display.monitors.empty() ? "" : display.monitors.front().name;
        tools_ = TRY(DevTools::connect(address_));
        page_.emplace(*platform_, *tools_, clock_, options_.pages);
        return {};
    }

    Result<EpisodeResult> play(const Task& task, std::uint64_t seed, const std::stop_token& stop) override {
        const TimePoint begin = clock_.now();
        events_ = EventBuffer();
        tools_->stop_on(stop);
        TRY(platform_->inject(PointerMove{})); // where the last episode left it, something of this one may light up
        if (TRY(DevTools::count_pages(address_)) > 1) { // the last episode opened a window, and that is what would be seen
            page_.reset();
            tools_.reset();
            platform_.reset();
            TRY(open(task));
            tools_->stop_on(stop);
        }
        EpisodeResult result{.task = std::string(task.name), .seed = seed};
        TRY(page_->open(task.name, stop));
        TRY(page_->start(seed));
        PixelPlatform pixels(*platform_, clock_, seen_part());
        TRY(pixels.settle(options_.session.settle, stop));
        result.goal = TRY(page_->goal());
        result.profile.open = seconds(clock_.now() - begin);

        SessionOptions session_options = options_.session;
        session_options.session_id = session_id_ = TRY(make_ulid(clock_.wall_now()));
        Attempt attempt(*page_, result.goal, session_options.budget);
        {
            const std::unique_ptr<Session> session = TRY(Session::create(session_options, pixels, model_, clock_, events_));
            const TaskReport report = TRY(session->run_program(result.goal, attempt, stop));
            TRY(check(attempt, report, stop));
            result.steps = report.steps;
            result.tokens = report.tokens;
            result.reason = report.message;
        }
        result.ending = attempt.ending();
        result.raw_reward = attempt.state().is_over ? attempt.state().raw_reward : 0;
        result.seconds = seconds(clock_.now() - begin);
        add_up(events_.events(), result);
        result.profile.rest = std::max(0.0, result.seconds - result.profile.total());
        return result;
    }

    [[nodiscard]] const EventBuffer& events() const override { return events_; }
    [[nodiscard]] bool has_asked() const override {
        return std::ranges::any_of(events_.events(), [](const SessionEvent& event) { // an answer, not a failure to give one
            if (event.type != "engine.finished") {
                return false;
            }
            const auto data = parse_json(event.data_json);
            return data && !data->contains("error");
        });
    }
    [[nodiscard]] const std::string& session_id() const override { return session_id_; }
    [[nodiscard]] const std::string& browser() const override { return browser_; }

private:
    [[nodiscard]] Size seen_part() const {
        const auto pixels = [this](int css) { return static_cast<int>(std::lround(css * options_.scale)); };
        return {pixels(options_.view.width_px), pixels(options_.view.height_px)};
    }

    /// What was not the model's doing is nobody's result.
    static Result<void> check(const Attempt& attempt, const TaskReport& report, const std::stop_token& stop) {
        if (stop.stop_requested() || report.outcome == TaskOutcome::Stopped) {
            return Error{ErrorCode::Cancelled, "stopped"};
        }
        const bool told_nonsense = attempt.trouble() && attempt.trouble()->code == ErrorCode::ParseFailed;
        if (attempt.trouble() && !told_nonsense) {
            return *attempt.trouble();
        }
        return report.outcome == TaskOutcome::Failed && !told_nonsense ? Error{ErrorCode::Unavailable, report.message} : Result<void>();
    }

    const PlayerOptions& options_;
    ChatModel& model_;
    Clock& clock_;
    std::unique_ptr<Platform> platform_;
    std::unique_ptr<DevTools> tools_;
    std::optional<TaskPage> page_;
    std::string address_; ///< of the browser's DevTools
    std::string browser_;
    EventBuffer events_;
    std::string session_id_;
};

} // namespace

std::string_view ending_name(Ending ending) {
    switch (ending) {
    case Ending::Solved: return "solved";
    case Ending::Partial: return "partial";
    case Ending::Wrong: return "wrong";
    case Ending::NotOver: return "not_over";
    case Ending::SaidDone: return "said_done";
    case Ending::SaidFail: return "said_fail";
    case Ending::NoAction: return "no_action";
    case Ending::Stuck: return "stuck";
    case Ending::LeftPage: return "left_page";
    case Ending::Broken: return "broken";
    }
    return "";
}

std::optional<Ending> find_ending(std::string_view name) {
    const auto* const found = std::ranges::find(kEndings, name, ending_name);
    return found == kEndings.end() ? std::nullopt : std::optional(*found);
}

std::span<const Ending> endings() { return kEndings; }

void Profile::add(const Profile& other) {
    open += other.open;
    capture += other.capture;
    model += other.model;
    act += other.act;
    settle += other.settle;
    rest += other.rest;
}

Result<std::uint64_t> EventBuffer::on_event(const SessionEvent& event) {
    events_.push_back(event);
    return events_.size();
}

Result<void> EventBuffer::write(const std::filesystem::path& path, const std::string& session_id) const {
    const std::unique_ptr<Recorder> recorder = TRY(Recorder::open(path, session_id));
    for (SessionEvent event : events_) {
        event.durability = Durability::Written; // the episode can be played again
        TRY(recorder->on_event(event));
    }
    return recorder->seal();
}

Result<std::unique_ptr<Player>> Player::open(const PlayerOptions& options, const Task& first, ChatModel& model, Clock& clock) {
    auto player = std::make_unique<BrowserPlayer>(options, model, clock);
    TRY(player->open(first));
    return std::unique_ptr<Player>(std::move(player));
}

} // namespace handeye::miniwob

// SPDX-License-Identifier: Apache-2.0
#include "apps/miniwob/task_page.h"

#include "apps/models/hub.h" // percent_encoded()
#include "base/json.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::miniwob {
namespace {

using nlohmann::json;

constexpr Duration kLoadTime = std::chrono::seconds(60); // only a hang reaches it
constexpr Duration kPoll = std::chrono::milliseconds(4);
constexpr double kRoundOff = 1e-9;                       // of rewards that pages work out

/// The page's scripts have run, and nobody has pressed START.
constexpr const char* kIsLoaded = R"((url) => document.readyState === 'complete' && location.href === url &&
    typeof core === 'object' && core.cover_div !== null)";

/// The package's own instruments, rewards so far and a canvas of clicks, lie beside and below the task: they are none of a model's business.
constexpr const char* kStart = R"((seed) => {
    const style = document.createElement('style');
    style.textContent = '#reward-display, #click-canvas { display: none !important }';
    document.head.append(style);
    core.startEpisode = () => {};
    core.EPISODE_MAX_TIME = 1000000;
    Math.seedrandom(seed);
    core.startEpisodeReal();
    return WOB_TASK_READY === true && WOB_DONE_GLOBAL === false;
})";

/// Cut in the page, so that a goal of megabytes does not travel.
constexpr const char* kReadGoal = R"((most) => {
    const told = core.getUtterance();
    const text = typeof told === 'object' && told !== null ? told.utterance : told;
    return typeof text === 'string' ? {text: text.slice(0, most), length: text.length} : {};
})";

constexpr const char* kReadState = R"((most) => {
    if (typeof WOB_DONE_GLOBAL === 'undefined') { return {}; }
    const reward = WOB_RAW_REWARD_GLOBAL, reason = WOB_REWARD_REASON;
    return {over: WOB_DONE_GLOBAL === true, reward: reward, told: String(reward).slice(0, 40),
            reason: typeof reason === 'string' ? reason.slice(0, most) : ''};
})";

std::string call_of(const char* function, const json& argument) { return fmt::format("({})({})", function, dump_json(argument)); }

} // namespace

std::string page_url(const std::filesystem::path& pages, std::string_view task) {
    return fmt::format("file://{}/miniwob/{}.html", percent_encoded(pages.string()), task);
}

Result<PageState> read_state(const json& told) {
    PageState state;
    if (told.is_object() && told.empty()) {
        return state; // another page
    }
    const auto over = told.is_object() ? told.find("over") : told.end();
    if (!told.is_object() || over == told.end() || !over->is_boolean()) {
        return Error{ErrorCode::ParseFailed, "the page does not tell whether the episode is over"};
    }
    state.is_task = true;
    state.is_over = over->get<bool>();
    const auto reward = told.find("reward");
    const bool is_number = reward != told.end() && reward->is_number() && std::isfinite(reward->get<double>());
    const double value = is_number ? reward->get<double>() : 0;
    if (!is_number || std::abs(value) > 1 + kRoundOff) {
        const auto words = told.find("told");
        return Error{ErrorCode::ParseFailed, fmt::format("the page's reward is \"{}\", not a number from -1 to 1", words != told.end() && words->is_string() ? words->get<std::string>().substr(0, 40) : "")};
    }
    state.raw_reward = std::abs(value - 1) < kRoundOff ? 1 : std::max(value, -1.0);
    if (const auto reason = told.find("reason"); reason != told.end() && reason->is_string()) {
        state.reason = reason->get<std::string>().substr(0, kReasonBytesMax);
    }
    return state;
}

Result<std::string> read_goal(const json& told) {
    const auto text = told.is_object() ? told.find("text") : told.end();
    if (!told.is_object() || text == told.end() || !text->is_string() || text->get_ref<const std::string&>().empty()) {
        return Error{ErrorCode::ParseFailed, "the page does not tell its goal in words"};
    }
    const auto length = told.find("length");
    const std::string& goal = text->get_ref<const std::string&>();
    const bool is_whole = length != told.end() && length->is_number_unsigned() && length->get<std::uint64_t>() <= kGoalBytesMax;
    if (!is_whole || goal.size() > kGoalBytesMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("the page's goal has more than {} bytes", kGoalBytesMax)};
    }
    return goal;
}

Result<void> TaskPage::open(std::string_view task, const std::stop_token& stop) {
    url_ = page_url(pages_, task);
    TRY(platform_.perform(OpenUrl{url_}));
    const TimePoint deadline = clock_.now() + kLoadTime;
    for (;;) {
        const Result<json> loaded = tools_.evaluate(call_of(kIsLoaded, url_)); // an error while the page is being exchanged
        if (loaded && *loaded == true) {
            return {};
        }
        if (!loaded && loaded.error().code == ErrorCode::Unavailable) { // the browser is gone
            return loaded.error();
        }
        if (clock_.now() > deadline) {
            return Error{ErrorCode::DeadlineExceeded, fmt::format("{} did not load in 60 s: {}", url_, loaded ? "it is not complete" : loaded.error().message)};
        }
        if (clock_.sleep_for(kPoll, stop) == WaitResult::Stopped) {
            return Error{ErrorCode::Cancelled, "stopped while a page was loaded"};
        }
    }
}

Result<void> TaskPage::start(std::uint64_t seed) {
    const json is_ready = TRY(tools_.evaluate(call_of(kStart, seed)).with_context(url_));
    return is_ready == true ? Result<void>() : Error{ErrorCode::Internal, fmt::format("{}: the page does not say that the task is ready", url_)};
}

Result<std::string> TaskPage::goal() {
    return read_goal(TRY(tools_.evaluate(call_of(kReadGoal, kGoalBytesMax + 1)).with_context(url_))).with_context(url_);
}

Result<PageState> TaskPage::state() {
    return read_state(TRY(tools_.evaluate(call_of(kReadState, kReasonBytesMax)).with_context(url_))).with_context(url_);
}

} // namespace handeye::miniwob

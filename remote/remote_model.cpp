// SPDX-License-Identifier: Apache-2.0
#include "remote/remote_model.h"

#include "base/log.h"
#include "remote/health.h"
#include "remote/question.h"
#include "remote/tokenize.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

class RemoteModel final : public ChatModel {
public:
    RemoteModel(RemoteOptions options, Clock& clock)
        : options_(std::move(options)), clock_(clock), caller_(options_), pool_(options_.addresses, options_.health_pause, options_.pause_max),
          pictures_(options_.limits.picture_cache_bytes_max), health_(caller_, pool_) {}

    Result<void> open(const std::stop_token& stop);
    Result<Completion> generate(const ChatRequest& request, const OnText& on_text, std::stop_token stop) override;
    Result<TokenizedPrompt> tokenize(const ChatRequest& request) override;
    [[nodiscard]] EngineLoad load() const override {
        const std::lock_guard lock(mutex_);
        return load_;
    }
    [[nodiscard]] const ModelInfo& info() const override { return info_; }

private:
    /// What the servers said to one question.
    struct Tally {
        std::map<std::size_t, Failure> last;
        std::set<std::size_t> given_up; ///< not asked again
        [[nodiscard]] std::optional<Duration> shortest_wait() const;
    };
    Result<Completion> go_round(const ChatRequest& request, const OnText& on_text, const std::stop_token& stop);
    Outcome<Completion> ask(std::size_t server, Question& question, const ChatRequest& request, const std::stop_token& stop);
    void note(std::size_t server, Failure failure, Tally& tally);
    /// False: the question ends here.
    bool pause(int round, const Tally& tally, const Question& question, const std::stop_token& stop);
    [[nodiscard]] Error nobody_answered(const Tally& tally) const;
    [[nodiscard]] std::string where(std::size_t server) const { return origin_of(pool_.address(server).base); }
    Result<void> put_info(std::size_t server);

    const RemoteOptions options_;
    Clock& clock_;
    const Caller caller_;
    Pool pool_;
    PictureUrls pictures_;
    ModelInfo info_; ///< written by open() alone
    mutable std::mutex mutex_; // guards the next two
    EngineLoad load_;
    std::minstd_rand chance_{std::random_device{}()};
    HealthWatch health_; // last: its thread uses the others
};

std::optional<Duration> RemoteModel::Tally::shortest_wait() const {
    std::optional<Duration> shortest;
    for (const auto& [server, failure] : last) {
        if (!given_up.contains(server)) {
            const Duration wait = failure.retry_after.value_or(Duration::zero());
            shortest = std::min(shortest.value_or(wait), wait);
        }
    }
    return shortest;
}

Error RemoteModel::nobody_answered(const Tally& tally) const {
    using Kind = Failure::Kind;
    const auto are_all = [&](Kind kind) { return std::all_of(tally.last.begin(), tally.last.end(), [&](const auto& row) { return row.second.kind == kind; }); };
    std::string whys;
    for (const auto& [server, failure] : tally.last) {
        const std::string& why = failure.error.message;
        whys += (whys.empty() ? "" : "; ") + (why.find(where(server)) == std::string::npos ? where(server) + ": " + why : why);
    }
    const Error& first = tally.last.begin()->second.error;
    const ErrorCode code = are_all(Kind::Busy) ? ErrorCode::Overloaded : are_all(Kind::Unusable) ? first.code : ErrorCode::EngineLost;
    return {code, fmt::format("no model answered. {}", whys)};
}

Result<void> RemoteModel::put_info(std::size_t server) {
    const ServedModel model = pool_.traits(server)->model;
    info_ = {.name = model.name.empty() ? where(server) : model.name,
             .family = "remote",
             .weight_format = std::string(server_kind_name(model.kind)),
             .prompt = options_.prompt.empty() ? model.prompt : options_.prompt,
             .context_tokens_max = model.context_tokens_max,
             .reads_pictures = model.reads_pictures};
    if (info_.prompt.empty()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} serves \"{}\", and neither it nor the name says which prompts that model was trained on: say --prompt NAME (remote.prompt), "
                                                             "glm-4.1v, glm-4.5v, autoglm or compact", where(server), model.name)};
    }
    return {};
}

Result<void> RemoteModel::open(const std::stop_token& stop) {
    std::vector<Outcome<ServedModel>> seen(pool_.size(), Failure{});
    {
        std::vector<std::jthread> threads; // one that does not answer holds up nobody
        for (std::size_t i = 0; i < pool_.size(); ++i) {
            threads.emplace_back([this, i, &seen, &stop] { seen[i] = caller_.look_at(pool_.address(i), stop); });
        }
    }
    if (stop.stop_requested()) {
        return Error{ErrorCode::Cancelled, "stopped before a server answered"};
    }
    Tally tally;
    std::optional<std::size_t> first;
    for (std::size_t i = 0; i < seen.size(); ++i) {
        if (auto* const failure = std::get_if<Failure>(&seen[i])) {
            note(i, std::move(*failure), tally);
        } else {
            pool_.learn_model(i, std::get<ServedModel>(seen[i]));
            first = first.value_or(i);
        }
    }
    for (const auto& [server, failure] : tally.last) {
        if (first) {
            log::warn("remote", fmt::format("{} does not answer, the others are asked: {}", where(server), failure.error.message));
        }
    }
    if (first) {
        return put_info(*first);
    }
    Error error = nobody_answered(tally);
    error.code = error.code == ErrorCode::EngineLost || error.code == ErrorCode::Overloaded ? ErrorCode::Unavailable : error.code;
    return error;
}

void RemoteModel::note(std::size_t server, Failure failure, Tally& tally) {
    using Kind = Failure::Kind;
    const bool waits_too_long = failure.retry_after.value_or(Duration::zero()) > options_.retry_after_max;
    if (failure.kind == Kind::Unusable || failure.kind == Kind::Silent || waits_too_long) {
        tally.given_up.insert(server);
    }
    const bool was_up = pool_.mark_down(server, failure.error.message, std::chrono::steady_clock::now(), failure.kind == Kind::Unusable ? std::optional(options_.pause_max) : failure.retry_after);
    const bool is_open = !info_.name.empty(); // before, whoever opens is told
    if (is_open && was_up && failure.kind != Kind::Busy) {
        log::warn("remote", fmt::format("{} is asked no more for a while: {}", where(server), failure.error.message));
    }
    health_.wake();
    tally.last.insert_or_assign(server, std::move(failure));
}

bool RemoteModel::pause(int round, const Tally& tally, const Question& question, const std::stop_token& stop) {
    double chance = 0;
    {
        const std::lock_guard lock(mutex_);
        chance = std::generate_canonical<double, 16>(chance_);
    }
    Duration wait = std::max(back_off(round, options_.pause_first, options_.pause_max, chance), tally.shortest_wait().value_or(Duration::zero()));
    if (question.time_up()) {
        wait = std::clamp<Duration>(*question.time_up() - std::chrono::steady_clock::now(), Duration::zero(), wait);
    }
    return clock_.sleep_for(wait, stop) == WaitResult::Reached && !question.is_time_up();
}

Outcome<Completion> RemoteModel::ask(std::size_t server, Question& question, const ChatRequest& request, const std::stop_token& stop) {
    if (!pool_.traits(server)) {
        auto seen = caller_.look_at(pool_.address(server), stop);
        if (auto* const failure = std::get_if<Failure>(&seen)) {
            return std::move(*failure);
        }
        pool_.learn_model(server, std::get<ServedModel>(seen));
    }
    Pool::Visit visit(pool_, server, request.session);
    Outcome<Completion> answer = question.ask(server);
    if (std::holds_alternative<Completion>(answer)) {
        visit.keep();
        pool_.mark_up(server);
    }
    return answer;
}

Result<Completion> RemoteModel::go_round(const ChatRequest& request, const OnText& on_text, const std::stop_token& stop) {
    Question question({caller_, pool_, pictures_}, request, on_text, stop);
    Tally tally;
    for (int round = 0; round < options_.rounds_max && tally.given_up.size() < pool_.size(); ++round) {
        if (round > 0 && !pause(round, tally, question, stop)) {
            return question.unanswered(stop.stop_requested() ? StopReason::Cancelled : StopReason::TimeUp);
        }
        for (const std::size_t server : pool_.order(request.session)) {
            if (tally.given_up.contains(server)) {
                continue;
            }
            Outcome<Completion> answer = ask(server, question, request, stop);
            if (auto* const completion = std::get_if<Completion>(&answer)) {
                return std::move(*completion);
            }
            Failure& failure = std::get<Failure>(answer);
            if (stop.stop_requested() || question.is_time_up()) {
                return question.unanswered(stop.stop_requested() ? StopReason::Cancelled : StopReason::TimeUp);
            }
            if (failure.kind == Failure::Kind::Final) {
                return failure.error.with_context(where(server));
            }
            note(server, std::move(failure), tally);
            if (question.breaks() > options_.breaks_max) {
                return Error{ErrorCode::EngineLost, fmt::format("{} answers to this question broke off. {}", question.breaks(), nobody_answered(tally).message)};
            }
        }
    }
    return nobody_answered(tally);
}

Result<Completion> RemoteModel::generate(const ChatRequest& request, const OnText& on_text, std::stop_token stop) {
    if ((request.messages.empty()) == (!request.raw_prompt) || request.max_new_tokens < 1) {
        return Error{ErrorCode::InvalidArgument, fmt::format("a request has messages or a raw prompt, and max_new_tokens of at least 1; here are {} messages and {}", request.messages.size(), request.max_new_tokens)};
    }
    {
        const std::lock_guard lock(mutex_);
        ++load_.running;
    }
    Result<Completion> answer = go_round(request, on_text, stop);
    const std::lock_guard lock(mutex_);
    --load_.running;
    ++load_.answers;
    load_.images_embedded = pictures_.encoded();
    if (answer) {
        load_.prompt_tokens += static_cast<std::uint64_t>(answer->usage.prompt_tokens);
        load_.reused_tokens += static_cast<std::uint64_t>(answer->usage.reused_tokens);
        load_.completion_tokens += static_cast<std::uint64_t>(answer->usage.completion_tokens);
    }
    return answer;
}

Result<TokenizedPrompt> RemoteModel::tokenize(const ChatRequest& request) {
    const std::size_t server = pool_.order(request.session).front();
    const std::optional<ServerTraits> traits = pool_.traits(server);
    return traits ? tokenize_on_server(caller_, pool_.address(server), *traits, pictures_, request) : Result<TokenizedPrompt>(Error{ErrorCode::Unavailable, where(server) + " has not answered yet"});
}

} // namespace

Result<std::unique_ptr<ChatModel>> open_remote_model(RemoteOptions options, Clock& clock, const std::stop_token& stop) {
    TRY(check_remote_options(options));
    auto model = std::make_unique<RemoteModel>(std::move(options), clock);
    TRY(model->open(stop));
    return std::unique_ptr<ChatModel>(std::move(model));
}

} // namespace handeye

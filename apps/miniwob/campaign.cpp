// SPDX-License-Identifier: Apache-2.0
#include "apps/miniwob/campaign.h"

#include "base/log.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace handeye::miniwob {
namespace {

constexpr int kTries = 2;        // of one episode
constexpr int kBrokenInARowMax = 5;

struct Wanted {
    const Task* task = nullptr;
    std::uint64_t seed = 0;
};

/// What the threads share; everything in it under the lock.
class Board {
public:
    Board(const CampaignOptions& options, Journal& journal, Clock& clock, const std::function<void(const Progress&)>& on_progress)
        : options_(options), journal_(journal), clock_(clock), on_progress_(on_progress), start_(clock.now()) {
        for (std::uint64_t i = 0; i < options.seeds; ++i) {
            for (const Task* const task : options.tasks) {
                const std::uint64_t seed = options.first_seed + i;
                if (journal.has(task->name, seed)) {
                    ++progress_.earlier;
                } else {
                    wanted_.push_back({task, seed});
                }
            }
        }
        progress_.wanted = progress_.earlier + wanted_.size();
        for (const EpisodeResult& result : journal.results()) {
            progress_.solved += result.ending == Ending::Solved && is_wanted(result) ? 1 : 0;
        }
        count_kept();
    }

    std::optional<Wanted> next() {
        const std::scoped_lock lock(mutex_);
        return taken_ < wanted_.size() && !error_ ? std::optional(wanted_[taken_++]) : std::nullopt;
    }

    void finished(const EpisodeResult& result, const Player* player) {
        const std::scoped_lock lock(mutex_);
        const bool is_solved = result.ending == Ending::Solved;
        if (player != nullptr && (is_solved ? options_.keeps_successes : kept_[result.task] < options_.failures_kept)) {
            keep(result, *player);
        }
        if (const Result<void> added = journal_.add(result); !added) {
            end(added.error());
            return;
        }
        if (result.ending == Ending::Broken) {
            count_broken(result.reason);
        } else {
            broken_in_a_row_ = 0;
        }
        ++progress_.played;
        progress_.solved += is_solved ? 1 : 0;
        progress_.seconds = std::chrono::duration<double>(clock_.now() - start_).count();
        progress_.newest = &result;
        if (on_progress_) {
            on_progress_(progress_);
        }
    }

    /// Nobody's result: it is tried again by the next run.
    void not_played(const Wanted& wanted, const Error& why) {
        const std::scoped_lock lock(mutex_);
        not_played_.push_back(fmt::format("{} {}", wanted.task->name, wanted.seed));
        last_why_ = why;
        count_broken(why.message);
    }

    /// Ends the run. -> Cancelled, for whoever is still at work
    Error failed(const Error& error) {
        const std::scoped_lock lock(mutex_);
        end(error);
        return Error{ErrorCode::Cancelled, "stopped"};
    }
    /// What ended the run; or, of a run that went to its end, which episodes could not be played.
    [[nodiscard]] std::optional<Error> error() {
        const std::scoped_lock lock(mutex_);
        if (error_ || not_played_.empty()) {
            return error_;
        }
        const std::size_t named = std::min<std::size_t>(not_played_.size(), 5);
        return Error{last_why_->code, fmt::format("{} episodes could not be played ({}{}), the last with: {}", not_played_.size(),
                                                  fmt::join(not_played_.begin(), not_played_.begin() + static_cast<std::ptrdiff_t>(named), ", "), named < not_played_.size() ? ", ..." : "",
                                                  last_why_->message)};
    }
    [[nodiscard]] std::stop_token stop() const { return stop_.get_token(); }
    void request_stop() { stop_.request_stop(); }

private:
    void count_broken(const std::string& why) {
        ++broken_in_a_row_;
        if (broken_in_a_row_ >= kBrokenInARowMax) {
            end(Error{ErrorCode::Unavailable, fmt::format("{} episodes in a row broke, the last with: {}", broken_in_a_row_, why)});
        }
    }

    void end(const Error& error) {
        if (!error_) {
            error_ = error;
        }
        stop_.request_stop();
    }

    [[nodiscard]] bool is_wanted(const EpisodeResult& result) const {
        return result.seed >= options_.first_seed && result.seed - options_.first_seed < options_.seeds &&
               std::ranges::any_of(options_.tasks, [&](const Task* task) { return task->name == result.task; });
    }

    /// Those of earlier runs.
    void count_kept() {
        for (const EpisodeResult& result : journal_.results()) {
            std::error_code problem;
            kept_[result.task] += result.ending != Ending::Solved && std::filesystem::exists(recording_file(options_.keep, result.task, result.seed), problem) ? 1 : 0;
        }
    }

    void keep(const EpisodeResult& result, const Player& player) {
        std::error_code problem;
        std::filesystem::create_directories(options_.keep, problem);
        const std::filesystem::path file = recording_file(options_.keep, result.task, result.seed);
        for (const char* const ending : {"", "-wal", "-shm"}) { // of an episode that was recorded and did not come into the journal
            std::filesystem::remove(file.string() + ending, problem);
        }
        if (const Result<void> written = player.events().write(file, player.session_id()); !written) {
            log::error("eval", "a failure could not be kept: " + written.error().message);
            return;
        }
        kept_[result.task] += result.ending != Ending::Solved ? 1 : 0;
    }

    const CampaignOptions& options_;
    Journal& journal_;
    Clock& clock_;
    const std::function<void(const Progress&)>& on_progress_;
    const TimePoint start_;
    std::mutex mutex_;
    std::vector<Wanted> wanted_;
    std::size_t taken_ = 0;
    std::map<std::string, int> kept_;
    Progress progress_;
    int broken_in_a_row_ = 0;
    std::vector<std::string> not_played_; ///< task and seed
    std::optional<Error> last_why_;
    std::optional<Error> error_;
    std::stop_source stop_;
};

/// One thread of a run, with a browser of its own.
class Worker {
public:
    Worker(const CampaignOptions& options, ChatModel& model, Clock& clock, Board& board) : options_(options), model_(model), clock_(clock), board_(board) {}

    void run() {
        while (const std::optional<Wanted> wanted = board_.next()) {
            const Result<EpisodeResult> result = play(*wanted);
            if (result) {
                board_.finished(*result, player_.get());
            } else if (ends_the_run(result.error())) {
                (void)board_.failed(result.error());
                return;
            } else {
                board_.not_played(*wanted, result.error());
            }
        }
    }

private:
    static bool ends_the_run(const Error& error) { return error.code == ErrorCode::EngineLost || error.code == ErrorCode::OutOfMemory || error.code == ErrorCode::Cancelled; }

    /// What went wrong after the model was asked counts as its result, since its own actions may have done it; before that, it is an Error.
    Result<EpisodeResult> play(const Wanted& wanted) {
        std::optional<Error> why;
        bool was_asked = false;
        for (int i = 0; i < kTries; ++i) {
            if (!player_) {
                Result<std::unique_ptr<Player>> opened = Player::open(options_.player, *wanted.task, model_, clock_);
                if (!opened) {
                    return board_.failed(opened.error()); // without a browser there is nothing to try
                }
                player_ = *std::move(opened);
            }
            Result<EpisodeResult> result = player_->play(*wanted.task, wanted.seed, board_.stop());
            if (result || board_.stop().stop_requested()) {
                return result ? std::move(result) : Error{ErrorCode::Cancelled, "stopped"};
            }
            if (ends_the_run(result.error())) {
                return result;
            }
            why = result.error();
            log::warn("eval", fmt::format("{} {}: {}", wanted.task->name, wanted.seed, why->message));
            was_asked = was_asked || player_->has_asked();
            player_.reset(); // a new browser knows nothing of what went wrong in the old one
        }
        return was_asked ? Result<EpisodeResult>(EpisodeResult{.task = std::string(wanted.task->name), .seed = wanted.seed, .ending = Ending::Broken, .reason = why->message}) : *why;
    }

    const CampaignOptions& options_;
    ChatModel& model_;
    Clock& clock_;
    Board& board_;
    std::unique_ptr<Player> player_;
};

} // namespace

std::filesystem::path recording_file(const std::filesystem::path& keep, std::string_view task, std::uint64_t seed) { return keep / fmt::format("{}-{}.handeye", task, seed); }

Result<void> play_all(const CampaignOptions& options, Journal& journal, ChatModel& model, Clock& clock, const std::function<void(const Progress&)>& on_progress,
                      const std::stop_token& stop) {
    Board board(options, journal, clock, on_progress);
    const std::stop_callback pass_on(stop, [&board] { board.request_stop(); });
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < std::max(1, options.jobs); ++i) {
            threads.emplace_back([&] { Worker(options, model, clock, board).run(); });
        }
    }
    if (stop.stop_requested()) {
        return Error{ErrorCode::Cancelled, "stopped"};
    }
    const std::optional<Error> error = board.error();
    return error ? Result<void>(*error) : Result<void>();
}

} // namespace handeye::miniwob

// SPDX-License-Identifier: Apache-2.0
#include "apps/miniwob/journal.h"

#include "agent/history.h"
#include "base/json.h"
#include "base/json_fields.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <set>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye::miniwob {
namespace {

using nlohmann::json;

constexpr std::size_t kLineBytesMax = 32U << 10U;
constexpr std::size_t kFileBytesMax = 512U << 20U;
constexpr std::size_t kSettingsBytesMax = 64U << 10U;
constexpr std::size_t kWordsBytesMax = 2000; ///< of a goal and of a reason, which may be a model's or a page's own words
constexpr std::size_t kShownBytesMax = 200;

Error os_error(const std::filesystem::path& path, std::string_view doing) {
    return Error{ErrorCode::IoFailed, fmt::format("{} {}: {}", doing, path.string(), std::strerror(errno))};
}

json to_json(const Profile& profile) {
    const auto ms = [](double seconds) { return std::round(seconds * 1e4) / 10; };
    return {{"open", ms(profile.open)}, {"capture", ms(profile.capture)}, {"model", ms(profile.model)}, {"act", ms(profile.act)}, {"settle", ms(profile.settle)}, {"rest", ms(profile.rest)}};
}

Profile profile_from(const json& ms) {
    const auto seconds = [&ms](const char* key) { return json_number(ms, key) / 1e3; };
    return {seconds("open"), seconds("capture"), seconds("model"), seconds("act"), seconds("settle"), seconds("rest")};
}

/// What is in the folder must be ours before anything is written there: a stranger's folder, and links that lead elsewhere, are left alone.
Result<void> check_folder(const std::filesystem::path& folder) {
    std::error_code problem;
    bool is_empty = true;
    for (const auto& entry : std::filesystem::directory_iterator(folder, problem)) {
        is_empty = false;
        if (!entry.is_directory(problem) && (entry.is_symlink(problem) || !entry.is_regular_file(problem))) {
            return Error{ErrorCode::InvalidArgument, fmt::format("{} is no regular file: name another --out", entry.path().string())};
        }
    }
    if (!is_empty && !std::filesystem::exists(folder / kSettingsFile, problem)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is not empty and holds no evaluation ({} is missing): name a new or an empty folder with --out", folder.string(), kSettingsFile)};
    }
    return problem ? Error{ErrorCode::IoFailed, fmt::format("{}: {}", folder.string(), problem.message())} : Result<void>();
}

Result<void> check_settings_file(const std::filesystem::path& path, const json& settings) {
    std::error_code problem;
    if (!std::filesystem::exists(path, problem)) {
        return write_file_atomic(path, settings.dump(2) + "\n");
    }
    const json recorded = TRY(read_json(path, {.bytes_max = kSettingsBytesMax}));
    return check_same_settings(recorded, settings, path.parent_path());
}

} // namespace

std::string to_line(const EpisodeResult& result) {
    return dump_json({{"task", result.task},
                      {"seed", result.seed},
                      {"outcome", ending_name(result.ending)},
                      {"raw_reward", result.raw_reward},
                      {"steps", result.steps},
                      {"model_calls", result.model_calls},
                      {"tokens", result.tokens},
                      {"seconds", std::round(result.seconds * 1e3) / 1e3},
                      {"reason", clip_utf8(result.reason, kWordsBytesMax)},
                      {"goal", clip_utf8(result.goal, kWordsBytesMax)},
                      {"profile_ms", to_json(result.profile)}});
}

Result<EpisodeResult> from_line(std::string_view line) {
    const json data = TRY(parse_json(line, {.bytes_max = kLineBytesMax, .depth_max = 4}));
    EpisodeResult result;
    result.task = json_text(data, "task");
    if (find_task(result.task) == nullptr) {
        return Error{ErrorCode::ParseFailed, fmt::format("\"task\" is \"{}\", which is none", result.task.substr(0, 80))};
    }
    const json& seed = json_member(data, "seed");
    if (!seed.is_number_unsigned()) {
        return Error{ErrorCode::ParseFailed, "\"seed\" is no whole number"};
    }
    result.seed = seed.get<std::uint64_t>();
    const std::optional<Ending> ending = find_ending(json_text(data, "outcome"));
    if (!ending) {
        return Error{ErrorCode::ParseFailed, fmt::format("\"outcome\" is \"{}\", which is none", json_text(data, "outcome").substr(0, 80))};
    }
    result.ending = *ending;
    result.raw_reward = json_number(data, "raw_reward", 2);
    result.steps = json_int(data, "steps", -1);
    result.model_calls = json_int(data, "model_calls", -1);
    result.tokens = static_cast<std::int64_t>(json_number(data, "tokens"));
    result.seconds = json_number(data, "seconds", -1);
    if (std::abs(result.raw_reward) > 1 || result.steps < 0 || result.model_calls < 0 || result.seconds < 0 || (result.ending == Ending::Solved) != (result.raw_reward == 1)) {
        return Error{ErrorCode::ParseFailed, "reward, steps, model calls or seconds are missing or cannot be"};
    }
    result.reason = json_text(data, "reason");
    result.goal = json_text(data, "goal");
    result.profile = profile_from(json_object(data, "profile_ms"));
    return result;
}

Result<void> check_same_settings(const json& recorded, const json& wanted, const std::filesystem::path& folder) {
    std::set<std::string> names;
    for (const json* const settings : {&recorded, &wanted}) {
        for (const auto& [name, value] : settings->items()) {
            names.insert(name);
        }
    }
    std::string differing;
    for (const std::string& name : names) {
        const json& was = json_member(recorded, name.c_str());
        const json& is = json_member(wanted, name.c_str());
        if (was != is) {
            differing += fmt::format("{}{} was {}, now {}", differing.empty() ? "" : "; ", name, clip_utf8(dump_json(was), kShownBytesMax), clip_utf8(dump_json(is), kShownBytesMax));
        }
    }
    return differing.empty() ? Result<void>() : Error{ErrorCode::InvalidArgument, fmt::format("{} holds episodes of another run: {}. Name another --out, or give the same", folder.string(), differing)};
}

Result<std::unique_ptr<Journal>> Journal::open(const std::filesystem::path& folder, const json& settings) {
    std::error_code problem;
    std::filesystem::create_directories(folder, problem);
    if (problem) {
        return Error{ErrorCode::IoFailed, fmt::format("{}: {}", folder.string(), problem.message())};
    }
    TRY(check_folder(folder));
    TRY(check_settings_file(folder / kSettingsFile, settings));
    const std::filesystem::path path = folder / kEpisodesFile;
    FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0644));
    struct stat facts {};
    if (!file.is_open() || ::fstat(file.get(), &facts) != 0) {
        return os_error(path, "opening");
    }
    if (!S_ISREG(facts.st_mode)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is no regular file", path.string())};
    }
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        return Error{ErrorCode::Unavailable, fmt::format("another program writes episodes to {}", folder.string())};
    }
    std::unique_ptr<Journal> journal(new Journal(std::move(file), path));
    TRY(journal->read_back());
    return journal;
}

Result<void> Journal::read_back() {
    const std::string text = TRY(read_file(path_, kFileBytesMax));
    std::size_t begin = 0;
    for (std::size_t number = 1; begin < text.size(); ++number) {
        const std::size_t end = text.find('\n', begin);
        if (end == std::string::npos) { // the program ended while it wrote
            if (::ftruncate(file_.get(), static_cast<off_t>(begin)) != 0) {
                return os_error(path_, "cutting off the last line of");
            }
            break;
        }
        EpisodeResult result = TRY(from_line(std::string_view(text).substr(begin, end - begin)).with_context(fmt::format("{}:{}", path_.string(), number)));
        if (known_.emplace(result.task, result.seed).second) {
            results_.push_back(std::move(result));
        }
        begin = end + 1;
    }
    return {};
}

Result<void> Journal::add(const EpisodeResult& result) {
    const std::string line = to_line(result) + "\n";
    const ssize_t written = ::write(file_.get(), line.data(), line.size()); // O_APPEND: one write is one line
    if (written != static_cast<ssize_t>(line.size()) || ::fdatasync(file_.get()) != 0) {
        return os_error(path_, "writing");
    }
    known_.emplace(result.task, result.seed);
    results_.push_back(result);
    return {};
}

bool Journal::has(std::string_view task, std::uint64_t seed) const { return known_.contains(std::pair(std::string(task), seed)); }

} // namespace handeye::miniwob

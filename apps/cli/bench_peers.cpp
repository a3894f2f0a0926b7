// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/bench_peers.h"

#include "apps/cli/llama_peer.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_fields.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <map>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace handeye::cli {
namespace {

constexpr std::size_t kOutputBytesMax = 1U << 20U;

/// What both print.
struct Measured {
    const char* name;
    bool is_less_better;
};
constexpr std::array<Measured, 6> kMeasured = {{{"decode", false}, {"prefill", false}, {"vision", true}, {"first_token", true}, {"load", true}, {"peak_memory", true}}};

struct Files {
    std::filesystem::path model;
    std::filesystem::path projector; ///< empty: none
};

// As the engine finds them: a model or its first part, and the one file beside it that is called an mmproj.
Result<Files> find_files(const std::filesystem::path& given) {
    std::error_code problem;
    const bool is_folder = std::filesystem::is_directory(given, problem);
    Files found{.model = is_folder ? std::filesystem::path() : given, .projector = {}};
    const std::filesystem::path folder = is_folder ? given : given.parent_path().empty() ? "." : given.parent_path();
    for (std::filesystem::directory_iterator at(folder, problem), end; !problem && at != end; at.increment(problem)) {
        const std::string name = at->path().filename().string();
        const bool is_projector = name.find("mmproj") != std::string::npos, is_later_part = name.find("-of-") != std::string::npos && name.find("-00001-of-") == std::string::npos;
        if (at->path().extension() != ".gguf" || (!is_projector && (!is_folder || is_later_part))) {
            continue;
        }
        auto& place = is_projector ? found.projector : found.model;
        if (!place.empty()) {
            return Error{ErrorCode::InvalidArgument, fmt::format("{} has {} and {}, of which one is used", folder.string(), place.filename().string(), name)};
        }
        place = at->path();
    }
    if (problem) {
        return Error{ErrorCode::IoFailed, fmt::format("{} cannot be listed: {}", folder.string(), problem.message())};
    }
    if (found.model.extension() != ".gguf") {
        return Error{ErrorCode::NotFound, fmt::format("{} is or has no .gguf: llama.cpp reads nothing else", given.string())};
    }
    return found;
}

Result<std::string> read_all(const FileDescriptor& from, const std::stop_token& stop) {
    std::string text;
    std::array<char, 4096> piece{};
    for (;;) {
        const ssize_t got = ::read(from.get(), piece.data(), piece.size());
        if (stop.stop_requested()) {
            return Error{ErrorCode::Cancelled, "stopped"};
        }
        if (got == 0) {
            return text;
        }
        if (got < 0 && errno != EINTR) {
            return Error{ErrorCode::IoFailed, std::strerror(errno)};
        }
        text.append(piece.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (text.size() > kOutputBytesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("it prints more than {} bytes", kOutputBytesMax)};
        }
    }
}

/// What a program prints; what it says of itself goes where ours goes.
Result<std::string> output_of(std::vector<std::string> words, const std::stop_token& stop) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return Error{ErrorCode::IoFailed, fmt::format("no pipe: {}", std::strerror(errno))};
    }
    const FileDescriptor from(ends[0]);
    FileDescriptor to(ends[1]);
    std::vector<char*> argv;
    for (std::string& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    posix_spawn_file_actions_t streams;
    ::posix_spawn_file_actions_init(&streams);
    ::posix_spawn_file_actions_adddup2(&streams, to.get(), STDOUT_FILENO);
    posix_spawnattr_t attributes; // signals are blocked here: they come to a thread
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    pid_t child = 0;
    const int failed = ::posix_spawnp(&child, argv[0], &streams, &attributes, argv.data(), environ);
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&streams);
    to = FileDescriptor();
    if (failed != 0) {
        return Error{ErrorCode::Unavailable, fmt::format("{} cannot be run: {}", words[0], std::strerror(failed))};
    }
    Result<std::string> text = [&] {
        const std::stop_callback end_it(stop, [child] { ::kill(child, SIGKILL); }); // it has nothing to save
        return read_all(from, stop);
    }();
    if (!text) {
        ::kill(child, SIGKILL);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (text && status != 0) {
        return Error{ErrorCode::Unavailable, WIFSIGNALED(status) ? fmt::format("{} was ended by signal {}", words[0], WTERMSIG(status)) : fmt::format("{} ended with {}", words[0], WEXITSTATUS(status))};
    }
    return text;
}

/// A figure's values, one of each round; of ours the machine's limit too.
struct Side {
    std::map<std::string, std::vector<double>> values;
    std::map<std::string, nlohmann::json> last;
};

Result<void> take_lines(const std::string& text, Side& side) {
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const nlohmann::json line = TRY(parse_json(std::string_view(text).substr(at, end - at)));
        at = end + 1;
        if (!line.is_object() || !line.contains("value") || !line["value"].is_number()) {
            return Error{ErrorCode::ParseFailed, "a line of a measurement has no value"};
        }
        const std::string name = json_text(line, "name");
        side.values[name].push_back(line["value"].get<double>());
        side.last[name] = line;
    }
    return {};
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    const std::size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

void print_figure(const Measured& figure, const Side& ours, const Side& peers, bool is_json) {
    const auto mine = ours.values.find(figure.name), theirs = peers.values.find(figure.name);
    if (mine == ours.values.end() || theirs == peers.values.end()) {
        return;
    }
    const double a = median(mine->second), b = median(theirs->second);
    const double ratio = figure.is_less_better ? b / a : a / b;
    const nlohmann::json& line = ours.last.at(figure.name);
    const double ceiling = line.value("ceiling", 0.0);
    const auto share = [&](double value) { return figure.is_less_better ? ceiling / value : value / ceiling; };
    if (is_json) {
        nlohmann::json out{{"name", figure.name}, {"unit", line["unit"]}, {"handeye", mine->second}, {"llama.cpp", theirs->second}, {"ratio", ratio}};
        if (ceiling > 0) {
            out.update({{"ceiling", ceiling}, {"ceiling_of", line["ceiling_of"]}, {"share", share(a)}, {"share_of_llama.cpp", share(b)}});
        }
        print_json(out);
        return;
    }
    const std::string limit = ceiling > 0 ? fmt::format("  {:>3.0f} % and {:>3.0f} % of {:.4g}, {}", share(a) * 100, share(b) * 100, ceiling, json_text(line, "ceiling_of")) : "";
    print(fmt::format("{:<12} {:>10.4g} {:>10.4g} {:<9} {:>5.2f}{}", figure.name, a, b, json_text(line, "unit"), ratio, limit));
}

} // namespace

Result<int> bench_peers(const BenchPeersOptions& options, const Context& context) {
    const Files files = TRY(find_files(options.model));
    if (!files.projector.empty() && options.picture.empty()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("--picture is missing: {} sees, so name a screenshot", files.model.filename().string())};
    }
    const std::string threads = std::to_string(options.threads > 0 ? options.threads : static_cast<int>(std::thread::hardware_concurrency()));
    std::vector<std::string> ours_words{"/proc/self/exe", "bench", "engine", "--json", "--model", options.model, "--threads", threads};
    if (!options.picture.empty()) {
        ours_words.insert(ours_words.end(), {"--picture", options.picture});
    }
    const std::vector<std::string> peers_words{options.python, "-c", llama_peer_program(), files.model.string(), files.projector.string(), options.picture, threads};
    Side ours, peers;
    const auto measure = [&](const char* name, const std::vector<std::string>& words, Side& side) -> Result<void> {
        const std::string lines = TRY(output_of(words, context.stop).with_context(name));
        TRY(take_lines(lines, side).with_context(name));
        return {};
    };
    for (int round = 0; round < options.rounds; ++round) { // each goes first in turn: who comes second finds the files in memory
        for (const bool is_ours : {round % 2 == 0, round % 2 != 0}) {
            print_progress(fmt::format("round {} of {}: {}", round + 1, options.rounds, is_ours ? "handeye" : "llama.cpp"));
            TRY(is_ours ? measure("bench engine", ours_words, ours) : measure("llama.cpp", peers_words, peers));
        }
    }
    print_progress("");
    if (!context.json) {
        print(fmt::format("{:<12} {:>10} {:>10} {:<9} {:>5}", "", "handeye", "llama.cpp", "", "ratio"));
    }
    for (const Measured& figure : kMeasured) {
        print_figure(figure, ours, peers, context.json);
    }
    return 0;
}

} // namespace handeye::cli

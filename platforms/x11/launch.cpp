// SPDX-License-Identifier: Apache-2.0
// posix_spawn with a session of its own, and the few rules of desktop entries that launching needs.
#include "platforms/x11/launch.h"

#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

constexpr std::size_t kEntryBytesMax = 1U << 18U;
constexpr std::size_t kArgumentsMax = 1024;

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::size_t start = 0;
    while (start <= text.size()) {
        const std::size_t end = std::min(text.find(separator, start), text.size());
        if (end > start) {
            parts.push_back(text.substr(start, end - start));
        }
        start = end + 1;
    }
    return parts;
}

std::string environment_or(const char* name, const std::string& fallback) {
    const char* value = std::getenv(name);
    return value == nullptr || *value == '\0' ? fallback : value;
}

/// The value of `key` in the [Desktop Entry] group; empty where there is none.
std::string entry_value(const std::string& text, const std::string& key) {
    bool is_in_group = false;
    for (const std::string& line : split(text, '\n')) {
        if (line.front() == '[') {
            is_in_group = line.rfind("[Desktop Entry]", 0) == 0;
        } else if (is_in_group && line.rfind(key + "=", 0) == 0) {
            return line.substr(key.size() + 1);
        }
    }
    return {};
}

std::vector<std::filesystem::path> entry_folders() {
    const std::string home = environment_or("HOME", "/");
    std::vector<std::string> roots = {environment_or("XDG_DATA_HOME", home + "/.local/share")};
    const auto system = split(environment_or("XDG_DATA_DIRS", "/usr/local/share:/usr/share"), ':');
    roots.insert(roots.end(), system.begin(), system.end());
    std::vector<std::filesystem::path> folders;
    for (const std::string& root : roots) {
        folders.push_back(std::filesystem::path(root) / "applications");
    }
    return folders;
}

struct SpawnSettings {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;

    SpawnSettings() {
        posix_spawn_file_actions_init(&files);
        posix_spawnattr_init(&attributes);
    }
    SpawnSettings(const SpawnSettings&) = delete;
    SpawnSettings& operator=(const SpawnSettings&) = delete;
    ~SpawnSettings() {
        posix_spawn_file_actions_destroy(&files);
        posix_spawnattr_destroy(&attributes);
    }
};

std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> result;
    for (std::string& text : strings) {
        result.push_back(text.data());
    }
    result.push_back(nullptr);
    return result;
}

} // namespace

std::vector<std::string> split_exec(const std::string& line) {
    std::vector<std::string> words;
    std::string word;
    bool is_quoted = false;
    bool has_word = false;
    const auto finish = [&] {
        if (has_word) {
            words.push_back(word);
        }
        word.clear();
        has_word = false;
    };
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (c == '"') {
            is_quoted = !is_quoted;
            has_word = true;
        } else if (is_quoted && c == '\\' && i + 1 < line.size()) {
            word += line[++i];
        } else if (!is_quoted && c == ' ') {
            finish();
        } else if (c == '%' && i + 1 < line.size()) {
            if (line[++i] == '%') { // every other code stands for files or icons that we do not pass
                word += '%';
                has_word = true;
            }
        } else {
            word += c;
            has_word = true;
        }
    }
    finish();
    return words;
}

Result<std::vector<std::string>> find_desktop_entry(const std::string& name) {
    const std::string wanted = lower(name);
    std::error_code error;
    for (const auto& folder : entry_folders()) {
        for (const auto& file : std::filesystem::directory_iterator(folder, error)) {
            if (file.path().extension() != ".desktop") {
                continue;
            }
            const auto text = read_file(file.path(), kEntryBytesMax);
            if (!text) {
                continue; // an entry that cannot be read offers nothing
            }
            const bool is_match = lower(file.path().stem().string()) == wanted ||
                                  lower(entry_value(*text, "Name")) == wanted;
            auto argv = is_match ? split_exec(entry_value(*text, "Exec")) : std::vector<std::string>();
            if (!argv.empty()) {
                return argv;
            }
        }
    }
    return Error{ErrorCode::NotFound,
                 fmt::format("\"{}\" is neither a program in PATH nor a desktop entry", name)};
}

Result<int> launch(const std::vector<std::string>& argv, const Environment& changes) {
    if (argv.empty() || argv.size() > kArgumentsMax) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("launch takes 1 to {} arguments, not {}", kArgumentsMax, argv.size())};
    }
    std::vector<std::string> arguments = argv;
    auto program = find_program(argv.front());
    if (!program && argv.front().find('/') == std::string::npos) {
        arguments = TRY(find_desktop_entry(argv.front()));
        arguments.insert(arguments.end(), argv.begin() + 1, argv.end());
        program = find_program(arguments.front());
    }
    const std::string path = TRY(std::move(program));
    SpawnSettings settings;
    posix_spawn_file_actions_addopen(&settings.files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&settings.files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&settings.files, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&settings.files, 3);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&settings.attributes, &none); // ours may block signals for a waiting thread
    posix_spawnattr_setsigdefault(&settings.attributes, &all);
    posix_spawnattr_setflags(&settings.attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    std::vector<std::string> environment = merged_environment(changes);
    pid_t pid = 0;
    const int failure = posix_spawn(&pid, path.c_str(), &settings.files, &settings.attributes,
                                    pointers(arguments).data(), pointers(environment).data());
    if (failure != 0) {
        return Error{ErrorCode::IoFailed, fmt::format("starting \"{}\": {}", path, std::strerror(failure))};
    }
    return pid;
}

// A program on a display of somebody else may outlive the platform, and our thread may not hold up the end of this process: so it
// is detached, and holds nothing but the status.
std::shared_ptr<const LaunchStatus> reap_when_ended(int pid) {
    auto status = std::make_shared<LaunchStatus>(kStillRuns);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); // the thread inherits it: signals are for the others
    std::thread([pid, status] {
        int said = 0;
        pid_t ended = 0;
        do {
            ended = waitpid(pid, &said, 0);
        } while (ended < 0 && errno == EINTR);
        *status = ended == pid ? said : 0;
    }).detach();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return status;
}

} // namespace handeye::x11

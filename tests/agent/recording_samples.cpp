// SPDX-License-Identifier: Apache-2.0
#include "tests/agent/recording_samples.h"

#include "base/hash.h"

#include <array>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace handeye::tests {

TempDir::TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "handeye-test-XXXXXX").string();
    CHECK(::mkdtemp(name.data()) != nullptr);
    path_ = name;
}

TempDir::~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

SessionEvent make_event(int index, std::size_t blob_bytes) {
    std::vector<std::uint8_t> bytes(blob_bytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::uint8_t>(i * 7 + static_cast<std::size_t>(index) * 13 + i / 251);
    }
    SessionEvent event;
    event.type = "test.event";
    const std::string name = to_hex(sha256(std::span<const std::uint8_t>(bytes)));
    event.data_json = fmt::format(R"({{"index":{},"text":"a line with \"quotes\" and ümlaut","blob":{{"sha256":"{}","media_type":"image/png"}}}})", index, name);
    event.mono = TimePoint(Duration(index * 1000));
    event.wall = WallTime(std::chrono::milliseconds(1'767'225'600'000LL + index));
    event.blobs.push_back({name, "image/png", std::make_shared<const std::vector<std::uint8_t>>(std::move(bytes))});
    return event;
}

std::filesystem::path record_sample(const std::filesystem::path& path, int count, Ending ending) {
    auto recorder = Recorder::open(path, "S");
    CHECK(recorder.has_value());
    for (int i = 1; i <= count; ++i) {
        CHECK((*recorder)->on_event(make_event(i)).has_value());
    }
    CHECK(ending == Ending::Left || (*recorder)->seal().has_value());
    return path;
}

std::uint64_t run_and_kill(const std::filesystem::path& program, const std::filesystem::path& file, std::chrono::microseconds delay) {
    std::array<int, 2> pipe{};
    CHECK(::pipe2(pipe.data(), O_CLOEXEC) == 0); // other threads start programs too
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
    std::string program_name = program.string();
    std::string file_name = file.string();
    std::array<char*, 3> argv{program_name.data(), file_name.data(), nullptr};
    pid_t child = 0;
    CHECK(::posix_spawn(&child, program_name.c_str(), &actions, nullptr, argv.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(pipe[1]);

    // The first byte says that the program is up; then the delay runs, drained from the pipe so that it never blocks.
    std::string text;
    std::array<char, 4096> buffer{};
    const auto read_some = [&] {
        const ssize_t got = ::read(pipe[0], buffer.data(), buffer.size());
        text.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        return got > 0;
    };
    bool is_open = read_some();
    const auto deadline = std::chrono::steady_clock::now() + delay;
    while (is_open && std::chrono::steady_clock::now() < deadline) {
        pollfd waiting{pipe[0], POLLIN, 0};
        const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(deadline - std::chrono::steady_clock::now());
        const timespec timeout{0, std::max<long>(left.count(), 0)};
        if (::ppoll(&waiting, 1, &timeout, nullptr) > 0) {
            is_open = read_some();
        }
    }
    ::kill(child, SIGKILL);
    while (read_some()) {
    }
    ::close(pipe[0]);
    ::waitpid(child, nullptr, 0);
    const std::size_t end = text.rfind('\n'); // a last line without its end was not said
    const std::size_t begin = end == std::string::npos || end == 0 ? std::string::npos : text.rfind('\n', end - 1);
    return end == std::string::npos ? 0 : std::strtoull(text.c_str() + (begin == std::string::npos ? 0 : begin + 1), nullptr, 10);
}

} // namespace handeye::tests

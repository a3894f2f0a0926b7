// SPDX-License-Identifier: Apache-2.0
// The engine in its own process: what it answers, how its death shows, how it comes back, what it cannot do.
#include "engine/engine_process.h"

#include "tests/engine/temporary_folder.h"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace handeye {
namespace {

using namespace std::chrono_literals;

ChatRequest ask(const std::string& wish) {
    ChatRequest request;
    request.messages.push_back({.parts = {TextPart{wish}}});
    return request;
}

class EngineProcessTest : public ::testing::Test {
protected:
    TemporaryFolder folder;
    EngineProcessOptions options;
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<EngineEvent> events;

    EngineProcessTest() {
        options.engine.model_dir = folder.path();
        options.program = std::filesystem::path(HANDEYE_BINARY_DIR) / "bin" / "scripted_engine";
        options.restart_pause_first = 20ms;
        options.restart_wait_max = 60s;
        options.on_event = [this](const EngineEvent& event) {
            const std::lock_guard lock(mutex);
            events.push_back(event);
            changed.notify_all();
        };
    }
    std::unique_ptr<EngineProcess> open() {
        auto model = open_engine_process(options);
        EXPECT_TRUE(model) << model.error().message;
        return model ? std::move(*model) : nullptr;
    }
    bool wait_for_events(std::size_t count) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, 60s, [&] { return events.size() >= count; });
    }
};

TEST_F(EngineProcessTest, AnswersAsTheModelInsideDoes) {
    std::vector<std::string> stages;
    options.engine.on_progress = [&](std::string_view stage, double share) {
        stages.emplace_back(stage);
        EXPECT_EQ(share, 0.5);
    };
    const auto model = open();
    EXPECT_EQ(stages, std::vector<std::string>{"weights"});
    EXPECT_EQ(model->info().name, "scripted");
    EXPECT_EQ(model->info().context_tokens_max, 4096);
    std::string heard;
    const auto reply = model->generate(ask("grüß dich"), [&](std::string_view text) { heard += text; }, {});
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->text_utf8, "said: grüß dich");
    EXPECT_EQ(heard, reply->text_utf8);
    EXPECT_EQ(reply->ids, (std::vector<std::int32_t>{1, 2, 3}));
    EXPECT_EQ(reply->usage.prompt_tokens, 12);
    EXPECT_EQ(reply->usage.timings.decode, 5us);
    EXPECT_TRUE(model->status().is_ready);
    EXPECT_EQ(model->status().restarts, 0);
}

TEST_F(EngineProcessTest, PicturesArriveUnchanged) {
    const auto model = open();
    ChatRequest request = ask("hash");
    std::string want;
    std::vector<Image> frames;
    for (const auto format : {PixelFormat::Rgb, PixelFormat::Rgba, PixelFormat::Bgrx, PixelFormat::Gray}) {
        std::vector<std::uint8_t> pixels(static_cast<std::size_t>(31 * 17 * bytes_per_pixel(format)));
        for (std::size_t i = 0; i < pixels.size(); ++i) {
            pixels[i] = static_cast<std::uint8_t>(i * 7);
        }
        const auto image = Image::from_pixels({31, 17}, format, pixels);
        ASSERT_TRUE(image);
        request.messages.front().parts.push_back(ImagePart{*image});
        frames.push_back(*image);
        want += std::to_string(image->content_hash()) + " ";
    }
    request.messages.front().parts.push_back(VideoPart{.frames = frames, .fps = 4});
    const auto reply = model->generate(request, {}, {});
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->text_utf8, want + want);
}

TEST_F(EngineProcessTest, ErrorsKeepTheirKindAndTheWorkerLives) {
    const auto model = open();
    const pid_t pid = model->status().pid;
    const auto reply = model->generate(ask("fail"), {}, {});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, ErrorCode::LimitExceeded);
    EXPECT_EQ(reply.error().message, "a prompt too long");
    EXPECT_TRUE(model->generate(ask("go on"), {}, {}));
    EXPECT_EQ(model->status().pid, pid);
}

TEST_F(EngineProcessTest, ACrashInMidAnswerIsEngineLostAndTheNextCallSucceeds) {
    const auto model = open();
    for (const char* how : {"segfault", "kill"}) {
        const auto reply = model->generate(ask(how), {}, {});
        ASSERT_FALSE(reply);
        EXPECT_EQ(reply.error().code, ErrorCode::EngineLost);
        EXPECT_NE(reply.error().message.find("signal"), std::string::npos) << reply.error().message;
        const auto next = model->generate(ask("after it"), {}, {});
        ASSERT_TRUE(next) << next.error().message;
        EXPECT_EQ(next->text_utf8, "said: after it");
    }
    EXPECT_EQ(model->status().restarts, 2);
    ASSERT_TRUE(wait_for_events(4));
    EXPECT_EQ(events[0].kind, EngineEvent::Kind::Lost);
    EXPECT_EQ(events[1].kind, EngineEvent::Kind::Restarted);
    EXPECT_NE(events[0].message.find("signal 11"), std::string::npos) << events[0].message;
}

TEST_F(EngineProcessTest, AKillFromOutsideInMidAnswerIsToldWithinASecond) {
#ifdef __SANITIZE_ADDRESS__
    constexpr Duration kReport = 20s; // which the sanitizer writes before the process ends
#else
    constexpr Duration kReport = 0s;
#endif
    const auto model = open();
    for (const int number : {SIGSEGV, SIGKILL, SIGTERM}) {
        const pid_t pid = model->status().pid;
        ASSERT_GT(pid, 0);
        std::atomic<bool> is_answering = false;
        TimePoint killed{};
        std::thread killer([&] {
            is_answering.wait(false);
            killed = std::chrono::steady_clock::now();
            ::kill(pid, number);
        });
        const auto reply = model->generate(ask("endless"), [&](std::string_view) {
            is_answering = true;
            is_answering.notify_all();
        }, {});
        const auto took = std::chrono::steady_clock::now();
        killer.join();
        ASSERT_FALSE(reply);
        EXPECT_EQ(reply.error().code, ErrorCode::EngineLost);
        EXPECT_LT(took - killed, number == SIGSEGV ? 1s + kReport : 1s);
        EXPECT_TRUE(model->generate(ask("again"), {}, {}));
    }
}

TEST_F(EngineProcessTest, AFrozenWorkerIsKilledByTheWatchdog) {
    options.beat_interval = 50ms;
    options.beat_timeout = 1s;
    const auto model = open();
    const auto reply = model->generate(ask("freeze"), {}, {});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, ErrorCode::EngineLost);
    EXPECT_NE(reply.error().message.find("no sign of life"), std::string::npos) << reply.error().message;
    EXPECT_TRUE(model->generate(ask("again"), {}, {}));
}

TEST_F(EngineProcessTest, AnAnswerWithoutTokensIsKilledAsHung) {
    options.silence_max = 300ms;
    const auto model = open();
    const auto reply = model->generate(ask("silent"), {}, {});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, ErrorCode::EngineLost);
    EXPECT_NE(reply.error().message.find("no token"), std::string::npos) << reply.error().message;
    EXPECT_TRUE(model->generate(ask("again"), {}, {}));
}

TEST_F(EngineProcessTest, StopEndsTheAnswerAndKeepsWhatThereIs) {
    const auto model = open();
    std::stop_source stop;
    int pieces = 0;
    const auto reply = model->generate(ask("endless"), [&](std::string_view) {
        if (++pieces == 5) {
            stop.request_stop();
        }
    }, stop.get_token());
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->stop_reason, StopReason::Cancelled);
    EXPECT_GE(reply->text_utf8.size(), 5U);
    EXPECT_EQ(model->generate(ask("next"), {}, {})->text_utf8, "said: next"); // the stop of one is not the stop of the next
}

TEST_F(EngineProcessTest, SeveralCallsAtOnceAndAStopIsForOne) {
    const auto model = open();
    std::stop_source stop;
    std::atomic<bool> is_answering = false;
    std::thread first([&] {
        const auto reply = model->generate(ask("endless"), [&](std::string_view) {
            is_answering = true;
            is_answering.notify_all();
        }, stop.get_token());
        EXPECT_EQ(reply ? reply->stop_reason : StopReason::StopToken, StopReason::Cancelled);
    });
    is_answering.wait(false);
    for (int i = 0; i < 3; ++i) {
        const auto second = model->generate(ask("me too"), {}, {});
        EXPECT_EQ(second ? second->text_utf8 : second.error().message, "said: me too");
    }
    stop.request_stop();
    first.join();
}

TEST_F(EngineProcessTest, ALossEndsEveryCall) {
    const auto model = open();
    std::vector<std::thread> callers;
    std::atomic<int> begun = 0;
    std::atomic<int> lost = 0;
    for (int i = 0; i < 3; ++i) {
        callers.emplace_back([&] {
            bool is_first = true;
            const auto reply = model->generate(ask("endless"), [&](std::string_view) {
                if (std::exchange(is_first, false)) {
                    ++begun;
                    begun.notify_all();
                }
            }, {});
            lost += !reply && reply.error().code == ErrorCode::EngineLost ? 1 : 0;
        });
    }
    for (int n = begun; n < 3; n = begun) {
        begun.wait(n);
    }
    ::kill(model->status().pid, SIGKILL);
    for (std::thread& caller : callers) {
        caller.join();
    }
    EXPECT_EQ(lost, 3);
}

TEST_F(EngineProcessTest, OpeningFailsWithTheErrorOfTheModelOrOfTheProcess) {
    options.engine.model_dir = folder.path() / "refuses";
    auto refused = open_engine_process(options);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::ParseFailed);
    options.engine.model_dir = folder.path() / "crashes";
    auto crashed = open_engine_process(options);
    ASSERT_FALSE(crashed);
    EXPECT_EQ(crashed.error().code, ErrorCode::EngineLost);
    options.program = "/nonexistent/handeye-engine";
    auto missing = open_engine_process(options);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, ErrorCode::NotFound);
    options.program = "/bin/true"; // ends without a word
    auto mute = open_engine_process(options);
    ASSERT_FALSE(mute);
    EXPECT_EQ(mute.error().code, ErrorCode::EngineLost);
}

TEST_F(EngineProcessTest, ItIsTriedAgainUntilTheModelIsBack) {
    const auto model = open();
    std::ofstream(folder.path() / "gone") << "x";
    EXPECT_EQ(model->generate(ask("segfault"), {}, {}).error().code, ErrorCode::EngineLost);
    ASSERT_TRUE(wait_for_events(3)); // lost, and two starts that failed
    EXPECT_NE(model->status().last_loss.find("gone"), std::string::npos) << model->status().last_loss;
    std::filesystem::remove(folder.path() / "gone");
    const auto reply = model->generate(ask("back"), {}, {});
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(model->status().restarts, 1);
}

TEST_F(EngineProcessTest, AWaitForTheRestartHasItsLimitAndHearsAStop) {
    options.restart_pause_first = std::chrono::hours(1);
    options.restart_pause_max = std::chrono::hours(1);
    options.restart_wait_max = 50ms;
    const auto model = open();
    EXPECT_FALSE(model->generate(ask("segfault"), {}, {}));
    const auto late = model->generate(ask("now?"), {}, {});
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, ErrorCode::EngineLost);
    EXPECT_NE(late.error().message.find("not back"), std::string::npos) << late.error().message;
    std::stop_source stop;
    stop.request_stop();
    EXPECT_EQ(model->generate(ask("now?"), {}, stop.get_token()).error().code, ErrorCode::Cancelled);
}

TEST_F(EngineProcessTest, TheWorkerHasNoDesktopAndNoDescriptorOfOurs) {
    ::setenv("DISPLAY", ":77", 1);
    ::setenv("WAYLAND_DISPLAY", "wayland-7", 1);
    ::setenv("XAUTHORITY", "/x", 1);
    ::setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/x", 1);
    ::setenv("SSH_AUTH_SOCK", "/x", 1);
    ::setenv("HANDEYE_SECRET", "canary", 1);
    const int leaked = ::dup(STDERR_FILENO); // without close-on-exec, as a careless library would leave it
    const auto model = open();
    const auto reply = model->generate(ask("describe"), {}, {});
    ::close(leaked);
    ASSERT_TRUE(reply);
    const std::string said = "\n" + reply->text_utf8;
    for (const char* name : {"DISPLAY", "WAYLAND", "XAUTHORITY", "DBUS", "SSH_", "canary", "XDG_RUNTIME_DIR", "\nHOME="}) {
        EXPECT_EQ(said.find(name), std::string::npos) << name;
    }
    EXPECT_NE(said.find("fd=3\n"), std::string::npos);
    EXPECT_EQ(said.find("fd=4\n"), std::string::npos) << said;
    for (const char* line : {"core=0\n", "no_new_privs=1\n", "dumpable=0\n", "leads=true\n"}) {
        EXPECT_NE(said.find(line), std::string::npos) << line << said;
    }
}

constexpr const char* kNothingDone = "socket:1 unix:1 exec:1 fork:1 ptrace:1 mount:1 kill:1 write:1 rewrite:1 unlink:1 ";

TEST_F(EngineProcessTest, TheWorkerCannotLeaveItsSandbox) {
    const auto model = open();
    const auto reply = model->generate(ask("escape"), {}, {});
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->text_utf8, kNothingDone);
}

TEST_F(EngineProcessTest, NeitherCanOneWithADriverThatTakesLongerToStartThanItMayBeSilent) {
    options.engine.device = "cuda";
    options.beat_timeout = 1s;
    const auto model = open();
    const auto reply = model->generate(ask("escape"), {}, {});
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->text_utf8, kNothingDone);
    EXPECT_TRUE(events.empty());
}

TEST_F(EngineProcessTest, EndsWithItsOwner) {
    auto model = open();
    const pid_t pid = model->status().pid;
    model.reset();
    EXPECT_NE(::kill(pid, 0), 0); // reaped: not even a zombie
}

TEST_F(EngineProcessTest, DiesWithItsOwnerEvenWhenItIsFrozen) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    const pid_t owner = ::fork();
    if (owner == 0) {
        const auto model = open_engine_process(options);
        const pid_t pid = model ? (*model)->status().pid : -1;
        (void)(*model)->generate(ask("freeze"), [&](std::string_view) { (void)!::write(ends[1], &pid, sizeof pid); }, {});
        ::_exit(1);
    }
    pid_t worker = -1;
    ASSERT_EQ(::read(ends[0], &worker, sizeof worker), static_cast<ssize_t>(sizeof worker));
    ASSERT_GT(worker, 0);
    ::kill(owner, SIGKILL);
    ::waitpid(owner, nullptr, 0);
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    const auto is_running = [&] {
        std::ifstream stat("/proc/" + std::to_string(worker) + "/stat");
        std::string id;
        std::string name;
        std::string state;
        return (stat >> id >> name >> state) && state != "Z"; // nobody may be there to reap it
    };
    while (is_running() && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::yield();
    }
    EXPECT_FALSE(is_running());
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST(EngineProgram, AnswersFromTheBundledModelAndSurvivesASegfault) {
    EngineProcessOptions options;
    options.engine = {.model_dir = std::filesystem::path(HANDEYE_SOURCE_DIR) / "models" / "nano", .context_tokens = 2048};
    options.program = std::filesystem::path(HANDEYE_BINARY_DIR) / "bin" / "handeye-engine";
    auto opened = open_engine_process(options);
    ASSERT_TRUE(opened) << opened.error().message;
    ChatRequest request = ask("Say something.");
    request.max_new_tokens = 24;
    const auto here = open_engine(options.engine);
    ASSERT_TRUE(here);
    const auto want = (*here)->generate(request, [](std::string_view) {}, {});
    ASSERT_TRUE(want);
    const auto got = (*opened)->generate(request, {}, {});
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->ids, want->ids);
    EXPECT_EQ((*opened)->info().parameters, (*here)->info().parameters);

    const pid_t pid = (*opened)->status().pid;
    bool is_killed = false;
    ChatRequest rambling = request; // long enough to be killed in its midst
    rambling.max_new_tokens = 1500;
    rambling.sampling = {.temperature = 3.0, .seed = 1};
    const auto lost = (*opened)->generate(rambling, [&](std::string_view) {
        if (!std::exchange(is_killed, true)) {
            ::kill(pid, SIGSEGV);
        }
    }, {});
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code, ErrorCode::EngineLost);
    const auto again = (*opened)->generate(request, {}, {});
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->ids, want->ids);
}

TEST(EngineProgram, OpensAGgufModelInItsSandbox) {
    EngineProcessOptions options;
    options.engine = {.model_dir = std::filesystem::path(HANDEYE_SOURCE_DIR) / "tests/golden/engine/glm4v-gguf", .threads = 1, .context_tokens = 1024};
    options.program = std::filesystem::path(HANDEYE_BINARY_DIR) / "bin" / "handeye-engine";
    const auto model = open_engine_process(options);
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ((*model)->info().family, "glm4v");
    EXPECT_EQ((*model)->info().weight_format, "q4_k");
    ChatRequest request = ask("hello");
    request.max_new_tokens = 3;
    const auto reply = (*model)->generate(request, {}, {});
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->usage.completion_tokens, 3);
}

} // namespace
} // namespace handeye

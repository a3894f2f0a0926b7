// SPDX-License-Identifier: Apache-2.0
// The request ledger without a server: full disks, torn lines, its size, and how its owners share it.
#include "server/request_ledger.h"

#include "base/json.h"
#include "server/loop.h"
#include "tests/fakes/sim_clock.h"
#include "tests/server/server_fixture.h"

#include <csignal>
#include <fstream>
#include <future>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

namespace handeye {
namespace {

using nlohmann::json;
using State = RequestLedger::State;

const std::string kBody(64, 'b');

/// One life of the program; the next one reads its file.
class Life {
public:
    Life(Clock& clock, const std::filesystem::path& file, std::size_t bytes_max = RequestLedger::kBytesMax)
        : clock_(clock), bytes_max_(bytes_max), file_(file), ledger_(std::make_unique<RequestLedger>(loop_, clock_, bytes_max_)) {
        const auto opened = ledger_->open(file_);
        EXPECT_TRUE(opened) << opened.error().message;
        loop_.run_on_thread();
    }
    ~Life() { loop_.stop(); }
    Life(const Life&) = delete;
    Life& operator=(const Life&) = delete;

    RequestLedger::Entry begin(const std::string& key, const std::string& body = kBody) {
        std::promise<RequestLedger::Entry> entry;
        loop_.post([&] { ledger_->begin(key, body, [&](RequestLedger::Entry got) { entry.set_value(std::move(got)); }); });
        return entry.get_future().get();
    }
    void finish(const std::string& key, const std::string& result_json) {
        std::promise<void> done;
        loop_.post([&] { ledger_->finish(key, {result_json, std::nullopt}, [&] { done.set_value(); }); });
        done.get_future().get();
    }
    State act(const std::string& key, const std::string& result_json = "{}") {
        const State state = begin(key).state;
        if (state == State::New) {
            finish(key, result_json);
        }
        return state;
    }
    void forget(const std::string& key) {
        std::promise<void> done;
        loop_.post([&] {
            ledger_->forget(key);
            done.set_value();
        });
        done.get_future().get();
    }
    [[nodiscard]] std::uintmax_t file_bytes() const { return std::filesystem::file_size(file_); }

private:
    Clock& clock_;
    const std::size_t bytes_max_;
    const std::filesystem::path file_;
    Loop loop_;
    std::unique_ptr<RequestLedger> ledger_;
};

/// While it lives, a write ends in its midst where the file would pass this size: a full disk does the same.
class FullDisk {
public:
    explicit FullDisk(std::uintmax_t bytes) {
        std::signal(SIGXFSZ, SIG_IGN);
        EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
        const rlimit small{bytes, before_.rlim_max};
        EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    }
    ~FullDisk() { EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before_), 0); }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;

private:
    rlimit before_{};
};

class RequestLedgerTest : public ::testing::Test {
protected:
    testing::PrivateFolder folder;
    fakes::SimClock clock;
    const std::filesystem::path file = folder.path() / "request_keys.jsonl";

    void write(const std::string& text) const { std::ofstream(file, std::ios::app) << text; }
    [[nodiscard]] std::int64_t now_ms() { return clock.wall_now().time_since_epoch() / std::chrono::milliseconds(1); }
    [[nodiscard]] static std::string begin_line(const std::string& key, std::int64_t at_ms) {
        return dump_json(json{{"what", "begin"}, {"key", key}, {"at_ms", at_ms}, {"body", kBody}}) + "\n";
    }
};

TEST_F(RequestLedgerTest, HalfALineIsTakenBackAndItsCallRefused) {
    {
        Life life(clock, file);
        ASSERT_EQ(life.act("before"), State::New);
        const auto whole = life.file_bytes();
        {
            const FullDisk full(whole + 20);
            const auto refused = life.begin("torn");
            EXPECT_EQ(refused.state, State::Failed);
            EXPECT_EQ(refused.error.code, ErrorCode::IoFailed) << refused.error.message;
        }
        ASSERT_EQ(life.act("after"), State::New);
    }
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
        EXPECT_TRUE(line.empty() || parse_json(line)) << line;
    }
    Life next(clock, file);
    EXPECT_EQ(next.begin("before").state, State::Done);
    EXPECT_EQ(next.begin("after").state, State::Done);
    EXPECT_EQ(next.begin("torn").state, State::New);
}

TEST_F(RequestLedgerTest, HalfALineInTheMiddleHidesNoKey) {
    const std::string outcome = R"({"at_ms":0,"key":"k","outcome":{"result":"{\"at_ms\":7}"},"what":"end"})";
    write(R"({"at_ms":17952)" + begin_line("k", now_ms()));
    write(std::string(outcome).replace(9, 1, std::to_string(now_ms())) + "\n");
    write(begin_line("cut", now_ms()) + R"({"at_ms":1,"key":"cut","outcome":{"resu)" + begin_line("next", now_ms()));
    write("[]\n7\n{\"at_ms\":\"no\"}\n{\"at_ms\":1,\"key\":2,\"what\":\"begin\"}\n\n" + begin_line("last", now_ms()).substr(0, 50));
    Life life(clock, file);
    const auto done = life.begin("k");
    EXPECT_EQ(done.state, State::Done);
    EXPECT_EQ(done.outcome.result_json, R"({"at_ms":7})");
    EXPECT_EQ(life.begin("cut").state, State::Unknown);
    EXPECT_EQ(life.begin("next").state, State::Unknown);
    EXPECT_EQ(life.begin("last").state, State::New);
}

TEST_F(RequestLedgerTest, AnEndWhoseBeginningIsLostIsNotDoneAgain) {
    {
        Life life(clock, file);
        ASSERT_EQ(life.act("k", R"({"a":1})"), State::New);
    }
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    const std::string lines = text.str();
    ASSERT_TRUE(write_file_atomic(file, lines.substr(lines.find('\n', lines.find(R"("what":"begin")")) + 1)));
    Life next(clock, file);
    EXPECT_EQ(next.begin("k").outcome.result_json, R"({"a":1})");
}

TEST_F(RequestLedgerTest, OpensWhateverTheSizeOfItsFile) {
    constexpr std::size_t kSmall = 64U << 10U;
    const std::int64_t long_ago = now_ms() - std::chrono::hours(24) / std::chrono::milliseconds(1) - 1;
    for (int i = 0; i < 1000; ++i) {
        write(begin_line(fmt::format("old {}", i), long_ago));
        write(begin_line(fmt::format("new {}", i), now_ms()));
    }
    Life life(clock, file, kSmall);
    EXPECT_EQ(life.begin("new 0").state, State::Unknown);
    EXPECT_EQ(life.begin("new 999").state, State::Unknown);
    EXPECT_EQ(life.begin("one more").error.code, ErrorCode::Overloaded);
    clock.advance(RequestLedger::kKept + std::chrono::seconds(1));
    EXPECT_EQ(life.begin("one more").state, State::New);
    EXPECT_EQ(life.begin("old 0").state, State::New);
    EXPECT_EQ(life.begin("new 0").state, State::New);
}

TEST_F(RequestLedgerTest, OpensOnAFullDisk) {
    write(begin_line("known", now_ms()) + begin_line("torn", now_ms()).substr(0, 50));
    {
        const FullDisk full(20);
        Life life(clock, file);
        EXPECT_EQ(life.begin("new").state, State::Failed);
    }
    {
        const FullDisk full(1U << 20U);
        Life life(clock, file);
        EXPECT_EQ(life.act("new"), State::New);
    }
    Life next(clock, file);
    EXPECT_EQ(next.begin("known").state, State::Unknown);
    EXPECT_EQ(next.begin("new").state, State::Done);
}

TEST_F(RequestLedgerTest, TheFileLosesWhatIsGoneWhileTheProgramRuns) {
    constexpr std::size_t kSmall = 256U << 10U;
    {
        Life life(clock, file, kSmall);
        ASSERT_EQ(life.act("stays"), State::New);
        ASSERT_EQ(life.begin("is under way").state, State::New);
        std::uintmax_t bytes_max = 0;
        for (int i = 0; i < 300; ++i) { // some 170 bytes each
            ASSERT_EQ(life.begin(fmt::format("k{}", i)).state, State::New);
            life.forget(fmt::format("k{}", i));
            bytes_max = std::max(bytes_max, life.file_bytes());
        }
        EXPECT_LT(bytes_max, kSmall / 16);
        EXPECT_EQ(life.act("last"), State::New);
    }
    Life next(clock, file, kSmall);
    EXPECT_EQ(next.begin("stays").state, State::Done);
    EXPECT_EQ(next.begin("is under way").state, State::Unknown);
    EXPECT_EQ(next.begin("last").state, State::Done);
    EXPECT_EQ(next.begin("k299").state, State::New);
}

TEST_F(RequestLedgerTest, OneOwnerLeavesRoomForTheOthers) {
    Life life(clock, file, 64U << 10U);
    RequestLedger::Entry refused;
    int count = 0;
    while (refused = life.begin(fmt::format("greedy\n{}", count)), refused.state == State::New) {
        life.finish(fmt::format("greedy\n{}", count++), R"({"notes":")" + std::string(2000, 'n') + "\"}");
        ASSERT_LT(count, 1000);
    }
    EXPECT_EQ(refused.state, State::Failed);
    EXPECT_EQ(refused.error.code, ErrorCode::Overloaded) << refused.error.message;
    EXPECT_GT(count, 5);
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(life.act(fmt::format("modest\n{}", i)), State::New);
        EXPECT_EQ(life.act(fmt::format("mine {}", i)), State::New);
    }
    EXPECT_EQ(life.begin("greedy\n0").state, State::Done);
    EXPECT_EQ(life.begin("greedy\nmore").state, State::Failed);
    clock.advance(RequestLedger::kKept + std::chrono::minutes(2));
    EXPECT_EQ(life.act("greedy\nmore"), State::New);
}

TEST_F(RequestLedgerTest, AnAnswerThatIsTooLongIsNotKeptAndNotDoneAgain) {
    for (const char* which : {"first", "second"}) {
        Life life(clock, file);
        (void)life.act("k", "\"" + std::string(RequestLedger::kLineBytesMax, 'x') + "\"");
        const auto again = life.begin("k");
        EXPECT_EQ(again.state, State::Done) << which;
        ASSERT_TRUE(again.outcome.error) << which;
        EXPECT_EQ(again.outcome.error->kind, ErrorKind::OutcomeUnknown);
        EXPECT_LT(life.file_bytes(), 2000U);
    }
}

} // namespace
} // namespace handeye

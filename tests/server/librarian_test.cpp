// SPDX-License-Identifier: Apache-2.0
// Whose read of a recording comes next, and which are not done at all.
#include "server/librarian.h"

#include "server/loop.h"

#include <array>
#include <condition_variable>
#include <future>
#include <mutex>
#include <vector>

#include <gtest/gtest.h>

namespace handeye {
namespace {

/// A librarian that is held by its first job until released: what is asked for meanwhile waits.
class LibrarianTest : public ::testing::Test {
protected:
    LibrarianTest() {
        loop_.run_on_thread();
        std::promise<void> begun;
        EXPECT_TRUE(librarian.submit({"z", nullptr}, reply(), [&] {
            begun.set_value();
            held_.get_future().wait();
        }));
        begun.get_future().wait();
    }
    ~LibrarianTest() override { loop_.stop(); }

    Reply reply() {
        return {loop_, [](const Outcome&) {}};
    }
    bool ask(const std::string& token, const void* peer, const std::string& name, const Reply& wanted) {
        return librarian.submit({token, peer}, wanted, [this, name] {
            const std::lock_guard lock(mutex_);
            done_.push_back(name);
            changed_.notify_all();
        });
    }
    bool ask(const std::string& token, const void* peer, const std::string& name) { return ask(token, peer, name, reply()); }
    /// Lets go, and waits until so many have been done.
    std::vector<std::string> release(std::size_t count) {
        held_.set_value();
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return done_.size() >= count; });
        return done_;
    }

    std::array<int, 3> peers{};

private:
    std::promise<void> held_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> done_;
    Loop loop_;

protected:
    Librarian librarian; // last: its thread uses the others
};

TEST_F(LibrarianTest, OneReadOfAnotherTokenComesBeforeASecondOfTheFirst) {
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(ask("busy", &peers[i % 2], "busy"));
    }
    ASSERT_TRUE(ask("calm", &peers[2], "calm"));
    ASSERT_TRUE(ask("", &peers[2], "mine"));
    const std::vector<std::string> done = release(102);
    EXPECT_EQ(std::vector(done.begin(), done.begin() + 3), (std::vector<std::string>{"mine", "busy", "calm"}));
}

TEST_F(LibrarianTest, ConnectionsOfOneTokenTakeTurns) {
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(ask("t", &peers[0], "first"));
    }
    ASSERT_TRUE(ask("t", &peers[1], "second"));
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(ask("u", &peers[2], "other"));
    }
    EXPECT_EQ(release(7), (std::vector<std::string>{"first", "other", "second", "other", "first", "other", "first"}));
}

TEST_F(LibrarianTest, WhatNobodyWaitsForIsNotRead) {
    const Reply gone = reply();
    gone.set_cancelling(OnCancel::AnswerAtOnce, OnHangUp::IsCancelled);
    ASSERT_TRUE(ask("t", &peers[0], "of a client that has gone", gone));
    const Reply goes_on = reply();
    ASSERT_TRUE(ask("t", &peers[0], "a deletion", goes_on));
    const Reply cancelled = reply();
    ASSERT_TRUE(ask("t", &peers[0], "cancelled", cancelled));
    ASSERT_TRUE(ask("t", &peers[0], "the last"));
    gone.hang_up();
    goes_on.hang_up();
    cancelled.cancel();
    EXPECT_EQ(release(2), (std::vector<std::string>{"a deletion", "the last"}));
    EXPECT_TRUE(gone.is_answered());
}

TEST_F(LibrarianTest, OneTokenFillsItsOwnPlacesAlone) {
    for (std::size_t i = 0; i < Librarian::kWaitingMax; ++i) {
        ASSERT_TRUE(ask("busy", &peers[0], "busy"));
    }
    EXPECT_FALSE(ask("busy", &peers[1], "busy"));
    EXPECT_TRUE(ask("calm", &peers[2], "calm"));
    EXPECT_EQ(release(Librarian::kWaitingMax + 1).size(), Librarian::kWaitingMax + 1);
}

} // namespace
} // namespace handeye

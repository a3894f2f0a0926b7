// SPDX-License-Identifier: Apache-2.0
// What request keys stand for, on the disk for 24 hours, so that a repeated call acts once even across the death of the
// program. A line is written and synced before a call acts, another one with its answer; a key with the first line alone
// says "unknown" for ever: what it did cannot be known, so it is not done again.
#pragma once

#include "base/clock.h"
#include "base/file.h"
#include "server/call.h"
#include "server/worker.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace handeye {

/// The I/O thread only; the disk has a thread of its own.
class RequestLedger {
public:
    static constexpr Duration kKept = std::chrono::hours(24);
    static constexpr std::size_t kKeysMax = 100'000;

    enum class State {
        New,     ///< this call is the first: act, then finish() or forget()
        Done,    ///< `outcome` is what the first one got
        Reused,  ///< another body stands under this key
        Unknown, ///< the program died while it acted
        Failed,  ///< the disk, with `message`: nothing may be done
    };
    struct Entry {
        State state = State::New;
        Outcome outcome;
        std::string message;
    };

    RequestLedger(Loop& loop, Clock& clock) : loop_(loop), clock_(clock), disk_(65536) {}
    /// Reads what an earlier run left; drops what is too old, and a torn last line.
    Result<void> open(const std::filesystem::path& file);

    /// `done` comes on the loop. A second call while the first one acts waits for its answer.
    void begin(const std::string& key, const std::string& body, std::function<void(Entry)> done);
    /// Keeps the answer; `done` comes when it is on the disk.
    void finish(const std::string& key, const Outcome& outcome, std::function<void()> done);
    /// The call has done nothing: the key is free again.
    void forget(const std::string& key);
    [[nodiscard]] std::size_t size() const { return keys_.size(); }

private:
    struct Key {
        std::string body;
        WallTime at{};
        State state = State::New;
        Outcome outcome;
        std::vector<std::function<void(Entry)>> waiting;
    };
    void take_line(const std::string& line);
    void drop_old();
    void append(std::string line, std::function<void(Result<void>)> done);
    void answer_waiting(const std::string& key);

    Loop& loop_;
    Clock& clock_;
    std::map<std::string, Key> keys_;
    FileDescriptor file_; // the disk's thread writes
    Worker disk_;         // last: its thread uses the file
};

} // namespace handeye

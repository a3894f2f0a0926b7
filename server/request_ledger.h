// SPDX-License-Identifier: Apache-2.0
// What request keys stand for, on the disk for 24 hours, so that a repeated call acts once even across the death of the
// program. A line is written and synced before a call acts, another one with its answer; a key with the first line alone
// says "unknown" for ever: what it did cannot be known, so it is not done again.
#pragma once

#include "base/clock.h"
#include "server/call.h"
#include "server/request_ledger_file.h"
#include "server/worker.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace handeye {

/// The I/O thread only; the disk has a thread of its own.
class RequestLedger {
public:
    static constexpr Duration kKept = std::chrono::hours(24);
    static constexpr std::size_t kBytesMax = 128U << 20U;    ///< of all keys, in memory
    static constexpr std::size_t kLineBytesMax = 128U << 10U; ///< an answer that makes a longer line is not kept; its key is

    enum class State {
        New,     ///< this call is the first: act, then finish() or forget()
        Done,    ///< `outcome` is what the first one got
        Reused,  ///< another body stands under this key
        Unknown, ///< the program died while it acted
        Failed,  ///< the disk or the owner's share, with `error`: nothing may be done
    };
    struct Entry {
        State state = State::New;
        Outcome outcome;
        Error error;
    };

    RequestLedger(Loop& loop, Clock& clock, std::size_t bytes_max = kBytesMax) : loop_(loop), clock_(clock), bytes_max_(bytes_max), disk_(65536) {}
    /// Reads what an earlier run left, however much that is; drops what is too old, and lines that a crash tore.
    Result<void> open(const std::filesystem::path& file);

    /// `done` comes on the loop. A second call while the first one acts waits for its answer.
    /// The keys of one owner (Peer::own_key) never take more room than is left for all others: Failed with Overloaded.
    void begin(const std::string& key, const std::string& body, std::function<void(Entry)> done);
    /// Keeps the answer; `done` comes when it is on the disk.
    void finish(const std::string& key, const Outcome& outcome, std::function<void()> done);
    /// The call has done nothing: the key is free again.
    void forget(const std::string& key);
    [[nodiscard]] std::size_t size() const { return keys_.size(); }

private:
    using Line = std::shared_ptr<const std::string>;
    struct Key {
        std::string body;
        WallTime at{};
        State state = State::New;
        Line line; ///< what says so in the file; the disk's thread shares it
        std::vector<std::function<void(Entry)>> waiting;
    };
    using Keys = std::map<std::string, Key>;
    void take_line(const std::string& line);
    Key& keep(const std::string& key, Key entry, const std::string& line);
    Keys::iterator drop(Keys::iterator key);
    void drop_old();
    [[nodiscard]] bool has_room(const std::string& owner, std::size_t bytes) const;
    void append(Line line, std::function<void(Result<void>)> done);
    void rewrite();
    void answer_waiting(const std::string& key);

    Loop& loop_;
    Clock& clock_;
    const std::size_t bytes_max_;
    Keys keys_;
    std::map<std::string, std::size_t> bytes_of_; ///< by owner
    std::size_t bytes_ = 0;                       ///< of all owners
    std::size_t file_bytes_ = 0;
    std::size_t rewrite_at_ = 0; ///< file_bytes_ beyond which the file is mostly of keys that are gone
    TimePoint next_drop_{};
    RequestLedgerFile file_; // the disk's thread
    Worker disk_;            // last: its thread uses the file
};

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// Reads recordings off the I/O thread: pages of events as notifications ready to send, and blobs.
#pragma once

#include "agent/recorder.h"
#include "server/loop.h"
#include "server/worker.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace handeye {

/// One event as every subscriber gets it.
struct EventText {
    std::uint64_t seq = 0;
    std::string type;
    std::string notification; ///< the whole message
};
using EventPage = std::vector<std::shared_ptr<const EventText>>;

class EventReader {
public:
    explicit EventReader(Loop& loop) : loop_(loop), worker_(65536) {}

    /// Up to `count` events from `from_seq` on; an empty page at the end. `done` runs on the loop.
    void read(const std::string& session, const std::filesystem::path& recording, std::uint64_t from_seq, std::size_t count,
              std::function<void(Result<EventPage>)> done);
    /// `done` runs on the reader's thread.
    void read_blob(const std::filesystem::path& recording, const std::string& sha256_hex,
                   std::function<void(Result<std::vector<std::uint8_t>>)> done);

private:
    struct Open {
        std::filesystem::path path;
        Recording recording;
        EventPage page; ///< the newest one read: many subscribers ask for the same
    };
    Result<Open*> open(const std::filesystem::path& recording);
    Result<EventPage> read_page(const std::string& session, const std::filesystem::path& recording, std::uint64_t from_seq,
                                std::size_t count);

    Loop& loop_;
    std::list<Open> open_; // most recently used first; the worker's thread only
    Worker worker_;        // last: its thread uses the others
};

} // namespace handeye

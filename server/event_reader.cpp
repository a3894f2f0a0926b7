// SPDX-License-Identifier: Apache-2.0
#include "server/event_reader.h"

#include "server/rpc.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kOpenMax = 16;

// Types hold only letters, digits, dots and underscores, ids only digits and capitals: nothing to escape.
std::string event_notification(const std::string& session, const StoredEvent& event) {
    return notification_text("event", fmt::format(R"({{"session":"{}","seq":{},"t_wall":"{}","t_mono_ns":{},"type":"{}","data":{}}})",
                                                  session, event.seq, event.t_wall, event.t_mono_ns, event.type,
                                                  event.data_json));
}

} // namespace

void EventReader::read(const std::string& session, const std::filesystem::path& recording, std::uint64_t from_seq,
                       std::size_t count, std::function<void(Result<EventPage>)> done) {
    const auto job = [this, session, recording, from_seq, count, done] {
        auto page = std::make_shared<Result<EventPage>>(read_page(session, recording, from_seq, count));
        loop_.post([page, done] { done(std::move(*page)); });
    };
    if (!worker_.submit(job)) {
        loop_.post([done] { done(Error{ErrorCode::Overloaded, "too many reads of recordings wait"}); });
    }
}

void EventReader::read_blob(const std::filesystem::path& recording, const std::string& sha256_hex,
                            std::function<void(Result<std::vector<std::uint8_t>>)> done) {
    const auto job = [this, recording, sha256_hex, done] {
        auto opened = open(recording);
        done(opened ? (*opened)->recording.blob(sha256_hex) : Result<std::vector<std::uint8_t>>(opened.error()));
    };
    if (!worker_.submit(job)) {
        done(Error{ErrorCode::Overloaded, "too many reads of recordings wait"});
    }
}

Result<EventReader::Open*> EventReader::open(const std::filesystem::path& recording) {
    const auto found = std::find_if(open_.begin(), open_.end(), [&](const Open& o) { return o.path == recording; });
    if (found != open_.end()) {
        open_.splice(open_.begin(), open_, found);
        return &open_.front();
    }
    Recording opened = TRY(Recording::open(recording));
    if (open_.size() >= kOpenMax) {
        open_.pop_back();
    }
    open_.push_front({recording, std::move(opened), {}});
    return &open_.front();
}

Result<EventPage> EventReader::read_page(const std::string& session, const std::filesystem::path& recording,
                                         std::uint64_t from_seq, std::size_t count) {
    Open* const source = TRY(open(recording));
    EventPage page;
    for (const auto& event : source->page) {
        if (event->seq == from_seq + page.size() && page.size() < count) {
            page.push_back(event);
        }
    }
    if (!page.empty()) {
        return page; // from memory; what is missing comes with the next read
    }
    const std::vector<StoredEvent> stored = TRY(source->recording.events(from_seq, count));
    for (const StoredEvent& event : stored) {
        page.push_back(std::make_shared<EventText>(EventText{event.seq, event.type, event_notification(session, event)}));
    }
    if (!page.empty()) {
        source->page = page;
    }
    return page;
}

} // namespace handeye

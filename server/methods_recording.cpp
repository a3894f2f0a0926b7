// SPDX-License-Identifier: Apache-2.0
// recording.*: what sessions have left on the disk.
#include "agent/recorder.h"
#include "agent/recording_folder.h"
#include "agent/report.h"
#include "base/json.h"
#include "server/core.h"
#include "server/method_table.h"
#include "server/peer.h"
#include "server/picture.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kBlobBytesMax = 32U << 20U;
constexpr std::size_t kExportBytesMax = 64U << 20U;
constexpr std::size_t kPageDefault = 256;
constexpr std::size_t kPageBytesMax = 1U << 20U; // a page ends with the event that passes it; docs/protocol.schema.json says so
constexpr std::size_t kEventsAtOnce = 16;        // so that little more is read than is sent
constexpr std::size_t kListMax = 1000;

bool is_sha256_hex(const std::string& text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::optional<std::filesystem::path> find_or_fail(const Call& call) {
    const auto id = call.params.at("session").get<std::string>();
    auto recording = call.core.hub.recording(id);
    if (!recording) {
        call.reply.fail(RpcError{ErrorKind::NoSuchSession, fmt::format("there is no recording of session \"{}\"", id), "session"});
    }
    return recording;
}

// Reads take a thread of their own: the I/O thread never waits for the disk.
void work(const Call& call, Librarian& librarian, std::function<Result<json>()> job) {
    const auto run = [job = std::move(job), reply = call.reply] {
        const Result<json> done = job();
        if (done) {
            reply.ok(*done);
        } else {
            reply.fail(done.error());
        }
    };
    if (!librarian.submit({call.peer.token_sha256(), &call.peer}, call.reply, run)) {
        call.reply.fail(RpcError{ErrorKind::Overloaded, "too many reads of recordings wait", ""});
    }
}

// What changes nothing is not done for a client that has gone.
void read(const Call& call, std::function<Result<json>()> job) {
    call.reply.set_cancelling(OnCancel::AnswerAtOnce, OnHangUp::IsCancelled);
    work(call, call.core.librarian, std::move(job));
}

// As a subscription sends it.
json event_json(const StoredEvent& event, const std::string& session) {
    return {{"session", session}, {"seq", event.seq}, {"t_wall", event.t_wall}, {"t_mono_ns", event.t_mono_ns}, {"type", event.type},
            {"data", json::parse(event.data_json, nullptr, false)}};
}

json entry_json(const std::filesystem::path& path, bool is_open) {
    std::error_code ignored;
    const auto size = std::filesystem::file_size(path, ignored);
    return {{"session", path.stem().string()}, {"recording", path.string()}, {"size_bytes", ignored ? 0 : size}, {"open", is_open}};
}

bool is_open(const Core& core, const std::string& session) {
    const auto live = core.hub.find(session);
    return live && !live->has_ended();
}

std::uint64_t last_seq_of(const Recording& recording) {
    constexpr std::size_t kPage = 4096;
    std::uint64_t last = 0;
    for (;;) {
        const auto page = recording.events(last + 1, kPage);
        if (!page || page->empty()) {
            return last;
        }
        last = page->back().seq;
    }
}

Result<json> describe(const std::filesystem::path& path, bool open) {
    const Recording recording = TRY(Recording::open(path));
    const std::vector<StoredEvent> first = TRY(recording.events(1, 8));
    json out = entry_json(path, open);
    out["sealed"] = recording.is_sealed();
    out["last_seq"] = last_seq_of(recording);
    json goals = json::array();
    for (const StoredEvent& event : first) {
        if (event.type == "task.started") {
            goals.push_back(json::parse(event.data_json, nullptr, false).value("goal", ""));
        }
    }
    out["goals"] = std::move(goals);
    out["started"] = first.empty() ? "" : first.front().t_wall;
    return out;
}

Result<json> export_jsonl(const Recording& recording, const std::string& session) {
    std::string text;
    std::uint64_t next = 1;
    for (;;) {
        const std::vector<StoredEvent> page = TRY(recording.events(next, kPageDefault));
        if (page.empty()) {
            return json{{"media_type", "application/jsonl"}, {"text", std::move(text)}};
        }
        for (const StoredEvent& event : page) {
            text += dump_json(event_json(event, session)) + "\n";
        }
        if (text.size() > kExportBytesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("the export passes {} bytes: read it with recording.read", kExportBytesMax)};
        }
        next = page.back().seq + 1;
    }
}

// As many whole events as `count` and kPageBytesMax allow, one at least.
Result<json> read_page(const Recording& recording, const std::string& session, std::uint64_t from, std::size_t count) {
    json events = json::array();
    std::size_t bytes = 0;
    std::uint64_t next = std::max<std::uint64_t>(1, from);
    bool is_end = false;
    while (!is_end && events.size() < count && bytes <= kPageBytesMax) {
        const auto some = recording.events(next, std::min(kEventsAtOnce, count - events.size()));
        if (!some && events.empty()) {
            return some.error();
        }
        if (!some) {
            break; // what is whole comes first; the next page says what is wrong
        }
        is_end = some->empty();
        for (auto event = some->begin(); event != some->end() && bytes <= kPageBytesMax; ++event) {
            events.push_back(event_json(*event, session));
            bytes += event->data_json.size();
            next = event->seq + 1;
        }
    }
    const std::uint64_t next_seq = events.empty() ? from : next;
    return json{{"events", std::move(events)}, {"next_seq", next_seq}, {"is_end", is_end}};
}

} // namespace

// Newest first: names are ULIDs, which sort by age.
void recording_list(const Call& call) {
    const std::filesystem::path folder = call.core.options.sessions_dir;
    read(call, [&core = call.core, folder]() -> Result<json> {
        std::vector<std::filesystem::path> found;
        std::error_code problem;
        for (std::filesystem::directory_iterator entry(folder, problem), end; !problem && entry != end; entry.increment(problem)) {
            const std::filesystem::path& path = entry->path();
            if (path.extension() == ".handeye" && is_session_id(path.stem().string())) {
                found.push_back(path);
            }
        }
        if (problem) {
            return Error{ErrorCode::Unavailable, fmt::format("cannot list {}: {}", folder.string(), problem.message())};
        }
        std::sort(found.rbegin(), found.rend());
        found.resize(std::min(found.size(), kListMax));
        json out = json::array();
        for (const std::filesystem::path& path : found) {
            out.push_back(entry_json(path, is_open(core, path.stem().string())));
        }
        return json{{"recordings", std::move(out)}};
    });
}

void recording_get(const Call& call) {
    if (const auto path = find_or_fail(call); path) {
        read(call, [path = *path, open = is_open(call.core, path->stem().string())] { return describe(path, open); });
    }
}

void recording_read(const Call& call) {
    const auto path = find_or_fail(call);
    if (!path) {
        return;
    }
    const auto from = call.params.value("from_seq", std::uint64_t{1});
    const auto count = call.params.value("n", kPageDefault);
    read(call, [path = *path, from, count]() -> Result<json> {
        return read_page(TRY(Recording::open(path)), path.stem().string(), from, count);
    });
}

// The same page for who may observe and not record.
void events_replay(const Call& call) { recording_read(call); }

void recording_blob(const Call& call) {
    const auto hash = call.params.at("hash").get<std::string>();
    if (!is_sha256_hex(hash)) {
        call.reply.fail(RpcError{ErrorKind::InvalidParams, "hash must be 64 lower-case hexadecimal digits", "hash"});
        return;
    }
    const auto path = find_or_fail(call);
    if (!path) {
        return;
    }
    const auto offset = call.params.value("offset", std::size_t{0});
    const auto length = call.params.value("length", kBlobBytesMax);
    read(call, [path = *path, hash, offset, length]() -> Result<json> {
        const Recording recording = TRY(Recording::open(path));
        const std::vector<std::uint8_t> bytes = TRY(recording.blob(hash));
        if (offset > bytes.size()) {
            return Error{ErrorCode::OutOfBounds, fmt::format("offset {} passes the blob's {} bytes", offset, bytes.size())};
        }
        const std::size_t count = std::min(length, bytes.size() - offset);
        if (count > kBlobBytesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("{} bytes pass the limit of {}: ask for a range", count, kBlobBytesMax)};
        }
        return json{{"hash", hash},
                    {"size_bytes", bytes.size()},
                    {"offset", offset},
                    {"base64", to_base64(std::span(bytes).subspan(offset, count))}};
    });
}

void recording_export(const Call& call) {
    const auto path = find_or_fail(call);
    if (!path) {
        return;
    }
    call.reply.set_cancelling(OnCancel::AnswerAtOnce, OnHangUp::IsCancelled);
    work(call, call.core.exporter, [path = *path, format = call.params.at("format").get<std::string>()]() -> Result<json> {
        const Recording recording = TRY(Recording::open(path));
        if (format == "jsonl") {
            return export_jsonl(recording, path.stem().string());
        }
        std::string html = TRY(render_report_html(recording));
        if (html.size() > kExportBytesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("the report has {} bytes, the limit is {}: use `handeye report`", html.size(), kExportBytesMax)};
        }
        return json{{"media_type", "text/html"}, {"text", std::move(html)}};
    });
}

void recording_delete(const Call& call) {
    const auto path = find_or_fail(call);
    if (!path) {
        return;
    }
    if (is_open(call.core, path->stem().string())) {
        call.reply.fail(RpcError{ErrorKind::TaskRunning, "the session is open: close it first", "session"});
        return;
    }
    work(call, call.core.librarian, [path = *path]() -> Result<json> {
        TRY(delete_recording(path));
        return json{{"session", path.stem().string()}};
    });
}

} // namespace handeye

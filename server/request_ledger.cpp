// SPDX-License-Identifier: Apache-2.0
#include "server/request_ledger.h"

#include "base/json.h"
#include "base/log.h"
#include "server/loop.h"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

// What a key takes besides its line: nodes of two trees, its sums, its state.
constexpr std::size_t kKeyBytes = 384;
constexpr Duration kDropPause = std::chrono::minutes(1); // a look at all keys takes the I/O thread some milliseconds

std::int64_t to_ms(WallTime time) { return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count(); }

// See Peer::own_key.
std::string owner_of(const std::string& key) {
    const std::size_t end = key.find('\n');
    return end == std::string::npos ? "" : key.substr(0, end);
}

json outcome_json(const Outcome& outcome) {
    if (outcome.error) {
        return {{"kind", error_kind_row(outcome.error->kind).name}, {"message", outcome.error->message}, {"field", outcome.error->field}};
    }
    return {{"result", outcome.result_json}};
}

Outcome outcome_from(const json& stored) {
    if (stored.contains("result")) {
        return {stored.at("result").get<std::string>(), std::nullopt};
    }
    RpcError error{ErrorKind::Internal, stored.value("message", ""), stored.value("field", "")};
    for (const ErrorKindRow& row : error_kind_table()) {
        if (row.name == stored.value("kind", "")) {
            error.kind = row.kind;
        }
    }
    return {"", error};
}

std::string line_of(std::string_view what, const std::string& key, WallTime at, const json& more) {
    json line{{"what", what}, {"key", key}, {"at_ms", to_ms(at)}};
    line.update(more);
    return dump_json(line) + "\n";
}

std::string begin_line(const std::string& key, const std::string& body, WallTime at) { return line_of("begin", key, at, {{"body", body}}); }

json without_answer() {
    return outcome_json({"", RpcError{ErrorKind::OutcomeUnknown, "it was done; there was no room to keep its answer", "request_key"}});
}

std::string end_line(const std::string& key, const std::string& body, WallTime at, const json& outcome) {
    std::string line = line_of("end", key, at, {{"body", body}, {"outcome", outcome}});
    return line.size() <= RequestLedger::kLineBytesMax ? line : line_of("end", key, at, {{"body", body}, {"outcome", without_answer()}});
}

Outcome outcome_of(const std::string& line) {
    const auto parsed = parse_json(line); // one of ours
    return parsed ? outcome_from(parsed->at("outcome")) : outcome_from(without_answer());
}

// Half a line before a whole one is what an append left that failed half-way. Keys are sorted: every line begins alike, and within
// a string the quote would be escaped.
json parse_line(const std::string& line) {
    const std::size_t start = line.rfind(R"({"at_ms":)");
    const auto parsed = parse_json(start == std::string::npos ? line : line.substr(start), {.bytes_max = 4U << 20U});
    return parsed ? *parsed : json();
}

} // namespace

Result<void> RequestLedger::open(const std::filesystem::path& file) {
    file_ = RequestLedgerFile(file);
    TRY(file_.read([this](const std::string& line) { take_line(line); }));
    std::string kept;
    for (auto& [key, entry] : keys_) {
        entry.state = entry.state == State::New ? State::Unknown : entry.state;
        kept += *entry.line;
    }
    file_bytes_ = kept.size();
    rewrite_at_ = 2 * file_bytes_ + bytes_max_ / 32;
    if (const auto written = file_.replace(kept); !written) { // a full disk, say: what is there stays good
        log::warn("server", written.error().message);
    }
    return file_.open();
}

// What cannot be read was cut off by a crash before it was synced: nothing was done on its account.
void RequestLedger::take_line(const std::string& line) {
    const json row = parse_line(line);
    if (!row.is_object()) {
        return;
    }
    try {
        const auto key = row.at("key").get<std::string>();
        const auto what = row.at("what").get<std::string>();
        const WallTime at(std::chrono::milliseconds(row.at("at_ms").get<std::int64_t>()));
        const auto known = keys_.find(key);
        if (what == "free" || clock_.wall_now() - at > kKept) {
            if (known != keys_.end()) {
                drop(known);
            }
        } else if (what == "begin") {
            const auto body = row.at("body").get<std::string>();
            keep(key, {body, at, State::New, {}, {}}, begin_line(key, body, at));
        } else if (what == "end") { // without a body: of an earlier version
            const auto body = row.value("body", known == keys_.end() ? "" : known->second.body);
            keep(key, {body, at, State::Done, {}, {}}, end_line(key, body, at, row.at("outcome")));
        }
    } catch (const json::exception&) { // a member is missing or of another type: not a line of ours
        return;
    }
}

RequestLedger::Key& RequestLedger::keep(const std::string& key, Key entry, const std::string& line) {
    if (const auto known = keys_.find(key); known != keys_.end()) {
        entry.waiting = std::move(known->second.waiting);
        drop(known);
    }
    entry.line = std::make_shared<const std::string>(line);
    bytes_of_[owner_of(key)] += line.size() + kKeyBytes;
    bytes_ += line.size() + kKeyBytes;
    return keys_[key] = std::move(entry);
}

RequestLedger::Keys::iterator RequestLedger::drop(Keys::iterator key) {
    const std::size_t bytes = key->second.line->size() + kKeyBytes;
    const auto owned = bytes_of_.find(owner_of(key->first));
    owned->second -= bytes;
    if (owned->second == 0) {
        bytes_of_.erase(owned);
    }
    bytes_ -= bytes;
    return keys_.erase(key);
}

void RequestLedger::drop_old() {
    if (clock_.now() < next_drop_) {
        return;
    }
    next_drop_ = clock_.now() + kDropPause;
    const WallTime now = clock_.wall_now();
    for (auto key = keys_.begin(); key != keys_.end();) {
        key = key->second.state != State::New && now - key->second.at > kKept ? drop(key) : std::next(key);
    }
}

// An owner may take as much as would still be left: nobody takes all, however many others there are.
bool RequestLedger::has_room(const std::string& owner, std::size_t bytes) const {
    const auto owned = bytes_of_.find(owner);
    return (owned == bytes_of_.end() ? 0 : owned->second) + bytes_ + 2 * bytes <= bytes_max_;
}

void RequestLedger::append(Line line, std::function<void(Result<void>)> done) {
    const std::size_t bytes = line->size();
    auto job = [this, line = std::move(line), done] {
        auto written = std::make_shared<Result<void>>(file_.append(*line));
        loop_.post([written, done] { done(std::move(*written)); });
    };
    if (!disk_.submit(std::move(job))) {
        loop_.post([done] { done(Error{ErrorCode::Overloaded, "too many request keys wait for the disk"}); });
        return;
    }
    file_bytes_ += bytes;
    if (file_bytes_ > rewrite_at_) {
        rewrite();
    }
}

// In turn with the lines that are appended: those before are in `lines`, those after come behind them.
void RequestLedger::rewrite() {
    std::vector<Line> lines;
    std::size_t bytes = 0;
    for (const auto& [key, entry] : keys_) {
        lines.push_back(entry.line);
        bytes += entry.line->size();
    }
    const bool is_coming = disk_.submit([this, lines = std::move(lines)] {
        std::string kept;
        for (const Line& line : lines) {
            kept += *line;
        }
        if (const auto written = file_.replace(kept); !written) { // the old file is as good, only longer
            log::warn("server", written.error().message);
        }
    });
    file_bytes_ = is_coming ? bytes : file_bytes_;
    rewrite_at_ = 2 * file_bytes_ + bytes_max_ / 32;
}

void RequestLedger::begin(const std::string& key, const std::string& body, std::function<void(Entry)> done) {
    if (const auto known = keys_.find(key); known != keys_.end()) {
        Key& entry = known->second;
        if (entry.body != body) {
            done({State::Reused, {}, {}});
        } else if (entry.state == State::New) {
            entry.waiting.push_back(std::move(done));
        } else {
            done({entry.state, entry.state == State::Done ? outcome_of(*entry.line) : Outcome(), {}});
        }
        return;
    }
    drop_old();
    const WallTime now = clock_.wall_now();
    const std::string line = begin_line(key, body, now);
    if (!has_room(owner_of(key), line.size() + kKeyBytes)) {
        done({State::Failed, {}, {ErrorCode::Overloaded, "this client's request keys of the last 24 hours take all of its room: older ones have to go first"}});
        return;
    }
    const Line kept = keep(key, {body, now, State::New, {}, {}}, line).line;
    append(kept, [this, key, done = std::move(done)](const Result<void>& written) {
        if (!written) {
            forget(key);
            done({State::Failed, {}, written.error()});
        } else {
            done({State::New, {}, {}});
        }
    });
}

void RequestLedger::finish(const std::string& key, const Outcome& outcome, std::function<void()> done) {
    const auto known = keys_.find(key);
    if (known == keys_.end()) {
        done();
        return;
    }
    const auto [body, at] = std::pair(known->second.body, known->second.at);
    std::string line = end_line(key, body, at, outcome_json(outcome));
    if (!has_room(owner_of(key), line.size())) {
        line = end_line(key, body, at, without_answer());
    }
    const Line kept = keep(key, {body, at, State::Done, {}, {}}, line).line;
    append(kept, [this, key, done = std::move(done)](const Result<void>& written) {
        if (!written) { // it is done and answered; after a restart the key says "unknown"
            log::error("server", written.error().message);
        }
        done();
        answer_waiting(key);
    });
}

void RequestLedger::answer_waiting(const std::string& key) {
    const auto known = keys_.find(key);
    if (known == keys_.end()) {
        return;
    }
    const auto waiting = std::exchange(known->second.waiting, {});
    const Entry entry{known->second.state, known->second.state == State::Done ? outcome_of(*known->second.line) : Outcome(), {}};
    for (const auto& done : waiting) {
        done(entry);
    }
}

void RequestLedger::forget(const std::string& key) {
    const auto known = keys_.find(key);
    if (known == keys_.end()) {
        return;
    }
    const std::string body = known->second.body;
    const auto waiting = std::exchange(known->second.waiting, {});
    drop(known);
    append(std::make_shared<const std::string>(line_of("free", key, clock_.wall_now(), json::object())), [](const Result<void>&) {});
    for (const auto& done : waiting) { // the next in line is the first now
        begin(key, body, done);
    }
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
#include "server/request_ledger.h"

#include "base/json.h"
#include "base/log.h"
#include "server/loop.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kFileBytesMax = 256U << 20U;
constexpr std::size_t kAnswerBytesMax = 256U << 10U; // a longer answer is not kept; its key is

std::int64_t to_ms(WallTime time) { return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count(); }

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

Result<void> write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno != EINTR) {
            return Error{ErrorCode::IoFailed, fmt::format("cannot keep the request key: {}", std::strerror(errno))};
        }
        bytes.remove_prefix(n > 0 ? static_cast<std::size_t>(n) : 0);
    }
    if (::fdatasync(fd) != 0) {
        return Error{ErrorCode::IoFailed, fmt::format("cannot keep the request key: {}", std::strerror(errno))};
    }
    return {};
}

} // namespace

Result<void> RequestLedger::open(const std::filesystem::path& file) {
    std::error_code ignored;
    if (std::filesystem::exists(file, ignored)) {
        std::istringstream lines(TRY(read_file(file, kFileBytesMax)));
        for (std::string line; std::getline(lines, line);) {
            take_line(line);
        }
    }
    for (auto& [key, entry] : keys_) {
        entry.state = entry.state == State::New ? State::Unknown : entry.state;
    }
    drop_old();
    std::string kept;
    for (const auto& [key, entry] : keys_) {
        kept += line_of("begin", key, entry.at, {{"body", entry.body}});
        if (entry.state == State::Done) {
            kept += line_of("end", key, entry.at, {{"outcome", outcome_json(entry.outcome)}});
        }
    }
    TRY(write_file_atomic(file, kept, 0600));
    file_ = FileDescriptor(::open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    if (!file_.is_open()) {
        return Error{ErrorCode::IoFailed, fmt::format("cannot write {}: {}", file.string(), std::strerror(errno))};
    }
    return {};
}

// What cannot be read was cut off by a crash before it was synced: nothing was done on its account.
void RequestLedger::take_line(const std::string& line) {
    const auto parsed = parse_json(line);
    if (!parsed || !parsed->is_object() || !parsed->contains("key")) {
        return;
    }
    const json& row = *parsed;
    const std::string key = row.at("key").get<std::string>();
    const std::string what = row.value("what", "");
    if (what == "begin") {
        keys_[key] = {row.value("body", ""), WallTime(std::chrono::milliseconds(row.value("at_ms", std::int64_t{0}))), State::New, {}, {}};
    } else if (what == "free") {
        keys_.erase(key);
    } else if (const auto known = keys_.find(key); what == "end" && known != keys_.end()) {
        known->second.state = State::Done;
        known->second.outcome = outcome_from(row.value("outcome", json::object()));
    }
}

void RequestLedger::drop_old() {
    const WallTime now = clock_.wall_now();
    std::erase_if(keys_, [&](const auto& row) { return row.second.state != State::New && now - row.second.at > kKept; });
}

void RequestLedger::append(std::string line, std::function<void(Result<void>)> done) {
    auto job = [this, line = std::move(line), done] {
        auto written = std::make_shared<Result<void>>(write_all(file_.get(), line));
        loop_.post([written, done] { done(std::move(*written)); });
    };
    if (!disk_.submit(std::move(job))) {
        loop_.post([done] { done(Error{ErrorCode::Overloaded, "too many request keys wait for the disk"}); });
    }
}

void RequestLedger::begin(const std::string& key, const std::string& body, std::function<void(Entry)> done) {
    if (const auto known = keys_.find(key); known != keys_.end()) {
        Key& entry = known->second;
        if (entry.body != body) {
            done({State::Reused, {}, ""});
        } else if (entry.state == State::New) {
            entry.waiting.push_back(std::move(done));
        } else {
            done({entry.state, entry.outcome, ""});
        }
        return;
    }
    if (keys_.size() >= kKeysMax) {
        drop_old();
    }
    if (keys_.size() >= kKeysMax) {
        done({State::Failed, {}, fmt::format("{} request keys of the last 24 hours are kept already", kKeysMax)});
        return;
    }
    keys_[key] = {body, clock_.wall_now(), State::New, {}, {}};
    append(line_of("begin", key, keys_[key].at, {{"body", body}}), [this, key, done = std::move(done)](const Result<void>& written) {
        if (!written) {
            forget(key);
            done({State::Failed, {}, written.error().message});
        } else {
            done({State::New, {}, ""});
        }
    });
}

void RequestLedger::finish(const std::string& key, const Outcome& outcome, std::function<void()> done) {
    const auto known = keys_.find(key);
    if (known == keys_.end()) {
        done();
        return;
    }
    known->second.state = State::Done;
    known->second.outcome = outcome;
    if (outcome.result_json.size() > kAnswerBytesMax) {
        known->second.outcome = {"", RpcError{ErrorKind::OutcomeUnknown, "it was done; its answer was too long to be kept", "request_key"}};
    }
    append(line_of("end", key, known->second.at, {{"outcome", outcome_json(known->second.outcome)}}),
           [this, key, done = std::move(done)](const Result<void>& written) {
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
    for (const auto& done : waiting) {
        done({known->second.state, known->second.outcome, ""});
    }
}

void RequestLedger::forget(const std::string& key) {
    const auto known = keys_.find(key);
    if (known == keys_.end()) {
        return;
    }
    const std::string body = known->second.body;
    const auto waiting = std::exchange(known->second.waiting, {});
    keys_.erase(known);
    append(line_of("free", key, clock_.wall_now(), json::object()), [](const Result<void>&) {});
    for (const auto& done : waiting) { // the next in line is the first now
        begin(key, body, done);
    }
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// Reads a session file that may be live, cut off, damaged or forged: every event is checked before it is handed out.
#include "agent/recorder.h"
#include "agent/recording_format.h"
#include "agent/sqlite.h"
#include "base/hash.h"
#include "base/json.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

namespace format = recording_format;
using nlohmann::json;

constexpr JsonLimits kEventLimits{.bytes_max = 16U << 20U, .depth_max = 64};
constexpr const char* kEventTypes = "itittbb"; // of these columns
constexpr const char* kSelectEvents = "SELECT seq, t_wall, t_mono_ns, type, data, prev_hash, hash FROM events WHERE seq >= ?1 ORDER BY seq";

struct BlobName {
    std::string sha256_hex;
    std::string media_type;
};

// Everything in an event that names a blob: {"sha256": ..., "media_type": ...}.
void collect_blobs(const json& value, std::vector<BlobName>& out) {
    if (value.is_object() && value.contains("sha256") && value["sha256"].is_string()) {
        const auto type = value.find("media_type");
        out.push_back({value["sha256"].get<std::string>(), type != value.end() && type->is_string() ? type->get<std::string>() : ""});
    }
    if (value.is_structured()) {
        for (const json& part : value) {
            collect_blobs(part, out);
        }
    }
}

std::optional<std::vector<std::uint8_t>> from_hex(std::string_view hex) {
    std::vector<std::uint8_t> out;
    const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        const int high = digit(hex[i]);
        const int low = digit(hex[i + 1]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        out.push_back(static_cast<std::uint8_t>(high * 16 + low));
    }
    return hex.size() == 64 ? std::optional(out) : std::nullopt;
}

} // namespace

struct Recording::Impl {
    std::string path;
    mutable sqlite::Database database;
    std::string session_id;
    std::string sealed_head; // "seq hash"; empty: not sealed

    Error damaged(std::uint64_t seq, std::string_view what) const {
        return {ErrorCode::ParseFailed, fmt::format("{}: event {} {}", path, seq, what)};
    }

    // The row as an event, or why it is none: its own hash and its link to the one before are checked.
    Result<StoredEvent> check_row(const sqlite::Statement& row, std::uint64_t want_seq, std::span<const std::uint8_t> want_prev) const {
        if (row.types() != kEventTypes) { // the bytes of a text and of a blob may be the same
            return damaged(want_seq, "was changed: it holds values of another type");
        }
        const auto seq = static_cast<std::uint64_t>(row.integer(0));
        if (seq != want_seq) {
            return damaged(want_seq, "is missing");
        }
        const auto prev = row.blob(5);
        const auto hash = row.blob(6);
        StoredEvent event{seq, std::string(row.text(1)), row.integer(2), std::string(row.text(3)), std::string(row.text(4)), to_hex(hash)};
        if (!std::equal(prev.begin(), prev.end(), want_prev.begin(), want_prev.end())) {
            return damaged(seq, "does not follow the one before it");
        }
        const Sha256 computed = format::chain_next(prev, {seq, event.t_wall, event.t_mono_ns, event.type, event.data_json});
        if (!std::equal(hash.begin(), hash.end(), computed.begin(), computed.end())) {
            return damaged(seq, "was changed: its hash differs");
        }
        return event;
    }

    // The hash before `seq`: the chain's start, or that of the stored event before.
    Result<std::vector<std::uint8_t>> hash_before(std::uint64_t seq) const {
        const Sha256 start = format::chain_start(session_id);
        std::vector<std::uint8_t> out(start.begin(), start.end());
        if (seq > 1) {
            auto previous = TRY(database.prepare("SELECT hash FROM events WHERE seq = ?1"));
            previous.bind(1, static_cast<std::int64_t>(seq - 1));
            if (!TRY(previous.step())) {
                return damaged(seq - 1, "is missing");
            }
            out.assign(previous.blob(0).begin(), previous.blob(0).end());
        }
        return out;
    }

    Result<void> check_blobs_of(const StoredEvent& event) const {
        const Result<json> data = parse_json(event.data_json, kEventLimits);
        if (!data) {
            return damaged(event.seq, "holds no JSON: " + data.error().message);
        }
        std::vector<BlobName> names;
        collect_blobs(*data, names);
        for (const BlobName& name : names) {
            std::string media_type;
            TRY(read_blob(name.sha256_hex, media_type).with_context(fmt::format("event {}", event.seq)));
            if (!name.media_type.empty() && name.media_type != media_type) {
                return damaged(event.seq, fmt::format("names a blob as {}, stored as {}", name.media_type, media_type));
            }
        }
        return {};
    }

    Result<std::vector<std::uint8_t>> read_blob(const std::string& sha256_hex, std::string& media_type) const {
        const std::optional<std::vector<std::uint8_t>> key = from_hex(sha256_hex);
        if (!key) {
            return Error{ErrorCode::InvalidArgument, fmt::format("\"{}\" is no SHA-256 in lower-case hexadecimal", sha256_hex)};
        }
        auto select = TRY(database.prepare("SELECT bytes, media_type FROM blobs WHERE sha256 = ?1"));
        select.bind(1, std::span<const std::uint8_t>(*key));
        if (!TRY(select.step())) {
            return Error{ErrorCode::NotFound, fmt::format("{} has no blob {}", path, sha256_hex)};
        }
        const auto bytes = select.blob(0);
        const Sha256 computed = sha256(bytes);
        if (!std::equal(computed.begin(), computed.end(), key->begin(), key->end())) {
            return Error{ErrorCode::ParseFailed, fmt::format("{}: blob {} was changed: its hash differs", path, sha256_hex)};
        }
        media_type = select.text(1);
        return std::vector<std::uint8_t>(bytes.begin(), bytes.end());
    }
};

Recording::Recording(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Recording::~Recording() = default;
Recording::Recording(Recording&&) noexcept = default;
Recording& Recording::operator=(Recording&&) noexcept = default;

Result<Recording> Recording::open(const std::filesystem::path& path) {
    auto impl = std::make_unique<Impl>();
    impl->path = path.string();
    impl->database = TRY(sqlite::Database::open(path, sqlite::Access::Read));
    if (TRY(impl->database.read_integer("PRAGMA application_id")) != format::kApplicationId) {
        return Error{ErrorCode::ParseFailed, fmt::format("{} is not a recording", impl->path)};
    }
    const std::int64_t version = TRY(impl->database.read_integer("PRAGMA user_version"));
    if (version < 1 || version > format::kVersion) {
        return Error{ErrorCode::Unsupported, fmt::format("{} has format {}; this program reads 1 to {}", impl->path, version, format::kVersion)};
    }
    impl->session_id = TRY(impl->database.read_text("SELECT value FROM meta WHERE key='session_id'"));
    auto sealed = TRY(impl->database.prepare("SELECT value FROM meta WHERE key='sealed'"));
    if (TRY(sealed.step())) {
        impl->sealed_head = sealed.text(0);
    }
    return Recording(std::move(impl));
}

const std::string& Recording::session_id() const { return impl_->session_id; }
bool Recording::is_sealed() const { return !impl_->sealed_head.empty(); }

Result<std::vector<StoredEvent>> Recording::events(std::uint64_t from_seq, std::size_t count) const {
    std::uint64_t seq = std::max<std::uint64_t>(from_seq, 1);
    auto rows = TRY(impl_->database.prepare(kSelectEvents));
    rows.bind(1, static_cast<std::int64_t>(seq));
    std::vector<StoredEvent> out;
    std::vector<std::uint8_t> prev;
    while (out.size() < count) {
        const Result<bool> more = rows.step();
        if (more && !*more) {
            break;
        }
        if (more && out.empty()) {
            prev = TRY(impl_->hash_before(seq));
        }
        Result<StoredEvent> event = more ? impl_->check_row(rows, seq, prev) : Result<StoredEvent>(more.error());
        if (!event) {
            return out.empty() ? Result<std::vector<StoredEvent>>(event.error()) : out; // what is whole comes first
        }
        const auto hash = rows.blob(6);
        prev.assign(hash.begin(), hash.end());
        out.push_back(*std::move(event));
        ++seq;
    }
    return out;
}

Result<EventCount> Recording::count(std::string_view type) const {
    auto row = TRY(impl_->database.prepare("SELECT count(*), min(seq), max(seq) FROM events WHERE type = ?1"));
    row.bind(1, type);
    TRY(row.step());
    return EventCount{static_cast<std::uint64_t>(row.integer(0)), static_cast<std::uint64_t>(row.integer(1)), static_cast<std::uint64_t>(row.integer(2))};
}

Result<std::vector<std::uint8_t>> Recording::blob(const std::string& sha256_hex) const {
    std::string media_type;
    return impl_->read_blob(sha256_hex, media_type);
}

Result<std::uint64_t> Recording::verify_chain() const {
    constexpr std::size_t kPage = 256;
    std::uint64_t checked = 0;
    std::string head_hash = to_hex(format::chain_start(impl_->session_id));
    for (;;) {
        const std::vector<StoredEvent> page = TRY(events(checked + 1, kPage));
        for (const StoredEvent& event : page) {
            TRY(impl_->check_blobs_of(event));
            checked = event.seq;
            head_hash = event.hash_hex;
        }
        if (page.empty()) {
            break;
        }
    }
    if (is_sealed() && impl_->sealed_head != fmt::format("{} {}", checked, head_hash)) {
        return impl_->damaged(checked + 1, fmt::format("is missing: the recording was sealed at \"{}\"", impl_->sealed_head));
    }
    return checked;
}

} // namespace handeye

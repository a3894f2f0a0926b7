// SPDX-License-Identifier: Apache-2.0
// What recorder and reader of a session file must agree on: marks, tables, the hash chain. Inside this folder only.
#pragma once

#include "base/hash.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace handeye::recording_format {

constexpr std::int32_t kApplicationId = 0x48616E64; // "Hand"
constexpr int kVersion = 1;                         // kept in user_version

constexpr const char* kTables[] = {
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE events(seq INTEGER PRIMARY KEY, t_wall TEXT NOT NULL, t_mono_ns INTEGER NOT NULL, type TEXT NOT NULL, "
    "data TEXT NOT NULL, prev_hash BLOB NOT NULL, hash BLOB NOT NULL)",
    "CREATE TABLE blobs(sha256 BLOB PRIMARY KEY, media_type TEXT NOT NULL, bytes BLOB NOT NULL)",
};

struct EventFields {
    std::uint64_t seq = 0;
    std::string_view t_wall;
    std::int64_t t_mono_ns = 0;
    std::string_view type;
    std::string_view data;
};

/// What stands before the first event: binds the chain to its session.
Sha256 chain_start(std::string_view session_id);
/// SHA-256 over the previous hash and the fields, each with its length in front.
Sha256 chain_next(std::span<const std::uint8_t> prev_hash, const EventFields& event);

} // namespace handeye::recording_format

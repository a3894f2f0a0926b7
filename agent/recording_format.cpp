// SPDX-License-Identifier: Apache-2.0
#include "agent/recording_format.h"

#include <string>

namespace handeye::recording_format {
namespace {

void append(std::string& out, std::uint64_t number) {
    for (unsigned shift = 0; shift < 64; shift += 8) {
        out += static_cast<char>(number >> shift & 0xFFU);
    }
}

void append(std::string& out, std::string_view text) {
    append(out, std::uint64_t{text.size()});
    out += text;
}

} // namespace

Sha256 chain_start(std::string_view session_id) { return sha256("handeye recording 1\n" + std::string(session_id)); }

Sha256 chain_next(std::span<const std::uint8_t> prev_hash, const EventFields& event) {
    std::string bytes;
    bytes.reserve(event.data.size() + 160);
    append(bytes, std::string_view(reinterpret_cast<const char*>(prev_hash.data()), prev_hash.size()));
    append(bytes, event.seq);
    append(bytes, event.t_wall);
    append(bytes, static_cast<std::uint64_t>(event.t_mono_ns));
    append(bytes, event.type);
    append(bytes, event.data);
    return sha256(bytes);
}

} // namespace handeye::recording_format

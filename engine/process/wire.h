// SPDX-License-Identifier: Apache-2.0
// What supervisor and worker say to each other: packets of a JSON head and raw picture bytes, bounded and checked on both
// sides. The worker reads files from strangers, so what it says is input from outside.
#pragma once

#include "base/result.h"
#include "engine/chat.h"
#include "engine/chat_model.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace handeye::wire {

/// Bounds of one packet. A worker's packets carry no pictures.
struct PacketLimits {
    std::size_t head_bytes_max = 16U << 20U;
    std::size_t body_bytes_max = 1U << 30U;
};
inline constexpr PacketLimits kFromWorker{.head_bytes_max = 16U << 20U, .body_bytes_max = 0};
inline constexpr int kSideMax = 16384; ///< of a picture, in pixels
inline constexpr int kPicturesMax = 4096;

/// In front of each packet: magic "HEW1", head bytes (u32), body bytes (u64), little-endian.
inline constexpr std::size_t kPrefixBytes = 16;
using Prefix = std::array<std::uint8_t, kPrefixBytes>;
struct PacketSizes {
    std::size_t head_bytes = 0;
    std::size_t body_bytes = 0;
};
Prefix write_prefix(const PacketSizes& sizes);
/// ParseFailed without the magic, LimitExceeded beyond `limits`.
Result<PacketSizes> read_prefix(std::span<const std::uint8_t, kPrefixBytes> prefix, const PacketLimits& limits);

struct Packet {
    std::string head_json;
    std::vector<std::uint8_t> body;
};
/// The first packet of `bytes`, as receive_packet() would take it. For tests and fuzzing.
Result<Packet> parse_packet(std::span<const std::uint8_t> bytes, const PacketLimits& limits);

/// A request as a head and views of its pictures' bytes, in order; the views live as long as `request`.
struct EncodedRequest {
    std::string head_json;
    std::vector<std::span<const std::uint8_t>> body;
};
/// `type`: "generate" or "tokenize".
EncodedRequest encode_request(std::string_view type, std::uint64_t id, const ChatRequest& request);
/// ParseFailed, OutOfBounds: names the field.
Result<ChatRequest> decode_request(const nlohmann::json& head, std::span<const std::uint8_t> body);

/// Without its logprobs, which may be many and travel with the pieces of text.
nlohmann::json encode_completion(const Completion& completion);
Result<Completion> decode_completion(const nlohmann::json& value);
nlohmann::json encode_logprobs(std::span<const TokenLogprobs> logprobs);
Result<std::vector<TokenLogprobs>> decode_logprobs(const nlohmann::json& value);
nlohmann::json encode_tokens(const TokenizedPrompt& tokens);
Result<TokenizedPrompt> decode_tokens(const nlohmann::json& value);
nlohmann::json encode_load(const EngineLoad& load);
Result<EngineLoad> decode_load(const nlohmann::json& value);
nlohmann::json encode_info(const ModelInfo& info);
Result<ModelInfo> decode_info(const nlohmann::json& value);
nlohmann::json encode_error(const Error& error);
/// Never fails: an unknown code becomes Internal.
Error decode_error(const nlohmann::json& value);

} // namespace handeye::wire

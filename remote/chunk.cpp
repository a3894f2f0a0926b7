// SPDX-License-Identifier: Apache-2.0
#include "remote/chunk.h"

#include "base/json.h"
#include "base/json_fields.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr int kDepthMax = 32;
constexpr std::size_t kComplaintBytesMax = 64U << 10U;
constexpr std::size_t kComplaintShownMax = 400;
constexpr std::size_t kWordShownMax = 64;
constexpr int kTokensMax = 1 << 30;
constexpr std::size_t kTokensOfChunkMax = 4096;
constexpr double kLogprobMin = -1e6; // servers write -9999 and the like for "never"

// On one line, and not longer than a person reads.
std::string tamed(std::string_view text, std::size_t bytes_max) {
    std::string out;
    for (const char c : text) {
        if (out.size() >= bytes_max && (static_cast<unsigned char>(c) & 0xC0U) != 0x80U) { // not within a character
            return out + "...";
        }
        const bool is_control = static_cast<unsigned char>(c) < ' ' || c == '\x7F';
        out += is_control ? ' ' : c;
    }
    return out;
}

std::string text_of_any(const json& value) { return value.is_string() ? value.get<std::string>() : value.is_null() ? "" : dump_json(value); }

TokenChance chance_of(const json& row) {
    TokenChance chance{.id = -1, .logprob = std::clamp(json_number(row, "logprob", kLogprobMin), kLogprobMin, 0.0), .bytes = json_text(row, "token")};
    const json& bytes = json_member(row, "bytes");
    const bool are_bytes = bytes.is_array() && std::all_of(bytes.begin(), bytes.end(), [](const json& one) { return one.is_number_integer() && one.get<std::int64_t>() >= 0 && one.get<std::int64_t>() < 256; });
    if (are_bytes) {
        chance.bytes.clear();
        for (const json& one : bytes) {
            chance.bytes += static_cast<char>(one.get<int>());
        }
    }
    return chance;
}

std::vector<TokenLogprobs> logprobs_of(const json& choice) {
    std::vector<TokenLogprobs> out;
    for (const json& row : json_list(json_object(choice, "logprobs"), "content")) {
        if (out.size() >= kTokensOfChunkMax) {
            break;
        }
        out.push_back({.token = chance_of(row), .top = {}});
        for (const json& other : json_list(row, "top_logprobs")) {
            if (out.back().top.size() < static_cast<std::size_t>(kTopLogprobsMax)) {
                out.back().top.push_back(chance_of(other));
            }
        }
    }
    return out;
}

TokenCounts counts_of(const json& usage) {
    const auto count = [](const json& object, const char* key) { return std::clamp(json_int(object, key), 0, kTokensMax); };
    const json& details = json_object(usage, "prompt_tokens_details");
    return {.prompt = count(usage, "prompt_tokens"), .image = count(details, "image_tokens"), .completion = count(usage, "completion_tokens"), .reused = count(details, "cached_tokens")};
}

ServerComplaint complaint_of(const json& error) {
    if (!error.is_object()) {
        return {.message = tamed(text_of_any(error), kComplaintShownMax)};
    }
    return {.message = tamed(text_of_any(json_member(error, "message")), kComplaintShownMax),
            .type = tamed(json_text(error, "type"), kWordShownMax),
            .code = tamed(text_of_any(json_member(error, "code")), kWordShownMax),
            .param = tamed(text_of_any(json_member(error, "param")), kWordShownMax)};
}

// The first choice alone was asked for; others of a server that sends them are nobody's.
const json& first_choice(const json& body) {
    static const json none;
    for (const json& choice : json_list(body, "choices")) {
        if (json_int(choice, "index") == 0) {
            return choice;
        }
    }
    return none;
}

} // namespace

ServerComplaint read_complaint(std::string_view body) {
    body = body.substr(0, kComplaintBytesMax);
    const auto parsed = parse_json(body, {.bytes_max = kComplaintBytesMax, .depth_max = kDepthMax});
    if (!parsed || !parsed->is_object()) {
        return {.message = tamed(body, kComplaintShownMax)};
    }
    for (const char* const key : {"error", "detail", "message"}) {
        if (const json& said = json_member(*parsed, key); !said.is_null()) {
            return complaint_of(std::string_view(key) == "message" ? *parsed : said);
        }
    }
    return {.message = tamed(body, kComplaintShownMax)};
}

Result<AnswerChunk> read_chunk(std::string_view text, std::size_t bytes_max) {
    const json body = TRY(parse_json(text, {.bytes_max = bytes_max, .depth_max = kDepthMax}));
    if (!body.is_object()) {
        return Error{ErrorCode::ParseFailed, "a piece of the answer is no JSON object"};
    }
    AnswerChunk chunk;
    if (const json& error = json_member(body, "error"); !error.is_null()) {
        chunk.complaint = complaint_of(error);
        return chunk;
    }
    const json& choice = first_choice(body);
    const json& delta = json_member(choice, "delta").is_object() ? json_object(choice, "delta") : json_object(choice, "message");
    chunk.content = delta.empty() ? json_text(choice, "text") : json_text(delta, "content");
    chunk.reasoning = json_text(delta, "reasoning_content");
    if (chunk.reasoning.empty()) { // its name with newer servers; some send both
        chunk.reasoning = json_text(delta, "reasoning");
    }
    chunk.logprobs = logprobs_of(choice);
    chunk.finish = tamed(json_text(choice, "finish_reason"), kWordShownMax);
    if (json_member(body, "usage").is_object()) {
        chunk.usage = counts_of(json_object(body, "usage"));
    }
    if (!json_member(body, "choices").is_array() && !chunk.usage) {
        return Error{ErrorCode::ParseFailed, "a piece of the answer has no \"choices\""};
    }
    return chunk;
}

} // namespace handeye

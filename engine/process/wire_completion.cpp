// SPDX-License-Identifier: Apache-2.0
// Answers, their pieces, and what is told of their tokens.
#include "engine/process/wire.h"

#include "engine/process/wire_json.h"

#include <utility>

namespace handeye::wire {
namespace {

using nlohmann::json;
using Bytes = std::vector<std::uint8_t>; // a token may be half a character, which no JSON text can hold

json encode_timings(const GenerationTimings& t) {
    return {t.preprocess.count(), t.vision.count(), t.prefill.count(), t.decode.count(), t.first_token.count()};
}

GenerationTimings decode_timings(const json& value) {
    const auto at = [&](std::size_t i) { return Duration(value.at(i).get<std::int64_t>()); };
    return {.preprocess = at(0), .vision = at(1), .prefill = at(2), .decode = at(3), .first_token = at(4)};
}

json encode_bytes(std::string_view bytes) { return Bytes(bytes.begin(), bytes.end()); }
std::string decode_bytes(const json& value) {
    const auto bytes = value.get<Bytes>();
    return {bytes.begin(), bytes.end()};
}

/// A list, or json's own error.
const json::array_t& list_of(const json& value) { return value.get_ref<const json::array_t&>(); }

json encode_chance(const TokenChance& chance) { return {chance.id, chance.logprob, encode_bytes(chance.bytes)}; }
TokenChance decode_chance(const json& value) {
    return {.id = value.at(0).get<std::int32_t>(), .logprob = value.at(1).get<double>(), .bytes = decode_bytes(value.at(2))};
}

std::vector<TokenLogprobs> decode_chosen(const json& value) {
    std::vector<TokenLogprobs> out;
    for (const json& one : list_of(value)) {
        out.push_back({.token = decode_chance(one.at(0)), .top = {}});
        for (const json& other : list_of(one.at(1))) {
            out.back().top.push_back(decode_chance(other));
        }
    }
    return out;
}

json encode_numbers(const std::vector<NumberSpread>& numbers) {
    json out = json::array();
    for (const NumberSpread& number : numbers) {
        json chances = json::array();
        for (const NumberSpread::Chance& chance : number.chances) {
            chances.push_back({chance.value, chance.probability});
        }
        out.push_back({number.text_offset, std::move(chances)});
    }
    return out;
}

std::vector<NumberSpread> decode_numbers(const json& value) {
    std::vector<NumberSpread> out;
    for (const json& number : list_of(value)) {
        out.push_back({.text_offset = number.at(0).get<std::size_t>(), .chances = {}});
        for (const json& chance : list_of(number.at(1))) {
            out.back().chances.push_back({.value = int_of(chance.at(0)), .probability = chance.at(1).get<double>()});
        }
    }
    return out;
}

} // namespace

json encode_logprobs(std::span<const TokenLogprobs> logprobs) {
    json out = json::array();
    for (const TokenLogprobs& chosen : logprobs) {
        json top = json::array();
        for (const TokenChance& other : chosen.top) {
            top.push_back(encode_chance(other));
        }
        out.push_back({encode_chance(chosen.token), std::move(top)});
    }
    return out;
}

Result<std::vector<TokenLogprobs>> decode_logprobs(const json& value) {
    return guarded([&]() -> Result<std::vector<TokenLogprobs>> { return decode_chosen(value); });
}

json encode_completion(const Completion& completion) {
    const Usage& u = completion.usage;
    return {{"text", completion.text_utf8},
            {"ids", completion.ids},
            {"numbers", encode_numbers(completion.numbers)},
            {"stop_reason", static_cast<int>(completion.stop_reason)},
            {"tokens", {u.prompt_tokens, u.image_tokens, u.completion_tokens, u.reused_tokens}},
            {"thinking_forced_close", u.thinking_forced_close},
            {"timings_ns", encode_timings(u.timings)}};
}

Result<Completion> decode_completion(const json& value) {
    return guarded([&]() -> Result<Completion> {
        const auto reason = value.at("stop_reason").get<std::int64_t>();
        if (reason < 0 || reason > static_cast<int>(StopReason::TimeUp)) {
            return bad(fmt::format("stop reason {}", reason));
        }
        const json& tokens = value.at("tokens");
        return Completion{.text_utf8 = value.at("text").get<std::string>(),
                          .ids = value.at("ids").get<std::vector<std::int32_t>>(),
                          .logprobs = {},
                          .numbers = decode_numbers(value.at("numbers")),
                          .stop_reason = static_cast<StopReason>(reason),
                          .usage = {.prompt_tokens = int_of(tokens.at(0)),
                                    .image_tokens = int_of(tokens.at(1)),
                                    .completion_tokens = int_of(tokens.at(2)),
                                    .reused_tokens = int_of(tokens.at(3)),
                                    .thinking_forced_close = value.at("thinking_forced_close").get<bool>(),
                                    .timings = decode_timings(value.at("timings_ns"))}};
    });
}

json encode_tokens(const TokenizedPrompt& tokens) {
    json bytes = json::array();
    for (const std::string& token : tokens.bytes) {
        bytes.push_back(encode_bytes(token));
    }
    return {{"ids", tokens.ids}, {"bytes", std::move(bytes)}};
}

Result<TokenizedPrompt> decode_tokens(const json& value) {
    return guarded([&]() -> Result<TokenizedPrompt> {
        TokenizedPrompt out{.ids = value.at("ids").get<std::vector<std::int32_t>>(), .bytes = {}};
        for (const json& token : list_of(value.at("bytes"))) {
            out.bytes.push_back(decode_bytes(token));
        }
        return out;
    });
}

} // namespace handeye::wire

// SPDX-License-Identifier: Apache-2.0
#include "server/openai/generation_fields.h"

#include "base/json.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kStopsMax = 16;
constexpr std::size_t kStopBytesMax = 256;
constexpr std::size_t kUserBytesMax = 512;
constexpr std::size_t kNameShownMax = 128;
constexpr std::size_t kBiasesMax = 1024;
constexpr int kChoicesMax = 16;
constexpr double kTemperatureMax = 2;
constexpr double kPenaltyMax = 2;
constexpr double kBiasMax = 100;

using enum FieldUse;
constexpr std::array kRows{
    FieldRow{"model"}, FieldRow{"max_tokens"}, FieldRow{"temperature"}, FieldRow{"top_p"}, FieldRow{"top_k"}, FieldRow{"min_p"}, FieldRow{"repetition_penalty"},
    FieldRow{"presence_penalty"}, FieldRow{"frequency_penalty"}, FieldRow{"logit_bias"}, FieldRow{"seed"}, FieldRow{"stop"}, FieldRow{"stream"}, FieldRow{"stream_options"},
    FieldRow{"n"}, FieldRow{"user"}, FieldRow{"skip_special_tokens"}, FieldRow{"logprobs"},
    FieldRow{"response_format"}, FieldRow{"structured_outputs"}, FieldRow{"guided_json"}, FieldRow{"guided_regex"}, FieldRow{"guided_grammar"}, FieldRow{"guided_choice"},
    FieldRow{"metadata", PassedOver}, FieldRow{"store", PassedOver}, FieldRow{"request_id", PassedOver}, FieldRow{"guided_decoding_backend", PassedOver},
    FieldRow{"spaces_between_special_tokens", PassedOver}, // of tokenizers that have words
    FieldRow{"best_of", Undone, "1"}, FieldRow{"use_beam_search", Undone, "false"}, FieldRow{"length_penalty", Undone, "1"}, FieldRow{"min_tokens", Undone, "0"},
    FieldRow{"ignore_eos", Undone, "false"}, FieldRow{"include_stop_str_in_output", Undone, "false"}, FieldRow{"stop_token_ids", Undone, "[]"}, FieldRow{"bad_words", Undone, "[]"},
    FieldRow{"allowed_token_ids", Undone}, FieldRow{"prompt_logprobs", Undone}, FieldRow{"truncate_prompt_tokens", Undone}, FieldRow{"logits_processors", Undone, "[]"},
    FieldRow{"return_token_ids", Undone, "false"}, FieldRow{"return_tokens_as_token_ids", Undone, "false"}, FieldRow{"guided_whitespace_pattern", Undone},
    FieldRow{"priority", Undone, "0"}, FieldRow{"cache_salt", Undone}, FieldRow{"kv_transfer_params", Undone}, FieldRow{"vllm_xargs", Undone, "{}"}};

std::vector<std::string> stops_of(const json& body) {
    const json stop = body.value("stop", json());
    const json list = stop.is_string() ? json::array({stop}) : stop;
    const auto is_fine = [](const json& one) { return one.is_string() && !one.get_ref<const std::string&>().empty() && one.get_ref<const std::string&>().size() <= kStopBytesMax; };
    if (list.is_null()) {
        return {};
    }
    if (!list.is_array() || list.size() > kStopsMax || !std::all_of(list.begin(), list.end(), is_fine)) {
        refuse("stop", fmt::format("it must be a text or a list of at most {} texts, each of 1 to {} bytes", kStopsMax, kStopBytesMax));
    }
    return list.get<std::vector<std::string>>();
}

/// {"TOKEN ID": from -100 to 100}
std::vector<std::pair<std::int32_t, double>> biases_of(const json& body) {
    std::vector<std::pair<std::int32_t, double>> out;
    const json* const given = find_field(body, "logit_bias");
    if (given == nullptr) {
        return out;
    }
    if (!given->is_object() || given->size() > kBiasesMax) {
        refuse("logit_bias", fmt::format("it must be an object of at most {} token ids with a number each", kBiasesMax));
    }
    for (const auto& [name, bias] : given->items()) {
        std::int32_t id = -1;
        const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), id);
        if (problem != std::errc() || end != name.data() + name.size() || id < 0) {
            refuse("logit_bias", fmt::format("\"{}\" is no token id", name.substr(0, kNameShownMax)));
        }
        if (!bias.is_number() || !(bias.get<double>() >= -kBiasMax) || !(bias.get<double>() <= kBiasMax)) {
            refuse("logit_bias." + name, fmt::format("it must be a number from {} to {}", -kBiasMax, kBiasMax));
        }
        out.emplace_back(id, bias.get<double>());
    }
    return out;
}

void read_sampling(const json& body, const ChatContext& context, SamplingOptions& sampling) {
    sampling.temperature = number(body, "temperature", {0, kTemperatureMax}, 1);
    sampling.top_p = number(body, "top_p", {std::numeric_limits<double>::min(), 1}, 1);
    sampling.top_k = std::max(0, whole(body, "top_k", -1, kTokensMax).value_or(0));
    sampling.min_p = number(body, "min_p", {0, 1}, 0);
    sampling.repetition_penalty = number(body, "repetition_penalty", {0.01, 10}, 1);
    sampling.presence_penalty = number(body, "presence_penalty", {-kPenaltyMax, kPenaltyMax}, 0);
    sampling.frequency_penalty = number(body, "frequency_penalty", {-kPenaltyMax, kPenaltyMax}, 0);
    sampling.logit_bias = biases_of(body);
    const json* const seed = find_field(body, "seed");
    if (seed != nullptr && !seed->is_number_integer()) {
        refuse("seed", "it must be a whole number");
    }
    sampling.seed = seed != nullptr ? seed->get<std::uint64_t>() : context.fresh_seed;
}

void read_streaming(const json& body, ChatCall& call) {
    call.is_stream = flag(body, "stream").value_or(false);
    const json* const options = find_field(body, "stream_options");
    if (options == nullptr) {
        return;
    }
    if (!options->is_object() || !call.is_stream) {
        refuse("stream_options", "it is an object, and belongs to \"stream\": true");
    }
    constexpr std::array kOptions{FieldRow{"include_usage"}, FieldRow{"continuous_usage_stats", Undone, "false"}, FieldRow{"include_obfuscation", PassedOver}};
    check_fields(*options, {kOptions});
    call.wants_usage = flag(*options, "include_usage").value_or(false);
}

} // namespace

FieldTable generation_table() { return kRows; }

void check_model(const json& body, const ChatContext& context) {
    const json* const name = find_field(body, "model");
    if (name == nullptr) {
        return;
    }
    if (!name->is_string() || std::find(context.names.begin(), context.names.end(), name->get<std::string>()) == context.names.end()) {
        throw Refused{{.status = 404,
                       .message = fmt::format("the model {} is not served here; \"model\" may be \"{}\"", dump_json(name->is_string() ? json(name->get<std::string>().substr(0, kNameShownMax)) : json(name->type_name())),
                                              fmt::join(context.names, "\", \"")),
                       .param = "model",
                       .code = "model_not_found"}};
    }
}

void read_generation(const json& body, const ChatContext& context, int tokens, ChatCall& call) {
    read_sampling(body, context, call.request.sampling);
    read_streaming(body, call);
    call.choices = whole(body, "n", 1, kChoicesMax).value_or(1);
    call.request.max_new_tokens = whole(body, "max_tokens", 1, kTokensMax).value_or(tokens);
    call.request.stop_texts = stops_of(body);
    call.request.session = text(body, "user", kUserBytesMax).value_or(""); // whose turn it is, by whatever name the client gives its users
    call.request.skip_special_tokens = flag(body, "skip_special_tokens").value_or(false);
}

} // namespace handeye

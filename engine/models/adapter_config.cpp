// SPDX-License-Identifier: Apache-2.0
#include "engine/models/adapter_config.h"

#include "base/json.h"
#include "engine/models/config_reader.h"

#include <array>
#include <cmath>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace handeye {
namespace {

using nlohmann::json;

constexpr int kRankMax = 4096;
constexpr double kAlphaMax = 1e6;
constexpr std::size_t kPatternsMax = 10'000;
constexpr std::size_t kPatternBytesMax = 1024;
constexpr std::uint32_t kMatchLimit = 100'000; // steps of one match: names are short

Error unsupported(std::string what) { return {ErrorCode::Unsupported, "adapter_config.json: " + std::move(what)}; }

// Absent, null, false, "" and [] all say no.
bool says_yes(const json& config, const char* key) {
    const auto found = config.find(key);
    return found != config.end() && !found->is_null() && *found != false && *found != "" && !(found->is_structured() && found->empty());
}

Result<void> refuse_what_is_not_known(const json& config) {
    if (const auto type = config.find("peft_type"); type == config.end() || *type != "LORA") {
        return unsupported(fmt::format("peft_type is {}, only LORA is read", type == config.end() ? "absent" : dump_json(*type)));
    }
    if (says_yes(config, "modules_to_save")) {
        return unsupported(fmt::format("modules_to_save {}: whole modules are not replaced, only low-rank products are added", dump_json(config["modules_to_save"])));
    }
    for (const char* key : {"use_dora", "fan_in_fan_out", "lora_bias", "layer_replication", "target_parameters", "trainable_token_indices", "alora_invocation_tokens",
                            "use_qalora", "arrow_config", "kasa_config", "monteclora_config", "velora_config", "use_bdlora"}) {
        if (says_yes(config, key)) {
            return unsupported(fmt::format("{} is {}, which is not read", key, dump_json(config[key])));
        }
    }
    if (const auto bias = config.find("bias"); bias != config.end() && !bias->is_null() && *bias != "none") {
        return unsupported(fmt::format("bias is {}, only \"none\" is read", dump_json(*bias)));
    }
    // These take something off the base model first, so that the adapter fits another base than the one it names.
    if (const auto start = config.find("init_lora_weights"); start != config.end() && start->is_string()) {
        const auto& how = start->get_ref<const std::string&>();
        for (const std::string_view changes : {"pissa", "olora", "corda", "loftq", "lora_ga"}) {
            if (how.starts_with(changes)) {
                return unsupported(fmt::format("init_lora_weights is {}: it changes the base model; convert it with peft (path_initial_model_for_weight_conversion)", how));
            }
        }
    }
    return {};
}

template <class T, class Read>
Result<std::vector<std::pair<std::string, T>>> read_patterns(const json& config, const char* key, const Read& read) {
    std::vector<std::pair<std::string, T>> patterns;
    const auto found = config.find(key);
    if (found == config.end() || found->is_null()) {
        return patterns;
    }
    if (!found->is_object() || found->size() > kPatternsMax) {
        return Error{ErrorCode::ParseFailed, fmt::format("adapter_config.json: {} is not at most {} patterns", key, kPatternsMax)};
    }
    for (const auto& [pattern, value] : found->items()) {
        const ConfigReader one(nullptr, &*found, key);
        if (pattern.size() > kPatternBytesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("adapter_config.json: a pattern of {} in {} bytes, at most {}", key, pattern.size(), kPatternBytesMax)};
        }
        patterns.emplace_back(pattern, TRY(read(one, pattern)));
    }
    return patterns;
}

// As peft does: the pattern is a regular expression for the whole name, or for what follows one of its dots.
Result<bool> is_match(const std::string& pattern, std::string_view module) {
    const std::string whole = fmt::format("^(?:.*\\.)?(?:{})$", pattern);
    int problem = 0;
    std::size_t where = 0;
    const std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code(
        pcre2_compile(reinterpret_cast<PCRE2_SPTR>(whole.data()), whole.size(), PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY, &problem, &where, nullptr), pcre2_code_free);
    if (!code) {
        return Error{ErrorCode::ParseFailed, fmt::format("adapter_config.json: the pattern {} is no regular expression", dump_json(json(pattern)))};
    }
    const std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> context(pcre2_match_context_create(nullptr), pcre2_match_context_free);
    const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
    if (!context || !data) {
        return Error{ErrorCode::OutOfMemory, "no memory for a pattern of adapter_config.json"};
    }
    pcre2_set_match_limit(context.get(), kMatchLimit);
    const int found = pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(module.data()), module.size(), 0, 0, data.get(), context.get());
    if (found < 0 && found != PCRE2_ERROR_NOMATCH) {
        return Error{ErrorCode::LimitExceeded, fmt::format("adapter_config.json: the pattern {} takes too long on {}", dump_json(json(pattern)), module)};
    }
    return found >= 0;
}

// The first pattern that fits counts.
template <class Patterns, class T>
Result<T> value_for(const Patterns& patterns, std::string_view module, T otherwise) {
    for (const auto& pattern : patterns) {
        if (const bool fits = TRY(is_match(pattern.key, module)); fits) {
            return pattern.value;
        }
    }
    return otherwise;
}

} // namespace

Result<AdapterConfig> AdapterConfig::read(const std::filesystem::path& file) {
    const json config = TRY(read_json(file, JsonLimits{.bytes_max = 16U << 20U, .depth_max = 16}));
    if (!config.is_object()) {
        return Error{ErrorCode::ParseFailed, "adapter_config.json is not an object"};
    }
    TRY(refuse_what_is_not_known(config));
    const ConfigReader top(nullptr, &config, "adapter_config");
    AdapterConfig read;
    read.rank_ = TRY(top.integer("r", 1, kRankMax));
    read.alpha_ = TRY(top.number_or("lora_alpha", 8.0, -kAlphaMax, kAlphaMax));
    read.is_rank_stabilised_ = TRY(top.flag_or("use_rslora", false));
    const auto ranks = TRY(read_patterns<int>(config, "rank_pattern", [](const ConfigReader& in, const std::string& key) { return in.integer(key, 1, kRankMax); }));
    const auto alphas = TRY(read_patterns<double>(config, "alpha_pattern", [](const ConfigReader& in, const std::string& key) { return in.number_or(key, 0.0, -kAlphaMax, kAlphaMax); }));
    for (const auto& [key, value] : ranks) {
        read.ranks_.push_back({key, value});
    }
    for (const auto& [key, value] : alphas) {
        read.alphas_.push_back({key, value});
    }
    return read;
}

Result<int> AdapterConfig::rank(std::string_view module) const { return value_for(ranks_, module, rank_); }

Result<float> AdapterConfig::scale(std::string_view module) const {
    const int own_rank = TRY(rank(module));
    const double alpha = TRY(value_for(alphas_, module, alpha_));
    return static_cast<float>(alpha / (is_rank_stabilised_ ? std::sqrt(own_rank) : own_rank));
}

} // namespace handeye

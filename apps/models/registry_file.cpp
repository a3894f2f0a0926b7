// SPDX-License-Identifier: Apache-2.0
// The registry's file format, read strictly: the file of a user is input from outside, and names become paths and URLs.
#include "apps/models/registry.h"
#include "base/file.h"
#include "base/json.h"
#include "base/suggest.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kFileBytesMax = 1U << 20U;
constexpr std::size_t kModelsMax = 1000;
constexpr std::size_t kSpecsMax = 100;
constexpr std::size_t kNameBytesMax = 96;
constexpr int kContextMax = 1 << 30;
constexpr double kBillionsMax = 10'000;
constexpr std::string_view kPlaceholder = "{quantization}";

/// One object of the file and the way to it, for messages.
struct Place {
    const json& object;
    std::string where;
    [[nodiscard]] Error error(const std::string& what) const { return {ErrorCode::ParseFailed, fmt::format("{}: {}", where, what)}; }
};

bool is_name(std::string_view text) {
    const auto is_fine = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'; };
    return !text.empty() && text.size() <= kNameBytesMax && text.front() != '.' && std::all_of(text.begin(), text.end(), is_fine);
}

// "OWNER/NAME", with the placeholder at most once.
bool is_hub_id(const std::string& given) {
    std::string text = given;
    if (const std::size_t at = text.find(kPlaceholder); at != std::string::npos) {
        text = fmt::format("{}q{}", given.substr(0, at), given.substr(at + kPlaceholder.size()));
    }
    const std::size_t slash = text.find('/');
    return slash != std::string::npos && is_name(std::string_view(text).substr(0, slash)) && is_name(std::string_view(text).substr(slash + 1));
}

Result<void> check_keys(const Place& at, std::initializer_list<std::string_view> known) {
    if (!at.object.is_object()) {
        return at.error("it must be an object");
    }
    const std::vector<std::string_view> names(known);
    for (const auto& [key, value] : at.object.items()) {
        if (std::find(names.begin(), names.end(), key) == names.end()) {
            return at.error(fmt::format("there is no key \"{}\"; {}", key, suggestion(key, "keys", names)));
        }
    }
    return {};
}

Result<std::string> text_at(const Place& at, const char* key, bool (*is_fine)(std::string_view)) {
    const auto found = at.object.find(key);
    if (found == at.object.end() || !found->is_string() || !is_fine(found->get_ref<const std::string&>())) {
        return at.error(fmt::format("\"{}\" must be a text of letters, digits, '.', '_' and '-'", key));
    }
    return found->get<std::string>();
}

/// Words for people: any text that is not a book; absent: empty.
Result<std::string> remark_at(const Place& at, const char* key) {
    constexpr std::size_t kBytesMax = 4096;
    const auto found = at.object.find(key);
    if (found == at.object.end()) {
        return std::string();
    }
    if (!found->is_string() || found->get_ref<const std::string&>().size() > kBytesMax) {
        return at.error(fmt::format("\"{}\" must be a text of at most {} bytes", key, kBytesMax));
    }
    return found->get<std::string>();
}

Result<std::vector<std::string>> names_at(const Place& at, const char* key) {
    const auto found = at.object.find(key);
    const auto is_fine = [](const json& one) { return one.is_string() && is_name(one.get_ref<const std::string&>()); };
    if (found == at.object.end() || !found->is_array() || found->empty() || found->size() > kSpecsMax || !std::all_of(found->begin(), found->end(), is_fine)) {
        return at.error(fmt::format("\"{}\" must be a list of 1 to {} names", key, kSpecsMax));
    }
    return found->get<std::vector<std::string>>();
}

Result<std::map<std::string, std::string>> hubs_at(const Place& at) {
    const auto found = at.object.find("hubs");
    if (found == at.object.end()) {
        return at.error("\"hubs\" is missing");
    }
    TRY(check_keys({*found, at.where + ".hubs"}, {"huggingface", "modelscope"}));
    std::map<std::string, std::string> hubs;
    for (const auto& [hub, id] : found->items()) {
        if (!id.is_string() || !is_hub_id(id.get<std::string>())) {
            return at.error(fmt::format("hubs.{} must be OWNER/NAME", hub));
        }
        hubs.emplace(hub, id.get<std::string>());
    }
    return hubs;
}

Result<ModelSpec> read_spec(const Place& at) {
    TRY(check_keys(at, {"format", "size_in_billions", "quantizations", "engines", "model_id", "hubs", "remark"}));
    constexpr std::array<std::string_view, 6> kFormats{"pytorch", "awq", "gptq", "fp8", "mlx", "ggufv2"};
    ModelSpec spec;
    spec.format = TRY(text_at(at, "format", is_name));
    if (std::find(kFormats.begin(), kFormats.end(), spec.format) == kFormats.end()) {
        return at.error(fmt::format("there is no format \"{}\"; {}", spec.format, suggestion(spec.format, "formats", kFormats)));
    }
    const auto size = at.object.find("size_in_billions");
    if (size == at.object.end() || !size->is_number() || !(size->get<double>() > 0) || size->get<double>() > kBillionsMax) {
        return at.error(fmt::format("\"size_in_billions\" must be a number above 0, at most {}", kBillionsMax));
    }
    spec.size_in_billions = size->get<double>();
    spec.quantizations = TRY(names_at(at, "quantizations"));
    spec.engines = TRY(remark_at(at, "engines"));
    spec.model_id = TRY(remark_at(at, "model_id"));
    if (!is_hub_id(spec.model_id)) {
        return at.error("\"model_id\" must be OWNER/NAME");
    }
    spec.hubs = TRY(hubs_at(at));
    spec.remark = TRY(remark_at(at, "remark"));
    return spec;
}

Result<RegistryModel> read_model(const Place& at) {
    TRY(check_keys(at, {"name", "context_length", "languages", "abilities", "specs", "remark"}));
    RegistryModel model;
    model.name = TRY(text_at(at, "name", is_name));
    const auto context = at.object.find("context_length");
    if (context == at.object.end() || !context->is_number_integer() || context->get<std::int64_t>() < 1 || context->get<std::int64_t>() > kContextMax) {
        return at.error(fmt::format("\"context_length\" must be a number of tokens, at most {}", kContextMax));
    }
    model.context_length = context->get<int>();
    model.languages = TRY(names_at(at, "languages"));
    model.abilities = TRY(names_at(at, "abilities"));
    model.remark = TRY(remark_at(at, "remark"));
    const auto specs = at.object.find("specs");
    if (specs == at.object.end() || !specs->is_array() || specs->empty() || specs->size() > kSpecsMax) {
        return at.error(fmt::format("\"specs\" must be a list of 1 to {} objects", kSpecsMax));
    }
    for (std::size_t i = 0; i < specs->size(); ++i) {
        model.specs.push_back(TRY(read_spec({(*specs)[i], fmt::format("{}.specs[{}]", at.where, i)})));
    }
    return model;
}

} // namespace

Result<Registry> parse_registry(std::string_view text, const std::string& origin) {
    const json document = TRY(parse_json(text, {.bytes_max = kFileBytesMax, .depth_max = 16}).with_context(origin));
    const Place top{document, origin};
    TRY(check_keys(top, {"note", "models"}));
    const auto models = document.find("models");
    if (models == document.end() || !models->is_array() || models->size() > kModelsMax) {
        return top.error(fmt::format("\"models\" must be a list of at most {} objects", kModelsMax));
    }
    Registry registry;
    std::set<std::string> names;
    for (std::size_t i = 0; i < models->size(); ++i) {
        const Place at{(*models)[i], fmt::format("{}: models[{}]", origin, i)};
        registry.models.push_back(TRY(read_model(at)));
        if (!names.insert(registry.models.back().name).second) {
            return at.error(fmt::format("\"{}\" is there twice", registry.models.back().name));
        }
    }
    return registry;
}

Result<Registry> load_registry() {
    Registry registry = TRY(parse_registry(bundled_registry_text(), "models/registry.json"));
    const std::filesystem::path path = config_dir() / "registry.json";
    std::error_code problem;
    if (!std::filesystem::exists(path, problem)) {
        return registry;
    }
    const std::string text = TRY(read_file(path, kFileBytesMax));
    Registry own = TRY(parse_registry(text, path.string()));
    for (RegistryModel& model : own.models) {
        const auto same = std::find_if(registry.models.begin(), registry.models.end(), [&](const RegistryModel& one) { return one.name == model.name; });
        if (same != registry.models.end()) {
            *same = std::move(model);
        } else {
            registry.models.push_back(std::move(model));
        }
    }
    return registry;
}

} // namespace handeye

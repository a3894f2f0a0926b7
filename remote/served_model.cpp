// SPDX-License-Identifier: Apache-2.0
#include "remote/served_model.h"

#include "base/json.h"
#include "base/json_fields.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kNameBytesMax = 512;
constexpr std::size_t kNamesShownMax = 20;
constexpr int kContextMax = 1 << 30;

ServerKind kind_of(const std::string& owner) {
    return owner == "handeye" ? ServerKind::Handeye : owner == "vllm" ? ServerKind::Vllm : owner == "sglang" ? ServerKind::Sglang : owner == "llamacpp" ? ServerKind::LlamaCpp : ServerKind::Unknown;
}

bool is_name(const std::string& text) {
    return !text.empty() && text.size() <= kNameBytesMax && std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= ' ' && c != '\x7F'; });
}

std::string shown(const std::vector<const json*>& rows) {
    std::string out;
    for (std::size_t i = 0; i < rows.size() && i < kNamesShownMax; ++i) {
        out += (out.empty() ? "" : ", ") + json_text(*rows[i], "id");
    }
    return out + (rows.size() > kNamesShownMax ? fmt::format(" and {} more", rows.size() - kNamesShownMax) : "");
}

ServedModel model_of(const json& row) {
    ServedModel model{.kind = kind_of(json_text(row, "owned_by")), .name = json_text(row, "id"), .prompt = json_text(row, "prompt")};
    model.context_tokens_max = std::clamp(json_int(row, "max_model_len"), 0, kContextMax);
    if (model.context_tokens_max == 0) {
        model.context_tokens_max = std::clamp(json_int(json_object(row, "meta"), "n_ctx_train"), 0, kContextMax);
    }
    model.reads_pictures = json_flag(row, "reads_pictures", true);
    if (model.prompt.empty()) {
        model.prompt = prompt_of_name(model.name);
    }
    return model;
}

} // namespace

std::string_view server_kind_name(ServerKind kind) {
    switch (kind) {
    case ServerKind::Unknown: return "openai";
    case ServerKind::Handeye: return "handeye";
    case ServerKind::Vllm: return "vllm";
    case ServerKind::Sglang: return "sglang";
    case ServerKind::LlamaCpp: return "llama.cpp";
    }
    return "openai";
}

std::string prompt_of_name(std::string_view name) {
    std::string plain; // letters and digits alone: "GLM-4.5V", "glm_4_5v" and "glm45v" are one
    for (const char c : name) {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
            plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        }
    }
    constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kRows{{{"autoglm", "autoglm"}, {"glm45v", "glm-4.5v"}, {"glm46v", "glm-4.5v"}, {"glm41v", "glm-4.1v"}}};
    for (const auto& [part, prompt] : kRows) {
        if (plain.find(part) != std::string::npos) {
            return std::string(prompt);
        }
    }
    const std::string_view last = name.substr(name.find_last_of('/') + 1);
    return last == "nano" ? "compact" : "";
}

Result<ServedModel> read_served_model(std::string_view models_json, const std::string& wanted) {
    const json body = TRY(parse_json(models_json));
    if (!body.is_object() || !json_member(body, "data").is_array()) {
        return Error{ErrorCode::ParseFailed, "/v1/models answered no {\"data\": [...]}"};
    }
    std::vector<const json*> rows;
    for (const json& row : json_list(body, "data")) {
        if (is_name(json_text(row, "id"))) {
            rows.push_back(&row);
        }
    }
    if (!wanted.empty()) {
        const auto found = std::find_if(rows.begin(), rows.end(), [&](const json* row) { return json_text(*row, "id") == wanted; });
        if (found != rows.end()) {
            return model_of(**found);
        }
        const ServerKind kind = rows.empty() ? ServerKind::Unknown : model_of(*rows.front()).kind;
        if (kind != ServerKind::Unknown && kind != ServerKind::LlamaCpp) {
            return Error{ErrorCode::NotFound, fmt::format("it does not serve \"{}\"; it serves {}", wanted, shown(rows))};
        }
        return ServedModel{.kind = kind, .name = wanted, .prompt = prompt_of_name(wanted)};
    }
    if (rows.empty()) {
        return ServedModel{};
    }
    std::vector<const json*> bases = rows;
    std::erase_if(bases, [](const json* row) { return !json_text(*row, "parent").empty(); });
    if (bases.size() != 1 && rows.size() != 1) {
        return Error{ErrorCode::InvalidArgument, fmt::format("it serves several models: {}; say which one with #NAME behind the URL", shown(rows))};
    }
    return model_of(rows.size() == 1 ? *rows.front() : *bases.front());
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/model_parts.h"

#include "base/file.h"
#include "base/json.h"
#include "engine/kernels/thread_pool.h"
#include "engine/models/adapter.h"
#include "engine/models/registry.h"
#include "engine/quant/pack.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kTemplateBytesMax = 256U << 10U;

Result<json> read_tokenizer_config(const fs::path& dir) {
    json config = TRY(read_json(dir / "tokenizer_config.json", JsonLimits{.bytes_max = 16U << 20U}));
    if (!config.is_object()) {
        return Error{ErrorCode::ParseFailed, "tokenizer_config.json is not an object"};
    }
    return config;
}

// tokenizer.model holds the ordinary tokens only; those added to them are in tokenizer_config.json, by id.
Result<Tokenizer> read_ranks(const fs::path& dir) {
    const json config = TRY(read_tokenizer_config(dir));
    const auto decoder = config.find("added_tokens_decoder");
    std::map<TokenId, std::string> by_id;
    if (decoder != config.end() && decoder->is_object()) {
        for (const auto& [id, token] : decoder->items()) {
            TokenId number = -1;
            const bool is_number = std::from_chars(id.data(), id.data() + id.size(), number).ptr == id.data() + id.size();
            if (!is_number || !token.is_object() || !token.contains("content") || !token["content"].is_string()) {
                return Error{ErrorCode::ParseFailed, fmt::format("tokenizer_config.json: added_tokens_decoder has {}", dump_json(token))};
            }
            by_id.emplace(number, token["content"].get<std::string>());
        }
    }
    std::vector<std::string> added;
    for (const auto& [id, text] : by_id) {
        added.push_back(text);
    }
    Tokenizer tokenizer = TRY(Tokenizer::from_tiktoken_file(dir / "tokenizer.model", added));
    for (const auto& [id, text] : by_id) {
        if (tokenizer.added_token(text) != id) {
            return Error{ErrorCode::InvalidArgument, fmt::format("tokenizer_config.json gives {} the id {}, tokenizer.model leaves it {}",
                                                                 dump_json(json(text)), id, tokenizer.added_token(text).value_or(-1))};
        }
    }
    return tokenizer;
}

// Rows of one matrix at a time, by all threads.
auto pack_with(ThreadPool& pool) {
    return [&pool](const WeightMatrix& plain, const WeightMatrix& packed, std::span<std::byte> bytes) {
        constexpr std::int64_t kRows = 64;
        pool.run((plain.rows + kRows - 1) / kRows, [&](std::int64_t i, int) { pack_rows(plain, packed, i * kRows, std::min(kRows, plain.rows - i * kRows), bytes); });
    };
}

} // namespace

Result<Model> load_model(const EngineOptions& options, Contents contents) {
    LoadOptions load{.contents = contents, .pack_bits = options.quantize == Quantize::Bits4 ? 4 : options.quantize == Quantize::Bits8 ? 8 : 0, .pack = {}};
    std::optional<ThreadPool> pool;
    if (load.pack_bits > 0 && contents == Contents::Read) {
        pool.emplace(options.threads);
        load.pack = pack_with(*pool);
    }
    Model model = TRY(open_model(options.model_dir, contents == Contents::Read ? options.on_progress : OnProgress(), load));
    for (const fs::path& adapter : options.adapters) {
        TRY(apply_adapter(adapter, model));
    }
    return model;
}

Result<ChatTemplate> read_template(const fs::path& dir, const Model& model) {
    if (model.gguf != nullptr) {
        const auto source = model.gguf->metadata().text("tokenizer.chat_template");
        if (!source) {
            return Error{ErrorCode::NotFound, "gguf: tokenizer.chat_template is missing"};
        }
        return ChatTemplate::parse(std::string(*source)).with_context("tokenizer.chat_template");
    }
    std::error_code ignored;
    if (fs::exists(dir / "chat_template.jinja", ignored)) {
        const std::string source = TRY(read_file(dir / "chat_template.jinja", kTemplateBytesMax));
        return ChatTemplate::parse(source).with_context("chat_template.jinja");
    }
    const json config = TRY(read_tokenizer_config(dir));
    if (!config.contains("chat_template") || !config["chat_template"].is_string()) {
        return Error{ErrorCode::NotFound,
                     fmt::format("{} has no chat_template.jinja and tokenizer_config.json no chat_template", dir.string())};
    }
    return ChatTemplate::parse(config["chat_template"].get_ref<const std::string&>()).with_context("tokenizer_config.json");
}

Result<Tokenizer> read_tokenizer(const fs::path& dir, const Model& model) {
    std::error_code ignored;
    if (model.gguf != nullptr) {
        return Tokenizer::from_gguf(model.gguf->metadata());
    }
    const bool has_ranks = !fs::exists(dir / "tokenizer.json", ignored) && fs::exists(dir / "tokenizer.model", ignored);
    return has_ranks ? read_ranks(dir) : Tokenizer::from_json_file(dir / "tokenizer.json");
}

Result<PreprocessConfig> read_preprocess(const fs::path& path, const PreprocessConfig& defaults, const VisionConfig& vision) {
    std::error_code ignored;
    PreprocessConfig config = defaults;
    if (fs::exists(path, ignored)) {
        config = TRY(read_preprocess_config(path, defaults));
    }
    if (config.patch_size != vision.patch_size || config.temporal_patch_size != vision.temporal_patch_size ||
        config.merge_size != vision.merge_size) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("{}: patches of {}x{}x{} merged by {}, config.json says {}x{}x{} merged by {}",
                                 path.filename().string(), config.temporal_patch_size, config.patch_size,
                                 config.patch_size, config.merge_size, vision.temporal_patch_size, vision.patch_size,
                                 vision.patch_size, vision.merge_size)};
    }
    return config;
}

} // namespace handeye

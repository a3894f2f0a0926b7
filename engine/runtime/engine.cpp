// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include "base/json.h"
#include "engine/device/cuda_device.h"
#include "engine/runtime/engine_core.h"
#include "engine/runtime/scheduler.h"
#include "engine/weights/checksums.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <new>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

namespace fs = std::filesystem;

class LocalModel final : public ChatModel {
public:
    LocalModel(std::unique_ptr<EngineCore> core, ModelInfo info, const SchedulerLimits& limits)
        : info_(std::move(info)), scheduler_(std::move(core), limits) {}

    Result<Completion> generate(const ChatRequest& request, const OnText& on_text, std::stop_token stop) override {
        try {
            return scheduler_.run(request, on_text, std::move(stop));
        } catch (const std::bad_alloc&) {
            return Error{ErrorCode::OutOfMemory, "not enough memory for this request's pictures and tokens"};
        }
    }
    Result<TokenizedPrompt> tokenize(const ChatRequest& request) override {
        const EngineCore& core = scheduler_.core();
        const Prompt prompt = TRY(build_prompt(core.prompt_context(), request, TypedControlTokens::StayText));
        TokenizedPrompt out{.ids = prompt.ids, .bytes = {}};
        for (const TokenId id : prompt.ids) {
            out.bytes.emplace_back(core.tokenizer().token_bytes(id));
        }
        return out;
    }
    [[nodiscard]] EngineLoad load() const override { return scheduler_.load(); }
    [[nodiscard]] const ModelInfo& info() const override { return info_; }

private:
    ModelInfo info_;
    Scheduler scheduler_;
};

std::string folder_name(const fs::path& dir) {
    const fs::path clean = dir.lexically_normal();
    return (clean.has_filename() ? clean : clean.parent_path()).filename().string();
}

/// "AutoGLM-Phone-9B", or "autoglm-phone/9B-pytorch-none": its config is that of GLM-4.1V, to the letter, and only its name tells
/// what it was trained to speak.
bool is_auto_glm(const fs::path& dir) {
    const auto holds = [](std::string name, std::string_view word) {
        std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        return name.find(word) != std::string::npos;
    };
    const std::string name = folder_name(dir);
    return holds(name, "glm") ? holds(name, "autoglm") : holds(folder_name(dir.lexically_normal() / ".."), "autoglm");
}

// handeye.json beside the weights says which prompt the checkpoint was trained on; published ones have no such file.
Result<std::string> prompt_name(const fs::path& dir, const std::string& fallback) {
    std::error_code ignored;
    if (!fs::exists(dir / "handeye.json", ignored)) {
        return is_auto_glm(dir) ? "autoglm" : fallback;
    }
    const nlohmann::json json = TRY(read_json(dir / "handeye.json"));
    if (!json.is_object() || !json.contains("prompt") || !json["prompt"].is_string()) {
        return Error{ErrorCode::ParseFailed, "handeye.json has no text at \"prompt\""};
    }
    return json["prompt"].get<std::string>();
}

} // namespace

Result<std::shared_ptr<device::Device>> open_device(std::string_view name) {
    if (name == "cpu") {
        return std::shared_ptr<device::Device>();
    }
    int index = 0;
    const std::string_view number = name.starts_with("cuda:") ? name.substr(5) : "0";
    const bool is_number = std::from_chars(number.data(), number.data() + number.size(), index).ptr == number.data() + number.size() && !number.empty();
    if (!is_number || (name != "cuda" && !name.starts_with("cuda:"))) {
        return Error{ErrorCode::InvalidArgument, fmt::format("there is no device \"{}\": cpu, cuda or cuda:N", name)};
    }
    return std::shared_ptr<device::Device>(TRY(device::open_cuda_device(index)));
}

std::string device_name(const device::Device& device) { return device.info().name; }

Result<std::unique_ptr<ChatModel>> open_engine(const EngineOptions& options) {
    if (options.checksums == Checksums::Verify) {
        TRY(verify_checksums(options.model_dir, checksum_cache(), options.on_progress));
        for (const fs::path& adapter : options.adapters) {
            TRY(verify_checksums(adapter, checksum_cache(), options.on_progress));
        }
    }
    std::unique_ptr<EngineCore> core = TRY(EngineCore::open(options));
    const std::string fallback = core->model().default_prompt;
    // Apart from the initialiser below: GCC 12 leaks the members before a TRY that returns.
    std::string prompt = TRY(prompt_name(options.model_dir, fallback));
    const Model& model = core->model();
    ModelInfo info{.name = folder_name(options.model_dir),
                   .family = model.family,
                   .weight_format = model.weight_format,
                   .prompt = std::move(prompt),
                   .parameters = model.parameters,
                   .weights_bytes = model.weights.size_bytes(),
                   .context_tokens_max = static_cast<int>(core->timeline().capacity()),
                   .reads_pictures = model.vision.has_value()};
    const SchedulerLimits limits{.sequences_max = static_cast<std::size_t>(std::max(1, options.sequences_max)), .waiting_max = static_cast<std::size_t>(std::max(0, options.waiting_max)), .guesses = options.guesses};
    return std::unique_ptr<ChatModel>(std::make_unique<LocalModel>(std::move(core), std::move(info), limits));
}

} // namespace handeye

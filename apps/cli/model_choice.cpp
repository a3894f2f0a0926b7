// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/model_choice.h"

#include "apps/cli/command.h"
#include "apps/kept/checkpoint_sum.h"
#include "base/log.h"
#include "remote/remote_model.h"

#include <fmt/format.h>

namespace handeye::cli {
namespace {

/// Its folder's name, and what tells it from another that has the same.
Result<std::string> name_of(const std::filesystem::path& checkpoint) {
    std::error_code problem;
    return fmt::format("{} {}", std::filesystem::weakly_canonical(checkpoint, problem).filename().string(), TRY(kept::checkpoint_sum(checkpoint)).substr(0, 16));
}

} // namespace

Result<ModelChoice> choose_model(const std::string& given, const ModelWish& wish, const RemoteSettings& settings) {
    const std::string wanted = wanted_model(given);
    ModelChoice out;
    RemoteSettings how = settings;
    how.prompt = how.prompt.empty() ? "compact" : how.prompt; // of screens alone, and servers of other models tell none
    out.remote = TRY(remote_model_options(wanted, wish.extra, how));
    if (out.remote) {
        out.name = wanted;
        return out;
    }
    const LocalCheckpoint checkpoint = TRY(find_model(given));
    EngineOptions& engine = out.local.engine;
    engine = {.threads = wish.threads, .context_tokens = wish.max_model_len, .checksums = wish.skips_checksums ? Checksums::Skip : Checksums::Verify};
    engine.sequences_max = wish.at_once;
    TRY(put_model_options(wish.extra, checkpoint, engine));
    engine.on_progress = [](std::string_view stage, double share) { print_progress(fmt::format("{} {:.0f} %", stage, share * 100)); };
    out.local.on_event = [](const EngineEvent& event) { log::warn("model", event.message); };
    out.name = TRY(name_of(checkpoint.path));
    out.name += engine.quantize == Quantize::None ? "" : engine.quantize == Quantize::Bits8 ? ", packed to 8bit" : ", packed to 4bit";
    out.name += wish.extra.kv_cache.empty() || wish.extra.kv_cache == "16bit" ? "" : ", kv-cache " + wish.extra.kv_cache;
    for (const std::filesystem::path& adapter : engine.adapters) {
        out.name += ", with " + TRY(name_of(adapter));
    }
    return out;
}

Result<std::unique_ptr<ChatModel>> open_chosen_model(const ModelChoice& choice, Clock& clock, const std::stop_token& stop) {
    print_progress(choice.remote ? "looking at the model's servers" : "loading");
    if (choice.remote) {
        Result<std::unique_ptr<ChatModel>> out = open_remote_model(*choice.remote, clock, stop);
        print_progress("");
        return out;
    }
    Result<std::unique_ptr<EngineProcess>> local = open_engine_process(choice.local);
    print_progress("");
    return local ? Result<std::unique_ptr<ChatModel>>(std::move(*local)) : local.error();
}

} // namespace handeye::cli

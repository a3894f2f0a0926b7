// SPDX-License-Identifier: Apache-2.0
// `handeye models inspect`: what a checkpoint is, from its headers.
#include "apps/cli/model_options.h"
#include "apps/cli/models.h"
#include "base/printable.h"
#include "engine/checkpoints.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;

json to_json(const VisionFacts& v) {
    return {{"blocks", v.blocks}, {"width", v.width}, {"patch_px", v.patch_px}, {"image_tokens_max", v.image_tokens_max}, {"parameters", v.parameters}, {"bytes", v.bytes}};
}

json to_json(const ModelReport& r) {
    json formats = json::array();
    for (const FormatShare& f : r.formats) {
        formats.push_back({{"format", f.format}, {"modules", f.modules}, {"parameters", f.parameters}, {"bytes", f.bytes}});
    }
    json modules = json::array();
    for (const ModuleGroup& m : r.modules) {
        modules.push_back({{"name", m.name}, {"format", m.format}, {"modules", m.modules}, {"rows", m.rows}, {"cols", m.cols}, {"bytes", m.bytes}});
    }
    json adapters = json::array();
    for (const AdapterFacts& a : r.adapters) {
        adapters.push_back({{"name", a.name}, {"modules", a.modules}, {"rank_max", a.rank_max}, {"parameters", a.parameters}});
    }
    return {{"family", r.family}, {"weight_format", r.weight_format}, {"parameters", r.parameters}, {"tensor_bytes", r.tensor_bytes},
            {"file_bytes", r.file_bytes}, {"files", r.files}, {"layers", r.layers}, {"experts", r.experts},
            {"context_tokens_max", r.context_tokens_max}, {"kv_bytes_per_token", r.kv_bytes_per_token}, {"formats", formats}, {"modules", modules},
            {"vectors", r.vectors}, {"vector_bytes", r.vector_bytes},
            {"vision", r.vision ? to_json(*r.vision) : json(nullptr)},
            {"tokenizer", {{"source", r.tokenizer.source}, {"vocabulary", r.tokenizer.vocabulary}, {"has_chat_template", r.tokenizer.has_chat_template}, {"problem", r.tokenizer.problem}}},
            {"adapters", adapters}, {"unused_tensors", r.unused_tensors}};
}

std::string count_text(std::int64_t count) {
    return count < 100'000'000 ? fmt::format("{:.1f} million", static_cast<double>(count) / 1e6) : fmt::format("{:.2f} billion", static_cast<double>(count) / 1e9);
}

void print_facts(const ModelReport& r) {
    print(fmt::format("{}, {} parameters, mostly {}: {} in {} file{}", r.family, count_text(r.parameters), r.weight_format,
                      bytes_text(r.file_bytes), r.files, r.files == 1 ? "" : "s"));
    print(fmt::format("{} layers{}, context of {} tokens at most, {} of cache for each token", r.layers,
                      r.experts > 0 ? fmt::format(" of {} experts", r.experts) : "", r.context_tokens_max, bytes_text(r.kv_bytes_per_token)));
    if (r.vision) {
        print(fmt::format("pictures: {} blocks of width {}, {} parameters, {}; at most {} tokens a picture", r.vision->blocks, r.vision->width,
                          count_text(r.vision->parameters), bytes_text(r.vision->bytes), r.vision->image_tokens_max));
    } else {
        print("pictures: none, text only");
    }
    print(fmt::format("tokenizer: {}, {} tokens{}", r.tokenizer.source, r.tokenizer.vocabulary, r.tokenizer.has_chat_template ? ", chat template" : ""));
    for (const AdapterFacts& a : r.adapters) {
        print(fmt::format("adapter {}: {} modules, rank {}, {} parameters", a.name, a.modules, a.rank_max, count_text(a.parameters)));
    }
    if (!r.tokenizer.problem.empty()) {
        print("tokenizer: cannot be used: " + r.tokenizer.problem);
    }
}

void print_report(const ModelReport& r) {
    print_facts(r);
    print(fmt::format("\n{:<24} {:>8} {:>16} {:>10}", "format", "modules", "parameters", "size"));
    for (const FormatShare& f : r.formats) {
        print(fmt::format("{:<24} {:>8} {:>16} {:>10}", f.format, f.modules, f.parameters, bytes_text(f.bytes)));
    }
    print(fmt::format("{:<24} {:>8} {:>16} {:>10}", "norms, biases, kernels", r.vectors, "", bytes_text(r.vector_bytes)));
    print(fmt::format("\n{:<52} {:>5}  {:<20} {:>14} {:>10}", "module", "count", "format", "shape", "size"));
    for (const ModuleGroup& m : r.modules) {
        print(fmt::format("{:<52} {:>5}  {:<20} {:>14} {:>10}", m.name, m.modules, m.format, fmt::format("{}x{}", m.rows, m.cols), bytes_text(m.bytes)));
    }
    if (r.unused_tensors.empty()) {
        print("\nEvery tensor of the files is used.");
        return;
    }
    print(fmt::format("\n{} tensors of the files are not used by this engine:", r.unused_tensors.size()));
    for (const std::string& name : r.unused_tensors) {
        print("  " + name);
    }
}

} // namespace

Runner declare_models_inspect(CLI::App& app) {
    struct Options {
        std::string path;
        ModelOptions model;
    };
    auto options = std::make_shared<Options>();
    app.add_option("PATH", options->path, fmt::format("{} (default: $HANDEYE_MODEL, else the bundled model)", kModelHelp));
    app.footer("Reads headers, config and tokenizer, not the weights: as fast for 40 GB as for 1 GB. Exit code 2: not a checkpoint that loads.");
    add_model_options(app, options->model);
    return [options](const Context& context) -> Result<int> {
        EngineOptions engine;
        const LocalCheckpoint checkpoint = TRY(find_model(options->path));
        TRY(put_model_options(options->model, checkpoint, engine));
        const ModelReport report = TRY(inspect_model(engine));
        if (context.json) {
            print_json(to_json(report));
        } else {
            print_report(report);
        }
        return 0;
    };
}

} // namespace handeye::cli

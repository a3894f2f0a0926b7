// SPDX-License-Identifier: Apache-2.0
// `handeye models verify`: a checkpoint against goldens computed by the reference implementation.
#include "apps/cli/model_options.h"
#include "apps/cli/models.h"
#include "engine/engine.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

template <class T>
nlohmann::json or_null(const std::optional<T>& value) {
    return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

nlohmann::json to_json(const VerifyReport& report) {
    nlohmann::json cases = nlohmann::json::array();
    for (const CaseResult& one : report.cases) {
        cases.push_back({{"name", one.name},
                         {"ids_equal", one.ids_equal},
                         {"grid_equal", or_null(one.grid_equal)},
                         {"positions_equal", one.positions_equal},
                         {"pixels_max_abs", or_null(one.pixels_max_abs)},
                         {"image_embeds_max_abs", or_null(one.image_embeds_max_abs)},
                         {"logits_max_abs", one.logits_max_abs},
                         {"mean_kl", one.mean_kl},
                         {"greedy_equal", one.greedy_equal},
                         {"pass", one.pass}});
        if (!one.why.empty()) {
            cases.back()["why"] = one.why;
        }
    }
    return {{"cases", cases},
            {"tokenizer_cases", report.tokenizer_cases},
            {"tokenizer_failures", report.tokenizer_failures},
            {"pass", report.pass}};
}

void print_table(const VerifyReport& report) {
    print(fmt::format("{:<24} {:>10} {:>10} {:>12} {:>10}  {}", "case", "pixels", "embeds", "logits", "mean KL", ""));
    for (const CaseResult& one : report.cases) {
        const auto number = [](const std::optional<double>& value) { return value ? fmt::format("{:.2e}", *value) : "-"; };
        print(fmt::format("{:<24} {:>10} {:>10} {:>12.2e} {:>10.2e}  {}", one.name, number(one.pixels_max_abs),
                          number(one.image_embeds_max_abs), one.logits_max_abs, one.mean_kl,
                          one.pass ? "pass" : "FELL SHORT: " + one.why));
    }
    print(fmt::format("tokenizer: {} of {} cases", report.tokenizer_cases - report.tokenizer_failures,
                      report.tokenizer_cases));
    print(report.pass ? "all cases pass" : "some cases fell short");
}

} // namespace

Runner declare_models_verify(CLI::App& app) {
    struct Options {
        std::string folder;
        std::string model;
        std::string cases;
        int threads = 0;
        bool skips_checksums = false;
        ModelOptions extra;
    };
    auto options = std::make_shared<Options>();
    app.add_option("MODEL", options->folder, std::string(kModelHelp));
    app.add_option("--model", options->model, "The same, as an option");
    app.add_option("--cases", options->cases, "Folder with cases.json and expected.safetensors")->required();
    app.add_option("--threads", options->threads, "0: one per core")->check(CLI::Range(0, 1024));
    add_checksums_option(app, options->skips_checksums);
    add_model_options(app, options->extra);
    return [options](const Context& context) -> Result<int> {
        if (options->folder.empty() == options->model.empty()) {
            return Error{ErrorCode::InvalidArgument, options->folder.empty() ? "name the model that the cases are of: handeye models verify MODEL --cases DIR" : "say MODEL or --model, not both"};
        }
        const LocalCheckpoint model = TRY(find_model(options->folder.empty() ? options->model : options->folder));
        EngineOptions engine{.threads = options->threads, .checksums = options->skips_checksums ? Checksums::Skip : Checksums::Verify};
        TRY(put_model_options(options->extra, model, engine));
        const VerifyReport report = TRY(verify_model(engine, options->cases));
        if (context.json) {
            print_json(to_json(report));
        } else {
            print_table(report);
        }
        return report.pass ? 0 : 1;
    };
}

} // namespace handeye::cli

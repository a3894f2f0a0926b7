// SPDX-License-Identifier: Apache-2.0
// `handeye models quantize`: a smaller copy of a 16-bit checkpoint.
#include "apps/cli/models.h"
#include "base/printable.h"
#include "engine/checkpoints.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {

Runner declare_models_quantize(CLI::App& app) {
    struct Options {
        std::string in;
        std::string out;
        std::string to;
        int threads = 0;
    };
    auto options = std::make_shared<Options>();
    app.add_option("IN", options->in, "Folder of a 16-bit checkpoint (safetensors)")->required();
    app.add_option("OUT", options->out, "Folder to write; must not exist")->required();
    app.add_option("--to", options->to, "How many bits a weight takes")->required()->check(CLI::IsMember({"8bit", "4bit"}));
    app.add_option("--threads", options->threads, "0: one per core")->check(CLI::Range(0, 1024));
    app.footer("Writes compressed-tensors (pack-quantized, symmetric), which vLLM and transformers read, too. The matrices of the decoder's\n"
               "layers are packed; embeddings, head, vision tower and norms stay as they are. One matrix is in memory at a time.\n"
               "Example: handeye models quantize GLM-4.1V-9B-Thinking GLM-4.1V-9B-Thinking-4bit --to 4bit");
    return [options](const Context& context) -> Result<int> {
        QuantizeOptions quantize{.in = options->in, .out = options->out, .to = options->to == "4bit" ? Quantize::Bits4 : Quantize::Bits8, .threads = options->threads, .on_progress = {}, .is_stopped = {}};
        quantize.on_progress = [](std::string_view module, double share) { print_progress(fmt::format("{:.0f} % {}", share * 100, module)); };
        quantize.is_stopped = [stop = context.stop] { return stop.stop_requested(); };
        const auto report = quantize_checkpoint(quantize);
        print_progress("");
        TRY(report);
        if (context.json) {
            print_json({{"out", options->out}, {"modules", report->modules}, {"in_bytes", report->in_bytes}, {"out_bytes", report->out_bytes}});
        } else {
            print(fmt::format("{}: {} matrices in {}, {} instead of {}", options->out, report->modules, options->to, bytes_text(report->out_bytes), bytes_text(report->in_bytes)));
        }
        return 0;
    };
}

} // namespace handeye::cli

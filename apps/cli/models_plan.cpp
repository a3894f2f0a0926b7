// SPDX-License-Identifier: Apache-2.0
// `handeye models plan`: the memory that a model will take, before it is loaded.
#include "apps/cli/model_options.h"
#include "apps/cli/models.h"
#include "base/printable.h"
#include "engine/checkpoints.h"

#include <cmath>
#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;

constexpr int kExitTooLittle = 5;
constexpr double kDeviationMax = 0.05; // of what was measured

struct Options {
    std::string path;
    std::string image = "1920x1080";
    PlanOptions plan;
    ModelOptions model;
    bool is_measured = false;
};

double deviation(const PlanReport& r) {
    return (static_cast<double>(r.total_bytes) - static_cast<double>(*r.measured_bytes)) / static_cast<double>(*r.measured_bytes);
}

json to_json(const PlanReport& r, const PlanOptions& plan) {
    json parts = json::array();
    for (const MemoryPart& part : r.parts) {
        parts.push_back({{"name", part.name}, {"bytes", part.bytes}});
    }
    json limits = json::array();
    for (const MemoryFit& fit : r.fits) {
        limits.push_back({{"name", fit.limit}, {"needed_bytes", fit.needed_bytes}, {"available_bytes", fit.available_bytes}, {"shortfall_bytes", fit.shortfall_bytes}});
    }
    json out{{"context_tokens", r.context_tokens}, {"images", plan.images}, {"image_px", {plan.image.width_px, plan.image.height_px}},
             {"image_tokens", r.prompt_image_tokens}, {"parts", parts}, {"total_bytes", r.total_bytes}, {"limits", limits}, {"fits", r.does_fit()}};
    if (r.on_device) {
        const OnDevice& d = *r.on_device;
        out["on_device"] = {{"text", d.text}, {"layers", d.layers}, {"vision", d.has_vision}, {"weights_bytes", d.weights_bytes}, {"cache_bytes", d.cache_bytes},
                            {"work_bytes", d.work_bytes}, {"limit_bytes", d.limit_bytes}};
    }
    if (r.measured_bytes) {
        out["measured_bytes"] = *r.measured_bytes;
        out["deviation"] = deviation(r);
        out["load_seconds"] = r.load_seconds;
        out["prompt_seconds"] = r.prompt_seconds;
    }
    return out;
}

void print_report(const PlanReport& r, const PlanOptions& plan) {
    print(fmt::format("a context of {} tokens, full, with {} pictures of {}x{} ({} tokens) in it", r.context_tokens, plan.images, plan.image.width_px,
                      plan.image.height_px, r.prompt_image_tokens));
    if (r.on_device) {
        print(r.on_device->text);
        print("left to the processor:");
    }
    for (const MemoryPart& part : r.parts) {
        print(fmt::format("  {:<28} {:>10}", part.name, bytes_text(part.bytes)));
    }
    print(fmt::format("  {:<28} {:>10}", "together, at the peak", bytes_text(r.total_bytes)));
    for (const MemoryFit& fit : r.fits) {
        print(fmt::format("{:<30} {} of {}{}", fit.limit + ":", bytes_text(fit.needed_bytes), bytes_text(fit.available_bytes),
                          fit.shortfall_bytes > 0 ? fmt::format(": {} BYTES TOO LITTLE", fit.shortfall_bytes) : ""));
    }
    if (r.measured_bytes) {
        print(fmt::format("loaded in {:.2f} s, the full context took {:.1f} s", r.load_seconds, r.prompt_seconds));
        print(fmt::format("measured peak: {} ({} bytes); the plan is {:+.1f} % off", bytes_text(*r.measured_bytes), *r.measured_bytes, 100 * deviation(r)));
    }
    print(r.does_fit() ? "it fits" : "it does not fit");
}

Result<Size> read_size(const std::string& text) {
    Size size;
    char rest = 0;
    if (std::sscanf(text.c_str(), "%dx%d%c", &size.width_px, &size.height_px, &rest) != 2 || size.width_px < 1 || size.height_px < 1 || size.width_px > 32768 ||
        size.height_px > 32768) {
        return Error{ErrorCode::InvalidArgument, fmt::format("--image-size is \"{}\", expected WIDTHxHEIGHT in pixels, up to 32768", text)};
    }
    return size;
}

Result<int> plan(Options& options, const Context& context) {
    options.plan.image = TRY(read_size(options.image));
    const LocalCheckpoint checkpoint = TRY(find_model(options.path));
    TRY(put_model_options(options.model, checkpoint, options.plan.engine));
    const PlanReport report = TRY(options.is_measured ? measure_model(options.plan) : plan_model(options.plan));
    if (context.json) {
        print_json(to_json(report, options.plan));
    } else {
        print_report(report, options.plan);
    }
    if (report.measured_bytes && std::abs(deviation(report)) > kDeviationMax) {
        return 1;
    }
    return report.does_fit() ? 0 : kExitTooLittle;
}

} // namespace

Runner declare_models_plan(CLI::App& app) {
    auto options = std::make_shared<Options>();
    app.add_option("PATH", options->path, fmt::format("{} (default: $HANDEYE_MODEL, else the bundled model)", kModelHelp));
    app.add_option("--context", options->plan.engine.context_tokens, "Tokens of the context (default: what loading takes)")->check(CLI::Range(1, 1 << 24));
    app.add_option("--images", options->plan.images, "Pictures in one prompt")->check(CLI::Range(0, 300))->capture_default_str();
    app.add_option("--image-size", options->image, "Their size in pixels")->type_name("WxH")->capture_default_str();
    app.add_option("--threads", options->plan.engine.threads, "0: one per core")->check(CLI::Range(0, 1024));
    add_model_options(app, options->model);
    app.add_flag("--measure", options->is_measured, "Then load, touch every weight, fill the context, and compare with the real peak");
    app.footer("The engine reckons the same before it loads, and refuses what does not fit.\n"
               "Exit codes: 0 it fits, 1 --measure found more than 5 % of difference, 2 bad use or no such model, 5 too little memory.");
    return [options](const Context& context) { return plan(*options, context); };
}

} // namespace handeye::cli

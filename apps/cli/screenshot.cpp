// SPDX-License-Identifier: Apache-2.0
// `handeye screenshot`: one capture of a target into a PNG file.
#include "apps/cli/command.h"
#include "base/image_codec.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {

Runner declare_screenshot(CLI::App& app) {
    struct Options {
        TargetSpec target;
        std::string file;
    };
    auto options = std::make_shared<Options>();
    add_target_options(app, options->target);
    app.add_option("-o,--output", options->file, "PNG file to write")->required();
    return [options](const Context& context) -> Result<int> {
        SystemClock clock;
        options->target.view_only = options->target.view_only || options->target.platform == "vnc"; // a picture moves nobody's pointer
        const std::unique_ptr<Platform> platform = TRY(open_target(options->target, clock, context.stop));
        const DisplayInfo display = TRY(platform->display());
        const TimePoint start = clock.now();
        const Screenshot shot = TRY(platform->capture());
        const auto took_us = std::chrono::duration_cast<std::chrono::microseconds>(clock.now() - start).count();
        TRY(write_png(options->file, shot.image));
        const Size size = shot.image.size();
        if (context.json) {
            print_json({{"file", options->file},
                        {"width_px", size.width_px},
                        {"height_px", size.height_px},
                        {"scale", 1.0},
                        {"platform", display.platform},
                        {"backend", display.backend},
                        {"capture_ms", static_cast<double>(took_us) / 1000.0}});
        } else {
            print(fmt::format("{}: {}x{} pixels by {} in {:.1f} ms", options->file, size.width_px, size.height_px,
                              display.backend, static_cast<double>(took_us) / 1000.0));
        }
        return 0;
    };
}

} // namespace handeye::cli

// SPDX-License-Identifier: Apache-2.0
// `gpu_check`: what is to be seen on a machine with a card, in one program that needs nothing but its own folder and the driver.
#include "engine/bench_device.h"
#include "engine/device/cuda_device.h"
#include "engine/engine.h"
#include "engine/engine_worker.h"
#include "engine/runtime/verify.h"
#include "host_device.h"
#include "twins.h"

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::gpu {
namespace {

constexpr const char* kUsage = "gpu_check twins | goldens [--rounded] [--sandboxed] FOLDER... | bench [MODEL FORMAT]\n"
                               "  twins    every operation beside the same kernels on the host\n"
                               "  goldens  the reference's cases of each folder, computed on the card; --rounded: as without --exact, in bf16; --sandboxed: shut in as the engine's process is\n"
                               "  bench    GLM-4.1V-9B or GLM-4.5V with random weights (bf16, fp8, int8, int4, q8_0, q4_k_m), a JSON line for each figure\n"
                               "--on-host runs the first two without a card\n";

// Products of many rows in bf16 and by the library: near the reference instead of equal to it.
constexpr double kRoundedKl = 1e-3;

Result<VerifyReport> verify_rounded(const EngineOptions& options, const std::string& folder) {
    const std::unique_ptr<EngineCore> core = TRY(EngineCore::open(options));
    VerifyReport report = TRY(verify_core(*core, folder));
    for (CaseResult& c : report.cases) {
        c.pass = c.ids_equal && c.positions_equal && c.mean_kl <= kRoundedKl;
        c.why = c.pass ? "" : c.why;
    }
    return report;
}

int goldens(const std::shared_ptr<device::Device>& device, std::vector<std::string> folders) {
    const bool is_rounded = std::erase(folders, "--rounded") > 0;
    if (std::erase(folders, "--sandboxed") > 0) {
        if (const auto inside = enter_engine_sandbox(DriverFiles::Nvidia); !inside) {
            std::printf("FAIL %s\n", inside.error().message.c_str());
            return 1;
        }
    }
    int failures = 0;
    for (const std::string& folder : folders) {
        const EngineOptions options{.model_dir = folder, .checksums = Checksums::Skip, .opened_device = device};
        const auto report = is_rounded ? verify_rounded(options, folder) : verify_model(options, folder);
        if (!report) {
            std::printf("FAIL %s: %s\n", folder.c_str(), report.error().message.c_str());
            ++failures;
            continue;
        }
        for (const CaseResult& c : report->cases) {
            failures += c.pass ? 0 : 1;
            std::printf("%s %-40s %-24s logits %.2e, mean KL %.2e %s\n", c.pass ? "ok  " : "FAIL", folder.c_str(), c.name.c_str(), c.logits_max_abs, c.mean_kl, c.why.c_str());
        }
    }
    return failures;
}

int bench(const std::shared_ptr<device::Device>& device, const std::string& model, const std::string& format) {
    const auto tell = [&](const BenchLine& line) {
        nlohmann::json figure = bench_json(line);
        figure.update({{"device", device->info().name}, {"model", model}, {"format", format}});
        std::printf("%s\n", figure.dump().c_str());
        std::fflush(stdout);
    };
    const auto done = bench_device({.opened_device = device}, {.shape = model, .format = format}, tell);
    if (!done) {
        std::printf("FAIL %s in %s: %s\n", model.c_str(), format.c_str(), done.error().message.c_str());
    }
    return done ? 0 : 1;
}

int run(std::vector<std::string> words) {
    const bool on_host = std::erase(words, "--on-host") > 0;
    if (words.empty()) {
        std::fputs(kUsage, stderr);
        return 2;
    }
    std::shared_ptr<device::Device> device = open_host_device({.has_library = true});
    if (!on_host) {
        auto card = device::open_cuda_device(0);
        if (!card) {
            std::fprintf(stderr, "%s\n", card.error().message.c_str());
            return 5;
        }
        device = std::move(*card);
    }
    std::printf("%s, %.1f GB, cuBLASLt %s\n", device->info().name.c_str(), static_cast<double>(device->info().memory_bytes) / 1e9, device->info().has_library ? "found" : "not found");
    if (words[0] == "twins") {
        const auto beside = open_host_device({.has_library = device->info().has_library});
        return compare_operations(*device, *beside) == 0 ? 0 : 1;
    }
    if (words[0] == "goldens" && words.size() > 1) {
        return goldens(device, {words.begin() + 1, words.end()}) == 0 ? 0 : 1;
    }
    if (words[0] == "bench" && (words.size() == 1 || words.size() == 3)) {
        return bench(device, words.size() == 3 ? words[1] : "GLM-4.1V-9B", words.size() == 3 ? words[2] : "bf16");
    }
    std::fputs(kUsage, stderr);
    return 2;
}

} // namespace
} // namespace handeye::gpu

int main(int argc, char** argv) { return handeye::gpu::run({argv + 1, argv + argc}); }

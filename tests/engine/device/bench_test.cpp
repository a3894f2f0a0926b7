// SPDX-License-Identifier: Apache-2.0
// The benchmark of a device, on the host and with tiny models: every figure is there, and counts the bytes and operations that it should.
#include "engine/bench_device.h"
#include "engine/runtime/bench_lines.h"
#include "host_device.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

const std::filesystem::path kGoldens = std::filesystem::path(HANDEYE_SOURCE_DIR) / "tests/golden/engine";

DeviceBench small(std::string shape, std::string format) {
    return {.shape = std::move(shape), .format = std::move(format), .contexts = {20, 70}, .shared_context = 30, .sequences = 2, .prompt = 40, .screens = {{64, 112}}, .screen_text = 20, .pass_rows = 24,
            .warm_ups = 0, .rounds = 1, .seconds_most = 0, .copied_bytes = 1U << 16U, .product_side = 16};
}

using Lines = std::map<std::string, BenchLine>;

Lines measured(const EngineOptions& engine, const DeviceBench& bench) {
    Lines lines;
    const auto done = bench_device(engine, bench, [&](const BenchLine& line) {
        EXPECT_TRUE(lines.emplace(line.name, line).second) << line.name << " twice";
        EXPECT_GT(line.value, 0) << line.name;
        EXPECT_FALSE(line.unit.empty()) << line.name;
        if (line.ceiling > 0) {
            EXPECT_NEAR(line.share, line.unit == "ms" || line.unit == "times" ? line.ceiling / line.value : line.value / line.ceiling, 1e-6 * line.share) << line.name;
        }
        if (line.rounds > 0) {
            EXPECT_GT(line.median_ms, 0) << line.name;
            EXPECT_GE(line.p99_ms, line.median_ms) << line.name;
            EXPECT_TRUE(line.bytes > 0 || line.flop > 0) << line.name;
        }
    });
    EXPECT_TRUE(done) << done.error().message;
    return lines;
}

EngineOptions on_host(bool has_library = true) { return {.opened_device = open_host_device({.has_library = has_library})}; }

struct Counted {
    const char* name;
    double bytes;
    double flop;
};

void expect_counts(const Lines& lines, const std::vector<Counted>& all) {
    for (const Counted& wanted : all) {
        const auto line = lines.find(wanted.name);
        ASSERT_NE(line, lines.end()) << wanted.name;
        EXPECT_DOUBLE_EQ(line->second.bytes, wanted.bytes) << wanted.name;
        EXPECT_DOUBLE_EQ(line->second.flop, wanted.flop) << wanted.name;
    }
}

TEST(BenchDevice, CountsBytesAndOperationsOfEachKernel) {
    const Lines lines = measured(on_host(), small("tiny", "bf16"));
    constexpr double kToken = 2 * 2 * 2 * 64 * 2; // keys and values, layers, heads, numbers, bytes
    constexpr double kLayers = 2 * 2.0 * (4 * 256 * 256 - 2 * 256 * 128 + 3 * 384 * 256), kHead = 2.0 * 512 * 256;
    expect_counts(lines, {{"q 256x256, 1 row", 2 * 2 * 256 * 256, 2 * 2 * 256 * 256},
                          {"v 128x256, 1 row", 2 * 2 * 128 * 256, 2 * 2 * 128 * 256},
                          {"o 256x256, 2 rows", 2 * 2 * 256 * 256, 2 * 2 * 2 * 256 * 256},
                          {"gate 384x256, 1 row", 2 * 2 * 384 * 256, 2 * 2 * 384 * 256},
                          {"down 256x384, 24 rows", 2 * 2 * 384 * 256, 24 * 2 * 2 * 384 * 256},
                          {"down 256x384, 24 rows, library", 2 * 2 * 384 * 256, 24 * 2 * 2 * 384 * 256},
                          {"head, 1 row", kHead, 2 * 512 * 256},
                          {"attention of 1 at 20", 21 * kToken, 4 * 256 * 21 * 2},
                          {"attention of 1 at 70", 71 * kToken, 4 * 256 * 71 * 2},
                          {"attention of 2 at 30", 2 * 31 * kToken, 2 * 4 * 256 * 31 * 2},
                          {"attention of 24 rows at 0", 24 * kToken, 4 * 256 * 300 * 2},
                          {"tower's attention at 64x112", 4 * 3 * 128 * 32, 4 * 32 * 32 * 128},
                          {"decode at 70", kLayers + kHead + 70 * kToken, 0},
                          {"decode of 2 at 30", kLayers + kHead + 60 * kToken, 0}});
    for (const char* const name : {"memory_read", "upload", "bf16_peak", "time of 2 over that of 1", "prefill of 40", "vision at 64x112", "first token at 64x112"}) {
        EXPECT_TRUE(lines.contains(name)) << name;
    }
    EXPECT_FALSE(lines.contains("load"));
}

TEST(BenchDevice, ReadsTheExpertsThatAreUsed) {
    const Lines lines = measured(on_host(), small("tiny-experts", "fp8"));
    constexpr double kOne = 2 * 2 * (128 * 256); // layers that have experts, used ones
    expect_counts(lines, {{"gate of experts 128x256, 2 of 8", kOne + 2 * 2 * 4 * 128, 2 * kOne}, {"down of experts 256x128, 2 of 8", kOne + 2 * 2 * 4 * 256, 2 * kOne},
                          {"gate 128x256, 1 row", 2 * (128 * 256 + 4 * 128), 2 * 2 * 128 * 256}});
}

TEST(BenchDevice, MeasuresEveryFormat) {
    const std::map<std::string_view, double> bits{{"bf16", 16}, {"fp8", 8.125}, {"int8", 8.0625}, {"int4", 4.125}, {"q8_0", 8.5}, {"q4_k_m", 4.5}};
    for (const std::string_view format : bench_formats()) {
        SCOPED_TRACE(format);
        DeviceBench bench = small("tiny", std::string(format));
        bench.screens.clear();
        bench.contexts.clear();
        ASSERT_TRUE(bits.contains(format));
        expect_counts(measured(on_host(), bench), {{"q 256x256, 1 row", 2 * 256 * 256 * bits.at(format) / 8, 2 * 2 * 256 * 256}});
    }
}

TEST(BenchDevice, HasNoCeilingOfOperationsWithoutALibrary) {
    const Lines lines = measured(on_host(false), small("tiny", "int4"));
    EXPECT_FALSE(lines.contains("bf16_peak"));
    EXPECT_FALSE(lines.contains("gate 384x256, 24 rows, library"));
    ASSERT_TRUE(lines.contains("gate 384x256, 24 rows"));
    EXPECT_EQ(lines.at("gate 384x256, 24 rows").ceiling, 0);
    EXPECT_EQ(lines.at("prefill of 40").ceiling, 0);
    EXPECT_GT(lines.at("gate 384x256, 1 row").ceiling, 0);
}

TEST(BenchDevice, MeasuresACheckpointAndItsLoading) {
    for (const auto& [name, sees] : {std::pair{"glm4v-bf16", true}, {"glm4-ct-int4", false}, {"glm4v_moe-awq-int4", true}}) {
        SCOPED_TRACE(name);
        EngineOptions engine = on_host();
        engine.model_dir = kGoldens / name;
        engine.threads = 1;
        engine.kv_format = KvFormat::Q8;
        engine.exact = true;
        const Lines lines = measured(engine, small("", ""));
        EXPECT_TRUE(lines.contains("load"));
        EXPECT_TRUE(lines.contains("decode at 20"));
        EXPECT_EQ(lines.contains("vision at 64x112"), sees);
    }
}

TEST(BenchDevice, LeavesOutWhatIsLongerThanTheContext) {
    DeviceBench bench = small("tiny", "bf16");
    bench.contexts = {1023, 1024, 64'000};
    bench.screen_text = 1024; // with a screen it is too long
    const Lines lines = measured(on_host(), bench);
    EXPECT_TRUE(lines.contains("decode at 1023"));
    EXPECT_FALSE(lines.contains("decode at 1024"));
    EXPECT_TRUE(lines.contains("vision at 64x112"));
    EXPECT_FALSE(lines.contains("first token at 64x112"));
}

TEST(BenchDevice, SaysWhatIsNotThere) {
    const auto no_line = [](const BenchLine& line) { ADD_FAILURE() << line.name; };
    for (const auto& [shape, format] : {std::pair{"GLM-9", "bf16"}, {"tiny", "q2"}}) {
        const auto none = bench_device(on_host(), small(shape, format), no_line);
        ASSERT_FALSE(none);
        EXPECT_EQ(none.error().code, ErrorCode::InvalidArgument);
        EXPECT_NE(none.error().message.find("GLM-4.1V-9B"), std::string::npos) << none.error().message;
    }
    DeviceBench alone = small("tiny", "bf16");
    alone.sequences = 1;
    EXPECT_EQ(bench_device(on_host(), alone, no_line).error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(bench_device({.device = "cpu"}, small("tiny", "bf16"), no_line).error().code, ErrorCode::InvalidArgument);
    const EngineOptions narrow{.opened_device = open_host_device({.memory_bytes = 1 << 20})};
    EXPECT_EQ(bench_device(narrow, small("tiny", "bf16"), [](const BenchLine&) {}).error().code, ErrorCode::OutOfMemory);
}

TEST(BenchLines, TellTheMiddleAndTheTail) {
    std::vector<double> seconds;
    for (int i = 200; i > 0; --i) {
        seconds.push_back(i);
    }
    EXPECT_EQ(summary(seconds).median, 101);
    EXPECT_EQ(summary(seconds).p99, 198);
    EXPECT_EQ(summary({0.5}).p99, 0.5);
    int prepared = 0, called = 0;
    const auto count = [](int& to) {
        return [&]() -> Result<void> {
            ++to;
            return {};
        };
    };
    EXPECT_EQ(timed({.rounds = 40, .seconds_most = 100, .warm_ups = 3}, count(called), count(prepared))->rounds, 40);
    EXPECT_EQ(called, 43);
    EXPECT_EQ(prepared, 43);
    EXPECT_EQ(timed({.rounds = 40, .seconds_most = 0}, count(called))->rounds, Repeats::kRoundsLeast);
}

TEST(BenchLines, AreToldInFull) {
    const Timed took{.median = 0.002, .p99 = 0.003, .rounds = 30};
    const nlohmann::json json = bench_json(kernel_line("gate", took, {.bytes = 4e9, .flop = 1e12}, Bound::Bytes, {.bytes = 4e12}, "40 MB each"));
    EXPECT_EQ(json, (nlohmann::json{{"name", "gate"}, {"value", 2000.0}, {"unit", "GB/s"}, {"ceiling", 4000.0}, {"ceiling_of", "40 MB each"}, {"share", 0.5}, {"median_ms", 2.0}, {"p99_ms", 3.0},
                                    {"rounds", 30}, {"bytes", 4e9}, {"gb_per_s", 2000.0}, {"flop", 1e12}, {"tflop_per_s", 500.0}}))
        << json;
    EXPECT_EQ(bench_json({.name = "load", .value = 3, .unit = "ms"}), (nlohmann::json{{"name", "load"}, {"value", 3.0}, {"unit", "ms"}}));
    const BenchLine tokens = token_line("decode", 8, took, 1e9, {.bytes = 1e12});
    EXPECT_DOUBLE_EQ(tokens.value, 4000);
    EXPECT_DOUBLE_EQ(tokens.ceiling, 8000);
    EXPECT_DOUBLE_EQ(tokens.share, 0.5);
}

} // namespace
} // namespace handeye

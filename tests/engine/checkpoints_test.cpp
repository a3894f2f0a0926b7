// SPDX-License-Identifier: Apache-2.0
// What is said of checkpoints before they are loaded, and smaller copies of them.
#include "engine/checkpoints.h"
#include "engine/kernels/ops.h"
#include "engine/models/registry.h"
#include "engine/quant/pack.h"
#include "engine/runtime/machine_memory.h"
#include "engine/runtime/memory.h"
#include "temporary_folder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kGoldens = fs::path(HANDEYE_SOURCE_DIR) / "tests/golden/engine";

TEST(InspectModel, SaysFamilyFormatsAndCache) {
    const auto report = inspect_model({.model_dir = kGoldens / "glm4-ct-int4"});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->family, "glm4");
    EXPECT_EQ(report->weight_format, "compressed-tensors-4bit");
    EXPECT_FALSE(report->vision);
    EXPECT_TRUE(report->tokenizer.has_chat_template);
    EXPECT_EQ(report->tokenizer.problem, "");
    const json config = json::parse(std::ifstream(kGoldens / "glm4-ct-int4" / "config.json"));
    EXPECT_EQ(report->kv_bytes_per_token, 2 * 2 * config["num_hidden_layers"].get<int>() * config["num_key_value_heads"].get<int>() * config["head_dim"].get<int>());
    const auto down = std::find_if(report->modules.begin(), report->modules.end(), [](const auto& m) { return m.name == "model.layers.*.mlp.down_proj"; });
    ASSERT_NE(down, report->modules.end());
    EXPECT_EQ(down->modules, config["num_hidden_layers"].get<int>());
    EXPECT_EQ(down->cols, config["intermediate_size"].get<int>());
    std::int64_t bytes = report->vector_bytes;
    for (const FormatShare& share : report->formats) {
        bytes += share.bytes;
    }
    EXPECT_EQ(bytes, report->tensor_bytes); // every byte is some module's
}

TEST(InspectModel, NamesWhatNothingUses) {
    const TemporaryFolder folder;
    for (const auto& entry : fs::directory_iterator(kGoldens / "glm4-ct-int4")) {
        fs::create_symlink(entry.path(), folder.path() / entry.path().filename());
    }
    json header{{"stray.weight", {{"dtype", "F32"}, {"shape", {2}}, {"data_offsets", {0, 8}}}}};
    const std::string text = header.dump();
    const std::uint64_t length = text.size();
    fs::rename(folder.path() / "model.safetensors", folder.path() / "model-00001-of-00002.safetensors");
    folder.write("model-00002-of-00002.safetensors", std::string(reinterpret_cast<const char*>(&length), 8) + text + std::string(8, '\0'));
    const auto report = inspect_model({.model_dir = folder.path()});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->unused_tensors, std::vector<std::string>{"stray.weight"});
    EXPECT_EQ(report->files, 2);
}

// Tables of 8.6 GB over a file of holes: whoever reads them takes their memory.
TEST(InspectModel, ReadsHeadersOnly) {
    constexpr std::int64_t kRows = 1 << 24;
    const TemporaryFolder folder;
    for (const char* name : {"config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "preprocessor_config.json"}) {
        fs::copy_file(kGoldens / "glm4v-f32" / name, folder.path() / name);
    }
    json config = json::parse(folder.read("config.json"));
    config["text_config"]["vocab_size"] = kRows;
    folder.write("config.json", config.dump());
    const auto tiny = Checkpoint::open(kGoldens / "glm4v-f32");
    ASSERT_TRUE(tiny);
    json header;
    std::int64_t at = 0;
    for (const auto& [name, view] : tiny->tensors()) {
        Shape shape = view.shape;
        shape[0] = name.ends_with("embed_tokens.weight") || name == "lm_head.weight" ? kRows : shape[0];
        const std::int64_t bytes = static_cast<std::int64_t>(view.size_bytes()) / view.shape[0] * shape[0];
        header[name] = {{"dtype", dtype_name(view.dtype)}, {"shape", shape}, {"data_offsets", {at, at + bytes}}};
        at += bytes;
    }
    const std::string text = header.dump();
    const std::uint64_t length = text.size();
    folder.write("model.safetensors", std::string(reinterpret_cast<const char*>(&length), 8) + text);
    fs::resize_file(folder.path() / "model.safetensors", 8 + length + static_cast<std::uint64_t>(at));
    const auto before = read_machine_memory();
    const auto report = inspect_model({.model_dir = folder.path()});
    const auto after = read_machine_memory();
    ASSERT_TRUE(report && before && after);
    EXPECT_GT(report->tensor_bytes, std::int64_t{8} << 30);
    EXPECT_LT(after->peak_resident_bytes - before->peak_resident_bytes, 256 << 20);
}

class FakeMachine {
public:
    FakeMachine() {
        put("proc/self/status", "Name:\tx\nVmPeak:\t 9 kB\nVmSize:\t    3000 kB\nVmHWM:\t    2000 kB\nVmRSS:\t    1000 kB\n");
        put("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    5000 kB\n");
    }
    void put(const std::string& path, const std::string& text) const {
        fs::create_directories((folder_.path() / path).parent_path());
        folder_.write(path, text);
    }
    [[nodiscard]] MachineMemory read() const {
        auto memory = read_machine_memory(folder_.path());
        EXPECT_TRUE(memory);
        return memory ? *memory : MachineMemory{};
    }
    [[nodiscard]] std::int64_t available(const std::string& name) const {
        const MachineMemory memory = read();
        const auto found = std::find_if(memory.limits.begin(), memory.limits.end(), [&](const auto& limit) { return limit.name == name; });
        return found == memory.limits.end() ? -1 : found->available_bytes;
    }

private:
    TemporaryFolder folder_;
};

TEST(MachineMemoryTest, ReadsWhatTheKernelSays) {
    const FakeMachine machine;
    EXPECT_EQ(machine.read().resident_bytes, 1000 * 1024);
    EXPECT_EQ(machine.read().peak_resident_bytes, 2000 * 1024);
    EXPECT_EQ(machine.available("MemAvailable"), 5000 * 1024);
    EXPECT_EQ(machine.available("RLIMIT_AS"), -1);
}

TEST(MachineMemoryTest, AControlGroupAndTheOnesAboveItCount) {
    const FakeMachine machine;
    machine.put("proc/self/cgroup", "0::/user.slice/app\n");
    machine.put("sys/fs/cgroup/user.slice/app/memory.max", "max\n");
    machine.put("sys/fs/cgroup/user.slice/app/memory.current", "70\n");
    machine.put("sys/fs/cgroup/user.slice/memory.max", "1000\n");
    machine.put("sys/fs/cgroup/user.slice/memory.current", "700\n");
    machine.put("sys/fs/cgroup/user.slice/memory.stat", "anon 500\ninactive_file 150\nactive_file 50\n");
    EXPECT_EQ(machine.available("cgroup /user.slice"), 500); // files that were read can be dropped
    EXPECT_EQ(machine.available("cgroup /user.slice/app"), -1);
}

TEST(MachineMemoryTest, VersionOneOfControlGroupsCounts) {
    const FakeMachine machine;
    machine.put("proc/self/cgroup", "5:cpu,memory:/job\n3:memoryx:/other\n");
    machine.put("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "4096\n");
    machine.put("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "96\n");
    machine.put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"); // none
    machine.put("sys/fs/cgroup/memory/memory.usage_in_bytes", "96\n");
    EXPECT_EQ(machine.available("cgroup /job"), 4000);
    EXPECT_EQ(machine.available("cgroup /"), -1);
}

TEST(MachineMemoryTest, AddressSpaceIsWhatIsLeftOfIt) {
    const FakeMachine machine;
    machine.put("proc/self/limits", "Limit                     Soft Limit           Hard Limit           Units\nMax address space         5120000              unlimited            bytes\n");
    EXPECT_EQ(machine.available("RLIMIT_AS"), 5120000 - 3000 * 1024);
    machine.put("proc/self/limits", "Max address space         unlimited            unlimited            bytes\n");
    EXPECT_EQ(machine.available("RLIMIT_AS"), -1);
}

TEST(FitMemory, TheShortfallIsExact) {
    const MachineMemory machine{.resident_bytes = 100, .peak_resident_bytes = 100, .address_space_bytes = 5000,
                                .limits = {{.name = "MemAvailable", .available_bytes = 850, .is_address_space = false}}};
    const std::vector<MemoryPart> parts = {{"program", 60, true}, {"weights", 800, true}, {"cache", 91}};
    const auto fits = fit_memory(parts, machine, 1);
    ASSERT_NE(worst_shortfall(fits), nullptr);
    EXPECT_EQ(worst_shortfall(fits)->shortfall_bytes, 1); // 951 of 950
    EXPECT_EQ(worst_shortfall(fit_memory({{"program", 60, true}, {"cache", 890}}, machine, 1)), nullptr);
    EXPECT_NE(does_not_fit(*worst_shortfall(fits)).message.find("1 bytes too little"), std::string::npos);
}

TEST(PlanModel, TheCacheGrowsByWhatATokenTakes) {
    const EngineOptions model{.model_dir = kGoldens / "glm4v-f32", .threads = 1};
    EngineOptions longer = model;
    longer.context_tokens = 20000;
    EngineOptions shorter = model;
    shorter.context_tokens = 10000;
    const auto a = plan_model({.engine = shorter, .images = 0});
    const auto b = plan_model({.engine = longer, .images = 0});
    const auto facts = inspect_model(model);
    ASSERT_TRUE(a && b && facts);
    const auto cache = [](const PlanReport& report) {
        return std::find_if(report.parts.begin(), report.parts.end(), [](const auto& part) { return part.name == "cache"; })->bytes;
    };
    EXPECT_EQ(cache(*b) - cache(*a), 10000 * facts->kv_bytes_per_token);
    EXPECT_TRUE(a->does_fit());
}

TEST(PlanModel, PicturesMustFitTheContext) {
    const auto plan = plan_model({.engine = {.model_dir = kGoldens / "glm4v-f32", .threads = 1, .context_tokens = 3000}, .images = 2, .image = {1920, 1080}});
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code, ErrorCode::InvalidArgument);
    EXPECT_NE(plan.error().message.find("3000"), std::string::npos);
}

std::vector<float> random_floats(std::size_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, 0.05F);
    std::vector<float> values(count);
    std::generate(values.begin(), values.end(), [&] { return normal(random); });
    return values;
}

class PackBits : public testing::TestWithParam<int> {};

// Half a step of the scale, and the rounding of the scale to 8 bits, is the most that a code may be off; the sum is far below.
TEST_P(PackBits, DecodeToAlmostTheSame) {
    constexpr std::int64_t kRows = 9;
    constexpr std::int64_t kCols = 192; // not a multiple of 128
    const std::vector<float> values = random_floats(kRows * kCols, 7);
    const WeightMatrix plain = matrix_of({.data = reinterpret_cast<const std::byte*>(values.data()), .dtype = DType::F32, .shape = {kRows, kCols}}, kCols);
    const WeightMatrix shape = packed_shape(plain, GetParam());
    EXPECT_EQ(shape.group, GetParam() == 8 ? 64 : 32);
    std::vector<std::byte> bytes(static_cast<std::size_t>(shape.stored_bytes));
    pack_rows(plain, shape, 0, 4, bytes);
    pack_rows(plain, shape, 4, kRows - 4, bytes);
    const WeightMatrix packed = with_bytes(shape, bytes);
    std::vector<float> back(values.size());
    decode_tile(packed, {.row = 0, .rows = kRows, .col = 0, .cols = kCols, .stride = kCols}, back.data());
    double error = 0;
    double power = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        error += std::pow(values[i] - back[i], 2);
        power += std::pow(values[i], 2);
    }
    EXPECT_LT(error / power, GetParam() == 8 ? 1e-4 : 0.01);
    EXPECT_GT(error, 0);
}

TEST_P(PackBits, ZerosAndWildNumbersAreHarmless) {
    std::vector<float> values(64, 0.0F);
    values[40] = std::numeric_limits<float>::quiet_NaN();
    values[41] = std::numeric_limits<float>::infinity();
    values[42] = 1.0F;
    const WeightMatrix plain = matrix_of({.data = reinterpret_cast<const std::byte*>(values.data()), .dtype = DType::F32, .shape = {1, 64}}, 64);
    const WeightMatrix shape = packed_shape(plain, GetParam());
    std::vector<std::byte> bytes(static_cast<std::size_t>(shape.stored_bytes));
    pack_rows(plain, shape, 0, 1, bytes);
    std::vector<float> back(64);
    decode_tile(with_bytes(shape, bytes), {.row = 0, .rows = 1, .col = 0, .cols = 64, .stride = 64}, back.data());
    EXPECT_EQ(back[0], 0.0F);
    EXPECT_EQ(back[40], 0.0F);
    EXPECT_NEAR(back[42], 1.0F, 0.1F);
}

INSTANTIATE_TEST_SUITE_P(All, PackBits, testing::Values(4, 8), [](const auto& bits) { return bits.param == 4 ? "Four" : "Eight"; });

struct Copy {
    Quantize to;
    double kl_max;
};
class QuantizedCopies : public testing::TestWithParam<Copy> {};

// The file and the copy made while loading are the same weights; both answer nearly as the model does.
TEST_P(QuantizedCopies, LoadAndAnswerAsWhatIsPackedWhileLoading) {
    const TemporaryFolder folder;
    const fs::path in = kGoldens / "glm4v-bf16"; // three shards
    const fs::path out = folder.path() / "out";
    const auto written = quantize_checkpoint({.in = in, .out = out, .to = GetParam().to, .threads = 1, .on_progress = {}, .is_stopped = {}});
    ASSERT_TRUE(written) << written.error().message;
    EXPECT_LT(written->out_bytes, written->in_bytes);
    EXPECT_FALSE(fs::exists(out.string() + ".partial"));
    const auto facts = inspect_model({.model_dir = out});
    ASSERT_TRUE(facts) << facts.error().message;
    EXPECT_TRUE(facts->unused_tensors.empty());
    const auto stored = verify_model({.model_dir = out, .threads = 1}, in);
    const auto loaded = verify_model({.model_dir = in, .threads = 1, .quantize = GetParam().to}, in);
    ASSERT_TRUE(stored && loaded);
    for (std::size_t i = 0; i < stored->cases.size(); ++i) {
        EXPECT_EQ(stored->cases[i].logits_max_abs, loaded->cases[i].logits_max_abs) << stored->cases[i].name;
        EXPECT_LT(stored->cases[i].mean_kl, GetParam().kl_max) << stored->cases[i].name;
        EXPECT_TRUE(stored->cases[i].ids_equal);
    }
}

INSTANTIATE_TEST_SUITE_P(All, QuantizedCopies, testing::Values(Copy{Quantize::Bits8, 0.01}, Copy{Quantize::Bits4, 0.5}),
                         [](const auto& copy) { return copy.param.to == Quantize::Bits8 ? "Eight" : "Four"; });

TEST(QuantizeCheckpoint, RefusesWhatIsPackedAlreadyAndLeavesNothing) {
    const TemporaryFolder folder;
    const fs::path out = folder.path() / "out";
    const auto packed = quantize_checkpoint({.in = kGoldens / "glm4-ct-int4", .out = out, .to = Quantize::Bits4, .on_progress = {}, .is_stopped = {}});
    ASSERT_FALSE(packed);
    EXPECT_EQ(packed.error().code, ErrorCode::InvalidArgument);
    EXPECT_NE(packed.error().message.find("compressed-tensors-4bit"), std::string::npos);
    EXPECT_EQ(quantize_checkpoint({.in = kGoldens / "glm4v-gguf", .out = out, .to = Quantize::Bits4, .on_progress = {}, .is_stopped = {}}).error().code, ErrorCode::Unsupported);
    EXPECT_EQ(quantize_checkpoint({.in = kGoldens / "glm4v-bf16", .out = folder.path(), .to = Quantize::Bits4, .on_progress = {}, .is_stopped = {}}).error().code, ErrorCode::InvalidArgument);
    EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(QuantizeCheckpoint, StopsBetweenTensorsAndLeavesNothing) {
    const TemporaryFolder folder;
    int asked = 0;
    const auto stopped = quantize_checkpoint({.in = kGoldens / "glm4v-bf16", .out = folder.path() / "out", .to = Quantize::Bits8, .on_progress = {}, .is_stopped = [&] { return ++asked > 10; }});
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, ErrorCode::Cancelled);
    EXPECT_TRUE(fs::is_empty(folder.path()));
}

} // namespace
} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/bench_kernels.h"

#include "engine/runtime/timeline.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace handeye::device {
namespace {

/// A matrix of each layer, as a file has it and as the device has it.
struct LayerMatrix {
    const char* name;
    const WeightMatrix& (*stored)(const DecoderLayer&);
    const Linear& (*on_device)(const LayerWeights&);
};
// Both have the same members: one `of` is both functions.
template <class Of>
constexpr LayerMatrix layer_matrix(const char* name, Of of) {
    return {name, of, of};
}
constexpr LayerMatrix kLayerMatrices[] = {
    layer_matrix("q", [](const auto& layer) -> const auto& { return layer.q; }),
    layer_matrix("v", [](const auto& layer) -> const auto& { return layer.v; }),
    layer_matrix("o", [](const auto& layer) -> const auto& { return layer.o; }),
    layer_matrix("gate", [](const auto& layer) -> const auto& { return layer.mlp.gate; }),
    layer_matrix("down", [](const auto& layer) -> const auto& { return layer.mlp.down; }),
};

struct ExpertMatrix {
    const char* name;
    WeightMatrix Mlp::*stored;
    Linear MlpWeights::*on_device;
    const DeviceMatrix* LayerWeights::Tables::*table;
    bool has_shared_input; ///< one row of x for all experts that are used
};
constexpr ExpertMatrix kExpertMatrices[] = {
    {"gate of experts", &Mlp::gate, &MlpWeights::gate, &LayerWeights::Tables::gate, true},
    {"down of experts", &Mlp::down, &MlpWeights::down, &LayerWeights::Tables::down, false},
};

/// Matrices of one shape, and what they take in their file.
struct Matrices {
    std::string name;
    std::vector<const DeviceMatrix*> all;
    double bytes = 0;
};

/// What is given and waited for at a time.
struct Kernel {
    std::string name;
    std::vector<Operation> operations;
    Work work; ///< of all of them
    Bound bound = Bound::Bytes;
    std::vector<Operation> before; ///< each time, not counted
};

class Kernels {
public:
    Kernels(Device& device, const BenchedModel& benched, const DeviceBench& bench, const Ceilings& ceilings, const Tell& tell)
        : device_(device), of_(benched), config_(benched.model.decoder.config), bench_(bench), ceilings_(ceilings), tell_(tell) {}

    Result<void> run() {
        std::vector<Matrices> layers;
        for (const LayerMatrix& matrix : kLayerMatrices) {
            layers.push_back(of_layers(matrix));
        }
        const Matrices head{.name = "head", .all = {&of_.weights.head.w}, .bytes = of_.model.decoder.head.size_bytes()};
        for (const int rows : {1, bench_.sequences}) {
            for (const Matrices& matrices : layers) {
                TRY(few_rows(matrices, rows));
            }
            TRY(few_rows(head, rows));
        }
        for (const ExpertMatrix& matrix : kExpertMatrices) {
            TRY(experts(matrix));
        }
        for (const std::int64_t past : bench_.contexts) {
            TRY(attention(1, 1, past));
        }
        TRY(attention(bench_.sequences, 1, bench_.shared_context));
        for (const Matrices& matrices : layers) {
            TRY(many_rows(matrices));
        }
        for (const std::int64_t past : {std::int64_t{0}, of_.context / 2}) {
            TRY(attention(1, static_cast<int>(std::min<std::int64_t>(bench_.pass_rows, of_.context - past)), past));
        }
        for (std::size_t i = 0; i < of_.grids.size(); ++i) {
            TRY(tower_attention(of_.grids[i], bench_.screens[i]));
        }
        return {};
    }

private:
    // Of the shape that the last layer has: the first ones of a mixture of experts are wider.
    Matrices of_layers(const LayerMatrix& matrix) const {
        const DeviceMatrix& like = matrix.on_device(of_.weights.layers.back()).w;
        Matrices out{.name = fmt::format("{} {}x{}", matrix.name, like.rows, like.cols), .all = {}, .bytes = 0};
        for (std::size_t i = 0; i < of_.weights.layers.size(); ++i) {
            const DeviceMatrix& w = matrix.on_device(of_.weights.layers[i]).w;
            if (w.cols == like.cols && w.rows == like.rows) {
                out.all.push_back(&w);
                out.bytes += matrix.stored(of_.model.decoder.layers[i]).size_bytes();
            }
        }
        return out;
    }

    /// Memory for what `carve` takes, filled with bf16 numbers (floats of the same size) about 2^-7.
    template <class Carve>
    Result<DeviceMemory> room(const Carve& carve) {
        Carver counting;
        carve(counting);
        DeviceMemory memory = TRY(DeviceMemory::allocate(device_, counting.used()));
        Carver carver(memory.bytes());
        carve(carver);
        device_.run(FillRandom{.to = reinterpret_cast<std::uint32_t*>(memory.bytes()), .words = static_cast<std::int64_t>(memory.size_bytes() / 4), .kept = 0x807F807FU, .set = 0x3C003C00U});
        return Result<DeviceMemory>(std::move(memory));
    }
    static Rows take_rows(Carver& carver, int rows, int cols) { return rows_of(carver.take<float>(std::int64_t{rows} * cols), rows, cols); }
    static SplitRows take_split(Carver& carver, int rows, const DeviceMatrix& w, int planes) {
        const std::int64_t numbers = std::int64_t{rows} * w.chunks * kChunk;
        return {.parts = carver.take<std::uint16_t>(planes * numbers), .sums = carver.take<float>(numbers / kSumGroup), .rows = rows, .rows_max = rows, .cols = w.cols, .chunks = w.chunks, .planes = planes};
    }

    void run_all(const std::vector<Operation>& operations) {
        for (const Operation& operation : operations) {
            device_.run(operation);
        }
    }

    Result<void> measure(const Kernel& kernel) {
        run_all(kernel.before);
        run_all(kernel.operations); // a library chooses its kernels at their first call, which cannot be recorded
        TRY(device_.finish());
        const std::unique_ptr<Recording> recording = TRY(device_.record([&] { run_all(kernel.operations); }));
        const Timed took = TRY(timed(
            repeats_of(bench_),
            [&] {
                recording->replay();
                return device_.finish();
            },
            [&]() -> Result<void> {
                run_all(kernel.before);
                return kernel.before.empty() ? Result<void>() : device_.finish();
            }));
        const double count = static_cast<double>(std::max<std::size_t>(1, kernel.operations.size()));
        std::string detail = kernel.bound == Bound::Bytes ? fmt::format("{:.1f} MB each", kernel.work.bytes / count / 1e6) : fmt::format("{:.2f} TFLOP in all", kernel.work.flop / 1e12);
        tell_(kernel_line(kernel.name, took, kernel.work, kernel.bound, ceilings_, std::move(detail)));
        return {};
    }

    static Work product_work(const Matrices& matrices, int rows) {
        const DeviceMatrix& w = *matrices.all.front();
        return {.bytes = matrices.bytes, .flop = 2.0 * rows * w.rows * w.cols * static_cast<double>(matrices.all.size())};
    }

    Result<void> few_rows(const Matrices& matrices, int rows) {
        const DeviceMatrix& like = *matrices.all.front();
        SplitRows x;
        Rows y;
        const DeviceMemory memory = TRY(room([&](Carver& carver) {
            x = take_split(carver, rows, like, kPartsMost);
            y = take_rows(carver, rows, like.rows);
        }));
        Kernel kernel{.name = fmt::format("{}, {} row{}", matrices.name, rows, rows == 1 ? "" : "s"), .operations = {}, .work = product_work(matrices, rows)};
        for (const DeviceMatrix* const w : matrices.all) {
            kernel.operations.push_back(FewProduct{.x = x, .w = *w, .y = y});
        }
        return measure(kernel);
    }

    // As a prompt's: rounded to bf16, through the library where there is one, and by tiles of our own.
    Result<void> many_rows(const Matrices& matrices) {
        const DeviceMatrix& like = *matrices.all.front();
        const int rows = bench_.pass_rows;
        SplitRows x;
        Rows y;
        std::uint16_t* unpacked = nullptr;
        const DeviceMemory memory = TRY(room([&](Carver& carver) {
            x = take_split(carver, rows, like, 1);
            y = take_rows(carver, rows, like.rows);
            unpacked = carver.take<std::uint16_t>(std::int64_t{like.rows} * like.chunks * kChunk);
        }));
        const std::string name = fmt::format("{}, {} rows", matrices.name, rows);
        Kernel tiles{.name = name, .operations = {}, .work = product_work(matrices, rows), .bound = Bound::Flop};
        Kernel library{.name = name + ", library", .operations = {}, .work = tiles.work, .bound = Bound::Flop};
        for (const DeviceMatrix* const w : matrices.all) {
            tiles.operations.push_back(ManyProduct{.x = x, .w = *w, .y = y});
            library.operations.push_back(Unpack{.w = *w, .to = unpacked});
            library.operations.push_back(LibraryProduct{.x = x.parts, .w = unpacked, .rows = rows, .n = w->rows, .cols = x.chunks * kChunk, .y = y});
        }
        if (device_.info().has_library) {
            TRY(measure(library));
        }
        return measure(tiles);
    }

    // One row with its experts, others in each layer.
    Result<void> experts(const ExpertMatrix& matrix) {
        const int used = config_.experts.used;
        const LayerWeights& last = of_.weights.layers.back();
        if (last.experts.empty() || last.expert_tables.*matrix.table == nullptr) {
            return {};
        }
        const DeviceMatrix& like = (last.experts.front().*matrix.on_device).w;
        const int x_rows = matrix.has_shared_input ? 1 : used;
        SplitRows x;
        Rows y;
        std::int32_t* chosen = nullptr;
        const DeviceMemory memory = TRY(room([&](Carver& carver) {
            x = take_split(carver, x_rows, like, kPartsMost);
            y = take_rows(carver, used, like.rows);
            chosen = carver.take<std::int32_t>(static_cast<std::int64_t>(of_.weights.layers.size()) * used);
        }));
        Kernel kernel{.name = fmt::format("{} {}x{}, {} of {}", matrix.name, like.rows, like.cols, used, config_.experts.count), .operations = {}, .work = {}};
        std::vector<std::int32_t> ids;
        for (std::size_t i = 0; i < of_.weights.layers.size(); ++i) {
            const LayerWeights& layer = of_.weights.layers[i];
            for (int k = 0; k < used; ++k) { // spread evenly
                ids.push_back((static_cast<std::int32_t>(i) * 3 + k * (config_.experts.count / used)) % config_.experts.count);
            }
            if (!layer.experts.empty()) {
                kernel.operations.push_back(ExpertProduct{.x = x, .rows_share = used / x_rows, .experts = layer.expert_tables.*matrix.table, .chosen = chosen + static_cast<std::int64_t>(i) * used, .like = like, .y = y});
                kernel.work.bytes += used * (of_.model.decoder.layers[i].experts.front().*matrix.stored).size_bytes();
                kernel.work.flop += 2.0 * used * like.rows * like.cols;
            }
        }
        device_.upload(chosen, ids.data(), ids.size() * sizeof(std::int32_t));
        return measure(kernel);
    }

    // `rows` rows of each sequence after `past` tokens: in the way of decoding or of a prompt, by how many they are.
    Result<void> attention(int sequences, int rows, std::int64_t past) {
        const int total = sequences * rows, width = config_.heads * config_.head_dim, keys = static_cast<int>(past) + rows;
        const bool is_few = rows <= kFewAttentionRows;
        Rows q, y;
        float* partial = nullptr;
        SequenceSpan* spans = nullptr;
        const DeviceMemory memory = TRY(room([&](Carver& carver) {
            q = take_rows(carver, total, width);
            y = take_rows(carver, total, width);
            partial = carver.take<float>(static_cast<std::int64_t>(device_.attention_partial_floats(is_few ? total : 0, config_.heads, config_.head_dim)));
            spans = carver.take<SequenceSpan>(sequences);
        }));
        std::vector<SequenceSpan> host_spans;
        for (int i = 0; i < sequences; ++i) {
            PagedCache& cache = *of_.caches[static_cast<std::size_t>(i)];
            TRY(cache.hold(keys));
            host_spans.push_back({.pages = cache.table(), .first_row = i * rows, .rows = rows, .past = static_cast<int>(past)});
        }
        device_.upload(spans, host_spans.data(), host_spans.size() * sizeof(SequenceSpan));
        const double seen = static_cast<double>(past) * rows + 0.5 * rows * (rows + 1.0); // keys of all rows of a sequence
        Kernel kernel{.name = is_few ? fmt::format("attention of {} at {}", sequences, past) : fmt::format("attention of {} rows at {}", rows, past),
                      .operations = {},
                      .work = {.bytes = static_cast<double>(kv_bytes_per_token(config_, of_.kv.format)) * keys * sequences, .flop = 4.0 * width * seen * sequences * config_.layers},
                      .bound = is_few ? Bound::Bytes : Bound::Flop};
        for (int layer = 0; layer < config_.layers; ++layer) {
            kernel.operations.push_back(Attention{.q = q, .kv = of_.kv, .layer = layer, .heads = config_.heads, .scale = 1.0F / std::sqrt(static_cast<float>(config_.head_dim)), .spans = spans,
                                                  .host_spans = is_few ? nullptr : host_spans.data(), .n_spans = sequences, .rows_most = rows,
                                                  .keys_max = is_few ? static_cast<int>(std::bit_ceil(static_cast<unsigned>(keys))) : keys, .partial = partial, .y = y, .exact = of_.precision.exact});
        }
        const Result<void> measured = measure(kernel);
        for (const auto& cache : of_.caches) {
            cache->release();
        }
        return measured;
    }

    // It overwrites keys and values: they are made anew each time.
    Result<void> tower_attention(VisionGrid grid, Size screen) {
        const VisionConfig& c = of_.model.vision->config;
        const int patches = grid.t * grid.h * grid.w;
        Rows qkv, y;
        const DeviceMemory memory = TRY(room([&](Carver& carver) {
            qkv = take_rows(carver, patches, 3 * c.hidden);
            y = take_rows(carver, patches, c.hidden);
        }));
        const FillRandom fill{.to = reinterpret_cast<std::uint32_t*>(qkv.data), .words = std::int64_t{patches} * qkv.cols, .kept = 0x807F807FU, .set = 0x3C003C00U};
        const FullAttention attention{.q = columns(qkv, 0, c.hidden), .k = columns(qkv, c.hidden, c.hidden), .v = columns(qkv, 2 * c.hidden, c.hidden), .slice = grid.h * grid.w, .heads = c.heads,
                                      .head_dim = c.head_dim, .scale = 1.0F / std::sqrt(static_cast<float>(c.head_dim)), .y = y, .exact = of_.precision.exact};
        return measure({.name = fmt::format("tower's attention at {}x{}", screen.width_px, screen.height_px), .operations = {attention},
                        .work = {.bytes = 4.0 * patches * qkv.cols, .flop = 4.0 * patches * grid.h * grid.w * c.hidden}, .bound = Bound::Flop, .before = {fill}});
    }

    Device& device_;
    const BenchedModel& of_;
    const DecoderConfig& config_;
    const DeviceBench& bench_;
    const Ceilings& ceilings_;
    const Tell& tell_;
};

} // namespace

Result<void> bench_kernels(Device& device, const BenchedModel& benched, const DeviceBench& bench, const Ceilings& ceilings, const Tell& tell) {
    return Kernels(device, benched, bench, ceilings, tell).run();
}

} // namespace handeye::device

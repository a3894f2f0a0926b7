// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/bench_device.h"

#include "engine/device/device_decoder.h"
#include "engine/device/device_vision.h"
#include "engine/device/synthetic_model.h"
#include "engine/runtime/work.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fmt/format.h>

namespace handeye::device {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kReadBytes = std::size_t{2} << 30;
constexpr int kSide = 8192; // of the product that the ceiling is measured with
constexpr int kWarmUps = 3;
constexpr int kContext = 65536;
constexpr int kPassRows = 2048;
constexpr int kSequences = 8;

struct Ceilings {
    double bytes_per_second = 0;
    double flops = 0; ///< 0: no library
};

/// The median of `rounds` calls of `once`, each waited for; a tenth of them at least before.
template <class Once>
Result<double> median_seconds(int rounds, const Once& once) {
    std::vector<double> times;
    for (int i = 0; i < kWarmUps + rounds; ++i) {
        const auto begin = Clock::now();
        TRY(once());
        if (i >= kWarmUps) {
            times.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
        }
    }
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
    return times[times.size() / 2];
}

Result<Ceilings> measure_ceilings(Device& device, int rounds) {
    Ceilings out;
    {
        const DeviceMemory memory = TRY(DeviceMemory::allocate(device, kReadBytes + 256));
        auto* const words = reinterpret_cast<std::uint32_t*>(memory.bytes());
        device.run(FillRandom{.to = words, .words = static_cast<std::int64_t>(kReadBytes / 4), .set = 1});
        const double seconds = TRY(median_seconds(rounds, [&] {
            device.run(ReadAll{.from = words, .bytes = static_cast<std::int64_t>(kReadBytes), .to = words + kReadBytes / 4});
            return device.finish();
        }));
        out.bytes_per_second = static_cast<double>(kReadBytes) / seconds;
    }
    if (device.info().has_library) {
        constexpr std::int64_t kNumbers = std::int64_t{kSide} * kSide;
        const DeviceMemory memory = TRY(DeviceMemory::allocate(device, static_cast<std::size_t>(kNumbers) * (2 + 2 + 4)));
        auto* const x = reinterpret_cast<std::uint16_t*>(memory.bytes());
        device.run(FillRandom{.to = reinterpret_cast<std::uint32_t*>(x), .words = kNumbers, .kept = 0x80FF80FFU, .set = 0x3C003C00U});
        const Rows y{.data = reinterpret_cast<float*>(x + 2 * kNumbers), .rows = kSide, .cols = kSide, .stride = kSide};
        const double seconds = TRY(median_seconds(rounds, [&] {
            device.run(LibraryProduct{.x = x, .w = x + kNumbers, .rows = kSide, .n = kSide, .cols = kSide, .y = y});
            return device.finish();
        }));
        out.flops = 2.0 * kSide * static_cast<double>(kNumbers) / seconds;
    }
    return out;
}

BenchLine time_line(std::string name, double seconds, double least, std::string ceiling) {
    return {.name = std::move(name), .value = seconds * 1e3, .unit = "ms", .ceiling = least * 1e3, .ceiling_name = std::move(ceiling), .share = least / seconds};
}

/// A model with random weights on a device, and its caches filled with random numbers.
class Bench {
public:
    static Result<std::unique_ptr<Bench>> create(Device& device, const BenchOptions& options, const Ceilings& ceilings, const std::function<void(const BenchLine&)>& on_line) {
        std::unique_ptr<Bench> bench(new Bench(device, options, ceilings, on_line));
        bench->model_ = TRY(synthetic_model(options.model, options.format));
        bench->weights_ = TRY(random_weights(device, bench->model_, {}));
        const DecoderConfig& c = bench->model_.decoder.config;
        bench->pages_ = std::make_unique<PagePool>(TRY(PagePool::create(device, kv_pages(c, c.layers, KvFormat::F16), (kContext + kSequences * 4096) / kPageTokens)));
        const KvPages& kv = bench->pages_->kv();
        device.run(FillRandom{.to = reinterpret_cast<std::uint32_t*>(kv.pool), .words = kv.page_bytes * bench->pages_->free_pages() / 4, .kept = 0x83FF83FFU, .set = 0x30003000U});
        bench->decoder_ = std::make_unique<DeviceDecoder>(
            TRY(DeviceDecoder::create(device, bench->model_, bench->weights_, kv, {.rows = kPassRows + kFewRows, .sequences = kFewRows, .context = kContext}, {})));
        bench->vision_ = std::make_unique<DeviceVision>(device, *bench->model_.vision, bench->weights_.vision, Precision{});
        for (int i = 0; i < kSequences; ++i) {
            bench->caches_.push_back(std::make_unique<PagedCache>(TRY(PagedCache::create(*bench->pages_, kContext))));
        }
        TRY(device.finish());
        return bench;
    }

    Result<std::vector<BenchLine>> run() {
        TRY(products());
        for (const std::int64_t past : {500, 3000, 32'000, 64'000}) {
            const double seconds = TRY(decode_seconds(1, past));
            tell(rate_line(fmt::format("decode at {}", past), 1, past, seconds));
        }
        const double together = TRY(decode_seconds(kSequences, 3000));
        BenchLine eight = rate_line("decode of 8 at 3000", kSequences, 3000, together);
        tell(std::move(eight));
        const double prompt = TRY(prefill_seconds(2991));
        const double flop = decoder_flop(model_.decoder.config, 2991, 0);
        tell(time_line("prefill of 2991", prompt, ceilings_.flops > 0 ? flop / ceilings_.flops : 0, flop_name(flop)));
        struct Screen {
            const char* name;
            VisionGrid grid;
            int tokens;
        };
        for (const Screen& screen : {Screen{"1280x800", {1, 58, 92}, 1334}, {"1366x768", {1, 54, 98}, 1323}, {"1920x1080", {1, 78, 138}, 2691}, {"2560x1440", {1, 102, 182}, 4641}}) {
            const double vision = TRY(vision_seconds(screen.grid));
            const double vision_work = vision_flop(model_.vision->config, screen.grid);
            tell(time_line(fmt::format("vision at {}", screen.name), vision, ceilings_.flops > 0 ? vision_work / ceilings_.flops : 0, flop_name(vision_work)));
            const double text = TRY(prefill_seconds(screen.tokens + 300));
            const double work = vision_work + decoder_flop(model_.decoder.config, screen.tokens + 300, 0);
            tell(time_line(fmt::format("first token at {}", screen.name), vision + text, ceilings_.flops > 0 ? work / ceilings_.flops : 0, flop_name(work)));
        }
        return std::move(lines_);
    }

private:
    Bench(Device& device, const BenchOptions& options, const Ceilings& ceilings, const std::function<void(const BenchLine&)>& on_line)
        : device_(device), options_(options), ceilings_(ceilings), on_line_(on_line) {}

    void tell(BenchLine line) {
        if (on_line_) {
            on_line_(line);
        }
        lines_.push_back(std::move(line));
    }
    [[nodiscard]] std::string flop_name(double flop) const { return fmt::format("{:.1f} TFLOP at {:.0f} TFLOP/s", flop / 1e12, ceilings_.flops / 1e12); }
    [[nodiscard]] BenchLine rate_line(std::string name, int sequences, std::int64_t past, double seconds) const {
        const double bytes = decode_bytes(model_.decoder, 0, KvFormat::F16) + sequences * (decode_bytes(model_.decoder, static_cast<double>(past), KvFormat::F16) - decode_bytes(model_.decoder, 0, KvFormat::F16));
        const double least = bytes / ceilings_.bytes_per_second;
        return {.name = std::move(name), .value = sequences / seconds, .unit = "tokens/s", .ceiling = sequences / least,
                .ceiling_name = fmt::format("{:.2f} GB at {:.0f} GB/s", bytes / 1e9, ceilings_.bytes_per_second / 1e9), .share = least / seconds};
    }

    // Each matrix of a layer by itself, over all layers in turn, so that none is still in a cache.
    Result<void> products() {
        struct Kind {
            const char* name;
            const Linear& (*of)(const LayerWeights&);
        };
        const std::array kinds{Kind{"q", [](const LayerWeights& w) -> const Linear& { return w.q; }}, Kind{"v", [](const LayerWeights& w) -> const Linear& { return w.v; }},
                               Kind{"o", [](const LayerWeights& w) -> const Linear& { return w.o; }}, Kind{"gate", [](const LayerWeights& w) -> const Linear& { return w.mlp.gate; }},
                               Kind{"down", [](const LayerWeights& w) -> const Linear& { return w.mlp.down; }}};
        for (const Kind& kind : kinds) {
            std::vector<const DeviceMatrix*> all;
            double bytes = 0;
            for (std::size_t i = 0; i < weights_.layers.size(); ++i) {
                const DeviceMatrix& w = kind.of(weights_.layers[i]).w;
                if (w.cols == kind.of(weights_.layers.back()).w.cols && w.rows == kind.of(weights_.layers.back()).w.rows) {
                    all.push_back(&w);
                    const DecoderLayer& host = model_.decoder.layers[i];
                    const WeightMatrix& stored = kind.name[0] == 'q' ? host.q : kind.name[0] == 'v' ? host.v : kind.name[0] == 'o' ? host.o : kind.name[0] == 'g' ? host.mlp.gate : host.mlp.down;
                    bytes += stored.size_bytes();
                }
            }
            const DeviceMatrix& w = *all.front();
            const auto numbers = static_cast<std::size_t>(w.chunks) * kChunk;
            const DeviceMemory memory = TRY(DeviceMemory::allocate(device_, numbers * (kPartsMost * 2 + 4) + static_cast<std::size_t>(w.rows) * 4 + 1024));
            Carver carver(memory.bytes());
            const SplitRows x{.parts = carver.take<std::uint16_t>(static_cast<std::int64_t>(numbers) * kPartsMost), .sums = carver.take<float>(static_cast<std::int64_t>(numbers) / kSumGroup), .rows = 1, .rows_max = 1,
                              .cols = w.cols, .chunks = w.chunks, .planes = kPartsMost};
            device_.run(FillRandom{.to = reinterpret_cast<std::uint32_t*>(memory.bytes()), .words = static_cast<std::int64_t>(carver.used() / 4), .kept = 0x807F807FU, .set = 0x3C003C00U});
            const Rows y = rows_of(carver.take<float>(w.rows), 1, w.rows);
            const std::unique_ptr<Recording> pass = TRY(device_.record([&] {
                for (const DeviceMatrix* const one : all) {
                    device_.run(FewProduct{.x = x, .w = *one, .y = y});
                }
            }));
            const double seconds = TRY(median_seconds(options_.rounds, [&] {
                pass->replay();
                return device_.finish();
            }));
            tell({.name = fmt::format("product {} {}x{}", kind.name, w.rows, w.cols), .value = bytes / seconds / 1e9, .unit = "GB/s", .ceiling = ceilings_.bytes_per_second / 1e9,
                  .ceiling_name = fmt::format("{} of {:.1f} MB", all.size(), bytes / static_cast<double>(all.size()) / 1e6), .share = bytes / seconds / ceilings_.bytes_per_second});
        }
        return {};
    }

    /// One pass of `rows` rows of each of the first `sequences` sequences.
    Result<void> pass(int sequences, std::int64_t rows, std::int64_t past, std::int64_t wanted) {
        const DecoderConfig& c = model_.decoder.config;
        std::vector<SequenceRows> spans;
        positions_.assign(static_cast<std::size_t>(sequences * rows), {static_cast<std::int32_t>(past), static_cast<std::int32_t>(past), static_cast<std::int32_t>(past)});
        for (int i = 0; i < sequences; ++i) {
            PagedCache& cache = *caches_[static_cast<std::size_t>(i)];
            TRY(cache.hold(past + rows));
            spans.push_back({.kv = {.k = nullptr, .v = nullptr, .capacity = kContext, .format = KvFormat::F16, .pages = &cache}, .past = past, .rows = rows});
        }
        hidden_.resize(static_cast<std::size_t>(sequences * rows * c.hidden), 0.5F);
        logits_.resize(static_cast<std::size_t>(wanted * c.vocabulary));
        std::vector<std::int64_t> want;
        for (std::int64_t i = 0; i < wanted; ++i) {
            want.push_back((i + 1) * rows - 1);
        }
        return decoder_->run({.positions = positions_, .sequences = spans, .wanted = want}, {hidden_.data(), sequences * rows, c.hidden, c.hidden}, {logits_.data(), wanted, c.vocabulary, c.vocabulary}, {});
    }
    Result<double> decode_seconds(int sequences, std::int64_t past) {
        release();
        return median_seconds(options_.rounds, [&] { return pass(sequences, 1, past, sequences); });
    }
    Result<double> prefill_seconds(std::int64_t tokens) {
        release();
        return median_seconds(std::max(3, options_.rounds / 6), [&]() -> Result<void> {
            for (std::int64_t first = 0; first < tokens; first += kPassRows) {
                const std::int64_t rows = std::min<std::int64_t>(kPassRows, tokens - first);
                TRY(pass(1, rows, first, first + rows == tokens ? 1 : 0));
            }
            return {};
        });
    }
    Result<double> vision_seconds(VisionGrid grid) {
        const std::int64_t patches = std::int64_t{grid.t} * grid.h * grid.w, cols = model_.vision->config.patch_floats();
        hidden_.resize(static_cast<std::size_t>(patches * cols), 0.5F);
        return median_seconds(std::max(3, options_.rounds / 6), [&]() -> Result<void> {
            (void)TRY(vision_->run({hidden_.data(), patches, cols, cols}, grid, {}));
            return {};
        });
    }
    void release() {
        for (const auto& cache : caches_) {
            cache->release();
        }
    }

    Device& device_;
    BenchOptions options_;
    Ceilings ceilings_;
    const std::function<void(const BenchLine&)>& on_line_;
    Model model_;
    DeviceWeights weights_;
    std::unique_ptr<PagePool> pages_;
    std::unique_ptr<DeviceDecoder> decoder_;
    std::unique_ptr<DeviceVision> vision_;
    std::vector<std::unique_ptr<PagedCache>> caches_;
    std::vector<Position3> positions_;
    std::vector<float> hidden_, logits_;
    std::vector<BenchLine> lines_;
};

} // namespace

Result<std::vector<BenchLine>> bench_device(Device& device, const BenchOptions& options, const std::function<void(const BenchLine&)>& on_line) {
    const Ceilings ceilings = TRY(measure_ceilings(device, options.rounds));
    std::vector<BenchLine> lines{{.name = "memory_read", .value = ceilings.bytes_per_second / 1e9, .unit = "GB/s"}, {.name = "bf16_peak", .value = ceilings.flops / 1e12, .unit = "TFLOP/s"}};
    for (const BenchLine& line : lines) {
        if (on_line) {
            on_line(line);
        }
    }
    const std::unique_ptr<Bench> bench = TRY(Bench::create(device, options, ceilings, on_line));
    const std::vector<BenchLine> more = TRY(bench->run());
    lines.insert(lines.end(), more.begin(), more.end());
    return lines;
}

} // namespace handeye::device

// SPDX-License-Identifier: Apache-2.0
// Opens a checkpoint folder as a ChatModel, checks one against goldens, and measures one.
#pragma once

#include "base/result.h"
#include "engine/chat_model.h"
#include "engine/kv_format.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

namespace device {
class Device;
}

/// Whether a checkpoint's files are compared with the SHA-256 sums beside them. What was compared once is not read again.
enum class Checksums { Verify, Skip };

/// Whether the matrices of a 16-bit model's layers are packed while it is loaded.
enum class Quantize { None, Bits8, Bits4 };

struct EngineOptions {
    std::filesystem::path model_dir; ///< config.json, *.safetensors, tokenizer.json, ...
    int threads = 0;                 ///< 0: one per core
    int context_tokens = 0;          ///< KV cache size; 0: the model's own limit or what a step needs, whichever is less
    Checksums checksums = Checksums::Verify;
    std::vector<std::filesystem::path> adapters; ///< PEFT LoRA folders, applied together
    Quantize quantize = Quantize::None;
    KvFormat kv_format = KvFormat::F16;          ///< of cached keys and values
    int sequences_max = 8;                       ///< answers at a time; more wait
    bool guesses = true;                         ///< guess tokens of an answer alone from what stands before (engine/runtime/lookup.h)
    int waiting_max = 64;                        ///< requests that wait; one more is Overloaded
    std::string device = "cpu";                  ///< where it is computed: "cpu", "cuda" or "cuda:1"
    std::int64_t gpu_memory_bytes = 0;           ///< of that device, at most; what does not fit is computed by the processor; 0: what is free
    bool exact = false;                          ///< on a device: products of many rows in float's own precision instead of bf16's; slower
    std::shared_ptr<device::Device> opened_device; ///< what `device` names, when it is open already
    /// Loading stages ("weights 45 %"), for a person who waits.
    std::function<void(std::string_view stage, double share)> on_progress;
};

/// The device of this name, "cuda" or "cuda:1"; null for "cpu". InvalidArgument for another name; Unavailable and Unsupported say what is missing.
Result<std::shared_ptr<device::Device>> open_device(std::string_view name);
/// "NVIDIA H100 80GB HBM3"
std::string device_name(const device::Device& device);

/// Maps the weights (no copy) and checks every tensor's name, shape and bounds before it is used.
/// Memory is reckoned before anything is loaded (engine/checkpoints.h): OutOfMemory says how much is missing. Where context_tokens is
/// 0, a shorter context is taken when it fits, and the log says so.
/// Errors name the file, the tensor or the key, the value and what was expected; so does ParseFailed for a wrong checksum.
Result<std::unique_ptr<ChatModel>> open_engine(const EngineOptions& options);

/// One case of a goldens folder; unset: the case has no such expectation.
struct CaseResult {
    std::string name;
    bool ids_equal = false;
    std::optional<bool> grid_equal;
    bool positions_equal = false;
    std::optional<double> pixels_max_abs;
    std::optional<double> image_embeds_max_abs;
    double logits_max_abs = 0;
    double mean_kl = 0;
    bool greedy_equal = false;
    bool pass = false;
    std::string why; ///< empty when it passed
};
struct VerifyReport {
    std::vector<CaseResult> cases;
    int tokenizer_cases = 0;
    int tokenizer_failures = 0;
    bool pass = false;
};
/// Runs the cases of `cases_dir` (cases.json + expected.safetensors) on the model. Keys and values are kept as floats, and a
/// device computes exactly, whatever the options say: what is compared is the arithmetic on the weights.
Result<VerifyReport> verify_model(const EngineOptions& options, const std::filesystem::path& cases_dir);

/// A measured figure beside what this machine would allow in the same run.
struct BenchLine {
    std::string name;     ///< "decode", "prefill", "vision", "first_token"
    double value = 0;
    std::string unit;     ///< "tokens/s", "ms", ...
    double ceiling = 0;   ///< in the same unit; 0: none
    std::string ceiling_name; ///< "read bandwidth 35.1 GB/s", "FMA peak 453 GFLOP/s"
    double share = 0;     ///< value / ceiling, or ceiling / value for times
    // Of a figure that many calls were timed for.
    double median_ms = 0; ///< of one call
    double p99_ms = 0;    ///< the 99th percentile
    int rounds = 0;       ///< 0: not told
    double bytes = 0;     ///< that one call reads at least, and
    double flop = 0;      ///< its operations, a multiply-add being two; 0: not counted
};
/// {"name", "value", "unit"}, and of "ceiling", "ceiling_of", "share", "median_ms", "p99_ms", "rounds", "bytes", "gb_per_s", "flop" and "tflop_per_s" what is known.
nlohmann::json bench_json(const BenchLine& line);
/// Measures this machine's read bandwidth and FMA peak, then the model on `image` (a synthetic one when empty).
Result<std::vector<BenchLine>> bench_model(const EngineOptions& options, const Image& image);
/// Measures one answer alone, then `streams` at once: tokens a second of all of them together, beside this machine's limit.
Result<std::vector<BenchLine>> bench_streams(const EngineOptions& options, int streams);
/// A question and what was answered, as text.
struct RecordedAnswer {
    std::string prompt_utf8;
    std::string answer_utf8;
};
/// Measures what guessing tokens gains on known answers, taken for those of one session, beside one token a pass on the same ones, in turn.
Result<std::vector<BenchLine>> bench_guesses(const EngineOptions& options, const std::vector<RecordedAnswer>& answers);

} // namespace handeye

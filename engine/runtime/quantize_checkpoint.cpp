// SPDX-License-Identifier: Apache-2.0
// Copies a checkpoint shard by shard and packs matrices on the way.
#include "engine/checkpoints.h"

#include "base/file.h"
#include "base/json.h"
#include "engine/kernels/thread_pool.h"
#include "engine/models/registry.h"
#include "engine/quant/pack.h"
#include "engine/weights/mapped_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace handeye {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uintmax_t kCopiedFileMax = 256U << 20U; // tokenizers and texts
constexpr JsonLimits kConfigLimits{.bytes_max = 16U << 20U, .depth_max = 32};

// One tensor of the new file, and what it is made of.
struct NewTensor {
    std::string name;
    DType dtype = DType::F32;
    Shape shape;
    std::int64_t offset = 0; ///< in the file
    [[nodiscard]] std::int64_t bytes() const {
        std::int64_t n = static_cast<std::int64_t>(dtype_size(dtype));
        for (const std::int64_t d : shape) {
            n *= d;
        }
        return n;
    }
};

struct Source {
    std::string name;
    TensorView view;
    std::optional<WeightMatrix> packed;  ///< its sizes; unset: copied as it is
    std::vector<std::size_t> made;       ///< indices of NewTensor: itself; or codes, scales, shape
};

class ShardWriter {
public:
    ShardWriter(fs::path path, const std::set<std::string>& packed_modules, int bits) : path_(std::move(path)), packed_modules_(packed_modules), bits_(bits) {}

    void plan(const SafetensorsFile& in) {
        for (const auto& [name, view] : in.tensors()) {
            Source source{.name = name, .view = view, .packed = std::nullopt, .made = {}};
            const std::string module = name.ends_with(".weight") ? name.substr(0, name.size() - 7) : "";
            if (packed_modules_.contains(module)) {
                const WeightMatrix plain = matrix_of(view, view.shape.back());
                source.packed = packed_shape(plain, bits_);
                source.made = {add({module + ".weight_packed", DType::I32, {plain.rows, plain.cols * bits_ / 32}}),
                               add({module + ".weight_scale", DType::BF16, {plain.rows, source.packed->row_group}}), add({module + ".weight_shape", DType::I64, {2}})};
            } else {
                source.made = {add({name, view.dtype, view.shape})};
            }
            sources_.push_back(std::move(source));
        }
        place();
    }

    template <class OnTensor>
    Result<void> write(ThreadPool& pool, const OnTensor& on_tensor) {
        file_ = FileDescriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
        if (!file_.is_open()) {
            return failed("cannot create");
        }
        TRY(put(0, {reinterpret_cast<const std::byte*>(header_.data()), header_.size()}));
        for (const Source& source : sources_) {
            TRY(on_tensor(source.name));
            TRY(write_source(pool, source));
            drop_pages({source.view.data, source.view.size_bytes()});
        }
        return ::fsync(file_.get()) == 0 ? Result<void>() : Result<void>(failed("cannot sync"));
    }

    [[nodiscard]] const std::vector<NewTensor>& tensors() const { return tensors_; }
    [[nodiscard]] std::int64_t file_bytes() const { return file_bytes_; }

private:
    std::size_t add(NewTensor tensor) {
        tensors_.push_back(std::move(tensor));
        return tensors_.size() - 1;
    }

    // The widest elements first, so that each tensor begins at a multiple of its element's size.
    void place() {
        std::vector<std::size_t> order(tensors_.size());
        for (std::size_t i = 0; i < order.size(); ++i) {
            order[i] = i;
        }
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return dtype_size(tensors_[a].dtype) > dtype_size(tensors_[b].dtype); });
        json header{{"__metadata__", {{"format", "pt"}}}};
        std::int64_t at = 0;
        for (const std::size_t i : order) {
            NewTensor& tensor = tensors_[i];
            tensor.offset = at;
            at += tensor.bytes();
            header[tensor.name] = {{"dtype", dtype_name(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {tensor.offset, at}}};
        }
        std::string text = dump_json(header);
        text.append((8 - text.size() % 8) % 8, ' ');
        const std::uint64_t length = text.size();
        header_.assign(reinterpret_cast<const char*>(&length), sizeof length); // little-endian, as all targets are
        header_ += text;
        for (NewTensor& tensor : tensors_) {
            tensor.offset += static_cast<std::int64_t>(header_.size());
        }
        file_bytes_ = static_cast<std::int64_t>(header_.size()) + at;
    }

    Result<void> write_source(ThreadPool& pool, const Source& source) {
        if (!source.packed) {
            return put(tensors_[source.made[0]].offset, {source.view.data, source.view.size_bytes()});
        }
        constexpr std::int64_t kRows = 64;
        const WeightMatrix plain = matrix_of(source.view, source.view.shape.back());
        std::vector<std::byte> bytes(static_cast<std::size_t>(source.packed->stored_bytes));
        pool.run((plain.rows + kRows - 1) / kRows, [&](std::int64_t i, int) { pack_rows(plain, *source.packed, i * kRows, std::min(kRows, plain.rows - i * kRows), bytes); });
        const auto code_bytes = static_cast<std::size_t>(packed_code_bytes(*source.packed));
        TRY(put(tensors_[source.made[0]].offset, std::span(bytes).first(code_bytes)));
        TRY(put(tensors_[source.made[1]].offset, std::span(bytes).subspan(code_bytes)));
        const std::array<std::int64_t, 2> shape{plain.rows, plain.cols};
        return put(tensors_[source.made[2]].offset, std::as_bytes(std::span(shape)));
    }

    Result<void> put(std::int64_t offset, std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            const ssize_t written = ::pwrite(file_.get(), bytes.data(), std::min<std::size_t>(bytes.size(), 1U << 30U), offset);
            if (written < 0 && errno == EINTR) {
                continue;
            }
            if (written <= 0) {
                return failed("cannot write");
            }
            bytes = bytes.subspan(static_cast<std::size_t>(written));
            offset += written;
        }
        return {};
    }
    [[nodiscard]] Error failed(const char* what) const { return {ErrorCode::IoFailed, fmt::format("{} {}: {}", what, path_.string(), std::strerror(errno))}; }

    fs::path path_;
    const std::set<std::string>& packed_modules_;
    int bits_;
    std::vector<NewTensor> tensors_;
    std::vector<Source> sources_;
    std::string header_;
    std::int64_t file_bytes_ = 0;
    FileDescriptor file_;
};

// Modules that are packed, and the other matrices, which a reader of the config must leave alone.
struct Selection {
    std::set<std::string> packed;
    json ignored = json::array();
};

Result<Selection> select_modules(const Model& model, int bits) {
    Selection selection;
    for (const ModuleRecord& module : model.modules) {
        if (!module.is_matrix) {
            continue;
        }
        if (module.format != "bf16" && module.format != "f16" && module.format != "f32") {
            return Error{ErrorCode::InvalidArgument, fmt::format("{} is {}: only 16-bit and 32-bit checkpoints are packed", module.name, module.format)};
        }
        const TensorView* weight = model.weights.find(module.name + ".weight");
        if (module.is_linear && pack_group(bits, module.cols) > 0 && weight != nullptr && weight->shape.size() == 2) {
            selection.packed.insert(module.name);
        } else {
            selection.ignored.push_back(module.name);
        }
    }
    return selection.packed.empty() ? Result<Selection>(Error{ErrorCode::InvalidArgument, "the checkpoint has no matrix whose rows can be packed"}) : Result<Selection>(std::move(selection));
}

// One group for each size of groups that occurs, with the modules of all but the first named.
json quantization_config(const Model& model, const Selection& selection, int bits) {
    std::map<std::int64_t, json> by_group;
    for (const ModuleRecord& module : model.modules) {
        if (selection.packed.contains(module.name)) {
            by_group[pack_group(bits, module.cols)].push_back(module.name);
        }
    }
    json groups = json::object();
    for (auto& [size, modules] : by_group) {
        groups[fmt::format("group_{}", groups.size())] = {
            {"targets", by_group.size() == 1 ? json::array({"Linear"}) : modules},
            {"weights", {{"num_bits", bits}, {"type", "int"}, {"symmetric", true}, {"strategy", "group"}, {"group_size", size}, {"dynamic", false}, {"observer", "minmax"}}},
            {"input_activations", nullptr},
            {"output_activations", nullptr}};
    }
    return {{"quant_method", "compressed-tensors"}, {"format", "pack-quantized"}, {"quantization_status", "compressed"}, {"config_groups", groups}, {"ignore", selection.ignored}};
}

// Everything else of the folder, but sums and indices of the old weights.
Result<void> copy_rest(const fs::path& from, const fs::path& to) {
    std::error_code error;
    for (fs::directory_iterator entry(from, error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        const bool is_old = name == "config.json" || name == "SHA256SUMS" || name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json");
        if (is_old || name.starts_with('.') || !entry->is_regular_file(error) || entry->file_size(error) > kCopiedFileMax) {
            continue;
        }
        fs::copy_file(fs::canonical(entry->path(), error), to / name, error); // a hub's cache holds links
    }
    return error ? Result<void>(Error{ErrorCode::IoFailed, fmt::format("cannot copy {}: {}", from.string(), error.message())}) : Result<void>();
}

struct Job {
    const QuantizeOptions& options;
    const Model& model;
    const Selection& selection;
    int bits;
    fs::path to;
};

Result<QuantizeReport> write_all(const Job& job) {
    ThreadPool pool(job.options.threads);
    QuantizeReport report{.modules = static_cast<int>(job.selection.packed.size()), .in_bytes = job.model.weights.file_bytes(), .out_bytes = 0};
    json weight_map = json::object();
    std::size_t done = 0;
    for (const Checkpoint::Shard& shard : job.model.weights.shards()) {
        ShardWriter writer(job.to / shard.name, job.selection.packed, job.bits);
        writer.plan(*shard.file);
        TRY(writer.write(pool, [&](const std::string& tensor) -> Result<void> {
            if (job.options.is_stopped && job.options.is_stopped()) {
                return Error{ErrorCode::Cancelled, "stopped; nothing was left behind"};
            }
            if (job.options.on_progress) {
                job.options.on_progress(tensor, static_cast<double>(done) / static_cast<double>(job.model.weights.tensor_count()));
            }
            ++done;
            return {};
        }));
        for (const NewTensor& tensor : writer.tensors()) {
            weight_map[tensor.name] = shard.name;
        }
        report.out_bytes += writer.file_bytes();
    }
    if (job.model.weights.shards().size() > 1) {
        const json index{{"metadata", {{"total_size", report.out_bytes}}}, {"weight_map", weight_map}};
        TRY(write_file_atomic(job.to / "model.safetensors.index.json", index.dump(2) + "\n"));
    }
    TRY(copy_rest(job.options.in, job.to));
    json config = TRY(read_json(job.options.in / "config.json", kConfigLimits));
    config["quantization_config"] = quantization_config(job.model, job.selection, job.bits);
    TRY(write_file_atomic(job.to / "config.json", config.dump(2, ' ', false, json::error_handler_t::replace) + "\n"));
    return report;
}

} // namespace

Result<QuantizeReport> quantize_checkpoint(const QuantizeOptions& options) {
    std::error_code problem;
    if (options.to == Quantize::None) {
        return Error{ErrorCode::InvalidArgument, "neither 4 nor 8 bits were asked for"};
    }
    if (fs::exists(options.out, problem)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} exists already", options.out.string())};
    }
    const int bits = options.to == Quantize::Bits4 ? 4 : 8;
    const Model model = TRY(open_model(options.in, {}, {.contents = Contents::HeadersOnly, .pack_bits = 0, .pack = {}}));
    if (model.weights.shards().empty()) {
        return Error{ErrorCode::Unsupported, fmt::format("{} is GGUF: only safetensors are packed; llama.cpp's own tools write GGUF", options.in.string())};
    }
    const Selection selection = TRY(select_modules(model, bits));
    const fs::path clean = options.out.has_filename() ? options.out : options.out.parent_path();
    const fs::path partial = clean.string() + ".partial";
    if (!fs::create_directories(partial, problem)) {
        return Error{ErrorCode::IoFailed, fmt::format("cannot create {}: {}", partial.string(), problem ? problem.message() : "it exists; remove it if nobody is writing there")};
    }
    Result<QuantizeReport> report = write_all({options, model, selection, bits, partial});
    if (report) {
        fs::rename(partial, clean, problem);
        if (problem) {
            report = Error{ErrorCode::IoFailed, fmt::format("cannot rename {}: {}", partial.string(), problem.message())};
        }
    }
    if (!report) {
        fs::remove_all(partial, problem);
    }
    return report;
}

} // namespace handeye

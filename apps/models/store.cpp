// SPDX-License-Identifier: Apache-2.0
#include "apps/models/store.h"

#include "apps/daemon_options.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace handeye {
namespace {

namespace fs = std::filesystem;

/// Every row that `wanted` may mean, one for each quantisation.
std::vector<ModelRow> rows_of(const Registry& registry, const WantedModel& wanted) {
    std::vector<ModelRow> rows;
    for (const RegistryModel& model : registry.models) {
        for (const ModelSpec& spec : model.specs) {
            for (const std::string& quantization : spec.quantizations) {
                const WantedModel exactly{wanted.name, wanted.format.empty() ? spec.format : wanted.format, wanted.quantization.empty() ? quantization : wanted.quantization,
                                          wanted.size_in_billions.value_or(spec.size_in_billions)};
                if (const auto row = find_row(registry, exactly); row && row->spec == &spec && row->quantization == quantization) {
                    rows.push_back(*row);
                }
            }
        }
    }
    return rows;
}

/// Its files are those of quantisation "none".
bool is_made_while_loading(const ModelRow& row) { return row.spec->format == "pytorch" && row.quantization != "none"; }

Result<Quantize> packed_as(const ModelRow& row) {
    if (row.quantization == "4-bit") {
        return Quantize::Bits4;
    }
    if (row.quantization == "8-bit") {
        return Quantize::Bits8;
    }
    return Error{ErrorCode::Unsupported, fmt::format("{}: a 16-bit checkpoint is packed to 4-bit or 8-bit while it is loaded, not to {}", row.arguments(), row.quantization)};
}

bool has_model(const Registry& registry, std::string_view name) {
    return std::any_of(registry.models.begin(), registry.models.end(), [&](const RegistryModel& model) { return model.name == name; });
}

} // namespace

Result<LocalCheckpoint> find_bundled_model() {
    std::error_code problem;
    const fs::path program = fs::read_symlink("/proc/self/exe", problem).parent_path();
    const fs::path nano = fs::path("models") / kBundledModel;
    for (const fs::path& place : {program / "../share/handeye" / nano, program / "../../.." / nano, program / "../.." / nano}) {
        if (fs::exists(place / "config.json", problem)) {
            return LocalCheckpoint{fs::weakly_canonical(place, problem)};
        }
    }
    return Error{ErrorCode::NotFound, "the bundled model was not found beside the program: name a checkpoint with --model DIR"};
}

bool is_checkpoint(const fs::path& path) {
    std::error_code problem;
    if (fs::is_regular_file(path, problem) || fs::exists(path / "config.json", problem)) {
        return path.extension() == ".gguf" || !fs::is_regular_file(path, problem);
    }
    const fs::directory_iterator files(path, problem);
    return !problem && std::any_of(begin(files), end(files), [](const auto& file) { return file.path().extension() == ".gguf"; });
}

std::string pull_command(const ModelRow& row) { return "handeye models pull " + row.arguments(); }

Result<Quantize> quantize_of(const LocalCheckpoint& checkpoint, std::string_view option) {
    const Quantize wanted = option == "4bit" ? Quantize::Bits4 : option == "8bit" ? Quantize::Bits8 : Quantize::None;
    if (wanted != Quantize::None && checkpoint.quantize != Quantize::None && wanted != checkpoint.quantize) {
        return Error{ErrorCode::InvalidArgument, fmt::format("quantize is {}, and the model's name says {}", option, checkpoint.quantize == Quantize::Bits4 ? "4-bit" : "8-bit")};
    }
    return wanted == Quantize::None ? checkpoint.quantize : wanted;
}

Result<LocalCheckpoint> find_local(const ModelRow& row, const fs::path& root) {
    LocalCheckpoint checkpoint{root / row.folder()};
    if (is_made_while_loading(row)) {
        checkpoint.quantize = TRY(packed_as(row));
    }
    if (!is_checkpoint(checkpoint.path)) {
        return Error{ErrorCode::NotFound, fmt::format("{} is not here (it would be in {}); this fetches it: {}", row.arguments(), checkpoint.path.string(), pull_command(row))};
    }
    return checkpoint;
}

Result<LocalCheckpoint> find_checkpoint(const std::string& given, const fs::path& root) {
    if (given.starts_with("http://") || given.starts_with("https://")) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is a model on a server, which `handeye run`, `handeye replay --model-only` and handeyed ask; this needs a checkpoint on this machine", given)};
    }
    if (is_checkpoint(given)) {
        return LocalCheckpoint{given};
    }
    const Error neither{ErrorCode::NotFound, fmt::format("{} is no model: --model wants the folder of a checkpoint, with a config.json or a .gguf file, one .gguf file, or a "
                                                         "NAME[:FORMAT[:QUANTIZATION]] of `handeye models list`", given)};
    const auto wanted = parse_wanted(given);
    if (std::error_code problem; !wanted || given.find('/') != std::string::npos || fs::exists(given, problem)) {
        return neither;
    }
    const Registry registry = TRY(load_registry());
    if (given == kBundledModel && !has_model(registry, given)) {
        return find_bundled_model();
    }
    const std::vector<ModelRow> rows = rows_of(registry, *wanted);
    const fs::path place = root.empty() ? TRY(read_models_root()) : root;
    std::map<fs::path, LocalCheckpoint> here;
    for (const ModelRow& row : rows) {
        const bool is_meant = !wanted->quantization.empty() || !is_made_while_loading(row); // a name alone asks for no packing
        if (const auto local = find_local(row, place); local && is_meant) {
            here.emplace(local->path, *local);
        }
    }
    if (here.size() == 1) {
        return here.begin()->second;
    }
    const ModelRow chosen = TRY(find_row(registry, *wanted).with_context(fmt::format("{} is no path", given)));
    return find_local(chosen, place);
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// The models that are known by name: which sizes, formats and quantisations there are, and where hubs keep them.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// One kind of a model that hubs have: a size in a format, in one or several quantisations.
struct ModelSpec {
    std::string format; ///< "pytorch", "awq", "gptq", "fp8", "mlx", "ggufv2"
    double size_in_billions = 0;
    std::vector<std::string> quantizations;
    std::string engines;  ///< for people
    std::string model_id; ///< "{quantization}" in it stands for the quantisation
    std::map<std::string, std::string> hubs; ///< "huggingface", "modelscope": the id there
    std::string remark;   ///< what is wrong with the row; empty: nothing known
};

struct RegistryModel {
    std::string name;
    int context_length = 0; ///< tokens, as the model's page says
    std::vector<std::string> languages;
    std::vector<std::string> abilities; ///< "chat", "vision", "reasoning", "tools"
    std::vector<ModelSpec> specs;
    std::string remark;
    [[nodiscard]] bool has_ability(std::string_view ability) const;
};

struct Registry {
    std::vector<RegistryModel> models;
};

/// The registry's JSON, strictly: unknown keys, doubled names and values out of bounds are errors that name their place in `origin`.
Result<Registry> parse_registry(std::string_view json, const std::string& origin);
/// The one in the program, under the models of $XDG_CONFIG_HOME/handeye/registry.json where that is: a model there takes the place
/// of the one with its name.
Result<Registry> load_registry();
/// models/registry.json
std::string_view bundled_registry_text();

/// The name of the model that comes with the program. A registry's model of that name wins.
inline constexpr std::string_view kBundledModel = "nano";

/// What a person names: NAME[:FORMAT[:QUANTIZATION]] and a size.
struct WantedModel {
    std::string name;
    std::string format;       ///< empty: any, "pytorch" before others; "gguf" is "ggufv2"
    std::string quantization; ///< empty: the only one, else "none"; upper and lower case are the same
    std::optional<double> size_in_billions; ///< unset: the only one
};
/// Splits the text; says nothing of whether there is such a model. InvalidArgument for more than three parts or an empty one.
Result<WantedModel> parse_wanted(std::string_view text);

/// One row with one quantisation. Borrows the registry.
struct ModelRow {
    const RegistryModel* model = nullptr;
    const ModelSpec* spec = nullptr;
    std::string quantization;

    /// The hub's id. NotFound for a hub that does not have it.
    [[nodiscard]] Result<std::string> id_at(const std::string& hub) const;
    /// Where its files lie below the folder of all models: "NAME/9B-gptq-Int4". Quantisations that are made while a 16-bit
    /// checkpoint is loaded share its files.
    [[nodiscard]] std::filesystem::path folder() const;
    /// "NAME:FORMAT:QUANTIZATION", and the size where the name has several.
    [[nodiscard]] std::string arguments() const;
};
/// NotFound names what there is instead; InvalidArgument where several rows fit.
Result<ModelRow> find_row(const Registry& registry, const WantedModel& wanted);

/// "9", "0.5": as people write sizes.
std::string billions_text(double billions);

} // namespace handeye

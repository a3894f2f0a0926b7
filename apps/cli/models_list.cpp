// SPDX-License-Identifier: Apache-2.0
// `handeye models list`: the models that are known by name, and which of them are here.
#include "apps/cli/models.h"
#include "apps/daemon_options.h"
#include "apps/models/store.h"

#include <algorithm>
#include <set>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kLineMax = 100; // columns
constexpr std::size_t kIdWidth = 47;  // the longest id there is
constexpr std::size_t kIndent = 18;   // size and format before the quantisations

json to_json(const RegistryModel& model, const ModelSpec& spec, const std::filesystem::path& root) {
    json out{{"format", spec.format},   {"size_in_billions", spec.size_in_billions}, {"quantizations", spec.quantizations},
             {"engines", spec.engines}, {"model_id", spec.model_id},                 {"hubs", spec.hubs}};
    if (!spec.remark.empty()) {
        out["remark"] = spec.remark;
    }
    json local = json::object();
    for (const std::string& quantization : spec.quantizations) {
        if (const auto folder = find_local({&model, &spec, quantization}, root); folder) {
            local[quantization] = folder->path.string();
        }
    }
    out["local"] = std::move(local);
    return out;
}

json to_json(const RegistryModel& model, const std::filesystem::path& root) {
    json specs = json::array();
    for (const ModelSpec& spec : model.specs) {
        specs.push_back(to_json(model, spec, root));
    }
    json out{{"name", model.name}, {"context_length", model.context_length}, {"languages", model.languages}, {"abilities", model.abilities}, {"specs", std::move(specs)}};
    if (!model.remark.empty()) {
        out["remark"] = model.remark;
    }
    return out;
}

/// Words in lines of at most `width`.
std::vector<std::string> wrapped(const std::vector<std::string>& words, std::size_t width) {
    std::vector<std::string> lines(1);
    for (const std::string& word : words) {
        if (!lines.back().empty() && lines.back().size() + 1 + word.size() > width) {
            lines.emplace_back();
        }
        lines.back() += (lines.back().empty() ? "" : " ") + word;
    }
    return lines;
}

std::vector<std::string> words_of(const std::string& text) {
    std::vector<std::string> words(1);
    for (const char c : text) {
        if (c == ' ') {
            words.emplace_back();
        } else {
            words.back() += c;
        }
    }
    return words;
}

/// Without the blanks at its end.
std::string without_end(const std::string& line) { return line.substr(0, line.find_last_not_of(' ') + 1); }

void print_remark(const std::string& remark) {
    for (const std::string& line : wrapped(words_of(remark.empty() ? "" : "wrong: " + remark), kLineMax - 6)) {
        if (!line.empty()) {
            print(fmt::format("    ! {}", line));
        }
    }
}

void print_spec(const RegistryModel& model, const ModelSpec& spec, const std::filesystem::path& root) {
    std::vector<std::string> quantizations;
    for (const std::string& quantization : spec.quantizations) {
        const bool is_here = find_local({&model, &spec, quantization}, root).has_value();
        quantizations.push_back(quantization + (is_here ? "*" : ""));
    }
    std::set<std::string> ids;
    for (const auto& [hub, id] : spec.hubs) {
        ids.insert(id);
    }
    const std::vector<std::string> id_lines(ids.begin(), ids.end());
    const std::vector<std::string> lines = wrapped(quantizations, kLineMax - kIndent - kIdWidth - 1);
    for (std::size_t i = 0; i < std::max(lines.size(), id_lines.size()); ++i) {
        print(without_end(fmt::format("  {:>5} {:<8}  {:<{}} {}", i == 0 ? billions_text(spec.size_in_billions) + "B" : "", i == 0 ? spec.format : "", i < lines.size() ? lines[i] : "",
                          kLineMax - kIndent - kIdWidth - 1, i < id_lines.size() ? id_lines[i] : "")));
    }
    print_remark(spec.remark);
}

void print_table(const Registry& registry, const std::filesystem::path& root) {
    for (const RegistryModel& model : registry.models) {
        print(fmt::format("{}  {} tokens, {}; {}", model.name, model.context_length, fmt::join(model.languages, ", "), fmt::join(model.abilities, ", ")));
        print_remark(model.remark);
        for (const ModelSpec& spec : model.specs) {
            print_spec(model, spec, root);
        }
    }
    print(fmt::format("{}  the bundled model, which comes with the program and is meant where none is named", kBundledModel));
    print(fmt::format("* is here, in {}", root.string()));
}

} // namespace

Runner declare_models_list(CLI::App& app) {
    app.footer("Rows: size, format, quantisations, ids at Hugging Face and ModelScope. $XDG_CONFIG_HOME/handeye/registry.json adds\n"
               "models (docs/models.md). Fetch one:  handeye models pull glm-4.1v-thinking:gptq");
    return [](const Context& context) -> Result<int> {
        const Registry registry = TRY(load_registry());
        const std::filesystem::path root = TRY(read_models_root());
        if (!context.json) {
            print_table(registry, root);
            return 0;
        }
        json models = json::array();
        for (const RegistryModel& model : registry.models) {
            models.push_back(to_json(model, root));
        }
        print_json({{"root", root.string()}, {"models", std::move(models)}});
        return 0;
    };
}

} // namespace handeye::cli

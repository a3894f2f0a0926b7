// SPDX-License-Identifier: Apache-2.0
// From what a person names to one row of the registry.
#include "apps/models/registry.h"

#include "base/suggest.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kShownMax = 6; // names in one error
constexpr std::string_view kPlaceholder = "{quantization}";

bool is_same_word(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

bool is_same_size(double a, double b) { return std::abs(a - b) <= 1e-6 * std::max(a, b); }

/// The quantisation that `wanted` means in this row; empty: none does.
std::string quantization_in(const ModelSpec& spec, const std::string& wanted) {
    const auto& all = spec.quantizations;
    if (wanted.empty()) {
        const bool has_none = std::find(all.begin(), all.end(), "none") != all.end();
        return all.size() == 1 ? all.front() : has_none ? "none" : "?";
    }
    const auto found = std::find_if(all.begin(), all.end(), [&](const std::string& one) { return is_same_word(one, wanted); });
    return found == all.end() ? "" : *found;
}

/// "a, b, c": the few that are nearest to what was said, and how many there are.
std::string few(const std::vector<std::string>& all, const std::string& said) {
    const std::vector<std::string_view> names(all.begin(), all.end());
    const std::vector<std::string_view> shown = nearest_names(said, names, kShownMax);
    const std::string more = shown.size() < all.size() ? fmt::format(" ({} in all: `handeye models list`)", all.size()) : "";
    return fmt::format("{}{}", fmt::join(shown, ", "), more);
}

/// What each of some rows has, once, in their order.
template <class Field>
std::vector<std::string> distinct(const std::vector<const ModelSpec*>& specs, Field field) {
    std::vector<std::string> out;
    for (const ModelSpec* const spec : specs) {
        for (const std::string& one : field(*spec)) {
            if (std::find(out.begin(), out.end(), one) == out.end()) {
                out.push_back(one);
            }
        }
    }
    return out;
}
std::vector<std::string> format_of(const ModelSpec& spec) { return {spec.format}; }
std::vector<std::string> size_of(const ModelSpec& spec) { return {billions_text(spec.size_in_billions)}; }
std::vector<std::string> quantizations_of(const ModelSpec& spec) { return spec.quantizations; }

/// Which of the words of `wanted` this model does not have, and what is nearest to it.
std::string misfit(const RegistryModel& model, const std::string& format, const WantedModel& wanted) {
    std::vector<const ModelSpec*> specs;
    for (const ModelSpec& spec : model.specs) {
        specs.push_back(&spec);
    }
    const std::vector<std::string> formats = distinct(specs, format_of);
    std::erase_if(specs, [&](const ModelSpec* spec) { return !format.empty() && !is_same_word(spec->format, format); });
    if (specs.empty()) {
        return fmt::format("{} does not come as {}; its formats are {}", model.name, wanted.format, few(formats, format));
    }
    const std::string what = format.empty() ? model.name : fmt::format("{}:{}", model.name, specs.front()->format);
    const std::vector<std::string> sizes = distinct(specs, size_of);
    std::erase_if(specs, [&](const ModelSpec* spec) { return wanted.size_in_billions && !is_same_size(spec->size_in_billions, *wanted.size_in_billions); });
    if (specs.empty()) {
        return fmt::format("{} does not come with {} billion; --size-in-billions may be {}", what, billions_text(*wanted.size_in_billions), few(sizes, ""));
    }
    return fmt::format("{} does not come as {}; its quantisations are {}", what, wanted.quantization, few(distinct(specs, quantizations_of), wanted.quantization));
}

std::vector<const ModelSpec*> specs_of(const std::vector<ModelRow>& rows) {
    std::vector<const ModelSpec*> specs;
    std::transform(rows.begin(), rows.end(), std::back_inserter(specs), [](const ModelRow& row) { return row.spec; });
    return specs;
}

// 16-bit files are asked for before others when no format is named.
void prefer_plain(std::vector<ModelRow>& rows) {
    const auto is_plain = [](const ModelRow& row) { return row.spec->format == "pytorch"; };
    if (std::any_of(rows.begin(), rows.end(), is_plain)) {
        std::erase_if(rows, [&](const ModelRow& row) { return !is_plain(row); });
    }
}

std::set<double> sizes_of(const RegistryModel& model) {
    std::set<double> sizes;
    for (const ModelSpec& spec : model.specs) {
        sizes.insert(spec.size_in_billions);
    }
    return sizes;
}

Result<const RegistryModel*> find_named(const Registry& registry, const std::string& name) {
    const auto found = std::find_if(registry.models.begin(), registry.models.end(), [&](const RegistryModel& one) { return is_same_word(one.name, name); });
    if (found != registry.models.end()) {
        return &*found;
    }
    if (is_same_word(name, kBundledModel)) {
        return Error{ErrorCode::NotFound, fmt::format("{} is the bundled model: it comes with the program, in one form; name it without format, quantisation and size", kBundledModel)};
    }
    std::vector<std::string_view> names;
    std::transform(registry.models.begin(), registry.models.end(), std::back_inserter(names), [](const RegistryModel& one) { return std::string_view(one.name); });
    return Error{ErrorCode::NotFound, fmt::format("no model is known as \"{}\"; {}", name, suggestion(name, "known ones", names))};
}

} // namespace

bool RegistryModel::has_ability(std::string_view ability) const { return std::find(abilities.begin(), abilities.end(), ability) != abilities.end(); }

Result<WantedModel> parse_wanted(std::string_view text) {
    std::vector<std::string> parts(1);
    for (const char c : text) {
        if (c == ':') {
            parts.emplace_back();
        } else {
            parts.back() += c;
        }
    }
    const bool has_gap = std::any_of(parts.begin(), parts.end(), [](const std::string& part) { return part.empty(); });
    if (parts.size() > 3 || has_gap) {
        return Error{ErrorCode::InvalidArgument, fmt::format("\"{}\" is no NAME[:FORMAT[:QUANTIZATION]]", text)};
    }
    parts.resize(3);
    return WantedModel{.name = parts[0], .format = parts[1], .quantization = parts[2]};
}

Result<ModelRow> find_row(const Registry& registry, const WantedModel& wanted) {
    const RegistryModel* const model = TRY(find_named(registry, wanted.name));
    const std::string format = is_same_word(wanted.format, "gguf") ? "ggufv2" : wanted.format;
    std::vector<ModelRow> rows;
    for (const ModelSpec& spec : model->specs) {
        const bool fits = (format.empty() || is_same_word(spec.format, format)) && (!wanted.size_in_billions || is_same_size(spec.size_in_billions, *wanted.size_in_billions));
        if (std::string quantization = fits ? quantization_in(spec, wanted.quantization) : ""; !quantization.empty()) {
            rows.push_back({model, &spec, std::move(quantization)});
        }
    }
    if (rows.empty()) {
        return Error{ErrorCode::NotFound, misfit(*model, format, wanted)};
    }
    if (format.empty()) {
        prefer_plain(rows);
    }
    if (rows.size() > 1 && !is_same_size(rows.front().spec->size_in_billions, rows.back().spec->size_in_billions)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} comes in several sizes; say --size-in-billions {}", model->name, fmt::join(distinct(specs_of(rows), size_of), " or "))};
    }
    if (rows.size() > 1) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{0} comes in several formats; say which, as {0}:{1}: there are {2}", model->name, rows.front().spec->format,
                                                             few(distinct(specs_of(rows), format_of), ""))};
    }
    if (rows.front().quantization == "?") {
        return Error{ErrorCode::InvalidArgument, fmt::format("say which quantisation of {}, as {}:{}:{}: there are {}", model->name, model->name, rows.front().spec->format,
                                                             rows.front().spec->quantizations.front(), few(rows.front().spec->quantizations, ""))};
    }
    return rows.front();
}

Result<std::string> ModelRow::id_at(const std::string& hub) const {
    const auto found = spec->hubs.find(hub);
    if (found == spec->hubs.end()) {
        return Error{ErrorCode::NotFound, fmt::format("{} is not known to be at {}", arguments(), hub)};
    }
    std::string id = found->second;
    if (const std::size_t at = id.find(kPlaceholder); at != std::string::npos) {
        id.replace(at, kPlaceholder.size(), quantization);
    }
    return id;
}

std::filesystem::path ModelRow::folder() const {
    const std::string_view stored = spec->format == "pytorch" ? std::string_view("none") : std::string_view(quantization);
    return std::filesystem::path(model->name) / fmt::format("{}B-{}-{}", billions_text(spec->size_in_billions), spec->format, stored);
}

std::string ModelRow::arguments() const {
    const bool has_sizes = sizes_of(*model).size() > 1;
    return fmt::format("{}:{}:{}{}", model->name, spec->format, quantization, has_sizes ? " --size-in-billions " + billions_text(spec->size_in_billions) : "");
}

std::string billions_text(double billions) { return fmt::format("{:.9g}", billions); }

} // namespace handeye

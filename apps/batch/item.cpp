// SPDX-License-Identifier: Apache-2.0
#include "apps/batch/item.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/suggest.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace handeye::batch {
namespace {

using nlohmann::json;

constexpr int kDepthMax = 64;
constexpr std::size_t kIdBytesMax = 256;
constexpr std::size_t kPathBytesMax = 4096;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// The first of the names that is there, with it; null: none is.
const json* find(const json& object, const std::vector<std::string>& names, std::string& name) {
    for (const std::string& candidate : names) {
        const auto found = object.find(candidate);
        if (found != object.end() && !found->is_null()) {
            name = candidate;
            return &*found;
        }
    }
    return nullptr;
}

/// A text, a number or a truth value, as text.
Result<std::string> text_of(const json& value, const std::string& name, std::size_t bytes_max) {
    if (!value.is_string() && !value.is_number() && !value.is_boolean()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("\"{}\" is a {}, not a text or a number", name, value.type_name())};
    }
    std::string text = value.is_string() ? value.get<std::string>() : dump_json(value);
    if (text.size() > bytes_max) {
        return Error{ErrorCode::LimitExceeded, fmt::format("\"{}\" has {} bytes; at most {} are taken", name, text.size(), bytes_max)};
    }
    return text;
}

/// One of them, or a list of them. Nothing where it is not there.
Result<std::vector<std::string>> texts_at(const json& object, const std::vector<std::string>& names, std::size_t count_max, std::size_t bytes_max) {
    std::string name;
    const json* const value = find(object, names, name);
    std::vector<std::string> out;
    if (value == nullptr) {
        return out;
    }
    if (!value->is_array()) {
        out.push_back(TRY(text_of(*value, name, bytes_max)));
        return out;
    }
    if (value->size() > count_max) {
        return Error{ErrorCode::LimitExceeded, fmt::format("\"{}\" has {} entries; at most {} are taken", name, value->size(), count_max)};
    }
    for (const json& entry : *value) {
        out.push_back(TRY(text_of(entry, name, bytes_max)));
    }
    return out;
}

Result<std::string> text_at(const json& object, const std::vector<std::string>& names, std::size_t bytes_max) {
    std::string name;
    const json* const value = find(object, names, name);
    if (value == nullptr) {
        return std::string();
    }
    return text_of(*value, name, bytes_max);
}

Result<void> check_shown(const Item& item) {
    if (!item.video.empty() && !item.images.empty()) {
        return Error{ErrorCode::InvalidArgument, "pictures and a video: a question has one or the other, as the models were trained"};
    }
    if (std::any_of(item.images.begin(), item.images.end(), [](const std::string& name) { return name.empty(); })) {
        return Error{ErrorCode::InvalidArgument, "a picture without a name"};
    }
    const auto is_long_path = [](const std::string& name) { return !name.starts_with("data:") && name.size() > kPathBytesMax; };
    if (std::any_of(item.images.begin(), item.images.end(), is_long_path)) {
        return Error{ErrorCode::LimitExceeded, fmt::format("a picture's name of more than {} bytes", kPathBytesMax)};
    }
    return {};
}

/// What a person would call the lines of names.
std::string listed(const std::vector<std::string>& names) { return fmt::format("\"{}\"", fmt::join(names, "\", \"")); }

} // namespace

FieldNames::FieldNames()
    : names_{{"id", {"id", "uid", "question_id"}},
             {"system", {"system"}},
             {"prompt", {"prompt", "question", "query", "instruction"}},
             {"images", {"images", "image", "image_path", "image_paths"}},
             {"video", {"video", "video_path"}},
             {"choices", {"choices", "options"}},
             {"reference", {"reference", "references", "answer", "answers", "target", "label", "solution"}}} {}

Result<void> FieldNames::set(std::string_view rule) {
    const std::size_t equals = rule.find('=');
    if (equals == std::string_view::npos || equals == 0 || equals + 1 == rule.size()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("--field {}: write OURS=THEIRS, as in prompt=question", rule)};
    }
    const std::string ours(rule.substr(0, equals)), theirs(rule.substr(equals + 1));
    const auto found = names_.find(ours);
    if (found == names_.end()) {
        std::vector<std::string_view> all;
        std::transform(names_.begin(), names_.end(), std::back_inserter(all), [](const auto& row) { return std::string_view(row.first); });
        return Error{ErrorCode::InvalidArgument, fmt::format("--field {}: there is no field \"{}\"; {}", rule, ours, suggestion(ours, "fields", all))};
    }
    found->second = {theirs};
    set_[ours] = theirs;
    return {};
}

std::string FieldNames::said() const {
    std::vector<std::string> out;
    std::transform(set_.begin(), set_.end(), std::back_inserter(out), [](const auto& row) { return row.first + "=" + row.second; });
    return fmt::format("{}", fmt::join(out, ", "));
}

std::string FieldNames::usual() const {
    std::string out;
    for (const auto& [ours, theirs] : names_) {
        const std::vector<std::string> others(std::next(theirs.begin()), theirs.end());
        out += fmt::format("{}{}{}", out.empty() ? "" : ", ", ours, others.empty() ? "" : fmt::format(" ({})", fmt::join(others, ", ")));
    }
    return out;
}

Result<Item> read_item(std::string_view line, const FieldNames& names, References references) {
    const json object = TRY(parse_json(line, {.bytes_max = kLineBytesMax, .depth_max = kDepthMax}));
    if (!object.is_object()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("a JSON {}, not an object", object.type_name())};
    }
    Item item;
    item.id = TRY(text_at(object, names.of("id"), kIdBytesMax));
    item.system = TRY(text_at(object, names.of("system"), kPromptBytesMax));
    item.prompt = TRY(text_at(object, names.of("prompt"), kPromptBytesMax));
    item.images = TRY(texts_at(object, names.of("images"), kPicturesMax, kLineBytesMax));
    item.video = TRY(text_at(object, names.of("video"), kPathBytesMax));
    item.choices = TRY(texts_at(object, names.of("choices"), kChoicesMax, kReferenceBytesMax));
    item.references = TRY(texts_at(object, names.of("reference"), kReferencesMax, kReferenceBytesMax));
    if (item.prompt.empty()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("no question: it is looked for as {}; --field prompt=NAME says another name", listed(names.of("prompt")))};
    }
    if (item.references.empty() && references == References::Wanted) {
        return Error{ErrorCode::InvalidArgument, fmt::format("no reference: it is looked for as {}; --field reference=NAME says another name, --score none asks without", listed(names.of("reference")))};
    }
    TRY(check_shown(item));
    return item;
}

Result<ItemFile> read_items(const std::filesystem::path& file, const FieldNames& names, References references) {
    const std::string text = TRY(read_file(file, kFileBytesMax));
    ItemFile out{.sha256 = to_hex(sha256(text)), .items = {}, .bad = {}};
    std::string_view rest = text;
    rest.remove_prefix(rest.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0);
    for (std::size_t number = 1; !rest.empty(); ++number) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const std::string_view line = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
            continue;
        }
        if (out.items.size() + out.bad.size() == kItemsMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("{} has more than {} lines; split it", file.string(), kItemsMax)};
        }
        Result<Item> item = line.size() > kLineBytesMax ? Result<Item>(Error{ErrorCode::LimitExceeded, fmt::format("{} bytes; a line has at most {}", line.size(), kLineBytesMax)})
                                                        : read_item(line, names, references);
        if (item) {
            item->line = number;
            out.items.push_back(std::move(*item));
        } else {
            out.bad.push_back({number, item.error().message});
        }
    }
    if (out.items.empty() && out.bad.empty()) {
        return Error{ErrorCode::ParseFailed, fmt::format("{} holds no line", file.string())};
    }
    return out;
}

} // namespace handeye::batch

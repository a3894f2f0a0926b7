// SPDX-License-Identifier: Apache-2.0
// The two files a tokenizer comes from: tokenizer.json and the tiktoken-style list of ranks. What the code does not
// implement is refused by its name in the file, never skipped.
#include "engine/tokenizer/byte_alphabet.h"
#include "engine/tokenizer/tokenizer_data.h"
#include "engine/tokenizer/utf8.h"

#include "base/file.h"
#include "base/json.h"

#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kFileBytesMax = 128U << 20U;

Error unsupported(std::string what) { return Error{ErrorCode::Unsupported, std::move(what)}; }
Error malformed(std::string what) { return Error{ErrorCode::ParseFailed, std::move(what)}; }

const json& member(const json& object, const char* key) {
    static const json nothing;
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found == object.end() ? nothing : *found;
}

// Absent, null, false, 0 and "" all mean "not used".
bool is_set(const json& value) {
    return !(value.is_null() || value == false || (value.is_number() && value == 0) || (value.is_string() && value == ""));
}

Result<TokenId> id_of(const json& value, std::string_view what) {
    if (!value.is_number_integer() || value.get<std::int64_t>() < 0 || value.get<std::int64_t>() > (1 << 24)) {
        return malformed(fmt::format("{}: {} is not a token id", what, dump_json(value)));
    }
    return value.get<TokenId>();
}

Result<std::string> read_pattern(const json& pre) {
    const json& parts = member(pre, "pretokenizers");
    if (member(pre, "type") != "Sequence" || !parts.is_array() || parts.size() != 2) {
        return unsupported(fmt::format("pre_tokenizer {}: only a sequence of Split and ByteLevel is known",
                                       dump_json(member(pre, "type"))));
    }
    const json& split = parts[0];
    const json& bytes = parts[1];
    if (member(split, "type") != "Split" || member(split, "behavior") != "Isolated" || is_set(member(split, "invert"))) {
        return unsupported("pre_tokenizer: the first part must be a Split, Isolated and not inverted");
    }
    if (member(bytes, "type") != "ByteLevel" || is_set(member(bytes, "add_prefix_space")) ||
        member(bytes, "use_regex") != false) {
        return unsupported("pre_tokenizer: the second part must be ByteLevel without prefix space and own pattern");
    }
    const json& pattern = member(member(split, "pattern"), "Regex");
    if (!pattern.is_string()) {
        return unsupported("pre_tokenizer: Split without a Regex pattern");
    }
    return pattern.get<std::string>();
}

Result<void> check_pipeline(const json& root) {
    if (is_set(member(root, "normalizer"))) {
        return unsupported(fmt::format("normalizer {}", dump_json(member(member(root, "normalizer"), "type"))));
    }
    if (member(member(root, "decoder"), "type") != "ByteLevel") {
        return unsupported(fmt::format("decoder {}", dump_json(member(member(root, "decoder"), "type"))));
    }
    const json& model = member(root, "model");
    if (member(model, "type") != "BPE") {
        return unsupported(fmt::format("model {}", dump_json(member(model, "type"))));
    }
    for (const char* key : {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"}) {
        if (is_set(member(model, key))) {
            return unsupported(fmt::format("model.{} = {}", key, dump_json(member(model, key))));
        }
    }
    return {};
}

Result<void> read_vocabulary(const json& model, const ByteAlphabet& alphabet, Vocabulary& vocabulary) {
    const json& vocab = member(model, "vocab");
    if (!vocab.is_object()) {
        return malformed("model.vocab is not an object");
    }
    for (const auto& [written, value] : vocab.items()) {
        const std::string bytes = TRY(alphabet.bytes_of(written).with_context("model.vocab"));
        const TokenId id = TRY(id_of(value, "model.vocab"));
        TRY(vocabulary.add(id, bytes).with_context("model.vocab"));
    }
    return vocabulary.finish();
}

Result<std::pair<std::string_view, std::string_view>> pair_of(const json& merge) {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
        return std::pair<std::string_view, std::string_view>(merge[0].get_ref<const std::string&>(),
                                                             merge[1].get_ref<const std::string&>());
    }
    if (merge.is_string()) {
        const std::string_view text = merge.get_ref<const std::string&>();
        if (const std::size_t space = text.find(' '); space != text.npos && text.find(' ', space + 1) == text.npos) {
            return std::pair(text.substr(0, space), text.substr(space + 1));
        }
    }
    return malformed(fmt::format("{} is not a pair", dump_json(merge)));
}

Result<void> read_merges(const json& model, const ByteAlphabet& alphabet, const Vocabulary& vocabulary, MergeRules& rules) {
    const json& merges = member(model, "merges");
    if (!merges.is_array()) {
        return malformed("model.merges is not a list");
    }
    rules.reserve(merges.size());
    for (std::size_t i = 0; i < merges.size(); ++i) {
        const std::string where = fmt::format("model.merges[{}]", i);
        const auto pair = TRY(pair_of(merges[i]).with_context(where));
        const std::string left = TRY(alphabet.bytes_of(pair.first).with_context(where));
        const std::string right = TRY(alphabet.bytes_of(pair.second).with_context(where));
        const auto left_id = vocabulary.find(left), right_id = vocabulary.find(right);
        const auto joined_id = vocabulary.find(left + right);
        if (!left_id || !right_id || !joined_id) {
            return malformed(fmt::format("{}: {} names a token that is not in the vocabulary", where, dump_json(merges[i])));
        }
        rules.add(*left_id, *right_id, {static_cast<std::uint32_t>(i), *joined_id});
    }
    return {};
}

Result<std::vector<AddedToken>> read_added(const json& root) {
    std::vector<AddedToken> added;
    const json& list = member(root, "added_tokens");
    if (list.is_null()) {
        return added;
    }
    if (!list.is_array()) {
        return malformed("added_tokens is not a list");
    }
    for (const json& entry : list) {
        const json& content = member(entry, "content");
        if (!content.is_string()) {
            return malformed("an added token without content");
        }
        for (const char* key : {"single_word", "lstrip", "rstrip"}) {
            if (is_set(member(entry, key))) {
                return unsupported(fmt::format("added token {} with {}", dump_json(content), key));
            }
        }
        const TokenId id = TRY(id_of(member(entry, "id"), "added_tokens"));
        added.push_back({content.get<std::string>(), id, is_set(member(entry, "special"))});
    }
    return added;
}

Result<Tokenizer> from_json(const json& root) {
    TRY(check_pipeline(root));
    const ByteAlphabet alphabet;
    const json& model = member(root, "model");
    TokenizerBuilder builder;
    builder.pattern = TRY(read_pattern(member(root, "pre_tokenizer")));
    builder.whole_pieces = is_set(member(model, "ignore_merges"));
    TRY(read_vocabulary(model, alphabet, builder.vocabulary));
    TRY(read_merges(model, alphabet, builder.vocabulary, builder.rules));
    builder.added = TRY(read_added(root));
    return std::move(builder).build();
}

int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

std::optional<std::string> base64_decoded(std::string_view text) {
    if (text.empty() || text.size() % 4 != 0) {
        return std::nullopt;
    }
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    text.remove_suffix(padding);
    std::string out;
    unsigned bits = 0;
    int count = 0;
    for (const char c : text) {
        const int value = base64_value(c);
        if (value < 0) {
            return std::nullopt;
        }
        bits = bits << 6U | static_cast<unsigned>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out.push_back(static_cast<char>(bits >> static_cast<unsigned>(count) & 0xFFU));
        }
    }
    return out;
}

Result<void> add_rank_line(std::string_view line, Vocabulary& vocabulary) {
    const std::size_t space = line.find(' ');
    TokenId rank = -1;
    const char* end = line.data() + line.size();
    if (space == line.npos) {
        return malformed("no rank after the token");
    }
    const auto read = std::from_chars(line.data() + space + 1, end, rank);
    const auto bytes = base64_decoded(line.substr(0, space));
    if (read.ec != std::errc() || read.ptr != end || !bytes) {
        return malformed("not \"base64 rank\"");
    }
    return vocabulary.add(rank, *bytes);
}

} // namespace

Result<Tokenizer> Tokenizer::from_json_file(const std::filesystem::path& path) {
    const json root = TRY(read_json(path, {.bytes_max = kFileBytesMax, .depth_max = 32}));
    try {
        return from_json(root).with_context(path.string());
    } catch (const json::exception& problem) {
        return malformed(fmt::format("{}: {}", path.string(), problem.what()));
    }
}

Result<Tokenizer> Tokenizer::from_tiktoken_file(const std::filesystem::path& path, const std::vector<std::string>& added) {
    const std::string text = TRY(read_file(path, kFileBytesMax));
    TokenizerBuilder builder;
    std::string_view rest = text;
    for (int line = 1; !rest.empty(); ++line) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        std::string_view content = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (content.ends_with('\r')) {
            content.remove_suffix(1);
        }
        if (!content.empty()) {
            TRY(add_rank_line(content, builder.vocabulary).with_context(fmt::format("{}:{}", path.string(), line)));
        }
    }
    TRY(builder.vocabulary.finish().with_context(path.string()));
    builder.rules.set_by_id();
    for (const std::string& token : added) {
        builder.added.push_back({token, builder.vocabulary.size() + static_cast<TokenId>(builder.added.size())});
    }
    return std::move(builder).build().with_context(path.string());
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// The shape of a GGUF model from the first bytes of its file, before the rest is fetched.
#include "apps/models/shape.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::uint64_t kStringBytesMax = 1U << 16U;
constexpr std::uint64_t kKeysMax = 4096;
constexpr double kNumberMax = 1 << 24;
constexpr std::uint32_t kString = 8;
constexpr std::uint32_t kArray = 9;

/// Bytes of a value by GGUF's type number; 0: of no fixed size, or unknown.
std::size_t width_of(std::uint32_t type) {
    constexpr std::array<std::size_t, 13> kWidths{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < kWidths.size() ? kWidths[type] : 0;
}

/// Reads little-endian values until the bytes end.
class Cursor {
public:
    explicit Cursor(std::span<const std::uint8_t> bytes) : rest_(bytes) {}
    bool skip(std::uint64_t bytes) {
        if (bytes > rest_.size()) {
            rest_ = {};
            return false;
        }
        rest_ = rest_.subspan(static_cast<std::size_t>(bytes));
        return true;
    }
    std::optional<std::uint64_t> number(std::size_t width) {
        if (width > rest_.size() || width > sizeof(std::uint64_t)) {
            return std::nullopt;
        }
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < width; ++i) {
            value |= std::uint64_t{rest_[i]} << (8 * i);
        }
        rest_ = rest_.subspan(width);
        return value;
    }
    std::optional<std::string> text() {
        const auto length = number(sizeof(std::uint64_t));
        if (!length || *length > kStringBytesMax || *length > rest_.size()) {
            return std::nullopt;
        }
        std::string out(reinterpret_cast<const char*>(rest_.data()), static_cast<std::size_t>(*length));
        (void)skip(*length);
        return out;
    }

private:
    std::span<const std::uint8_t> rest_;
};

struct Metadata {
    std::map<std::string, double> numbers; ///< by the key without its architecture
    std::string architecture;
    double vocabulary = 0;
    [[nodiscard]] double get(const std::string& key, double otherwise = 0) const {
        const auto found = numbers.find(key);
        return found == numbers.end() ? otherwise : found->second;
    }
};

/// False: the bytes end here, or what comes cannot be skipped.
bool read_value(Cursor& cursor, const std::string& key, std::uint32_t type, Metadata& out) {
    if (type == kString) {
        const auto text = cursor.text();
        if (text && key == "general.architecture") {
            out.architecture = *text;
        }
        return text.has_value();
    }
    if (type == kArray) {
        const auto element = cursor.number(4);
        const auto count = cursor.number(8);
        if (!element || !count) {
            return false;
        }
        out.vocabulary = key == "tokenizer.ggml.tokens" ? static_cast<double>(*count) : out.vocabulary;
        const std::size_t width = width_of(static_cast<std::uint32_t>(*element));
        return width > 0 && *count <= kGgufPrefixBytes && cursor.skip(*count * width);
    }
    const std::size_t width = width_of(type);
    const auto value = width > 0 ? cursor.number(width) : std::nullopt;
    if (value && static_cast<double>(*value) <= kNumberMax) {
        out.numbers[key.substr(key.find('.') + 1)] = static_cast<double>(*value);
    }
    return value.has_value();
}

double parameters_of(const Metadata& meta) {
    const double hidden = meta.get("embedding_length");
    const double layers = meta.get("block_count");
    const double heads = std::max(1.0, meta.get("attention.head_count", 1));
    const double kv_heads = meta.get("attention.head_count_kv", heads);
    const double head_dim = meta.get("attention.key_length", hidden / heads);
    const double experts = meta.get("expert_count");
    const double plain = experts > 0 ? std::min(layers, meta.get("leading_dense_block_count")) : layers;
    const double ffn = 3 * hidden * meta.get("feed_forward_length");
    const double moe = 3 * hidden * meta.get("expert_feed_forward_length") * (experts + meta.get("expert_shared_count")) + hidden * experts;
    return layers * hidden * head_dim * (2 * heads + 2 * kv_heads) + plain * ffn + (layers - plain) * moe + 2 * std::max(meta.vocabulary, meta.get("vocab_size")) * hidden;
}

} // namespace

Result<CheckpointShape> shape_of_gguf(std::span<const std::uint8_t> first_bytes) {
    Cursor cursor(first_bytes);
    constexpr std::uint64_t kMagic = 0x46554747; // "GGUF"
    const auto magic = cursor.number(4);
    const auto version = cursor.number(4);
    if (magic != kMagic || !version || *version < 2 || *version > 3) {
        return Error{ErrorCode::ParseFailed, "this is no GGUF file of version 2 or 3"};
    }
    const bool has_tensors = cursor.skip(8);
    const auto keys = cursor.number(8);
    Metadata meta;
    for (std::uint64_t i = 0; has_tensors && keys && i < std::min(*keys, kKeysMax); ++i) {
        const auto key = cursor.text();
        const auto type = key ? cursor.number(4) : std::nullopt;
        if (!type || !read_value(cursor, *key, static_cast<std::uint32_t>(*type), meta)) {
            break; // the vocabulary, as a rule: what counts stands before it
        }
    }
    CheckpointShape shape{.family = meta.architecture,
                          .hidden = static_cast<std::int64_t>(meta.get("embedding_length")),
                          .layers = static_cast<std::int64_t>(meta.get("block_count")),
                          .parameters = parameters_of(meta)};
    if (shape.family.empty() || shape.hidden == 0 || shape.layers == 0) {
        return Error{ErrorCode::ParseFailed, fmt::format("the first {} bytes of the GGUF file do not say its architecture, width and layers", first_bytes.size())};
    }
    return shape;
}

} // namespace handeye

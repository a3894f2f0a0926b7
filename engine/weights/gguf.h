// SPDX-License-Identifier: Apache-2.0
// One GGUF container, versions 2 and 3: metadata and tensors of a model or of its vision tower. Split models are several.
#pragma once

#include "base/result.h"
#include "engine/tensor/tensor.h"
#include "engine/weights/mapped_file.h"
#include "engine/weights/safetensors.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace handeye {

struct GgufLimits {
    std::size_t keys_max = 100'000;
    std::size_t tensors_max = 1'000'000;
    std::size_t key_bytes_max = 65'535;
    std::size_t name_bytes_max = 63;
    std::size_t array_max = 16U << 20U; ///< elements
};

using GgufStrings = std::vector<std::string_view>;
using GgufIntegers = std::vector<std::int64_t>;
using GgufNumbers = std::vector<double>;
/// Texts point into the file. Unsigned 64-bit values beyond the signed range are refused when the file is read.
using GgufValue = std::variant<std::int64_t, double, bool, std::string_view, GgufStrings, GgufIntegers, GgufNumbers>;

/// Metadata by key; wrong types are as absent as missing keys.
class GgufMetadata {
public:
    [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key) const;
    /// Integers count too.
    [[nodiscard]] std::optional<double> number(std::string_view key) const;
    [[nodiscard]] std::optional<bool> flag(std::string_view key) const;
    [[nodiscard]] std::optional<std::string_view> text(std::string_view key) const;
    [[nodiscard]] const GgufStrings* strings(std::string_view key) const { return get<GgufStrings>(key); }
    [[nodiscard]] const GgufIntegers* integers(std::string_view key) const { return get<GgufIntegers>(key); }

    std::map<std::string, GgufValue, std::less<>> values;

private:
    template <class T>
    [[nodiscard]] const T* get(std::string_view key) const {
        const auto found = values.find(key);
        return found == values.end() ? nullptr : std::get_if<T>(&found->second);
    }
};

struct GgufContents {
    GgufMetadata metadata;
    TensorMap tensors; ///< shapes in the order of safetensors: the last index is the fastest
};

/// Views and texts point into `file`. Every count, length, type, shape and offset is checked without overflow before it is used;
/// tensors must lie one after the other as the format demands, so that none overlap. ParseFailed names what is wrong,
/// LimitExceeded what is too much, Unsupported a version, byte order or tensor type that is not read here.
Result<GgufContents> parse_gguf(std::span<const std::byte> file, const GgufLimits& limits = {});

/// A mapped file with its contents.
class GgufFile {
public:
    static Result<GgufFile> open(const std::filesystem::path& path);
    [[nodiscard]] const GgufMetadata& metadata() const { return contents_.metadata; }
    [[nodiscard]] const TensorMap& tensors() const { return contents_.tensors; }
    [[nodiscard]] std::int64_t file_bytes() const { return static_cast<std::int64_t>(file_.bytes().size()); }

private:
    GgufFile(MappedFile file, GgufContents contents) : file_(std::move(file)), contents_(std::move(contents)) {}
    MappedFile file_;
    GgufContents contents_;
};

} // namespace handeye

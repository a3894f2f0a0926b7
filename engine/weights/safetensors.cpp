// SPDX-License-Identifier: Apache-2.0
#include "engine/weights/safetensors.h"

#include "base/json.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kLengthBytes = 8;

Error malformed(std::string message) { return {ErrorCode::ParseFailed, "safetensors: " + std::move(message)}; }
Error too_much(std::string message) { return {ErrorCode::LimitExceeded, "safetensors: " + std::move(message)}; }

std::optional<DType> dtype_from(std::string_view name) {
    static constexpr std::array kAll = {DType::F32, DType::F16, DType::BF16, DType::F64, DType::I64,
                                        DType::I32, DType::I16, DType::I8,   DType::U64, DType::U32,
                                        DType::U16, DType::U8,  DType::Bool, DType::F8E4M3, DType::F8E5M2};
    const auto* found = std::find_if(kAll.begin(), kAll.end(), [&](DType d) { return dtype_name(d) == name; });
    return found == kAll.end() ? std::nullopt : std::optional(*found);
}

std::string shortened(std::string_view name) {
    constexpr std::size_t kShown = 80;
    return name.size() <= kShown ? std::string(name) : std::string(name.substr(0, kShown)) + "...";
}

Result<Shape> parse_shape(const json& value, std::string_view name, const SafetensorsLimits& limits) {
    if (!value.is_array()) {
        return malformed(fmt::format("the shape of {} is not a list", name));
    }
    if (value.size() > limits.rank_max) {
        return too_much(fmt::format("{} has {} dimensions, at most {}", name, value.size(), limits.rank_max));
    }
    Shape shape;
    for (const json& d : value) {
        if (!d.is_number_unsigned() || d.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()) {
            return malformed(fmt::format("the shape of {} holds {}", name, dump_json(d)));
        }
        shape.push_back(d.get<std::int64_t>());
    }
    return shape;
}

// The product of the shape and the element size; nothing when it passes 2^63.
std::optional<std::uint64_t> bytes_of(const Shape& shape, DType dtype) {
    std::uint64_t bytes = dtype_size(dtype);
    for (const std::int64_t d : shape) {
        if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(d), &bytes) || bytes >> 63U != 0) {
            return std::nullopt;
        }
    }
    return bytes;
}

struct Entry {
    std::string name;
    TensorView view;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

Result<Entry> parse_entry(const std::string& name, const json& value, std::span<const std::byte> data,
                          const SafetensorsLimits& limits) {
    const std::string shown = shortened(name);
    if (name.size() > limits.name_bytes_max) {
        return too_much(fmt::format("a tensor name of {} bytes, at most {}", name.size(), limits.name_bytes_max));
    }
    if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") || !value.contains("data_offsets")) {
        return malformed(fmt::format("{} lacks dtype, shape or data_offsets", shown));
    }
    const json& type = value["dtype"];
    const auto dtype = type.is_string() ? dtype_from(type.get_ref<const std::string&>()) : std::nullopt;
    if (!dtype) {
        return Error{ErrorCode::Unsupported, fmt::format("safetensors: {} has the unknown dtype {}", shown, dump_json(type))};
    }
    Entry entry{.name = name, .view = {.data = nullptr, .dtype = *dtype, .shape = {}}};
    entry.view.shape = TRY(parse_shape(value["shape"], shown, limits));
    const json& range = value["data_offsets"];
    if (!range.is_array() || range.size() != 2 || !range[0].is_number_unsigned() || !range[1].is_number_unsigned()) {
        return malformed(fmt::format("the data_offsets of {} are not two counts", shown));
    }
    entry.begin = range[0].get<std::uint64_t>();
    entry.end = range[1].get<std::uint64_t>();
    if (entry.begin > entry.end || entry.end > data.size()) {
        return malformed(fmt::format("{} lies at {}..{} of {} data bytes", shown, entry.begin, entry.end, data.size()));
    }
    const auto bytes = bytes_of(entry.view.shape, *dtype);
    if (!bytes || *bytes != entry.end - entry.begin) {
        return malformed(fmt::format("{} {} {} does not fill its {} bytes", shown, dtype_name(*dtype),
                                     shape_text(entry.view.shape), entry.end - entry.begin));
    }
    entry.view.data = data.data() + entry.begin;
    return entry;
}

Result<void> check_layout(std::vector<Entry>& entries, std::uint64_t data_bytes) {
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
    std::uint64_t at = 0;
    for (const Entry& entry : entries) {
        if (entry.begin != at) {
            return malformed(fmt::format("{} begins at {}, the one before ends at {}: {}", shortened(entry.name),
                                         entry.begin, at, entry.begin < at ? "they overlap" : "a gap"));
        }
        at = entry.end;
    }
    if (at != data_bytes) {
        return malformed(fmt::format("{} bytes after the last tensor belong to none", data_bytes - at));
    }
    return {};
}

} // namespace

Result<TensorMap> parse_safetensors(std::span<const std::byte> file, const SafetensorsLimits& limits) {
    if (file.size() < kLengthBytes) {
        return malformed(fmt::format("{} bytes are too few for a header", file.size()));
    }
    std::uint64_t header_bytes = 0;
    for (std::size_t i = kLengthBytes; i-- > 0;) { // little-endian
        header_bytes = header_bytes << 8U | std::to_integer<std::uint64_t>(file[i]);
    }
    if (header_bytes > limits.header_bytes_max) {
        return too_much(fmt::format("a header of {} bytes, at most {}", header_bytes, limits.header_bytes_max));
    }
    if (header_bytes > file.size() - kLengthBytes) {
        return malformed(fmt::format("a header of {} bytes in a file of {}", header_bytes, file.size()));
    }
    const std::string_view text(reinterpret_cast<const char*>(file.data()) + kLengthBytes, header_bytes);
    const json header = TRY(parse_json(text, JsonLimits{.bytes_max = limits.header_bytes_max, .depth_max = 8})
                                .with_context("safetensors header"));
    if (!header.is_object()) {
        return malformed("the header is not an object");
    }
    if (header.size() > limits.tensors_max) {
        return too_much(fmt::format("{} tensors, at most {}", header.size(), limits.tensors_max));
    }
    const std::span<const std::byte> data = file.subspan(kLengthBytes + header_bytes);
    std::vector<Entry> entries;
    for (const auto& [name, value] : header.items()) {
        if (name != "__metadata__") {
            entries.push_back(TRY(parse_entry(name, value, data, limits)));
        }
    }
    TRY(check_layout(entries, data.size()));
    TensorMap tensors;
    for (Entry& entry : entries) {
        tensors.emplace(std::move(entry.name), std::move(entry.view));
    }
    return tensors;
}

Result<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
    MappedFile file = TRY(MappedFile::open(path));
    TensorMap tensors = TRY(parse_safetensors(file.bytes()).with_context(path.filename().string()));
    return SafetensorsFile(std::move(file), std::move(tensors));
}

const TensorView* SafetensorsFile::find(std::string_view name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second;
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// One safetensors container: 8 bytes of header length, a JSON header, the data of all tensors without gaps.
#pragma once

#include "base/result.h"
#include "engine/tensor/tensor.h"
#include "engine/weights/mapped_file.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace handeye {

struct SafetensorsLimits {
    std::size_t header_bytes_max = 100'000'000;
    std::size_t name_bytes_max = 64U << 10U;
    std::size_t tensors_max = 1'000'000;
    std::size_t rank_max = 8;
};

using TensorMap = std::map<std::string, TensorView, std::less<>>;

/// The tensors of a container in memory; the views point into `file`.
/// Every dtype, shape and range is checked without overflow; duplicate names, overlaps, gaps and bytes
/// after the last tensor are ParseFailed, what passes a limit is LimitExceeded.
Result<TensorMap> parse_safetensors(std::span<const std::byte> file, const SafetensorsLimits& limits = {});

/// A mapped file with its tensors.
class SafetensorsFile {
public:
    static Result<SafetensorsFile> open(const std::filesystem::path& path);
    [[nodiscard]] const TensorMap& tensors() const { return tensors_; }
    [[nodiscard]] std::int64_t file_bytes() const { return static_cast<std::int64_t>(file_.bytes().size()); }
    /// Null when there is no such tensor.
    [[nodiscard]] const TensorView* find(std::string_view name) const;

private:
    SafetensorsFile(MappedFile file, TensorMap tensors) : file_(std::move(file)), tensors_(std::move(tensors)) {}
    MappedFile file_;
    TensorMap tensors_;
};

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// What a checkpoint says of itself before it is loaded, and whether that is what a row of the registry promises. Pure.
#pragma once

#include "apps/models/registry.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace handeye {

struct CheckpointShape {
    std::string family; ///< config.json's model_type, or GGUF's architecture
    std::int64_t hidden = 0;
    std::int64_t layers = 0;
    double parameters = 0; ///< of decoder and vision tower, from the numbers alone
    bool has_vision = false;
    std::string quantizer; ///< "awq", "gptq", ...; "mlx"; empty: none is named
    int bits = 0;          ///< with "mlx"
};

/// ParseFailed for what is no configuration of a model, or has numbers out of bounds.
Result<CheckpointShape> shape_of_config(std::string_view config_json);

inline constexpr std::size_t kGgufPrefixBytes = 1U << 20U; ///< enough of a file: what counts stands before the vocabulary
/// From the first bytes of a GGUF file. ParseFailed for what is none, or does not say its shape in them.
Result<CheckpointShape> shape_of_gguf(std::span<const std::uint8_t> first_bytes);

/// Family, size, pictures and quantiser against the row; `weights_bytes` against both. InvalidArgument says what the row
/// promises and what came.
Result<void> check_shape(const CheckpointShape& shape, const ModelRow& row, std::uint64_t weights_bytes);

} // namespace handeye

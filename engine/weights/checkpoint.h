// SPDX-License-Identifier: Apache-2.0
// All tensors of a checkpoint by name: model.safetensors, the shards that model.safetensors.index.json lists, or GGUF files.
#pragma once

#include "base/result.h"
#include "engine/tensor/tensor.h"
#include "engine/weights/gguf.h"
#include "engine/weights/safetensors.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// Maps the files; views stay valid as long as any copy of the Checkpoint. Immutable: any thread may read.
class Checkpoint {
public:
    /// Errors name the file and the tensor: a missing shard, a tensor that is not in the shard the index names,
    /// a name in two shards, a shard name that leaves the folder.
    static Result<Checkpoint> open(const std::filesystem::path& dir,
                                   const std::function<void(std::size_t done, std::size_t all)>& on_shard = {});

    /// All tensors of GGUF files: the parts of a split model, and its vision tower. A name in two of them is ParseFailed.
    static Result<Checkpoint> of_gguf(const std::vector<std::shared_ptr<const GgufFile>>& files);

    struct Shard {
        std::string name; ///< of the file in its folder
        std::shared_ptr<const SafetensorsFile> file;
    };
    /// The safetensors files, by name; none for GGUF.
    [[nodiscard]] const std::vector<Shard>& shards() const { return shards_; }

    /// Null when there is no such tensor.
    [[nodiscard]] const TensorView* find(std::string_view name) const;
    /// The tensor, which must have this shape and be F32, F16 or BF16; its data may be unaligned.
    [[nodiscard]] Result<TensorView> weight(std::string_view name, const Shape& shape) const;
    /// The same as floats, for norms and biases.
    [[nodiscard]] Result<std::vector<float>> floats(std::string_view name, const Shape& shape) const;
    /// Elements and bytes of all tensors.
    [[nodiscard]] std::int64_t parameters() const;
    [[nodiscard]] std::int64_t size_bytes() const;
    /// Of all files, headers included, and how many they are.
    [[nodiscard]] std::int64_t file_bytes() const { return file_bytes_; }
    [[nodiscard]] std::size_t file_count() const { return files_.size(); }
    [[nodiscard]] std::size_t tensor_count() const { return names_.size(); }
    [[nodiscard]] const TensorMap& tensors() const { return names_; }

private:
    std::vector<std::shared_ptr<const void>> files_; // SafetensorsFile or GgufFile
    TensorMap names_;
    std::vector<Shard> shards_;
    std::int64_t file_bytes_ = 0;
};

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// The text decoder's graph on a device: the counterpart of engine/models/decoder.h, from the first layer that lies there to the logits.
#pragma once

#include "engine/device/graph.h"
#include "engine/device/page_pool.h"
#include "engine/models/decoder.h"

#include <compare>
#include <map>
#include <memory>
#include <span>
#include <vector>

namespace handeye::device {

/// One pass: the rows of all sequences, one after the other.
struct DevicePass {
    std::span<const Position3> positions; ///< one per row
    std::span<const SequenceRows> sequences;
    std::span<const std::int64_t> wanted; ///< rows whose logits are asked for
};

class DeviceDecoder {
public:
    struct Limits {
        int rows = 0;      ///< of a pass
        int sequences = 0; ///< of a pass
        std::int64_t context = 0;
    };
    /// Bytes of its memory between operations.
    static std::int64_t space_bytes(const Device& device, const Model& model, const Limits& limits, Precision precision);
    static Result<DeviceDecoder> create(Device& device, const Model& model, const DeviceWeights& weights, const KvPages& kv, const Limits& limits, Precision precision);

    /// hidden (rows, hidden): the residual stream before the device's first layer. logits (wanted, vocabulary) are written on the host. With a tap each layer's
    /// output is brought back for it.
    Result<void> run(const DevicePass& pass, ConstMatrix hidden, Matrix logits, const Tap& tap);
    /// The same, but only the best logits of each wanted row are brought here. `scales`: those rows' Candidates::scales. The rows, at most kBestRows of them,
    /// stay there until the next pass.
    Result<std::vector<RowCandidates>> run_best(const DevicePass& pass, ConstMatrix hidden, std::span<const float> scales);
    static constexpr int kBestRows = kFewRows;
    /// Of the last run_best(), its wanted rows counted from 0: all logits of one; the best ones that a mask (Candidates::masks) allows.
    Result<void> download_row(int row, std::span<float> to);
    Result<RowCandidates> best_of(int row, std::span<const std::uint32_t> mask);

private:
    struct Buffers {
        Rows x, q, k, v, attended, projected, gate, up, head_x, logits, scores, gathered, expert_out;
        float* cos = nullptr;
        float* sin = nullptr;
        float* partial = nullptr;
        float* route_weights = nullptr;
        float* expert_weights = nullptr;
        std::int32_t* chosen = nullptr;
        std::int32_t* expert_rows = nullptr;
        std::int32_t* wanted = nullptr;
        SequenceSpan* spans = nullptr;
        float* scales = nullptr;
        std::uint32_t* mask = nullptr; // of one row
        LogitPiece* pieces = nullptr;
        RowCandidates* best = nullptr;
        ProductSpace products;
    };
    static Buffers carve(Carver& carver, const Device& device, const Model& model, const Limits& limits, Precision precision);

    enum class Bring { Rows, Best };

    /// False: the layers are computed, the head is still to be given.
    Result<bool> compute(const DevicePass& pass, ConstMatrix hidden, Bring bring, const Tap& tap);
    void upload(const DevicePass& pass, ConstMatrix hidden);
    Result<void> layers(Attention shape, int rows, const Tap& tap);
    Result<void> run_recorded(Attention shape, int rows, int wanted, Bring bring);
    void attention_part(const LayerWeights& w, Left left, Attention shape);
    Result<void> mlp_part(const LayerWeights& w, const DecoderLayer& host, Left left);
    [[nodiscard]] bool chooses_on_device(const LayerWeights& w, int rows) const;
    void few_experts(const LayerWeights& w, Left& left);
    Result<void> sorted_experts(const LayerWeights& w, const std::vector<float>& bias, const Left& left);
    void add(const Left& left);
    void head(int rows, int first, int count, Bring bring);

    DeviceDecoder(Device& device, const Model& model, const DeviceWeights& weights, const KvPages& kv, const Limits& limits, Precision precision);

    Device& device_;
    const Model& model_;
    const DeviceWeights& weights_;
    KvPages kv_;
    Limits limits_;
    Precision precision_;
    DeviceMemory memory_;
    Buffers b_;
    std::unique_ptr<Graph> graph_;
    std::vector<float> cos_, sin_;                 // of the pass, on the host
    std::vector<SequenceSpan> spans_;
    struct Shape { // of a pass that was recorded
        int rows, spans, rows_most, wanted, keys_max;
        Bring bring;
        auto operator<=>(const Shape&) const = default;
    };
    std::map<Shape, std::unique_ptr<Recording>> recordings_;
};

} // namespace handeye::device

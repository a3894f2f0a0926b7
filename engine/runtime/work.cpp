// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/work.h"

#include "engine/runtime/timeline.h"

namespace handeye {
namespace {

double mlp_bytes(const Mlp& w) { return w.gate.size_bytes() + w.up.size_bytes() + w.down.size_bytes(); }

} // namespace

double decoder_flop(const DecoderConfig& c, double rows, double past) {
    const double hidden = c.hidden;
    const double q = double{1} * c.heads * c.head_dim;
    const double kv = double{1} * c.kv_heads * c.head_dim;
    const double mlp = c.experts.count > 0 ? 3.0 * (c.experts.shared + double{1} * c.experts.used * c.experts.ffn) : 3.0 * c.ffn;
    const double products = 2 * rows * hidden * (2 * q + 2 * kv + mlp);
    const double keys = rows * past + rows * (rows + 1) / 2; // seen by all rows together
    const double attention = 4 * q * keys;
    return c.layers * (products + attention) + 2 * hidden * c.vocabulary;
}

double vision_flop(const VisionConfig& c, VisionGrid grid) {
    const double patches = double{1} * grid.t * grid.h * grid.w;
    const double slice = double{1} * grid.h * grid.w;
    const double hidden = c.hidden;
    const double out = c.out_hidden;
    const double block = 2 * patches * hidden * (4 * hidden + 3.0 * c.mlp) + 4 * patches * slice * hidden;
    const double merged = patches / (double{1} * c.merge_size * c.merge_size);
    const double downsample = 2 * patches * hidden * out;
    const double merger = 2 * merged * out * (out + 3.0 * c.merger_mlp);
    return 2 * patches * c.patch_floats() * hidden + c.depth * block + downsample + merger;
}

double decode_bytes(const Decoder& decoder, double past, KvFormat kv_format) {
    const DecoderConfig& c = decoder.config;
    double bytes = decoder.head.size_bytes();
    for (const DecoderLayer& layer : decoder.layers) {
        for (const WeightMatrix* w : {&layer.q, &layer.k, &layer.v, &layer.o}) {
            bytes += w->size_bytes();
        }
        bytes += mlp_bytes(layer.mlp) + (layer.router ? layer.router.size_bytes() : 0);
        for (std::size_t i = 0; i < layer.experts.size() && i < static_cast<std::size_t>(c.experts.used); ++i) {
            bytes += mlp_bytes(layer.experts[i]); // all are alike
        }
    }
    return bytes + past * static_cast<double>(kv_bytes_per_token(c, kv_format));
}

} // namespace handeye

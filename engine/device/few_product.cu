// SPDX-License-Identifier: Apache-2.0
// Products with few rows: which kernel, and those of plain and FP8 weights.
#include "engine/device/few_product.h"

namespace handeye::HANDEYE_DEVICE {

bool few_product_plain(Stream stream, const device::FewProduct& op) { return few_product_of<Code::Bf16, Code::F16, Code::F32, Code::Fp8>(stream, op); }
bool few_product_plain(Stream stream, const device::ExpertProduct& op) { return few_product_of<Code::Bf16, Code::F16, Code::F32, Code::Fp8>(stream, op); }

void run(Stream stream, const device::FewProduct& op) {
    if (op.x.rows > 0 && op.w.rows > 0) {
        few_product_plain(stream, op) || few_product_whole(stream, op) || few_product_levels(stream, op);
    }
}
void run(Stream stream, const device::ExpertProduct& op) {
    if (op.y.rows > 0 && op.like.rows > 0) {
        few_product_plain(stream, op) || few_product_whole(stream, op) || few_product_levels(stream, op);
    }
}

} // namespace handeye::HANDEYE_DEVICE

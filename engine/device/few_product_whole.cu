// SPDX-License-Identifier: Apache-2.0
// Products of few rows with weights that are whole numbers.
#include "engine/device/few_product.h"

namespace handeye::HANDEYE_DEVICE {

bool few_product_whole(Stream stream, const device::FewProduct& op) {
    return few_product_of<Code::Whole2, Code::Whole3, Code::Whole4, Code::Whole5, Code::Whole6, Code::Whole8>(stream, op);
}
bool few_product_whole(Stream stream, const device::ExpertProduct& op) {
    return few_product_of<Code::Whole2, Code::Whole3, Code::Whole4, Code::Whole5, Code::Whole6, Code::Whole8>(stream, op);
}

} // namespace handeye::HANDEYE_DEVICE

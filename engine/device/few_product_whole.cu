// SPDX-License-Identifier: Apache-2.0
// Products of few rows with weights that are whole numbers.
#include "engine/device/few_product.h"

namespace handeye::HANDEYE_DEVICE {

bool few_product_whole(Stream stream, const FewLaunch& op, int blocks) {
    return few_product_of<Code::Whole2, Code::Whole3, Code::Whole4, Code::Whole5, Code::Whole6, Code::Whole8>(stream, op, blocks);
}
bool few_product_whole(Stream stream, const ExpertLaunch& op, dim3 grid) {
    return few_product_of<Code::Whole2, Code::Whole3, Code::Whole4, Code::Whole5, Code::Whole6, Code::Whole8>(stream, op, grid);
}

} // namespace handeye::HANDEYE_DEVICE

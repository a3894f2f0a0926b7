// SPDX-License-Identifier: Apache-2.0
// Products of few rows with weights that are levels.
#include "engine/device/few_product.h"

namespace handeye::HANDEYE_DEVICE {

bool few_product_levels(Stream stream, const FewLaunch& op, int blocks) {
    return few_product_of<Code::Levels2, Code::Levels3, Code::Levels4>(stream, op, blocks);
}
bool few_product_levels(Stream stream, const ExpertLaunch& op, dim3 grid) {
    return few_product_of<Code::Levels2, Code::Levels3, Code::Levels4>(stream, op, grid);
}

} // namespace handeye::HANDEYE_DEVICE

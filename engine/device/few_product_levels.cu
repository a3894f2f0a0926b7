// SPDX-License-Identifier: Apache-2.0
// Products of few rows with weights that are levels.
#include "engine/device/few_product.h"

namespace handeye::HANDEYE_DEVICE {

bool few_product_levels(Stream stream, const device::FewProduct& op) { return few_product_of<Code::Levels2, Code::Levels3, Code::Levels4>(stream, op); }
bool few_product_levels(Stream stream, const device::ExpertProduct& op) { return few_product_of<Code::Levels2, Code::Levels3, Code::Levels4>(stream, op); }

} // namespace handeye::HANDEYE_DEVICE

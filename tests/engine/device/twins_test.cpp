// SPDX-License-Identifier: Apache-2.0
// What is compared on a machine with a card (tests/gpu) leaves no operation out.
#include "../../gpu/twins.h"
#include "host_device.h"

#include <bitset>
#include <variant>

#include <gtest/gtest.h>

namespace handeye {
namespace {

TEST(Twins, AreThereForEveryOperation) {
    std::bitset<std::variant_size_v<device::Operation>> given;
    const auto device = open_host_device({.has_library = true, .on_operation = [&](const device::Operation& operation) { given.set(operation.index()); }});
    ASSERT_TRUE(device->record([&] { gpu::give_operations(*device); })); // not computed
    for (std::size_t i = 0; i < given.size(); ++i) {
        EXPECT_TRUE(given[i]) << "number " << i << " of device::Operation has no case in tests/gpu/twins.cpp";
    }
}

} // namespace
} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// The platforms that are open in this process and hold input, for release_all_platforms(). Any thread.
#pragma once

#include <functional>

namespace handeye {

class Platform;

/// `quiesce(refuse_more)` releases everything the platform holds; when refuse_more, it presses nothing from then on. It is called
/// from any thread, never after unregister_open_platform() returned.
void register_open_platform(const Platform* platform, std::function<void(bool refuse_more)> quiesce);
void unregister_open_platform(const Platform* platform);

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// An Action to the low-level events that perform it, and the chain of coordinates that led there. Pure.
#pragma once

#include "actions/action.h"
#include "base/result.h"
#include "platforms/platform.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace handeye {

/// A point on its way: what the model said, where that is in the picture it saw, where that is in the target.
struct CoordinateChain {
    Spot model;         ///< as parsed
    FramePoint image;   ///< in the picture fed to the model
    FramePoint target;  ///< in the platform's frame: where the event goes
};

/// Pause between two events, only where a toolkit needs one (double-click gap, drag steps).
struct Pause {
    Duration duration{};
};
struct TypeOp {
    std::string text_utf8;
};
using Op = std::variant<InputEvent, Pause, TypeOp, Command>;

struct Plan {
    std::vector<Op> ops; ///< empty for Answer, AskUser, Finish; Wait is one Pause
    std::vector<CoordinateChain> points; ///< one per place that the action names
};

struct ResolveContext {
    Size picture;  ///< pixels of the picture that the model saw
    Size target;   ///< pixels of the platform's frame
    std::span<const Element> elements; ///< for Mark targets
    std::string_view search_page_url = "https://www.bing.com/"; ///< where Place::SearchPage leads
};

inline constexpr std::size_t kTextBytesMax = 100'000;   ///< of one TypeText
inline constexpr Duration kWaitMax = std::chrono::seconds(60); ///< longer waits are cut to this
inline constexpr int kNotchesMax = 100;                 ///< of one Scroll
inline constexpr Duration kHoldMax = std::chrono::seconds(10); ///< of one long press; longer ones are cut to this

/// OutOfBounds: coordinates outside 0..1000 or outside the target (message names point and limits); NotFound: no such mark
/// or key name; InvalidArgument: the action contradicts itself; LimitExceeded: text or notches beyond the limits above.
/// Thousandths: px = int(x * (width / 1000.0)), clamped to width - 1 (spec: GLM, order of operations as published).
Result<Plan> resolve(const Action& action, const ResolveContext& context);

} // namespace handeye

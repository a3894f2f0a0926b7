// SPDX-License-Identifier: Apache-2.0
#include "tests/miniwob/promises.h"

#include <algorithm>
#include <array>

namespace handeye::miniwob {
namespace {

constexpr std::string_view kWholePixels = "scored by distance, and a click takes effect on whole CSS pixels: the nearest is clicked";
constexpr std::string_view kTwins = "two threads of one sender: the goal does not tell which is to be forwarded";
constexpr std::string_view kRadius =
    "the page takes its dot of radius 3.5 for one of 3: half a pixel off in both directions is the nearest whole pixel";
constexpr std::string_view kPie =
    "the slice that is selected from the start takes itself out of the page under the pointer, so that no click reaches it";

constexpr std::array kExceptions{
    Exception{"bisect-angle", Promise::Full, 0.99, kWholePixels},
    Exception{"circle-center", Promise::Full, 0.971, kRadius},
    Exception{"click-pie-nodelay", Promise::OrSaysWhy, 1, kPie},
    Exception{"email-inbox", Promise::OrSaysWhy, 1, kTwins},
    Exception{"email-inbox-forward", Promise::OrSaysWhy, 1, kTwins},
    Exception{"email-inbox-forward-nl", Promise::OrSaysWhy, 1, kTwins},
    Exception{"email-inbox-forward-nl-turk", Promise::OrSaysWhy, 1, kTwins},
    Exception{"email-inbox-nl-turk", Promise::OrSaysWhy, 1, kTwins},
    Exception{"email-inbox-noscroll", Promise::OrSaysWhy, 1, kTwins},
    Exception{"find-midpoint", Promise::Full, 0.976, kWholePixels},
    Exception{"right-angle", Promise::Full, 0.99, kWholePixels},
    Exception{"tic-tac-toe", Promise::Luck, 1, "the opponent moves at random in 55 of 100 cases: no play wins always"},
};

constexpr std::array kSample{
    Chosen{"click-button"},      Chosen{"click-menu"},    Chosen{"click-scroll-list", 3}, Chosen{"choose-list", 2},
    Chosen{"enter-text"},        Chosen{"enter-date"},    Chosen{"copy-paste"},           Chosen{"scroll-text-2"},
    Chosen{"drag-items"},        Chosen{"use-slider", 2}, Chosen{"highlight-text"},       Chosen{"terminal"}};

} // namespace

Exception promise_of(std::string_view task) {
    const auto* const found = std::ranges::find(kExceptions, task, &Exception::name);
    return found == kExceptions.end() ? Exception{task} : *found;
}

std::span<const Exception> exceptions() { return kExceptions; }

std::span<const Chosen> sample_of_episodes() { return kSample; }

} // namespace handeye::miniwob

// SPDX-License-Identifier: Apache-2.0
// The table of the tasks.
#include "tests/miniwob/tasks.h"

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

constexpr std::array kTasks{
    Task{"ascending-numbers", "clicks"},
    Task{"bisect-angle", "clicks", Promise::Full, 0.99, kWholePixels},
    Task{"book-flight", "type"},
    Task{"book-flight-nodelay", "type"},
    Task{"buy-ticket", "clicks"},
    Task{"choose-date", "clicks"},
    Task{"choose-date-easy", "clicks"},
    Task{"choose-date-medium", "clicks"},
    Task{"choose-date-nodelay", "clicks"},
    Task{"choose-list", "select"},
    Task{"circle-center", "clicks", Promise::Full, 0.971, kRadius},
    Task{"click-button", "click"},
    Task{"click-button-sequence", "clicks"},
    Task{"click-checkboxes", "clicks"},
    Task{"click-checkboxes-large", "clicks"},
    Task{"click-checkboxes-soft", "clicks"},
    Task{"click-checkboxes-transfer", "clicks"},
    Task{"click-collapsible", "clicks"},
    Task{"click-collapsible-2", "clicks"},
    Task{"click-collapsible-2-nodelay", "clicks"},
    Task{"click-collapsible-nodelay", "clicks"},
    Task{"click-color", "click"},
    Task{"click-dialog", "click"},
    Task{"click-dialog-2", "click"},
    Task{"click-link", "click"},
    Task{"click-menu", "clicks"},
    Task{"click-menu-2", "clicks"},
    Task{"click-option", "clicks"},
    Task{"click-pie", "clicks, time"},
    Task{"click-pie-nodelay", "clicks", Promise::OrSaysWhy, 1, kPie},
    Task{"click-scroll-list", "select"},
    Task{"click-shades", "clicks"},
    Task{"click-shape", "click"},
    Task{"click-tab", "click"},
    Task{"click-tab-2", "clicks"},
    Task{"click-tab-2-easy", "clicks"},
    Task{"click-tab-2-hard", "clicks"},
    Task{"click-tab-2-medium", "clicks"},
    Task{"click-test", "click"},
    Task{"click-test-2", "click"},
    Task{"click-test-transfer", "click"},
    Task{"click-widget", "click"},
    Task{"copy-paste", "type"},
    Task{"copy-paste-2", "type"},
    Task{"count-shape", "click"},
    Task{"count-sides", "click"},
    Task{"daily-calendar", "drag, type"},
    Task{"drag-box", "drag"},
    Task{"drag-circle", "drag"},
    Task{"drag-cube", "drag"},
    Task{"drag-items", "drag"},
    Task{"drag-items-grid", "drag"},
    Task{"drag-shapes", "drag"},
    Task{"drag-shapes-2", "drag"},
    Task{"drag-single-shape", "drag"},
    Task{"drag-sort-numbers", "drag"},
    Task{"draw-circle", "drag"},
    Task{"draw-line", "drag"},
    Task{"email-inbox", "type, scroll", Promise::OrSaysWhy, 1, kTwins},
    Task{"email-inbox-delete", "clicks"},
    Task{"email-inbox-forward", "type", Promise::OrSaysWhy, 1, kTwins},
    Task{"email-inbox-forward-nl", "type, scroll", Promise::OrSaysWhy, 1, kTwins},
    Task{"email-inbox-forward-nl-turk", "type, scroll", Promise::OrSaysWhy, 1, kTwins},
    Task{"email-inbox-important", "clicks"},
    Task{"email-inbox-nl-turk", "type, scroll", Promise::OrSaysWhy, 1, kTwins},
    Task{"email-inbox-noscroll", "type", Promise::OrSaysWhy, 1, kTwins},
    Task{"email-inbox-reply", "type"},
    Task{"email-inbox-star-reply", "type"},
    Task{"enter-date", "type"},
    Task{"enter-password", "type"},
    Task{"enter-text", "type"},
    Task{"enter-text-2", "type"},
    Task{"enter-text-dynamic", "type"},
    Task{"enter-time", "type"},
    Task{"find-greatest", "clicks"},
    Task{"find-midpoint", "clicks", Promise::Full, 0.976, kWholePixels},
    Task{"find-word", "type"},
    Task{"focus-text", "click"},
    Task{"focus-text-2", "click"},
    Task{"form-sequence", "drag"},
    Task{"form-sequence-2", "type"},
    Task{"form-sequence-3", "select"},
    Task{"generate-number", "clicks"},
    Task{"grid-coordinate", "click"},
    Task{"guess-number", "type"},
    Task{"highlight-text", "drag"},
    Task{"highlight-text-2", "drag"},
    Task{"hot-cold", "hover"},
    Task{"identify-shape", "click"},
    Task{"login-user", "type"},
    Task{"login-user-popup", "type"},
    Task{"multi-layouts", "type"},
    Task{"multi-orderings", "type"},
    Task{"navigate-tree", "clicks"},
    Task{"number-checkboxes", "clicks"},
    Task{"odd-or-even", "clicks"},
    Task{"order-food", "scroll"},
    Task{"phone-book", "clicks"},
    Task{"read-table", "type"},
    Task{"read-table-2", "type"},
    Task{"resize-textarea", "drag"},
    Task{"right-angle", "clicks", Promise::Full, 0.99, kWholePixels},
    Task{"scroll-text", "type, scroll"},
    Task{"scroll-text-2", "scroll"},
    Task{"search-engine", "type"},
    Task{"sign-agreement", "type, scroll"},
    Task{"simple-algebra", "type"},
    Task{"simple-arithmetic", "type"},
    Task{"social-media", "scroll"},
    Task{"social-media-all", "scroll"},
    Task{"social-media-some", "scroll"},
    Task{"stock-market", "time"},
    Task{"terminal", "type"},
    Task{"text-editor", "drag"},
    Task{"text-transform", "type"},
    Task{"tic-tac-toe", "clicks", Promise::Luck, 1, "the opponent moves at random in 55 of 100 cases: no play wins always"},
    Task{"unicode-test", "click"},
    Task{"use-autocomplete", "type"},
    Task{"use-autocomplete-nodelay", "type"},
    Task{"use-colorwheel", "type"},
    Task{"use-colorwheel-2", "type"},
    Task{"use-slider", "drag"},
    Task{"use-slider-2", "drag"},
    Task{"use-spinner", "clicks"},
    Task{"visual-addition", "type"},
};

constexpr std::array kSample{
    Chosen{"click-button"},      Chosen{"click-menu"},    Chosen{"click-scroll-list", 3}, Chosen{"choose-list", 2},
    Chosen{"enter-text"},        Chosen{"enter-date"},    Chosen{"copy-paste"},           Chosen{"scroll-text-2"},
    Chosen{"drag-items"},        Chosen{"use-slider", 2}, Chosen{"highlight-text"},       Chosen{"terminal"}};

} // namespace

std::span<const Task> tasks() {
    return kTasks;
}

const Task* find_task(std::string_view name) {
    const auto* const found = std::ranges::find(kTasks, name, &Task::name);
    return found == kTasks.end() ? nullptr : found;
}

std::span<const Chosen> sample_of_episodes() {
    return kSample;
}

} // namespace handeye::miniwob

// SPDX-License-Identifier: Apache-2.0
// The table of the tasks.
#include "apps/miniwob/tasks.h"

#include "base/suggest.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

namespace handeye::miniwob {
namespace {

constexpr std::array kGroups{Group::OneClick, Group::Typing, Group::Selection, Group::ScrollingAndDragging, Group::MultiStep};

constexpr std::array kTasks{
    Task{"ascending-numbers", Group::MultiStep, "clicks", "in order"},
    Task{"bisect-angle", Group::Selection, "clicks", "a place, then Submit"},
    Task{"book-flight", Group::MultiStep, "type", "two places, a date, then the best of what is found"},
    Task{"book-flight-nodelay", Group::MultiStep, "type", "two places, a date, then the best of what is found"},
    Task{"buy-ticket", Group::MultiStep, "clicks", "what is on offer is compared"},
    Task{"choose-date", Group::Selection, "clicks", "a day of a calendar"},
    Task{"choose-date-easy", Group::Selection, "clicks", "a day of a calendar"},
    Task{"choose-date-medium", Group::Selection, "clicks", "a day of a calendar"},
    Task{"choose-date-nodelay", Group::Selection, "clicks", "a day of a calendar"},
    Task{"choose-list", Group::Selection, "select", "an entry of a list that opens"},
    Task{"circle-center", Group::Selection, "clicks", "a place, then Submit"},
    Task{"click-button", Group::OneClick, "click", "the button that is named"},
    Task{"click-button-sequence", Group::MultiStep, "clicks", "in order"},
    Task{"click-checkboxes", Group::Selection, "clicks", "boxes, then Submit"},
    Task{"click-checkboxes-large", Group::Selection, "clicks", "boxes, then Submit"},
    Task{"click-checkboxes-soft", Group::Selection, "clicks", "boxes, then Submit"},
    Task{"click-checkboxes-transfer", Group::Selection, "clicks", "boxes, then Submit"},
    Task{"click-collapsible", Group::MultiStep, "clicks", "a section is opened first"},
    Task{"click-collapsible-2", Group::MultiStep, "clicks", "sections are searched for a link"},
    Task{"click-collapsible-2-nodelay", Group::MultiStep, "clicks", "sections are searched for a link"},
    Task{"click-collapsible-nodelay", Group::MultiStep, "clicks", "a section is opened first"},
    Task{"click-color", Group::OneClick, "click", "the colour that is named"},
    Task{"click-dialog", Group::OneClick, "click", "the sign that closes it"},
    Task{"click-dialog-2", Group::OneClick, "click", "a button of the dialog"},
    Task{"click-link", Group::OneClick, "click", "the link that is named"},
    Task{"click-menu", Group::MultiStep, "clicks", "menus within menus"},
    Task{"click-menu-2", Group::MultiStep, "clicks", "menus within menus"},
    Task{"click-option", Group::Selection, "clicks", "one of several, then Submit"},
    Task{"click-pie", Group::MultiStep, "clicks, time", "the pie is opened first"},
    Task{"click-pie-nodelay", Group::MultiStep, "clicks", "the pie is opened first"},
    Task{"click-scroll-list", Group::Selection, "select", "entries of a long list"},
    Task{"click-shades", Group::Selection, "clicks", "all squares of a colour"},
    Task{"click-shape", Group::OneClick, "click", "the shape that is described"},
    Task{"click-tab", Group::OneClick, "click", "the tab that is named"},
    Task{"click-tab-2", Group::MultiStep, "clicks", "tabs are searched for a link"},
    Task{"click-tab-2-easy", Group::MultiStep, "clicks", "tabs are searched for a link"},
    Task{"click-tab-2-hard", Group::MultiStep, "clicks", "tabs are searched for a link"},
    Task{"click-tab-2-medium", Group::MultiStep, "clicks", "tabs are searched for a link"},
    Task{"click-test", Group::OneClick, "click", "the only button"},
    Task{"click-test-2", Group::OneClick, "click", "one of two buttons"},
    Task{"click-test-transfer", Group::OneClick, "click", "one of two buttons"},
    Task{"click-widget", Group::OneClick, "click", "a widget of the kind that is named"},
    Task{"copy-paste", Group::Typing, "type", "a text goes from one field to another"},
    Task{"copy-paste-2", Group::Typing, "type", "a text goes from one field to another"},
    Task{"count-shape", Group::OneClick, "click", "the button with the right count"},
    Task{"count-sides", Group::OneClick, "click", "the button with the right count"},
    Task{"daily-calendar", Group::ScrollingAndDragging, "drag, type", "a stretch of hours is drawn, then named"},
    Task{"drag-box", Group::ScrollingAndDragging, "drag", "things are moved"},
    Task{"drag-circle", Group::ScrollingAndDragging, "drag", "things are moved"},
    Task{"drag-cube", Group::ScrollingAndDragging, "drag", "things are moved"},
    Task{"drag-items", Group::ScrollingAndDragging, "drag", "things are moved"},
    Task{"drag-items-grid", Group::ScrollingAndDragging, "drag", "things are moved"},
    Task{"drag-shapes", Group::ScrollingAndDragging, "drag", "things are moved"},
    Task{"drag-shapes-2", Group::ScrollingAndDragging, "drag", "things are moved"},
    Task{"drag-single-shape", Group::ScrollingAndDragging, "drag", "things are moved"},
    Task{"drag-sort-numbers", Group::ScrollingAndDragging, "drag", "things are moved"},
    Task{"draw-circle", Group::ScrollingAndDragging, "drag", "a line is drawn"},
    Task{"draw-line", Group::ScrollingAndDragging, "drag", "a line is drawn"},
    Task{"email-inbox", Group::MultiStep, "type, scroll", "an e-mail is found, and dealt with"},
    Task{"email-inbox-delete", Group::MultiStep, "clicks", "an e-mail is found, and dealt with"},
    Task{"email-inbox-forward", Group::MultiStep, "type", "an e-mail is found, and sent on"},
    Task{"email-inbox-forward-nl", Group::MultiStep, "type, scroll", "an e-mail is found, and sent on"},
    Task{"email-inbox-forward-nl-turk", Group::MultiStep, "type, scroll", "an e-mail is found, and sent on"},
    Task{"email-inbox-important", Group::MultiStep, "clicks", "an e-mail is found, and dealt with"},
    Task{"email-inbox-nl-turk", Group::MultiStep, "type, scroll", "an e-mail is found, and dealt with"},
    Task{"email-inbox-noscroll", Group::MultiStep, "type", "an e-mail is found, and dealt with"},
    Task{"email-inbox-reply", Group::MultiStep, "type", "an e-mail is found, and answered"},
    Task{"email-inbox-star-reply", Group::MultiStep, "type", "an e-mail is found, and answered"},
    Task{"enter-date", Group::Typing, "type", "digits of a date"},
    Task{"enter-password", Group::Typing, "type", "the same twice"},
    Task{"enter-text", Group::Typing, "type", "a word, as it is told"},
    Task{"enter-text-2", Group::Typing, "type", "a word, as it is told"},
    Task{"enter-text-dynamic", Group::Typing, "type", "a word, as it is told"},
    Task{"enter-time", Group::Typing, "type", "digits of a time"},
    Task{"find-greatest", Group::MultiStep, "clicks", "cards are turned and compared"},
    Task{"find-midpoint", Group::Selection, "clicks", "a place, then Submit"},
    Task{"find-word", Group::Typing, "type", "a word is counted out of a text"},
    Task{"focus-text", Group::OneClick, "click", "the only field"},
    Task{"focus-text-2", Group::OneClick, "click", "the field at the place that is named"},
    Task{"form-sequence", Group::MultiStep, "drag", "several controls in order"},
    Task{"form-sequence-2", Group::MultiStep, "type", "several controls in order"},
    Task{"form-sequence-3", Group::MultiStep, "select", "several controls in order"},
    Task{"generate-number", Group::MultiStep, "clicks", "again until the number fits"},
    Task{"grid-coordinate", Group::OneClick, "click", "the crossing of two numbers"},
    Task{"guess-number", Group::MultiStep, "type", "each answer tells where to look next"},
    Task{"highlight-text", Group::ScrollingAndDragging, "drag", "text is marked"},
    Task{"highlight-text-2", Group::ScrollingAndDragging, "drag", "text is marked"},
    Task{"hot-cold", Group::MultiStep, "hover", "each place tells how far it is"},
    Task{"identify-shape", Group::OneClick, "click", "the button with the shape's name"},
    Task{"login-user", Group::Typing, "type", "two fields"},
    Task{"login-user-popup", Group::MultiStep, "type", "two fields, and a window that comes between"},
    Task{"multi-layouts", Group::Typing, "type", "a form of three fields"},
    Task{"multi-orderings", Group::Typing, "type", "a form of three fields"},
    Task{"navigate-tree", Group::MultiStep, "clicks", "folders within folders"},
    Task{"number-checkboxes", Group::Selection, "clicks", "the boxes that draw a digit"},
    Task{"odd-or-even", Group::Selection, "clicks", "a choice for each number"},
    Task{"order-food", Group::ScrollingAndDragging, "scroll", "a menu longer than its frame"},
    Task{"phone-book", Group::MultiStep, "clicks", "pages are turned"},
    Task{"read-table", Group::Typing, "type", "what a table says"},
    Task{"read-table-2", Group::Typing, "type", "what a table says"},
    Task{"resize-textarea", Group::ScrollingAndDragging, "drag", "a corner is pulled"},
    Task{"right-angle", Group::Selection, "clicks", "a place, then Submit"},
    Task{"scroll-text", Group::ScrollingAndDragging, "type, scroll", "a text longer than its frame, whose end is typed"},
    Task{"scroll-text-2", Group::ScrollingAndDragging, "scroll", "a text longer than its frame"},
    Task{"search-engine", Group::MultiStep, "type", "a word, then pages of results"},
    Task{"sign-agreement", Group::MultiStep, "type, scroll", "read to the end, then a name and a button"},
    Task{"simple-algebra", Group::Typing, "type", "a number is worked out"},
    Task{"simple-arithmetic", Group::Typing, "type", "a number is worked out"},
    Task{"social-media", Group::ScrollingAndDragging, "scroll", "posts below the frame"},
    Task{"social-media-all", Group::ScrollingAndDragging, "scroll", "posts below the frame"},
    Task{"social-media-some", Group::ScrollingAndDragging, "scroll", "posts below the frame"},
    Task{"stock-market", Group::MultiStep, "time", "the moment counts"},
    Task{"terminal", Group::MultiStep, "type", "commands, one after the other"},
    Task{"text-editor", Group::ScrollingAndDragging, "drag", "text is marked, then formatted"},
    Task{"text-transform", Group::Typing, "type", "what a distorted picture says"},
    Task{"tic-tac-toe", Group::MultiStep, "clicks", "the opponent moves"},
    Task{"unicode-test", Group::OneClick, "click", "the button that is named"},
    Task{"use-autocomplete", Group::Typing, "type", "the beginning, then an entry of the list"},
    Task{"use-autocomplete-nodelay", Group::Typing, "type", "the beginning, then an entry of the list"},
    Task{"use-colorwheel", Group::Selection, "type", "a colour of a wheel"},
    Task{"use-colorwheel-2", Group::Selection, "type", "a colour of a wheel"},
    Task{"use-slider", Group::ScrollingAndDragging, "drag", "sliders"},
    Task{"use-slider-2", Group::ScrollingAndDragging, "drag", "sliders"},
    Task{"use-spinner", Group::Selection, "clicks", "up or down as often as it takes"},
    Task{"visual-addition", Group::Typing, "type", "a sum of blocks"},
};

} // namespace

std::span<const Task> tasks() { return kTasks; }

std::span<const Group> groups() { return kGroups; }

const Task* find_task(std::string_view name) {
    const auto* const found = std::ranges::find(kTasks, name, &Task::name);
    return found == kTasks.end() ? nullptr : found;
}

std::string_view group_name(Group group) {
    switch (group) {
    case Group::OneClick: return "one-click";
    case Group::Typing: return "typing";
    case Group::Selection: return "selection";
    case Group::ScrollingAndDragging: return "scrolling-and-dragging";
    case Group::MultiStep: return "multi-step";
    }
    return "";
}

Result<std::vector<const Task*>> choose_tasks(std::string_view list) {
    if (list.size() > kTaskListBytesMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("a list of tasks has at most {} bytes, this one has {}", kTaskListBytesMax, list.size())};
    }
    std::set<std::string_view> wanted;
    for (std::size_t begin = 0; begin <= list.size() && !list.empty();) {
        const std::size_t end = std::min(list.find(',', begin), list.size());
        const std::string_view word = list.substr(begin, end - begin);
        const auto* const group = std::ranges::find(kGroups, word, group_name);
        if (group == kGroups.end() && find_task(word) == nullptr) {
            std::vector<std::string_view> names;
            std::ranges::transform(kGroups, std::back_inserter(names), group_name);
            std::ranges::transform(kTasks, std::back_inserter(names), &Task::name);
            return Error{ErrorCode::NotFound, fmt::format("no task and no group is called \"{}\"; {}; --list-tasks shows all", word.substr(0, 80), suggestion(word, "tasks and groups", names))};
        }
        for (const Task& task : kTasks) {
            if (task.name == word || (group != kGroups.end() && task.group == *group)) {
                wanted.insert(task.name);
            }
        }
        begin = end + 1;
    }
    std::vector<const Task*> chosen;
    for (const Task& task : kTasks) {
        if (list.empty() || wanted.contains(task.name)) {
            chosen.push_back(&task);
        }
    }
    return chosen;
}

} // namespace handeye::miniwob

// SPDX-License-Identifier: Apache-2.0
// Nothing is kept from one look to the next but the connection, what each program is, and where password fields were: a list that
// is out of date is worse than none.
#include "platforms/x11/accessibility.h"

#include "base/log.h"
#include "platforms/x11/accessibility_roles.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

constexpr Duration kPatience = std::chrono::seconds(1); // with silence: a program that goes on answering is alive, on a slow machine too
constexpr Duration kLookMax = std::chrono::seconds(3);
constexpr Duration kSessionLook = std::chrono::seconds(5);
constexpr std::size_t kElementsMax = 2000;
constexpr std::size_t kSecretsMax = 64; // remembered of one program
constexpr std::string_view kHowToSwitchOn = "apt-get install at-spi2-core, log in again, and start programs afterwards";

Rect moved(const Rect& box, int x, int y) { return {box.x + x, box.y + y, box.width_px, box.height_px}; }

/// The topmost window there; -1: none.
int window_over(Point at, const std::vector<StackedWindow>& stack) {
    for (int i = static_cast<int>(stack.size()) - 1; i >= 0; --i) {
        if (stack[static_cast<std::size_t>(i)].outer.contains(at)) {
            return i;
        }
    }
    return -1;
}

/// Parents before children, children in their order.
std::vector<int> reading_order(const AccessibleTree& tree) {
    std::vector<std::vector<int>> children(tree.nodes.size());
    std::vector<int> stack;
    const auto by_place = [&](int a, int b) {
        const auto& left = tree.nodes[static_cast<std::size_t>(a)];
        const auto& right = tree.nodes[static_cast<std::size_t>(b)];
        return std::pair(left.app, left.place) > std::pair(right.app, right.place); // the stack hands them out backwards
    };
    for (int i = 0; i < static_cast<int>(tree.nodes.size()); ++i) {
        const int parent = tree.nodes[static_cast<std::size_t>(i)].parent;
        (parent < 0 ? stack : children[static_cast<std::size_t>(parent)]).push_back(i);
    }
    std::sort(stack.begin(), stack.end(), by_place);
    std::vector<int> order;
    while (!stack.empty()) {
        const int next = stack.back();
        stack.pop_back();
        order.push_back(next);
        auto& below = children[static_cast<std::size_t>(next)];
        std::sort(below.begin(), below.end(), by_place);
        stack.insert(stack.end(), below.begin(), below.end());
    }
    return order;
}

/// A picture is a thing to click only where it can be chosen, as in a folder.
bool is_acted_on(const AccessibleNode& node) {
    return can_act_on(node.role) &&
           (node.role != kRoleIcon || has_state(node.states, State::Focusable) || has_state(node.states, State::Selectable));
}

Element make_element(const AccessibleNode& node, Rect target) {
    const bool can_be_on = can_be_checked(node.role) || has_state(node.states, State::Checkable);
    Element element;
    const bool is_field = node.role == kRoleText && has_state(node.states, State::Editable) && has_state(node.states, State::SingleLine);
    element.role = is_field ? "entry" : role_name(node.role); // GTK 3 calls its entries texts
    element.label_utf8 = node.name;
    element.box = moved(node.box, -target.x, -target.y);
    element.is_secret = node.role == kRolePasswordText;
    element.id = node.id;
    element.value_utf8 = element.is_secret ? "" : node.value;
    element.is_enabled = has_state(node.states, State::Enabled) || has_state(node.states, State::Sensitive);
    element.is_focused = has_state(node.states, State::Focused);
    if (can_be_on) {
        element.is_checked = has_state(node.states, State::Checked) || has_state(node.states, State::Pressed);
    }
    return element;
}

/// The text on a button is the button's label: with a name of its own, or without one, which it is then given.
bool labels(const Element& text, Element& button) {
    if (button.mark == 0 && button.is_enabled) {
        return false;
    }
    if (button.label_utf8.empty()) {
        button.label_utf8 = text.label_utf8;
    }
    return button.label_utf8 == text.label_utf8;
}

} // namespace

Accessibility::Accessibility(Connection& connection, Clock& clock) : connection_(connection), clock_(clock) {}
Accessibility::~Accessibility() = default;

/// The session's bus is asked only for the session's own display.
std::string Accessibility::find_address() {
    const Property property = read_property(connection_, connection_.root(), connection_.atom("AT_SPI_BUS"));
    if (std::string address(property.bytes.begin(), property.bytes.end()); !address.empty()) {
        return address.substr(0, address.find('\0'));
    }
    const char* own = std::getenv("DISPLAY");
    if (own == nullptr || connection_.name() != own || clock_.now() < next_session_look_) {
        return {};
    }
    next_session_look_ = clock_.now() + kSessionLook;
    return ask_session_for_address();
}

bool Accessibility::connect() {
    const std::string address = find_address();
    if (bus_ != nullptr && (address.empty() || address == address_)) {
        return true;
    }
    bus_.reset();
    apps_.clear();
    if (address.empty()) {
        return false;
    }
    address_ = address;
    auto bus = AccessibilityBus::open(address);
    if (!bus) {
        if (!std::exchange(has_told_, true)) {
            log::warn("x11", bus.error().message);
        }
        return false;
    }
    bus_ = std::move(*bus);
    return true;
}

Result<std::vector<Element>> Accessibility::elements(Rect target) {
    const TimePoint deadline = clock_.now() + kLookMax;
    TRY(connection_.check("looking for elements"));
    if (!connect()) {
        return connection_.is_lost() ? Result<std::vector<Element>>(connection_.check("looking for elements").error()) : std::vector<Element>();
    }
    const std::vector<StackedWindow> stack = TRY(list_stack(connection_));
    AccessibilityWalk walk(*bus_, apps_, stack, target);
    Result<AccessibleTree> tree = walk.run(clock_, kPatience, deadline);
    if (!tree) { // it ended, or never answered at that address: the next look finds out whether there is another
        bus_.reset();
        apps_.clear();
        return std::vector<Element>();
    }
    tell_once(*tree);
    return list(*tree, stack, target);
}

std::vector<Element> Accessibility::list(AccessibleTree& tree, const std::vector<StackedWindow>& stack, Rect target) {
    std::vector<Element> elements;
    std::vector<int> place(tree.nodes.size(), -1); // of the nearest that became an element
    std::vector<int> node_of; // of each element
    int marks = 0;
    for (const int index : reading_order(tree)) {
        const AccessibleNode& node = tree.nodes[static_cast<std::size_t>(index)];
        const int parent = node.parent < 0 ? -1 : place[static_cast<std::size_t>(node.parent)];
        place[static_cast<std::size_t>(index)] = parent;
        const bool is_hostile = apps_[tree.apps[static_cast<std::size_t>(node.app)]].trust == AccessibleApp::Trust::Hostile;
        const bool is_of_interest = !is_filler(node.role);
        const bool is_password = node.role == kRolePasswordText;
        if (!node.is_shown || is_hostile || !is_of_interest || node.box.size().is_empty() || elements.size() >= kElementsMax ||
            (!is_password && node.depth > 0 && window_over(node.box.center(), stack) != node.placement.window)) {
            continue;
        }
        Element element = make_element(node, target);
        if (node.role == kRoleLabel && parent >= 0 && labels(element, elements[static_cast<std::size_t>(parent)])) {
            continue;
        }
        element.parent = parent;
        element.mark = element.is_enabled && is_acted_on(node) ? ++marks : 0;
        place[static_cast<std::size_t>(index)] = static_cast<int>(elements.size());
        elements.push_back(std::move(element));
        node_of.push_back(index);
    }
    for (std::size_t i = 0; i < elements.size(); ++i) {
        if (elements[i].label_utf8.empty()) { // what its tool tip says is better than nothing
            elements[i].label_utf8 = tree.nodes[static_cast<std::size_t>(node_of[i])].description;
        }
    }
    remember_secrets(tree, stack, target, elements);
    return elements;
}

/// A program that is stopped still shows the dots it showed before.
void Accessibility::remember_secrets(const AccessibleTree& tree, const std::vector<StackedWindow>& stack, Rect target,
                                     std::vector<Element>& elements) {
    std::erase_if(secrets_, [&](const auto& known) { return !apps_.contains(known.first); });
    for (std::size_t app = 0; app < tree.apps.size(); ++app) {
        std::vector<Secret>& known = secrets_[tree.apps[app]];
        if (tree.is_whole[app]) {
            known.clear();
        }
        for (const Secret& secret : known) {
            const auto window = std::find_if(stack.begin(), stack.end(), [&](const auto& shown) { return shown.info.id == secret.window; });
            if (window == stack.end()) {
                continue;
            }
            Element element = secret.element;
            element.box = moved(moved(secret.box, window->info.area.x, window->info.area.y).intersected(target), -target.x, -target.y);
            const bool is_told = std::any_of(elements.begin(), elements.end(), [&](const Element& told) { return told.is_secret && told.box == element.box; });
            if (!element.box.size().is_empty() && !is_told) {
                elements.push_back(std::move(element));
            }
        }
    }
    for (const AccessibleNode& node : tree.nodes) {
        std::vector<Secret>& known = secrets_[tree.apps[static_cast<std::size_t>(node.app)]];
        if (node.is_shown && node.role == kRolePasswordText && known.size() < kSecretsMax) {
            const StackedWindow& window = stack[static_cast<std::size_t>(node.placement.window)];
            Element element = make_element(node, target);
            known.push_back({window.info.id, moved(node.box, -window.info.area.x, -window.info.area.y), std::move(element)});
        }
    }
}

void Accessibility::tell_once(const AccessibleTree& tree) {
    if (has_told_ || std::find(tree.is_whole.begin(), tree.is_whole.end(), false) == tree.is_whole.end()) {
        return;
    }
    has_told_ = true;
    log::warn("x11", "not all elements of the screen are known: a program gave no answer for a second, or too many or too large ones");
}

std::string Accessibility::describe() {
    if (!connect()) {
        return fmt::format("accessibility is off, elements and password fields are not known: {}", kHowToSwitchOn);
    }
    return "accessibility is on";
}

} // namespace handeye::x11

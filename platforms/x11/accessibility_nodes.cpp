// SPDX-License-Identifier: Apache-2.0
// The things that programs show, breadth first: where and what each is, and only for what is seen the rest.
#include "platforms/x11/accessibility_roles.h"
#include "platforms/x11/accessibility_walk.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

constexpr const char* kAccessible = "org.a11y.atspi.Accessible";
constexpr const char* kComponent = "org.a11y.atspi.Component";
constexpr const char* kText = "org.a11y.atspi.Text";
constexpr const char* kProperties = "org.freedesktop.DBus.Properties";

constexpr std::size_t kNodesMax = 6000; // asked about, seen or not
constexpr std::size_t kChildrenMax = 2000;
constexpr int kRowsMax = 500; // of a table that makes its cells when it is asked for them
constexpr int kDepthMax = 50;
constexpr std::size_t kNameBytesMax = 256;
constexpr std::size_t kIdBytesMax = 128;
constexpr std::size_t kTextBytesMax = 1024;
constexpr std::uint32_t kLabelledBy = 2;

/// GTK 4.8 gives the class of what has no name as its name, and a button's text twice.
std::string honest_gtk4_name(const std::string& name) {
    const auto is_class_of = [&](std::string_view prefix) {
        return name.starts_with(prefix) && name.size() > prefix.size() && std::isupper(static_cast<unsigned char>(name[prefix.size()])) != 0 &&
               std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) != 0; });
    };
    if (is_class_of("Gtk") || is_class_of("Adw")) {
        return {};
    }
    const std::size_t half = name.size() / 2;
    const bool is_twice = name.size() % 2 == 1 && name[half] == ' ' && name.compare(0, half, name, half + 1, half) == 0;
    return is_twice ? name.substr(0, half) : name;
}

std::uint32_t coordinate_type(Coordinates coordinates) { return coordinates == Coordinates::Screen ? 0 : 1; }

} // namespace

void AccessibilityWalk::ask_about(int node, const char* interface, const char* member, std::vector<AccessibilityBus::Argument> arguments,
                                  const std::function<void(AccessibleNode&, BusReply&)>& take, void (AccessibilityWalk::*then)(int node)) {
    ++this->node(node).owed;
    const auto on_reply = [this, node, take, then](BusReply& reply) {
        take(this->node(node), reply);
        if (--this->node(node).owed == 0) {
            (this->*then)(node);
        }
    };
    ask(this->node(node).app, {this->node(node).object, interface, member, std::move(arguments), on_reply});
}

void AccessibilityWalk::ask_property(int node, const char* interface, const char* name,
                                     const std::function<void(AccessibleNode&, BusReply&)>& take, void (AccessibilityWalk::*then)(int node)) {
    ask_about(node, kProperties, "Get", {std::string(interface), std::string(name)}, take, then);
}

void AccessibilityWalk::visit(int app, Accessible object, int parent, int place) {
    const int depth = parent < 0 ? 0 : node(parent).depth + 1;
    const std::string& program = tree_.apps[static_cast<std::size_t>(app)];
    if (object.bus_name != program || object.path == "/org/a11y/atspi/null") {
        return; // what another program shows inside of this one's window is that one's to tell
    }
    if (tree_.nodes.size() >= kNodesMax || depth > kDepthMax) {
        leave_out(app);
        return;
    }
    if (!visited_.insert(program + object.path).second) {
        return;
    }
    const int index = static_cast<int>(tree_.nodes.size());
    AccessibleNode& added = tree_.nodes.emplace_back();
    added.object = std::move(object);
    added.app = app;
    added.parent = parent;
    added.place = place;
    added.depth = depth;
    // At once, though a thing that is not seen is asked too much: what a look costs most is waiting for answers.
    const auto then = &AccessibilityWalk::place;
    const auto type = coordinate_type(this->app(app).coordinates);
    ask_about(index, kAccessible, "GetState", {}, [](AccessibleNode& node, BusReply& reply) { node.states = reply.states(); }, then);
    ask_about(index, kAccessible, "GetRole", {}, [](AccessibleNode& node, BusReply& reply) { node.role = reply.is_error() ? 0 : reply.number(); }, then);
    ask_about(index, kComponent, "GetExtents", {type}, [](AccessibleNode& node, BusReply& reply) { node.raw = reply.extents(); }, then);
    ask_property(index, kAccessible, "Name", [](AccessibleNode& node, BusReply& reply) { node.name = reply.property_text(kNameBytesMax); }, then);
    if (type == coordinate_type(Coordinates::Window)) { // GTK 4 nests deep, and has made all of its children anyway
        ask_about(index, kAccessible, "GetChildren", {}, [](AccessibleNode& node, BusReply& reply) { node.children = reply.accessibles(kChildrenMax); }, then);
    }
}

/// GTK 4.8 says of its windows alone that they are showing.
bool AccessibilityWalk::is_shown(AccessibleNode& node) {
    const bool is_told = has_state(node.states, State::Showing) || (node.depth > 0 && app(node.app).coordinates == Coordinates::Window);
    return is_told && has_state(node.states, State::Visible) && !has_state(node.states, State::Defunct) && !has_state(node.states, State::Iconified);
}

/// Where it is, and whether any of it is in sight.
void AccessibilityWalk::place(int index) {
    AccessibleNode& node = this->node(index);
    if (!is_shown(node)) {
        return;
    }
    const AccessibleApp& app = this->app(node.app);
    if (node.depth == 0) {
        const auto placement = node.raw ? place_toplevel(*node.raw, node.name, app.pid, app.coordinates, stack_) : std::nullopt;
        if (!placement) {
            return; // another display's, or not mapped yet
        }
        node.placement = *placement;
        node.clip = stack_[static_cast<std::size_t>(placement->window)].outer.intersected(target_);
    } else {
        const AccessibleNode& parent = this->node(node.parent);
        node.placement = parent.placement;
        node.clip = clips_children(parent.role) && !parent.box.size().is_empty() ? parent.clip.intersected(parent.box) : parent.clip;
    }
    const bool has_size = node.raw && !node.raw->size().is_empty();
    if (node.depth > 0 && has_size) {
        place_in_menu(node);
    }
    node.box = has_size ? node.placement.to_root(*node.raw).intersected(node.clip) : Rect{};
    const bool may_hold_others = !has_size && app.coordinates == Coordinates::Screen; // GTK 4 gives no size to what it does not show
    if (node.box.size().is_empty() && !may_hold_others) {
        return;
    }
    node.is_shown = true;
    ask_more(index);
}

/// What a program tells as a part of its window may be in a window of its own.
void AccessibilityWalk::place_in_menu(AccessibleNode& node) {
    const AccessibleApp& app = this->app(node.app);
    const int before = node.placement.window;
    if (app.coordinates == Coordinates::Window) {
        node.placement = place_popup(*node.raw, app.pid, node.placement, stack_).value_or(node.placement);
    } else if (is_of_menu(node.role)) {
        const int menu = menu_window(node.placement.to_root(*node.raw), app.pid, stack_);
        node.placement.window = menu >= 0 ? menu : node.placement.window;
    }
    if (node.placement.window != before) {
        node.clip = stack_[static_cast<std::size_t>(node.placement.window)].outer.intersected(target_);
    }
}

void AccessibilityWalk::ask_more(int index) {
    const auto then = &AccessibilityWalk::nothing_more;
    const AccessibleNode& node = this->node(index);
    if (app(node.app).coordinates == Coordinates::Window) {
        this->node(index).name = honest_gtk4_name(node.name);
    }
    const bool is_nameless = node.name.empty() && can_act_on(node.role);
    if (!is_filler(node.role) && node.role != kRoleLabel) {
        ask_property(index, kAccessible, "AccessibleId", [](AccessibleNode& of, BusReply& reply) { of.id = reply.property_text(kIdBytesMax); }, then);
    }
    if (is_nameless) {
        ask_label(index);
    }
    if (node.role != kRolePasswordText && holds_text(node.role)) {
        ask_text(index);
    } else if (holds_number(node.role)) {
        const auto on_value = [](AccessibleNode& of, BusReply& reply) {
            const auto value = reply.property_real();
            of.value = value ? fmt::format("{:.6g}", *value) : "";
        };
        ask_property(index, "org.a11y.atspi.Value", "CurrentValue", on_value, then);
    }
    if (may_show_children(node)) {
        ask_for_children(index);
    }
}

bool AccessibilityWalk::may_show_children(const AccessibleNode& node) {
    const AccessibleApp& of = app(node.app);
    if (of.coordinates == Coordinates::Window) { // an open menu is within the button that opened it
        const bool is_open = has_state(node.states, State::Expanded) || (is_of_menu(node.role) && has_popup(of.pid));
        return !is_leaf(node.role) || is_open || (node.name.empty() && can_act_on(node.role));
    }
    if (!of.is_gtk3) { // a page may have a password field in anything: in a label, in a button
        return true;
    }
    const bool opens_window = node.role == kRoleMenu || node.role == kRoleComboBox;
    return !is_leaf(node.role) && (!opens_window || has_popup(of.pid)); // most of what there is is in menus that are closed
}

bool AccessibilityWalk::has_popup(int pid) const {
    return std::any_of(stack_.begin(), stack_.end(), [&](const StackedWindow& window) { return window.is_popup && window.info.pid == pid; });
}

void AccessibilityWalk::ask_for_children(int index) {
    if (app(node(index).app).coordinates == Coordinates::Window) {
        visit_all(index, std::exchange(node(index).children, {}));
        return;
    }
    if (!has_state(node(index).states, State::ManagesDescendants)) {
        ask_children(index);
        return;
    }
    const auto on_count = [this, index](AccessibleNode& node, BusReply& reply) {
        if (reply.property_number() <= kRowsMax) {
            ask_children(index);
        } else {
            leave_out(node.app);
        }
    };
    ask_property(index, kAccessible, "ChildCount", on_count, &AccessibilityWalk::nothing_more);
}

void AccessibilityWalk::ask_children(int index) {
    const auto on_children = [this, index](BusReply& reply) { visit_all(index, reply.accessibles(kChildrenMax)); };
    ask(node(index).app, {node(index).object, kAccessible, "GetChildren", {}, on_children});
}

void AccessibilityWalk::visit_all(int parent, const std::vector<Accessible>& children) {
    const int app = node(parent).app;
    for (std::size_t i = 0; i < children.size(); ++i) {
        visit(app, children[i], parent, static_cast<int>(i));
    }
}

/// The name of what labels it; else, and for buttons with a picture, what its tool tip says.
void AccessibilityWalk::ask_label(int index) {
    const auto on_relations = [this, index](AccessibleNode& node, BusReply& reply) {
        const auto label = reply.related(kLabelledBy);
        if (!label || label->bus_name != node.object.bus_name) {
            return;
        }
        const auto on_name = [this, index](BusReply& reply_to_name) {
            const std::string name = reply_to_name.property_text(kNameBytesMax);
            this->node(index).name = app(this->node(index).app).coordinates == Coordinates::Window ? honest_gtk4_name(name) : name;
        };
        ask(node.app, {*label, kProperties, "Get", {std::string(kAccessible), std::string("Name")}, on_name});
    };
    const auto then = &AccessibilityWalk::nothing_more;
    ask_about(index, kAccessible, "GetRelationSet", {}, on_relations, then);
    ask_property(index, kAccessible, "Description", [](AccessibleNode& of, BusReply& reply) { of.description = reply.property_text(kNameBytesMax); }, then);
}

/// Some programs do not bear being asked for more than there is.
void AccessibilityWalk::ask_text(int index) {
    const auto on_count = [this, index](AccessibleNode&, BusReply& reply) {
        const auto count = std::min<std::int32_t>(reply.property_number(), kTextBytesMax);
        if (count <= 0) {
            return;
        }
        const auto on_text = [](AccessibleNode& node, BusReply& text) { node.value = text.text(kTextBytesMax); };
        ask_about(index, kText, "GetText", {std::int32_t{0}, count}, on_text, &AccessibilityWalk::nothing_more);
    };
    ask_property(index, kText, "CharacterCount", on_count, &AccessibilityWalk::nothing_more);
}

} // namespace handeye::x11

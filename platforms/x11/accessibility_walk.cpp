// SPDX-License-Identifier: Apache-2.0
// Breadth first, each program with its own bound on questions in flight: a slow one does not take the others' time. First what
// decides whether a thing is seen at all, and only for what is seen the rest.
#include "platforms/x11/accessibility_walk.h"

#include "platforms/x11/accessibility_roles.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

constexpr const char* kAccessible = "org.a11y.atspi.Accessible";
constexpr const char* kComponent = "org.a11y.atspi.Component";
constexpr const char* kText = "org.a11y.atspi.Text";
constexpr const char* kApplication = "org.a11y.atspi.Application";
constexpr const char* kProperties = "org.freedesktop.DBus.Properties";
constexpr const char* kRootPath = "/org/a11y/atspi/accessible/root";

constexpr std::size_t kAppsMax = 64;
constexpr std::size_t kNodesMax = 6000; // asked about, seen or not
constexpr std::size_t kChildrenMax = 2000;
constexpr int kRowsMax = 500; // of a table that makes its cells when it is asked for them
constexpr int kDepthMax = 50;
constexpr int kInFlightMax = 48; // of one program
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

Result<AccessibleTree> AccessibilityWalk::run(Clock& clock, TimePoint deadline) {
    const auto on_roots = [this](BusReply& reply) {
        has_registry_answered_ = true;
        on_programs(reply.accessibles(kAppsMax));
    };
    if (!bus_.call({"org.a11y.atspi.Registry", kRootPath}, kAccessible, "GetChildren", {}, on_roots)) {
        return Error{ErrorCode::Unavailable, "the accessibility bus takes no call"};
    }
    TRY(bus_.run(clock, deadline, [this] { return has_ended(); }));
    end();
    return std::move(tree_);
}

void AccessibilityWalk::on_programs(const std::vector<Accessible>& roots) {
    for (const Accessible& root : roots) {
        if (std::find(tree_.apps.begin(), tree_.apps.end(), root.bus_name) == tree_.apps.end()) {
            tree_.apps.push_back(root.bus_name);
        }
    }
    std::erase_if(known_, [&](const auto& known) { return std::find(tree_.apps.begin(), tree_.apps.end(), known.first) == tree_.apps.end(); });
    tree_.is_whole.assign(tree_.apps.size(), true);
    asked_.resize(tree_.apps.size());
    for (int i = 0; i < static_cast<int>(tree_.apps.size()); ++i) {
        if (app(i).is_silent) {
            leave_out(i);
        } else if (app(i).trust == AccessibleApp::Trust::New) {
            inspect(i);
        } else {
            enter(i);
        }
    }
}

void AccessibilityWalk::ask(int app, Question question) {
    if (asked(app).in_flight < kInFlightMax) {
        send(app, std::move(question));
    } else {
        asked(app).waiting.push_back(std::move(question));
    }
}

void AccessibilityWalk::send(int app, Question question) {
    const bool is_its_own = question.to.bus_name == tree_.apps[static_cast<std::size_t>(app)]; // and not the bus's
    auto handler = [this, app, is_its_own, on_reply = std::move(question.on_reply)](BusReply& reply) {
        asked(app).has_answered = asked(app).has_answered || is_its_own;
        this->on_reply(app, on_reply, reply);
    };
    if (bus_.call(question.to, question.interface, question.member, question.arguments, std::move(handler))) {
        ++asked(app).in_flight;
        ++in_flight_;
    } else {
        leave_out(app); // it named an object by what is no name
    }
}

void AccessibilityWalk::on_reply(int app, const AccessibilityBus::Handler& handler, BusReply& reply) {
    --in_flight_;
    Asked& of = asked(app);
    --of.in_flight;
    if (this->app(app).trust != AccessibleApp::Trust::Hostile) {
        handler(reply);
    }
    if (reply.is_excessive()) {
        this->app(app).trust = AccessibleApp::Trust::Hostile;
        leave_out(app);
        of.waiting.clear();
    }
    while (!of.waiting.empty() && of.in_flight < kInFlightMax) {
        Question next = std::move(of.waiting.front());
        of.waiting.pop_front();
        send(app, std::move(next));
    }
}

/// What a program is, before anything is asked that could harm it.
void AccessibilityWalk::inspect(int app) {
    const std::string& name = tree_.apps[static_cast<std::size_t>(app)];
    const auto on_pid = [this, app](BusReply& reply) { this->app(app).pid = reply.is_error() ? 0 : static_cast<int>(reply.number()); };
    ask(app, {{"org.freedesktop.DBus", "/org/freedesktop/DBus"}, "org.freedesktop.DBus", "GetConnectionUnixProcessID", {name}, on_pid});
    const auto on_version = [this, app](BusReply& reply) {
        if (std::atoi(reply.property_text(kNameBytesMax).c_str()) >= 4) {
            this->app(app).coordinates = Coordinates::Window;
            check_gtk4(app, "/org");
        } else {
            enter(app);
        }
    };
    const auto on_toolkit = [this, app, name, on_version](BusReply& reply) {
        const std::string toolkit = reply.property_text(kNameBytesMax);
        if (toolkit == "GTK") {
            ask(app, {{name, kRootPath}, kProperties, "Get", {std::string(kApplication), std::string("Version")}, on_version});
        } else {
            enter(app);
        }
    };
    ask(app, {{name, kRootPath}, kProperties, "Get", {std::string(kApplication), std::string("ToolkitName")}, on_toolkit});
}

/// GTK 4.8 keeps its objects below the path that its application has on the session bus. Without one they have no path, and the
/// question for the children of its root ends it. So: is there any object beside those at /org/a11y?
void AccessibilityWalk::check_gtk4(int app, const std::string& path) {
    const auto on_nodes = [this, app, path](BusReply& reply) {
        const std::string xml = reply.text(kTextBytesMax * 16);
        const std::string_view usual = path == "/org" ? "<node name=\"a11y\"" : "<node name=\"org\"";
        const bool has_usual = xml.find(usual) != std::string::npos;
        std::size_t nodes = 0;
        for (std::size_t at = xml.find("<node name="); at != std::string::npos; at = xml.find("<node name=", at + 1)) {
            ++nodes;
        }
        if (nodes > (has_usual ? 1U : 0U)) {
            enter(app);
        } else if (path == "/org") {
            check_gtk4(app, "/");
        } else {
            leave_out(app); // asked again next time: it may not have made its objects yet
        }
    };
    ask(app, {{tree_.apps[static_cast<std::size_t>(app)], path}, "org.freedesktop.DBus.Introspectable", "Introspect", {}, on_nodes});
}

void AccessibilityWalk::enter(int app) {
    AccessibleApp& entered = this->app(app);
    if (entered.trust == AccessibleApp::Trust::Hostile) {
        leave_out(app);
        return;
    }
    entered.trust = AccessibleApp::Trust::Fine;
    const auto on_toplevels = [this, app](BusReply& reply) {
        const std::vector<Accessible> toplevels = reply.accessibles(kChildrenMax);
        for (std::size_t i = 0; i < toplevels.size(); ++i) {
            visit(app, toplevels[i], -1, static_cast<int>(i));
        }
    };
    ask(app, {{tree_.apps[static_cast<std::size_t>(app)], kRootPath}, kAccessible, "GetChildren", {}, on_toplevels});
}

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
    const auto then = &AccessibilityWalk::examine;
    ask_about(index, kAccessible, "GetState", {}, [](AccessibleNode& node, BusReply& reply) { node.states = reply.states(); }, then);
    ask_about(index, kAccessible, "GetRole", {}, [](AccessibleNode& node, BusReply& reply) { node.role = reply.is_error() ? 0 : reply.number(); }, then);
}

/// GTK 4.8 says of its windows alone that they are showing.
bool AccessibilityWalk::is_shown(AccessibleNode& node) {
    const bool is_told = has_state(node.states, State::Showing) || (node.depth > 0 && app(node.app).coordinates == Coordinates::Window);
    return is_told && has_state(node.states, State::Visible) && !has_state(node.states, State::Defunct) && !has_state(node.states, State::Iconified);
}

void AccessibilityWalk::examine(int index) {
    const AccessibleNode& node = this->node(index);
    if (!is_shown(this->node(index))) {
        return;
    }
    const auto then = &AccessibilityWalk::place;
    const auto type = coordinate_type(app(node.app).coordinates);
    const bool has_name = node.depth == 0 || !is_filler(node.role);
    ask_about(index, kComponent, "GetExtents", {type}, [](AccessibleNode& of, BusReply& reply) { of.raw = reply.extents(); }, then);
    if (has_name) {
        ask_property(index, kAccessible, "Name", [](AccessibleNode& of, BusReply& reply) { of.name = reply.property_text(kNameBytesMax); }, then);
    }
}

/// Where it is, and whether any of it is in sight.
void AccessibilityWalk::place(int index) {
    AccessibleNode& node = this->node(index);
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
    if (node.depth > 0 && has_size && app.coordinates == Coordinates::Window) {
        if (const auto popup = place_popup(*node.raw, app.pid, node.placement, stack_)) {
            node.placement = *popup;
            node.clip = stack_[static_cast<std::size_t>(popup->window)].outer.intersected(target_);
        }
    }
    node.box = has_size ? node.placement.to_root(*node.raw).intersected(node.clip) : Rect{};
    const bool may_hold_others = !has_size && app.coordinates == Coordinates::Screen; // GTK 4 gives no size to what it does not show
    if (node.box.size().is_empty() && !may_hold_others) {
        return;
    }
    node.is_shown = true;
    ask_more(index);
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
    if (!is_leaf(node.role) || (app(node.app).coordinates == Coordinates::Window && (is_nameless || has_popup(app(node.app).pid)))) {
        ask_for_children(index);
    }
}

/// GTK 4 keeps an open menu within the button that opened it.
bool AccessibilityWalk::has_popup(int pid) const {
    return std::any_of(stack_.begin(), stack_.end(), [&](const StackedWindow& window) { return window.is_popup && window.info.pid == pid; });
}

void AccessibilityWalk::ask_for_children(int index) {
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
    const auto on_children = [this, index](BusReply& reply) {
        const std::vector<Accessible> children = reply.accessibles(kChildrenMax);
        const int app = node(index).app;
        for (std::size_t i = 0; i < children.size(); ++i) {
            visit(app, children[i], index, static_cast<int>(i));
        }
    };
    ask(node(index).app, {node(index).object, kAccessible, "GetChildren", {}, on_children});
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

/// Who still owes answers is not whole; who gave none at all is asked one thing more, and nothing else until it has said it.
void AccessibilityWalk::end() {
    bus_.forget_calls();
    for (int i = 0; i < static_cast<int>(tree_.apps.size()); ++i) {
        if (asked(i).in_flight == 0) {
            continue;
        }
        leave_out(i);
        const std::string& name = tree_.apps[static_cast<std::size_t>(i)];
        if (!asked(i).has_answered && !app(i).is_silent) {
            app(i).is_silent = true;
            const auto on_sign = [known = &known_, name](BusReply& reply) {
                const auto found = known->find(name);
                if (found != known->end() && !reply.is_error()) {
                    found->second.is_silent = false;
                }
            };
            static_cast<void>(bus_.call({name, kRootPath}, kAccessible, "GetRole", {}, on_sign, AccessibilityBus::Outlives::Walk));
        }
    }
}

} // namespace handeye::x11

// SPDX-License-Identifier: Apache-2.0
// The programs: which there are, what may be asked of them, and how much at a time. A slow one does not take the others' time.
#include "platforms/x11/accessibility_walk.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

constexpr const char* kAccessible = "org.a11y.atspi.Accessible";
constexpr const char* kApplication = "org.a11y.atspi.Application";
constexpr const char* kProperties = "org.freedesktop.DBus.Properties";
constexpr const char* kRootPath = "/org/a11y/atspi/accessible/root";

constexpr std::size_t kAppsMax = 64;
constexpr std::size_t kToplevelsMax = 256;
constexpr int kInFlightMax = 48; // of one program
constexpr std::size_t kVersionBytesMax = 64;
constexpr std::size_t kXmlBytesMax = 16'384;

} // namespace

Result<AccessibleTree> AccessibilityWalk::run(Clock& clock, Duration patience, TimePoint deadline) {
    const auto on_roots = [this](BusReply& reply) {
        has_registry_answered_ = true;
        on_programs(reply.accessibles(kAppsMax));
    };
    if (!bus_.call({"org.a11y.atspi.Registry", kRootPath}, kAccessible, "GetChildren", {}, on_roots)) {
        return Error{ErrorCode::Unavailable, "the accessibility bus takes no call"};
    }
    for (const auto& [name, known] : known_) { // no need to wait for the list to be asked
        if (known.trust == AccessibleApp::Trust::Fine && !known.is_silent && tree_.apps.size() < kAppsMax) {
            enter(add_app(name));
        }
    }
    for (std::optional<std::uint64_t> before; before != answers_ && clock.now() < deadline;) {
        before = answers_;
        if (TRY(bus_.run(clock, std::min(clock.now() + patience, deadline), [this] { return has_ended(); }))) {
            break;
        }
    }
    end();
    return std::move(tree_);
}

int AccessibilityWalk::add_app(const std::string& name) {
    tree_.apps.push_back(name);
    tree_.is_whole.push_back(true);
    asked_.emplace_back();
    return static_cast<int>(tree_.apps.size()) - 1;
}

void AccessibilityWalk::on_programs(const std::vector<Accessible>& roots) {
    const auto is_listed = [&](const std::string& name) { return std::any_of(roots.begin(), roots.end(), [&](const Accessible& root) { return root.bus_name == name; }); };
    std::erase_if(known_, [&](const auto& known) {
        return !is_listed(known.first) && std::find(tree_.apps.begin(), tree_.apps.end(), known.first) == tree_.apps.end();
    });
    for (const Accessible& root : roots) {
        if (std::find(tree_.apps.begin(), tree_.apps.end(), root.bus_name) != tree_.apps.end()) {
            continue;
        }
        const int added = add_app(root.bus_name);
        if (app(added).is_silent) {
            leave_out(added);
        } else if (app(added).trust == AccessibleApp::Trust::New) {
            inspect(added);
        } else {
            enter(added);
        }
    }
    for (const std::string& name : tree_.apps) {
        if (!is_listed(name)) {
            known_[name].is_gone = true;
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
        answers_ += is_its_own ? 1 : 0;
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
        if (std::atoi(reply.property_text(kVersionBytesMax).c_str()) >= 4) {
            this->app(app).coordinates = Coordinates::Window;
            check_gtk4(app, "/org");
        } else {
            enter(app);
        }
    };
    const auto on_toolkit = [this, app, name, on_version](BusReply& reply) {
        const std::string toolkit = reply.property_text(kVersionBytesMax);
        this->app(app).is_gtk3 = toolkit == "gtk";
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
        const std::string xml = reply.text(kXmlBytesMax);
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
        const std::vector<Accessible> toplevels = reply.accessibles(kToplevelsMax);
        for (std::size_t i = 0; i < toplevels.size(); ++i) {
            visit(app, toplevels[i], -1, static_cast<int>(i));
        }
    };
    ask(app, {{tree_.apps[static_cast<std::size_t>(app)], kRootPath}, kAccessible, "GetChildren", {}, on_toplevels});
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
    std::erase_if(known_, [](const auto& known) { return known.second.is_gone; });
}

} // namespace handeye::x11

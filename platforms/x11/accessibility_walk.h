// SPDX-License-Identifier: Apache-2.0
// One walk through what the programs on a bus say they show: many questions on the way at once, all of them within one deadline.
#pragma once

#include "platforms/x11/accessibility_bus.h"
#include "platforms/x11/accessibility_place.h"

#include <deque>
#include <map>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

namespace handeye::x11 {

/// A program on the bus, known from walk to walk.
struct AccessibleApp {
    enum class Trust {
        New,    ///< it is not known yet what it is, or that it bears questions
        Fine,
        Hostile ///< its answers were of a size that no honest one has
    };
    Trust trust = Trust::New;
    int pid = 0;
    Coordinates coordinates = Coordinates::Screen;
    bool is_gtk3 = false;
    bool is_gone = false;   ///< from the list of programs
    bool is_silent = false; ///< it owes an answer; not asked again until that came
};
using AccessibleApps = std::map<std::string, AccessibleApp>; ///< by bus name, which no bus gives twice

struct AccessibleNode {
    Accessible object;
    int app = -1;    ///< place in AccessibleTree::apps
    int parent = -1; ///< place in the same list
    int place = 0;   ///< among its parent's children
    int depth = 0;
    int owed = 0; ///< answers that are on their way
    std::uint64_t states = 0;
    std::optional<Rect> raw; ///< as the program tells it
    std::uint32_t role = 0;
    std::string name;
    std::string id;
    std::string value;
    std::vector<Accessible> children; ///< told, not visited yet
    std::string description; ///< asked for where there is no name
    Placement placement;
    Rect clip; ///< root pixels: nothing of it is seen outside
    Rect box;  ///< root pixels, clipped; empty: it has none
    bool is_shown = false;
};

struct AccessibleTree {
    std::vector<std::string> apps; ///< bus names
    std::vector<bool> is_whole;    ///< of each app: nothing was left out for lack of time, size or answers
    std::vector<AccessibleNode> nodes; ///< parents before children
};

class AccessibilityWalk {
public:
    /// All are borrowed for as long as the walk lives.
    AccessibilityWalk(AccessibilityBus& bus, AccessibleApps& apps, std::span<const StackedWindow> stack, Rect target)
        : bus_(bus), known_(apps), stack_(stack), target_(target) {}

    /// Unavailable: the bus is gone. What did not come before the deadline is left out, or before no program had answered for as long
    /// as `patience`.
    Result<AccessibleTree> run(Clock& clock, Duration patience, TimePoint deadline);

private:
    struct Question {
        Accessible to;
        const char* interface;
        const char* member;
        std::vector<AccessibilityBus::Argument> arguments;
        AccessibilityBus::Handler on_reply;
    };
    struct Asked {
        std::deque<Question> waiting;
        int in_flight = 0;
        bool has_answered = false;
    };
    void ask(int app, Question question);
    void send(int app, Question question);
    void on_reply(int app, const AccessibilityBus::Handler& handler, BusReply& reply);
    int add_app(const std::string& name);
    void on_programs(const std::vector<Accessible>& roots);
    void inspect(int app);
    void check_gtk4(int app, const std::string& path);
    void enter(int app);
    void visit(int app, Accessible object, int parent, int place);
    void ask_about(int node, const char* interface, const char* member, std::vector<AccessibilityBus::Argument> arguments,
                   const std::function<void(AccessibleNode&, BusReply&)>& take, void (AccessibilityWalk::*then)(int node));
    void ask_property(int node, const char* interface, const char* name, const std::function<void(AccessibleNode&, BusReply&)>& take,
                      void (AccessibilityWalk::*then)(int node));
    bool is_shown(AccessibleNode& node);
    void place(int node);
    void ask_more(int node);
    void place_in_menu(AccessibleNode& node);
    [[nodiscard]] bool has_popup(int pid) const;
    bool may_show_children(const AccessibleNode& node);
    void ask_for_children(int node);
    void ask_children(int node);
    void visit_all(int parent, const std::vector<Accessible>& children);
    void ask_label(int node);
    void ask_text(int node);
    void nothing_more(int /*node*/) {}
    void end();

    AccessibleApp& app(int index) { return known_[tree_.apps[static_cast<std::size_t>(index)]]; }
    AccessibleNode& node(int index) { return tree_.nodes[static_cast<std::size_t>(index)]; }
    Asked& asked(int index) { return asked_[static_cast<std::size_t>(index)]; }
    void leave_out(int app) { tree_.is_whole[static_cast<std::size_t>(app)] = false; }
    [[nodiscard]] bool has_ended() const { return has_registry_answered_ && in_flight_ == 0; }

    AccessibilityBus& bus_;
    AccessibleApps& known_;
    std::span<const StackedWindow> stack_;
    Rect target_;
    AccessibleTree tree_;
    std::vector<Asked> asked_; ///< of each app
    std::unordered_set<std::string> visited_;
    int in_flight_ = 0;
    std::uint64_t answers_ = 0; ///< of programs
    bool has_registry_answered_ = false;
};

} // namespace handeye::x11

// SPDX-License-Identifier: Apache-2.0
// What the parts of the test phone share: an X display, and on its root window what the phone knows of itself. The display is
// square; the phone's screen is its upper left part, whose sides change places when the phone is turned.
#pragma once

#include "base/geometry.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct _XDisplay;

namespace handeye::phone {

/// "awake", "locked", "focus", "rotation" ...: see PhoneX::defaults().
using State = std::map<std::string, std::string>;

class PhoneX {
public:
    /// `display`: its name, empty for $DISPLAY. Ends the program where there is none.
    explicit PhoneX(const std::string& display = {});
    ~PhoneX();
    PhoneX(const PhoneX&) = delete;
    PhoneX& operator=(const PhoneX&) = delete;

    /// A phone of 360x640 at rest on its launcher.
    static State defaults();

    State state();
    void set(const State& changes);
    std::string get(const std::string& key) { return state()[key]; }
    /// A window of its own comes to the front.
    void focus(const std::string& component);
    /// In the present orientation.
    Size screen();

    /// Text properties of the root window.
    std::string property(const char* name);
    void set_property(const char* name, std::string_view text);
    /// Returns when the apps have handled all input so far; false when they did not within 10 s.
    bool wait_until_handled();

    [[nodiscard]] _XDisplay* display() { return display_; }
    [[nodiscard]] unsigned long root() const { return root_; }

private:
    _XDisplay* display_ = nullptr;
    unsigned long root_ = 0;
};

/// Fields between tabs, lines between line feeds; what is in a field is escaped.
std::string escaped(std::string_view text);
std::string unescaped(std::string_view text);

/// One thing on the phone's screen: what an app tells uiautomator.
struct View {
    std::string widget; ///< "EditText"
    std::string id;
    std::string text;
    std::string description;
    Rect box;
    std::string traits; ///< of "clickable", "checkable", "checked", "password", "focused", "disabled", with blanks between
    [[nodiscard]] bool is(std::string_view trait) const { return (" " + traits + " ").find(" " + std::string(trait) + " ") != std::string::npos; }
};
std::string to_text(const std::vector<View>& views);
std::vector<View> views_of(std::string_view text);

} // namespace handeye::phone

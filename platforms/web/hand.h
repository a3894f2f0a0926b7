// SPDX-License-Identifier: Apache-2.0
// The one way for input to leave: it remembers what is pressed and where the pointer is, obeys the stop token of the call in progress,
// and can let everything go from any thread.
#pragma once

#include "base/clock.h"
#include "platforms/platform.h"
#include "platforms/web/cdp.h"
#include "platforms/web/keys.h"

#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace handeye::web {

/// A place in CSS pixels of the page's viewport; fractions are places between them.
struct CssPoint {
    double x = 0;
    double y = 0;
};

class Hand {
public:
    Hand(Cdp& cdp, Clock& clock) : cdp_(cdp), clock_(clock) {}

    /// While one lives, what its thread sends ends with Cancelled once `stop` is requested.
    class Obeying {
    public:
        Obeying(Hand& hand, const std::stop_token& stop) : hand_(hand) { hand_.set_stop(stop); }
        ~Obeying() { hand_.set_stop({}); }
        Obeying(const Obeying&) = delete;
        Obeying& operator=(const Obeying&) = delete;

    private:
        Hand& hand_;
    };

    // Each returns when the page has handled it, or stopped to ask something. `session` is where it goes.
    Result<void> move(const std::string& session, CssPoint to);
    Result<void> button(const std::string& session, MouseButton button, Edge edge);
    Result<void> wheel(const std::string& session, double right_css, double down_css);
    Result<void> key(const std::string& session, const std::string& name, Edge edge);
    /// Press and release of the key that types a character.
    Result<void> tap(const std::string& session, const KeyStroke& stroke);
    Result<void> insert(const std::string& session, const std::string& text_utf8);
    /// A step of a drag that the page began: "dragEnter", "dragOver", "drop", "dragCancel".
    Result<void> drag_step(const std::string& session, const char* type, const nlohmann::json& data);

    [[nodiscard]] std::optional<CssPoint> pointer() const;
    [[nodiscard]] bool is_down(MouseButton button) const;
    /// The mouse button counts as up from now on, without a word to the page: a drop has taken its place.
    void forget_button(MouseButton button);
    [[nodiscard]] unsigned modifiers() const;

    /// Returns when nothing that was sent before is still on its way. With `refuse_more` all later input is Cancelled, save releases.
    Result<void> release_all(bool refuse_more);

private:
    struct PressedKey {
        std::string session;
        KeyStroke stroke;
    };
    void set_stop(const std::stop_token& stop);
    Result<void> send(const std::string& session, std::string_view method, const nlohmann::json& params);
    Result<Cdp::Ticket> start(const std::string& session, std::string_view method, const nlohmann::json& params);
    Result<void> wait(const Cdp::Ticket& ticket);
    [[nodiscard]] unsigned modifiers_now() const; // mutex_ is held
    [[nodiscard]] nlohmann::json mouse_event(const char* type) const; // mutex_ is held
    [[nodiscard]] nlohmann::json key_event(const char* type, const KeyStroke& stroke, unsigned modifiers) const;
    int count_click(MouseButton button);

    Cdp& cdp_;
    Clock& clock_;
    mutable std::mutex mutex_; // guards what follows
    std::condition_variable landed_;
    int in_flight_ = 0;
    std::stop_token stop_;
    bool refuses_ = false;
    std::map<std::string, PressedKey> keys_; // by name
    std::map<MouseButton, std::string> buttons_; // to the session that heard of the press
    std::optional<CssPoint> at_;
    CssPoint clicked_at_;
    TimePoint clicked_when_{};
    MouseButton clicked_with_ = MouseButton::Left;
    int clicks_ = 0;
};

} // namespace handeye::web

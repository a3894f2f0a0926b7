// SPDX-License-Identifier: Apache-2.0
// The screen is read whenever it changed and came to rest, so that the picture before an action is there when the action comes: what
// was read before its first press. Input is heard on a thread of the platform and waits in a mailbox; everything else is one thread.
#include "agent/demonstration.h"

#include "actions/keys.h"
#include "agent/events.h"
#include "agent/gesture.h"
#include "agent/history.h"
#include "agent/person_mailbox.h"
#include "agent/secrets.h"
#include "agent/step_runner.h"
#include "agent/step_stage.h"
#include "agent/target_facts.h"
#include "agent/typed_where.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr SettleOptions kWatch{std::chrono::milliseconds(60), std::chrono::milliseconds(400)};
constexpr SettleOptions kAfter{std::chrono::milliseconds(80), std::chrono::milliseconds(2000)};
constexpr SettleOptions kCatchUp{Duration::zero(), std::chrono::milliseconds(300)}; // until the program has read its input
constexpr Duration kOldLook = std::chrono::seconds(2); // programs on a slow machine tell late what their picture shows already
constexpr int kLooksMax = 5;
constexpr std::size_t kPicturesMax = 6;  // of the newest screens
constexpr std::size_t kScreensMax = 500; // while something is going on; they tell where a text went

/// From the display's frame to the target's; what lies outside of that is resolve()'s to refuse.
struct ToTarget {
    Point origin;
    void move(Target& target) const {
        auto& spot = std::get<Spot>(target);
        spot.x -= origin.x;
        spot.y -= origin.y;
    }
    void operator()(Click& click) const { move(click.at); }
    void operator()(Drag& drag) const {
        move(drag.from);
        move(drag.to);
    }
    void operator()(Scroll& scroll) const { move(*scroll.at); }
    template <class Other>
    void operator()(Other& /*has no place*/) const {}
};

bool is_paste(const KeyChord& chord) {
    const auto& held = chord.modifiers;
    const bool has_ctrl = std::find(held.begin(), held.end(), "ctrl") != held.end(), has_shift = std::find(held.begin(), held.end(), "shift") != held.end();
    const std::string& key = chord.keys.back();
    return (has_ctrl && (key == "v" || key == "V")) || (has_shift && (key == "Insert" || key == "insert"));
}

bool tell_the_same(const std::vector<Element>& one, const std::vector<Element>& other) {
    return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                      [](const Element& a, const Element& b) { return a.role == b.role && a.label_utf8 == b.label_utf8 && a.box == b.box; });
}

class Demonstration {
public:
    Demonstration(const DemonstrationOptions& options, Platform& platform, Clock& clock, StepSink& sink, std::stop_token stop)
        : options_(options), platform_(platform), clock_(clock), log_(sink, clock, redactor_), stop_(std::move(stop)) {}

    Result<DemonstrationReport> run() {
        if (!options_.stop_chord.empty()) {
            stop_chord_ = TRY(parse_chord(options_.stop_chord));
            std::sort(stop_chord_.modifiers.begin(), stop_chord_.modifiers.end());
        }
        TRY(open());
        TRY(look_well());
        TRY(platform_.follow_person({[mailbox = mailbox_](const PersonInput& input) { mailbox->put(input); }}));
        if (options_.on_ready) {
            options_.on_ready();
        }
        const Result<void> watched = watch();
        const TaskOutcome outcome = watched ? TaskOutcome::Done : TaskOutcome::Failed;
        const Result<void> closed = close({outcome, watched ? "shown by a person" : watched.error().message, {}, report_.steps, 0, clock_.now() - start_});
        report_.cut_short = !watched ? std::optional(watched.error()) : !closed ? std::optional(closed.error()) : std::nullopt;
        return report_;
    }

private:
    /// What is known of the open gesture besides its events.
    struct Begun {
        SeenScreen before;
        WindowInfo window;   ///< that it goes to
        bool is_own = false; ///< that window is not to be recorded
        bool is_key = false; ///< it began with a key
        Typed typed;
    };

    Result<void> open() {
        SessionOptions session;
        session.session_id = options_.session_id;
        ModelInfo person;
        person.name = "person";
        start_ = clock_.now();
        const DisplayInfo display = TRY(platform_.display());
        TRY(log_.emit(events::session_opened(options_.session_id, session, display, person)));
        return log_.emit(events::task_started(1, options_.title_utf8));
    }

    Result<void> watch() {
        while (!is_over_ && !stop_.stop_requested()) {
            TRY(take_turn());
        }
        for (const PersonInput& input : mailbox_->take()) {
            TRY(hear(input)); // made before the end; unless the chord was the end
        }
        return end(reader_.finish(), std::nullopt);
    }

    Result<void> close(const TaskReport& report) {
        TRY(log_.emit(events::task_finished(1, report)));
        TRY(log_.emit(events::session_closed(1)));
        return {};
    }

    Result<void> take_turn() {
        if (mailbox_->has_overflowed()) {
            return Error{ErrorCode::LimitExceeded, fmt::format("more than {} events came in the time of one look at the screen", PersonMailbox::kWaitingMax)};
        }
        const Halt halt(stop_, mailbox_->token());
        const std::vector<PersonInput> inputs = mailbox_->take();
        for (const PersonInput& input : inputs) {
            TRY(hear(input));
        }
        TRY(end(reader_.expire(clock_.now()), std::nullopt));
        if (!inputs.empty()) { // while a text is being typed this tells where it goes
            return look();
        }
        const TimePoint asked = clock_.now();
        const Result<Settled> settled = platform_.settle(kWatch, halt.token());
        if (!settled) {
            return settled.error().code == ErrorCode::Cancelled ? Result<void>() : settled.error();
        }
        if (settled->has_changed || !settled->is_quiet) {
            return look();
        }
        screens_.back().still_until = std::max(screens_.back().still_until, asked);
        return is_told_well() && asked - screens_.back().done < kOldLook ? Result<void>() : look();
    }

    /// Twice in a row the same.
    [[nodiscard]] bool is_told_well() const { return screens_.size() > 1 && tell_the_same(screens_.back().elements, screens_[screens_.size() - 2].elements); }

    /// So often that the elements are those of this picture; less when the person goes on.
    Result<void> look_well() {
        TRY(look());
        for (int looks = 1; looks < kLooksMax && !is_told_well() && !mailbox_->token().stop_requested() && !stop_.stop_requested(); ++looks) {
            TRY(look());
        }
        return {};
    }

    Result<void> look() {
        SeenScreen seen;
        const Result<Settled> settled = platform_.settle(kCatchUp, stop_); // a focus that a key has moved is told right only then
        seen.is_caught_up = settled && settled->waited < kCatchUp.deadline;
        seen.begun = clock_.now();
        const std::uint64_t focused = focused_id();
        seen.origin = TRY(platform_.display()).origin;
        seen.shot = TRY(platform_.capture());
        Result<std::vector<Element>> elements = platform_.elements();
        if (elements) {
            seen.elements = *std::move(elements);
        } else {
            seen.withheld = "where passwords are shown is unknown: " + elements.error().message;
        }
        seen.focused_window = focused_id() == focused ? focused : 0;
        seen.done = seen.still_until = clock_.now();
        screens_.push_back(std::move(seen));
        forget_screens();
        return {};
    }

    [[nodiscard]] std::uint64_t focused_id() const { return platform_.focused_window().value_or(WindowInfo{}).id; }

    /// The first one is what was there before the gesture that is going on.
    void forget_screens() {
        const std::size_t screens_max = reader_.is_open() ? kScreensMax : kPicturesMax;
        if (screens_.size() > screens_max) {
            screens_.erase(screens_.begin() + 1);
        }
        if (screens_.size() > kPicturesMax) {
            screens_[screens_.size() - kPicturesMax].shot.image = Image();
        }
    }

    Result<void> hear(const PersonInput& input) {
        if (is_over_ || is_stop_chord(input)) {
            is_over_ = true;
            return {};
        }
        if (const auto* const lost = std::get_if<PersonLost>(&input.what)) {
            TRY(end(reader_.finish(), input.time));
            clicked_.reset(); // a click that was lost may have given another field the focus
            clicked_window_ = WindowInfo();
            last_input_ = input.time;
            return leave_out(fmt::format("{} presses and releases of the mouse", lost->events), "they came faster than the display told of them");
        }
        const auto* const typed = std::get_if<PersonKey>(&input.what);
        if (typed != nullptr && typed->edge == Edge::Press && reader_.is_open() && begun_.is_key && focused_id() != begun_.window.id) {
            TRY(end(reader_.finish(), input.time)); // what follows goes to another window
        }
        const int opened = reader_.opened();
        std::vector<Gesture> ended = reader_.feed(input);
        TRY(end(std::move(ended), input.time));
        if (reader_.opened() != opened) {
            begin(input);
        }
        const auto* const key = std::get_if<PersonKey>(&input.what);
        if (key == nullptr || (key->edge == Edge::Press && !key->is_modifier)) {
            last_input_ = input.time;
        }
        return {};
    }

    [[nodiscard]] bool is_stop_chord(const PersonInput& input) const {
        const auto* const key = std::get_if<PersonKey>(&input.what);
        if (stop_chord_.keys.empty() || key == nullptr || key->edge != Edge::Press || key->is_modifier) {
            return false;
        }
        std::vector<std::string> held = input.held;
        std::sort(held.begin(), held.end());
        const std::optional<KeyMeaning> wanted = find_key(stop_chord_.keys.front());
        const std::optional<KeyMeaning> pressed = find_key(key->name);
        return wanted && pressed && wanted->keysym == pressed->keysym && held == stop_chord_.modifiers;
    }

    void begin(const PersonInput& input) {
        begun_ = {};
        begun_.before = *std::find_if(screens_.rbegin(), screens_.rend() - 1, [&](const SeenScreen& screen) { return screen.done <= input.time && !screen.shot.image.is_empty(); });
        const Point origin = begun_.before.origin;
        const Point at{input.at.x - origin.x, input.at.y - origin.y};
        const bool is_key = begun_.is_key = std::holds_alternative<PersonKey>(input.what);
        begun_.window = (is_key ? platform_.focused_window() : platform_.window_at(at)).value_or(WindowInfo{});
        // What follows a click goes where the click went; by now the focus may be elsewhere again.
        const WindowInfo& goes_to = is_key && clicked_window_.id != 0 ? clicked_window_ : begun_.window;
        begun_.is_own = options_.is_own_window && options_.is_own_window(goes_to);
        Typed& typed = begun_.typed;
        typed.began = input.time;
        typed.focus_since = last_input_;
        typed.clicked = clicked_;
        const Rect& area = begun_.window.area;
        typed.window_id = begun_.window.id;
        typed.window = {area.x - origin.x, area.y - origin.y, area.width_px, area.height_px};
        // From here on only screens from the one before are asked for.
        const auto before = std::find_if(screens_.begin(), screens_.end(), [&](const SeenScreen& screen) { return screen.begun == begun_.before.begun; });
        screens_.erase(screens_.begin(), before);
    }

    /// `next`: when the input came that ended them; nullopt: nothing follows yet.
    Result<void> end(std::vector<Gesture> gestures, std::optional<TimePoint> next) {
        for (Gesture& gesture : gestures) {
            TRY(end(std::move(gesture), next));
        }
        return {};
    }

    Result<void> end(Gesture gesture, std::optional<TimePoint> next) {
        clicked_.reset();
        const std::string what = is_typing(gesture) ? "typing" : history_summary(gesture.action);
        clicked_window_ = std::holds_alternative<Click>(gesture.action) ? begun_.window : WindowInfo();
        if (begun_.is_own) {
            return {};
        }
        std::visit(ToTarget{begun_.before.origin}, gesture.action);
        if (auto* const chord = std::get_if<KeyChord>(&gesture.action)) {
            std::vector<std::string> names = chord->modifiers;
            names.insert(names.end(), chord->keys.begin(), chord->keys.end());
            Result<KeyChord> known = make_chord(std::move(names));
            if (!known) {
                return leave_out(what, known.error().message);
            }
            *chord = *std::move(known);
        }
        if (auto* const text = std::get_if<TypeText>(&gesture.action)) {
            TRY(next ? Result<void>() : look()); // where the last of it went
            begun_.typed.over = next.value_or(clock_.now());
            begun_.typed.ended = gesture.ended;
            const Size size = begun_.before.shot.image.size();
            const Rect& window = begun_.typed.window;
            if (!window.size().is_empty() && window.intersected({0, 0, size.width_px, size.height_px}).size().is_empty()) {
                return leave_out(what, "it went to a window outside of what is recorded");
            }
            hide(text->text_utf8);
        }
        const Size frame = begun_.before.shot.image.size();
        Result<Plan> plan = resolve(gesture.action, {frame, frame, begun_.before.elements});
        if (!plan) {
            return leave_out(what, plan.error().message);
        }
        const Element* const under = std::holds_alternative<Click>(gesture.action) ? innermost_at(begun_.before.elements, plan->points.front().target.point) : nullptr;
        clicked_ = under != nullptr ? std::optional(*under) : std::nullopt;
        return store(gesture, *std::move(plan), next);
    }

    Result<void> leave_out(const std::string& what, const std::string& why) {
        report_.left_out.push_back(fmt::format("{}: {}", what, why));
        return {};
    }

    /// A password is gone from here on: from the action, and from whatever else might repeat it.
    void hide(std::string& text) {
        const Privacy privacy = privacy_of(begun_.typed, screens_);
        const bool is_plain = privacy == Privacy::Plain || (privacy == Privacy::Unknown && options_.unknown_text == DemonstrationOptions::UnknownText::IsPlain);
        if (is_plain) {
            return;
        }
        const std::string field = privacy == Privacy::Password ? field_of_password(begun_.typed, screens_) : std::string();
        const std::string kind = privacy == Privacy::Password ? "password" : "text";
        std::string name = field.empty() ? std::string() : names_[field];
        if (name.empty()) {
            name = fmt::format("{}_{}", kind, ++counts_[kind]);
            report_.secrets.push_back(name);
            if (!field.empty()) {
                names_[field] = name;
            }
        }
        redactor_.add_typed(text);
        wipe(text);
        text = secret_reference(name);
    }

    Result<void> store(const Gesture& gesture, Plan plan, std::optional<TimePoint> next) {
        Step step;
        step.index = ++at_.step;
        step.seen = begun_.before.shot;
        step.plan = std::move(plan);
        TRY(log_.emit(events::task_step_started(at_)));
        TRY(store_frame(begun_.before, "before"));
        ParsedReply parsed;
        parsed.action = gesture.action;
        parsed.dialect = Dialect::Canonical;
        step.parsed = parsed;
        TRY(log_.emit(events::action_proposed(at_, parsed)));
        step.gate.reason = "a person did it";
        TRY(log_.emit(events::action_gated(at_, step.gate)));
        step.result.route = "person";
        step.result.input_time = gesture.ended - gesture.began;
        const std::optional<SeenScreen> after = TRY(screen_after(gesture, next, step));
        TRY(log_.emit(events::action_executed(at_, step.plan, step.result, begun_.before.elements)));
        if (after) {
            TRY(store_frame(*after, "after"));
            events::Verified verified{Certainty::Unverifiable, "the screen did not change", changed_area(step.seen.image, after->shot.image)};
            if (!verified.changed.size().is_empty()) {
                verified.certainty = Certainty::Confirmed;
                verified.reason = "the screen changed";
            }
            step.result.certainty = verified.certainty;
            TRY(log_.emit(events::action_verified(at_, verified)));
        }
        TRY(log_.emit(events::task_step_finished(at_, step, "", 0)));
        report_.steps = at_.step;
        note(gesture.action);
        if (options_.on_step) {
            options_.on_step(at_.step, history_summary(gesture.action));
        }
        return {};
    }

    /// The clipboard is no part of the screen, and may hold a password: what it held is not recorded.
    void note(const Action& action) {
        const auto* const chord = std::get_if<KeyChord>(&action);
        if (chord != nullptr && is_paste(*chord)) {
            report_.notes.push_back(fmt::format("step {} pastes: what the clipboard held was not recorded, and may be another text then", at_.step));
        }
    }

    /// Once the screen is still; what a person does meanwhile is another step's.
    Result<std::optional<SeenScreen>> screen_after(const Gesture& gesture, std::optional<TimePoint> next, Step& step) {
        if (!next) {
            const Halt halt(stop_, mailbox_->token());
            const Result<Settled> settled = platform_.settle(kAfter, halt.token());
            if (settled) {
                step.result.settled = *settled;
                step.result.settle_time = settled->waited;
                TRY(look_well());
                return std::optional(screens_.back());
            }
            if (settled.error().code != ErrorCode::Cancelled) {
                return settled.error();
            }
        }
        const auto found = std::find_if(screens_.rbegin(), screens_.rend(),
                                        [&](const SeenScreen& screen) { return !screen.shot.image.is_empty() && screen.begun >= gesture.ended && (!next || screen.done <= *next); });
        return found == screens_.rend() ? std::optional<SeenScreen>() : std::optional(*found);
    }

    Result<void> store_frame(const SeenScreen& screen, std::string_view when) {
        events::Captured captured{&screen.shot, std::nullopt, screen.withheld, 0, {}, {}};
        if (screen.withheld.empty()) {
            const Stopwatch watch(clock_, captured.encode_time);
            const std::vector<Rect> secrets = secret_boxes(screen.elements);
            captured.masks = static_cast<int>(secrets.size());
            captured.frame = TRY(encoder_.encode(masked(screen.shot.image, secrets)));
        }
        return log_.emit(events::observation_captured(at_, when, captured));
    }

    const DemonstrationOptions& options_;
    Platform& platform_;
    Clock& clock_;
    Redactor redactor_;
    EventLog log_;
    const std::stop_token stop_;
    std::shared_ptr<PersonMailbox> mailbox_ = std::make_shared<PersonMailbox>(); // the platform holds on to it
    KeyChord stop_chord_;
    GestureReader reader_;
    FrameEncoder encoder_;
    std::deque<SeenScreen> screens_; // never empty once looked; oldest first
    Begun begun_;
    std::optional<Element> clicked_; // by the last gesture, where it was a click on something known
    WindowInfo clicked_window_;      // by the last gesture, where it was a click
    TimePoint last_input_{};
    std::map<std::string, std::string> names_; // of secrets, by field
    std::map<std::string, int> counts_;        // of secrets, by kind
    events::At at_{1, 0, 1};
    TimePoint start_{};
    bool is_over_ = false;
    DemonstrationReport report_;
};

} // namespace

Result<DemonstrationReport> record_demonstration(const DemonstrationOptions& options, Platform& platform, Clock& clock, StepSink& sink, std::stop_token stop) {
    return Demonstration(options, platform, clock, sink, std::move(stop)).run();
}

} // namespace handeye

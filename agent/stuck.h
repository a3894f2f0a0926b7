// SPDX-License-Identifier: Apache-2.0
// When a task goes in circles. Pure: fed with the facts of each step, and with the text of one answer as it comes.
// The rules are quality.md R20; each looks at contents, never at identities.
#pragma once

#include "actions/action.h"
#include "base/image.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// A screen as a grid of mean brightness, one cell for every 8x8 pixels.
struct ScreenSignature {
    int columns = 0;
    int rows = 0;
    std::vector<std::uint8_t> cells;
    bool operator==(const ScreenSignature&) const = default;
};
/// Reads every second pixel of every second row.
ScreenSignature sign_screen(const Image& image);
/// True when a person would see no difference: equal up to faint noise and one blinking caret (one cell wide, few tall).
bool looks_same(const ScreenSignature& a, const ScreenSignature& b);

/// What one step tells the detector.
struct StepFact {
    std::string action;       ///< what was done, without coordinates: "click", "type Ada"; empty: the answer held no action
    std::vector<Spot> spots;  ///< where, in thousandths; compared with a tolerance
    std::string error;        ///< why it had no effect that anyone wanted (refused, unresolvable); empty: none
    bool expects_change = true; ///< false: waiting, answering, hovering
    ScreenSignature after;    ///< the screen when the step was over
};
/// The facts' action and spots, from an Action.
StepFact make_fact(const Action& action);

enum class StuckLevel {
    None,
    Suspected, ///< worth telling the model
    Stuck,     ///< the task ends
};
struct StuckVerdict {
    StuckLevel level = StuckLevel::None;
    std::string rule;    ///< "same_action", "same_error", "alternation", "still_screen"
    std::string message; ///< one sentence, fit for the model and for a person
};

class StuckDetector {
public:
    static constexpr int kSameActionMax = 4;  ///< the same action with the same screen afterwards
    static constexpr int kSameWaitMax = 8;    ///< the same for waiting, which is slow by its nature
    static constexpr int kSameErrorMax = 3;   ///< the same action refused
    static constexpr int kAlternationMax = 6; ///< steps of A, B, A, B, A, B
    static constexpr int kStillScreenMax = 6; ///< actions that should have changed the screen and did not
    /// The verdict about all steps so far. Looks back at most 16 steps.
    StuckVerdict add(StepFact fact);

private:
    std::deque<StepFact> facts_;
};

/// Finds an answer that repeats itself: the same passage of at least `kPassageTokensMin` tokens `kRepeats` times in a row.
/// A token is a word, a number, a sign or one character of a script without spaces.
class RepetitionWatcher {
public:
    static constexpr int kPassageTokensMin = 20;
    static constexpr int kPassageTokensMax = 400;
    static constexpr int kRepeats = 3;
    /// True from the moment the repetition is complete. Pieces may be cut anywhere between characters.
    bool add(std::string_view text_utf8);
    [[nodiscard]] bool is_repeating() const { return is_repeating_; }

private:
    void add_token(std::uint64_t hash);
    std::vector<std::uint64_t> ring_;        // hashes of the last kPassageTokensMax tokens
    std::vector<int> run_;                   // per distance: how many tokens in a row equal the one that far back
    std::uint64_t count_ = 0;
    std::uint64_t word_hash_ = 0;
    bool in_word_ = false;
    bool is_repeating_ = false;
};

} // namespace handeye

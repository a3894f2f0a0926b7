// SPDX-License-Identifier: Apache-2.0
#include "agent/stuck.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

namespace handeye {
namespace {

// A model that aims again at the same thing lands a few thousandths off.
constexpr double kSameSpotThousandths = 8;
constexpr int kCellPx = 8;
constexpr int kFaintLevels = 6; // of 255, in a cell's mean
constexpr int kCaretCells = 4;  // a caret of 24 pixels touches at most so many

bool is_same_spot(const Spot& a, const Spot& b) {
    return a.units == b.units && std::abs(a.x - b.x) <= kSameSpotThousandths && std::abs(a.y - b.y) <= kSameSpotThousandths;
}

bool is_same_action(const StepFact& a, const StepFact& b) {
    return !a.action.empty() && a.action == b.action &&
           std::equal(a.spots.begin(), a.spots.end(), b.spots.begin(), b.spots.end(), is_same_spot);
}

bool is_same_step(const StepFact& a, const StepFact& b) {
    return is_same_action(a, b) && a.error == b.error && looks_same(a.after, b.after);
}

// How many of the newest facts in a row satisfy `same` with the newest.
template <class Same>
int run_length(const std::deque<StepFact>& facts, Same same) {
    int count = 0;
    for (auto fact = facts.rbegin(); fact != facts.rend() && same(*fact, facts.back()); ++fact) {
        ++count;
    }
    return count;
}

// Of the newest facts, how many alternate: A, B, A, B with A and B different.
int alternation_length(const std::deque<StepFact>& facts) {
    if (facts.size() < 2 || is_same_step(facts[facts.size() - 1], facts[facts.size() - 2])) {
        return 0;
    }
    int count = 2;
    for (std::size_t i = facts.size() - 2; i-- > 0 && is_same_step(facts[i], facts[i + 2]);) {
        ++count;
    }
    return count;
}

// How many of the newest effective actions left the screen as it was before the first of them. Steps that expect no
// change neither count nor break the row.
int still_length(const std::deque<StepFact>& facts) {
    int count = 0;
    for (std::size_t i = facts.size(); i-- > 1 && looks_same(facts[i].after, facts.back().after) &&
                                       looks_same(facts[i - 1].after, facts.back().after);) {
        count += facts[i].expects_change && facts[i].error.empty() && !facts[i].action.empty() ? 1 : 0;
    }
    return count;
}

StuckVerdict judge(int count, int limit, std::string_view rule, std::string message) {
    if (count < limit - 1) {
        return {};
    }
    return {count >= limit ? StuckLevel::Stuck : StuckLevel::Suspected, std::string(rule), std::move(message)};
}

void add_spot(StepFact& fact, const Target& target) {
    if (const auto* spot = std::get_if<Spot>(&target)) {
        fact.spots.push_back(*spot);
    } else {
        fact.action += fmt::format(" [{}]", std::get<Mark>(target).number);
    }
}

struct Describe {
    StepFact& fact;
    void operator()(const Click& a) const {
        for (const std::string& key : a.hold_keys) {
            fact.action += " " + key;
        }
        add_spot(fact, a.at);
    }
    void operator()(const Hover& a) const {
        fact.expects_change = false;
        add_spot(fact, a.at);
    }
    void operator()(const Drag& a) const {
        add_spot(fact, a.from);
        add_spot(fact, a.to);
    }
    void operator()(const Scroll& a) const {
        fact.action += fmt::format(" {} {} {}", static_cast<int>(a.direction), a.notches, a.viewport_share);
        if (a.at) {
            add_spot(fact, *a.at);
        }
    }
    void operator()(const Swipe& a) const {
        fact.action += fmt::format(" {}", static_cast<int>(a.direction));
        if (a.at) {
            add_spot(fact, *a.at);
        }
        if (a.to) {
            add_spot(fact, *a.to);
        }
    }
    void operator()(const TypeText& a) const {
        fact.action += " " + a.text_utf8;
        if (a.into) {
            add_spot(fact, *a.into);
        }
    }
    void operator()(const KeyChord& a) const {
        for (const auto* names : {&a.modifiers, &a.keys}) {
            for (const std::string& name : *names) {
                fact.action += " " + name;
            }
        }
    }
    void operator()(const Wait&) const { fact.expects_change = false; }
    void operator()(const OpenApp& a) const { fact.action += " " + a.name; }
    void operator()(const OpenUrl& a) const { fact.action += " " + a.url; }
    void operator()(const FocusWindow& a) const { fact.action += " " + a.title; }
    void operator()(const Navigate&) const {}
    void operator()(const Answer& a) const {
        fact.expects_change = false;
        fact.action += " " + a.text_utf8;
    }
    void operator()(const AskUser&) const { fact.expects_change = false; }
    void operator()(const Finish&) const { fact.expects_change = false; }
};

std::uint64_t mix(std::uint64_t hash, unsigned char byte) { return (hash ^ byte) * 0x100000001B3ULL; } // FNV-1a

} // namespace

ScreenSignature sign_screen(const Image& image) {
    const Size size = image.size();
    ScreenSignature out{(size.width_px + kCellPx - 1) / kCellPx, (size.height_px + kCellPx - 1) / kCellPx, {}};
    const auto columns = static_cast<std::size_t>(out.columns);
    const int bpp = bytes_per_pixel(image.format());
    const bool is_gray = bpp == 1;
    std::vector<std::uint32_t> sums(columns);
    for (int cell_row = 0; cell_row < out.rows; ++cell_row) {
        std::fill(sums.begin(), sums.end(), 0U);
        const int bottom = std::min((cell_row + 1) * kCellPx, size.height_px);
        int lines = 0;
        for (int y = cell_row * kCellPx; y < bottom; y += 2, ++lines) {
            const std::uint8_t* row = image.row(y).data();
            for (int x = 0; x < size.width_px; x += 2) {
                const std::uint8_t* pixel = row + x * bpp; // green is in the middle, whichever way round
                sums[static_cast<std::size_t>(x / kCellPx)] += is_gray ? *pixel : (pixel[0] + 2U * pixel[1] + pixel[2]) / 4;
            }
        }
        for (std::size_t column = 0; column < columns; ++column) {
            const int width = std::min(kCellPx, size.width_px - static_cast<int>(column) * kCellPx);
            out.cells.push_back(static_cast<std::uint8_t>(sums[column] / static_cast<std::uint32_t>(lines * ((width + 1) / 2))));
        }
    }
    return out;
}

bool looks_same(const ScreenSignature& a, const ScreenSignature& b) {
    if (a.columns != b.columns || a.rows != b.rows) {
        return false;
    }
    int only_column = -1;
    int first_row = 0;
    for (int i = 0; i < static_cast<int>(a.cells.size()); ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (std::abs(a.cells[at] - b.cells[at]) <= kFaintLevels) {
            continue;
        }
        if (only_column < 0) {
            only_column = i % a.columns;
            first_row = i / a.columns;
        }
        if (i % a.columns != only_column || i / a.columns >= first_row + kCaretCells) {
            return false;
        }
    }
    return true;
}

StepFact make_fact(const Action& action) {
    StepFact fact;
    fact.action = verb_name(action);
    std::visit(Describe{fact}, action);
    return fact;
}

StuckVerdict StuckDetector::add(StepFact fact) {
    facts_.push_back(std::move(fact));
    constexpr std::size_t kKept = 16;
    if (facts_.size() > kKept) {
        facts_.pop_front();
    }
    const StepFact& newest = facts_.back();
    const auto failed_alike = [](const StepFact& a, const StepFact& b) { return is_same_action(a, b) && !a.error.empty(); };
    const int errors = run_length(facts_, failed_alike);
    const int repeats = run_length(facts_, is_same_step);
    const int alternations = alternation_length(facts_);
    const int still = still_length(facts_);
    const int repeats_max = newest.action == "wait" ? kSameWaitMax : kSameActionMax;
    const StuckVerdict verdicts[] = {
        judge(errors, kSameErrorMax, "same_error", fmt::format("\"{}\" failed {} times in a row", newest.action, errors)),
        judge(repeats, repeats_max, "same_action",
              fmt::format("\"{}\" was done {} times in a row and the screen stayed the same", newest.action, repeats)),
        judge(alternations, kAlternationMax, "alternation",
              fmt::format("the last {} steps only go back and forth between two actions", alternations)),
        judge(still, kStillScreenMax, "still_screen", fmt::format("the last {} actions did not change the screen", still)),
    };
    StuckVerdict worst;
    for (const StuckVerdict& verdict : verdicts) {
        if (verdict.level > worst.level) {
            worst = verdict;
        }
    }
    return worst;
}

bool RepetitionWatcher::add(std::string_view text_utf8) {
    for (const char c : text_utf8) {
        const auto byte = static_cast<unsigned char>(c);
        const bool is_letter = (byte >= '0' && byte <= '9') || ((byte | 0x20U) >= 'a' && (byte | 0x20U) <= 'z');
        if (is_letter) {
            if (!in_word_ && word_hash_ != 0) {
                add_token(word_hash_); // the sign before this word
            }
            word_hash_ = mix(in_word_ ? word_hash_ : 0xCBF29CE484222325ULL, byte);
            in_word_ = true;
            continue;
        }
        if ((byte & 0xC0U) == 0x80U) { // the rest of a character that is a token of its own
            word_hash_ = mix(word_hash_, byte);
            continue;
        }
        if (word_hash_ != 0) {
            add_token(word_hash_);
            word_hash_ = 0;
        }
        in_word_ = false;
        if (byte > ' ') {
            word_hash_ = mix(0xCBF29CE484222325ULL, byte);
        }
    }
    return is_repeating_;
}

void RepetitionWatcher::add_token(std::uint64_t hash) {
    ring_.resize(kPassageTokensMax);
    run_.resize(kPassageTokensMax + 1);
    for (std::uint64_t back = kPassageTokensMin; back <= std::min<std::uint64_t>(count_, kPassageTokensMax); ++back) {
        int& run = run_[back];
        run = ring_[(count_ - back) % kPassageTokensMax] == hash ? run + 1 : 0;
        // The first passage stands; every later one equals the one before it.
        is_repeating_ = is_repeating_ || run >= static_cast<int>(back) * (kRepeats - 1);
    }
    ring_[count_ % kPassageTokensMax] = hash;
    ++count_;
}

} // namespace handeye

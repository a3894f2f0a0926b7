// SPDX-License-Identifier: Apache-2.0
#include "apps/batch/reading.h"

#include "actions/reply.h"
#include "agent/plain_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <memory>
#include <utility>

#include <glib.h>

namespace handeye::batch {
namespace {

constexpr std::size_t kLetters = 26;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_word(char c) { return is_digit(c) || is_letter(c); }

std::string case_folded(const std::string& text) {
    const std::unique_ptr<char, decltype(&g_free)> out(g_utf8_casefold(text.data(), static_cast<gssize>(text.size())), g_free);
    return out.get();
}

std::string with_single_blanks(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool is_blank = c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
        if (!is_blank) {
            out += c;
        } else if (!out.empty() && out.back() != ' ') {
            out += ' ';
        }
    }
    return out;
}

/// Signs that say nothing at an end: quotes and emphasis at both, full stops and the like behind.
constexpr std::array<std::string_view, 13> kAround{" ", "\"", "'", "`", "*", "_", "“", "”", "‘", "’", "«", "»", "$"};
constexpr std::array<std::string_view, 6> kBehind{".", ",", ";", ":", "!", "。"};

template <class Signs>
bool cut_end(std::string_view& text, const Signs& signs) {
    const auto sign = std::find_if(signs.begin(), signs.end(), [&](std::string_view s) { return text.ends_with(s); });
    text.remove_suffix(sign == signs.end() ? 0 : sign->size());
    return sign != signs.end();
}

bool cut_beginning(std::string_view& text) {
    const auto* const sign = std::find_if(kAround.begin(), kAround.end(), [&](std::string_view s) { return text.starts_with(s); });
    text.remove_prefix(sign == kAround.end() ? 0 : sign->size());
    return sign != kAround.end();
}

/// Behind the last "Answer:" that begins a line, or "\boxed{...}"; all of it where there is neither.
std::string_view last_answer_in(std::string_view answer) {
    constexpr std::string_view kBoxed = "\\boxed{";
    if (const std::size_t at = answer.rfind(kBoxed); at != std::string_view::npos) {
        int depth = 1;
        for (std::size_t i = at + kBoxed.size(); i < answer.size(); ++i) {
            depth += answer[i] == '{' ? 1 : answer[i] == '}' ? -1 : 0;
            if (depth == 0) {
                return answer.substr(at + kBoxed.size(), i - at - kBoxed.size());
            }
        }
    }
    std::string_view out = answer;
    for (std::size_t line = 0; line < answer.size();) {
        const std::size_t end = std::min(answer.find('\n', line), answer.size());
        const std::string text = case_folded(plain_text(answer.substr(line, end - line)));
        std::size_t begin = std::min(text.find_first_not_of("*#_> "), text.size());
        begin += std::string_view(text).substr(begin).starts_with("final ") ? 6 : 0;
        const std::size_t colon = answer.substr(line, end - line).find(':');
        if (std::string_view(text).substr(begin).starts_with("answer") && colon != std::string_view::npos && colon <= begin + 10 && !trim(answer.substr(line + colon + 1)).empty()) {
            out = answer.substr(line + colon + 1);
            out.remove_prefix(std::min(out.find_first_not_of("* \t"), out.size())); // the emphasis that ends behind the colon
        }
        line = end + 1;
    }
    return trim(out);
}

/// The number that begins at `at`, and where it ends; NaN is one that is too large.
std::optional<std::pair<double, std::size_t>> number_at(std::string_view text, std::size_t at) {
    std::string plain;
    std::size_t i = at;
    const auto is_grouped = [&](std::size_t comma) { // ",234" and no fourth digit
        return comma + 3 < text.size() && is_digit(text[comma + 1]) && is_digit(text[comma + 2]) && is_digit(text[comma + 3]) && (comma + 4 >= text.size() || !is_digit(text[comma + 4]));
    };
    while (i < text.size() && (is_digit(text[i]) || (text[i] == ',' && !plain.empty() && is_grouped(i)))) {
        if (text[i] != ',') {
            plain += text[i];
        }
        ++i;
    }
    if (i + 1 < text.size() && text[i] == '.' && is_digit(text[i + 1])) {
        for (plain += text[i++]; i < text.size() && is_digit(text[i]); ++i) {
            plain += text[i];
        }
    }
    if (plain.empty()) {
        return std::nullopt;
    }
    if (i + 1 < text.size() && (text[i] == 'e' || text[i] == 'E')) {
        std::size_t digits = i + 1 + (text[i + 1] == '-' || text[i + 1] == '+' ? 1 : 0);
        if (digits < text.size() && is_digit(text[digits])) {
            for (; digits < text.size() && is_digit(text[digits]); ++digits) {
            }
            plain += text.substr(i, digits - i);
            i = digits;
        }
    }
    double value = 0;
    const std::size_t plus = plain.find("e+");
    plain.erase(plus == std::string::npos ? plain.size() : plus + 1, plus == std::string::npos ? 0 : 1);
    const auto [end, problem] = std::from_chars(plain.data(), plain.data() + plain.size(), value);
    return std::pair(problem == std::errc() && end == plain.data() + plain.size() ? value : std::nan(""), i);
}

/// The text without what surrounds a choice's letter: "(B)", "**B.**" are "B".
std::string_view bare(std::string_view text) {
    constexpr std::string_view kSigns = " \t\r\n()[]{}*_`\"'.,:;!";
    const std::size_t begin = text.find_first_not_of(kSigns), end = text.find_last_not_of(kSigns);
    return begin == std::string_view::npos ? std::string_view() : text.substr(begin, end - begin + 1);
}

/// "B) Paris", "(B) Paris", "B. Paris", "B: Paris", "**B** - Paris": the letter; never "A man".
std::optional<char> leading_letter(std::string_view text) {
    const std::size_t at = text.find_first_not_of(" \t\r\n([*_`\"'");
    if (at == std::string_view::npos || !is_letter(text[at]) || at + 1 >= text.size() || std::string_view(").]:,*_`\n\r").find(text[at + 1]) == std::string_view::npos) {
        return std::nullopt;
    }
    return text[at];
}

/// Behind the last "answer is", "option" or "choice", where a letter stands alone.
std::optional<char> named_letter(const std::string& text) {
    const std::string folded = case_folded(text);
    std::optional<char> out;
    if (folded.size() != text.size()) {
        return out;
    }
    std::size_t last = 0;
    for (const std::string_view words : {"answer is", "answer:", "option", "choice"}) {
        const std::size_t found = folded.rfind(words);
        std::size_t at = found == std::string::npos ? found : text.find_first_not_of(" \t\n:([*_`\"'", found + words.size());
        if (at != std::string::npos && found >= last && is_letter(text[at]) && (at + 1 == text.size() || !is_word(text[at + 1])) && (text[at] < 'a' || at + 1 == text.size() || text[at + 1] != ' ')) {
            out = text[at];
            last = found;
        }
    }
    return out;
}

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

} // namespace

Reading read_answer(std::string_view text) {
    const SplitReply split = split_reply(text);
    Reading out{.thought = split.thinking, .answer = std::string(trim(without_box_tokens(split.answer))), .final_part = {}, .is_thought_open = split.is_thinking_open};
    const std::vector<BoxSpan> boxes = find_boxes(split.answer, {});
    out.final_part = boxes.empty() ? std::string(last_answer_in(split.answer)) : std::string(trim(std::string_view(split.answer).substr(boxes.back().inner.begin, boxes.back().inner.end - boxes.back().inner.begin)));
    return out;
}

std::string normalised(std::string_view text) {
    const std::string whole = with_single_blanks(plain_text(case_folded(plain_text(text)))); // folding may undo the first
    std::string_view rest = whole;
    while (cut_beginning(rest)) {
    }
    while (cut_end(rest, kAround) || cut_end(rest, kBehind)) {
    }
    return std::string(rest);
}

std::vector<double> numbers_in(std::string_view given) {
    constexpr std::string_view kMinus = "\xE2\x88\x92"; // U+2212
    std::string text(given);
    for (std::size_t at = 0; (at = text.find(kMinus, at)) != std::string::npos;) {
        text.replace(at, kMinus.size(), 1, '-');
    }
    std::vector<double> out;
    for (std::size_t at = 0; at < text.size();) {
        const auto number = number_at(text, at);
        if (!number) {
            ++at;
            continue;
        }
        const bool is_negative = at > 0 && text[at - 1] == '-' && (at < 2 || !is_word(text[at - 2])); // "5-3" is a range
        if (std::isfinite(number->first)) {
            out.push_back(is_negative ? -number->first : number->first);
        }
        at = number->second;
    }
    return out;
}

bool stands_in(std::string_view text, std::string_view part) {
    for (std::size_t at = text.find(part); !part.empty() && at != std::string_view::npos; at = text.find(part, at + 1)) {
        const std::size_t end = at + part.size();
        const bool begins = at == 0 || !is_word(part.front()) || !is_word(text[at - 1]);
        const bool ends = end == text.size() || !is_word(part.back()) || !is_word(text[end]);
        if (begins && ends) {
            return true;
        }
    }
    return false;
}

std::optional<char> choice_letter(const std::string& reference, const std::vector<std::string>& choices) {
    const std::string_view text = bare(reference);
    const std::size_t known = choices.empty() ? kLetters : choices.size();
    const auto same = std::find_if(choices.begin(), choices.end(), [&](const std::string& choice) { return normalised(choice) == normalised(reference); });
    if (same != choices.end()) {
        return static_cast<char>('A' + (same - choices.begin()));
    }
    const bool is_letter_of_it = text.size() == 1 && is_letter(text[0]) && static_cast<std::size_t>(upper(text[0]) - 'A') < known;
    return is_letter_of_it ? std::optional(upper(text[0])) : std::nullopt;
}

std::optional<char> choice_in(std::string_view text, const std::vector<std::string>& choices) {
    const auto known = [&](std::optional<char> letter) {
        const bool is_one = letter && static_cast<std::size_t>(upper(*letter) - 'A') < (choices.empty() ? kLetters : choices.size());
        return is_one ? std::optional(upper(*letter)) : std::nullopt;
    };
    if (const auto letter = choice_letter(std::string(text), choices)) {
        return letter;
    }
    if (const auto letter = known(leading_letter(text))) {
        return letter;
    }
    if (const auto letter = known(named_letter(std::string(text)))) {
        return letter;
    }
    std::optional<char> only;
    const std::string said = normalised(text);
    for (std::size_t i = 0; i < choices.size(); ++i) {
        if (stands_in(said, normalised(choices[i]))) {
            if (only) {
                return std::nullopt;
            }
            only = static_cast<char>('A' + static_cast<char>(i));
        }
    }
    return only;
}

} // namespace handeye::batch

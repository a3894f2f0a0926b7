// SPDX-License-Identifier: Apache-2.0
// The lines of the set-of-marks dialect: Click [12] · Type [2]; [text] · Scroll WINDOW; [down] · ANSWER; <content>..</content>.
#include "actions/scan.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace handeye {
namespace {

constexpr double kWindowScrollShare = 2.0 / 3.0; // of the view, as WebVoyager scrolls

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) {
        return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
    });
}

/// A line read from left to right.
class Line {
public:
    explicit Line(std::string_view text) : rest_(text) {}

    void skip_space() {
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) {
            rest_.remove_prefix(1);
        }
    }
    bool take(char c) {
        const bool found = rest_.starts_with(c);
        rest_.remove_prefix(found ? 1 : 0);
        return found;
    }
    std::string_view take_word() {
        std::size_t length = 0;
        while (length < rest_.size() && std::isalpha(static_cast<unsigned char>(rest_[length])) != 0) {
            ++length;
        }
        const std::string_view word = rest_.substr(0, length);
        rest_.remove_prefix(length);
        return word;
    }
    /// "[12]", "12".
    std::optional<int> take_number() {
        skip_space();
        const bool is_bracketed = take('[');
        int number = 0;
        const auto [stop, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
        if (error != std::errc{} || number < 0) {
            return std::nullopt;
        }
        rest_.remove_prefix(static_cast<std::size_t>(stop - rest_.data()));
        return is_bracketed && !take(']') ? std::nullopt : std::optional(number);
    }
    /// "[down]", "down".
    std::string_view take_bracketed_word() {
        skip_space();
        const bool is_bracketed = take('[');
        const std::string_view word = take_word();
        return is_bracketed && !take(']') ? std::string_view() : word;
    }
    /// The separator between parts: ";", ":", "," or just space.
    bool take_separator() {
        skip_space();
        const bool found = take(';') || take(':') || take(',');
        skip_space();
        return found;
    }
    /// Only closing punctuation is left.
    [[nodiscard]] bool is_over() const { return rest_.find_first_not_of(" \t.;!*`") == std::string_view::npos; }
    [[nodiscard]] std::string_view rest() const { return rest_; }

private:
    std::string_view rest_;
};

std::optional<Action> read_click(Line line) {
    const auto number = line.take_number();
    return number && line.is_over() ? std::optional<Action>(Click{.at = Mark{*number}, .hold_keys = {}, .element_info = {}}) : std::nullopt;
}

/// The text is all between "[" and the last "]" of the line, so that it may hold brackets itself.
std::optional<Action> read_type(Line line) {
    const auto number = line.take_number();
    if (!number) {
        return std::nullopt;
    }
    const bool is_separated = line.take_separator();
    std::string_view text = trim(line.rest());
    if (text.starts_with('[')) {
        const std::size_t close = text.rfind(']');
        text = close == std::string_view::npos ? text.substr(1) : text.substr(1, close - 1);
    } else if (!is_separated) {
        return std::nullopt; // "Type 2 words": prose
    }
    if (text.empty()) {
        return std::nullopt;
    }
    TypeText type;
    type.text_utf8 = std::string(text);
    type.into = Mark{*number};
    type.clear_first = true;
    type.press_enter = true;
    return type;
}

std::optional<Action> read_scroll(Line line) {
    Scroll scroll;
    Line as_window = line;
    if (equals_ignoring_case(as_window.take_bracketed_word(), "window")) {
        scroll.viewport_share = kWindowScrollShare;
        line = as_window;
    } else if (const auto number = line.take_number()) {
        scroll.at = Mark{*number};
    } else {
        return std::nullopt;
    }
    line.take_separator();
    const std::string_view word = line.take_bracketed_word();
    constexpr std::array<std::pair<std::string_view, Direction>, 4> kWords{
        {{"up", Direction::Up}, {"down", Direction::Down}, {"left", Direction::Left}, {"right", Direction::Right}}};
    const auto* const found = std::ranges::find_if(kWords, [&](const auto& w) { return equals_ignoring_case(w.first, word); });
    if (found == kWords.end() || !line.is_over()) {
        return std::nullopt;
    }
    scroll.direction = found->second;
    return scroll;
}

std::optional<Action> read_key(Line line) {
    line.take_separator();
    const std::string_view word = line.take_bracketed_word();
    if (!line.is_over() || !(equals_ignoring_case(word, "return") || equals_ignoring_case(word, "enter"))) {
        return std::nullopt;
    }
    return KeyChord{{}, {"enter"}};
}

std::optional<Action> read_plain(std::string_view verb, const Line& line) {
    if (!line.is_over()) {
        return std::nullopt;
    }
    if (equals_ignoring_case(verb, "wait")) {
        return Wait{};
    }
    if (equals_ignoring_case(verb, "goback")) {
        return Navigate{Place::Back};
    }
    if (equals_ignoring_case(verb, "bing") || equals_ignoring_case(verb, "google")) {
        return Navigate{Place::SearchPage};
    }
    return std::nullopt;
}

/// The answer may run over many lines: to </content>, to the last "]", or to the end.
std::optional<MarkLine> read_answer(std::string_view text, std::size_t begin, std::size_t at, std::size_t limit) {
    constexpr std::string_view kOpen = "<content>";
    constexpr std::string_view kClose = "</content>";
    Line line(text.substr(at, limit - at));
    const bool is_separated = line.take_separator();
    std::string_view content = line.rest();
    std::size_t end = limit;
    const std::size_t content_at = limit - content.size();
    if (content.starts_with(kOpen)) {
        content.remove_prefix(kOpen.size());
        const std::size_t close = content.find(kClose);
        if (close != std::string_view::npos) {
            end = content_at + kOpen.size() + close + kClose.size();
            content = content.substr(0, close);
        }
    } else if (content.starts_with('[')) {
        const std::size_t close = content.rfind(']');
        end = close == std::string_view::npos ? limit : content_at + close + 1;
        content = content.substr(1, close == std::string_view::npos ? close : close - 1);
    } else if (!is_separated) {
        return std::nullopt;
    }
    content = trim(content);
    if (content.empty()) {
        return std::nullopt;
    }
    return MarkLine{Answer{std::string(content), true}, begin, end};
}

} // namespace

std::optional<MarkLine> read_mark_line(std::string_view text, std::size_t begin, std::size_t limit, Work& work) {
    std::size_t at = begin;
    const std::size_t most = std::min(limit, begin + 48);
    while (at < most && std::string_view(" \t*-`>").find(text[at]) != std::string_view::npos) {
        ++at;
    }
    Line head(text.substr(at, std::min<std::size_t>(limit - at, 16)));
    const std::string_view verb = head.take_word();
    constexpr std::array<std::string_view, 9> kVerbs{"click", "type", "scroll", "wait", "goback", "bing", "google", "key", "answer"};
    const auto* const found = std::ranges::find_if(kVerbs, [&](std::string_view v) { return equals_ignoring_case(v, verb); });
    if (!work.spend(at - begin + verb.size()) || found == kVerbs.end()) {
        return std::nullopt;
    }
    const std::size_t after = at + verb.size();
    if (*found == "answer") {
        return work.spend(limit - after) ? read_answer(text, at, after, limit) : std::nullopt;
    }
    std::size_t end = std::min(text.find('\n', after), limit);
    if (!work.spend(end - after)) {
        return std::nullopt;
    }
    const std::size_t observation = text.substr(after, end - after).find(" Observation:");
    end = observation == std::string_view::npos ? end : after + observation; // a step told on one line
    const Line line(text.substr(after, end - after));
    const std::optional<Action> action = *found == "click"    ? read_click(line)
                                         : *found == "type"   ? read_type(line)
                                         : *found == "scroll" ? read_scroll(line)
                                         : *found == "key"    ? read_key(line)
                                                              : read_plain(verb, line);
    return action ? std::optional(MarkLine{*action, at, end}) : std::nullopt;
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
#include "actions/grammar_rules.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace handeye {
namespace {

/// A character inside a GBNF class.
std::string in_class(char c) {
    return std::string_view("]\\^-\"[").find(c) != std::string_view::npos ? std::string("\\") + c : std::string(1, c);
}

/// The automaton of Aho and Corasick over the forbidden words: its states are their beginnings.
class Words {
public:
    explicit Words(std::span<const std::string_view> words) : words_(words) {
        states_.emplace_back();
        for (const std::string_view word : words) {
            for (std::size_t length = 1; length < word.size(); ++length) {
                if (std::ranges::find(states_, word.substr(0, length)) == states_.end()) {
                    states_.emplace_back(word.substr(0, length));
                }
            }
            letters_.append(word);
        }
        std::ranges::sort(letters_);
        letters_.erase(std::unique(letters_.begin(), letters_.end()), letters_.end());
    }
    [[nodiscard]] std::size_t count() const { return states_.size(); }
    [[nodiscard]] const std::string& letters() const { return letters_; }
    /// The longest beginning that the text now ends with; -1: a word is complete.
    [[nodiscard]] int after(std::size_t state, char letter) const {
        const std::string text = states_[state] + letter;
        if (std::ranges::any_of(words_, [&](std::string_view word) { return text.ends_with(word); })) {
            return -1;
        }
        for (std::size_t from = 0; from < text.size(); ++from) {
            const auto found = std::ranges::find(states_, text.substr(from));
            if (found != states_.end()) {
                return static_cast<int>(found - states_.begin());
            }
        }
        return 0;
    }

private:
    std::span<const std::string_view> words_;
    std::vector<std::string> states_;
    std::string letters_;
};

} // namespace

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
        }
        out += static_cast<unsigned char>(c) < 0x20 ? fmt::format("\\x{:02X}", static_cast<unsigned>(c)) : std::string(1, c);
    }
    return out + "\"";
}

std::string any_of(std::span<const std::string> texts) {
    std::string out;
    for (const std::string& text : texts) {
        out += (out.empty() ? "" : " | ") + quoted(text);
    }
    return "(" + out + ")";
}

std::string rules_of(const FreeText& text) {
    const Words words(text.no_words);
    const auto name_of = [&](int state) { return fmt::format("{}{}", text.name, state == 0 ? "" : fmt::format("-{}", state)); };
    std::string rules;
    for (std::size_t state = 0; state < words.count(); ++state) {
        std::string handled; // letters that do not lead back to the beginning
        std::map<int, std::string> ways;
        for (const char letter : words.letters()) {
            const int to = words.after(state, letter);
            if (to != 0) {
                handled += in_class(letter);
            }
            if (to > 0) {
                ways[to] += in_class(letter);
            }
        }
        std::string some = fmt::format("[^{}{}] {}", text.without, handled, name_of(0));
        for (const auto& [to, letters] : ways) {
            some += fmt::format(" | [{}] {}", letters, name_of(to));
        }
        if (!text.escapes.empty()) {
            some += fmt::format(" | {} {}", text.escapes, name_of(0));
        }
        if (state == 0) {
            rules += fmt::format("{}-some ::= {}\n{} ::= \"\" | {}-some\n", text.name, some, text.name, text.name);
        } else {
            rules += fmt::format("{} ::= \"\" | {}\n", name_of(static_cast<int>(state)), some);
        }
    }
    return rules;
}

bool is_allowed(std::string_view verb, const AnswerGrammarOptions& options) {
    return options.verbs.empty() || std::ranges::find(options.verbs, verb) != options.verbs.end();
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// Values as models write them: JSON, Python literals and what lies between, read in one pass under limits.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct Literal {
    enum class Kind { Null, Bool, Number, String, Word, List, Dict };
    Kind kind = Kind::Null;
    bool boolean = false;
    double number = 0;
    std::string text;              ///< of String (escapes resolved) and Word (as written, unquoted)
    std::vector<std::string> keys; ///< of Dict, beside `items`
    std::vector<Literal> items;    ///< of List and Dict

    [[nodiscard]] bool is_text() const { return kind == Kind::String || kind == Kind::Word; }
};

/// The characters that may still be looked at. Attempts that fail cost too, so that hostile text stays linear.
struct Work {
    std::size_t left = 0;
    /// False once spent.
    bool spend(std::size_t characters) {
        if (characters > left) {
            left = 0;
            return false;
        }
        left -= characters;
        return true;
    }
};

/// A structural character, its full-width and curly forms taken for the ASCII one; bytes = 0 at the end of the text.
struct Glyph {
    char character = 0;
    std::size_t bytes = 0;
};
Glyph glyph_at(std::string_view text, std::size_t at);

/// Reads values from `text` between `at` and `limit`. What is repaired on the way sets `was_repaired`.
class LiteralReader {
public:
    /// `stops`: sorted positions of labels and of other calls, where a string with broken quotes must end.
    LiteralReader(std::string_view text, std::size_t at, std::size_t limit, std::span<const std::size_t> stops, Work& work)
        : text_(text), at_(at), limit_(limit), stops_(stops), work_(work) {}

    /// The arguments of a call, after its "(": named ones as Dict entries, others under the key "". nullopt: not a call.
    std::optional<Literal> read_arguments();
    /// One value: a dict, list, string, number or word.
    std::optional<Literal> read_value();
    [[nodiscard]] std::size_t position() const { return at_; }
    /// Something that closes (quote, bracket) was missing.
    [[nodiscard]] bool was_repaired() const { return was_repaired_; }
    /// The text ended before everything was closed.
    [[nodiscard]] bool hit_the_end() const { return hit_the_end_; }

private:
    enum class Place { Argument, ListItem, DictKey, DictValue }; ///< what surrounds a string: decides what may follow it

    std::optional<Literal> read_value(Place place);
    std::optional<Literal> read_string(Place place);
    std::optional<Literal> read_list(Place outer);
    std::optional<Literal> read_dict();
    std::optional<Literal> read_doubled_braces();
    std::optional<Literal> read_bare(Place place);
    std::optional<std::string> read_key();
    std::optional<std::string> read_argument_name();
    bool close_at_end(Literal& value);
    bool can_close(std::size_t after, Place place);
    std::size_t find_string_end(std::size_t from, char quote, bool is_curly, Place place);
    [[nodiscard]] std::size_t stop_after(std::size_t at) const;
    [[nodiscard]] Glyph glyph() const { return at_ < limit_ ? glyph_at(text_, at_) : Glyph{}; }
    void skip_space();
    bool take(char expected);

    std::string_view text_;
    std::size_t at_;
    std::size_t limit_;
    std::span<const std::size_t> stops_;
    Work& work_;
    int depth_ = 0;
    std::size_t values_ = 0;
    bool was_repaired_ = false;
    bool hit_the_end_ = false;
};

/// The text inside quotes with its escapes resolved: JSON's and Python's; an unknown escape stays as written.
std::string unescaped(std::string_view text);

} // namespace handeye

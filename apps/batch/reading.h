// SPDX-License-Identifier: Apache-2.0
// What an answer says, as tolerantly as a person would read it: its thought apart, its final part, its number, its choice. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::batch {

/// What a model said, taken apart.
struct Reading {
    std::string thought;
    std::string answer;           ///< without its thought, tags and markers of boxes
    std::string final_part;       ///< what stands in its last box, else in \boxed{}, else behind its last "Answer:", else all of it
    bool is_thought_open = false; ///< it never came to an answer
};
Reading read_answer(std::string_view text_utf8);

/// The form in which texts are the same: NFKC without invisible signs, case folded, white space one blank, quotes, emphasis and full stops at
/// the ends left out.
std::string normalised(std::string_view text_utf8);
/// Whether `part` stands in `text` and does not begin or end within a word or number. Both normalised.
bool stands_in(std::string_view text, std::string_view part);

/// "1,234.5", "-3e5" and the 12 of "12 %", in their order.
std::vector<double> numbers_in(std::string_view text_utf8);

/// "B", "(b)", or the text of a choice as its letter; with no choices any letter from A to Z.
std::optional<char> choice_letter(const std::string& text_utf8, const std::vector<std::string>& choices);
/// The letter that an answer chooses in its own words; nullopt: it chooses none, or names several of the choices.
std::optional<char> choice_in(std::string_view text_utf8, const std::vector<std::string>& choices);

} // namespace handeye::batch

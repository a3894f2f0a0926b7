// SPDX-License-Identifier: Apache-2.0
#include "engine/tokenizer/template_text.h"

#include "engine/tokenizer/utf8.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace handeye::jinja {
namespace {

constexpr std::int64_t kReplacementsMax = 1 << 17;

// Python's str.isspace beyond ASCII.
constexpr std::array<std::string_view, 19> kWideSpaces{
    "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81", "\xE2\x80\x82", "\xE2\x80\x83",
    "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86", "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A",
    "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};

bool is_space(std::string_view character) {
    if (character.size() == 1) {
        const char c = character[0];
        return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1C' && c <= '\x1F');
    }
    return std::find(kWideSpaces.begin(), kWideSpaces.end(), character) != kWideSpaces.end();
}

std::size_t last_character(std::string_view text) {
    std::size_t begin = text.size() - 1;
    while (begin > 0 && text.size() - begin < 4 && (static_cast<std::uint8_t>(text[begin]) & 0xC0U) == 0x80U) {
        --begin;
    }
    return begin;
}

bool strips(std::string_view character, std::string_view characters) {
    return characters.empty() ? is_space(character) : characters.find(character) != characters.npos;
}

Error too_many(std::size_t pieces_max) {
    return {ErrorCode::LimitExceeded, fmt::format("split into more than {} pieces", pieces_max)};
}

} // namespace

Text stripped(const Text& text, StripEnds ends, std::string_view characters) {
    std::string_view rest = text.bytes();
    std::size_t begin = 0;
    while (ends != StripEnds::Right && !rest.empty()) {
        const std::size_t length = utf8_step(rest).length;
        if (!strips(rest.substr(0, length), characters)) {
            break;
        }
        begin += length;
        rest.remove_prefix(length);
    }
    while (ends != StripEnds::Left && !rest.empty()) {
        const std::size_t last = last_character(rest);
        if (!strips(rest.substr(last), characters)) {
            break;
        }
        rest.remove_suffix(rest.size() - last);
    }
    return text.slice(begin, rest.size());
}

namespace {

Result<List> split_at_space(const Text& text, std::int64_t splits, std::size_t pieces_max) {
    List pieces;
    const std::string& bytes = text.bytes();
    std::size_t at = 0;
    while (true) {
        const auto length_at = [&](std::size_t i) { return utf8_step(std::string_view(bytes).substr(i)).length; };
        const auto space_at = [&](std::size_t i) { return is_space(std::string_view(bytes).substr(i, length_at(i))); };
        while (at < bytes.size() && space_at(at)) {
            at += length_at(at);
        }
        if (at == bytes.size()) {
            return pieces;
        }
        if (pieces.size() >= pieces_max) {
            return too_many(pieces_max);
        }
        if (splits >= 0 && pieces.size() == static_cast<std::size_t>(splits)) {
            pieces.push_back(Value::text(stripped(text.slice(at, bytes.size() - at), StripEnds::Right, "")));
            return pieces;
        }
        const std::size_t begin = at;
        while (at < bytes.size() && !space_at(at)) {
            at += length_at(at);
        }
        pieces.push_back(Value::text(text.slice(begin, at - begin)));
    }
}

} // namespace

Result<List> split(const Text& text, std::string_view separator, std::int64_t splits, SplitFrom from,
                   std::size_t pieces_max) {
    if (separator.empty()) {
        return split_at_space(text, splits, pieces_max);
    }
    const std::string_view bytes = text.bytes();
    std::vector<std::size_t> cuts;
    const auto more = [&] { return splits < 0 || cuts.size() < static_cast<std::size_t>(splits); };
    if (from == SplitFrom::Left) {
        for (std::size_t at = bytes.find(separator); at != bytes.npos && more();
             at = bytes.find(separator, at + separator.size())) {
            cuts.push_back(at);
        }
    } else {
        for (std::size_t at = bytes.rfind(separator); at != bytes.npos && more();
             at = at < separator.size() ? bytes.npos : bytes.rfind(separator, at - separator.size())) {
            cuts.push_back(at);
        }
        std::reverse(cuts.begin(), cuts.end());
    }
    if (cuts.size() >= pieces_max) {
        return too_many(pieces_max);
    }
    List pieces;
    std::size_t begin = 0;
    for (const std::size_t cut : cuts) {
        pieces.push_back(Value::text(text.slice(begin, cut - begin)));
        begin = cut + separator.size();
    }
    pieces.push_back(Value::text(text.slice(begin, bytes.size() - begin)));
    return pieces;
}

Result<List> split_lines(const Text& text, std::size_t pieces_max) {
    List lines = TRY(split(text, "\n", -1, SplitFrom::Left, pieces_max));
    if (lines.back().as_text()->bytes().empty()) {
        lines.pop_back();
    }
    for (Value& line : lines) {
        if (line.as_text()->bytes().ends_with('\r')) {
            line = Value::text(line.as_text()->slice(0, line.as_text()->bytes().size() - 1));
        }
    }
    return lines;
}

Result<Text> replaced(const Text& text, std::string_view from, const Text& with, std::int64_t& count,
                      std::size_t bytes_max) {
    if (from.empty()) {
        return Error{ErrorCode::InvalidArgument, "replace: the text to replace is empty"};
    }
    Text out;
    std::size_t at = 0;
    std::int64_t done = 0;
    for (; count < 0 || done < count; ++done) {
        const std::size_t found = text.bytes().find(from, at);
        if (found == std::string::npos) {
            break;
        }
        out.append(text.slice(at, found - at));
        out.append(with);
        at = found + from.size();
        if (done >= kReplacementsMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("replace: more than {} occurrences", kReplacementsMax)};
        }
        if (out.bytes().size() > bytes_max) {
            return Error{ErrorCode::LimitExceeded, fmt::format("replace: the result passes {} bytes", bytes_max)};
        }
    }
    out.append(text.slice(at, text.bytes().size() - at));
    count = done;
    return out;
}

Text with_case(const Text& text, LetterCase letter_case) {
    Text out;
    bool at_start = true;
    for (const RenderedSegment& segment : text.segments()) {
        std::string bytes = segment.text;
        for (char& c : bytes) {
            const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
            const bool upper = letter_case == LetterCase::Upper || (letter_case != LetterCase::Lower && at_start);
            if (is_letter) {
                c = static_cast<char>(upper ? c & ~0x20 : c | 0x20);
            }
            at_start = letter_case == LetterCase::Title && !is_letter;
        }
        out.append(bytes, segment.from_content);
    }
    return out;
}

} // namespace handeye::jinja

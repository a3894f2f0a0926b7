// SPDX-License-Identifier: Apache-2.0
#include "prompts/app_list.h"

#include "base/printable.h"

#include <algorithm>
#include <set>
#include <string_view>

#include <fmt/format.h>

namespace handeye {
namespace {

/// UTF-8 on one line, its blanks single, of kAppNameCharactersMax characters at most.
std::string one_line(std::string_view name) {
    constexpr std::size_t kBytesRead = 4 * kAppNameCharactersMax; // as many as those characters can have
    std::string out;
    std::size_t characters = 0;
    for (const char c : printable(name.substr(0, kBytesRead))) {
        const bool is_blank = c == ' ' || c == '\n' || c == '\t';
        const bool is_first_byte = (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
        if (is_blank && (out.empty() || out.back() == ' ')) {
            continue;
        }
        characters += is_first_byte ? 1 : 0;
        if (characters > kAppNameCharactersMax) {
            break;
        }
        out += is_blank ? ' ' : c;
    }
    out.resize(out.find_last_not_of(' ') + 1);
    return out;
}

/// Letters, digits and what names are written with, in no more than one sentence.
bool is_plain(std::string_view name) {
    constexpr std::string_view kUsual = " -_.&+'()!";
    const auto is_usual = [&](char c) {
        const auto byte = static_cast<unsigned char>(c);
        const bool is_letter = byte >= 0x80U || (byte >= '0' && byte <= '9') || ((byte | 0x20U) >= 'a' && (byte | 0x20U) <= 'z');
        return is_letter || kUsual.find(c) != std::string_view::npos;
    };
    return std::ranges::all_of(name, is_usual) && name.find(". ") == std::string_view::npos && name.find("! ") == std::string_view::npos;
}

std::string quoted(std::string_view name) {
    std::string out = "\"";
    for (const char c : name) {
        out += c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
    }
    return out + '"';
}

} // namespace

std::string app_list(std::span<const std::string> names) {
    std::string list;
    std::set<std::string> told;
    std::size_t left_out = 0;
    for (const std::string& name : names) {
        const std::string line = one_line(name);
        if (line.empty() || told.contains(line)) {
            continue;
        }
        const std::string item = is_plain(line) ? line : quoted(line);
        if (told.size() == kAppsToldMax || list.size() + item.size() > kAppListBytesMax) {
            ++left_out;
            continue;
        }
        list += (list.empty() ? "" : ", ") + item;
        told.insert(line);
    }
    return left_out == 0 ? list : fmt::format("{} and {} more", list, left_out);
}

} // namespace handeye

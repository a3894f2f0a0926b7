// SPDX-License-Identifier: Apache-2.0
#include "agent/locate/words.h"

#include "agent/locate/limits.h"

#include <algorithm>

namespace handeye::locate {
namespace {

constexpr char32_t kBad = 0xFFFD;
constexpr char32_t kEllipsis = 0x2026;
constexpr double kSame = 1.0, kWholeWords = 0.85, kWithin = 0.70, kMissMax = 0.60;
constexpr std::size_t kQuotedMax = 60;

bool is_blank(char32_t c) { return c <= ' ' || c == 0x7F || c == 0xA0 || (c >= 0x2000 && c <= 0x200B) || c == 0x202F || c == 0x3000 || c == 0xFEFF; }

bool is_latin_pair(char32_t c) { // Latin Extended-A and -B, where upper and lower case alternate
    return (c >= 0x100 && c < 0x138) || (c >= 0x14A && c < 0x178) || (c >= 0x1DE && c < 0x1F0) || (c >= 0x200 && c < 0x234) || (c >= 0x1E00 && c < 0x1E96) ||
           (c >= 0x1EA0 && c < 0x1F00) || (c >= 0x460 && c < 0x482) || (c >= 0x48A && c < 0x4C0) || (c >= 0x4D0 && c < 0x530);
}

char32_t lower(char32_t c) {
    if ((c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3A9) || (c >= 0x410 && c <= 0x42F)) {
        return c + 32;
    }
    if (c >= 0x400 && c <= 0x40F) {
        return c + 80;
    }
    if ((c >= 0x139 && c < 0x149) || (c >= 0x179 && c < 0x17F)) {
        return c % 2 == 1 ? c + 1 : c;
    }
    return is_latin_pair(c) && c % 2 == 0 ? c + 1 : c;
}

/// The bytes of the sequence that starts with `lead`; 0: none does.
std::size_t sequence_bytes(unsigned char lead) { return lead < 0x80 ? 1 : lead >= 0xC2 && lead < 0xE0 ? 2 : lead >= 0xE0 && lead < 0xF0 ? 3 : lead >= 0xF0 && lead < 0xF5 ? 4 : 0; }

bool ends_with_dots(const std::u32string& s) { return s.size() > 3 && s.ends_with(U"..."); }

std::size_t common_beginning(const std::u32string& a, const std::u32string& b) {
    return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

double within_score(const std::u32string& wanted, const std::u32string& has) {
    double score = 0;
    for (std::size_t at = has.find(wanted); at != std::u32string::npos && score < kWholeWords; at = has.find(wanted, at + 1)) {
        const std::size_t end = at + wanted.size();
        const bool starts = at == 0 || !is_word_letter(has[at - 1]) || !is_word_letter(wanted.front());
        const bool ends = end == has.size() || !is_word_letter(has[end]) || !is_word_letter(wanted.back());
        score = std::max(score, starts && ends ? kWholeWords : starts ? kWithin : kMissMax); // "Save" is not meant by "Unsaved"
    }
    return score;
}

std::u32string trimmed(std::u32string s) {
    while (!s.empty() && is_blank(s.back())) {
        s.pop_back();
    }
    s.erase(s.begin(), std::find_if_not(s.begin(), s.end(), is_blank));
    return s;
}

} // namespace

std::u32string decoded(std::string_view utf8) {
    utf8 = utf8.substr(0, kTextBytesMax);
    std::u32string out;
    for (std::size_t i = 0; i < utf8.size();) {
        const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(utf8[k]); };
        const std::size_t n = sequence_bytes(byte(i));
        bool is_good = n > 0 && i + n <= utf8.size();
        char32_t c = n == 1 ? byte(i) : byte(i) & (0xFFU >> (n + 1));
        for (std::size_t k = 1; is_good && k < n; ++k) {
            is_good = (byte(i + k) & 0xC0U) == 0x80;
            c = (c << 6U) | (byte(i + k) & 0x3FU);
        }
        is_good = is_good && !(n == 3 && c < 0x800) && !(n == 4 && (c < 0x10000 || c > 0x10FFFF)) && !(c >= 0xD800 && c <= 0xDFFF);
        out.push_back(is_good ? c : kBad);
        i += is_good ? n : 1;
    }
    return out;
}

bool is_word_letter(char32_t c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= 0xAA && c != 0xAB && c != 0xB0 && c != 0xB7 && c != 0xBB && c != 0xD7 && c != 0xF7 && (c < 0x2000 || c > 0x2BFF) && c < 0xE000);
}

std::u32string folded(std::string_view utf8) {
    const std::u32string all = decoded(utf8);
    std::u32string out;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const char32_t c = all[i];
        if ((c == '_' || c == '&') && i + 1 < all.size() && is_word_letter(all[i + 1])) {
            continue; // the letter that follows is underlined
        }
        if (!is_blank(c)) {
            out.push_back(lower(c));
        } else if (!out.empty() && out.back() != ' ') {
            out.push_back(' ');
        }
    }
    for (bool goes_on = true; goes_on && !out.empty();) {
        const char32_t last = out.back();
        goes_on = last == ' ' || ((last == kEllipsis || last == ':' || last == '*') && out.size() > 1);
        if (goes_on) {
            out.pop_back();
        } else if (ends_with_dots(out)) {
            out.resize(out.size() - 3);
            goes_on = true;
        }
    }
    return out;
}

double label_score(std::string_view wanted, std::string_view has, bool is_exact) {
    if (wanted.size() > kTextBytesMax) {
        return 0; // no label is that long
    }
    const bool is_cut = has.size() > kTextBytesMax; // what follows is not known, so it is never the same
    if (is_exact) {
        const std::u32string a = trimmed(decoded(wanted)), b = trimmed(decoded(has));
        return a == b && !a.empty() && !is_cut ? kSame : a.empty() ? 0.0 : std::min(kMissMax, static_cast<double>(common_beginning(a, b)) / static_cast<double>(std::max(a.size(), b.size())));
    }
    const std::u32string a = folded(wanted), b = folded(has);
    if (a.empty() || b.empty()) {
        return 0;
    }
    if (a == b && !is_cut) {
        return kSame;
    }
    const double within = within_score(a, b);
    return within > 0 ? within : std::min(kMissMax, static_cast<double>(common_beginning(a, b)) / static_cast<double>(std::max(a.size(), b.size())));
}

std::string in_quotes(std::string_view utf8) { return "\"" + printable(utf8) + "\""; }

std::string printable(std::string_view utf8) {
    const std::u32string all = decoded(utf8);
    std::string out;
    for (std::size_t i = 0; i < std::min(all.size(), kQuotedMax); ++i) {
        const char32_t c = all[i] < ' ' || (all[i] >= 0x7F && all[i] < 0xA0) || (all[i] >= 0x202A && all[i] <= 0x202E) || (all[i] >= 0x2066 && all[i] <= 0x2069) ? U' ' : all[i];
        if (c < 0x80) {
            out.push_back(static_cast<char>(c));
            continue;
        }
        const int n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        out.push_back(static_cast<char>((n == 2 ? 0xC0U : n == 3 ? 0xE0U : 0xF0U) | (c >> (6 * (n - 1)))));
        for (int k = n - 2; k >= 0; --k) {
            out.push_back(static_cast<char>(0x80U | ((c >> (6 * k)) & 0x3FU)));
        }
    }
    return out + (all.size() > kQuotedMax ? "…" : "");
}

} // namespace handeye::locate

// SPDX-License-Identifier: Apache-2.0
#include "agent/locate/phrases.h"

#include "agent/locate/words.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace handeye::locate {
namespace {

constexpr double kAlike = 0.15;       // of a letter
constexpr double kMissMax = 0.75;     // what does not fit stays below every threshold
constexpr double kPartOfLine = 0.88;  // a button's words are all of its line; the same word in a sentence comes second
constexpr double kSure = 0.90;        // from here on "rn" is not "m": Modern is not Modem
constexpr double kUnsure = 0.75;      // below: the reader doubts its own word
constexpr std::size_t kLongWord = 6;  // letters from which one may differ, if the reader was unsure
constexpr std::size_t kPhrasesMax = 200;
constexpr std::size_t kShort = 3;     // letters up to which a reader that was sure is believed: "as" is not "A5"
constexpr std::size_t kLettersMax = 200;

constexpr std::array<std::u32string_view, 11> kLookAlikes{U"l1|", U"i1|!", U"0o", U"5s", U"8b", U"2z", U"9g", U".,", U"-–—_", U"'’‘`", U"\"“”"};
constexpr std::array<std::pair<std::u32string_view, char32_t>, 4> kPairs{{{U"rn", U'm'}, {U"cl", U'd'}, {U"vv", U'w'}, {U"ii", U'u'}}};
constexpr std::array<std::u32string_view, 10> kAccented{U"aàáâãäåā", U"eèéêëē", U"iìíîïī", U"oòóôõöøō", U"uùúûüū", U"cçćč", U"nñń", U"sšśß", U"zžźż", U"yýÿ"};

/// "Mail" is not "Mall", and "lnfo" is "Info": a capital I and a small l are alike where a word begins. An accent that the reader
/// does not know is lost; none is made up.
bool are_alike(char32_t wanted, char32_t read, bool is_first) {
    const auto both = [&](std::u32string_view set) { return set.find(wanted) != set.npos && set.find(read) != set.npos; };
    return std::any_of(kLookAlikes.begin(), kLookAlikes.end(), both) || (is_first && both(U"il")) ||
           std::any_of(kAccented.begin(), kAccented.end(), [&](std::u32string_view set) { return read == set.front() && both(set); });
}

/// Of two texts: whether one's pair at i stands for the other's letter at j.
bool is_pair(const std::u32string& two, std::size_t i, const std::u32string& one, std::size_t j) {
    return i >= 2 && j >= 1 && std::any_of(kPairs.begin(), kPairs.end(), [&](const auto& pair) { return std::u32string_view(two).substr(i - 2, 2) == pair.first && one[j - 1] == pair.second; });
}

std::u32string without_blanks(std::u32string s) {
    s.erase(std::remove(s.begin(), s.end(), U' '), s.end());
    return s;
}

/// Marks around a word are not part of it, unless it has nothing else.
std::u32string bare(const std::u32string& s) {
    const auto first = std::find_if(s.begin(), s.end(), is_word_letter);
    const auto last = std::find_if(s.rbegin(), s.rend(), is_word_letter).base();
    return first < last ? std::u32string(first, last) : s;
}

std::size_t count_words(const std::u32string& s) { return static_cast<std::size_t>(std::count(s.begin(), s.end(), U' ')) + 1; }

struct Wanted {
    std::u32string letters; // folded, without blanks
    std::size_t n_words = 1;
    bool is_exact = false;
    std::string_view text_utf8;
};

double score_of(const Wanted& wanted, const TextLine& line, std::size_t from, std::size_t to, const std::string& read) {
    const bool is_whole = from == 0 && to == line.words.size();
    if (wanted.is_exact) {
        const double same = label_score(wanted.text_utf8, read, true);
        return is_whole ? same : std::min(same, kMissMax);
    }
    std::u32string letters = without_blanks(folded(read));
    if (const std::u32string core = bare(letters); bare(wanted.letters) == wanted.letters) {
        letters = core;
    }
    const std::size_t longest = std::max(wanted.letters.size(), letters.size());
    if (letters.empty() || longest > kLettersMax || longest > 2 * std::min(wanted.letters.size(), letters.size())) {
        return 0;
    }
    double confidence = 1;
    for (std::size_t i = from; i < to; ++i) {
        confidence = std::min(confidence, line.words[i].confidence);
    }
    const double cost = reading_cost(wanted.letters, letters, confidence < kSure);
    const bool is_doubtful = cost > 0 && longest <= kShort && confidence >= kSure;
    const double allowed = is_doubtful ? 0 : confidence < kUnsure && wanted.letters.size() >= kLongWord ? 2 : 1; // below 1 only look-alikes fit
    const double alike = 1 - cost / static_cast<double>(longest);
    if (cost >= allowed) {
        return std::clamp(alike, 0.0, kMissMax);
    }
    return alike * (0.95 + 0.05 * confidence) * (is_whole ? 1 : kPartOfLine);
}

void find_in_line(const Wanted& wanted, const TextLine& line, std::vector<Phrase>& found) {
    const std::size_t most = wanted.n_words + 2; // a reader may break words
    Phrase best;
    std::vector<Phrase> good;
    for (std::size_t from = 0; from < line.words.size(); ++from) {
        std::string read;
        Phrase here;
        for (std::size_t to = from + 1; to <= std::min(line.words.size(), from + most); ++to) {
            read += (read.empty() ? "" : " ") + line.words[to - 1].text_utf8;
            const double score = score_of(wanted, line, from, to, read);
            if (score > here.score) {
                const Rect first = line.words[from].box, last = line.words[to - 1].box;
                const int top = std::min(first.y, last.y), bottom = std::max(first.y + first.height_px, last.y + last.height_px);
                here = {{first.x, top, std::max(1, last.x + last.width_px - first.x), std::max(1, bottom - top)}, read, score};
            }
        }
        if (here.score > kMissMax) {
            if (!good.empty() && good.back().box.x + good.back().box.width_px > here.box.x) { // overlaps: the better one
                good.back() = here.score > good.back().score ? here : good.back();
            } else {
                good.push_back(here);
            }
        } else if (here.score > best.score) {
            best = here;
        }
    }
    if (good.empty() && best.score > 0) {
        good.push_back(best);
    }
    found.insert(found.end(), good.begin(), good.end());
}

} // namespace

double reading_cost(const std::u32string& wanted, const std::u32string& read, bool is_unsure) {
    std::vector<std::vector<double>> cost(wanted.size() + 1, std::vector<double>(read.size() + 1));
    for (std::size_t i = 0; i <= wanted.size(); ++i) {
        for (std::size_t j = 0; j <= read.size(); ++j) {
            if (i == 0 || j == 0) {
                cost[i][j] = static_cast<double>(i + j);
                continue;
            }
            const char32_t a = wanted[i - 1], b = read[j - 1];
            double least = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a == b ? 0.0 : are_alike(a, b, i == 1 && j == 1) ? kAlike : 1.0)});
            if (is_unsure && is_pair(wanted, i, read, j)) {
                least = std::min(least, cost[i - 2][j - 1] + kAlike);
            }
            if (is_unsure && is_pair(read, j, wanted, i)) {
                least = std::min(least, cost[i - 1][j - 2] + kAlike);
            }
            cost[i][j] = least;
        }
    }
    return cost[wanted.size()][read.size()];
}

std::vector<Phrase> find_phrases(const std::vector<TextLine>& lines, const std::string& wanted_utf8, bool is_exact) {
    const std::u32string all = folded(wanted_utf8);
    const Wanted wanted{without_blanks(all), count_words(all), is_exact, wanted_utf8};
    std::vector<Phrase> found;
    if (wanted.letters.empty() || wanted.letters.size() > kLettersMax) {
        return found;
    }
    for (const TextLine& line : lines) {
        find_in_line(wanted, line, found);
    }
    std::stable_sort(found.begin(), found.end(), [](const Phrase& a, const Phrase& b) { return a.score > b.score; });
    found.resize(std::min(found.size(), kPhrasesMax));
    return found;
}

} // namespace handeye::locate

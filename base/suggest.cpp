// SPDX-License-Identifier: Apache-2.0
#include "base/suggest.h"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kTypoDistanceMax = 3;
constexpr std::size_t kGivenBytesMax = 80; // longer words are no slip of the finger

/// Two neighbours that changed places count as one slip.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1); // of the two rows above
    std::vector<std::size_t> above(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0U);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        before.swap(above);
        above.swap(row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
        }
    }
    return row.back();
}

std::string lowered(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

} // namespace

std::string_view nearest_name(std::string_view given, std::span<const std::string_view> names) {
    std::string_view best;
    std::size_t distance = std::min(kTypoDistanceMax + 1, given.size() / 2 + 1);
    if (given.size() > kGivenBytesMax) {
        return best;
    }
    for (const std::string_view name : names) {
        if (const std::size_t d = edit_distance(name, given); d < distance) {
            distance = d;
            best = name;
        }
    }
    return best;
}

std::vector<std::string_view> nearest_names(std::string_view given, std::span<const std::string_view> names, std::size_t count) {
    std::vector<std::pair<std::size_t, std::string_view>> ranked;
    const std::string wanted = lowered(given.substr(0, kGivenBytesMax));
    for (const std::string_view name : names) {
        ranked.emplace_back(edit_distance(lowered(name), wanted), name);
    }
    std::ranges::stable_sort(ranked, {}, &std::pair<std::size_t, std::string_view>::first);
    std::vector<std::string_view> out;
    for (std::size_t i = 0; i < std::min(count, ranked.size()); ++i) {
        out.push_back(ranked[i].second);
    }
    return out;
}

std::string suggestion(std::string_view given, std::string_view what, std::span<const std::string_view> names) {
    if (const std::string_view nearest = nearest_name(given, names); !nearest.empty()) {
        return fmt::format("did you mean \"{}\"?", nearest);
    }
    return names.empty() ? fmt::format("there are no {}", what) : fmt::format("the {} are {}", what, fmt::join(names, ", "));
}

} // namespace handeye

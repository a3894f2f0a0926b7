// SPDX-License-Identifier: Apache-2.0
#include "media/page_choice.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kRangesMax = 300;

std::optional<int> number_of(std::string_view text) {
    int value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    return problem == std::errc() && end == text.data() + text.size() && value >= 1 ? std::optional(value) : std::nullopt;
}

std::optional<PageRange> range_of(std::string_view text) {
    const std::size_t dash = text.find('-');
    const auto first = number_of(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number_of(text.substr(dash + 1));
    return first && last && *first <= *last ? std::optional(PageRange{*first, *last}) : std::nullopt;
}

} // namespace

Result<NamedFile> parse_named_file(const std::string& name) {
    std::error_code problem;
    const std::size_t hash = name.rfind('#');
    if (hash == std::string::npos || std::filesystem::exists(name, problem)) {
        return NamedFile{name, {}};
    }
    NamedFile file{name.substr(0, hash), {}};
    const std::string_view wanted = std::string_view(name).substr(hash + 1);
    for (std::size_t begin = 0; begin <= wanted.size();) {
        const std::size_t end = std::min(wanted.find(',', begin), wanted.size());
        const auto range = range_of(wanted.substr(begin, end - begin));
        if (!range || file.pages.size() == kRangesMax) {
            return Error{ErrorCode::InvalidArgument, fmt::format("\"{}\" names no pages; pages are named as in {}#3-7,9", wanted, file.path)};
        }
        file.pages.push_back(*range);
        begin = end + 1;
    }
    return file;
}

Result<std::vector<int>> choose_pages(const NamedFile& file, int pages, std::size_t pages_max) {
    const std::vector<PageRange> ranges = file.pages.empty() ? std::vector<PageRange>{{1, pages}} : file.pages;
    std::size_t count = 0;
    for (const PageRange& range : ranges) {
        if (range.last > pages) {
            return Error{ErrorCode::OutOfBounds, fmt::format("{} has {} pages, page {} is none of them", file.path, pages, range.last)};
        }
        count += static_cast<std::size_t>(range.last - range.first) + 1;
    }
    if (count > pages_max) {
        return Error{ErrorCode::LimitExceeded, fmt::format("{} pages of {}, each a picture, where {} more are taken; name some of them: {}#1-{}", count, file.path, pages_max, file.path, std::max<std::size_t>(pages_max, 1))};
    }
    std::vector<int> out;
    for (const PageRange& range : ranges) {
        for (int page = range.first; page <= range.last; ++page) {
            out.push_back(page);
        }
    }
    return out;
}

std::string pages_text(const std::vector<int>& pages) {
    std::string out;
    for (std::size_t begin = 0; begin < pages.size();) {
        std::size_t end = begin + 1;
        while (end < pages.size() && pages[end] == pages[end - 1] + 1) {
            ++end;
        }
        const std::string one = end - begin == 1 ? std::to_string(pages[begin]) : fmt::format("{} to {}", pages[begin], pages[end - 1]);
        out += (out.empty() ? "" : end == pages.size() ? " and " : ", ") + one;
        begin = end;
    }
    return out;
}

} // namespace handeye

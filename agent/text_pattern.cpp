// SPDX-License-Identifier: Apache-2.0
#include "agent/text_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <cstdint>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::uint32_t kMatchLimit = 200'000; // steps of the matcher: some milliseconds
constexpr std::uint32_t kDepthLimit = 2'000;
constexpr std::uint32_t kHeapLimitKib = 4'096;
constexpr std::uint32_t kNestLimit = 50;

PCRE2_SPTR as_units(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

} // namespace

struct TextPattern::Code {
    std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code{nullptr, pcre2_code_free};
};

Result<TextPattern> TextPattern::compile(const std::string& pattern) {
    if (pattern.empty() || pattern.size() > kBytesMax) {
        return Error{ErrorCode::InvalidArgument, fmt::format("a pattern takes 1 to {} bytes, not {}", kBytesMax, pattern.size())};
    }
    const std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(
        pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
    pcre2_set_parens_nest_limit(context.get(), kNestLimit);
    int error = 0;
    PCRE2_SIZE at = 0;
    auto code = std::make_shared<Code>();
    // No \C, which cuts characters, and no switching of the checks on UTF from within the pattern.
    code->code.reset(pcre2_compile(as_units(pattern), pattern.size(), PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &at, context.get()));
    if (!code->code) {
        std::array<PCRE2_UCHAR, 256> text{};
        pcre2_get_error_message(error, text.data(), text.size());
        return Error{ErrorCode::InvalidArgument, fmt::format("pattern \"{}\" is wrong at byte {}: {}", pattern, at,
                                                             reinterpret_cast<const char*>(text.data()))};
    }
    TextPattern out;
    out.code_ = std::move(code);
    return out;
}

struct TextPattern::Match {
    std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data{nullptr, pcre2_match_data_free};
    int count = 0; ///< of PCRE2: groups and the whole, or what went wrong
};

TextPattern::Match TextPattern::match(std::string_view text_utf8) const {
    const std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> context(pcre2_match_context_create(nullptr),
                                                                                            pcre2_match_context_free);
    pcre2_set_match_limit(context.get(), kMatchLimit);
    pcre2_set_depth_limit(context.get(), kDepthLimit);
    pcre2_set_heap_limit(context.get(), kHeapLimitKib);
    Match out;
    out.data.reset(pcre2_match_data_create_from_pattern(code_->code.get(), nullptr));
    out.count = pcre2_match(code_->code.get(), as_units(text_utf8), text_utf8.size(), 0, 0, out.data.get(), context.get());
    return out;
}

TextPattern::Found TextPattern::find_in(std::string_view text_utf8) const {
    const int count = match(text_utf8).count;
    if (count >= 0) {
        return Found::Yes;
    }
    return count == PCRE2_ERROR_NOMATCH ? Found::No : Found::Unknown;
}

std::optional<std::string> TextPattern::first_in(std::string_view text_utf8) const {
    const Match found = match(text_utf8);
    if (found.count < 1) {
        return std::nullopt;
    }
    const PCRE2_SIZE* const places = pcre2_get_ovector_pointer(found.data.get());
    const std::size_t group = found.count > 1 && places[2] != PCRE2_UNSET ? 2 : 0;
    return std::string(text_utf8.substr(places[group], places[group + 1] - places[group]));
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
#include "apps/chat/dials.h"

#include "base/suggest.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

namespace handeye::chat {
namespace {

constexpr double kTokensMax = 1 << 20;
constexpr double kWholeMax = 9007199254740992.0; // whole numbers up to here are exact

template <auto Field>
DialRow sampling_row(std::string_view name, std::string_view help, double least, double most, bool is_whole) {
    return {name, help, least, most, is_whole, [](const Dials& d) { return static_cast<double>(d.sampling.*Field); },
            [](Dials& d, double value) { d.sampling.*Field = static_cast<std::remove_reference_t<decltype(d.sampling.*Field)>>(value); }};
}

template <auto Field>
DialRow row(std::string_view name, std::string_view help, double least, double most, bool is_whole) {
    return {name, help, least, most, is_whole, [](const Dials& d) { return static_cast<double>(d.*Field); },
            [](Dials& d, double value) { d.*Field = static_cast<std::remove_reference_t<decltype(d.*Field)>>(value); }};
}

} // namespace

const std::vector<DialRow>& dial_rows() {
    using S = SamplingOptions;
    static const std::vector<DialRow> rows{
        sampling_row<&S::temperature>("temperature", "0: the most probable token each time", 0, 2, false),
        sampling_row<&S::top_p>("top_p", "Share of the probability that is sampled from", 1e-6, 1, false),
        sampling_row<&S::top_k>("top_k", "Tokens that are sampled from, 0: all", 0, kTokensMax, true),
        sampling_row<&S::min_p>("min_p", "Least share of the best token's probability, 0: any", 0, 1, false),
        sampling_row<&S::repetition_penalty>("repetition_penalty", "1: none", 0.1, 10, false),
        sampling_row<&S::seed>("seed", "Of sampling", 0, kWholeMax, true),
        row<&Dials::max_new_tokens>("max_new_tokens", "Tokens of one answer at most", 1, kTokensMax, true),
        row<&Dials::thinking_budget>("thinking_budget", "Tokens after which thinking is closed by force, 0: never", 0, kTokensMax, true),
        row<&Dials::dpi>("dpi", "Dots per inch of pages", 20, 600, false),
    };
    return rows;
}

Result<void> turn_dial(Dials& dials, std::string_view name, std::string_view value) {
    const auto row = std::find_if(dial_rows().begin(), dial_rows().end(), [&](const DialRow& r) { return r.name == name; });
    if (row == dial_rows().end()) {
        std::vector<std::string_view> names;
        std::transform(dial_rows().begin(), dial_rows().end(), std::back_inserter(names), [](const DialRow& r) { return r.name; });
        return Error{ErrorCode::InvalidArgument, fmt::format("nothing is called {}; {}", name, suggestion(name, "names", names))};
    }
    double number = 0;
    const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), number);
    const bool is_number = problem == std::errc() && end == value.data() + value.size() && std::isfinite(number) && (!row->is_whole || number == std::floor(number));
    if (!is_number || number < row->least || number > row->most) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} {}: a {}number from {} to {}", name, value, row->is_whole ? "whole " : "", row->least, row->most)};
    }
    row->set(dials, number);
    return {};
}

std::string dial_text(const DialRow& row, const Dials& dials) {
    return row.is_whole ? fmt::format("{}", static_cast<std::int64_t>(row.get(dials))) : fmt::format("{:g}", row.get(dials));
}

void put_dials(const Dials& dials, ChatRequest& request) {
    request.sampling = dials.sampling;
    request.max_new_tokens = dials.max_new_tokens;
    request.thinking_budget = dials.thinking_budget > 0 ? std::optional(dials.thinking_budget) : std::nullopt;
    request.enable_thinking = dials.thinks;
}

} // namespace handeye::chat

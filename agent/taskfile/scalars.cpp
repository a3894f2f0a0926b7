// SPDX-License-Identifier: Apache-2.0
#include "agent/taskfile/scalars.h"

#include "agent/taskfile/expression.h"

#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/format.h>

namespace handeye::taskfile {
namespace {

constexpr std::size_t kReferencesMax = 200; // in one text

struct Unit {
    std::string_view name;
    double factor;
};

/// A number of at least 0 followed by one of the units.
template <std::size_t N>
std::optional<double> number_with_unit(std::string_view text, const std::array<Unit, N>& units) {
    double value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (failed != std::errc{} || !std::isfinite(value) || value < 0) {
        return std::nullopt;
    }
    const std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
    for (const Unit& unit : units) {
        if (rest == unit.name) {
            return value * unit.factor;
        }
    }
    return std::nullopt;
}

} // namespace

Result<Duration> parse_duration(std::string_view text) {
    constexpr std::array<Unit, 4> kUnits{{{"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}}};
    const auto seconds = number_with_unit(text, kUnits);
    if (!seconds || *seconds > 1e9) {
        return Error{ErrorCode::ParseFailed, fmt::format("\"{}\" is no duration such as 250ms, 15s, 10m or 2h", text.substr(0, 40))};
    }
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(*seconds));
}

Result<std::int64_t> parse_count(std::string_view text) {
    constexpr std::array<Unit, 3> kUnits{{{"", 1}, {"k", 1e3}, {"M", 1e6}}};
    const auto count = number_with_unit(text, kUnits);
    if (!count || *count > 1e15 || *count != std::floor(*count)) {
        return Error{ErrorCode::ParseFailed, fmt::format("\"{}\" is no count such as 200, 200k or 2M", text.substr(0, 40))};
    }
    return static_cast<std::int64_t>(*count);
}

Result<std::vector<TextPiece>> parse_text(std::string_view text) {
    std::vector<TextPiece> out;
    std::string plain;
    std::size_t plain_from = 0;
    const auto flush = [&] {
        if (!plain.empty()) {
            out.push_back({false, std::exchange(plain, {}), plain_from});
        }
    };
    std::size_t at = 0;
    while (at < text.size()) {
        const std::string_view rest = text.substr(at);
        if (rest.starts_with("$${")) {
            plain += "${";
            at += 3;
        } else if (rest.starts_with("${")) {
            flush();
            const std::size_t end = rest.find('}');
            if (end == std::string_view::npos) {
                return Error{ErrorCode::ParseFailed, fmt::format("the reference \"{}\" has no \"}}\"; write \"$${{\" for the two signs themselves", rest.substr(0, 40))};
            }
            const std::string_view inner = rest.substr(2, end - 2);
            const auto parsed = parse_expression(inner);
            if (!parsed) {
                return Error{ErrorCode::ParseFailed, fmt::format("${{{}}}: {}", inner.substr(0, 60), parsed.error().message)};
            }
            if (out.size() >= 2 * kReferencesMax) {
                return Error{ErrorCode::LimitExceeded, fmt::format("more than {} references in one text", kReferencesMax)};
            }
            out.push_back({true, std::string(inner), at + 2});
            at += end + 1;
            plain_from = at;
        } else {
            plain += rest[0];
            ++at;
        }
    }
    flush();
    return out;
}

} // namespace handeye::taskfile

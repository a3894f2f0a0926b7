// SPDX-License-Identifier: Apache-2.0
#include "remote/retry.h"

#include "base/http_status.h"
#include "remote/server_traits.h"

#include <algorithm>
#include <charconv>
#include <ctime>

#include <fmt/format.h>

namespace handeye {
namespace {

using namespace http_status;
constexpr std::int64_t kSecondsMax = 1'000'000;

std::string words_of(const ServerComplaint& complaint, const std::string& api_key) {
    return complaint.message.empty() ? "" : ": " + without_key(complaint.message, api_key);
}

} // namespace

std::string without_key(std::string text, const std::string& key) {
    constexpr std::string_view kInstead = "(key)";
    for (std::size_t at = key.empty() ? std::string::npos : text.find(key); at != std::string::npos; at = text.find(key, at + kInstead.size())) {
        text.replace(at, key.size(), kInstead);
    }
    return text;
}

Failure failure_of(const HttpHead& head, const ServerComplaint& complaint, const std::string& api_key) {
    using Kind = Failure::Kind;
    const auto failure = [&](Kind kind, ErrorCode code, const std::string& what) {
        return Failure{kind, {code, fmt::format("{} ({}){}", what, head.status, words_of(complaint, api_key))}, parse_retry_after(head.field("retry-after"), SystemClock().wall_now())};
    };
    switch (head.status) {
    case kUnauthorized: return failure(Kind::Unusable, ErrorCode::PermissionDenied, api_key.empty() ? "it wants an API key, and none was given" : "it does not take the API key");
    case kForbidden: return failure(Kind::Unusable, ErrorCode::PermissionDenied, "it refuses this client");
    case kNotFound:
    case kMethodNotAllowed: return failure(Kind::Unusable, ErrorCode::NotFound, "there is no such model or no such path");
    case kTooLarge: return failure(Kind::Final, ErrorCode::LimitExceeded, "the question is too large for it");
    case kTimeout:
    case kTooEarly:
    case kTooMany: return failure(Kind::Busy, ErrorCode::Overloaded, "it is busy");
    case kUnavailable: return failure(Kind::Busy, ErrorCode::Unavailable, "it is not ready");
    default: break;
    }
    if (head.status >= kServerFault) {
        return failure(Kind::Lost, ErrorCode::Unavailable, "it failed");
    }
    if (head.status >= kClientFault) {
        return is_about_context(complaint) ? failure(Kind::Final, ErrorCode::LimitExceeded, "the question is too long for it")
                                           : failure(Kind::Final, ErrorCode::InvalidArgument, "it refuses the question");
    }
    return failure(Kind::Unusable, ErrorCode::Unavailable, head.status >= kRedirect ? "it sends elsewhere, where nothing is sent: name that URL" : "it answered what is no answer");
}

Failure failure_of(const ServerComplaint& complaint, const std::string& api_key) {
    const bool is_questions_fault = complaint.type == "invalid_request_error" || complaint.type == "BadRequestError";
    const ErrorCode code = !is_questions_fault ? ErrorCode::Unavailable : is_about_context(complaint) ? ErrorCode::LimitExceeded : ErrorCode::InvalidArgument;
    return {is_questions_fault ? Failure::Kind::Final : Failure::Kind::Lost, {code, "it broke off its answer" + words_of(complaint, api_key)}, {}};
}

std::optional<Duration> parse_retry_after(std::string_view text, WallTime now) {
    std::int64_t seconds = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (!text.empty() && problem == std::errc() && end == text.data() + text.size()) {
        return seconds < 0 ? std::nullopt : std::optional<Duration>(std::chrono::seconds(std::min(seconds, kSecondsMax)));
    }
    std::tm date{};
    const std::string copy(text);
    const char* const rest = ::strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
    if (rest == nullptr || *rest != '\0') {
        return std::nullopt;
    }
    const WallTime when = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::from_time_t(::timegm(&date)));
    return std::clamp<Duration>(when - now, Duration::zero(), std::chrono::seconds(kSecondsMax));
}

Duration back_off(int round, Duration first, Duration max, double chance) {
    Duration pause = first;
    for (int i = 1; i < round && pause < max; ++i) {
        pause *= 2;
    }
    return std::chrono::duration_cast<Duration>(std::min(pause, max) * (1.0 - chance / 2));
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/person.h"

#include "apps/cli/command.h"
#include "base/clock.h"
#include "base/printable.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include <fmt/format.h>

namespace handeye::cli {
namespace {

constexpr int kLookMs = 100;
constexpr std::size_t kLineBytesMax = 64U << 10U;

bool is_terminal() { return ::isatty(STDIN_FILENO) == 1; }

/// One line; nullopt: stopped, too late, or the input ended.
std::optional<std::string> read_line(WallTime until, const std::stop_token& stop) {
    SystemClock clock;
    std::string line;
    while (!stop.stop_requested() && clock.wall_now() < until && line.size() < kLineBytesMax) {
        pollfd ready{STDIN_FILENO, POLLIN, 0};
        if (::poll(&ready, 1, kLookMs) <= 0) {
            continue;
        }
        char c = 0;
        if (::read(STDIN_FILENO, &c, 1) != 1) {
            return std::nullopt;
        }
        if (c == '\n') {
            return line;
        }
        line += c;
    }
    return std::nullopt;
}

void ask(const std::string& text) {
    print_progress("");
    std::fprintf(stderr, "%s", printable(text).c_str());
    std::fflush(stderr);
}

} // namespace

ApprovalAnswer Person::approve(const ApprovalRequest& request, const std::function<void()>& announce, const std::stop_token& stop) {
    announce();
    ApprovalAnswer out;
    out.by = "the terminal";
    if (!is_terminal()) {
        was_missed_ = true;
        out.note = "nobody can be asked";
        return out;
    }
    ask(fmt::format("{} ({})\n  {}\nDo it? [y/N] ", request.reason, request.risk, request.action_json));
    const std::optional<std::string> line = read_line(request.expires_at, stop);
    if (!line) {
        out.decision = stop.stop_requested() ? ApprovalDecision::Dropped : ApprovalDecision::Expired;
        return out;
    }
    out.decision = *line == "y" || *line == "yes" ? ApprovalDecision::Approve : ApprovalDecision::Deny;
    return out;
}

std::optional<std::string> Person::answer(const std::string& question_utf8, const std::vector<std::string>& choices, const std::stop_token& stop) {
    if (!is_terminal()) {
        was_missed_ = true;
        return std::nullopt;
    }
    std::string text = question_utf8 + "\n";
    for (std::size_t i = 0; i < choices.size(); ++i) {
        text += fmt::format("  {}  {}\n", i + 1, choices[i]);
    }
    for (;;) {
        ask(text + "> ");
        const std::optional<std::string> line = read_line(WallTime::max(), stop);
        if (!line || choices.empty()) {
            return line;
        }
        std::size_t number = 0;
        std::from_chars(line->data(), line->data() + line->size(), number);
        if (number >= 1 && number <= choices.size()) {
            return choices[number - 1];
        }
        if (std::find(choices.begin(), choices.end(), *line) != choices.end()) {
            return line;
        }
    }
}

} // namespace handeye::cli

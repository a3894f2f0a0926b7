// SPDX-License-Identifier: Apache-2.0
#include "apps/chat/answer_view.h"

#include "base/printable.h"

#include <chrono>
#include <cstdio>

#include <fmt/format.h>

namespace handeye::chat {
namespace {

constexpr std::string_view kDim = "\x1b[2m", kBold = "\x1b[1m", kPlain = "\x1b[0m";

std::string_view begin_of(Speech kind, bool has_colours) {
    switch (kind) {
    case Speech::Thought: return has_colours ? kDim : "";
    case Speech::Box: return has_colours ? kBold : "**";
    case Speech::Answer: return "";
    }
    return "";
}

std::string_view end_of(Speech kind, bool has_colours) {
    return kind == Speech::Answer ? std::string_view() : has_colours ? kPlain : kind == Speech::Box ? std::string_view("**") : std::string_view();
}

std::string why_ended(const Completion& completion) {
    switch (completion.stop_reason) {
    case StopReason::StopToken:
    case StopReason::StopText: return "";
    case StopReason::MaxTokens: return fmt::format("; cut off there (/set max_new_tokens {})", 2 * std::max(completion.usage.completion_tokens, 1));
    case StopReason::ContextFull: return "; the context is full (/undo or /clear)";
    case StopReason::Cancelled: return "; stopped";
    case StopReason::TimeUp: return "; its time was up";
    }
    return "";
}

} // namespace

AnswerView::AnswerView(ViewStyle style) : style_(style), splitter_([this](Speech kind, std::string_view text) { show(kind, text); }) {}

void AnswerView::show(Speech kind, std::string_view text) {
    if (kind == Speech::Thought && !style_.shows_thoughts) {
        return;
    }
    std::string out;
    if (kind != shown_) {
        out += end_of(shown_, style_.has_colours);
        const bool is_after_thought = shown_ == Speech::Thought;
        out += is_after_thought && has_begun_ ? (is_at_line_start_ ? "\n" : "\n\n") : "";
        out += begin_of(kind, style_.has_colours);
        shown_ = kind;
    }
    out += printable(text);
    has_begun_ = true;
    is_at_line_start_ = text.back() == '\n';
    std::fwrite(out.data(), 1, out.size(), stdout);
    std::fflush(stdout);
}

void AnswerView::put(std::string_view text) { splitter_.put(text); }

void AnswerView::end() {
    splitter_.end();
    const std::string_view last = end_of(shown_, style_.has_colours);
    std::fwrite(last.data(), 1, last.size(), stdout);
    if (has_begun_ && !is_at_line_start_) {
        std::fputs("\n", stdout);
    }
    std::fflush(stdout);
}

std::string usage_line(const Completion& completion) {
    const Usage& usage = completion.usage;
    const double seconds = std::chrono::duration<double>(usage.timings.decode).count();
    const std::string rate = seconds > 0 && usage.completion_tokens > 1 ? fmt::format(", {:.0f} tokens/s", usage.completion_tokens / seconds) : "";
    return fmt::format("{} token{}{}; {} of {} prompt tokens reused{}{}", usage.completion_tokens, usage.completion_tokens == 1 ? "" : "s", rate, usage.reused_tokens, usage.prompt_tokens,
                       usage.thinking_forced_close ? "; its thinking was closed by force" : "", why_ended(completion));
}

std::string dimmed(std::string_view text, const ViewStyle& style) {
    const std::string safe = printable_line(text);
    return style.has_colours ? fmt::format("{}{}{}", kDim, safe, kPlain) : safe;
}

} // namespace handeye::chat

// SPDX-License-Identifier: Apache-2.0
#include "apps/chat/spoken.h"

#include <algorithm>
#include <array>

namespace handeye::chat {
namespace {

constexpr std::string_view kThink = "<think>", kThinkEnd = "</think>", kBox = "<|begin_of_box|>", kBoxEnd = "<|end_of_box|>";
constexpr std::array kTags{kThink, kThinkEnd, kBox, kBoxEnd, std::string_view("<answer>"), std::string_view("</answer>")};

std::string trimmed(std::string text) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
    return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

} // namespace

void SpeechSplitter::say(std::string_view text) {
    if (is_fresh_ && kind_ != Speech::Box) {
        text.remove_prefix(std::min(text.find_first_not_of("\r\n"), text.size()));
    }
    if (!text.empty()) {
        is_fresh_ = false;
        has_answered_ = has_answered_ || kind_ != Speech::Thought;
        on_speech_(kind_, text);
    }
}

void SpeechSplitter::enter(Speech kind) {
    is_fresh_ = kind_ == Speech::Thought || kind == Speech::Thought || (is_fresh_ && kind != Speech::Box);
    kind_ = kind;
}

// False: it is not a tag here, but words.
bool SpeechSplitter::take_tag(std::string_view tag) {
    if (kind_ == Speech::Thought) {
        if (tag != kThinkEnd) {
            return false;
        }
        enter(Speech::Answer);
    } else if (tag == kThink) {
        if (has_answered_) {
            return false;
        }
        enter(Speech::Thought);
    } else if (tag == kBox) {
        enter(Speech::Box);
    } else if (tag == kBoxEnd) {
        enter(Speech::Answer);
    }
    return true;
}

void SpeechSplitter::put(std::string_view text) {
    held_ += text;
    std::size_t said = 0, at = held_.find('<');
    while (at != std::string::npos) {
        const std::string_view rest = std::string_view(held_).substr(at);
        if (std::any_of(kTags.begin(), kTags.end(), [&](std::string_view tag) { return tag.size() > rest.size() && tag.starts_with(rest); })) {
            break; // it may become one
        }
        const auto tag = std::find_if(kTags.begin(), kTags.end(), [&](std::string_view t) { return rest.starts_with(t); });
        if (tag != kTags.end()) {
            say(std::string_view(held_).substr(said, at - said));
            said = take_tag(*tag) ? at + tag->size() : at;
        }
        at = held_.find('<', at + (tag == kTags.end() ? 1 : tag->size()));
    }
    const std::size_t end = std::min(at, held_.size());
    say(std::string_view(held_).substr(said, end - said));
    held_.erase(0, end);
}

void SpeechSplitter::end() {
    say(held_);
    held_.clear();
}

Spoken take_apart(std::string_view text) {
    Spoken out;
    // Where the template has opened the thought, the answer holds its end alone.
    if (const std::size_t end = text.find(kThinkEnd); end != std::string_view::npos && text.substr(0, end).find(kThink) == std::string_view::npos) {
        out = take_apart(text.substr(end + kThinkEnd.size()));
        out.thought = trimmed(std::string(text.substr(0, end)));
        return out;
    }
    SpeechSplitter splitter([&](Speech kind, std::string_view said) { (kind == Speech::Thought ? out.thought : out.answer) += said; });
    splitter.put(text);
    splitter.end();
    out.is_thought_open = splitter.is_thinking();
    out.thought = trimmed(std::move(out.thought));
    out.answer = trimmed(std::move(out.answer));
    const std::size_t closed = text.find(kThinkEnd);
    out.for_history = out.is_thought_open ? "" : std::string(text.substr(closed == std::string_view::npos ? 0 : closed + kThinkEnd.size()));
    for (const std::string_view tag : {std::string_view("<answer>"), std::string_view("</answer>")}) {
        for (std::size_t at = 0; (at = out.for_history.find(tag)) != std::string::npos;) {
            out.for_history.erase(at, tag.size());
        }
    }
    out.for_history = trimmed(std::move(out.for_history));
    return out;
}

} // namespace handeye::chat

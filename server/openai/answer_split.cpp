// SPDX-License-Identifier: Apache-2.0
#include "server/openai/answer_split.h"

#include <algorithm>
#include <iterator>

namespace handeye {

/// Where each token stands in the text. The last one of a piece ends where the piece ends: bytes that are no UTF-8, or belong to a token that
/// is left out, are not as many there as here.
void AnswerSplit::place(const TextPiece& piece) {
    const std::size_t end = read_ + piece.text_utf8.size();
    for (const TokenLogprobs& logprobs : piece.logprobs) {
        const std::size_t begin = std::min(tokens_end_, end);
        tokens_end_ = std::min(begin + logprobs.token.bytes.size(), end);
        tokens_.push_back({begin, tokens_end_, logprobs});
    }
    if (!piece.logprobs.empty()) {
        tokens_.back().end = tokens_end_ = end;
    }
    read_ = end;
}

/// Those of the content go out with it; those of thinking, of its tags and of what a stop text cut off are told nobody.
void AnswerSplit::take_tokens(AnswerPiece& out) {
    const bool is_chat = call_.kind == AnswerKind::Chat;
    if (is_chat && !split_.content_begin()) {
        return;
    }
    const std::size_t from = is_chat ? *split_.content_begin() : 0;
    std::size_t count = 0;
    for (; count < tokens_.size() && tokens_[count].end <= passed_; ++count) {
        if (tokens_[count].begin >= from || tokens_[count].end > from) {
            out.logprobs.push_back(std::move(tokens_[count].logprobs));
        }
    }
    tokens_.erase(tokens_.begin(), tokens_.begin() + static_cast<std::ptrdiff_t>(count));
}

/// What may be the beginning of a call stays here.
void AnswerSplit::hold_calls(AnswerPiece& out) {
    if (call_.tools.empty()) {
        return;
    }
    content_ += out.content;
    const std::size_t certain = std::max(sent_, certain_text(content_, call_.tool_syntax, call_.tools));
    out.content = content_.substr(sent_, certain - sent_);
    sent_ = certain;
}

AnswerPiece AnswerSplit::take(std::string_view passed) {
    passed_ += passed.size();
    AnswerPiece out;
    if (call_.kind == AnswerKind::Chat) {
        ReasoningSplit::Piece both = split_.push(passed);
        out.reasoning = std::move(both.reasoning);
        out.content = std::move(both.content);
    } else {
        out.content = passed;
    }
    take_tokens(out);
    return out;
}

AnswerPiece AnswerSplit::push(const TextPiece& piece) {
    place(piece);
    AnswerPiece out = take(trim_.push(piece.text_utf8));
    hold_calls(out);
    return out;
}

AnswerRest AnswerSplit::finish() {
    AnswerRest out{.piece = take(trim_.finish()), .calls = {}};
    ReasoningSplit::Piece last = split_.finish();
    out.piece.reasoning += last.reasoning;
    out.piece.content += last.content;
    take_tokens(out.piece);
    hold_calls(out.piece);
    if (!call_.tools.empty()) {
        CalledTools called = find_tool_calls(content_, call_.tool_syntax, call_.tools);
        out.calls = std::move(called.calls);
        if (out.calls.empty()) {
            out.piece.content += content_.substr(sent_);
        } else if (called.text.size() > sent_ && called.text.starts_with(std::string_view(content_).substr(0, sent_))) {
            out.piece.content += called.text.substr(sent_); // said behind a call
        }
    }
    return out;
}

} // namespace handeye

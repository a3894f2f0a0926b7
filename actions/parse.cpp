// SPDX-License-Identifier: Apache-2.0
// The pipeline from a reply to one action: split, scan, choose. Never from thinking, never a guess, never success by default.
#include "actions/parse.h"

#include "actions/scan.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kReplyBytesMax = 1U << 20U;
constexpr std::size_t kMemoryBytesMax = 4U << 10U;
constexpr std::size_t kHistoryBytesMax = 8U << 10U;

std::string list_of_forms(Dialect dialect) {
    std::vector<std::string_view> forms;
    for (const VerbRow* row : verbs_of(dialect)) {
        forms.push_back(form_of(*row, dialect)->form);
    }
    return fmt::format("{}", fmt::join(forms, " | "));
}

Error no_action(Dialect expected) {
    return {ErrorCode::ParseFailed, fmt::format("no action recognised; write exactly one of: {}", list_of_forms(expected))};
}

enum class Shape { Json, Call, Line };
Shape shape_of(Dialect dialect) {
    switch (dialect) {
    case Dialect::Canonical:
    case Dialect::GlmMobile: return Shape::Json;
    case Dialect::GlmDesktop:
    case Dialect::GlmWebPoints:
    case Dialect::AutoGlm: return Shape::Call;
    case Dialect::GlmWebMarks: return Shape::Line;
    }
    return Shape::Call;
}
bool is_same_notation(Dialect a, Dialect b) { return shape_of(a) == shape_of(b); }
bool is_incomplete(const Candidate& candidate) {
    const auto* fault = std::get_if<Fault>(&candidate.built);
    return fault != nullptr && fault->kind == Fault::Kind::Incomplete;
}

/// The longest prefix of at most `bytes` that ends between characters.
std::string_view cut(std::string_view text, std::size_t bytes) {
    if (text.size() <= bytes) {
        return text;
    }
    while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0U) == 0x80U) {
        --bytes;
    }
    return text.substr(0, bytes);
}

using Pool = std::vector<const Candidate*>;

class ReplyParser {
public:
    ReplyParser(SplitReply split, Dialect expected, Sequence sequence, ReplyEnd end)
        : split_(std::move(split)), answer_(split_.answer), expected_(expected), sequence_(sequence), end_(end) {}

    Result<ParsedReply> run() {
        labels_ = find_labels(answer_);
        boxes_ = find_boxes(answer_, labels_);
        scan();
        settle_labels();
        const Candidate* chosen = TRY(choose());
        if (end_ == ReplyEnd::Truncated && is_cut_off(*chosen)) {
            return Error{ErrorCode::ParseFailed, "the answer was cut off in the middle of its action: write less before it"};
        }
        reply_.dialect = chosen->dialect;
        for (const std::string& warning : chosen->warnings) {
            reply_.warnings.push_back(warning);
        }
        reply_.call = std::string(trim(without_box_tokens(text_of(chosen->span))));
        reply_.thinking = std::move(split_.thinking);
        describe(chosen->span);
        return std::move(reply_);
    }

private:
    [[nodiscard]] std::string_view text_of(TextSpan span) const { return answer_.substr(span.begin, span.end - span.begin); }

    /// A lone line has no closing mark of its own: at the very end of the text it may be half a line.
    [[nodiscard]] bool is_cut_off(const Candidate& candidate) const {
        const bool is_line = candidate.dialect == Dialect::GlmWebMarks;
        return candidate.was_repaired || (is_line && trim(answer_.substr(candidate.span.end)).empty());
    }

    /// Every candidate of the answer, box by box and between them, so that nothing reaches across a box token.
    void scan() {
        Work work = work_for(answer_);
        const ScanGuide guide = find_guide(answer_, labels_);
        std::size_t at = 0;
        for (const BoxSpan& box : boxes_) {
            scan_actions(answer_, {at, box.outer.begin}, guide, work, candidates_);
            scan_actions(answer_, box.inner, guide, work, candidates_);
            at = box.outer.end;
        }
        scan_actions(answer_, {at, answer_.size()}, guide, work, candidates_);
        is_tangled_ = work.left == 0;
    }

    /// Labels inside an action's own text are part of that text; an Observation is invented by the model, and what follows it.
    void settle_labels() {
        auto candidate = candidates_.begin();
        std::erase_if(labels_, [&](const FieldLabel& label) {
            while (candidate != candidates_.end() && candidate->span.end <= label.begin) {
                ++candidate;
            }
            return candidate != candidates_.end() && candidate->span.begin < label.begin;
        });
        const auto observation = std::ranges::find(labels_, FieldName::Observation, &FieldLabel::name);
        if (observation == labels_.end()) {
            return;
        }
        const std::size_t end = observation->begin;
        answer_ = answer_.substr(0, end);
        labels_.erase(observation, labels_.end());
        std::erase_if(candidates_, [&](const Candidate& c) { return c.span.begin >= end; });
        std::erase_if(boxes_, [&](const BoxSpan& b) { return b.inner.begin > end; });
        if (!boxes_.empty()) {
            boxes_.back().inner.end = std::min(boxes_.back().inner.end, end);
            boxes_.back().outer.end = std::min(boxes_.back().outer.end, end);
        }
    }

    /// From a label to the next label or box.
    [[nodiscard]] TextSpan field_of(const FieldLabel& label) const {
        const auto next = std::ranges::upper_bound(labels_, label.begin, {}, &FieldLabel::begin);
        return {std::min(label.value, answer_.size()), next == labels_.end() ? answer_.size() : next->begin};
    }
    [[nodiscard]] TextSpan memory_span(const FieldLabel& label) const {
        TextSpan field = field_of(label);
        const auto box = std::ranges::lower_bound(boxes_, field.begin, {}, [](const BoxSpan& b) { return b.outer.begin; });
        if (box != boxes_.end()) {
            field.end = std::min(field.end, box->outer.begin);
        }
        return field;
    }

    [[nodiscard]] Pool inside(TextSpan span) const {
        Pool pool;
        for (const Candidate& candidate : candidates_) {
            if (candidate.span.is_inside(span)) {
                pool.push_back(&candidate);
            }
        }
        return pool;
    }
    [[nodiscard]] Pool in_boxes() const {
        Pool pool;
        auto candidate = candidates_.begin();
        for (const BoxSpan& box : boxes_) {
            for (; candidate != candidates_.end() && candidate->span.begin < box.inner.end; ++candidate) {
                if (candidate->span.is_inside(box.inner)) {
                    pool.push_back(&*candidate);
                }
            }
        }
        return pool;
    }
    [[nodiscard]] Pool in_fences() const {
        Pool pool;
        for (const TextSpan fence : find_fences(answer_)) {
            std::ranges::copy(inside(fence), std::back_inserter(pool));
        }
        return pool;
    }
    [[nodiscard]] Pool outside_memory() const {
        Pool pool;
        auto label = labels_.begin();
        for (const Candidate& candidate : candidates_) {
            while (label != labels_.end() && std::next(label) != labels_.end() && std::next(label)->begin <= candidate.span.begin) {
                ++label;
            }
            const bool is_memory = label != labels_.end() && label->name == FieldName::Memory && label->begin <= candidate.span.begin;
            if (!is_memory) {
                pool.push_back(&candidate);
            }
        }
        return pool;
    }

    Result<const Candidate*> choose() {
        if (is_tangled_) {
            return Error{ErrorCode::ParseFailed, "the answer is too tangled to read: write one action and nothing else"};
        }
        if (trim(answer_).empty()) {
            return Error{ErrorCode::ParseFailed, "the answer is empty: after thinking, write exactly one action"};
        }
        std::vector<Pool> pools;
        pools.push_back(in_boxes());
        const auto action = std::ranges::find(labels_.rbegin(), labels_.rend(), FieldName::Act, &FieldLabel::name);
        if (action != labels_.rend()) {
            pools.push_back(inside(field_of(*action)));
        }
        pools.push_back(in_fences());
        if (boxes_.empty()) { // a box without an action marks what was meant; text around it is not executed
            pools.push_back(outside_memory());
        }
        for (const Pool& pool : pools) {
            const Candidate* best = TRY(best_of(pool));
            if (best != nullptr) {
                return best;
            }
        }
        if (find_bare(action == labels_.rend() ? std::nullopt : std::optional(field_of(*action)))) {
            return &*bare_;
        }
        return fault_.empty() ? no_action(expected_) : Error{ErrorCode::ParseFailed, fault_};
    }

    /// The last candidate of the expected dialect, else the last of any; mentions without arguments do not count.
    Result<const Candidate*> best_of(const Pool& pool) {
        Pool usable;
        for (const Candidate* candidate : pool) {
            if (is_incomplete(*candidate)) {
                fault_ = std::get<Fault>(candidate->built).message;
            } else {
                usable.push_back(candidate);
            }
        }
        if (usable.empty()) {
            return static_cast<const Candidate*>(nullptr);
        }
        Pool expected;
        std::ranges::copy_if(usable, std::back_inserter(expected),
                             [&](const Candidate* c) { return is_same_notation(c->dialect, expected_); });
        const Pool& from = expected.empty() ? usable : expected;
        const Candidate* last = from.back();
        if (const auto* fault = std::get_if<Fault>(&last->built)) {
            return Error{ErrorCode::ParseFailed, fault->message};
        }
        reply_.action = std::get<Action>(last->built);
        if (from.size() > 1) {
            last = merge_with_previous(*last, *from[from.size() - 2]);
            reply_.warnings.push_back(fmt::format("multiple actions: took the last of {}", from.size()));
        }
        return last;
    }

    /// Two actions of one answer that are meant together.
    const Candidate* merge_with_previous(const Candidate& last, const Candidate& previous) {
        const auto* before = std::get_if<Action>(&previous.built);
        if (before == nullptr) {
            return &last;
        }
        const auto* answer = std::get_if<Answer>(before);
        const auto* finish = std::get_if<Finish>(&reply_.action);
        if (answer != nullptr && finish != nullptr) { // the answer would be lost; its status comes again, or came with it
            reply_.action = Answer{answer->text_utf8, answer->ends_task || finish->verdict == Verdict::Success};
            reply_.warnings.emplace_back("answer and status in one reply: took both");
            return &previous;
        }
        const auto* type = std::get_if<TypeText>(before);
        const auto* chord = std::get_if<KeyChord>(&reply_.action);
        const bool is_return = chord != nullptr && chord->modifiers.empty() && chord->keys.size() == 1 &&
                               (chord->keys[0] == "return" || chord->keys[0] == "enter");
        if (sequence_ == Sequence::TypeThenEnter && type != nullptr && is_return) {
            TypeText both = *type;
            both.press_enter = true;
            reply_.action = std::move(both);
            reply_.warnings.emplace_back("typing and Return in one reply: took both");
            return &previous;
        }
        return &last;
    }

    /// Last resort: a closing word that stands alone, in the last box, the Action field or the answer.
    bool find_bare(std::optional<TextSpan> action_field) {
        std::vector<TextSpan> regions;
        if (!boxes_.empty()) {
            regions.push_back(boxes_.back().inner);
        } else if (action_field) {
            regions.push_back(*action_field);
        } else {
            const auto memory = std::ranges::find(labels_, FieldName::Memory, &FieldLabel::name);
            regions.push_back({0, memory == labels_.end() ? answer_.size() : memory->begin});
        }
        for (const TextSpan region : regions) {
            bare_ = find_bare_word(answer_, region);
            if (bare_ && std::holds_alternative<Action>(bare_->built)) {
                reply_.action = std::get<Action>(bare_->built);
                return true;
            }
        }
        return false;
    }

    /// Memory, thought and what the next prompt shows of this step.
    void describe(TextSpan action) {
        const auto memory = std::ranges::find(labels_.rbegin(), labels_.rend(), FieldName::Memory, &FieldLabel::name);
        std::size_t history_end = answer_.size();
        if (memory != labels_.rend()) {
            const std::string_view text = trim(text_of(memory_span(*memory)));
            if (text.size() <= kMemoryBytesMax) {
                reply_.memory = without_box_tokens(text);
            } else {
                reply_.warnings.push_back(fmt::format("the memory takes {} bytes, more than {}: dropped", text.size(), kMemoryBytesMax));
            }
            if (memory->begin >= action.begin) {
                history_end = memory->begin;
            }
        }
        const std::string visible = without_box_tokens(trim(answer_.substr(0, history_end)));
        reply_.history_text = std::string(trim(cut(visible, kHistoryBytesMax)));
        reply_.thought = thought_before(action);
    }

    [[nodiscard]] std::string thought_before(TextSpan action) const {
        for (auto label = labels_.rbegin(); label != labels_.rend(); ++label) {
            if ((label->name == FieldName::Thought || label->name == FieldName::Reason) && label->begin <= action.begin) {
                TextSpan field = field_of(*label);
                field.end = std::min(field.end, std::max(action.begin, field.begin));
                return without_box_tokens(cut(trim(text_of(field)), kHistoryBytesMax));
            }
        }
        // No label: what stands before the action, and before the field or the fence that holds it.
        std::size_t end = std::min(action.begin, answer_.size());
        std::size_t begin = 0;
        for (const FieldLabel& label : labels_) {
            if (label.name == FieldName::Memory && field_of(label).end <= end) {
                begin = memory_span(label).end;
            } else if (label.name == FieldName::Act && label.begin <= end) {
                end = std::max(begin, label.begin);
                break;
            }
        }
        std::string text = without_box_tokens(answer_.substr(begin, end - begin));
        if (const std::size_t fence = text.rfind("```"); fence != std::string::npos && text.size() - fence < 16) {
            text.resize(fence);
        }
        constexpr std::string_view kToolCall = "<tool_call>";
        std::string_view thought = trim(text);
        thought.remove_suffix(thought.ends_with(kToolCall) ? kToolCall.size() : 0);
        return std::string(cut(trim(thought), kHistoryBytesMax));
    }

    SplitReply split_;
    std::string_view answer_;
    Dialect expected_;
    Sequence sequence_;
    ReplyEnd end_;
    std::vector<FieldLabel> labels_;
    std::vector<BoxSpan> boxes_;
    std::vector<Candidate> candidates_;
    std::optional<Candidate> bare_;
    std::string fault_; ///< of the last call that lacked something
    bool is_tangled_ = false;
    ParsedReply reply_;
};

Error too_long(std::size_t bytes) {
    return {ErrorCode::LimitExceeded, fmt::format("the answer takes {} bytes, more than {}", bytes, kReplyBytesMax)};
}

} // namespace

std::string join_reasoning(std::string_view reasoning, std::string_view content, ReplyEnd end) {
    if (reasoning.empty()) {
        return std::string(content);
    }
    if (!trim(content).empty()) {
        return fmt::format("<think>{}</think>{}", reasoning, content);
    }
    return end == ReplyEnd::Complete ? std::string(reasoning) : fmt::format("<think>{}", reasoning);
}

Result<ParsedReply> parse_reply(std::string_view reply_utf8, Dialect expected, Sequence sequence, ReplyEnd end) {
    if (reply_utf8.size() > kReplyBytesMax) {
        return too_long(reply_utf8.size());
    }
    SplitReply split = split_reply(reply_utf8);
    if (split.is_thinking_open) {
        return Error{ErrorCode::ParseFailed, "the thinking was cut off before an action: think less and write the action"};
    }
    return ReplyParser(std::move(split), expected, sequence, end).run();
}

Result<Action> parse_action(std::string_view text_utf8) {
    if (text_utf8.size() > kReplyBytesMax) {
        return too_long(text_utf8.size());
    }
    const std::string_view text = trim(text_utf8);
    if (text.starts_with('{') && text.find("\"verb\"") != std::string_view::npos) {
        return parse_canonical(text);
    }
    Work work = work_for(text);
    const std::vector<FieldLabel> labels = find_labels(text);
    std::vector<Candidate> candidates;
    scan_actions(text, {0, text.size()}, find_guide(text, labels), work, candidates);
    const bool is_whole = candidates.size() == 1 && candidates[0].span.begin == 0 &&
                          trim(text.substr(std::min(candidates[0].span.end, text.size()))).empty();
    if (!is_whole || work.left == 0) {
        return Error{ErrorCode::ParseFailed,
                     fmt::format("'{}' is not one action; write, for example, left_click(start_box='[500,312]'), "
                                 "{{\"action_type\":\"click\",\"box_2d\":[[480,290,520,330]]}} or {{\"verb\":\"click\",\"x\":160,\"y\":70}}",
                                 cut(text, 80))};
    }
    if (const auto* fault = std::get_if<Fault>(&candidates[0].built)) {
        return Error{ErrorCode::ParseFailed, fault->message};
    }
    return std::get<Action>(candidates[0].built);
}

} // namespace handeye

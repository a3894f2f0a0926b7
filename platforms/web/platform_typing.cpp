// SPDX-License-Identifier: Apache-2.0
// Typing, and reading back what arrived. ASCII goes as key presses, because completion lists, terminals and spinners listen to keys; the
// rest as inserted text, as from an input method. A page may drop, change or move what was typed: the field is asked, piece by piece.
#include "platforms/web/platform.h"

#include "base/json_fields.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::web {

using nlohmann::json;

namespace {

constexpr std::size_t kTextBytesMax = 1U << 20U;
constexpr std::size_t kInsertMax = 16; // characters of one insertion: a stop takes effect between two
constexpr std::size_t kFramesMax = 64;

/// A field as the page's own world sees it.
struct Field {
    std::string kind = "none"; // "line", "lines", "rich", "written", "none"
    std::string session;
    std::string frame;
    bool is_secret = false;
    bool is_locked = false;
};

/// What is known of the pieces so far.
struct Tally {
    std::size_t sent = 0;
    bool was_stopped = false;
    bool used_insertion = false;
    bool used_value = false;
    std::size_t confirmed = 0;
    bool is_unknown = false; // a piece could not be read back: no field, it went away, the page wrote something else, a date is not whole
    std::string wrong;   // what is missing
};

bool is_control(char32_t c) { return (c < 0x20 && c != U'\n' && c != U'\t') || (c >= 0x7f && c < 0xa0); }

/// One Return for each kind of line end.
std::vector<char32_t> with_plain_newlines(const std::vector<char32_t>& text) {
    std::vector<char32_t> result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != U'\r') {
            result.push_back(text[i]);
        } else if (i + 1 == text.size() || text[i + 1] != U'\n') {
            result.push_back(U'\n');
        }
    }
    return result;
}

std::string encode(const std::vector<char32_t>& text, std::size_t begin, std::size_t end) {
    std::string out;
    for (std::size_t i = begin; i < end; ++i) {
        append_utf8(out, text[i]);
    }
    return out;
}

std::string quoted_js(const std::string& text) { return json(text).dump(); }

/// "U+1F600 U+00E9", for messages.
std::string code_points(const json& missing) {
    std::string out;
    for (const json& sign : missing) {
        const auto decoded = sign.is_string() ? decode_utf8(sign.get_ref<const std::string&>()) : Result<std::vector<char32_t>>(std::vector<char32_t>{});
        if (decoded && decoded->size() == 1) {
            out += fmt::format("{}U+{:04X}", out.empty() ? "" : " ", static_cast<std::uint32_t>(decoded->front()));
        }
    }
    return out;
}

std::string what_is_wrong(const Field& field, const json& told, const std::string& wanted) {
    if (field.is_locked) {
        return "the field with the focus is read-only";
    }
    const json missing = json_list(told, "missing");
    if (field.is_secret) {
        return "the password field holds something else than what was typed";
    }
    const std::string shows = json_text(told, "shows");
    if (!missing.empty()) {
        return fmt::format("the field did not take {} of \"{}\": it shows \"{}\"", code_points(missing), wanted.substr(0, 60), shows);
    }
    return fmt::format("the field made \"{}\" of \"{}\"", shows, wanted.substr(0, 60));
}

} // namespace

/// The piece that can be read back at once: up to a Tab, and up to a Return where that leaves the field.
struct WebPlatform::Typist {
    WebPlatform& platform;
    const std::vector<char32_t>& text;
    const std::stop_token& stop;
    Tally tally;

    Result<Field> find_field(const Tab& tab);
    Result<void> run(const Tab& tab);
    Result<void> type_piece(const std::string& session, std::size_t begin, std::size_t end);
    Result<void> check_piece(const Field& field, std::size_t begin, std::size_t end);
    Result<bool> write_as_value(const Field& field, std::size_t begin, std::size_t end);
};

Result<Field> WebPlatform::Typist::find_field(const Tab& tab) {
    const auto ask = [&](const std::string& session, const std::string& frame) -> Result<Field> {
        const json told = TRY(platform.evaluate(session, frame, "handeye.begin()"));
        Field field;
        field.kind = json_text(told, "kind", "none");
        field.session = session;
        field.frame = frame;
        field.is_secret = json_flag(told, "secret");
        field.is_locked = json_flag(told, "locked");
        return field;
    };
    Field field = TRY(ask(tab.session, {}));
    if (field.kind != "frame") {
        return field;
    }
    for (const FrameRef& frame : TRY(platform.frames_of(tab, kFramesMax))) { // the innermost comes last
        auto inner = ask(frame.session, frame.id);
        if (inner && inner->kind != "none" && inner->kind != "frame") {
            const auto has_focus = platform.evaluate(frame.session, frame.id, "document.hasFocus()");
            if (has_focus && has_focus->is_boolean() && has_focus->get<bool>()) {
                return *inner;
            }
        }
    }
    return Field{};
}

Result<void> WebPlatform::Typist::type_piece(const std::string& session, std::size_t begin, std::size_t end) {
    for (std::size_t at = begin; at < end && !tally.was_stopped;) {
        std::size_t next = at + 1;
        Result<void> sent;
        if (const auto stroke = key_of_character(text[at])) {
            sent = platform.hand_->tap(session, *stroke);
        } else {
            while (next < end && next - at < kInsertMax && !key_of_character(text[next])) {
                ++next;
            }
            tally.used_insertion = true;
            sent = platform.hand_->insert(session, encode(text, at, next));
        }
        if (!sent && stop.stop_requested()) {
            tally.was_stopped = true;
            return {};
        }
        TRY(Result<void>(sent));
        tally.sent += next - at;
        at = next;
    }
    return {};
}

/// "2024-05-31" into a date field: what a person would pick, whatever order its parts are typed in here.
Result<bool> WebPlatform::Typist::write_as_value(const Field& field, std::size_t begin, std::size_t end) {
    if (field.kind != "written" || begin == end || stop.stop_requested()) {
        return false;
    }
    const json done = TRY(platform.evaluate(field.session, field.frame, fmt::format("handeye.write_value({})", quoted_js(encode(text, begin, end)))));
    if (!done.is_boolean() || !done.get<bool>()) {
        return false;
    }
    tally.sent += end - begin;
    tally.used_value = true;
    ++tally.confirmed;
    return true;
}

Result<void> WebPlatform::Typist::check_piece(const Field& field, std::size_t begin, std::size_t end) {
    if (begin == end || tally.was_stopped) {
        return {};
    }
    if (field.kind == "none") {
        tally.is_unknown = true;
        return {};
    }
    const std::string wanted = encode(text, begin, end);
    const auto told = platform.evaluate(field.session, field.frame, fmt::format("handeye.finish({})", quoted_js(wanted)));
    const std::string state = told ? json_text(*told, "state", "none") : "none";
    if (state == "confirmed") {
        ++tally.confirmed;
    } else if (state == "differs") {
        tally.wrong = what_is_wrong(field, *told, wanted);
    } else {
        tally.is_unknown = true;
    }
    return {};
}

Result<void> WebPlatform::Typist::run(const Tab& tab) {
    for (std::size_t at = 0; at < text.size() && !tally.was_stopped;) {
        const Field field = TRY(find_field(tab));
        const bool takes_lines = field.kind == "lines" || field.kind == "rich";
        std::size_t end = at;
        // The last Return sends in many a page instead of beginning a line: what stands before it is read back first.
        const auto is_inside = [&](std::size_t i) { return takes_lines && i + 1 < text.size(); };
        while (end < text.size() && text[end] != U'\t' && (is_inside(end) || text[end] != U'\n')) {
            ++end;
        }
        if (!TRY(write_as_value(field, at, end))) {
            TRY(type_piece(tab.session, at, end));
            TRY(check_piece(field, at, end));
        }
        if (end < text.size() && !tally.was_stopped) {
            TRY(type_piece(tab.session, end, end + 1));
            ++end;
        }
        at = end;
    }
    return {};
}

Result<TextResult> WebPlatform::type_text(std::string_view text_utf8, std::stop_token stop) {
    if (text_utf8.size() > kTextBytesMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("a text of {} bytes; the limit is {}", text_utf8.size(), kTextBytesMax)};
    }
    std::vector<char32_t> text = with_plain_newlines(TRY(decode_utf8(text_utf8)));
    const auto control = std::find_if(text.begin(), text.end(), is_control);
    std::string left_out;
    if (control != text.end()) {
        left_out = fmt::format("U+{:04X} is no character that can be typed", static_cast<std::uint32_t>(*control));
        std::erase_if(text, is_control);
    }
    const Stage at = TRY(stage());
    const Hand::Obeying obeying(*hand_, stop);
    Typist typist{*this, text, stop, {}};
    Tab tab = at.tab;
    tab.session = at.session;
    TRY(typist.run(tab));
    TRY(after_input(at));
    const Tally& tally = typist.tally;
    TextResult result;
    result.characters_sent = tally.sent;
    result.route = tally.used_value ? "value" : tally.used_insertion ? "keys, inserted text" : "keys";
    if (tally.was_stopped) {
        result.certainty = Certainty::Partial;
        result.reason = fmt::format("stopped after {} of {} characters", tally.sent, text.size());
    } else if (!left_out.empty() || !tally.wrong.empty()) {
        result.certainty = Certainty::Partial;
        result.reason = left_out.empty() ? tally.wrong : left_out;
    } else if (!tally.is_unknown && tally.confirmed > 0) {
        result.certainty = Certainty::Confirmed;
    } else {
        result.certainty = Certainty::Unverifiable;
    }
    return result;
}

} // namespace handeye::web

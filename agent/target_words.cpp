// SPDX-License-Identifier: Apache-2.0
#include "agent/target_words.h"

#include "agent/locate/field_words.h"
#include "agent/plain_picture.h"
#include "agent/plain_text.h"
#include "agent/report_model.h"
#include "agent/text_pattern.h"
#include "base/image_codec.h"
#include "base/json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

namespace handeye {
namespace {

using nlohmann::json;
using report::field_of;
using report::number_of;
using report::text_of;

constexpr Size kUnknownTarget{64, 32}; // of a picture where no element is known
constexpr int kPictureSideMax = 400;
constexpr std::size_t kLandmarksMax = 4;
constexpr std::size_t kLandmarkBytesMin = 2;
constexpr double kLandmarkConfidence = 0.6;

Rect rect_of(const json& box) {
    const auto side = [&](const char* key) { return static_cast<int>(std::clamp(number_of(box, key), -1e6, 1e6)); };
    return {side("x"), side("y"), side("width"), side("height")};
}

bool is_unique(const ReadText& line, const std::vector<ReadText>& lines) {
    return line.text_utf8.size() >= kLandmarkBytesMin && line.confidence >= kLandmarkConfidence &&
           std::count_if(lines.begin(), lines.end(), [&](const ReadText& other) { return other.text_utf8 == line.text_utf8; }) == 1;
}

/// The nearest texts that are there once; empty for fewer than two.
std::string landmarks(const std::vector<ReadText>& lines, Point at, const TargetWriter::Words& words) {
    std::vector<const ReadText*> near;
    for (const ReadText& line : lines) {
        if (is_unique(line, lines)) {
            near.push_back(&line);
        }
    }
    const auto distance = [at](const ReadText* line) { return std::hypot(at.x - line->box.center().x, at.y - line->box.center().y); };
    std::sort(near.begin(), near.end(), [&](const ReadText* a, const ReadText* b) { return distance(a) < distance(b); });
    near.resize(std::min(near.size(), kLandmarksMax));
    std::string out;
    for (const ReadText* const line : near) {
        out += fmt::format("{}{{text: {}, right: {}, down: {}}}", out.empty() ? "" : ", ", words(line->text_utf8), at.x - line->box.center().x, at.y - line->box.center().y);
    }
    return near.size() < 2 ? "" : "[" + out + "]";
}

/// What was pressed lies somewhere in it, and was not told of at that moment: its middle is no place to press.
bool holds_others(const std::string& role) {
    constexpr std::array<std::string_view, 12> kRoles{"frame", "window", "dialog", "alert", "internal frame", "panel", "form", "section", "document web", "document frame", "scroll pane", "page tab list"};
    return std::find(kRoles.begin(), kRoles.end(), role) != kRoles.end();
}

bool fits_picture(const Rect& box) { return !box.size().is_empty() && box.width_px <= kPictureSideMax && box.height_px <= kPictureSideMax; }

Rect around(Point at) { return {at.x - kUnknownTarget.width_px / 2, at.y - kUnknownTarget.height_px / 2, kUnknownTarget.width_px, kUnknownTarget.height_px}; }

} // namespace

bool says_irreversible(const std::string& label_utf8) {
    static const Result<TextPattern> kPattern = TextPattern::compile(
        "(?i)(?<!\\pL)(delete|remove|erase|discard|overwrite|format|uninstall|empty|wipe|reset|send|publish|post|pay|payment|buy|purchase|checkout|order|transfer|sign|löschen|leeren|entfernen|verwerfen|"
        "deinstallieren|senden|absenden|abschicken|versenden|bezahlen|zahlen|kaufen|bestellen|bestellung|überweisen|supprimer|effacer|envoyer|payer|acheter|commander|eliminar|borrar|enviar|pagar|"
        "comprar|elimina|invia|paga|acquista|excluir|apagar)(?!\\pL)");
    return kPattern && kPattern->find_in(plain_text(label_utf8)) == TextPattern::Found::Yes;
}

bool takes_text(const std::string& role) {
    constexpr std::array<std::string_view, 10> kRoles{"entry", "text", "password text", "terminal", "document text", "document web", "spin button", "search box", "editbar", "combo box"};
    return std::find(kRoles.begin(), kRoles.end(), role) != kRoles.end();
}

std::string task_file_text(const std::string& text) {
    std::string escaped;
    for (std::size_t i = 0; i < text.size(); ++i) {
        escaped += text.compare(i, 2, "${") == 0 ? "$$" : std::string(1, text[i]);
    }
    return dump_json(json(escaped));
}

SeenTarget seen_target(const json& point, const json& element) {
    const auto whole = [](const json& object, const char* key, double fallback) { return static_cast<int>(std::clamp(number_of(object, key, fallback), -1e6, 1e6)); };
    SeenTarget out;
    out.at = {whole(point, "x", 0), whole(point, "y", 0)};
    if (holds_others(text_of(element, "role"))) {
        return out;
    }
    out.id = text_of(element, "id");
    out.role = text_of(element, "role");
    out.label_utf8 = text_of(element, "label");
    out.beside_utf8 = text_of(element, "beside");
    out.box = rect_of(field_of(element, "box"));
    out.index = whole(element, "index", 1);
    out.of = whole(element, "of", 0);
    return out;
}

Result<std::string> TargetWriter::write(const SeenTarget& target, const std::string& picture_name) {
    std::string out;
    const auto add = [&](const std::string& key_and_value) { out += (out.empty() ? "" : ", ") + key_and_value; };
    const auto add_word = [&](const char* key, const std::string& value) {
        if (!value.empty()) {
            add(fmt::format("{}: {}", key, words_(value)));
        }
    };
    add_word("id", target.id);
    add_word("role", target.role);
    add_word("label", target.label_utf8);
    if (!target.label_utf8.empty()) {
        add("exact: true"); // one that is called otherwise now is another one
    }
    const bool is_nameless = target.id.empty() && target.label_utf8.empty();
    const bool is_form_field = is_nameless && is_field(target.role) && target.box.height_px <= FieldWords::kPageHeightPx;
    if (target.of > 1 && !out.empty() && !is_form_field) {
        add(fmt::format("index: {}", target.index));
    }
    const std::string looks = is_form_field ? TRY(as_field(target)) : is_nameless ? TRY(by_its_looks(target, picture_name)) : "";
    if (!looks.empty()) {
        add(looks);
    }
    const bool has_box = !target.box.size().is_empty();
    const Rect was = has_box ? target.box : around(target.at);
    add(fmt::format("was: [{}, {}, {}, {}]", was.x, was.y, was.width_px, was.height_px));
    return "{" + out + "}";
}

/// A field that has no label: the words beside it; where several have the same, or none stand there, the texts around it as well. Its
/// number, and its picture, would fit any other field.
Result<std::string> TargetWriter::as_field(const SeenTarget& target) {
    const bool has_twins = target.of > 1;
    if (!target.beside_utf8.empty() && !has_twins) {
        return fmt::format("label: {}, exact: true", words_(target.beside_utf8));
    }
    const Image frame = TRY(target.picture());
    const std::vector<ReadText> lines = TRY(reader_.read_lines({frame, {}}, std::nullopt));
    const std::string near = landmarks(lines, target.at, words_);
    if (!target.beside_utf8.empty()) {
        return fmt::format("label: {}, exact: true{}{}", words_(target.beside_utf8), near.empty() ? "" : ", landmarks: ", near);
    }
    if (const std::string name = FieldWords({}).among(target.box, lines); !name.empty()) {
        return fmt::format("label: {}, exact: true", words_(name));
    }
    for (const ReadText& line : lines) {
        if (line.box.contains(target.at) && is_unique(line, lines)) {
            return fmt::format("text: {}, exact: true", words_(line.text_utf8));
        }
    }
    if (near.empty() && has_twins) {
        return Error{ErrorCode::Unsupported, "no words on the screen tell this field from another"};
    }
    return near.empty() ? "" : "landmarks: " + near;
}

/// Where nothing was told of the target: the words on it, else its picture and what is around it.
Result<std::string> TargetWriter::by_its_looks(const SeenTarget& target, const std::string& picture_name) {
    const Image frame = TRY(target.picture());
    const std::vector<ReadText> lines = TRY(reader_.read_lines({frame, {}}, std::nullopt));
    for (const ReadText& line : lines) {
        if (line.box.contains(target.at) && is_unique(line, lines)) {
            return fmt::format("text: {}, exact: true", words_(line.text_utf8));
        }
    }
    const std::string near = landmarks(lines, target.at, words_);
    const bool has_picture = TRY(keep_picture(frame, target, picture_name));
    if (!has_picture && near.empty() && target.role.empty()) {
        return Error{ErrorCode::Unsupported, fmt::format("at {},{} there is nothing to be seen by which it could be found again", target.at.x, target.at.y)};
    }
    std::string out = has_picture ? "template: " + task_file_text(picture_name) : "";
    out += near.empty() ? "" : fmt::format("{}landmarks: {}", out.empty() ? "" : ", ", near);
    return out;
}

Result<bool> TargetWriter::keep_picture(const Image& frame, const SeenTarget& target, const std::string& name) {
    const Image part = frame.cropped(fits_picture(target.box) ? target.box : around(target.at));
    if (part.is_empty()) {
        return Error{ErrorCode::OutOfBounds, fmt::format("({}, {}) lies outside its picture", target.at.x, target.at.y)};
    }
    if (is_of_one_colour(part)) {
        return false; // it could be anywhere
    }
    pictures_[name] = TRY(encode_png(part, 6));
    return true;
}

} // namespace handeye

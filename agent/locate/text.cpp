// SPDX-License-Identifier: Apache-2.0
#include "agent/locate/choose.h"
#include "agent/locate/field_words.h"
#include "agent/locate/limits.h"
#include "agent/locate/phrases.h"
#include "agent/locate/roles.h"
#include "agent/locate/rungs.h"
#include "agent/locate/words.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

namespace handeye::locate {
namespace {

constexpr std::size_t kKnownLinesMax = 8192;
constexpr double kConfidenceMin = 0.30; // below: an icon that was taken for letters

/// From the prepared line's pixels to the picture's.
std::vector<ReadWord> placed(std::vector<ReadWord> words, const PreparedLine& line) {
    for (ReadWord& word : words) {
        const auto back = [&](int pixels) { return static_cast<int>(std::lround(pixels / line.scale)); };
        word.box = {line.origin.x + back(word.box.x), line.origin.y + back(word.box.y), std::max(1, back(word.box.width_px)), std::max(1, back(word.box.height_px))};
    }
    return words;
}

/// The field that a label stands before, or else above: the nearest frame, wider than high.
std::optional<Rect> field_of(const Rect& label, const std::vector<Rect>& frames) {
    constexpr int kRightPx = 240, kBelowPx = 24; // from the label to its field, at most
    std::optional<Rect> best;
    double least = 0;
    for (const Side side : {Side::Right, Side::Below}) {
        for (const Rect& frame : frames) {
            const auto distance = frame.width_px > frame.height_px ? distance_to(label, frame, side) : std::nullopt;
            const bool is_near = distance && *distance <= (side == Side::Right ? kRightPx : kBelowPx) && frame.intersected(label).size().is_empty();
            if (is_near && (!best || *distance < least)) {
                best = frame;
                least = *distance;
            }
        }
        if (best) {
            break;
        }
    }
    return best;
}

/// Which other thing the frame beside a label is, as far as the platform tells: the frame may lie far from its label, and the label's own
/// field be gone. Empty: nothing speaks against it.
std::string other_field(const Look& look, const Rect& frame, const std::vector<TextLine>& lines) {
    const Element* const inner = worked_at(look, frame.center());
    if (inner == nullptr) {
        return {};
    }
    const TargetQuery& query = look.query;
    std::string name = inner->label_utf8;
    if (name.empty()) {
        std::vector<ReadText> read;
        for (const TextLine& line : lines) {
            read.push_back({line.text(), line.box, line.confidence()});
        }
        const FieldWords words(look.seen.elements);
        name = words.told(visible(*inner, look.seen));
        name = name.empty() ? words.among(visible(*inner, look.seen), read) : name;
    }
    const bool fits = is_role(query.role, inner->role) && label_score(query.label_utf8, name, query.is_exact) >= limits_of(Rung::Structure).score_min;
    return fits ? std::string() : printable(inner->role) + (name.empty() ? "" : " " + in_quotes(name));
}

} // namespace

std::string TextLine::text() const {
    std::string all;
    for (const ReadWord& word : words) {
        all += (all.empty() ? "" : " ") + word.text_utf8;
    }
    return all;
}

double TextLine::confidence() const {
    const double sum = std::accumulate(words.begin(), words.end(), 0.0, [](double s, const ReadWord& w) { return s + w.confidence; });
    return words.empty() ? 0 : sum / static_cast<double>(words.size());
}

Result<std::vector<ReadWord>> ScreenText::read(const PreparedLine& line) {
    const std::uint64_t key = line.picture.content_hash();
    if (const auto known = known_.find(key); known != known_.end()) {
        order_.splice(order_.begin(), order_, known->second.second);
        return placed(known->second.first, line);
    }
    ++lines_asked_;
    auto words = reader_.read_line(line.picture);
    if (!words && words.error().code != ErrorCode::ParseFailed && words.error().code != ErrorCode::Internal && words.error().code != ErrorCode::DeadlineExceeded) {
        return words;
    }
    if (!words) { // this line ended its reader; the others are read by the next
        words = std::vector<ReadWord>{};
    }
    order_.push_front(key);
    known_.emplace(key, std::pair(*words, order_.begin()));
    if (order_.size() > kKnownLinesMax) {
        known_.erase(order_.back());
        order_.pop_back();
    }
    return placed(std::move(words).value(), line);
}

Result<std::vector<TextLine>> ScreenText::lines(const Image& picture, Rect area) {
    if (picture.size().area() > kPicturePixelsMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("a picture of {}x{} pixels is not read; at most {} are", picture.size().width_px, picture.size().height_px,
                                                           kPicturePixelsMax)};
    }
    if (const std::uint64_t key = picture.content_hash(); key != boxes_key_ || boxes_.boxes.empty()) {
        boxes_ = find_line_boxes(picture, {0, 0, picture.size().width_px, picture.size().height_px});
        boxes_key_ = key;
    }
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    std::vector<TextLine> pieces;
    for (const Rect& box : boxes_.boxes) {
        if (box.intersected(area).size().is_empty()) {
            continue;
        }
        if (std::chrono::steady_clock::now() > deadline) {
            return Error{ErrorCode::DeadlineExceeded, fmt::format("the text on the screen was not read within {} s; a region makes it less", kPatience.count())};
        }
        const PreparedLine line = TRY(prepare_line(picture, box));
        TextLine piece{TRY(read(line)), box};
        if (piece.confidence() >= kConfidenceMin) {
            pieces.push_back(std::move(piece));
        }
    }
    return join_lines(std::move(pieces));
}

Result<Matches> match_text(const Look& look) {
    const TargetQuery& query = look.query;
    const std::string& wanted = query.text_utf8.empty() ? query.label_utf8 : query.text_utf8;
    const bool is_beside = query.text_utf8.empty() && is_field_role(query.role); // these words are its label, not its own
    const std::vector<Rect> frames = is_beside ? find_frames(look.seen.image) : std::vector<Rect>();
    Matches found;
    const std::vector<TextLine> lines = TRY(look.text.lines(look.seen.image, look.area));
    for (const Phrase& phrase : find_phrases(lines, wanted, query.is_exact)) {
        const std::optional<Rect> field = is_beside ? field_of(phrase.box, frames) : phrase.box;
        const std::string other = field && is_beside ? other_field(look, *field, lines) : std::string();
        if (!other.empty()) {
            found.note = fmt::format("beside {} there is {}", in_quotes(phrase.text_utf8), other);
        } else if (field) {
            found.all.push_back({Rung::Text, *field, phrase.score, phrase.text_utf8, true});
        } else if (phrase.score >= limits_of(Rung::Text).score_min) {
            found.note = fmt::format("{} is there, and no {} beside it", in_quotes(phrase.text_utf8), printable(query.role));
        }
    }
    return found;
}

} // namespace handeye::locate

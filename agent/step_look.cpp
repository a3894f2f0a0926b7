// SPDX-License-Identifier: Apache-2.0
// What the screen shows, what is known of it, and what of that is written down.
#include "agent/step_stage.h"
#include "base/log.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

bool is_same_picture(const Image& a, const Image& b) {
    return !a.is_empty() && a.size() == b.size() && a.format() == b.format() && std::ranges::equal(a.bytes(), b.bytes());
}

} // namespace

std::vector<Rect> secret_boxes(const std::vector<Element>& elements) {
    std::vector<Rect> boxes;
    for (const Element& element : elements) {
        if (element.is_secret) {
            boxes.push_back(element.box);
        }
    }
    return boxes;
}

Result<Screenshot> StepRunner::capture(Duration& time, std::vector<Element>& elements, std::string& withheld) {
    const Stopwatch watch(with_.clock, time);
    Screenshot shot = TRY(with_.platform.capture());
    if (is_same_picture(shot.image, last_image_)) { // the programs behind it were asked a moment ago
        elements = last_elements_;
        return shot;
    }
    Result<std::vector<Element>> found = with_.platform.elements();
    last_image_ = found ? shot.image : Image();
    if (found) {
        elements = last_elements_ = *std::move(found);
    } else {
        elements.clear();
        withheld = "where passwords are shown is unknown: " + found.error().message; // stored unmasked is worse than not stored
    }
    return shot;
}

Result<Look> StepRunner::look() {
    Look out;
    out.shot = TRY(with_.platform.capture());
    Result<std::vector<Element>> found = with_.platform.elements();
    last_image_ = found ? out.shot.image : Image();
    if (found) {
        out.elements = last_elements_ = *std::move(found);
    } else {
        log::debug("session", "elements could not be read: " + found.error().message);
    }
    return out;
}

Result<void> StepRunner::record_frame(const Screenshot& shot, const std::vector<Element>& elements, const std::string& withheld,
                                      std::string_view when, Duration capture_time) {
    events::Captured captured{&shot, std::nullopt, withheld, 0, capture_time, {}};
    if (withheld.empty()) {
        const Stopwatch watch(with_.clock, captured.encode_time);
        const std::vector<Rect> secrets = secret_boxes(elements);
        captured.masks = static_cast<int>(secrets.size());
        captured.frame = TRY(encoder_.encode(masked(shot.image, secrets)));
    }
    if (when == "before") {
        frame_sha256_ = captured.frame ? captured.frame->blob.sha256_hex : "";
    }
    encode_time_ += captured.encode_time;
    return with_.log.emit(events::observation_captured(at_, when, captured));
}

StageResult StepRunner::observe(Step& step) {
    std::string withheld;
    Result<Screenshot> shot = capture(step.timings.capture, elements_, withheld);
    if (!shot) {
        return end(TaskOutcome::Failed, "the screen could not be read: " + shot.error().message);
    }
    are_elements_known_ = withheld.empty();
    step.seen = *std::move(shot);
    TRY(record_frame(step.seen, elements_, withheld, "before", step.timings.capture));
    return go_on();
}

Result<Blob> StepRunner::keep_picture(std::optional<Rect> area) {
    Duration time{};
    std::vector<Element> elements;
    std::string withheld;
    const Screenshot shot = TRY(capture(time, elements, withheld));
    if (!withheld.empty()) {
        return Error{ErrorCode::Unavailable, withheld};
    }
    const Rect whole{0, 0, shot.image.size().width_px, shot.image.size().height_px};
    const Rect part = area ? area->intersected(whole) : whole;
    if (part.size().is_empty()) {
        return Error{ErrorCode::OutOfBounds, fmt::format("nothing of the {}x{} target lies in that region", whole.width_px, whole.height_px)};
    }
    return TRY(encoder_.encode(masked(shot.image, secret_boxes(elements)).cropped(part))).blob;
}

} // namespace handeye

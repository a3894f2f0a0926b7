// SPDX-License-Identifier: Apache-2.0
#include "agent/report_pictures.h"

#include "agent/plain_picture.h"
#include "agent/report_html.h"
#include "agent/report_words.h"
#include "base/image_codec.h"

#include <algorithm>
#include <array>
#include <future>
#include <set>
#include <span>
#include <thread>

#include <fmt/format.h>

namespace handeye::report {
namespace {

using Bytes = std::vector<std::uint8_t>;

// From the best to the smallest; a screen full of text is readable down to half its size.
constexpr std::array<PictureForm, 10> kForms{{{100, 0}, {100, 80}, {100, 50}, {75, 60}, {75, 40}, {60, 45}, {60, 30}, {50, 30}, {40, 30}, {30, 25}}};
constexpr std::size_t kSamples = 24;
constexpr double kMargin = 0.92; // samples are no promise
constexpr int kRefusedMax = 32;
constexpr std::size_t kRuleBytes = 96; // of a class around its picture

Result<Bytes> written(const Bytes& recorded, PictureForm form) {
    if (form.quality == 0) {
        return recorded;
    }
    Image image = TRY(decode_image(recorded));
    if (form.percent < 100) {
        const auto side = [&](int px) { return std::max(1, px * form.percent / 100); };
        image = TRY(scaled(image, {side(image.size().width_px), side(image.size().height_px)}));
    }
    return encode_webp(image, form.quality);
}

std::size_t bytes_in_sheet(std::size_t bytes) { return (bytes + 2) / 3 * 4 + kRuleBytes; }

void add_frame(const json& observation, std::set<std::string>& seen, std::vector<std::string>& out) {
    const std::string name = text_of(field_of(observation, "frame"), "sha256");
    if (!name.empty() && seen.insert(name).second) {
        out.push_back(name);
    }
}

std::vector<std::string> frames_of(const SessionRecord& session) {
    std::vector<std::string> out;
    std::set<std::string> seen;
    for (const TaskRecord& task : session.tasks) {
        for (const StepRecord& step : task.steps) {
            add_frame(step.before, seen, out);
            add_frame(step.after, seen, out);
        }
    }
    return out;
}

std::string_view media_type(const Bytes& bytes) { return bytes.size() > 2 && bytes[0] == 'R' && bytes[1] == 'I' ? "image/webp" : "image/png"; }

// The best form in which all of them should fit.
PictureForm choose(const Recording& recording, const std::vector<std::string>& names, std::size_t bytes_max) {
    std::vector<Bytes> samples;
    for (std::size_t i = 0; i < std::min(kSamples, names.size()); ++i) {
        if (Result<Bytes> bytes = recording.blob(names[i * names.size() / std::min(kSamples, names.size())])) {
            samples.push_back(*std::move(bytes));
        }
    }
    for (const PictureForm& form : kForms) {
        double sum = 0;
        for (const Bytes& sample : samples) {
            const Result<Bytes> bytes = written(sample, form);
            sum += bytes ? static_cast<double>(bytes_in_sheet(bytes->size())) : 0;
        }
        if (samples.empty() || sum / static_cast<double>(samples.size()) * static_cast<double>(names.size()) <= kMargin * static_cast<double>(bytes_max)) {
            return form;
        }
    }
    return kForms.back();
}

} // namespace

Pictures::Pictures(const Recording& recording, const SessionRecord& session, PictureStore store, const Limits& limits) : store_(store), prefix_(limits.prefix) {
    std::vector<std::string> names = frames_of(session);
    const std::size_t most = std::min(names.size(), static_cast<std::size_t>(std::max(0, limits.count_max)));
    left_out_ = static_cast<int>(names.size() - most);
    names.resize(most);
    find_blank(recording, session);
    form_ = choose(recording, names, limits.bytes_max);
    add(recording, names, limits.bytes_max);
}

// Only where a program was still to come: a screen of one colour says nothing.
void Pictures::find_blank(const Recording& recording, const SessionRecord& session) {
    for (const TaskRecord& task : session.tasks) {
        for (const StepRecord& step : task.steps) {
            const std::string name = text_of(field_of(step.before, "frame"), "sha256");
            const bool may_be = text_of(proposal_of(step), "verb") == "open_app";
            const Result<Bytes> bytes = may_be && !name.empty() && looked_at_.insert(name).second ? recording.blob(name) : Result<Bytes>(Error{ErrorCode::NotFound, ""});
            const Result<Image> image = bytes ? decode_image(*bytes) : Result<Image>(Error{ErrorCode::NotFound, ""});
            if (image && is_of_one_colour(*image)) {
                blank_.insert(name);
            }
        }
    }
}

void Pictures::add(const Recording& recording, const std::vector<std::string>& names, std::size_t bytes_max) {
    const std::size_t at_once = std::max(1U, std::thread::hardware_concurrency());
    int refused = 0; // in a row
    for (std::size_t first = 0; first < names.size(); first += at_once) {
        if (refused >= kRefusedMax) { // it is full: what is left need not be read
            left_out_ += static_cast<int>(names.size() - first);
            return;
        }
        std::vector<std::pair<std::string, std::future<Result<Bytes>>>> batch;
        for (const std::string& name : std::span(names).subspan(first, std::min(at_once, names.size() - first))) {
            Result<Bytes> recorded = recording.blob(name); // also refuses what is no hash: only then does the name go into the page
            if (!recorded) {
                ++left_out_;
            } else {
                batch.emplace_back(name, std::async(form_.quality == 0 ? std::launch::deferred : std::launch::async, [bytes = *std::move(recorded), form = form_] { return written(bytes, form); }));
            }
        }
        for (auto& [name, picture] : batch) {
            const Result<Bytes> bytes = picture.get();
            if (!bytes || text_.size() + bytes_in_sheet(bytes->size()) > bytes_max) {
                ++left_out_;
                ++refused;
                continue;
            }
            refused = 0;
            std::string id = fmt::format("{}{}", prefix_, names_.size());
            text_ += store_ == PictureStore::StyleSheet ? fmt::format(".{}{{background-image:url(data:{};base64,{})}}\n", id, media_type(*bytes), base64(*bytes))
                                                        : fmt::format("<script type=\"text/plain\" id=\"{}\" data-type=\"{}\">{}</script>\n", id, media_type(*bytes), base64(*bytes));
            names_.emplace(name, std::move(id));
        }
    }
}

std::string Pictures::attribute_of(const std::string& sha256) const {
    const auto found = names_.find(sha256);
    return found == names_.end() ? "" : fmt::format("{}=\"{}\"", store_ == PictureStore::StyleSheet ? "class" : "data-frame", found->second);
}

std::string Pictures::form_words() const {
    return is_as_recorded() ? "as recorded" : fmt::format("at {} % of their size, as WebP of quality {}", form_.percent, form_.quality);
}

} // namespace handeye::report

// SPDX-License-Identifier: Apache-2.0
#include "agent/export_video.h"

#include "agent/caption.h"
#include "agent/report_html.h"
#include "agent/report_model.h"
#include "agent/report_words.h"
#include "base/image_codec.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>

namespace handeye {
namespace {

using report::field_of;
using report::json;
using report::number_of;
using report::StepRecord;
using report::text_of;

constexpr double kFramesPerSecond = 10;
constexpr double kStepSecondsMin = 0.8; // shorter than that nobody sees where it was
constexpr double kBeforeShare = 0.6;    // of a step: the screen with the mark; the rest: what came of it
constexpr int kCaptionShare = 18;       // of the screen's height
const cv::Scalar kMark(79, 23, 229), kHalo(255, 255, 255), kChange(0, 138, 255), kPaper(28, 23, 20); // blue, green, red

int even(int px) { return px / 2 * 2; } // H.264 halves the colours' resolution

// Where a place of the recorded screen lies in the film.
struct Fit {
    double scale = 1;
    cv::Rect area;
    [[nodiscard]] cv::Point at(const json& point) const {
        const auto side = [&](const char* key) { return std::clamp(number_of(point, key), -1e5, 1e5) * scale; };
        return {area.x + static_cast<int>(std::lround(side("x"))), area.y + static_cast<int>(std::lround(side("y")))};
    }
};

Fit fit_of(Size recorded, cv::Size canvas) {
    const double scale = std::min(1.0 * canvas.width / recorded.width_px, 1.0 * canvas.height / recorded.height_px);
    const int width = std::clamp(static_cast<int>(std::lround(recorded.width_px * scale)), 1, canvas.width);
    const int height = std::clamp(static_cast<int>(std::lround(recorded.height_px * scale)), 1, canvas.height);
    return {scale, {(canvas.width - width) / 2, (canvas.height - height) / 2, width, height}};
}

cv::Mat as_bgr(const Image& image) {
    const bool is_bgrx = image.format() == PixelFormat::Bgrx;
    const Image rgb = is_bgrx ? image : image.to_rgb();
    const cv::Mat pixels(rgb.size().height_px, rgb.size().width_px, is_bgrx ? CV_8UC4 : CV_8UC3, const_cast<std::uint8_t*>(rgb.bytes().data())); // read only
    cv::Mat out;
    cv::cvtColor(pixels, out, is_bgrx ? cv::COLOR_BGRA2BGR : cv::COLOR_RGB2BGR);
    return out;
}

class Film {
public:
    Film(const Recording& recording, const VideoOptions& options) : recording_(recording), options_(options), session_(report::collect(recording)), chooser_(report::chooser_of(session_)) {}

    Result<VideoExport> write(const std::filesystem::path& file) {
        TRY(choose_size());
        cv::VideoWriter writer;
        if (!writer.open(file.string(), cv::CAP_FFMPEG, cv::VideoWriter::fourcc('a', 'v', 'c', '1'), kFramesPerSecond, {told_.size.width_px, told_.size.height_px})) {
            return Error{ErrorCode::IoFailed, fmt::format("no film of {}x{} can be written to {}: the place cannot be written to, or libavcodec has no H.264 encoder", told_.size.width_px, told_.size.height_px, file.string())};
        }
        for (const report::TaskRecord& task : session_.tasks) {
            for (const StepRecord& step : task.steps) {
                TRY(add(writer, step));
            }
        }
        writer.release();
        told_.frames_per_second = kFramesPerSecond;
        TRY(look_at(file));
        return told_;
    }

private:
    // A writer of films keeps it to itself when the disk is full.
    Result<void> look_at(const std::filesystem::path& file) const {
        cv::VideoCapture film(file.string(), cv::CAP_FFMPEG);
        const int frames = film.isOpened() ? static_cast<int>(std::lround(film.get(cv::CAP_PROP_FRAME_COUNT))) : 0;
        if (frames != told_.frames) {
            return Error{ErrorCode::IoFailed, fmt::format("of {} frames only {} could be written: is the disk full?", told_.frames, frames)};
        }
        return {};
    }

    // That of the first screen.
    Result<void> choose_size() {
        for (const report::TaskRecord& task : session_.tasks) {
            for (const StepRecord& step : task.steps) {
                if (!step.before.is_object()) {
                    continue;
                }
                const report::PictureSize size = report::picture_size(step.before);
                const double scale = std::min({1.0, options_.width_px_max / size.width, 2160 / size.height});
                screen_ = {std::max(160, even(static_cast<int>(size.width * scale))), std::max(120, even(static_cast<int>(size.height * scale)))};
                caption_px_ = std::max(28, even(screen_.height / kCaptionShare));
                told_.size = {screen_.width, screen_.height + caption_px_};
                return {};
            }
        }
        return Error{ErrorCode::InvalidArgument, session_.damage.empty() ? "the recording holds no step to show" : "the recording holds no step to show: " + session_.damage};
    }

    Result<void> add(cv::VideoWriter& writer, const StepRecord& step) {
        const double seconds = std::clamp(report::sum_of(report::timings_of(step)) / 1000, std::min(kStepSecondsMin, options_.step_seconds_max), options_.step_seconds_max);
        const int frames = std::max(2, static_cast<int>(std::lround(seconds * kFramesPerSecond)));
        const int before = std::max(1, static_cast<int>(frames * (step.after.is_object() ? kBeforeShare : 1)));
        const cv::Mat line = as_bgr(TRY(draw_caption({fmt::format("{}  {}", step.index, report::step_title(step, chooser_)), report::human(report::result_of(step)), {screen_.width, caption_px_}})));
        put(writer, TRY(drawn(step, step.before, [&](cv::Mat& canvas, const Fit& fit) { mark(canvas, step, fit); })), line, before);
        if (step.after.is_object()) {
            put(writer, TRY(drawn(step, step.after, [&](cv::Mat& canvas, const Fit& fit) { frame_change(canvas, step, fit); })), line, frames - before);
        }
        ++told_.steps;
        return {};
    }

    template <typename Over>
    Result<cv::Mat> drawn(const StepRecord& step, const json& observation, Over over) const {
        cv::Mat canvas(screen_, CV_8UC3, kPaper);
        const std::string name = text_of(field_of(observation, "frame"), "sha256");
        if (name.empty()) {
            const std::string why = observation.is_object() ? "picture withheld: " + text_of(observation, "withheld", "no reason recorded") : "no picture";
            as_bgr(TRY(draw_caption({why, "", {screen_.width, caption_px_}}))).copyTo(canvas({0, (screen_.height - caption_px_) / 2, screen_.width, caption_px_}));
            return canvas;
        }
        const std::vector<std::uint8_t> bytes = TRY(recording_.blob(name).with_context(fmt::format("step {}", step.index)));
        const Image image = TRY(decode_image(bytes).with_context(fmt::format("step {}", step.index)));
        const Fit fit = fit_of(image.size(), screen_);
        cv::Mat part = canvas(fit.area);
        cv::resize(as_bgr(image), part, part.size(), 0, 0, cv::INTER_AREA);
        over(canvas, fit);
        return canvas;
    }

    static void mark(cv::Mat& canvas, const StepRecord& step, const Fit& fit) {
        std::vector<cv::Point> places;
        for (const json& point : field_of(step.executed, "points")) {
            if (const json& target = field_of(point, "target"); target.is_object()) {
                places.push_back(fit.at(target));
            }
        }
        const int radius = std::max(8, canvas.cols / 70);
        const auto stroke = [&](const cv::Scalar& colour, int thickness) {
            if (places.size() == 2) {
                cv::arrowedLine(canvas, places[0], places[1], colour, thickness, cv::LINE_AA, 0, 0.08);
            }
            for (const cv::Point& place : places) {
                cv::circle(canvas, place, radius, colour, thickness, cv::LINE_AA);
            }
        };
        stroke(kHalo, 6);
        stroke(kMark, 3);
    }

    static void frame_change(cv::Mat& canvas, const StepRecord& step, const Fit& fit) {
        const json& changed = field_of(step.verified, "changed");
        if (!changed.is_object()) {
            return;
        }
        const auto side = [&](const char* key) { return std::clamp(number_of(changed, key), 0.0, 1e5); };
        const cv::Point end = fit.at({{"x", number_of(changed, "x") + side("width")}, {"y", number_of(changed, "y") + side("height")}});
        cv::rectangle(canvas, fit.at(changed), end, kChange, 2, cv::LINE_AA);
    }

    void put(cv::VideoWriter& writer, const cv::Mat& screen, const cv::Mat& line, int times) {
        cv::Mat frame;
        cv::vconcat(screen, line, frame);
        for (int i = 0; i < times; ++i) {
            writer.write(frame);
        }
        told_.frames += times;
    }

    const Recording& recording_;
    VideoOptions options_;
    report::SessionRecord session_;
    report::Chooser chooser_;
    cv::Size screen_;
    int caption_px_ = 0;
    VideoExport told_;
};

} // namespace

Result<VideoExport> export_video(const Recording& recording, const std::filesystem::path& file, const VideoOptions& options) {
    if (file.extension() != ".mp4") {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} does not end in .mp4", file.string())};
    }
    try {
        return Film(recording, options).write(file);
    } catch (const cv::Exception& problem) {
        return Error{ErrorCode::IoFailed, fmt::format("{}: {}", file.string(), problem.what())};
    }
}

} // namespace handeye

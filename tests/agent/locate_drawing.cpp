// SPDX-License-Identifier: Apache-2.0
// Draws the picture of docs/targets.md: what a locator finds on a screenshot, by which rung, with which score.
//
// locate_drawing OUT.png
#include "agent/locate/locate.h"
#include "base/image_codec.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

int main(int argc, char** argv) {
    using namespace handeye;
    constexpr int kScale = 2, kLegendPx = 132;
    const auto screen = read_image(HANDEYE_SOURCE_DIR "/examples/data/desktop.png");
    if (argc != 2 || !screen) {
        std::fputs("locate_drawing OUT.png\n", stderr);
        return 2;
    }
    const Image rgb = screen->to_rgb();
    const std::vector<Element> none;
    const auto locator = Locator::create({.reader = HANDEYE_BINARY_DIR "/bin/handeye-reader"});
    const TargetQuery queries[] = {{.role = "entry", .label_utf8 = "Name"}, {.text_utf8 = "agree"}, {.picture = rgb.cropped({261, 181, 64, 32})}, {.text_utf8 = "Send"},
                                   {.landmarks = {{"Agree", 168, 112}, {"Save", -79, 0}}, .description_utf8 = "what the landmarks point to"}};
    cv::Mat drawing(rgb.size().height_px * kScale + kLegendPx, rgb.size().width_px * kScale, CV_8UC3, cv::Scalar(255, 255, 255));
    const cv::Mat seen(rgb.size().height_px, rgb.size().width_px, CV_8UC3, const_cast<std::uint8_t*>(rgb.bytes().data()));
    cv::resize(seen, drawing(cv::Rect(0, 0, seen.cols * kScale, seen.rows * kScale)), {}, kScale, kScale, cv::INTER_NEAREST);
    const cv::Scalar kColours[] = {{0, 110, 200}, {0, 140, 60}, {200, 80, 0}, {190, 0, 40}, {130, 40, 170}};
    for (std::size_t i = 0; i < std::size(queries); ++i) {
        const auto found = locator->find(queries[i], {rgb, none});
        std::string line = fmt::format("{}  {}: ", i + 1, describe(queries[i]));
        if (found) {
            const Rect& box = found->best.box;
            line += fmt::format("{} {:.2f}, margin {:.2f}", rung_name(found->best.rung), found->best.score, found->margin);
            cv::rectangle(drawing, cv::Rect(box.x * kScale, box.y * kScale, box.width_px * kScale, box.height_px * kScale), kColours[i], 2);
            cv::putText(drawing, std::to_string(i + 1), {std::min((box.x + box.width_px) * kScale + 4, drawing.cols - 32), box.center().y * kScale + 6}, cv::FONT_HERSHEY_SIMPLEX, 0.5, kColours[i], 2, cv::LINE_AA);
        } else {
            const std::string& message = found.error().message;
            line += "not found, " + message.substr(message.rfind("text: ") == std::string::npos ? 0 : message.rfind("text: "));
        }
        cv::putText(drawing, line, {10, seen.rows * kScale + 24 + static_cast<int>(i) * 24}, cv::FONT_HERSHEY_SIMPLEX, 0.45, kColours[i], 1, cv::LINE_AA);
    }
    const auto image = Image::from_pixels({drawing.cols, drawing.rows}, PixelFormat::Rgb, {drawing.datastart, drawing.dataend});
    return image && write_png(argv[1], *image) ? 0 : 1;
}

// SPDX-License-Identifier: Apache-2.0
// What the platform adds to the raw protocol: a picture to its decoded pixels, and a click, beside the bare calls in the same run.
#include "tests/platforms/web_fixture.h"

#include <algorithm>
#include <iostream>

namespace handeye::web {
namespace {

using nlohmann::json;
constexpr double kRatioMax = 1.2;

double ms_of(const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

/// Alternating, so that both meet the same load. Prints one JSON line.
double ratio_of(const std::string& name, int count, const std::function<void()>& ours, const std::function<void()>& raw) {
    std::vector<double> own, bare;
    for (int i = 0; i < count; ++i) {
        bare.push_back(ms_of(raw));
        own.push_back(ms_of(ours));
    }
    std::sort(own.begin(), own.end());
    std::sort(bare.begin(), bare.end());
    const auto middle = static_cast<std::size_t>(count) / 2;
    const double ratio = own[middle] / bare[middle];
    std::cout << json{{"case", name}, {"runs", count}, {"handeye_ms_median", own[middle]}, {"handeye_ms_best", own[0]}, {"raw_ms_median", bare[middle]},
                      {"raw_ms_best", bare[0]}, {"ratio", ratio}}
              << "\n";
    return ratio;
}

TEST_F(WebTest, AddsLittleToTheRawProtocol) {
    open("<h1>A page</h1><p>of some text</p><button>and a button</button>", {}, {1280, 720});
    Cdp& cdp = web_->browser().cdp();
    const std::string session = web_->browser().front()->session;
    const Duration patience = std::chrono::seconds(30);
    bool is_good = true;
    const auto raw = [&](const char* method, const json& params) { is_good = cdp.call(session, method, params, patience).has_value() && is_good; };
    const auto raw_capture = [&](const json& params) { return [&, params] { raw("Page.captureScreenshot", params); }; };
    const auto our_capture = [&] { is_good = platform_->capture().has_value() && is_good; };
    const auto raw_click = [&] {
        raw("Input.dispatchMouseEvent", {{"type", "mouseMoved"}, {"x", 300}, {"y", 300}});
        raw("Input.dispatchMouseEvent", {{"type", "mousePressed"}, {"x", 300}, {"y", 300}, {"button", "left"}, {"buttons", 1}, {"clickCount", 1}});
        raw("Input.dispatchMouseEvent", {{"type", "mouseReleased"}, {"x", 300}, {"y", 300}, {"button", "left"}, {"buttons", 0}, {"clickCount", 1}});
    };
    const int count = count_of(101, 21);
    const double capture = ratio_of("capture, beside Page.captureScreenshot as png", count, our_capture, raw_capture({{"format", "png"}}));
    const double same = ratio_of("capture, beside Page.captureScreenshot as png optimised for speed", count, our_capture, raw_capture({{"format", "png"}, {"optimizeForSpeed", true}}));
    const double pressed = ratio_of("click, beside three calls of Input.dispatchMouseEvent", count, [&] { click(Point{300, 300}); }, raw_click);
    EXPECT_TRUE(is_good);
    if (std::getenv("HANDEYE_FULL") != nullptr) { // on a machine that has the time to measure
        EXPECT_LT(capture, kRatioMax);
        EXPECT_LT(same, kRatioMax);
        EXPECT_LT(pressed, kRatioMax);
    }
}

} // namespace
} // namespace handeye::web

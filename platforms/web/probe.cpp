// SPDX-License-Identifier: Apache-2.0
// The probe page: a blank tab of ours whose script counts what reaches it, for `handeye doctor`. It is driven through the platform like
// any other page, and asked through its own world.
#include "platforms/probe.h"

#include "platforms/web/platform.h"

#include "base/json_fields.h"

#include <chrono>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::web {

using nlohmann::json;

namespace {

constexpr std::array<std::uint8_t, 3> kBackgroundRgb{0x1D, 0x6F, 0xA5};
constexpr Size kBoxCss{320, 160};
constexpr Duration kCallPatience = std::chrono::seconds(10);
constexpr Duration kLook = std::chrono::milliseconds(20);

constexpr std::string_view kPage = R"JS((() => {
  document.title = "handeye probe";
  document.body.innerHTML = '<div id="box" style="position:fixed;left:calc(50% - 160px);top:calc(50% - 80px);width:320px;height:160px;background:#1d6fa5"></div>' +
    '<textarea id="text" aria-label="probe" style="position:fixed;left:0;top:0;width:200px;height:40px"></textarea>';
  globalThis.clicks = [];
  addEventListener("pointerdown", (event) => clicks.push([event.clientX, event.clientY]), true);
})())JS";

class WebProbe final : public ProbeWindow {
public:
    WebProbe(WebPlatform& platform, Tab tab, Tab before, Rect area, double scale)
        : platform_(platform), tab_(std::move(tab)), before_(std::move(before)), area_(area), scale_(scale) {}
    ~WebProbe() override {
        platform_.browser().cdp().post({}, "Target.closeTarget", {{"targetId", tab_.target}});
        static_cast<void>(platform_.browser().bring_to_front(before_.number)); // gone: then another tab comes to the front by itself
    }

    Rect area() const override { return area_; }
    std::array<std::uint8_t, 3> background_rgb() const override { return kBackgroundRgb; }

    std::optional<Point> wait_click(Duration timeout) override {
        const auto at = wait_for("clicks.shift() ?? null", timeout, [](const json& value) { return value.is_array() && value.size() == 2; });
        if (!at) {
            return std::nullopt;
        }
        return Point{static_cast<int>(std::floor((*at)[0].get<double>() * scale_)), static_cast<int>(std::floor((*at)[1].get<double>() * scale_))};
    }
    Result<void> take_focus() override {
        const json done = TRY(run("document.getElementById('text').value = ''; document.getElementById('text').focus(); document.activeElement.id"));
        if (done != "text") {
            return Error{ErrorCode::Unavailable, "the probe page's text field did not get the focus"};
        }
        return {};
    }
    std::string wait_text(std::string_view expected, Duration timeout) override {
        const auto found = wait_for("document.getElementById('text').value", timeout, [&](const json& value) { return value == expected; });
        if (found) {
            return found->get<std::string>();
        }
        const auto last = run("document.getElementById('text').value");
        return last && last->is_string() ? last->get<std::string>() : std::string();
    }

    Result<json> run(const std::string& expression) {
        const json answer = TRY(platform_.browser().cdp().call(tab_.session, "Runtime.evaluate", {{"expression", expression}, {"returnByValue", true}}, kCallPatience));
        return json_member(json_object(answer, "result"), "value");
    }

private:
    template <class Good>
    std::optional<json> wait_for(const std::string& expression, Duration timeout, Good is_good) {
        const auto until = std::chrono::steady_clock::now() + timeout;
        do {
            const auto value = run(expression);
            if (value && is_good(*value)) {
                return *value;
            }
            platform_.browser().wait_for_change(std::chrono::steady_clock::now() + kLook, {});
        } while (std::chrono::steady_clock::now() < until);
        return std::nullopt;
    }

    WebPlatform& platform_;
    Tab tab_;
    Tab before_;
    Rect area_;
    double scale_;
};

} // namespace

Result<std::unique_ptr<ProbeWindow>> WebPlatform::open_probe() {
    const Tab before = TRY(browser_->front());
    const Tab tab = TRY(browser_->open_tab("about:blank"));
    TRY(capture()); // the frame that the probe's place is told in
    const CssPoint corner{frame_.width_px / scale_ / 2 - kBoxCss.width_px / 2.0, frame_.height_px / scale_ / 2 - kBoxCss.height_px / 2.0};
    const Rect area{static_cast<int>(std::ceil(corner.x * scale_)), static_cast<int>(std::ceil(corner.y * scale_)), static_cast<int>(kBoxCss.width_px * scale_),
                    static_cast<int>(kBoxCss.height_px * scale_)};
    auto probe = std::make_unique<WebProbe>(*this, tab, before, area, scale_);
    TRY(probe->run(std::string(kPage)));
    return std::unique_ptr<ProbeWindow>(std::move(probe));
}

} // namespace handeye::web

// SPDX-License-Identifier: Apache-2.0
// Pictures and places: the frame of captures is the frame of input, at every device scale, up to the corners.
#include "tests/platforms/web_fixture.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace handeye::web {
namespace {

class WebScale : public WebTest, public ::testing::WithParamInterface<double> {};

TEST_P(WebScale, ClicksLandOnThePixelAtAllCorners) {
    const double scale = GetParam();
    PlatformOptions options;
    options.web.scale = scale;
    // One canvas of device pixels over the viewport: what a click should hit can be seen in the picture.
    open("<style>body{margin:0;background:#123456}</style><script>hits=[];addEventListener('pointerdown',e=>hits.push([e.clientX*devicePixelRatio,e.clientY*devicePixelRatio,innerWidth,innerHeight]))</script>",
         options, {640, 420});
    const auto shot = platform_->capture();
    ASSERT_TRUE(shot.has_value()) << shot.error().message;
    const Size size = shot->image.size();
    EXPECT_EQ(size, (Size{static_cast<int>(640 * scale), static_cast<int>(420 * scale)}));
    EXPECT_EQ(platform_->display()->size, size);
    for (const Point corner : {Point{0, 0}, Point{size.width_px - 1, 0}, Point{0, size.height_px - 1}, Point{size.width_px - 1, size.height_px - 1}, Point{101, 77}}) {
        js("hits.length = 0");
        click(corner);
        ASSERT_TRUE(wait_js("hits.length === 1")) << corner.x << "," << corner.y;
        const nlohmann::json hit = js("hits[0]");
        EXPECT_EQ(static_cast<int>(std::floor(hit[0].get<double>())), corner.x);
        EXPECT_EQ(static_cast<int>(std::floor(hit[1].get<double>())), corner.y);
        EXPECT_EQ(*platform_->pointer(), std::optional<Point>(corner));
    }
    for (const Point outside : {Point{-1, 0}, Point{0, -1}, Point{size.width_px, 0}, Point{0, size.height_px}}) {
        const auto refused = platform_->inject(PointerMove{outside});
        ASSERT_FALSE(refused.has_value());
        EXPECT_EQ(refused.error().code, ErrorCode::OutOfBounds);
        EXPECT_NE(refused.error().message.find(std::to_string(size.width_px)), std::string::npos);
    }
}

TEST_P(WebScale, WhatIsSeenIsWhatIsHit) {
    const double scale = GetParam();
    PlatformOptions options;
    options.web.scale = scale;
    // Small boxes in the corners and one in the middle, each of a colour: their pixels are found in the picture and clicked.
    open("<style>body{margin:0;background:white} div{position:fixed;width:6px;height:6px}</style>"
         "<div id=a style='left:0;top:0;background:#ff0000'></div><div id=b style='right:0;top:0;background:#00ff00'></div>"
         "<div id=c style='left:0;bottom:0;background:#0000ff'></div><div id=d style='right:0;bottom:0;background:#ff00ff'></div>"
         "<div id=e style='left:200px;top:100px;background:#00ffff'></div><script>hit='';addEventListener('click',e=>hit=e.target.id)</script>",
         options, {640, 420});
    const auto shot = platform_->capture();
    ASSERT_TRUE(shot.has_value());
    const Image rgb = shot->image.to_rgb();
    const std::vector<std::pair<std::string, std::array<std::uint8_t, 3>>> boxes{
        {"a", {255, 0, 0}}, {"b", {0, 255, 0}}, {"c", {0, 0, 255}}, {"d", {255, 0, 255}}, {"e", {0, 255, 255}}};
    for (const auto& [id, color] : boxes) {
        std::vector<Point> pixels;
        for (int y = 0; y < rgb.size().height_px; ++y) {
            const auto row = rgb.row(y);
            for (int x = 0; x < rgb.size().width_px; ++x) {
                if (std::equal(color.begin(), color.end(), row.begin() + x * 3)) {
                    pixels.push_back({x, y});
                }
            }
        }
        ASSERT_EQ(pixels.size(), static_cast<std::size_t>(6 * scale * 6 * scale)) << id;
        for (const Point pixel : {pixels.front(), pixels.back()}) { // its first and its last pixel
            js("hit = ''");
            click(pixel);
            EXPECT_TRUE(wait_js("hit === '" + id + "'")) << id << " at " << pixel.x << "," << pixel.y << ": " << js("hit");
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Scales, WebScale, ::testing::Values(1.0, 1.5, 2.0));

TEST_F(WebTest, ElementsAreMarkedByTheRulesOfSetOfMarks) {
    open("<style>body{margin:8px;font:16px sans-serif}</style><button id=ok><b>OK</b></button> <a href='#x'><span onclick='1'>a link</span></a> <input id=name placeholder='Your name' value='Ada'>"
         "<label>Secret <input type=password id=pw value='hunter2'></label><input type=checkbox id=box checked aria-label=Agree>"
         "<select aria-label=Colour><option>red<option selected>blue</select><div style='cursor:pointer'>by pointer</div><div onclick='1'>by handler</div>"
         "<div>plain text</div><button style='display:none'>hidden</button><button style='position:fixed;left:0;top:5000px'>below</button>"
         "<div style='position:relative;height:30px'><button style='position:absolute'>covered</button><div style='position:absolute;width:200px;height:30px;background:#fff'></div></div>"
         "<button disabled>off</button><ul><li><a href='#y'>inner</a></li></ul>"
         "<div id=host></div><script>host.attachShadow({mode:'open'}).innerHTML='<button>in shadow</button>'</script>");
    const auto elements = platform_->elements();
    ASSERT_TRUE(elements.has_value()) << elements.error().message;
    std::vector<std::string> labels;
    int mark = 1;
    for (const Element& element : *elements) {
        EXPECT_EQ(element.mark, mark++);
        labels.push_back(element.label_utf8);
    }
    EXPECT_EQ(labels, (std::vector<std::string>{"OK", "a link", "Your name", "Secret", "Agree", "Colour", "by pointer", "by handler", "off", "inner", "in shadow"}));
    const Element name = marked("Your name");
    EXPECT_EQ(name.role, "entry");
    EXPECT_EQ(name.value_utf8, "Ada");
    EXPECT_EQ(name.id, "name");
    EXPECT_TRUE(name.box.contains(middle("name")));
    const Element secret = marked("Secret");
    EXPECT_TRUE(secret.is_secret);
    EXPECT_EQ(secret.value_utf8, "");
    EXPECT_EQ(marked("Agree").is_checked, std::optional(true));
    EXPECT_EQ(marked("Colour").value_utf8, "blue");
    EXPECT_FALSE(marked("off").is_enabled);
    click("name");
    EXPECT_TRUE(wait_js("document.activeElement.id === 'name'"));
    EXPECT_TRUE(marked("Your name").is_focused);
}

TEST_F(WebTest, ElementsOfFramesLieWhereTheyAreSeen) {
    PageServer server;
    server.put("/inner.html", "<body style='margin:0'><button id=b style='position:absolute;left:30px;top:20px;width:80px;height:25px' onclick='parent.postMessage(\"hit\",\"*\")'>deep</button>");
    server.put("/", "<body style='margin:0'><script>got='';onmessage=e=>got=e.data</script><div style='height:40px'></div>"
                    "<iframe style='margin-left:50px;border:5px solid red' width=300 height=200 src='" + server.url("/inner.html", "localhost") + "'></iframe>");
    PlatformOptions options;
    options.web.url = server.url("/");
    open({}, options);
    ASSERT_TRUE(wait_for([&] { const auto all = platform_->elements(); return all && all->size() == 1; }));
    const Element deep = marked("deep");
    EXPECT_EQ(deep.box, (Rect{85, 65, 80, 25}));
    click(deep.box.center());
    EXPECT_TRUE(wait_js("got === 'hit'"));
}

TEST_F(WebTest, APageCannotHideOrForgeWhatIsRead) {
    open("<form><input name=elements><img name=activeElement><input id=i aria-label=field autofocus></form><img name=documentElement><img name=body>"
         "<script>Document.prototype.elementFromPoint=()=>null;Array.prototype.map=()=>[];Element.prototype.getBoundingClientRect=()=>({});window.handeye={elements:()=>{throw 1}}</script>");
    EXPECT_EQ(marked("field").role, "entry");
    EXPECT_EQ(js("typeof handeye.begin"), "undefined"); // ours lives in another world
    click(marked("field").box.center());
    EXPECT_EQ(type("x").certainty, Certainty::Confirmed);
}

TEST_F(WebTest, SettlesWhenNothingIsPaintedAndTellsWhetherSomethingWas) {
    open("<body style='background:white'><button id=b onclick=\"setTimeout(()=>document.body.style.background='red',100)\">b</button><button id=n>n</button>");
    ASSERT_TRUE(platform_->settle({.deadline = std::chrono::seconds(20)}, {}).has_value());
    ASSERT_TRUE(platform_->capture().has_value());
    auto still = platform_->settle({.quiet = std::chrono::milliseconds(300), .deadline = std::chrono::seconds(20)}, {});
    ASSERT_TRUE(still.has_value());
    EXPECT_TRUE(still->is_quiet);
    EXPECT_FALSE(still->has_changed);
    ASSERT_TRUE(platform_->capture().has_value());
    click("b");
    const auto changed = platform_->settle({.quiet = std::chrono::milliseconds(1000), .deadline = std::chrono::seconds(20)}, {});
    ASSERT_TRUE(changed.has_value());
    EXPECT_TRUE(changed->is_quiet);
    EXPECT_TRUE(changed->has_changed);
    EXPECT_EQ(js("document.body.style.background"), "red");
    js("setInterval(()=>document.body.style.background='#'+Math.floor(Math.random()*4096).toString(16).padStart(3,'0'),10)");
    const auto restless = platform_->settle({.quiet = std::chrono::milliseconds(2000), .deadline = std::chrono::milliseconds(3000)}, {});
    ASSERT_TRUE(restless.has_value());
    EXPECT_FALSE(restless->is_quiet);
}

} // namespace
} // namespace handeye::web

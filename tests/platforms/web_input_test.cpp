// SPDX-License-Identifier: Apache-2.0
// Input into a real Chromium: what the page says arrived.
#include "tests/platforms/web_fixture.h"

#include <array>

namespace handeye::web {
namespace {

using nlohmann::json;

TEST_F(WebTest, ClicksCountAndCarryButtonsAndModifiers) {
    open("<style>body{margin:0;height:100vh}</style><script>log=[];for(const n of ['mousedown','mouseup','click','dblclick','contextmenu','auxclick'])"
         "addEventListener(n,e=>{e.preventDefault();log.push([n,e.button,e.buttons,e.detail,e.ctrlKey,e.shiftKey])})</script>");
    click(Point{50, 60});
    ASSERT_TRUE(wait_js("log.length === 3"));
    EXPECT_EQ(js("log"), json::parse(R"([["mousedown",0,1,1,false,false],["mouseup",0,0,1,false,false],["click",0,0,1,false,false]])"));
    js("log.length = 0");
    click(Point{200, 60});
    click(Point{200, 60});
    click(Point{200, 60});
    ASSERT_TRUE(wait_js("log.length === 10"));
    EXPECT_EQ(js("log.filter(e=>e[0]==='click').map(e=>e[3])"), json::parse("[1,2,3]"));
    EXPECT_EQ(js("log.filter(e=>e[0]==='dblclick').length"), 1);
    js("log.length = 0");
    ASSERT_TRUE(platform_->inject(Key{"Control_L", Edge::Press}).has_value());
    click(Point{400, 60});
    ASSERT_TRUE(platform_->inject(Key{"Control_L", Edge::Release}).has_value());
    EXPECT_TRUE(wait_js("log.length === 3 && log.every(e=>e[4])"));
    js("log.length = 0");
    ASSERT_TRUE(platform_->inject(PointerButton{MouseButton::Right, Edge::Press}).has_value());
    ASSERT_TRUE(platform_->inject(PointerButton{MouseButton::Right, Edge::Release}).has_value());
    EXPECT_TRUE(wait_js("log.some(e=>e[0]==='contextmenu') && log[0][1]===2 && log[0][2]===2"));
    js("log.length = 0");
    ASSERT_TRUE(platform_->inject(PointerButton{MouseButton::Middle, Edge::Press}).has_value());
    ASSERT_TRUE(platform_->inject(PointerButton{MouseButton::Middle, Edge::Release}).has_value());
    EXPECT_TRUE(wait_js("log.some(e=>e[0]==='auxclick') && log[0][1]===1 && log[0][2]===4"));
}

TEST_F(WebTest, DragsHoldTheButtonAndHtml5DragsDrop) {
    open("<style>body{margin:0} div{position:absolute;width:80px;height:80px;user-select:none}</style><div id=pad style='left:10px;top:10px;background:#eee'></div>"
         "<div id=item draggable=true style='left:150px;top:10px;background:#faa'></div><div id=goal style='left:400px;top:300px;background:#afa'></div>"
         "<script>moves=[];pad.onmousemove=e=>moves.push(e.buttons);dropped='';order=[];item.ondragstart=e=>{e.dataTransfer.setData('text/plain','load');order.push('start')};"
         "goal.ondragenter=e=>order.push('enter');goal.ondragover=e=>e.preventDefault();goal.ondrop=e=>{e.preventDefault();dropped=e.dataTransfer.getData('text/plain')};item.ondragend=()=>order.push('end')</script>");
    drag({20, 20}, {80, 80});
    EXPECT_TRUE(wait_js("moves.filter(b=>b===1).length >= 8"));
    drag(middle("item"), middle("goal"));
    EXPECT_TRUE(wait_js("dropped === 'load'"));
    EXPECT_TRUE(wait_js("order.join() === 'start,enter,end'")) << js("order.join()");
    js("clicks=0;pad.onclick=()=>clicks++");
    click("pad"); // the button is up again
    EXPECT_TRUE(wait_js("clicks === 1"));
}

TEST_F(WebTest, ADragThatIsLetGoOfDropsNothing) {
    open("<div id=from draggable=true style='width:80px;height:80px;background:red'></div><div id=to style='width:80px;height:80px;background:blue'></div><button id=b>b</button>"
         "<script>log=[];to.ondragover=e=>e.preventDefault();to.ondrop=()=>log.push('drop');from.ondragend=()=>log.push('end');b.onclick=()=>log.push('click')</script>");
    const Point begin = middle("from");
    ASSERT_TRUE(platform_->inject(PointerMove{begin}).has_value());
    ASSERT_TRUE(platform_->inject(PointerButton{MouseButton::Left, Edge::Press}).has_value());
    for (int i = 1; i <= 5; ++i) {
        ASSERT_TRUE(platform_->inject(PointerMove{{begin.x, begin.y + 10 * i}}).has_value());
    }
    ASSERT_TRUE(platform_->inject(PointerMove{middle("to")}).has_value());
    ASSERT_TRUE(platform_->release_all().has_value());
    click("b");
    EXPECT_TRUE(wait_js("log.includes('click')")) << js("log.join()");
    EXPECT_FALSE(js("log.includes('drop')") == true) << js("log.join()");
}

TEST_F(WebTest, TheWheelScrollsWhatIsUnderIt) {
    open("<style>body{margin:0}</style><div id=inner style='width:200px;height:200px;overflow:auto'><div style='height:3000px;width:3000px'></div></div><div style='height:5000px'></div>");
    ASSERT_TRUE(platform_->inject(PointerMove{{100, 100}}).has_value());
    ASSERT_TRUE(platform_->inject(Wheel{.down_notches = 3}).has_value());
    EXPECT_TRUE(wait_js("inner.scrollTop === 300")) << js("inner.scrollTop");
    ASSERT_TRUE(platform_->inject(Wheel{.right_notches = 2}).has_value());
    EXPECT_TRUE(wait_js("inner.scrollLeft === 200"));
    ASSERT_TRUE(platform_->inject(PointerMove{{500, 400}}).has_value());
    ASSERT_TRUE(platform_->inject(Wheel{.down_notches = 2}).has_value());
    EXPECT_TRUE(wait_js("scrollY === 200 && inner.scrollTop === 300"));
    EXPECT_EQ(platform_->inject(Wheel{.down_notches = 100000}).error().code, ErrorCode::LimitExceeded);
}

TEST_F(WebTest, KeysCarryTheirCodesAndChords) {
    open("<input id=i><script>keys=[];addEventListener('keydown',e=>keys.push([e.key,e.code,e.keyCode,e.ctrlKey,e.shiftKey]));sent=0</script><form onsubmit='sent++;return false'><input id=f></form>");
    click("i");
    press({"a"});
    press({"Control_L", "a"});
    press({"Shift_L", "Tab"});
    ASSERT_TRUE(wait_js("keys.length >= 5"));
    EXPECT_EQ(js("keys"), json::parse(R"([["a","KeyA",65,false,false],["Control","ControlLeft",17,true,false],["a","KeyA",65,true,false],["Shift","ShiftLeft",16,false,true],["Tab","Tab",9,false,true]])"));
    click("f");
    press({"Return"});
    EXPECT_TRUE(wait_js("sent === 1"));
    const auto unknown = platform_->inject(Key{"NoSuchKey", Edge::Press});
    ASSERT_FALSE(unknown.has_value());
    EXPECT_EQ(unknown.error().code, ErrorCode::InvalidArgument);
}

TEST_F(WebTest, CopiesAndPastesByChords) {
    open("<input id=a value='copy me'><input id=b>");
    click("a");
    press({"Control_L", "a"});
    press({"Control_L", "c"});
    click("b");
    press({"Control_L", "v"});
    EXPECT_TRUE(wait_js("b.value === 'copy me'")) << js("b.value");
    const auto text = platform_->clipboard();
    ASSERT_TRUE(text.has_value()) << text.error().message;
    EXPECT_EQ(*text, "copy me");
}

std::string random_text(std::mt19937& generator) {
    const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator); };
    const int length = pick(1, 30);
    const int kind = pick(0, 5);
    std::string text;
    for (int i = 0; i < length; ++i) {
        constexpr std::array<char32_t, 9> german = {U'ä', U'ö', U'ü', U'Ä', U'Ö', U'Ü', U'ß', U'ẞ', U'€'};
        switch (kind == 5 ? pick(0, 4) : kind) {
        case 1: append_utf8(text, german[static_cast<std::size_t>(pick(0, 8))]); break;
        case 2: append_utf8(text, static_cast<char32_t>(pick(0x4e00, 0x9fa5))); break;
        case 3: append_utf8(text, static_cast<char32_t>(pick(0x1f300, 0x1f64f))); break;
        case 4:
            append_utf8(text, static_cast<char32_t>(pick('a', 'z')));
            append_utf8(text, static_cast<char32_t>(pick(0x300, 0x36f)));
            break;
        default: append_utf8(text, static_cast<char32_t>(pick(0x20, 0x7e))); break;
        }
    }
    return text;
}

TEST_F(WebTest, TextOfAnyUnicodeArrivesExactly) {
    open("<textarea id=t rows=4 cols=80></textarea>");
    std::mt19937 generator = seeded_generator();
    click("t");
    for (int i = 0; i < count_of(1000, 30); ++i) {
        const std::string text = random_text(generator);
        js("t.value = ''");
        const TextResult result = type(text);
        EXPECT_EQ(result.certainty, Certainty::Confirmed) << text << ": " << result.reason;
        ASSERT_EQ(js("t.value"), text);
    }
}

TEST_F(WebTest, TypingTellsWhatDidNotArrive) {
    open("<input id=short maxlength=3><input id=digits oninput=\"value=value.replace(/\\D/g,'')\"><input id=ro readonly value=x><input type=password id=pw maxlength=2><button id=b>b</button>"
         "<div id=rich contenteditable style='height:40px'>old</div>");
    click("short");
    TextResult result = type("abcdä");
    EXPECT_EQ(result.certainty, Certainty::Partial);
    EXPECT_NE(result.reason.find("U+0064 U+00E4"), std::string::npos) << result.reason;
    click("digits");
    result = type("1a2");
    EXPECT_EQ(result.certainty, Certainty::Partial);
    EXPECT_NE(result.reason.find("U+0061"), std::string::npos) << result.reason;
    click("ro");
    result = type("y");
    EXPECT_EQ(result.certainty, Certainty::Partial);
    EXPECT_NE(result.reason.find("read-only"), std::string::npos) << result.reason;
    click("pw");
    result = type("geheim");
    EXPECT_EQ(result.certainty, Certainty::Partial);
    EXPECT_EQ(result.reason.find("ge"), std::string::npos) << result.reason; // nothing of a secret is told
    click("b");
    EXPECT_EQ(type("x").certainty, Certainty::Unverifiable);
    click("rich");
    press({"Control_L", "End"});
    result = type(" und neu ✓");
    EXPECT_EQ(result.certainty, Certainty::Confirmed) << result.reason;
    EXPECT_EQ(js("rich.innerText.replace(/\\u00a0/g,' ')"), "old und neu ✓");
}

struct Rewriting {
    const char* name;
    const char* page; ///< with a field `t`
    const char* text;
    const char* shown; ///< in it afterwards
    const char* heard; ///< window.heard: what the page has of it
};
void PrintTo(const Rewriting& one, std::ostream* out) { *out << one.name; }
class WebRewriting : public WebTest, public ::testing::WithParamInterface<Rewriting> {};

// All of the text reached the page, which made something else of it: nobody can say that a part is missing, nor that all is well.
TEST_P(WebRewriting, IsUnverifiableAndNotPartial) {
    open(std::string("<input id=t><input id=u><script>heard='';sent='';t.addEventListener('keydown',e=>{if(e.key==='Enter')sent='yes'});") + GetParam().page + "</script>");
    click("t");
    const TextResult result = type(std::string(GetParam().text) + "\n");
    EXPECT_EQ(result.certainty, Certainty::Unverifiable) << result.reason;
    EXPECT_EQ(js("t.value"), GetParam().shown);
    EXPECT_EQ(js("heard"), GetParam().heard);
    EXPECT_TRUE(wait_js("sent === 'yes' || document.activeElement === u"));
}
INSTANTIATE_TEST_SUITE_P(Pages, WebRewriting, ::testing::Values(
    Rewriting{"EmptiedAtEachKey", "t.addEventListener('keydown',()=>{t.value=''});t.oninput=e=>{heard+=e.data}", "ls -l", "", "ls -l"},
    Rewriting{"EmptiedAtEachInput", "t.oninput=()=>{heard+=t.value;t.value=''}", "pwd ä", "", "pwd ä"},
    Rewriting{"EmptiedAtSpaces", "t.oninput=e=>{heard+=e.data;if(e.data===' ')t.value=''}", "one two", "two", "one two"},
    Rewriting{"KeysTakenByThePage", "t.addEventListener('keydown',e=>{if(e.key.length===1){heard+=e.key;e.preventDefault()}})", "wasd", "", "wasd"},
    Rewriting{"Grouped", "t.oninput=()=>{heard=t.value.replace(/\\D/g,'');t.value=heard.replace(/(\\d{3})(?=\\d)/g,'$1 ')}", "12345678", "123 456 78", "12345678"},
    Rewriting{"InCapitals", "t.oninput=e=>{heard+=e.data;t.value=t.value.toUpperCase()}", "code7", "CODE7", "code7"},
    Rewriting{"OnToTheNextField", "t.oninput=e=>{heard+=e.data;u.focus()};u.oninput=e=>{heard+=e.data}", "42", "4", "42"}),
    [](const auto& one) { return one.param.name; });

TEST_F(WebTest, TypingGoesOverTabsAndReturnsAndIntoFrames) {
    open("<form onsubmit='sent=a.value+b.value;return false'><input id=a><input id=b><button>go</button></form><textarea id=t></textarea><iframe id=f srcdoc=\"<input id=i autofocus>\"></iframe>");
    click("a");
    EXPECT_EQ(type("one\ttwo\n").certainty, Certainty::Confirmed);
    EXPECT_TRUE(wait_js("window.sent === 'onetwo'"));
    click("t");
    EXPECT_EQ(type("x\r\ny\nz").certainty, Certainty::Confirmed);
    EXPECT_EQ(js("t.value"), "x\ny\nz");
    js("f.contentDocument.getElementById('i').focus()");
    const TextResult result = type("inside");
    EXPECT_EQ(result.certainty, Certainty::Confirmed) << result.reason;
    EXPECT_EQ(js("f.contentDocument.getElementById('i').value"), "inside");
}

TEST_F(WebTest, AStopEndsTypingAndNothingFollowsIt) {
    open("<textarea id=t></textarea>");
    click("t");
    std::stop_source source;
    std::jthread typist([&] {
        const auto result = platform_->type_text(std::string(5000, 'x'), source.get_token());
        ASSERT_TRUE(result.has_value());
        EXPECT_EQ(result->certainty, Certainty::Partial);
        EXPECT_LT(result->characters_sent, 5000U);
    });
    ASSERT_TRUE(wait_js("t.value.length > 3"));
    source.request_stop();
    ASSERT_TRUE(platform_->release_all().has_value());
    const json length = js("t.value.length");
    typist.join();
    EXPECT_EQ(js("t.value.length"), length);
    EXPECT_EQ(platform_->inject_unless_stopped(PointerMove{{1, 1}}, source.get_token()).error().code, ErrorCode::Cancelled);
}

TEST_F(WebTest, ReleaseAllLetsGoOfKeysAndButtons) {
    open("<script>log=[];addEventListener('keyup',e=>log.push(e.key));addEventListener('mouseup',e=>log.push('mouse'))</script><body style='height:90vh'>");
    ASSERT_TRUE(platform_->inject(PointerMove{{100, 100}}).has_value());
    ASSERT_TRUE(platform_->inject(PointerButton{MouseButton::Left, Edge::Press}).has_value());
    ASSERT_TRUE(platform_->inject(Key{"Shift_L", Edge::Press}).has_value());
    ASSERT_TRUE(platform_->inject(Key{"k", Edge::Press}).has_value());
    ASSERT_TRUE(platform_->release_all().has_value());
    EXPECT_TRUE(wait_js("log.length === 3 && log[0] === 'mouse'")) << js("log.join()");
    ASSERT_TRUE(platform_->release_all().has_value());
    EXPECT_EQ(js("log.length"), 3);
}

} // namespace
} // namespace handeye::web

// SPDX-License-Identifier: Apache-2.0
// What a browser shows in windows of its own, and a page's picture does not: lists, calendars, colours, dialogs, file choosers.
#include "tests/platforms/web_fixture.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace handeye::web {
namespace {

using nlohmann::json;

TEST_F(WebTest, ListsOfSelectsAreSeenAndOperated) {
    open("<select id=s><option value=r>red<optgroup label=cool><option value=b>blue<option value=g disabled>green</optgroup><option value=y>yellow</select>"
         "<select id=m multiple size=4><option>one<option>two<option>three</select>"
         "<script>log=[];clicks=0;s.oninput=()=>log.push('input '+s.value);s.onchange=()=>log.push('change '+s.value);document.addEventListener('click',e=>{if(e.target!==s)clicks++})</script>");
    click("s");
    EXPECT_EQ(marked("blue").role, "list item");
    const auto elements = platform_->elements();
    EXPECT_TRUE(std::none_of(elements->begin(), elements->end(), [](const Element& element) { return element.label_utf8 == "green"; }));
    click(marked("blue").box.center());
    EXPECT_TRUE(wait_js("log.join() === 'input b,change b'")) << js("log.join()");
    EXPECT_EQ(js("clicks"), 0); // the page hears of no click on what it does not have
    EXPECT_EQ(js("document.activeElement.id"), "s");
    press({"space"});
    press({"Down"});
    press({"Return"});
    EXPECT_TRUE(wait_js("s.value === 'y'")) << js("s.value"); // over the disabled one
    click("s");
    press({"Escape"});
    EXPECT_EQ(js("s.value"), "y");
    click("s");
    EXPECT_EQ(type("re\n").certainty, Certainty::Unverifiable);
    EXPECT_TRUE(wait_js("s.value === 'r'"));
    js("m.scrollIntoView()");
    const json rows = js("[...m.options].map(o=>{const r=o.getBoundingClientRect();return [r.left+r.width/2,r.top+r.height/2]})");
    const auto at = [&](std::size_t row) { return Point{static_cast<int>(rows[row][0].get<double>()), static_cast<int>(rows[row][1].get<double>())}; };
    click(at(0));
    ASSERT_TRUE(platform_->inject(Key{"Control_L", Edge::Press}).has_value());
    click(at(2));
    ASSERT_TRUE(platform_->inject(Key{"Control_L", Edge::Release}).has_value());
    EXPECT_TRUE(wait_js("[...m.selectedOptions].map(o=>o.text).join() === 'one,three'"));
}

TEST_F(WebTest, DatesTimesAndColoursAreTypedAndPicked) {
    open("<input type=date id=d value='2024-05-03'><input type=time id=t><input type=datetime-local id=dt><input type=month id=mo value='2024-05'><input type=color id=c>"
         "<script>log=[];for(const e of document.querySelectorAll('input'))e.onchange=()=>log.push(e.id)</script>");
    click(Point{middle("d").x - 30, middle("d").y});
    TextResult result = type("2024-12-24");
    EXPECT_EQ(result.certainty, Certainty::Confirmed) << result.reason;
    EXPECT_EQ(js("d.value"), "2024-12-24");
    js("d.value = ''");
    click(Point{middle("d").x - 50, middle("d").y});
    result = type("05/31/2023");
    EXPECT_EQ(result.certainty, Certainty::Confirmed) << result.reason;
    EXPECT_EQ(js("d.value"), "2023-05-31");
    const json box = js("(()=>{const r=d.getBoundingClientRect();return [r.right-10,r.top+r.height/2]})()");
    click(Point{static_cast<int>(box[0].get<double>()), static_cast<int>(box[1].get<double>())}); // the calendar's sign
    click(marked("17").box.center());
    EXPECT_TRUE(wait_js("d.value === '2023-05-17'")) << js("d.value");
    click(Point{middle("t").x - 20, middle("t").y});
    EXPECT_EQ(type("13:45").certainty, Certainty::Confirmed);
    EXPECT_EQ(js("t.value"), "13:45");
    click("c");
    click(marked("#ff0000").box.center());
    EXPECT_TRUE(wait_js("c.value === '#ff0000'"));
    click("c");
    press({"Escape"});
    EXPECT_EQ(type("#123456").certainty, Certainty::Confirmed);
    EXPECT_EQ(js("c.value"), "#123456");
    EXPECT_TRUE(wait_js("['d','t','c'].every(id=>log.includes(id))"));
}

// Part by part, as a person fills them: the browser tells the whole once there is one.
TEST_F(WebTest, PartsOfDatesAndTimesAreReadBack) {
    open("<input type=date id=d><input type=time id=t><input type=date id=p><input type=datetime-local id=dt>");
    const auto at_first_part = [&](const std::string& id) { // the browser's language decides which one that is: here the month, the hour
        click(id);
        js(id + ".blur()");
        js(id + ".focus()");
    };
    at_first_part("d");
    TextResult result = type("09102012");
    EXPECT_EQ(result.certainty, Certainty::Confirmed) << result.reason;
    EXPECT_EQ(js("d.value"), "2012-09-10");
    at_first_part("d");
    result = type("11"); // one part of a date that is whole
    EXPECT_EQ(result.certainty, Certainty::Confirmed) << result.reason;
    EXPECT_EQ(js("d.value"), "2012-11-10");
    at_first_part("t");
    result = type("0304PM");
    EXPECT_EQ(result.certainty, Certainty::Confirmed) << result.reason;
    EXPECT_EQ(js("t.value"), "15:04");
    at_first_part("p");
    EXPECT_EQ(type("09").certainty, Certainty::Unverifiable); // of a date that is not whole nothing is told
    EXPECT_EQ(type("10").certainty, Certainty::Unverifiable);
    result = type("2012");
    EXPECT_EQ(result.certainty, Certainty::Confirmed) << result.reason;
    EXPECT_EQ(js("p.value"), "2012-09-10");
    at_first_part("dt");
    result = type("09102012\t0304PM"); // the time is a part after the next
    EXPECT_EQ(result.certainty, Certainty::Unverifiable) << result.reason;
    EXPECT_EQ(js("dt.value"), "2012-09-10T15:04");
    at_first_part("d");
    result = type("99"); // no month: the browser makes another one of it
    EXPECT_EQ(result.certainty, Certainty::Partial);
    EXPECT_NE(result.reason.find("2012-"), std::string::npos) << result.reason;
    at_first_part("d");
    EXPECT_EQ(type("x").certainty, Certainty::Partial);
}

TEST_F(WebTest, DialogsAreSeenAndAnswered) {
    open("<button id=b onclick=\"answer=confirm('Really delete Ünïcode?')\">delete</button><button id=p onclick=\"answer=prompt('Your name?','nobody')\">name</button>"
         "<button id=a onclick=\"alert('done');answer='told'\">tell</button><script>answer=null</script>");
    ASSERT_TRUE(platform_->capture().has_value());
    click("b"); // returns although the page stands still
    auto shot = platform_->capture();
    ASSERT_TRUE(shot.has_value()) << shot.error().message;
    EXPECT_EQ(shot->image.size(), (Size{800, 600}));
    click(marked("Cancel").box.center());
    EXPECT_TRUE(wait_js("answer === false"));
    click("b");
    click(marked("OK").box.center());
    EXPECT_TRUE(wait_js("answer === true"));
    click("p");
    press({"Control_L", "a"});
    EXPECT_EQ(type("Grüße\n").certainty, Certainty::Confirmed);
    EXPECT_TRUE(wait_js("answer === 'Grüße'")) << js("answer");
    click("p");
    press({"Escape"});
    EXPECT_TRUE(wait_js("answer === null"));
    click("a");
    press({"Return"});
    EXPECT_TRUE(wait_js("answer === 'told'"));
    js("setTimeout(()=>{answer=confirm('later')},50); 1");
    ASSERT_TRUE(wait_for([&] { const auto all = platform_->elements(); return all && all->size() == 2; }));
    click(marked("OK").box.center());
    EXPECT_TRUE(wait_js("answer === true"));
}

TEST_F(WebTest, LeavingAPageIsAsked) {
    open("<input id=i><script>onbeforeunload=e=>{e.preventDefault();e.returnValue='x'}</script>");
    click("i");
    type("x"); // a page that nobody touched may not ask
    std::jthread opening([&] { static_cast<void>(platform_->perform(OpenUrl{"data:text/html,<title>next</title>"})); });
    opening.join();
    click(marked("Leave").box.center());
    EXPECT_TRUE(wait_js("document.title === 'next'"));
}

TEST_F(WebTest, FilesAreGivenByTheirPathsFromAllowedFoldersOnly) {
    std::filesystem::create_directories(folder() / "up");
    std::ofstream(folder() / "up" / "note.txt") << "hello";
    PlatformOptions options;
    options.web.uploads = folder() / "up";
    open("<input type=file id=f><script>f.onchange=async()=>{got=f.files[0].name+':'+await f.files[0].text()};got=''</script>", options);
    click("f");
    ASSERT_TRUE(wait_for([&] { const auto tab = web_->browser().front(); return tab && tab->question; }));
    type("/etc/passwd\n");
    EXPECT_EQ(js("f.files.length"), 0);
    ASSERT_TRUE(web_->browser().front()->question.has_value()); // asked again, with the reason
    press({"Control_L", "a"});
    type((folder() / "up" / "note.txt").string() + "\n");
    EXPECT_TRUE(wait_js("got === 'note.txt:hello'")) << js("got");
    click("f");
    ASSERT_TRUE(wait_for([&] { const auto tab = web_->browser().front(); return tab && tab->question; }));
    click(marked("Cancel").box.center());
    EXPECT_FALSE(web_->browser().front()->question.has_value());
}

} // namespace
} // namespace handeye::web

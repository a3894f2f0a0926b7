// SPDX-License-Identifier: Apache-2.0
// What models write and what is made of it: one row per variant that was seen or is to be expected.
#include "actions/parse.h"

#include <algorithm>
#include <ostream>

#include <gtest/gtest.h>

namespace handeye {
namespace {

constexpr Dialect kMobile = Dialect::GlmMobile;
constexpr Dialect kDesktop = Dialect::GlmDesktop;
constexpr Dialect kWeb = Dialect::GlmWebMarks;
constexpr Dialect kPoints = Dialect::GlmWebPoints;
constexpr Dialect kPhone = Dialect::AutoGlm;

struct Row {
    const char* name;
    Dialect expected;
    const char* reply;
    const char* want;         ///< canonical JSON; "!..." : an error whose message holds the rest
    const char* warning = ""; ///< part of a warning that must be there
};
void PrintTo(const Row& row, std::ostream* out) {
    *out << row.reply;
}

class ReplyTable : public testing::TestWithParam<Row> {};

TEST_P(ReplyTable, MeansWhatItShould) {
    const Row& row = GetParam();
    const auto parsed = parse_reply(row.reply, row.expected);
    const std::string want = row.want;
    if (want.starts_with('!')) {
        ASSERT_FALSE(parsed.has_value()) << to_canonical_json(parsed->action);
        EXPECT_EQ(parsed.error().code, ErrorCode::ParseFailed);
        EXPECT_NE(parsed.error().message.find(want.substr(1)), std::string::npos) << parsed.error().message;
        return;
    }
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    EXPECT_EQ(to_canonical_json(parsed->action), want);
    const std::string warning = row.warning;
    const bool has_warning =
        std::ranges::any_of(parsed->warnings, [&](const std::string& w) { return w.find(warning) != std::string::npos; });
    EXPECT_TRUE(warning.empty() || has_warning) << "no warning '" << warning << "'";
}

std::string row_name(const testing::TestParamInfo<Row>& info) {
    return info.param.name;
}

#define HANDEYE_CLICK_AT(x, y) R"({"units":"thousandths","verb":"click","x":)" #x R"(,"y":)" #y "}"
#define HANDEYE_CLICK_BOX(a, b, c, d, x, y)                                                                                     \
    R"({"box":[)" #a "," #b "," #c "," #d R"(],"units":"thousandths","verb":"click","x":)" #x R"(,"y":)" #y "}"

const Row kJsonRows[] = {
    {"MobileCanonical", kMobile, R"(<|begin_of_box|>{"action_type":"click","box_2d":[[503,580,718,702]]}<|end_of_box|>)",
     HANDEYE_CLICK_BOX(503, 580, 718, 702, 610.5, 641)},
    {"StartOfBoxToken", kMobile, R"(<|start_of_box|>{"action_type":"navigate_home"}<|end_of_box|>)", R"({"verb":"home"})"},
    {"KeysInAnotherOrder", kMobile, R"({"box_2d":[[1,2,3,4]],"action_type":"click"})", HANDEYE_CLICK_BOX(1, 2, 3, 4, 2, 3)},
    {"ExtraKeys", kMobile, R"({"action_type":"click","element_type":"button","box_2d":[[1,2,3,4]],"z":{"a":[null]}})",
     HANDEYE_CLICK_BOX(1, 2, 3, 4, 2, 3)},
    {"PythonDict", kMobile, R"({'action_type': 'input_text', 'text': "it's", 'box_2d': [[10,20,30,40]], 'override': True})",
     R"({"box":[10,20,30,40],"clear":true,"enter":true,"text":"it's","units":"thousandths","verb":"type","x":20,"y":30})"},
    {"PythonDictWithEscapedApostrophe", kMobile, R"({'action_type': 'answer', 'text': 'it\'s 5'})",
     R"({"text":"it's 5","verb":"answer"})"},
    {"PythonFalse", kMobile, R"({'action_type':'input_text','text':'a','box_2d':[[10,20,30,40]],'override':False})",
     R"({"box":[10,20,30,40],"enter":true,"text":"a","units":"thousandths","verb":"type","x":20,"y":30})"},
    {"PythonNone", kMobile, R"({'action_type':'swipe','direction':'left','box_2d':None})", R"({"direction":"left","verb":"swipe"})"},
    {"DoubledBraces", kMobile, R"({{"action_type":"click","box_2d":[[1,2,3,4]]}})", HANDEYE_CLICK_BOX(1, 2, 3, 4, 2, 3)},
    {"LeadingZeros", kMobile, R"({"action_type":"click","box_2d":[[012,086,099,932]]})", HANDEYE_CLICK_BOX(12, 86, 99, 932, 55.5, 509)},
    {"FlatBox", kMobile, R"({"action_type":"click","box_2d":[100,200,300,400]})", HANDEYE_CLICK_BOX(100, 200, 300, 400, 200, 300)},
    {"BoxInAString", kMobile, R"({"action_type":"click","box_2d":"[[100,200,300,400]]"})", HANDEYE_CLICK_BOX(100, 200, 300, 400, 200, 300)},
    {"PointInDoubleBrackets", kMobile, R"({"action_type":"click","box_2d":[[100,200]]})", HANDEYE_CLICK_AT(100, 200)},
    {"PointInBrackets", kMobile, R"({"action_type":"click","box_2d":[100,200]})", HANDEYE_CLICK_AT(100, 200)},
    {"PointInParentheses", kMobile, R"({"action_type":"click","box_2d":(100,200)})", HANDEYE_CLICK_AT(100, 200)},
    {"PointTag", kDesktop, "click(point='<point>100 200</point>')", HANDEYE_CLICK_AT(100, 200)},
    {"BareBboxTag", kDesktop, "click(box=<bbox>100 200 300 400</bbox>)", HANDEYE_CLICK_BOX(100, 200, 300, 400, 200, 300)},
    {"BoxStartToken", kDesktop, "click(start_box='<|box_start|>(100,200)<|box_end|>')", HANDEYE_CLICK_AT(100, 200)},
    {"TwoBoxesTakeTheFirst", kMobile, R"({"action_type":"click","box_2d":[[10,20,30,40],[50,60,70,80]]})",
     HANDEYE_CLICK_BOX(10, 20, 30, 40, 20, 30), "several boxes"},
    {"TwoBoxesOfADragAreBoth", kDesktop, "left_drag(start_box='[[10,20,30,40],[50,60,70,80]]')",
     R"({"box":[10,20,30,40],"to_box":[50,60,70,80],"to_x":60,"to_y":70,"units":"thousandths","verb":"drag","x":20,"y":30})"},
    {"SixNumbersTakeTheFirstBox", kDesktop, "left_click(start_box='[10,20,30,40,50,60]')", HANDEYE_CLICK_BOX(10, 20, 30, 40, 20, 30)},
    {"NumberInsideAWordIsNoCoordinate", kDesktop, "left_click(start_box='o.25 b-3 x1')", "!lacks the place"},
    {"ThreeNumbersAreNoPlace", kDesktop, "left_click(start_box='[10,20,30]')", "!3 numbers"},
    {"BoxTheWrongWayRound", kMobile, R"({"action_type":"click","box_2d":[[300,400,100,200]]})",
     HANDEYE_CLICK_BOX(100, 200, 300, 400, 200, 300)},
    {"Decimals", kDesktop, "left_click(start_box='[10.5,20.0]')", HANDEYE_CLICK_AT(10.5, 20)},
    {"SharesOfTheScreen", kDesktop, "left_click(start_box='[0.5,0.25]')", HANDEYE_CLICK_AT(500, 250), "shares of the screen"},
    {"OnesAreThousandths", kDesktop, "left_click(start_box='[1,0]')", HANDEYE_CLICK_AT(1, 0)},
    {"BeyondAThousand", kDesktop, "left_click(start_box='[1043,600]')", "!0-999"},
    {"BeyondAThousandInABox", kMobile, R"({"action_type":"click","box_2d":[[3,580,1718,702]]})", "!0-999"},
    {"NegativeCoordinate", kDesktop, "left_click(start_box='[-5,600]')", "!0-999"},
    {"ThousandItself", kDesktop, "left_click(start_box='[1000,1000]')", HANDEYE_CLICK_AT(1000, 1000)},
    {"ActionKey", kDesktop, R"({"action":"left_click","start_box":"[500,300]"})", HANDEYE_CLICK_AT(500, 300)},
    {"NameAndArguments", kDesktop, R"({"name":"click","arguments":{"start_box":[500,300]}})", HANDEYE_CLICK_AT(500, 300)},
    {"ArgumentsAsText", kDesktop, R"({"name":"click","arguments":"{\"start_box\":[500,300]}"})", HANDEYE_CLICK_AT(500, 300)},
    {"FunctionObject", kDesktop, R"({"type":"function","function":{"name":"click","arguments":{"point":[5,6]}}})", HANDEYE_CLICK_AT(5, 6)},
    {"Coordinates", kDesktop, R"({"action_type":"left_click","coordinates":[500,300]})", HANDEYE_CLICK_AT(500, 300)},
    {"ActionNameWithToolTags", kDesktop, R"({"action":"left_click<arg_key>start_box</arg_key><arg_value>[1,2]</arg_value>"})",
     HANDEYE_CLICK_AT(1, 2)},
    {"JsonListTakesTheLast", kMobile, R"([{"action_type":"navigate_home"},{"action_type":"navigate_back"}])", R"({"verb":"back"})",
     "multiple actions"},
    {"ListWithATypeThatSaysNothing", kMobile, R"([{"Type": "Type"}])", "!lacks the text"},
    {"FencedJson", kMobile, "```json\n{\"action_type\":\"wait\"}\n```", R"({"seconds":1.0,"verb":"wait"})"},
    {"StatusComplete", kMobile, R"({"action_type":"status","goal_status":"complete"})", R"({"verb":"finish"})"},
    {"StatusInfeasible", kMobile, R"({"action_type":"status","goal_status":"infeasible"})", R"({"verb":"fail"})"},
    {"StatusCompleted", kMobile, R"({"action_type":"status","goal_status":"completed"})", R"({"verb":"finish"})"},
    {"StatusSuccess", kMobile, R"({"action_type":"status","goal_status":"Success"})", R"({"verb":"finish"})"},
    {"StatusFailed", kMobile, R"({"action_type":"status","goal_status":"failed"})", R"({"verb":"fail"})"},
    {"StatusUnknownIsNoSuccess", kMobile, R"({"action_type":"status","goal_status":"maybe"})", "!complete or infeasible"},
    {"StatusWithoutItsValueIsNoSuccess", kMobile, R"({"action_type":"status"})", "!goal_status"},
    {"SwipeInCapitals", kMobile, R"({"action_type":"swipe","direction":"UP"})", R"({"direction":"up","verb":"swipe"})"},
    {"SwipeWithABox", kMobile, R"({"action_type":"swipe","direction":"down","box_2d":[[10,20,30,40]]})",
     R"({"box":[10,20,30,40],"direction":"down","units":"thousandths","verb":"swipe","x":20,"y":30})"},
    {"SwipeWithAnEmptyBox", kMobile, R"({"action_type":"swipe","direction":"down","box_2d":[]})", R"({"direction":"down","verb":"swipe"})"},
    {"SwipeToTheBottom", kMobile, R"({"action_type":"swipe","direction":"bottom"})", "!no direction 'bottom'"},
    {"LongPress", kMobile, R"({"action_type":"long_press","box_2d":[[10,20,30,40]]})",
     R"({"box":[10,20,30,40],"hold_ms":1000.0,"units":"thousandths","verb":"long_press","x":20,"y":30})"},
    {"KeyboardEnter", kMobile, R"({"action_type":"keyboard_enter"})", R"({"keys":"enter","verb":"key"})"},
    {"OpenApp", kMobile, R"({"action_type":"open_app","app_name":"Files"})", R"({"app":"Files","verb":"open_app"})"},
    {"OpenAppWithoutAName", kMobile, R"({"action_type":"open_app"})", "!app's name"},
    {"AnswerThenStatus", kMobile, R"({"action_type":"answer","text":"42"} {"action_type":"status","goal_status":"complete"})",
     R"({"ends_task":true,"text":"42","verb":"answer"})", "took both"},
    {"AnswerThenInfeasible", kMobile, R"({"action_type":"answer","text":"42"} {"action_type":"status","goal_status":"infeasible"})",
     R"({"text":"42","verb":"answer"})", "took both"},
    {"AnswerAlone", kMobile, R"({"action_type":"answer","text":"42"})", R"({"text":"42","verb":"answer"})"},
    {"UnknownActionType", kMobile, R"({"action_type":"teleport","box_2d":[[1,2,3,4]]})", "!no action 'teleport'"},
    {"CanonicalInAReply", kDesktop, R"({"verb":"click","x":160,"y":70})", R"({"verb":"click","x":160,"y":70})"},
    {"QuotesInsideJsonText", kMobile, R"({"action_type":"answer","text":"He said "hi", then left"})",
     R"({"text":"He said \"hi\", then left","verb":"answer"})", "repaired"},
};
INSTANTIATE_TEST_SUITE_P(Json, ReplyTable, testing::ValuesIn(kJsonRows), row_name);

const Row kCallRows[] = {
    {"LeftClick", kDesktop, "left_click(start_box='[500,312]', element_info='Save')",
     R"({"element_info":"Save","units":"thousandths","verb":"click","x":500,"y":312})"},
    {"RightClick", kDesktop, "right_click(start_box='[5,6]')", R"({"units":"thousandths","verb":"right_click","x":5,"y":6})"},
    {"MiddleClick", kDesktop, "middle_click(start_box='[5,6]')", R"({"units":"thousandths","verb":"middle_click","x":5,"y":6})"},
    {"Hover", kDesktop, "hover(start_box='[5,6]', element_info='')", R"({"units":"thousandths","verb":"hover","x":5,"y":6})"},
    {"DoubleClick", kDesktop, "left_double_click(start_box='[5,6]')", R"({"units":"thousandths","verb":"double_click","x":5,"y":6})"},
    {"Drag", kDesktop, "left_drag(start_box='[1,2]', end_box='[3,4]', element_info='x')",
     R"({"element_info":"x","to_x":3,"to_y":4,"units":"thousandths","verb":"drag","x":1,"y":2})"},
    {"Key", kDesktop, "key(keys='ctrl+c')", R"({"keys":"ctrl+c","verb":"key"})"},
    {"KeyByItsOtherName", kDesktop, "key(key='ctrl+c')", R"({"keys":"ctrl+c","verb":"key"})"},
    {"KeyList", kDesktop, "key(keys=['ctrl', 'c'])", R"({"keys":"ctrl+c","verb":"key"})"},
    {"CtrlAndPlus", kDesktop, "key(keys='ctrl++')", R"({"keys":"ctrl+plus","verb":"key"})"},
    {"UnknownKey", kDesktop, "key(keys='ctrl+florp')", "!no key called 'florp'"},
    {"Type", kDesktop, "type(content='Ada')", R"({"text":"Ada","verb":"type"})"},
    {"Scroll", kDesktop, "scroll(start_box='[5,6]', direction='up', step=3, element_info='')",
     R"({"amount":3,"direction":"up","units":"thousandths","verb":"scroll","x":5,"y":6})"},
    {"ScrollWithoutAnything", kDesktop, "scroll()", R"({"amount":5,"direction":"down","verb":"scroll"})"},
    {"ScrollSideways", kDesktop, "scroll(start_box='[5,6]', direction='right', step='2')",
     R"({"amount":2,"direction":"right","units":"thousandths","verb":"scroll","x":5,"y":6})"},
    {"ScrollDiagonally", kDesktop, "scroll(start_box='[5,6]', direction='diagonal')", "!no direction"},
    {"Wait", kDesktop, "WAIT()", R"({"seconds":5.0,"verb":"wait"})"},
    {"Done", kDesktop, "DONE()", R"({"verb":"finish"})"},
    {"Fail", kDesktop, "FAIL()", R"({"verb":"fail"})"},
    {"HoldKeys", kDesktop, "left_click(start_box='[5,6]', hold_keys='ctrl+shift')",
     R"({"hold_keys":["ctrl","shift"],"units":"thousandths","verb":"click","x":5,"y":6})"},
    {"HoldKeysNone", kDesktop, "left_click(start_box='[5,6]', hold_keys='None')", HANDEYE_CLICK_AT(5, 6)},
    {"HoldKeysEmpty", kDesktop, "left_click(start_box='[5,6]', hold_keys='')", HANDEYE_CLICK_AT(5, 6)},
    {"HoldKeysThatAreNoModifiers", kDesktop, "left_click(start_box='[5,6]', hold_keys='a')", "!modifier"},
    {"TripleClick", kDesktop, "left_triple_click(start_box='[5,6]')", R"({"units":"thousandths","verb":"triple_click","x":5,"y":6})"},
    {"TripleClickShort", kDesktop, "triple_click(start_box='[5,6]')", R"({"units":"thousandths","verb":"triple_click","x":5,"y":6})"},
    {"DragWithTwoInfos", kDesktop, "left_drag(start_box='[1,2]', end_box='[3,4]', start_element_info='a', end_element_info='b')",
     R"({"element_info":"a","to_x":3,"to_y":4,"units":"thousandths","verb":"drag","x":1,"y":2})"},
    {"ClickAndHold", kDesktop, "left_click_hold(start_box='[5,6]')",
     R"({"hold_ms":8000.0,"units":"thousandths","verb":"long_press","x":5,"y":6})"},
    {"StartBoxWithoutQuotes", kDesktop, "left_click(start_box=[5,6])", HANDEYE_CLICK_AT(5, 6)},
    {"StartBoxInParentheses", kDesktop, R"~(left_click(start_box="(5, 6)"))~", HANDEYE_CLICK_AT(5, 6)},
    {"StartBoxWithFourValues", kDesktop, "left_click(start_box='[[10,20,30,40]]')", HANDEYE_CLICK_BOX(10, 20, 30, 40, 20, 30)},
    {"ClickBox", kDesktop, "click(box=[[10,20,30,40]])", HANDEYE_CLICK_BOX(10, 20, 30, 40, 20, 30)},
    {"LeftClickBox", kDesktop, "left_click(box='[5,6]')", HANDEYE_CLICK_AT(5, 6)},
    {"ClickPoint", kDesktop, "click(point=(5,6))", HANDEYE_CLICK_AT(5, 6)},
    {"ClickPosition", kDesktop, "click(position=[5,6])", HANDEYE_CLICK_AT(5, 6)},
    {"ClickCoordinate", kDesktop, "click(coordinate=[5,6])", HANDEYE_CLICK_AT(5, 6)},
    {"ClickXAndY", kDesktop, "click(x=5, y=6)", HANDEYE_CLICK_AT(5, 6)},
    {"ClickWithoutNames", kDesktop, "click(5, 6)", HANDEYE_CLICK_AT(5, 6)},
    {"LeftDouble", kDesktop, "left_double(point='<point>5 6</point>')", R"({"units":"thousandths","verb":"double_click","x":5,"y":6})"},
    {"RightSingle", kDesktop, "right_single(point='<point>5 6</point>')", R"({"units":"thousandths","verb":"right_click","x":5,"y":6})"},
    {"DragWithPoints", kDesktop, "drag(start_point='<point>1 2</point>', end_point='<point>3 4</point>')",
     R"({"to_x":3,"to_y":4,"units":"thousandths","verb":"drag","x":1,"y":2})"},
    {"LeftClickDrag", kDesktop, "left_click_drag(start_box='[1,2]', end_box='[3,4]')",
     R"({"to_x":3,"to_y":4,"units":"thousandths","verb":"drag","x":1,"y":2})"},
    {"HotkeyWithSpaces", kDesktop, "hotkey(key='ctrl c')", R"({"keys":"ctrl+c","verb":"key"})"},
    {"Press", kDesktop, "press(key='enter')", R"({"keys":"enter","verb":"key"})"},
    {"KeyPress", kDesktop, "KEY_PRESS(key='Return')", R"({"keys":"return","verb":"key"})"},
    {"WaitInSmallLetters", kDesktop, "wait()", R"({"seconds":5.0,"verb":"wait"})"},
    {"Finished", kDesktop, "finished(content='ok')", R"({"message":"ok","verb":"finish"})"},
    {"FinishedWithoutWords", kDesktop, "finished()", R"({"verb":"finish"})"},
    {"DoneInSmallLetters", kDesktop, "done()", R"({"verb":"finish"})"},
    {"CogAgentEnd", kDesktop, "Grounded Operation: END()", R"({"verb":"finish"})"},
    {"CogAgentClick", kDesktop, "Action: click it\nGrounded Operation: CLICK(box=[[012,020,030,040]], element_type='b', element_info='x')",
     R"({"box":[12,20,30,40],"element_info":"x","units":"thousandths","verb":"click","x":21,"y":30})"},
    {"CogAgentType", kDesktop, "TYPE(box=[[10,20,30,40]], text='hi')",
     R"({"box":[10,20,30,40],"text":"hi","units":"thousandths","verb":"type","x":20,"y":30})"},
    {"CogAgentScroll", kDesktop, "SCROLL_UP(box=[[10,20,30,40]], step_count=2)",
     R"({"amount":2,"box":[10,20,30,40],"direction":"up","units":"thousandths","verb":"scroll","x":20,"y":30})"},
    {"CogAgentLaunch", kDesktop, "LAUNCH(app='Files')", R"({"app":"Files","verb":"open_app"})"},
    {"CogAgentGestureIsNotHere", kDesktop, "GESTURE(actions=[KEY_DOWN('a')])", "!not available"},
    {"BareDone", kDesktop, "Done.", R"({"verb":"finish"})", "bare word"},
    {"BareDoneInCapitals", kDesktop, "I saved the file. DONE", R"({"verb":"finish"})", "bare word"},
    {"BareFail", kDesktop, "There is no such button.\nfail", R"({"verb":"fail"})", "bare word"},
    {"BareWait", kDesktop, "**wait**", R"({"seconds":5.0,"verb":"wait"})"},
    {"BareWordInASentenceIsNone", kDesktop, "It is not done", "!no action recognised"},
    {"BareWordInCapitalsInASentenceIsNone", kDesktop, "The task is NOT DONE", "!no action recognised"},
    {"ApostropheInText", kDesktop, "type(content='it's fine')", R"({"text":"it's fine","verb":"type"})", "repaired"},
    {"QuotedWordsInText", kDesktop, "type(content='say 'hi', Bob')", R"({"text":"say 'hi', Bob","verb":"type"})", "repaired"},
    {"QuotedWordsInChinese", kMobile, "do(action=\"Type\", text=\"去哪里\"吃饭\"呀？\")",
     "{\"clear\":true,\"text\":\"去哪里\\\"吃饭\\\"呀？\",\"verb\":\"type\"}", "repaired"},
    {"ParenthesesInText", kDesktop, "type(content='a (b) c')", R"({"text":"a (b) c","verb":"type"})"},
    {"CallInText", kDesktop, "type(content='print('hi')')", R"~({"text":"print('hi')","verb":"type"})~", "repaired"},
    {"NewlineInText", kDesktop, "type(content='a\nb')", R"({"text":"a\nb","verb":"type"})"},
    {"TabInText", kDesktop, "type(content='a\tb')", R"({"text":"a\tb","verb":"type"})"},
    {"EscapedNewlineInText", kDesktop, R"(type(content='a\nb\t\'c\''))", R"({"text":"a\nb\t'c'","verb":"type"})"},
    {"UnicodeEscapeInText", kDesktop, R"(type(content='\u00e9\ud83d\ude00'))", "{\"text\":\"é😀\",\"verb\":\"type\"}"},
    {"CarriageReturnInText", kDesktop, "type(content='a\r\nb')", R"({"text":"a\nb","verb":"type"})"},
    {"NumberAsText", kDesktop, "type(content=007)", R"({"text":"007","verb":"type"})"},
    {"TripleQuotes", kDesktop, "type(content='''it's\n'x'\n''')", R"({"text":"it's\n'x'\n","verb":"type"})"},
    {"LabelInText", kDesktop, "type(content='a\nMemory: b\nAction: c')\nMemory:\n[]", R"({"text":"a\nMemory: b\nAction: c","verb":"type"})"},
    {"TypeThenReturnTakesTheLast", kDesktop, "type(content='a')\nkey(keys='Return')", R"({"keys":"return","verb":"key"})",
     "multiple actions"},
    {"MissingParenthesis", kDesktop, "left_click(start_box='[5,6]'", HANDEYE_CLICK_AT(5, 6), "repaired"},
    {"MissingQuote", kDesktop, "left_click(start_box='[5,6])", HANDEYE_CLICK_AT(5, 6), "repaired"},
    {"MissingBracket", kDesktop, "left_click(start_box=[5,6)", HANDEYE_CLICK_AT(5, 6), "repaired"},
    {"MissingEverything", kDesktop, "left_click(start_box='[5,6", HANDEYE_CLICK_AT(5, 6), "repaired"},
    {"MissingBrace", kMobile, R"({"action_type":"click","box_2d":[[10,20,30,40]])", HANDEYE_CLICK_BOX(10, 20, 30, 40, 20, 30), "repaired"},
    {"MissingQuoteOfText", kDesktop, "type(content='Ada)", R"({"text":"Ada","verb":"type"})", "repaired"},
    {"MissingArgument", kDesktop, "left_click(", "!lacks the place"},
    {"FencedPython", kDesktop, "Clicking.\n```python\nleft_click(start_box='[5,6]')\n```", HANDEYE_CLICK_AT(5, 6)},
    {"LabelInsideTheFence", kDesktop, "```\nAction: left_click(start_box='[5,6]')\n```", HANDEYE_CLICK_AT(5, 6)},
    {"SmallLabel", kDesktop, "action: left_click(start_box='[5,6]')", HANDEYE_CLICK_AT(5, 6)},
    {"RepeatedLabel", kDesktop, "Action: Action: left_click(start_box='[5,6]')", HANDEYE_CLICK_AT(5, 6)},
    {"BoldLabel", kDesktop, "**Action:** left_click(start_box='[5,6]')", HANDEYE_CLICK_AT(5, 6)},
    {"NumberedLabel", kDesktop, "3. Action: left_click(start_box='[5,6]')", HANDEYE_CLICK_AT(5, 6)},
    {"FullWidthLabel", kDesktop, "Action：left_click(start_box='[5,6]')", HANDEYE_CLICK_AT(5, 6)},
    {"FullWidthPunctuation", kDesktop, "left_click（start_box＝‘[5,6]’，element_info＝“保存”）",
     "{\"element_info\":\"保存\",\"units\":\"thousandths\",\"verb\":\"click\",\"x\":5,\"y\":6}"},
    {"FullWidthPunctuationStaysInText", kDesktop, "type(content='（a），“b”：c')", "{\"text\":\"（a），“b”：c\",\"verb\":\"type\"}"},
    {"ToolTags", kDesktop, "left_click <arg_key>start_box</arg_key> <arg_value>[246, 349]</arg_value>", HANDEYE_CLICK_AT(246, 349)},
    {"ToolTagsInACall", kDesktop,
     "<tool_call>left_click<arg_key>start_box</arg_key><arg_value>[246, 349]</arg_value><arg_key>element_info</arg_key>"
     "<arg_value>OK</arg_value></tool_call>",
     R"({"element_info":"OK","units":"thousandths","verb":"click","x":246,"y":349})"},
    {"ToolTagsWithoutTheFirst", kDesktop, "left_click\nstart_box</arg_key><arg_value>[246, 349]</arg_value>", HANDEYE_CLICK_AT(246, 349)},
    {"TwoCallsTakeTheLast", kDesktop, "left_click(start_box='[1,2]') then left_click(start_box='[5,6]')", HANDEYE_CLICK_AT(5, 6),
     "multiple actions: took the last of 2"},
    {"TwoBoxedCallsTakeTheLast", kDesktop,
     "<|begin_of_box|>left_click(start_box='[1,2]')<|end_of_box|><|begin_of_box|>left_click(start_box='[5,6]')<|end_of_box|>",
     HANDEYE_CLICK_AT(5, 6), "multiple actions"},
    {"CallQuotedInAnotherIsText", kDesktop, R"~(type(content="left_click(start_box='[1,2]')"))~",
     R"~({"text":"left_click(start_box='[1,2]')","verb":"type"})~"},
    {"JsonQuotedInACallIsText", kDesktop, R"(type(content='{"action_type":"navigate_home"}'))",
     R"({"text":"{\"action_type\":\"navigate_home\"}","verb":"type"})"},
    {"CallQuotedInJsonIsText", kDesktop, R"~({"action_type":"input_text","text":"DONE()","box_2d":[10,20]})~",
     R"~({"enter":true,"text":"DONE()","units":"thousandths","verb":"type","x":10,"y":20})~"},
    {"ProseAfterTheCall", kDesktop, "left_click(start_box='[5,6]') This saves the file (hopefully).", HANDEYE_CLICK_AT(5, 6)},
    {"RestatedAnswer", kDesktop, "left_click(start_box='[5,6]')\nSo I click at (5, 6), which is left_click().", HANDEYE_CLICK_AT(5, 6)},
    {"TextBeforeTheBox", kDesktop, "I click Save. <|begin_of_box|>left_click(start_box='[5,6]')<|end_of_box|>", HANDEYE_CLICK_AT(5, 6)},
    {"BoxWithoutItsEnd", kDesktop, "<|begin_of_box|>left_click(start_box='[5,6]')\nMemory:\n[]", HANDEYE_CLICK_AT(5, 6)},
    {"ProseInABoxAndTheCallInTheNext", kDesktop,
     "<|begin_of_box|>the Save button<|end_of_box|> <|begin_of_box|>left_click(start_box='[5,6]')<|end_of_box|>", HANDEYE_CLICK_AT(5, 6)},
    {"CallInABoxAndProseInTheNext", kDesktop,
     "<|begin_of_box|>left_click(start_box='[5,6]')<|end_of_box|> <|begin_of_box|>Saved.<|end_of_box|>", HANDEYE_CLICK_AT(5, 6)},
    {"BoxOfProseForbidsTheRest", kDesktop, "Write left_click(start_box='[5,6]') like this. <|begin_of_box|>hello<|end_of_box|>",
     "!no action recognised"},
    {"ProseBoxAndActionField", kDesktop, "Reason: <|begin_of_box|>x<|end_of_box|>\nAction: left_click(start_box='[5,6]')",
     HANDEYE_CLICK_AT(5, 6)},
    {"UnknownCall", kDesktop, "teleport(start_box='[5,6]')", "!no action recognised"},
    {"AnotherLibrarysCall", kDesktop, "pyautogui.click(500, 300)", "!no action recognised"},
    {"SpaceInTheName", kDesktop, "left_ click(start_box='[5,6]')", HANDEYE_CLICK_AT(5, 6)},
    {"MixedCase", kDesktop, "Left_Click(start_box='[5,6]')", HANDEYE_CLICK_AT(5, 6)},
    {"MisspeltNameIsNotGuessed", kDesktop, "left_clik(start_box='[5,6]')", "!no action recognised"},
    {"EmptyBox", kDesktop, "<|begin_of_box|><|end_of_box|>", "!no action recognised"},
    {"NothingAtAll", kDesktop, "", "!empty"},
    {"OnlySpace", kDesktop, " \n\t ", "!empty"},
    {"Prose", kDesktop, "I do not know what to do.", "!no action recognised"},
};
INSTANTIATE_TEST_SUITE_P(Calls, ReplyTable, testing::ValuesIn(kCallRows), row_name);

const Row kOtherRows[] = {
    {"AutoGlmTap", kMobile, "do(action=\"Tap\", element=[5,6])", HANDEYE_CLICK_AT(5, 6)},
    {"AutoGlmTapWithMessage", kMobile, "do(action=\"Tap\", element=[5,6], message=\"This pays.\")",
     R"({"ask_first":"This pays.","units":"thousandths","verb":"click","x":5,"y":6})"},
    {"AutoGlmType", kMobile, "do(action=\"Type\", text=\"hi\")", R"({"clear":true,"text":"hi","verb":"type"})"},
    {"AutoGlmTypeName", kMobile, "do(action=\"Type_Name\", text=\"hi\")", R"({"clear":true,"text":"hi","verb":"type"})"},
    {"AutoGlmSwipe", kMobile, "do(action=\"Swipe\", start=[1,2], end=[3,4])",
     R"({"to_x":3,"to_y":4,"units":"thousandths","verb":"swipe","x":1,"y":2})"},
    {"AutoGlmLaunch", kMobile, "do(action=\"Launch\", app=\"Files\")", R"({"app":"Files","verb":"open_app"})"},
    {"AutoGlmLongPress", kMobile, "do(action=\"Long Press\", element=[5,6])",
     R"({"hold_ms":1000.0,"units":"thousandths","verb":"long_press","x":5,"y":6})"},
    {"AutoGlmDoubleTap", kMobile, "do(action=\"Double Tap\", element=[5,6])", R"({"units":"thousandths","verb":"double_click","x":5,"y":6})"},
    {"AutoGlmTakeOver", kMobile, "do(action=\"Take_over\", message=\"Log in\")", R"({"question":"Log in","verb":"ask_user"})"},
    {"AutoGlmBack", kMobile, "do(action=\"Back\")", R"({"verb":"back"})"},
    {"AutoGlmHome", kMobile, "do(action=\"Home\")", R"({"verb":"home"})"},
    {"AutoGlmWait", kMobile, "do(action=\"Wait\", duration=\"2 seconds\")", R"({"seconds":2.0,"verb":"wait"})"},
    {"AutoGlmNote", kMobile, "do(action=\"Note\", message=\"x\")", "!Note keeps nothing here"},
    {"AutoGlmCallApi", kMobile, "do(action=\"Call_API\", instruction=\"sum it up\")", "!finish(message="},
    {"AutoGlmFinish", kMobile, "finish(message=\"All done.\")", R"({"message":"All done.","verb":"finish"})"},
    {"AutoGlmUnknown", kMobile, "do(action=\"Fly\")", "!no action 'Fly'"},
    {"AutoGlmWithoutAction", kMobile, "do(element=[5,6])", "!lacks its action"},
    {"MarkClick", kWeb, "Thought: a\nAction: Click [12]\nMemory_Updated: {}", R"({"mark":12,"verb":"click"})"},
    {"MarkClickWithoutBrackets", kWeb, "Click 12", R"({"mark":12,"verb":"click"})"},
    {"MarkClickWithAStop", kWeb, "Click [12].", R"({"mark":12,"verb":"click"})"},
    {"MarkType", kWeb, "Type [2]; [red shoes]", R"({"clear":true,"enter":true,"mark":2,"text":"red shoes","verb":"type"})"},
    {"MarkTypeWithoutSemicolon", kWeb, "Type [2] [text]", R"({"clear":true,"enter":true,"mark":2,"text":"text","verb":"type"})"},
    {"MarkTypeWithoutBrackets", kWeb, "Type [2]; text", R"({"clear":true,"enter":true,"mark":2,"text":"text","verb":"type"})"},
    {"MarkTypeWithBracketsInside", kWeb, "Type [2]; [a[0] = b[1]]",
     R"({"clear":true,"enter":true,"mark":2,"text":"a[0] = b[1]","verb":"type"})"},
    {"MarkScroll", kWeb, "Scroll [6]; [up]", R"({"amount":5,"direction":"up","mark":6,"verb":"scroll"})"},
    {"MarkScrollWindow", kWeb, "Scroll WINDOW; down",
     R"({"amount":5,"direction":"down","verb":"scroll","viewport_share":0.6666666666666666})"},
    {"MarkScrollWindowInBrackets", kWeb, "Scroll [WINDOW]; [down]",
     R"({"amount":5,"direction":"down","verb":"scroll","viewport_share":0.6666666666666666})"},
    {"MarkWait", kWeb, "Action: Wait", R"({"seconds":5.0,"verb":"wait"})"},
    {"MarkGoBack", kWeb, "Action: GoBack", R"({"verb":"back"})"},
    {"MarkBing", kWeb, "Action: Bing", R"({"verb":"search_page"})"},
    {"MarkGoogle", kWeb, "Action: Google", R"({"verb":"search_page"})"},
    {"MarkKey", kWeb, "Key; [Return]", R"({"keys":"enter","verb":"key"})"},
    {"MarkKeyOfAnotherName", kWeb, "Key; [Escape]", "!no action recognised"},
    {"AnswerInContent", kWeb, "ANSWER; <content>Guatemala</content>", R"({"ends_task":true,"text":"Guatemala","verb":"answer"})"},
    {"AnswerWithoutItsEnd", kWeb, "ANSWER; <content>Gua\ntemala", R"({"ends_task":true,"text":"Gua\ntemala","verb":"answer"})"},
    {"AnswerInBrackets", kWeb, "ANSWER; [a [b] c]", R"({"ends_task":true,"text":"a [b] c","verb":"answer"})"},
    {"AnswerAsACall", kWeb, "ANSWER(content='it is 5')", R"({"ends_task":true,"text":"it is 5","verb":"answer"})"},
    {"AnswerWithoutText", kWeb, "ANSWER; <content></content>", "!no action recognised"},
    {"AnswerInProse", kWeb, "Answer the question first", "!no action recognised"},
    {"CoordinateClick", kWeb, "CLICK(point=(214,100), box=[[198,92,229,107]], element_info='x')",
     R"({"element_info":"x","units":"thousandths","verb":"click","x":214,"y":100})"},
    {"CoordinateType", kWeb, "TYPE(point=(5,6), text='hi', box=[[1,2,3,4]], element_info='')",
     R"({"text":"hi","units":"thousandths","verb":"type","x":5,"y":6})"},
    {"CoordinateScroll", kWeb, "SCROLL_DOWN(point=(5,6), box=[[1,2,3,4]], distance=0.5, element_info='')",
     R"({"amount":5,"direction":"down","units":"thousandths","verb":"scroll","viewport_share":0.5,"x":5,"y":6})"},
    {"CoordinateScrollInPerCent", kWeb, "SCROLL_UP(point=(5,6), distance=50)",
     R"({"amount":5,"direction":"up","units":"thousandths","verb":"scroll","viewport_share":0.5,"x":5,"y":6})"},
    {"InventedObservation", kWeb, "Action: Click [3]\nObservation: ok\nAction: Click [4]", R"({"mark":3,"verb":"click"})"},
    {"StepOnOneLine", kWeb, "Thought: a Action: Click [3] Observation: Success", R"({"mark":3,"verb":"click"})"},
    {"MarksOnADesktop", kDesktop, "Click [12]", R"({"mark":12,"verb":"click"})"},
    {"AndroidWorldIndex", kMobile, R"({"action_type":"click","index":7})", R"({"mark":7,"verb":"click"})"},
    {"MarkedTextIsNoOtherAction", kDesktop, "Type [2]; [DONE()]", R"~({"clear":true,"enter":true,"mark":2,"text":"DONE()","verb":"type"})~"},
};
INSTANTIATE_TEST_SUITE_P(Others, ReplyTable, testing::ValuesIn(kOtherRows), row_name);

// AutoGLM: how the model writes it, and how it gets it wrong.
const Row kAutoGlmRows[] = {
    {"PhoneInAnswerTags", kPhone, "<think>It is below.</think><answer>do(action=\"Tap\", element=[5,6])</answer>", HANDEYE_CLICK_AT(5, 6)},
    {"PhoneWithoutTags", kPhone, "It is below.\ndo(action=\"Tap\", element=[5,6])", HANDEYE_CLICK_AT(5, 6)},
    {"PhoneSingleQuotes", kPhone, "do(action='Tap', element=[5,6])", HANDEYE_CLICK_AT(5, 6)},
    {"PhoneCurlyQuotes", kPhone, "do(action=\u201cTap\u201d, element=[5,6])", HANDEYE_CLICK_AT(5, 6)},
    {"PhoneElementInParentheses", kPhone, "do(action=\"Tap\", element=(5, 6))", HANDEYE_CLICK_AT(5, 6)},
    {"PhoneElementAsText", kPhone, "do(action=\"Tap\", element=\"[5,6]\")", HANDEYE_CLICK_AT(5, 6)},
    {"PhoneElementAsABox", kPhone, "do(action=\"Tap\", element=[1,2,3,4])", HANDEYE_CLICK_BOX(1, 2, 3, 4, 2, 3)},
    {"PhoneInAFence", kPhone, "```\ndo(action=\"Back\")\n```", R"({"verb":"back"})"},
    {"PhoneWithAnOpenEnd", kPhone, "do(action=\"Tap\", element=[5,6]", HANDEYE_CLICK_AT(5, 6), "repaired"},
    {"PhoneLowerCase", kPhone, "do(action=\"long press\", element=[5,6])", R"({"hold_ms":1000.0,"units":"thousandths","verb":"long_press","x":5,"y":6})"},
    {"PhoneTapAlone", kPhone, "Tap(element=[5,6])", HANDEYE_CLICK_AT(5, 6)},
    {"PhoneTwoActions", kPhone, "do(action=\"Back\")\ndo(action=\"Home\")", R"({"verb":"home"})", "multiple actions"},
    {"PhoneSensitiveWithoutWords", kPhone, "do(action=\"Tap\", element=[5,6], message=\"\")",
     R"({"ask_first":"a sensitive step","units":"thousandths","verb":"click","x":5,"y":6})"},
    {"PhoneTapNowhere", kPhone, "do(action=\"Tap\")", "!lacks the place"},
    {"PhoneTapOutside", kPhone, "do(action=\"Tap\", element=[540,1200])", "!0-999"},
    {"PhoneSwipeWithoutItsEnd", kPhone, "do(action=\"Swipe\", start=[1,2])", "!lacks its direction"},
    {"PhoneSwipeWithoutItsStart", kPhone, "do(action=\"Swipe\", end=[1,2])", "!start=[x1,y1]"},
    {"PhoneTypeWithQuotesInside", kPhone, "do(action=\"Type\", text=\"say \"hi\" now\")", R"~({"clear":true,"text":"say \"hi\" now","verb":"type"})~"},
    {"PhoneTypeOfACall", kPhone, "do(action=\"Type\", text=\"do(action=\\\"Home\\\")\")", R"~({"clear":true,"text":"do(action=\"Home\")","verb":"type"})~"},
    {"PhoneTypeNothing", kPhone, "do(action=\"Type\")", "!lacks the text"},
    {"PhoneWaitInWords", kPhone, "do(action=\"Wait\", duration=\"3 seconds\")", R"({"seconds":3.0,"verb":"wait"})"},
    {"PhoneInteract", kPhone, "do(action=\"Interact\")", R"({"verb":"ask_user"})"},
    {"PhoneFinishWithText", kPhone, "<think>done</think><answer>finish(message=\"It is 5 (five).\")</answer>", R"~({"message":"It is 5 (five).","verb":"finish"})~"},
    {"PhoneFinishOfAnUnclosedQuote", kPhone, "finish(message=\"Done.)", R"({"message":"Done.","verb":"finish"})", "repaired"},
    {"PhoneProseIsNoSuccess", kPhone, "The task is finished.", "!no action recognised"},
    {"PhoneListIsNoSuccess", kPhone, R"([{"Type": "Type"}])", "!lacks the text"},
    {"PhoneAnswerInAnotherDialect", kPhone, "left_click(start_box='[5,6]')", HANDEYE_CLICK_AT(5, 6)},
};
INSTANTIATE_TEST_SUITE_P(AutoGlm, ReplyTable, testing::ValuesIn(kAutoGlmRows), row_name);

// The coordinate web form.
const Row kPointRows[] = {
    {"PointClick", kPoints, "Thought: a\nAction: CLICK(point=(214,100), box=[[198,92,229,107]], element_info='x')\nMemory_Updated: {}",
     R"({"element_info":"x","units":"thousandths","verb":"click","x":214,"y":100})"},
    {"PointInBrackets", kPoints, "CLICK(point=[214,100])", HANDEYE_CLICK_AT(214, 100)},
    {"PointAsText", kPoints, "CLICK(point='(214,100)')", HANDEYE_CLICK_AT(214, 100)},
    {"PointTag", kPoints, "CLICK(point='<point>214 100</point>')", HANDEYE_CLICK_AT(214, 100)},
    {"PointOnlyABox", kPoints, "CLICK(box=[[198,92,230,108]])", HANDEYE_CLICK_BOX(198, 92, 230, 108, 214, 100)},
    {"PointInSmallLetters", kPoints, "click(point=(214,100))", HANDEYE_CLICK_AT(214, 100)},
    {"PointInBoxTokens", kPoints, "Action: <|begin_of_box|>CLICK(point=(214,100))<|end_of_box|>", HANDEYE_CLICK_AT(214, 100)},
    {"PointType", kPoints, "TYPE(point=(5,6), text='it's fine', element_info='Name')",
     R"({"element_info":"Name","text":"it's fine","units":"thousandths","verb":"type","x":5,"y":6})"},
    {"PointTypeWhereTheFocusIs", kPoints, "TYPE(text='hi')", R"({"text":"hi","verb":"type"})"},
    {"PointTypeNothing", kPoints, "TYPE(point=(5,6))", "!lacks the text"},
    {"PointKey", kPoints, "KEY_PRESS(key='Return')", R"({"keys":"return","verb":"key"})"},
    {"PointChord", kPoints, "KEY_PRESS(key='ctrl+a')", R"({"keys":"ctrl+a","verb":"key"})"},
    {"PointKeyUnknown", kPoints, "KEY_PRESS(key='florp')", "!florp"},
    {"PointScrollDown", kPoints, "SCROLL_DOWN(point=(5,6), distance=0.75)",
     R"({"amount":5,"direction":"down","units":"thousandths","verb":"scroll","viewport_share":0.75,"x":5,"y":6})"},
    {"PointScrollNowhere", kPoints, "SCROLL_UP(distance=0.5)", R"({"amount":5,"direction":"up","verb":"scroll","viewport_share":0.5})"},
    {"PointScrollTooFar", kPoints, "SCROLL_DOWN(point=(5,6), distance=5000)", "!share of the view"},
    {"PointAnswer", kPoints, "ANSWER(content='Guatemala')", R"({"ends_task":true,"text":"Guatemala","verb":"answer"})"},
    {"PointAnswerWithoutText", kPoints, "ANSWER(content='')", "!lacks its text"},
    {"PointOutside", kPoints, "CLICK(point=(1920,100))", "!0-999"},
    {"PointMissing", kPoints, "CLICK(element_info='Save')", "!lacks the place"},
    {"PointMarksInstead", kPoints, "Action: Click [12]", R"({"mark":12,"verb":"click"})"},
};
INSTANTIATE_TEST_SUITE_P(WebPoints, ReplyTable, testing::ValuesIn(kPointRows), row_name);

TEST(ReplyDialect, IsTheOneThatItWasWrittenIn) {
    for (const auto& [reply, dialect] : {std::pair{"do(action=\"Back\")", kPhone}, {"finish(message=\"x\")", kPhone}, {"CLICK(point=(5,6))", kPoints}, {"SCROLL_UP(point=(5,6))", kPoints},
                                         {"ANSWER(content='x')", kPoints}, {"left_click(start_box='[5,6]')", kDesktop}, {"DONE()", kDesktop}, {"Click [3]", kWeb},
                                         {R"({"action_type":"navigate_home"})", kMobile}}) {
        for (const Dialect expected : model_dialects()) {
            const auto parsed = parse_reply(reply, expected);
            ASSERT_TRUE(parsed.has_value()) << reply << ": " << parsed.error().message;
            EXPECT_EQ(dialect_name(parsed->dialect), dialect_name(dialect)) << reply;
        }
    }
}

const Row kThinkingRows[] = {
    {"ClosedThinking", kDesktop, "<think>left_click(start_box='[1,2]')</think><answer>left_click(start_box='[5,6]')</answer>",
     HANDEYE_CLICK_AT(5, 6)},
    {"TemplateOpenedTheTag", kDesktop, "left_click(start_box='[1,2]')</think>left_click(start_box='[5,6]')", HANDEYE_CLICK_AT(5, 6)},
    {"LastClosingTagCounts", kDesktop, "<think>a</think>left_click(start_box='[1,2]')</think>left_click(start_box='[5,6]')",
     HANDEYE_CLICK_AT(5, 6)},
    {"OpenThinkingHoldsNoAction", kDesktop, "<think>I could do left_click(start_box='[1,2]')", "!cut off"},
    {"OpenThinkingHoldsNoBoxEither", kDesktop, "<think>a<answer><|begin_of_box|>DONE()<|end_of_box|></answer>", "!cut off"},
    {"ThinkingAlone", kDesktop, "<think>DONE()</think>", "!empty"},
    {"NoTagAtAll", kDesktop, "left_click(start_box='[5,6]')", HANDEYE_CLICK_AT(5, 6)},
    {"EmptyThinking", kDesktop, "<think></think>left_click(start_box='[5,6]')", HANDEYE_CLICK_AT(5, 6)},
    {"DoubledThinkTag", kDesktop, "<think><think>a</think>left_click(start_box='[5,6]')", HANDEYE_CLICK_AT(5, 6)},
    {"ThinkTagInTheAnswer", kDesktop, "<think>a</think><think>left_click(start_box='[5,6]')", HANDEYE_CLICK_AT(5, 6)},
    {"AnswerWithoutItsEnd", kDesktop, "<think>a</think><answer>left_click(start_box='[5,6]')", HANDEYE_CLICK_AT(5, 6)},
    {"ClosingRoleToken", kDesktop, "left_click(start_box='[5,6]')</answer><|user|>", HANDEYE_CLICK_AT(5, 6)},
    {"ClosingTokens", kDesktop, "left_click(start_box='[5,6]')<|observation|><|endoftext|>[EOS]", HANDEYE_CLICK_AT(5, 6)},
    {"InventedNextTurn", kDesktop, "left_click(start_box='[5,6]')<|user|>\nleft_click(start_box='[1,2]')", HANDEYE_CLICK_AT(5, 6)},
    {"ActionInMemoryIsNone", kDesktop, "Memory:\n[\"left_click(start_box='[5,6]')\"]", "!no action recognised"},
    {"ActionAfterMemoryInTheActionField", kMobile, "Memory: None\nReason: b\nAction: {\"action_type\":\"navigate_home\"}", R"({"verb":"home"})"},
};
INSTANTIATE_TEST_SUITE_P(Thinking, ReplyTable, testing::ValuesIn(kThinkingRows), row_name);

} // namespace
} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// Verbs, their table, the canonical form and the short form of histories.
#include "actions/action.h"
#include "actions/build.h"
#include "actions/keys.h"
#include "actions/parse.h"
#include "actions/vocabulary.h"

#include <set>

#include <gtest/gtest.h>

namespace handeye {
namespace {

constexpr Spot kSpot{Units::Thousandths, 500, 312.5, std::nullopt};
constexpr Spot kPixels{Units::Pixels, 160, 70, Spot::Box{150, 60, 170, 80}};

std::vector<Action> one_of_each() {
    TypeText type{"Ada \"Lovelace\"\n\té", kPixels, true, true, "Name"};
    return {Click{kSpot, MouseButton::Left, 1, {}, {}, "Save"},
            Click{kPixels, MouseButton::Right, 1, {}, {"ctrl", "shift"}, ""},
            Click{Mark{7}, MouseButton::Middle, 1, {}, {}, ""},
            Click{kSpot, MouseButton::Left, 2, {}, {}, ""},
            Click{kSpot, MouseButton::Left, 3, {}, {}, ""},
            Click{kSpot, MouseButton::Left, 1, std::chrono::milliseconds(1500), {}, ""},
            Hover{kSpot, "x"},
            Drag{kSpot, kSpot, {"shift"}, "y"},
            Drag{Mark{1}, Mark{2}, {}, ""},
            Scroll{std::nullopt, Direction::Up, 3, 0},
            Scroll{kSpot, Direction::Left, 5, 0.75},
            Swipe{kSpot, Direction::Right},
            Swipe{kSpot, Direction::Left, Spot{Units::Thousandths, 20, 300, std::nullopt}},
            Click{kSpot, MouseButton::Left, 1, {}, {}, "Pay", "pays 20 euros"},
            type,
            TypeText{"", std::nullopt, true, false, ""},
            KeyChord{{"ctrl"}, {"tab", "tab"}},
            KeyChord{{"ctrl"}, {"plus"}},
            KeyChord{{}, {"é"}},
            Wait{std::chrono::milliseconds(2500)},
            OpenApp{"Files"},
            OpenApp{"xterm", {"-e", "top"}},
            OpenUrl{"https://example.org/"},
            FocusWindow{"Files"},
            Navigate{Place::Back},
            Navigate{Place::Home},
            Navigate{Place::SearchPage},
            Answer{"42", true},
            Answer{"42", false},
            AskUser{"Who?"},
            Finish{Verdict::Success, "ok"},
            Finish{Verdict::Infeasible, ""}};
}

TEST(CanonicalJson, IsItsOwnInverse) {
    for (const Action& action : one_of_each()) {
        const std::string json = to_canonical_json(action);
        const auto back = parse_action(json);
        ASSERT_TRUE(back.has_value()) << json << ": " << back.error().message;
        EXPECT_TRUE(*back == action) << json;
    }
}

TEST(CanonicalJson, RefusesWhatItDoesNotKnow) {
    for (const char* text :
         {R"({"verb":"click"})", R"({"verb":"click","x":1})", R"({"verb":"click","x":"1","y":2})", R"({"verb":"fly"})",
          R"({"verb":"click","x":1,"y":2,"colour":"red"})", R"({"verb":"click","x":-1,"y":2})", R"({"verb":"click","x":1e9,"y":2})",
          R"({"verb":"click","x":1,"y":2,"units":"inches"})", R"({"verb":"click","x":1001,"y":2,"units":"thousandths"})",
          R"({"verb":"click","mark":0})", R"({"verb":"click","mark":1.5})", R"({"verb":"scroll","amount":0})",
          R"({"verb":"scroll","direction":"sideways"})", R"({"verb":"type"})", R"({"verb":"type","text":"a","enter":"yes"})",
          R"({"verb":"key","keys":"florp"})", R"({"verb":"key","keys":[]})", R"({"verb":"key","keys":[1]})", R"({"verb":"key"})",
          R"({"verb":"wait","seconds":-1})", R"({"verb":"wait","seconds":1e6})", R"({"verb":"long_press","x":1,"y":2,"hold_ms":0})",
          R"({"verb":"drag","x":1,"y":2})", R"({"verb":"click","x":1,"y":2,"box":[1,2]})", R"({"verb":7})", R"({"verb":"click","x":1,"y":2)",
          R"({"verb":"click","x":1,"x":2,"y":2})", R"({"verb":"click","x":1,"y":2,"hold_keys":"a"})"}) {
        EXPECT_FALSE(parse_action(text).has_value()) << text;
    }
}

TEST(VerbName, IsARowOfTheTable) {
    std::set<std::string_view> seen;
    for (const Action& action : one_of_each()) {
        EXPECT_NE(find_verb(verb_name(action)), nullptr) << verb_name(action);
        seen.insert(verb_name(action));
    }
    EXPECT_EQ(seen.size(), verb_table().size()) << "a verb that no action has, or an action without a test";
}

TEST(EndsTask, IsTrueForClaimsAlone) {
    EXPECT_TRUE(ends_task(Finish{}));
    EXPECT_TRUE(ends_task(Answer{"a", true}));
    EXPECT_FALSE(ends_task(Answer{"a", false}));
    EXPECT_FALSE(ends_task(AskUser{}));
    EXPECT_FALSE(ends_task(Wait{}));
}

TEST(HistorySummary, SpeaksAsTheModelDoes) {
    const auto summary = [](Action action) { return history_summary(action); };
    EXPECT_EQ(summary(Click{kSpot, MouseButton::Left, 1, {}, {}, "Save"}), "left_click Save");
    EXPECT_EQ(summary(Click{kSpot, MouseButton::Left, 2, {}, {}, ""}), "left_double_click [500,312.5]");
    EXPECT_EQ(summary(Click{Mark{7}, MouseButton::Right, 1, {}, {}, ""}), "right_click [7]");
    EXPECT_EQ(summary(TypeText{"Ada", {}, false, false, ""}), "type Ada");
    EXPECT_EQ(summary(TypeText{"a\nb", {}, false, false, ""}), "type a b");
    EXPECT_EQ(summary(KeyChord{{"ctrl"}, {"c"}}), "key ctrl+c");
    EXPECT_EQ(summary(Scroll{}), "scroll down");
    EXPECT_EQ(summary(Wait{}), "WAIT");
    EXPECT_EQ(summary(Finish{}), "DONE");
}

TEST(HistorySummary, IsCutBetweenCharacters) {
    std::string text;
    for (int i = 0; i < 300; ++i) {
        text += "é";
    }
    const std::string summary = history_summary(TypeText{text, {}, false, false, ""});
    EXPECT_LE(summary.size(), 200U);
    EXPECT_TRUE(summary.ends_with("é"));
}

TEST(CanonicalJson, ASwipeToAPointBeginsAtOneAndHasNoDirection) {
    const auto path = parse_action(R"({"verb":"swipe","x":100,"y":400,"to_x":110,"to_y":50})");
    ASSERT_TRUE(path.has_value()) << path.error().message;
    EXPECT_TRUE(is_finger_path(*path));
    EXPECT_EQ(std::get<Swipe>(*path).direction, Direction::Up);
    EXPECT_EQ(history_summary(*path), "swipe [100,400] to [110,50]");
    EXPECT_FALSE(is_finger_path(Swipe{std::nullopt, Direction::Up}));
    for (const char* text : {R"({"verb":"swipe","to_x":1,"to_y":2})", R"({"verb":"swipe","x":1,"y":2,"to_x":3})", R"({"verb":"swipe","x":1,"y":2,"to_x":3,"to_y":4,"direction":"up"})"}) {
        EXPECT_FALSE(parse_action(text).has_value()) << text;
    }
}

TEST(VerbTable, EveryFormIsUnderstood) {
    for (const VerbRow& row : verb_table()) {
        for (const Dialect dialect : model_dialects()) {
            const VerbForm* form = form_of(row, dialect);
            EXPECT_TRUE(form == nullptr || find_intent(form->name)) << form->name;
        }
        const auto example = parse_action(row.example);
        ASSERT_TRUE(example.has_value()) << row.example << ": " << example.error().message;
        EXPECT_EQ(verb_name(*example), row.verb);
    }
}

TEST(VerbTable, FormsOfJsonAndCallsParseToTheirVerb) {
    const auto filled = [](std::string form) {
        for (const auto& [from, to] : {std::pair<std::string, std::string>{"[x1,y1]", "[1,2]"}, {"[x2,y2]", "[3,4]"}, {"[x,y]", "[1,2]"},
                                       {"[[xmin,ymin,xmax,ymax]]", "[[1,2,3,4]]"}, {"<up|down|left|right>", "up"}, {"(x,y)", "(1,2)"}, {"text=''", "text='a'"},
                                       {"content=''", "content='a'"}, {"x seconds", "2 seconds"}}) {
            const std::size_t at = form.find(from);
            if (at != std::string::npos) {
                form.replace(at, from.size(), to);
            }
        }
        return form;
    };
    for (const VerbRow& row : verb_table()) {
        for (const Dialect dialect : {Dialect::GlmMobile, Dialect::GlmDesktop, Dialect::GlmWebPoints, Dialect::AutoGlm}) {
            if (const VerbForm* form = form_of(row, dialect)) {
                const auto parsed = parse_reply(filled(std::string(form->form)), dialect);
                ASSERT_TRUE(parsed.has_value()) << form->form << ": " << parsed.error().message;
                EXPECT_EQ(verb_name(parsed->action), row.verb) << form->form;
                EXPECT_EQ(parsed->dialect, dialect);
            }
        }
    }
}

TEST(VerbTable, OrdersEachDialectFromOneWithoutGaps) {
    for (const Dialect dialect : model_dialects()) {
        int order = 0;
        for (const VerbRow* row : verbs_of(dialect)) {
            EXPECT_EQ(form_of(*row, dialect)->order, ++order) << row->verb;
        }
        EXPECT_GE(order, 5);
    }
}

struct KeyCase {
    const char* name;
    const char* keysym;
};
TEST(FindKey, KnowsTheNamesThatModelsWrite) {
    for (const auto& [name, keysym] : std::initializer_list<KeyCase>{
             {"enter", "Return"}, {"Return", "Return"}, {"tab", "Tab"}, {"space", "space"}, {"esc", "Escape"}, {"Escape", "Escape"},
             {"backspace", "BackSpace"}, {"delete", "Delete"}, {"del", "Delete"}, {"insert", "Insert"}, {"home", "Home"}, {"end", "End"},
             {"pageup", "Page_Up"}, {"page_up", "Page_Up"}, {"pgup", "Page_Up"}, {"PageDown", "Page_Down"}, {"page_down", "Page_Down"},
             {"pgdn", "Page_Down"}, {"up", "Up"}, {"arrowleft", "Left"}, {"ArrowRight", "Right"}, {"arrow_down", "Down"},
             {"ctrl", "Control_L"}, {"control", "Control_L"}, {"ctl", "Control_L"}, {"alt", "Alt_L"}, {"option", "Alt_L"},
             {"shift", "Shift_L"}, {"super", "Super_L"}, {"win", "Super_L"}, {"meta", "Super_L"}, {"cmd", "Super_L"},
             {"command", "Super_L"}, {"capslock", "Caps_Lock"}, {"printscreen", "Print"}, {"comma", "comma"}, {"period", "period"},
             {"dot", "period"}, {"slash", "slash"}, {"backslash", "backslash"}, {"minus", "minus"}, {"plus", "plus"}, {"equal", "equal"},
             {"equals", "equal"}, {"semicolon", "semicolon"}, {"quote", "apostrophe"}, {"apostrophe", "apostrophe"}, {"grave", "grave"},
             {"backtick", "grave"}, {"tilde", "asciitilde"}, {"leftbracket", "bracketleft"}, {"rightbracket", "bracketright"},
             {"a", "a"}, {"Z", "Z"}, {"7", "7"}, {"f1", "F1"}, {"F12", "F12"}, {"+", "plus"}, {"[", "bracketleft"}, {"é", "U00E9"},
             {"😀", "U1F600"}, {"Control_L", "Control_L"}, {"num5", "KP_5"}}) {
        const auto key = find_key(name);
        ASSERT_TRUE(key.has_value()) << name;
        EXPECT_EQ(key->keysym, keysym) << name;
    }
}

TEST(FindKey, KnowsNoOthers) {
    for (const char* name : {"", "florp", "f0", "f25", "f99", "ab", "num12", "_a", "\xC3", "éé", "\xFF"}) {
        EXPECT_FALSE(find_key(name).has_value()) << name;
    }
    EXPECT_FALSE(find_key(std::string(1000, 'a')).has_value());
}

struct ChordCase {
    const char* text;
    std::vector<std::string> modifiers;
    std::vector<std::string> keys;
};
TEST(ParseChord, SplitsInAllTheWaysThatChordsAreWritten) {
    for (const ChordCase& c : std::initializer_list<ChordCase>{
             {"ctrl+c", {"ctrl"}, {"c"}}, {"ctrl + shift + t", {"ctrl", "shift"}, {"t"}}, {"ctrl++", {"ctrl"}, {"plus"}}, {"+", {}, {"+"}},
             {"ctrl+-", {"ctrl"}, {"-"}}, {"down+down", {}, {"down", "down"}}, {"ctrl+tab+tab", {"ctrl"}, {"tab", "tab"}},
             {"ctrl c", {"ctrl"}, {"c"}}, {"ctrl-c", {"ctrl"}, {"c"}}, {"page down", {}, {"page down"}}, {"super", {}, {"super"}},
             {"ctrl+shift", {"ctrl"}, {"shift"}}, {"Return", {}, {"return"}}, {"ctrl+C", {"ctrl"}, {"c"}}, {"A", {}, {"A"}}, {" ", {}, {"space"}},
             {"-", {}, {"-"}}}) {
        const auto chord = parse_chord(c.text);
        ASSERT_TRUE(chord.has_value()) << c.text << ": " << chord.error().message;
        EXPECT_EQ(chord->modifiers, c.modifiers) << c.text;
        EXPECT_EQ(chord->keys, c.keys) << c.text;
    }
}

TEST(ParseChord, NamesTheKeyThatDoesNotExist) {
    EXPECT_NE(parse_chord("ctrl+florp").error().message.find("'florp'"), std::string::npos);
    for (const char* text : {"", "ctrl+", "a++b+", "hello world", "+ctrl+"}) {
        EXPECT_FALSE(parse_chord(text).has_value()) << text;
    }
    EXPECT_FALSE(parse_chord(std::string(5000, '+')).has_value());
}

} // namespace
} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// The verb table itself: what an agent can do, and how each dialect writes it. A new verb is a row here.
#include "actions/vocabulary.h"

#include <algorithm>
#include <array>
#include <utility>

namespace handeye {
namespace {

using P = VerbParameter;

constexpr std::array kDialects{Dialect::GlmMobile, Dialect::GlmDesktop, Dialect::GlmWebMarks, Dialect::GlmWebPoints, Dialect::AutoGlm};

constexpr std::string_view kBoxMeaning = "Box around the target, [[xmin,ymin,xmax,ymax]], each value 0 to 999.";
constexpr std::string_view kPointMeaning = "Where to act, '[x,y]' in thousandths of the screen.";
constexpr std::string_view kInfoMeaning = "What the target is, in a few words. May be left empty.";

// Mobile: one JSON object.
constexpr std::array kStatus{P{"goal_status", "string", "How the task stands at its end.", true, "complete|infeasible"}};
constexpr std::array kAnswer{P{"text", "string", "The answer for the user.", true}};
constexpr std::array kBox{P{"box_2d", "array", kBoxMeaning, true}};
constexpr std::array kInputText{
    P{"text", "string", "The text to enter.", true},
    P{"box_2d", "array", kBoxMeaning, true},
    P{"override", "boolean", "True empties the field first, False adds to what it holds.", true}};
constexpr std::array kSwipe{
    P{"direction", "string", "Which way the finger moves.", true, "up|down|left|right"},
    P{"box_2d", "array", "Box of the area to swipe in. Without it the whole screen is meant.", false}};
constexpr std::array kOpenApp{P{"app_name", "string", "The app's name, spelled as listed.", true}};

// Desktop: one call with quoted arguments.
constexpr std::array kPointer{P{"start_box", "string", kPointMeaning, true},
                              P{"element_info", "string", kInfoMeaning, false}};
constexpr std::array kDrag{P{"start_box", "string", "Where the drag begins, '[x1,y1]' in thousandths of the screen.", true},
                           P{"end_box", "string", "Where it ends, '[x2,y2]' in thousandths of the screen.", true},
                           P{"element_info", "string", kInfoMeaning, false}};
constexpr std::array kKeys{P{"keys", "string", "One key, or several held together and joined by +, such as ctrl+c.", true}};
constexpr std::array kContent{P{"content", "string", "The text to type.", true}};
constexpr std::array kScroll{P{"start_box", "string", kPointMeaning, true},
                             P{"direction", "string", "Which way to move through the content.", true, "down|up"},
                             P{"step", "integer", "Notches of the wheel, 5 unless given.", false},
                             P{"element_info", "string", kInfoMeaning, false}};

constexpr std::string_view kClickGroup = "{left,right,middle}_click";

constexpr VerbForm mobile(int order, std::string_view name, std::string_view form, std::string_view meaning,
                          std::span<const P> parameters = {}, std::string_view note = {}, std::string_view group = {}) {
    return {name, form, meaning, order, group, note, parameters};
}
constexpr VerbForm desktop(int order, std::string_view name, std::string_view form, std::string_view meaning,
                           std::span<const P> parameters = {}, std::string_view group = {}) {
    return {name, form, meaning, order, group, {}, parameters};
}
constexpr VerbForm web(int order, std::string_view name, std::string_view form, std::string_view meaning,
                       std::string_view example) {
    return {name, form, meaning, order, {}, example, {}};
}

// The coordinate web form, and AutoGLM.
constexpr VerbForm points(int order, std::string_view name, std::string_view form, std::string_view meaning, std::string_view note = {}) {
    return {name, form, meaning, order, {}, note, {}};
}
constexpr VerbForm phone(int order, std::string_view name, std::string_view form, std::string_view meaning, std::string_view note = {}) {
    return {name, form, meaning, order, {}, note, {}};
}

constexpr std::array kTable{
    VerbRow{
        .verb = "click",
        .help = "Click the left button once; tap on a touch screen.",
        .example = R"({"verb":"click","x":160,"y":70})",
        .mobile = mobile(4, "click", R"({"action_type":"click","box_2d":[[xmin,ymin,xmax,ymax]]})", "Tap the middle of the box.",
                         kBox, "box_2d is the box around the target. Its values run from 0 to 999, left to right and top to bottom."),
        .desktop = desktop(1, "left_click", "left_click(start_box='[x,y]', element_info='')",
                           "Click the left mouse button at the point.", kPointer, kClickGroup),
        .web_marks = web(1, "Click", "Click [Label]", "Click the element that carries this label.", "Click [12]"),
        .web_points = points(1, "CLICK", "CLICK(point=(x,y), element_info='')", "Click the point with the left mouse button.", "CLICK(point=(214,100), element_info='Search button')"),
        .auto_glm = phone(2, "Tap", "do(action=\"Tap\", element=[x,y])", "Tap the point.",
                          "For what cannot be taken back or is private (paying, ordering, deleting, sending), add why: do(action=\"Tap\", element=[x,y], message=\"pay 20 euros\"). The user is asked first."),
    },
    VerbRow{
        .verb = "right_click",
        .help = "Click the right button once.",
        .example = R"({"verb":"right_click","x":160,"y":70})",
        .mobile = {},
        .desktop = desktop(2, "right_click", "right_click(start_box='[x,y]', element_info='')",
                           "Click the right mouse button at the point.", kPointer, kClickGroup),
        .web_marks = {},
    },
    VerbRow{
        .verb = "middle_click",
        .help = "Click the middle button once.",
        .example = R"({"verb":"middle_click","x":160,"y":70})",
        .mobile = {},
        .desktop = desktop(3, "middle_click", "middle_click(start_box='[x,y]', element_info='')",
                           "Click the middle mouse button at the point.", kPointer, kClickGroup),
        .web_marks = {},
    },
    VerbRow{
        .verb = "double_click",
        .help = "Click the left button twice, within the toolkit's double-click time.",
        .example = R"({"verb":"double_click","x":160,"y":70})",
        .mobile = {},
        .desktop = desktop(5, "left_double_click", "left_double_click(start_box='[x,y]', element_info='')",
                           "Click the left mouse button twice in quick succession.", kPointer),
        .web_marks = {},
        .auto_glm = phone(6, "Double Tap", "do(action=\"Double Tap\", element=[x,y])", "Tap the point twice in quick succession."),
    },
    VerbRow{
        .verb = "triple_click",
        .help = "Click the left button three times: selects a line or a paragraph.",
        .example = R"({"verb":"triple_click","x":160,"y":70})",
        .mobile = {}, .desktop = {}, .web_marks = {},
    },
    VerbRow{
        .verb = "long_press",
        .help = "Press and hold before letting go.",
        .example = R"({"verb":"long_press","x":160,"y":70,"hold_ms":1000})",
        .mobile = mobile(5, "long_press", R"({"action_type":"long_press","box_2d":[[xmin,ymin,xmax,ymax]]})",
                         "Press the middle of the box and keep the finger there.", kBox),
        .desktop = {}, .web_marks = {},
        .auto_glm = phone(5, "Long Press", "do(action=\"Long Press\", element=[x,y])", "Press the point and keep the finger there."),
    },
    VerbRow{
        .verb = "hover",
        .help = "Move the pointer without pressing anything.",
        .example = R"({"verb":"hover","x":160,"y":70})",
        .mobile = {},
        .desktop = desktop(4, "hover", "hover(start_box='[x,y]', element_info='')",
                           "Move the pointer to the point and press nothing.", kPointer),
        .web_marks = {},
    },
    VerbRow{
        .verb = "drag",
        .help = "Press at one point, move, let go at another.",
        .example = R"({"verb":"drag","x":160,"y":70,"to_x":300,"to_y":70})",
        .mobile = {},
        .desktop = desktop(6, "left_drag", "left_drag(start_box='[x1,y1]', end_box='[x2,y2]', element_info='')",
                           "Press the left button at the first point, move to the second, let go.", kDrag),
        .web_marks = {},
    },
    VerbRow{
        .verb = "scroll",
        .help = "Turn the wheel; the direction is that of the content (down: towards the end).",
        .example = R"({"verb":"scroll","x":160,"y":70,"direction":"down","amount":5})",
        .mobile = {},
        .desktop = desktop(9, "scroll", "scroll(start_box='[x,y]', direction='down', step=5, element_info='')",
                           "Turn the mouse wheel over the point; down shows what lies further below.", kScroll),
        .web_marks = web(3, "Scroll", "Scroll [Label or WINDOW]; [up or down]",
                         "Scroll the page (WINDOW), or an element with its own scroll bar by its label.", "Scroll WINDOW; [down]"),
        .web_points = points(4, "SCROLL_DOWN", "SCROLL_DOWN(point=(x,y), distance=0.5, element_info='')",
                             "Scroll what is under the point towards its end by this share of the view; SCROLL_UP, written alike, towards its beginning.",
                             "SCROLL_UP(point=(500,500), distance=0.75, element_info='result list')"),
    },
    VerbRow{
        .verb = "swipe",
        .help = "Move a finger; up shows what is further down. On a desktop the wheel does it.",
        .example = R"({"verb":"swipe","direction":"up"})",
        .mobile = mobile(10, "swipe", R"({"action_type":"swipe","direction":"<up|down|left|right>","box_2d":[[xmin,ymin,xmax,ymax]]})",
                         "Move the finger in the given direction, inside the box or, without one, over the whole screen.", kSwipe,
                         "The direction is the finger's: up uncovers what is further down, left uncovers what is further right."),
        .desktop = {}, .web_marks = {},
        .auto_glm = phone(4, "Swipe", "do(action=\"Swipe\", start=[x1,y1], end=[x2,y2])", "Move the finger from the first point to the second.",
                          "From low to high shows what is further down."),
    },
    VerbRow{
        .verb = "type",
        .help = "Type text into what has the focus, or into a place that is clicked first.",
        .example = R"({"verb":"type","text":"Ada"})",
        .mobile = mobile(6, "input_text",
                         R"({"action_type":"input_text","text":"<text>","box_2d":[[xmin,ymin,xmax,ymax]],"override":true})",
                         "Tap the field, enter the text and confirm with Enter.", kInputText,
                         "override says whether the field is emptied first (true) or the text is added to it (false)."),
        .desktop = desktop(8, "type", "type(content='text')",
                           "Type into the element that has the focus. Nothing is clicked, cleared or confirmed.", kContent),
        .web_marks = web(2, "Type", "Type [Label]; [Content]",
                         "Empty the labelled field, type the content into it and press Enter.", "Type [2]; [red shoes]"),
        .web_points = points(2, "TYPE", "TYPE(point=(x,y), text='', element_info='')", "Click the point, then type the text there. Nothing is emptied or confirmed.",
                             "TYPE(point=(500,60), text='red shoes', element_info='Search field')"),
        .auto_glm = phone(3, "Type", "do(action=\"Type\", text=\"xxx\")", "Empty the field that has the focus and type the text into it. Tap the field first; Enter is not pressed.",
                          "Names of people are typed by do(action=\"Type_Name\", text=\"xxx\") alike."),
    },
    VerbRow{
        .verb = "key",
        .help = "Press a key or a chord; a repeated last key is pressed again (ctrl+tab+tab).",
        .example = R"({"verb":"key","keys":"ctrl+c"})",
        .mobile = mobile(7, "keyboard_enter", R"({"action_type":"keyboard_enter"})", "Press Enter on the keyboard."),
        .desktop = desktop(7, "key", "key(keys='ctrl+c')", "Press a key, or several keys together.", kKeys),
        .web_marks = web(7, "Key", "Key; [Return]", "Press the Return key.", "Key; [Return]"),
        .web_points = points(3, "KEY_PRESS", "KEY_PRESS(key='Return')", "Press a key, or several joined by +, such as ctrl+a.", "KEY_PRESS(key='Return')"),
    },
    VerbRow{
        .verb = "back",
        .help = "Go back: the browser's or the phone's back.",
        .example = R"({"verb":"back"})",
        .mobile = mobile(9, "navigate_back", R"({"action_type":"navigate_back"})",
                         "Go back one screen; also hides the on-screen keyboard."),
        .desktop = {},
        .web_marks = web(5, "GoBack", "GoBack", "Return to the page before.", "GoBack"),
        .auto_glm = phone(7, "Back", "do(action=\"Back\")", "Go back one screen; also closes a dialog or the keyboard."),
    },
    VerbRow{
        .verb = "home",
        .help = "Go to the home screen or the start page.",
        .example = R"({"verb":"home"})",
        .mobile = mobile(8, "navigate_home", R"({"action_type":"navigate_home"})", "Go to the home screen."),
        .desktop = {}, .web_marks = {},
        .auto_glm = phone(8, "Home", "do(action=\"Home\")", "Go to the home screen."),
    },
    VerbRow{
        .verb = "search_page",
        .help = "Open the search engine's page.",
        .example = R"({"verb":"search_page"})",
        .mobile = {}, .desktop = {},
        .web_marks = web(6, "Bing", "Bing", "Open the search page and start again from there.", "Bing"),
    },
    VerbRow{
        .verb = "open_app",
        .help = "Start an application by its name.",
        .example = R"({"verb":"open_app","app":"Files"})",
        .mobile = mobile(11, "open_app", R"({"action_type":"open_app","app_name":"<name>"})",
                         "Start an app by its name; an unknown name does nothing.", kOpenApp),
        .desktop = {}, .web_marks = {},
        .auto_glm = phone(1, "Launch", "do(action=\"Launch\", app=\"xxx\")", "Start an app by its name: quicker than looking for it on the home screen."),
    },
    VerbRow{
        .verb = "open_url",
        .help = "Go to an address.",
        .example = R"({"verb":"open_url","url":"https://example.org/"})",
        .mobile = {}, .desktop = {}, .web_marks = {},
    },
    VerbRow{
        .verb = "focus_window",
        .help = "Bring the window whose title holds this text to the front.",
        .example = R"({"verb":"focus_window","title":"Files"})",
        .mobile = {}, .desktop = {}, .web_marks = {},
    },
    VerbRow{
        .verb = "wait",
        .help = "Let time pass, at most 60 s.",
        .example = R"({"verb":"wait","seconds":5})",
        .mobile = mobile(12, "wait", R"({"action_type":"wait"})", "Wait for the screen to finish changing."),
        .desktop = desktop(10, "WAIT", "WAIT()", "Do nothing for five seconds."),
        .web_marks = web(4, "Wait", "Wait", "Do nothing for five seconds.", "Wait"),
        .auto_glm = phone(9, "Wait", "do(action=\"Wait\", duration=\"x seconds\")", "Wait for the screen to finish changing."),
    },
    VerbRow{
        .verb = "answer",
        .help = "Give the person an answer in words.",
        .example = R"({"verb":"answer","text":"42"})",
        .mobile = mobile(3, "answer", R"({"action_type":"answer","text":"<answer_text>"})", "Give the user the answer asked for.",
                         kAnswer, "Answer once only; collect the pieces of a long answer in Memory first."),
        .desktop = {},
        .web_marks = web(8, "ANSWER", "ANSWER; <content>[Content]</content>",
                         "Say the final answer, once everything asked for is done.", "ANSWER; <content>Guatemala</content>"),
        .web_points = points(5, "ANSWER", "ANSWER(content='')", "Say the final answer, once everything asked for is done. It ends the task.", "ANSWER(content='Guatemala')"),
    },
    VerbRow{
        .verb = "ask_user",
        .help = "Hand over to a person (login, captcha, a decision).",
        .example = R"({"verb":"ask_user","question":"Please log in."})",
        .mobile = {}, .desktop = {}, .web_marks = {},
        .auto_glm = phone(10, "Take_over", "do(action=\"Take_over\", message=\"xxx\")", "Hand over to the user, for a login, a captcha or a code that only they have.",
                           "Where the user has to choose among several things that fit, do(action=\"Interact\") asks them."),
    },
    VerbRow{
        .verb = "finish",
        .help = "Claim that the task is done.",
        .example = R"({"verb":"finish"})",
        .mobile = mobile(1, "status", R"({"action_type":"status","goal_status":"complete"})",
                         "Say that the task is finished.", kStatus, {}, "status"),
        .desktop = desktop(11, "DONE", "DONE()", "Say that the task is finished."),
        .web_marks = {},
        .auto_glm = phone(11, "finish", "finish(message=\"xxx\")", "Say that the task is finished, with the answer for the user where there was a question."),
    },
    VerbRow{
        .verb = "fail",
        .help = "Claim that the task cannot be done.",
        .example = R"({"verb":"fail","message":"there is no such button"})",
        .mobile = mobile(2, "status", R"({"action_type":"status","goal_status":"infeasible"})",
                         "Say that the task cannot be done.", kStatus, {}, "status"),
        .desktop = desktop(12, "FAIL", "FAIL()", "Say that the task cannot be done."),
        .web_marks = {},
    },
};

} // namespace

std::string_view dialect_name(Dialect dialect) {
    switch (dialect) {
    case Dialect::Canonical: return "canonical";
    case Dialect::GlmMobile: return "glm-mobile";
    case Dialect::GlmDesktop: return "glm-desktop";
    case Dialect::GlmWebMarks: return "glm-web-marks";
    case Dialect::GlmWebPoints: return "glm-web-points";
    case Dialect::AutoGlm: return "autoglm";
    }
    return "";
}

std::span<const Dialect> model_dialects() {
    return kDialects;
}

Dialect dialect_of_call(std::string_view name) {
    constexpr std::array<std::pair<std::string_view, Dialect>, 3> kOwn{{{"do", Dialect::AutoGlm}, {"finish", Dialect::AutoGlm}, {"SCROLL_UP", Dialect::GlmWebPoints}}};
    const auto* const own = std::ranges::find(kOwn, name, &std::pair<std::string_view, Dialect>::first);
    const bool is_web = std::ranges::any_of(kTable, [&](const VerbRow& row) { return row.web_points && row.web_points->name == name; });
    return own != kOwn.end() ? own->second : is_web ? Dialect::GlmWebPoints : Dialect::GlmDesktop;
}

std::span<const VerbRow> verb_table() {
    return kTable;
}

const VerbRow* find_verb(std::string_view verb) {
    const auto* const row = std::ranges::find(kTable, verb, &VerbRow::verb);
    return row == kTable.end() ? nullptr : row;
}

std::vector<std::string_view> verbs_called(std::string_view name) {
    if (find_verb(name) != nullptr) {
        return {find_verb(name)->verb};
    }
    std::vector<std::string_view> verbs;
    for (const VerbRow& row : kTable) {
        const auto is_called = [&](Dialect dialect) {
            const VerbForm* const form = form_of(row, dialect);
            return form != nullptr && form->name == name;
        };
        if (std::ranges::any_of(kDialects, is_called)) {
            verbs.push_back(row.verb);
        }
    }
    return verbs;
}

const VerbForm* form_of(const VerbRow& row, Dialect dialect) {
    const auto pointer = [](const std::optional<VerbForm>& form) { return form ? &*form : nullptr; };
    switch (dialect) {
    case Dialect::Canonical: return nullptr;
    case Dialect::GlmMobile: return pointer(row.mobile);
    case Dialect::GlmDesktop: return pointer(row.desktop);
    case Dialect::GlmWebMarks: return pointer(row.web_marks);
    case Dialect::GlmWebPoints: return pointer(row.web_points);
    case Dialect::AutoGlm: return pointer(row.auto_glm);
    }
    return nullptr;
}

std::vector<const VerbRow*> verbs_of(Dialect dialect) {
    std::vector<const VerbRow*> rows;
    for (const VerbRow& row : kTable) {
        if (form_of(row, dialect) != nullptr) {
            rows.push_back(&row);
        }
    }
    std::ranges::stable_sort(rows, {}, [&](const VerbRow* row) { return form_of(*row, dialect)->order; });
    return rows;
}

} // namespace handeye

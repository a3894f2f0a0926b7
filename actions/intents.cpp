// SPDX-License-Identifier: Apache-2.0
// Every name that a model may give an action, over all dialects, and what is meant by it.
#include "actions/build.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace handeye {
namespace {

struct Row {
    std::string_view name; ///< lower case, without "_", "-" and spaces
    Intent intent;
};

// Names of the GLM dialects first, then those of AutoGLM, CogAgent, UI-TARS, AndroidWorld, SeeAct and OpenAI-like tools.
constexpr std::array kRows{
    Row{"click", Intent::Click}, Row{"leftclick", Intent::Click}, Row{"rightclick", Intent::RightClick},
    Row{"middleclick", Intent::MiddleClick}, Row{"leftdoubleclick", Intent::DoubleClick},
    Row{"lefttripleclick", Intent::TripleClick}, Row{"leftclickhold", Intent::ClickAndHold}, Row{"hover", Intent::Hover},
    Row{"leftdrag", Intent::Drag}, Row{"key", Intent::KeyPress}, Row{"type", Intent::Type}, Row{"scroll", Intent::Scroll},
    Row{"wait", Intent::Wait}, Row{"done", Intent::Finish}, Row{"fail", Intent::Fail}, Row{"status", Intent::Status},
    Row{"answer", Intent::Answer}, Row{"longpress", Intent::LongPress}, Row{"inputtext", Intent::InputText},
    Row{"keyboardenter", Intent::Enter}, Row{"navigatehome", Intent::Home}, Row{"navigateback", Intent::Back},
    Row{"swipe", Intent::Swipe}, Row{"openapp", Intent::OpenApp}, Row{"goback", Intent::Back}, Row{"bing", Intent::SearchPage},
    Row{"google", Intent::SearchPage}, Row{"scrollup", Intent::ScrollUp}, Row{"scrolldown", Intent::ScrollDown},
    Row{"scrollleft", Intent::ScrollLeft}, Row{"scrollright", Intent::ScrollRight}, Row{"keypress", Intent::KeyPress},
    Row{"tap", Intent::Click}, Row{"singleclick", Intent::Click}, Row{"leftsingle", Intent::Click},
    Row{"rightsingle", Intent::RightClick}, Row{"leftdouble", Intent::DoubleClick}, Row{"doubleclick", Intent::DoubleClick},
    Row{"doubletap", Intent::DoubleClick}, Row{"tripleclick", Intent::TripleClick}, Row{"drag", Intent::Drag},
    Row{"leftclickdrag", Intent::Drag}, Row{"draganddrop", Intent::Drag}, Row{"hotkey", Intent::KeyPress},
    Row{"press", Intent::KeyPress}, Row{"presskey", Intent::KeyPress}, Row{"pressenter", Intent::Enter},
    Row{"typename", Intent::Type}, Row{"typetext", Intent::Type}, Row{"launch", Intent::OpenApp},
    Row{"back", Intent::Back}, Row{"pressback", Intent::Back}, Row{"home", Intent::Home}, Row{"presshome", Intent::Home},
    Row{"takeover", Intent::AskUser}, Row{"interact", Intent::AskUser}, Row{"calluser", Intent::AskUser},
    Row{"askuser", Intent::AskUser}, Row{"searchpage", Intent::SearchPage}, Row{"do", Intent::Do},
    Row{"finish", Intent::Finish}, Row{"finished", Intent::Finish}, Row{"end", Intent::Finish},
    Row{"note", Intent::Note}, Row{"callapi", Intent::CallApi}, Row{"gesture", Intent::Unsupported},
    Row{"quotetext", Intent::Unsupported}, Row{"quoteclipboard", Intent::Unsupported}, Row{"llm", Intent::Unsupported},
};
constexpr std::size_t kNameBytesMax = 32;

} // namespace

std::optional<Intent> find_intent(std::string_view name) {
    std::string folded;
    for (const char c : name) {
        if (c != '_' && c != '-' && c != ' ') {
            folded += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        }
        if (folded.size() > kNameBytesMax) {
            return std::nullopt;
        }
    }
    const auto* const row = std::ranges::find(kRows, folded, &Row::name);
    return row == kRows.end() ? std::nullopt : std::optional(row->intent);
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// A named call with its arguments, whatever the notation it was written in, to an Action.
#pragma once

#include "actions/action.h"
#include "actions/literal.h"
#include "actions/vocabulary.h"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace handeye {

/// What a name asks for, over all dialects.
enum class Intent {
    Click, RightClick, MiddleClick, DoubleClick, TripleClick, ClickAndHold, LongPress, Hover, Drag,
    Scroll, ScrollUp, ScrollDown, ScrollLeft, ScrollRight, Swipe, Type, InputText, KeyPress, Enter,
    Wait, OpenApp, Back, Home, SearchPage, Answer, AskUser, Finish, Fail, Status,
    Do,          ///< AutoGLM: the name is the argument `action`
    Note, CallApi, ///< AutoGLM's, with words of their own for the model
    Unsupported, ///< known from other agents, and not done here
};
/// Letter case, "_", "-" and spaces do not count: "Left_ Click" is left_click. nullopt: no dialect calls anything so.
std::optional<Intent> find_intent(std::string_view name);

/// How a call was written: the same word can differ ("answer" ends a web task and not a mobile one).
enum class Notation { Json, Call };

/// Why a call is no action.
struct Fault {
    enum class Kind {
        Incomplete, ///< a required argument is missing: perhaps the call was only mentioned
        Invalid,    ///< all is there and some of it is out of contract
    };
    Kind kind = Kind::Invalid;
    std::string message; ///< fit for the model's next prompt
};
using Built = std::variant<Action, Fault>;

struct Call {
    std::string name;
    Literal arguments; ///< a Dict; unnamed arguments under ""
    Notation notation = Notation::Call;
};
/// `warnings` gets what was ignored (a second box).
Built build_action(const Call& call, std::vector<std::string>& warnings);

/// All numbers of a value, to a point or the centre of a box. Thousandths; 0-1 floats are scaled, beyond 1000 is Invalid.
using Places = std::variant<std::vector<Spot>, Fault>;
Places read_places(const Literal& value, std::vector<std::string>& warnings);

} // namespace handeye

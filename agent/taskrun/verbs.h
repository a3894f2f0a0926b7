// SPDX-License-Identifier: Apache-2.0
// The verbs of a step that do something once. Inside this folder only.
#pragma once

#include "agent/taskrun/context.h"

#include <string_view>

namespace handeye::taskrun {

/// Carries out `call`, the value of the step's verb. Unset: it is done.
using Verb = Outcome (*)(const Node& step, const Node& call, Context& context);
/// nullptr: the verb holds other steps, or there is none such.
Verb find_verb(std::string_view name);

/// verbs_screen.cpp: what touches the screen. verbs_data.cpp: what reads, checks and asks.
Outcome do_launch(const Node& step, const Node& call, Context& context);
Outcome do_open_url(const Node& step, const Node& call, Context& context);
Outcome do_focus(const Node& step, const Node& call, Context& context);
Outcome do_click(const Node& step, const Node& call, Context& context);
Outcome do_double_click(const Node& step, const Node& call, Context& context);
Outcome do_triple_click(const Node& step, const Node& call, Context& context);
Outcome do_right_click(const Node& step, const Node& call, Context& context);
Outcome do_middle_click(const Node& step, const Node& call, Context& context);
Outcome do_hover(const Node& step, const Node& call, Context& context);
Outcome do_drag(const Node& step, const Node& call, Context& context);
Outcome do_type(const Node& step, const Node& call, Context& context);
Outcome do_key(const Node& step, const Node& call, Context& context);
Outcome do_scroll(const Node& step, const Node& call, Context& context);
Outcome do_wait_until(const Node& step, const Node& call, Context& context);
Outcome do_sleep(const Node& step, const Node& call, Context& context);
Outcome do_extract(const Node& step, const Node& call, Context& context);
Outcome do_assert(const Node& step, const Node& call, Context& context);
Outcome do_capture(const Node& step, const Node& call, Context& context);
Outcome do_goal(const Node& step, const Node& call, Context& context);
Outcome do_ask(const Node& step, const Node& call, Context& context);
Outcome do_set(const Node& step, const Node& call, Context& context);

} // namespace handeye::taskrun

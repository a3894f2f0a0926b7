// SPDX-License-Identifier: Apache-2.0
// What was learnt of one server: which fields it takes beside OpenAI's, and how. Pure.
#pragma once

#include "remote/chunk.h"
#include "remote/served_model.h"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct ServerTraits {
    ServedModel model;
    std::set<std::string, std::less<>> refused; ///< fields that it answered with an error: they are left out from now on
    bool splits_reasoning = false;              ///< it was seen to send thinking apart

    /// Whether it goes on with an answer that has begun, as "continue_final_message" asks.
    [[nodiscard]] bool can_continue() const;
    /// Whether it closes a thought by force itself, as "thinking_token_budget" asks.
    [[nodiscard]] bool closes_thoughts() const;
};

/// Of the `sent` fields those that the complaint is about: the ones that it names; where it names none, all that OpenAI's servers do not
/// have. Empty: the complaint is about something else.
std::vector<std::string> fields_refused(const ServerComplaint& complaint, const std::vector<std::string>& sent);
/// Whether it says that prompt and answer do not fit into the context.
bool is_about_context(const ServerComplaint& complaint);

} // namespace handeye

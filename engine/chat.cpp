// SPDX-License-Identifier: Apache-2.0
#include "engine/chat.h"

namespace handeye {

std::string_view stop_reason_name(StopReason reason) {
    switch (reason) {
    case StopReason::StopToken: return "stop_token";
    case StopReason::StopText: return "stop_text";
    case StopReason::MaxTokens: return "max_tokens";
    case StopReason::ContextFull: return "context_full";
    case StopReason::Cancelled: return "cancelled";
    case StopReason::TimeUp: return "time_up";
    }
    return "unknown";
}

} // namespace handeye

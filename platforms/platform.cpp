// SPDX-License-Identifier: Apache-2.0
// Stable names of what a Platform reports.
#include "platforms/platform.h"

namespace handeye {

std::string_view certainty_name(Certainty certainty) {
    switch (certainty) {
    case Certainty::Confirmed: return "confirmed";
    case Certainty::Unverifiable: return "unverifiable";
    case Certainty::SuspectedNoop: return "suspected_noop";
    case Certainty::Partial: return "partial";
    case Certainty::Refused: return "refused";
    }
    return "unknown";
}

} // namespace handeye

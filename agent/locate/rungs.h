// SPDX-License-Identifier: Apache-2.0
// What the rungs have in common: what they look at and what they hand to the choice. Inside this folder only.
#pragma once

#include "agent/locate/locate.h"
#include "agent/locate/screen_text.h"

namespace handeye::locate {

/// One call of find(). Everything borrowed for it.
struct Look {
    const TargetQuery& query;
    const LookedAt& seen;
    ScreenText& text;
    Rect area; ///< the screen, or what of it lies in the query's region
};

/// All that a rung would consider, good or bad, best or not first.
struct Matches {
    std::vector<Candidate> all;
    double score_min = 0; ///< instead of the rung's; 0: none
    std::string note;     ///< what must be said beside the best miss; empty: nothing
};

/// Each in a source of its own. An error: the rung cannot work here, and why.
Result<Matches> match_structure(const Look& look);
Result<Matches> match_local_template(const Look& look);
Result<Matches> match_template(const Look& look);
Result<Matches> match_text(const Look& look);
Result<Matches> match_landmarks(const Look& look);

/// Where these words are, by the elements, else by what is read: for neighbours and landmarks.
Result<std::vector<Rect>> places_of(const Look& look, const std::string& words_utf8);
/// Where this picture is, anywhere.
Result<std::vector<Rect>> places_of(const Look& look, const Image& picture);

/// The visible part of an element's box.
Rect visible(const Element& element, const LookedAt& seen);

/// The smallest thing there that is known to be worked; what else is there, a canvas, a page, may hold anything. Null: nothing is.
const Element* worked_at(const Look& look, Point at);

/// What stands at a place and is something else than the query's words; empty: nothing contradicts.
std::string contradiction(const Look& look, Point at);

} // namespace handeye::locate

// SPDX-License-Identifier: Apache-2.0
// What a checked task file means by its names: every reference leads somewhere, secrets only into typed text, and what the grammar
// cannot say about single keys holds.
#pragma once

#include "agent/taskfile/tree.h"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::taskfile {

/// What is read somewhere.
struct NamesRead {
    std::set<std::string, std::less<>> vars;
    std::set<std::string, std::less<>> outputs;
};
/// `file` is the normal form of a whole file (check.h), `mistakes` what was wrong in it: nothing is told that follows from one of these.
NamesRead check_names(const Node& file, std::vector<Mistake>& mistakes);

/// Where in the file a mistake `offset` bytes into a scalar is: exact on one line without escapes.
Place place_in(const Node& scalar, std::size_t offset);
/// The scalar of a key; empty: it is not there, or no scalar.
std::string text_of(const Node& map, std::string_view key);
bool is_set(const Node& map, std::string_view key); ///< a truth value that is true
/// The verb of a step; empty where it has none.
std::string_view verb_of(const Node& step);

} // namespace handeye::taskfile

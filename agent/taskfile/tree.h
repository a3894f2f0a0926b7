// SPDX-License-Identifier: Apache-2.0
// A task file as a tree of values that know their place: YAML 1.2's core without anchors, aliases and tags, of which JSON is a
// part. What a value means is grammar.h's business.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::taskfile {

/// In the file, both from 1; columns count characters.
struct Place {
    int line = 1;
    int column = 1;
    bool operator==(const Place&) const = default;
};

struct Entry;
struct Node {
    enum class Kind { Null, Scalar, List, Map };
    Kind kind = Kind::Null;
    Place place;
    bool is_quoted = false;     ///< "5" is a text, 5 a number; so is what stands below "|" or ">"
    bool is_block = false;      ///< it stands below "|" or ">"
    std::string scalar;
    std::vector<Node> items;    ///< of a List
    std::vector<Entry> entries; ///< of a Map, in the order of the file

    [[nodiscard]] const Node* find(std::string_view key) const; ///< nullptr: there is none, or this is no Map
};
struct Entry {
    std::string key;
    Place place; ///< of the key
    Node value;
};

/// The bounds of what is read at all.
constexpr std::size_t kFileBytesMax = 1 << 20;
constexpr std::size_t kNodesMax = 50'000;
constexpr std::size_t kDepthMax = 40;
constexpr std::size_t kKeysMax = 1000; ///< of one map
constexpr std::size_t kScalarBytesMax = 64 << 10;

/// An error at a place in the file. Of what the file means to define it may hide a part: what then looks undefined may be meant there.
struct Mistake {
    Place place;
    std::string message;
    enum class Hides { Nothing, Outputs, Everything } hides = Hides::Nothing;
};
/// The one document in `text`, or the first mistake in it: not UTF-8, no YAML, an anchor, alias or tag, a key twice or that is
/// no text, more than one document, a bound passed. `tree` is then a Null.
struct Reading {
    Node tree;
    std::vector<Mistake> mistakes;
};
Reading read_tree(std::string_view text);

} // namespace handeye::taskfile

// SPDX-License-Identifier: Apache-2.0
// A compiled grammar: nodes joined by byte ranges, with calls of rules and counted loops. Inside engine/grammar/ only.
//
// Each rule is a small automaton. A position in a text is a node and a stack of what to return to; a grammar's state is the set of the
// positions that are possible. Repeats with numbers are loops whose counters lie on the stack, so that {1,1000000} costs one node.
#pragma once

#include "base/result.h"
#include "engine/grammar/syntax.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace handeye {

using NodeId = std::uint32_t;
enum class NodeKind : std::uint8_t {
    Return,   ///< the end of a rule or of a loop's body; node 0 is the only one
    Bytes,    ///< one byte of the edges [first, first + second)
    Token,    ///< the added token `first`, then the node `second`
    Split,    ///< any of the targets [first, first + second)
    Call,     ///< the rule that begins at node `first`, then the node `second`
    Loop,     ///< the loop `first`
};
inline constexpr NodeId kReturnNode = 0;

struct Node {
    NodeKind kind = NodeKind::Return;
    std::uint32_t first = 0;
    std::uint32_t second = 0;
};
struct ByteEdge {
    std::uint8_t low = 0;
    std::uint8_t high = 0; ///< included
    NodeId to = 0;
};
/// `body` between `min` and `max` times, then `exit`. An iteration takes at least one byte, or max is small.
struct CountedLoop {
    NodeId body = 0;
    NodeId exit = 0;
    std::uint32_t min = 0;
    std::uint32_t max = 0;
};

struct Network {
    std::vector<Node> nodes;
    std::vector<ByteEdge> edges;
    std::vector<NodeId> targets;
    std::vector<CountedLoop> loops;
    std::vector<std::string> tokens; ///< texts of the added tokens that Token nodes mean
    NodeId start = 0;
    /// Bytes that no edge tells apart have one class; a representative of each.
    std::array<std::uint8_t, 256> byte_class{};
    std::vector<std::uint8_t> class_byte;

    [[nodiscard]] std::size_t symbol_count() const { return class_byte.size() + tokens.size(); }
};

/// `syntax` is checked. LimitExceeded where it is too large.
Result<Network> compile(const Syntax& syntax);

} // namespace handeye

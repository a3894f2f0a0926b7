// SPDX-License-Identifier: Apache-2.0
// Where in a grammar a text can stand, and one byte further. Inside engine/grammar/ only; a FrameStore has one thread at a time.
#pragma once

#include "engine/grammar/network.h"

#include <compare>
#include <cstdint>
#include <vector>

namespace handeye {

using FrameId = std::uint32_t;
inline constexpr FrameId kBottom = 0;

/// What follows when a rule or a loop's body ends. Equal stacks have one id, so that positions compare by ids.
struct Frame {
    std::uint32_t target = 0; ///< the node to go on with; with kLoopBit: the loop that has turned once more
    FrameId parent = kBottom;
    std::uint32_t need = 0;   ///< turns of the loop that must still come, this one included
    std::uint32_t left = 0;   ///< turns that may still come, this one included
    std::uint32_t depth = 0;
    static constexpr std::uint32_t kLoopBit = 0x80000000;
};

/// Append-only.
class FrameStore {
public:
    FrameStore() { clear(); }
    FrameId intern(std::uint32_t target, FrameId parent, std::uint32_t need, std::uint32_t left);
    [[nodiscard]] const Frame& operator[](FrameId id) const { return frames_[id]; }
    [[nodiscard]] std::size_t size() const { return frames_.size(); }
    [[nodiscard]] std::size_t size_bytes() const { return frames_.capacity() * sizeof(Frame) + slots_.capacity() * sizeof(FrameId); }
    void clear();

private:
    void grow();
    std::vector<Frame> frames_;
    std::vector<FrameId> slots_; ///< open addressing; kBottom: free
};

/// A node that takes a byte or a token, and its stack. {kReturnNode, kBottom}: the text may end here.
struct Position {
    NodeId node = kReturnNode;
    FrameId frame = kBottom;
    auto operator<=>(const Position&) const = default;
};
/// Sorted, each once. Empty: the text is not in the language.
using Positions = std::vector<Position>;
[[nodiscard]] inline bool may_end(const Positions& positions) {
    return !positions.empty() && positions.front() == Position{};
}

/// What a caller says where a Stepper or a table of states gives up.
Error too_ambiguous();

/// The same stack in another store, its counters cut to `counter_max`: with more turns left than a token has bytes, how many does not
/// matter for one token.
FrameId copy_frame(const FrameStore& from, FrameId id, FrameStore& to, std::uint32_t counter_max);

/// Moves positions over a symbol: 0-255 a byte, from 256 on an added token of the network.
class Stepper {
public:
    explicit Stepper(const Network& network) : network_(network) {}

    /// False: a limit on positions or work was passed; `out` is then of no use. Stacks deeper than the limit count as impossible.
    [[nodiscard]] bool start(FrameStore& frames, Positions& out);
    [[nodiscard]] bool step(FrameStore& frames, const Positions& from, std::uint32_t symbol, Positions& out);
    /// Positions that the last call looked at.
    [[nodiscard]] std::size_t visits() const { return marked_; }

private:
    bool close(FrameStore& frames, Position position, Positions& out);
    void follow(FrameStore& frames, Position position);
    void turn(FrameStore& frames, std::uint32_t loop, std::uint32_t need, std::uint32_t left, FrameId parent);
    bool mark(Position position);

    const Network& network_;
    std::vector<Position> work_;
    std::vector<Position> seen_; ///< open addressing, valid where stamps_ agrees
    std::vector<std::uint32_t> stamps_;
    std::uint32_t stamp_ = 0;
    std::size_t marked_ = 0;
};

} // namespace handeye

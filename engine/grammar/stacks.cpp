// SPDX-License-Identifier: Apache-2.0
#include "engine/grammar/stacks.h"

#include <algorithm>

namespace handeye {
namespace {

constexpr std::uint32_t kDepthMax = 1024;        ///< of a stack
constexpr std::size_t kPositionsMax = 8192;      ///< of one state
constexpr std::size_t kVisitsMax = 1U << 16U;    ///< of one step

std::size_t mixed(std::uint64_t a, std::uint64_t b) {
    std::uint64_t value = (a ^ b * 0x9E3779B97F4A7C15ULL) * 0xBF58476D1CE4E5B9ULL;
    value = (value ^ value >> 29U) * 0x94D049BB133111EBULL;
    return static_cast<std::size_t>(value ^ value >> 32U);
}
std::uint64_t pair_of(std::uint32_t high, std::uint32_t low) {
    return static_cast<std::uint64_t>(high) << 32U | low;
}
std::size_t hash_of(const Frame& frame) {
    return mixed(pair_of(frame.target, frame.parent), pair_of(frame.need, frame.left));
}

} // namespace

void FrameStore::clear() {
    frames_.assign(1, Frame{});
    slots_.assign(64, kBottom);
}

void FrameStore::grow() {
    slots_.assign(slots_.size() * 2, kBottom);
    for (FrameId id = 1; id < frames_.size(); ++id) {
        std::size_t slot = hash_of(frames_[id]) & (slots_.size() - 1);
        while (slots_[slot] != kBottom) {
            slot = (slot + 1) & (slots_.size() - 1);
        }
        slots_[slot] = id;
    }
}

FrameId FrameStore::intern(std::uint32_t target, FrameId parent, std::uint32_t need, std::uint32_t left) {
    const Frame frame{target, parent, need, left, frames_[parent].depth + 1};
    std::size_t slot = hash_of(frame) & (slots_.size() - 1);
    for (; slots_[slot] != kBottom; slot = (slot + 1) & (slots_.size() - 1)) {
        const Frame& other = frames_[slots_[slot]];
        if (other.target == target && other.parent == parent && other.need == need && other.left == left) {
            return slots_[slot];
        }
    }
    const auto id = static_cast<FrameId>(frames_.size());
    frames_.push_back(frame);
    slots_[slot] = id;
    if (frames_.size() * 2 > slots_.size()) {
        grow();
    }
    return id;
}

Error too_ambiguous() {
    return {ErrorCode::LimitExceeded, "the grammar is too ambiguous here: more ways are open at once than are kept; let its alternatives begin differently"};
}

FrameId copy_frame(const FrameStore& from, FrameId id, FrameStore& to, std::uint32_t counter_max) {
    std::vector<FrameId> chain;
    for (; id != kBottom; id = from[id].parent) {
        chain.push_back(id);
    }
    FrameId copy = kBottom;
    for (auto at = chain.rbegin(); at != chain.rend(); ++at) {
        const Frame& frame = from[*at];
        copy = to.intern(frame.target, copy, std::min(frame.need, counter_max), std::min(frame.left, counter_max));
    }
    return copy;
}

bool Stepper::mark(Position position) {
    if (stamps_.empty()) {
        seen_.resize(256);
        stamps_.assign(256, 0);
    }
    if (marked_ * 2 > stamps_.size()) { // rehash the marks of this step
        std::vector<Position> kept;
        for (std::size_t i = 0; i < stamps_.size(); ++i) {
            if (stamps_[i] == stamp_) {
                kept.push_back(seen_[i]);
            }
        }
        seen_.resize(stamps_.size() * 4);
        stamps_.assign(seen_.size(), 0);
        stamp_ = 1;
        marked_ = 0;
        for (const Position p : kept) {
            mark(p);
        }
    }
    std::size_t slot = mixed(position.node, position.frame) & (stamps_.size() - 1);
    for (; stamps_[slot] == stamp_; slot = (slot + 1) & (stamps_.size() - 1)) {
        if (seen_[slot] == position) {
            return false;
        }
    }
    seen_[slot] = position;
    stamps_[slot] = stamp_;
    ++marked_;
    return true;
}

/// One turn of a loop has ended, or the first is about to begin.
void Stepper::turn(FrameStore& frames, std::uint32_t loop, std::uint32_t need, std::uint32_t left, FrameId parent) {
    if (need == 0) {
        work_.push_back({network_.loops[loop].exit, parent});
    }
    if (left > 0 && frames[parent].depth < kDepthMax) {
        work_.push_back({network_.loops[loop].body, frames.intern(loop | Frame::kLoopBit, parent, need, left)});
    }
}

/// What a node that takes nothing leads to.
void Stepper::follow(FrameStore& frames, Position position) {
    const Node& node = network_.nodes[position.node];
    switch (node.kind) {
    case NodeKind::Split:
        for (std::uint32_t i = 0; i < node.second; ++i) {
            work_.push_back({network_.targets[node.first + i], position.frame});
        }
        return;
    case NodeKind::Call:
        if (node.second == kReturnNode) { // nothing comes after it: its caller's stack will do, and recursion at the end stays flat
            work_.push_back({node.first, position.frame});
        } else if (frames[position.frame].depth < kDepthMax) {
            work_.push_back({node.first, frames.intern(node.second, position.frame, 0, 0)});
        }
        return;
    case NodeKind::Loop: {
        const CountedLoop& loop = network_.loops[node.first];
        turn(frames, node.first, loop.min, loop.max, position.frame);
        return;
    }
    case NodeKind::Return: {
        const Frame frame = frames[position.frame];
        if ((frame.target & Frame::kLoopBit) != 0) {
            turn(frames, frame.target & ~Frame::kLoopBit, frame.need > 0 ? frame.need - 1 : 0, frame.left - 1, frame.parent);
        } else {
            work_.push_back({frame.target, frame.parent});
        }
        return;
    }
    case NodeKind::Bytes:
    case NodeKind::Token: return;
    }
}

bool Stepper::close(FrameStore& frames, Position position, Positions& out) {
    work_.assign(1, position);
    while (!work_.empty()) {
        const Position next = work_.back();
        work_.pop_back();
        if (!mark(next)) {
            continue;
        }
        const NodeKind kind = network_.nodes[next.node].kind;
        if (kind == NodeKind::Bytes || kind == NodeKind::Token || next == Position{}) {
            out.push_back(next);
        } else {
            follow(frames, next);
        }
        if (out.size() > kPositionsMax || marked_ > kVisitsMax || work_.size() > kVisitsMax) {
            return false;
        }
    }
    return true;
}

bool Stepper::start(FrameStore& frames, Positions& out) {
    ++stamp_;
    marked_ = 0;
    out.clear();
    if (!close(frames, {network_.start, kBottom}, out)) {
        return false;
    }
    std::ranges::sort(out);
    return true;
}

bool Stepper::step(FrameStore& frames, const Positions& from, std::uint32_t symbol, Positions& out) {
    ++stamp_;
    marked_ = 0;
    out.clear();
    for (const Position position : from) {
        const Node& node = network_.nodes[position.node];
        if (node.kind == NodeKind::Token) {
            if (symbol == 256 + node.first && !close(frames, {node.second, position.frame}, out)) {
                return false;
            }
            continue;
        }
        if (node.kind != NodeKind::Bytes) {
            continue; // where the text may end
        }
        for (std::uint32_t i = node.first; i < node.first + node.second; ++i) {
            const ByteEdge& edge = network_.edges[i];
            if (symbol >= edge.low && symbol <= edge.high && !close(frames, {edge.to, position.frame}, out)) {
                return false;
            }
        }
    }
    std::ranges::sort(out);
    return true;
}

} // namespace handeye

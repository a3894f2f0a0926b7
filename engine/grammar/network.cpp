// SPDX-License-Identifier: Apache-2.0
// Expressions to nodes, each built in front of what follows it.
#include "engine/grammar/network.h"

#include <algorithm>
#include <map>
#include <span>

#include <fmt/format.h>

namespace handeye {
namespace {

using Kind = Expression::Kind;

constexpr std::size_t kNodesMax = 2'000'000;
constexpr std::size_t kEmptyRepeatsMax = 16; ///< each empty turn is a position of its own
constexpr int kSharingDepthMax = 64; ///< of literals that begin alike
constexpr std::array<std::uint32_t, 4> kLengthEnds{0x7F, 0x7FF, 0xFFFF, kCodeMax}; ///< last code point of 1, 2, 3, 4 bytes

struct ByteRange {
    std::uint8_t low = 0;
    std::uint8_t high = 0;
    auto operator<=>(const ByteRange&) const = default;
};
using ByteRanges = std::vector<ByteRange>;

std::array<std::uint8_t, 4> encoded(std::uint32_t code, std::size_t length) {
    std::array<std::uint8_t, 4> bytes{};
    constexpr std::array<std::uint32_t, 4> kMarks{0x00, 0xC0, 0xE0, 0xF0};
    for (std::size_t i = length - 1; i > 0; --i, code >>= 6U) {
        bytes[i] = static_cast<std::uint8_t>(0x80U | (code & 0x3FU));
    }
    bytes[0] = static_cast<std::uint8_t>(kMarks[length - 1] | code);
    return bytes;
}

/// The sequences of byte ranges that are exactly the UTF-8 of [low, high], both of `length` bytes.
void append_sequences(std::uint32_t low, std::uint32_t high, std::size_t length, std::vector<ByteRanges>& out) {
    for (std::size_t tail = 1; tail < length; ++tail) { // the last `tail` bytes must run over all or the first must stand still
        const std::uint32_t mask = (std::uint32_t{1} << (6 * tail)) - 1;
        if ((low & ~mask) == (high & ~mask)) {
            continue;
        }
        if ((low & mask) != 0) {
            append_sequences(low, low | mask, length, out);
            append_sequences((low | mask) + 1, high, length, out);
            return;
        }
        if ((high & mask) != mask) {
            append_sequences(low, (high & ~mask) - 1, length, out);
            append_sequences(high & ~mask, high, length, out);
            return;
        }
    }
    const auto from = encoded(low, length);
    const auto to = encoded(high, length);
    ByteRanges sequence;
    for (std::size_t i = 0; i < length; ++i) {
        sequence.push_back({from[i], to[i]});
    }
    out.push_back(std::move(sequence));
}

std::vector<ByteRanges> utf8_sequences(const std::vector<CodeRange>& ranges) {
    std::vector<ByteRanges> out;
    for (const CodeRange range : ranges) {
        std::uint32_t low = range.low;
        for (std::size_t length = 1; length <= 4 && low <= range.high; ++length) {
            const std::uint32_t end = std::min(range.high, kLengthEnds[length - 1]);
            if (low <= end) {
                append_sequences(low, end, length, out);
                low = end + 1;
            }
        }
    }
    return out;
}

class Compiler {
public:
    explicit Compiler(const Syntax& syntax) : syntax_(syntax) {}

    Result<Network> run() {
        add({NodeKind::Return});
        entries_.resize(syntax_.rules.size());
        for (NodeId& entry : entries_) { // the rule's own body replaces the one target later
            entry = split(1);
        }
        for (std::size_t i = 0; i < syntax_.rules.size(); ++i) {
            const NodeId body = TRY(expression(syntax_.rules[i].body, kReturnNode));
            net_.targets[net_.nodes[entries_[i]].first] = body;
        }
        net_.start = entries_[syntax_.root];
        net_.tokens = syntax_.tokens;
        shorten();
        classify();
        return std::move(net_);
    }

private:
    NodeId add(Node node) {
        net_.nodes.push_back(node);
        return static_cast<NodeId>(net_.nodes.size() - 1);
    }
    NodeId split(std::size_t count) {
        const auto first = static_cast<std::uint32_t>(net_.targets.size());
        net_.targets.resize(net_.targets.size() + count);
        return add({NodeKind::Split, first, static_cast<std::uint32_t>(count)});
    }
    NodeId split(const std::vector<NodeId>& targets) {
        if (targets.size() == 1) {
            return targets[0];
        }
        const NodeId node = split(targets.size());
        std::ranges::copy(targets, net_.targets.begin() + net_.nodes[node].first);
        return node;
    }
    NodeId bytes(const std::vector<ByteEdge>& edges) {
        const auto first = static_cast<std::uint32_t>(net_.edges.size());
        net_.edges.insert(net_.edges.end(), edges.begin(), edges.end());
        return add({NodeKind::Bytes, first, static_cast<std::uint32_t>(edges.size())});
    }
    NodeId literal(std::string_view text, NodeId next) {
        for (std::size_t i = text.size(); i-- > 0;) {
            const auto byte = static_cast<std::uint8_t>(text[i]);
            next = bytes({{byte, byte, next}});
        }
        return next;
    }

    Result<NodeId> expression(ExpressionId id, NodeId next) {
        const Expression& e = syntax_.expressions[id];
        if (net_.nodes.size() + net_.edges.size() + e.bytes.size() > kNodesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("the grammar compiles to more than {} nodes: repeat less, or fewer words", kNodesMax)};
        }
        switch (e.kind) {
        case Kind::Literal: return literal(e.bytes, next);
        case Kind::Class: return character(e.ranges, next);
        case Kind::Token: return add({NodeKind::Token, e.index, next});
        case Kind::Rule: return add({NodeKind::Call, entries_[e.index], next});
        case Kind::Sequence:
            for (auto part = e.parts.rbegin(); part != e.parts.rend(); ++part) {
                next = TRY(expression(*part, next));
            }
            return next;
        case Kind::Choice: return choice(e, next);
        case Kind::Repeat: return repeat(e, next);
        }
        return next;
    }

    Result<NodeId> choice(const Expression& e, NodeId next) {
        std::vector<NodeId> ways;
        std::vector<std::string_view> words;
        for (const ExpressionId part : e.parts) {
            const Expression& way = syntax_.expressions[part];
            if (way.kind == Kind::Literal) {
                words.push_back(way.bytes);
            } else {
                ways.push_back(TRY(expression(part, next)));
            }
        }
        std::ranges::sort(words);
        words.erase(std::unique(words.begin(), words.end()), words.end());
        if (!words.empty()) {
            ways.push_back(any_word(words, 0, next, 0));
        }
        return split(ways);
    }

    /// Sorted, different words from their byte `at` on: those that begin alike share their beginning, so that few positions are open.
    NodeId any_word(std::span<const std::string_view> words, std::size_t at, NodeId next, int depth) {
        if (words.size() == 1) {
            return literal(words[0].substr(at), next);
        }
        std::size_t end = at;
        while (end < words.front().size() && words.front()[end] == words.back()[end]) { // sorted: the ends agree as far as all do
            ++end;
        }
        std::vector<NodeId> ways;
        std::vector<ByteEdge> edges;
        for (std::size_t i = 0; i < words.size();) {
            if (words[i].size() == end) {
                ways.push_back(next);
                ++i;
                continue;
            }
            std::size_t same = i + 1;
            while (same < words.size() && words[same][end] == words[i][end]) {
                ++same;
            }
            const auto byte = static_cast<std::uint8_t>(words[i][end]);
            if (depth < kSharingDepthMax) {
                edges.push_back({byte, byte, any_word(words.subspan(i, same - i), end + 1, next, depth + 1)});
            } else {
                for (std::size_t k = i; k < same; ++k) {
                    edges.push_back({byte, byte, literal(words[k].substr(end + 1), next)});
                }
            }
            i = same;
        }
        if (!edges.empty()) {
            ways.push_back(bytes(edges));
        }
        return literal(words.front().substr(at, end - at), split(ways));
    }

    Result<NodeId> repeat(const Expression& e, NodeId next) {
        const ExpressionId part = e.parts[0];
        const bool is_nullable = syntax_.is_nullable[part];
        const std::uint32_t min = is_nullable ? 0 : e.min;
        if (e.max == 0) {
            return next;
        }
        if (e.max == Expression::kForever) {
            const NodeId turn = split(2);
            const NodeId body = TRY(expression(part, turn));
            const std::uint32_t first = net_.nodes[turn].first;
            net_.targets[first] = body;
            net_.targets[first + 1] = next;
            if (min == 0) {
                return turn;
            }
            return min == 1 ? body : loop(part, min, min, turn);
        }
        if (e.max == 1) {
            const NodeId once = TRY(expression(part, next));
            return min == 1 ? once : split({once, next});
        }
        if (is_nullable && e.max > kEmptyRepeatsMax) {
            return Error{ErrorCode::LimitExceeded,
                         fmt::format("grammar: what is repeated up to {} times can be empty; at most {} times here: take the empty way out of it", e.max, kEmptyRepeatsMax)};
        }
        return loop(part, min, e.max, next);
    }
    Result<NodeId> loop(ExpressionId part, std::uint32_t min, std::uint32_t max, NodeId next) {
        const NodeId body = TRY(expression(part, kReturnNode));
        net_.loops.push_back({body, next, min, max});
        return add({NodeKind::Loop, static_cast<std::uint32_t>(net_.loops.size() - 1)});
    }

    NodeId character(const std::vector<CodeRange>& ranges, NodeId next) {
        std::map<ByteRanges, NodeId> tails; // continuation bytes repeat: one chain for all sequences that end alike
        std::vector<ByteEdge> edges;
        for (const ByteRanges& sequence : utf8_sequences(ranges)) {
            NodeId to = next;
            for (std::size_t i = sequence.size(); i-- > 1;) {
                const auto [place, is_new] = tails.emplace(ByteRanges(sequence.begin() + static_cast<std::ptrdiff_t>(i), sequence.end()), 0);
                if (is_new) {
                    place->second = bytes({{sequence[i].low, sequence[i].high, to}});
                }
                to = place->second;
            }
            edges.push_back({sequence[0].low, sequence[0].high, to});
        }
        return bytes(edges);
    }

    /// Splits of one target vanish, so that a call in last place is seen to be one.
    void shorten() {
        const auto end_of = [&](NodeId id) {
            for (int hops = 0; hops < 64 && net_.nodes[id].kind == NodeKind::Split && net_.nodes[id].second == 1; ++hops) {
                id = net_.targets[net_.nodes[id].first];
            }
            return id;
        };
        for (NodeId& target : net_.targets) {
            target = end_of(target);
        }
        for (ByteEdge& edge : net_.edges) {
            edge.to = end_of(edge.to);
        }
        for (CountedLoop& loop : net_.loops) {
            loop.body = end_of(loop.body);
            loop.exit = end_of(loop.exit);
        }
        for (Node& node : net_.nodes) {
            if (node.kind == NodeKind::Call) {
                node.first = end_of(node.first);
            }
            if (node.kind == NodeKind::Call || node.kind == NodeKind::Token) {
                node.second = end_of(node.second);
            }
        }
        net_.start = end_of(net_.start);
    }

    void classify() {
        std::array<bool, 257> begins{};
        begins[0] = true;
        for (const ByteEdge& edge : net_.edges) {
            begins[edge.low] = true;
            begins[edge.high + 1U] = true;
        }
        for (std::size_t byte = 0; byte < 256; ++byte) {
            if (begins[byte]) {
                net_.class_byte.push_back(static_cast<std::uint8_t>(byte));
            }
            net_.byte_class[byte] = static_cast<std::uint8_t>(net_.class_byte.size() - 1);
        }
    }

    const Syntax& syntax_;
    Network net_;
    std::vector<NodeId> entries_;
};

} // namespace

Result<Network> compile(const Syntax& syntax) {
    return Compiler(syntax).run();
}

Result<std::shared_ptr<const Grammar>> parse_grammar(std::string_view gbnf, const GrammarOptions& options) {
    Syntax syntax = TRY(parse_gbnf(gbnf, options));
    TRY(check_syntax(syntax));
    Network network = TRY(compile(syntax));
    return std::make_shared<const Grammar>(std::make_shared<const Network>(std::move(network)));
}

} // namespace handeye

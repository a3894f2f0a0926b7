// SPDX-License-Identifier: Apache-2.0
// The tree is built from yaml-cpp's events, so that an alias is refused when it is met and nothing is ever copied.
#include "agent/taskfile/tree.h"

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

namespace handeye::taskfile {
namespace {

struct Refused {
    Mistake mistake;
};

/// yaml-cpp counts bytes, people count characters.
int count_characters(std::string_view text) {
    return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }));
}
Place place_at(std::string_view text, std::size_t offset) {
    const std::string_view before = text.substr(0, offset);
    const auto line_start = before.rfind('\n');
    const std::string_view line = line_start == std::string_view::npos ? before : before.substr(line_start + 1);
    return {static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1, count_characters(line) + 1};
}

bool has_closing_quote(std::string_view from_quote) {
    const char quote = from_quote[0];
    for (std::size_t at = 1; at < from_quote.size(); ++at) {
        const bool is_pair = quote == '\'' && from_quote.substr(at, 2) == "''";
        if (is_pair || (quote == '"' && from_quote[at] == '\\')) {
            ++at;
        } else if (from_quote[at] == quote) {
            return true;
        }
    }
    return false;
}

/// Thrown errors stay inside read_tree().
class Builder final : public YAML::EventHandler {
public:
    explicit Builder(std::string_view text) : text_(text) {
        for (std::size_t at = 0; at != std::string_view::npos; at = text.find('\n', at), at += at == std::string_view::npos ? 0 : 1) {
            lines_.push_back(at);
        }
    }
    Node root;
    int documents = 0;

    [[nodiscard]] Place place_of(const YAML::Mark& mark) const {
        if (mark.is_null() || static_cast<std::size_t>(mark.line) >= lines_.size()) {
            return {};
        }
        // Events come in the order of the text: what was counted on this line is not counted again.
        const std::size_t start = lines_[static_cast<std::size_t>(mark.line)];
        const std::size_t end = std::min(start + static_cast<std::size_t>(mark.column), text_.size());
        if (counted_.from != start || counted_.to > end) {
            counted_ = {start, start, 0};
        }
        counted_.characters += count_characters(text_.substr(counted_.to, end - counted_.to));
        counted_.to = end;
        return {mark.line + 1, counted_.characters + 1};
    }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (++documents > 1) {
            refuse(mark, "a second document begins here; a task file is one");
        }
    }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        check(mark, "", anchor);
        add(Node{.kind = Node::Kind::Null, .place = place_of(mark)}, mark);
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override { refuse(mark, "aliases (*name) are not understood here; write the value again, or use a variable"); }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
        check(mark, tag, anchor);
        if (value.size() > kScalarBytesMax) {
            refuse(mark, fmt::format("a value of {} bytes; at most {} are read", value.size(), kScalarBytesMax));
        }
        const bool is_quoted = tag == "!";
        const auto at = static_cast<std::size_t>(mark.pos);
        if (is_quoted && at < text_.size() && (text_[at] == '"' || text_[at] == '\'') && !has_closing_quote(text_.substr(at))) {
            refuse(mark, "the text that begins here has no closing quote"); // yaml-cpp takes the end of the file for one
        }
        const bool is_null = !is_quoted && (value == "~" || value == "null" || value.empty());
        const bool is_block = is_quoted && at < text_.size() && (text_[at] == '|' || text_[at] == '>');
        add(Node{.kind = is_null ? Node::Kind::Null : Node::Kind::Scalar, .place = place_of(mark), .is_quoted = is_quoted, .is_block = is_block, .scalar = value}, mark);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value /*style*/) override {
        check(mark, tag, anchor);
        open(Node{.kind = Node::Kind::List, .place = place_of(mark)}, mark);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value /*style*/) override {
        check(mark, tag, anchor);
        open(Node{.kind = Node::Kind::Map, .place = place_of(mark)}, mark);
    }
    void OnMapEnd() override { close(); }

private:
    [[noreturn]] void refuse(const YAML::Mark& mark, std::string message) const { throw Refused{{place_of(mark), std::move(message)}}; }

    void check(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
        if (anchor != 0) {
            refuse(mark, "anchors (&name) are not understood here; use a variable");
        }
        if (!tag.empty() && tag != "?" && tag != "!") {
            refuse(mark, fmt::format("tags ({}) are not understood here", tag.substr(0, 80)));
        }
        if (++nodes_ > kNodesMax) {
            refuse(mark, fmt::format("more than {} values", kNodesMax));
        }
    }

    void open(Node node, const YAML::Mark& mark) {
        if (open_.size() >= kDepthMax) {
            refuse(mark, fmt::format("nested more than {} deep", kDepthMax));
        }
        if (is_key_next()) {
            refuse(mark, "a key must be a word, not a list or a map");
        }
        open_.push_back({std::move(node), {}});
    }
    void close() {
        Node node = std::move(open_.back().node);
        open_.pop_back();
        put(std::move(node));
    }

    void add(Node node, const YAML::Mark& mark) {
        if (!is_key_next()) {
            put(std::move(node));
            return;
        }
        if (node.kind != Node::Kind::Scalar) {
            refuse(mark, "a key must be a word");
        }
        Open& map = open_.back();
        if (map.node.entries.size() >= kKeysMax) {
            refuse(mark, fmt::format("more than {} keys in one place", kKeysMax));
        }
        if (map.node.find(node.scalar) != nullptr) {
            refuse(mark, fmt::format("\"{}\" stands here twice", node.scalar.substr(0, 80)));
        }
        map.keys.push_back(Entry{std::move(node.scalar), node.place, {}});
    }
    void put(Node node) {
        if (open_.empty()) {
            root = std::move(node);
            return;
        }
        Open& parent = open_.back();
        if (parent.node.kind == Node::Kind::List) {
            parent.node.items.push_back(std::move(node));
            return;
        }
        Entry entry = std::move(parent.keys.back());
        parent.keys.pop_back();
        if (node.kind == Node::Kind::Null && !node.is_quoted) {
            node.place = entry.place; // what is not there stands nowhere
        }
        entry.value = std::move(node);
        parent.node.entries.push_back(std::move(entry));
    }
    [[nodiscard]] bool is_key_next() const {
        return !open_.empty() && open_.back().node.kind == Node::Kind::Map && open_.back().keys.empty();
    }

    struct Open {
        Node node;
        std::vector<Entry> keys; ///< the key that waits for its value, if any
    };
    struct Counted {
        std::size_t from = 0, to = 0; ///< offsets of a line's begin and of a place on it
        int characters = 0;           ///< between them
    };
    mutable Counted counted_;
    std::string_view text_;
    std::vector<std::size_t> lines_; ///< offset of each line's first byte
    std::vector<Open> open_;
    std::size_t nodes_ = 0;
};

/// What the parser says, for people who know no parsers.
std::string in_plain_words(const std::string& message) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kWords{{
        {"illegal block entry", "this cannot stand here; lists and maps are indented with blanks, not with tabs"},
        {"end of sequence flow not found", "the list that began with \"[\" has no \"]\""},
        {"end of map flow not found", "the map that began with \"{\" has no \"}\""},
        {"end of map not found", "this cannot stand here: indent it like the keys before it, and put a text with \": \" or \" #\" in quotes"},
        {"end of sequence not found", "this cannot stand here: indent it like the items before it"},
        {"illegal map value", "a second \":\" in one line: put the text in quotes"},
    }};
    const auto* const found = std::find_if(kWords.begin(), kWords.end(), [&](const auto& row) { return message == row.first; });
    return found == kWords.end() ? message : std::string(found->second);
}

// yaml-cpp takes any bytes; RFC 3629's UTF-8 it is. Returns the offset of the first byte that is none.
std::size_t utf8_prefix(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const auto byte = static_cast<unsigned char>(text[at]);
        const std::size_t size = byte < 0x80 ? 1 : byte >= 0xC2 && byte < 0xE0 ? 2 : byte >= 0xE0 && byte < 0xF0 ? 3 : byte >= 0xF0 && byte < 0xF5 ? 4 : 0;
        if (size == 0 || at + size > text.size()) {
            return at;
        }
        for (std::size_t i = 1; i < size; ++i) {
            if ((static_cast<unsigned char>(text[at + i]) & 0xC0U) != 0x80) {
                return at;
            }
        }
        at += size;
    }
    return at;
}

} // namespace

const Node* Node::find(std::string_view key) const {
    const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.key == key; });
    return found == entries.end() ? nullptr : &found->value;
}

Reading read_tree(std::string_view text) {
    if (text.starts_with("SQLite format 3")) {
        return {{}, {{{}, "this is a recording; a task file is made of it by `handeye export FILE --to task -o FOLDER`"}}};
    }
    if (text.starts_with("\xEF\xBB\xBF")) { // a byte order mark: some editors write it
        text.remove_prefix(3);
    }
    if (text.size() > kFileBytesMax) {
        return {{}, {{{}, fmt::format("{} bytes; a task file has at most {}", text.size(), kFileBytesMax)}}};
    }
    if (const std::size_t good = utf8_prefix(text); good != text.size()) {
        return {{}, {{place_at(text, good), "this byte is not UTF-8"}}};
    }
    if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
        return {{}, {{place_at(text, nul), "a NUL byte"}}};
    }
    Builder builder(text);
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder)) {
        }
    } catch (const Refused& refused) {
        return {{}, {refused.mistake}};
    } catch (const YAML::Exception& exception) {
        return {{}, {{builder.place_of(exception.mark), in_plain_words(exception.msg)}}};
    }
    if (builder.documents == 0) {
        return {{}, {{{}, "the file is empty"}}};
    }
    return {std::move(builder.root), {}};
}

} // namespace handeye::taskfile

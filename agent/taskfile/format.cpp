// SPDX-License-Identifier: Apache-2.0
// One layout for all task files: two spaces, short maps and lists in one line, words in quotes where they need them, comments and
// the order of keys as they were. Works on the tree as it was read, whether or not it means anything.
#include "agent/task_file.h"
#include "agent/taskfile/tree.h"

#include <algorithm>
#include <array>
#include <deque>
#include <optional>

#include <fmt/format.h>

namespace handeye {
namespace {

using namespace taskfile;

constexpr std::size_t kLineMax = 120;
constexpr int kFlowDepthMax = 3;

struct Comment {
    int line = 1;
    bool is_trailing = false; ///< stands after something on its line
    std::string text;         ///< with its "#"
};

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        if (!line.empty() && line.back() == '\r') {
            line.remove_suffix(1);
        }
        out.push_back(line);
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
    return out;
}

/// Which lines belong to the body of a block scalar ("|", ">"), where "#" is text.
class BlockScalars {
public:
    BlockScalars(const Node& tree, const std::vector<std::string_view>& lines) : lines_(lines), is_body_(lines.size() + 1, false) { look(tree, -1); }
    [[nodiscard]] bool is_body(std::size_t line_index) const { return is_body_[line_index]; }

private:
    // `indent`: of the key or the dash that the node belongs to; its body is indented further.
    void look(const Node& node, int indent) {
        for (const Entry& entry : node.entries) {
            look(entry.value, entry.place.column - 1);
        }
        for (const Node& item : node.items) {
            look(item, std::max(0, item.place.column - 3));
        }
        const auto first = static_cast<std::size_t>(node.place.line); // index of the line after it
        for (std::size_t i = first; node.is_block && i < lines_.size(); ++i) {
            const std::size_t text = lines_[i].find_first_not_of(' ');
            if (text != std::string_view::npos && static_cast<int>(text) <= indent) {
                break;
            }
            is_body_[i] = true;
        }
    }
    const std::vector<std::string_view>& lines_;
    std::vector<bool> is_body_;
};

std::deque<Comment> comments_of(const Node& tree, std::string_view text) {
    const auto lines = lines_of(text);
    const BlockScalars blocks(tree, lines);
    std::deque<Comment> out;
    char quote = 0; // a quoted text may go over several lines
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (blocks.is_body(i)) {
            continue;
        }
        const std::string_view line = lines[i];
        for (std::size_t at = 0; at < line.size(); ++at) {
            const char c = line[at];
            const char before = at == 0 ? ' ' : line[at - 1];
            const bool begins_token = std::string_view(" \t[{,:-").find(before) != std::string_view::npos;
            const bool is_pair = quote == '\'' && line.substr(at, 2) == "''";
            if (is_pair || (quote == '"' && c == '\\')) {
                ++at;
            } else if (quote != 0) {
                quote = c == quote ? '\0' : quote;
            } else if ((c == '"' || c == '\'') && begins_token) {
                quote = c;
            } else if (c == '#' && (before == ' ' || before == '\t')) {
                const bool is_trailing = line.find_first_not_of(" \t") != at;
                std::string comment(line.substr(at));
                comment.erase(comment.find_last_not_of(" \t") + 1);
                out.push_back({static_cast<int>(i) + 1, is_trailing, std::move(comment)});
                break;
            }
        }
    }
    return out;
}

bool is_plain_word(const std::string& text) {
    constexpr std::array<std::string_view, 14> kReserved{"true", "false", "null", "yes", "no", "on", "off", "y", "n", "True", "False", "Null", "~", ""};
    const auto is_safe = [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || byte >= 0x80 || std::string_view("_./-+ ").find(c) != std::string_view::npos;
    };
    return std::find(kReserved.begin(), kReserved.end(), text) == kReserved.end() && std::all_of(text.begin(), text.end(), is_safe) && text.front() != ' ' &&
           text.back() != ' ' && text.front() != '-' && text.find_first_not_of("0123456789+-.eE_") != std::string::npos;
}

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\t') {
            out += "\\t";
        } else if (byte < 0x20 || byte == 0x7F) {
            out += fmt::format("\\x{:02x}", byte);
        } else {
            out += c;
        }
    }
    return out + "\"";
}

// "on" is a word in YAML 1.2, and a key of ours.
std::string key_of(const Entry& entry) { return entry.key == "on" || is_plain_word(entry.key) ? entry.key : quoted(entry.key); }

std::string in_line(const Node& node) {
    switch (node.kind) {
    case Node::Kind::Null: return "null";
    case Node::Kind::Scalar: {
        // What was no text, 5 or true, stays bare.
        return (!node.is_quoted && node.scalar.find_first_of(",[]{}#:&*!|>'\"%@`\n") == std::string::npos) || is_plain_word(node.scalar) ? node.scalar : quoted(node.scalar);
    }
    case Node::Kind::List: {
        std::vector<std::string> items;
        std::transform(node.items.begin(), node.items.end(), std::back_inserter(items), in_line);
        return fmt::format("[{}]", fmt::join(items, ", "));
    }
    case Node::Kind::Map: {
        std::vector<std::string> entries;
        std::transform(node.entries.begin(), node.entries.end(), std::back_inserter(entries),
                       [](const Entry& entry) { return fmt::format("{}: {}", key_of(entry), in_line(entry.value)); });
        return fmt::format("{{{}}}", fmt::join(entries, ", "));
    }
    }
    return "";
}

bool has_line_feed(const Node& node) {
    return node.scalar.find('\n') != std::string::npos || std::any_of(node.items.begin(), node.items.end(), has_line_feed) ||
           std::any_of(node.entries.begin(), node.entries.end(), [](const Entry& entry) { return has_line_feed(entry.value); });
}
int depth_of(const Node& node) {
    int depth = 0;
    for (const Node& item : node.items) {
        depth = std::max(depth, depth_of(item));
    }
    for (const Entry& entry : node.entries) {
        depth = std::max(depth, depth_of(entry.value));
    }
    return node.kind == Node::Kind::Scalar || node.kind == Node::Kind::Null ? 0 : depth + 1;
}
int last_line_of(const Node& node) {
    int line = node.place.line;
    for (const Node& item : node.items) {
        line = std::max(line, last_line_of(item));
    }
    for (const Entry& entry : node.entries) {
        line = std::max({line, entry.place.line, last_line_of(entry.value)});
    }
    return line;
}

class Writer {
public:
    explicit Writer(std::deque<Comment> comments) : comments_(std::move(comments)) {}

    std::string whole(const Node& tree) {
        if (tree.kind == Node::Kind::Map || tree.kind == Node::Kind::List) {
            node(tree, 0);
        } else {
            out_ += in_line(tree) + "\n";
        }
        for (const Comment& comment : comments_) {
            out_ += comment.text + "\n";
        }
        return std::move(out_);
    }

private:
    void comments_before(int line, int indent) {
        while (!comments_.empty() && comments_.front().line < line) {
            out_ += fmt::format("{:{}}{}\n", "", indent, comments_.front().text);
            comments_.pop_front();
        }
    }
    void end_line(int line) {
        if (!comments_.empty() && comments_.front().line == line && comments_.front().is_trailing) {
            out_ += " " + comments_.front().text;
            comments_.pop_front();
        }
        out_ += "\n";
    }
    /// Where a comment stands between its lines, or it is long or deep, a value is written over several lines.
    [[nodiscard]] bool fits(const Node& node, std::size_t column) const {
        const bool is_free = comments_.empty() || comments_.front().line > last_line_of(node) || (comments_.front().line == last_line_of(node) && comments_.front().is_trailing && node.place.line == last_line_of(node));
        return is_free && !has_line_feed(node) && depth_of(node) <= kFlowDepthMax && column + in_line(node).size() <= kLineMax;
    }
    static bool is_container(const Node& node) { return node.kind == Node::Kind::Map || node.kind == Node::Kind::List; }
    static bool is_long_text(const Node& node) {
        const std::string& text = node.scalar;
        return node.kind == Node::Kind::Scalar && text.find('\n') != std::string::npos && text.back() == '\n' && text[0] != ' ' && text[0] != '\n' && text.find("\n\n", text.size() - 2) == std::string::npos &&
               std::none_of(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7F; });
    }

    void node(const Node& node, int indent) {
        if (node.kind == Node::Kind::Map) {
            for (std::size_t i = 0; i < node.entries.size(); ++i) {
                entry(node.entries[i], indent, i == 0 && in_item_ ? Lead::Written : Lead::None);
            }
            return;
        }
        for (const Node& one : node.items) {
            item(one, indent);
        }
    }
    enum class Lead { None, Written };

    void entry(const Entry& entry, int indent, Lead lead) {
        in_item_ = false;
        if (lead == Lead::None) {
            comments_before(entry.place.line, indent);
            out_ += fmt::format("{:{}}", "", indent);
        }
        const std::string key = key_of(entry);
        out_ += key + ":";
        value(entry.value, indent, static_cast<std::size_t>(indent) + key.size() + 2, entry.place.line);
    }
    void value(const Node& node, int indent, std::size_t column, int line) {
        const bool is_steps = node.kind == Node::Kind::List && std::any_of(node.items.begin(), node.items.end(), [](const Node& item) { return item.kind == Node::Kind::Map; });
        if (is_long_text(node)) {
            out_ += " |";
            end_line(line);
            for (const std::string_view text : lines_of(node.scalar)) {
                out_ += text.empty() ? "\n" : fmt::format("{:{}}{}\n", "", indent + 2, text);
            }
        } else if (const bool stood_in_line = node.place.line == line; !is_container(node) || (!is_steps && stood_in_line && fits(node, column)) || (node.items.empty() && node.entries.empty())) {
            out_ += " " + in_line(node);
            end_line(is_container(node) ? node.place.line : line);
        } else {
            end_line(line);
            this->node(node, indent + 2);
        }
    }
    void item(const Node& node, int indent) {
        const int line = node.entries.empty() ? node.place.line : node.entries[0].place.line;
        comments_before(line, indent);
        out_ += fmt::format("{:{}}-", "", indent);
        if (node.kind == Node::Kind::Map && !node.entries.empty() && !(is_flow_item(node) && fits(node, static_cast<std::size_t>(indent) + 2))) {
            out_ += " ";
            in_item_ = true;
            this->node(node, indent + 2);
        } else if (node.kind == Node::Kind::List && !node.items.empty() && !fits(node, static_cast<std::size_t>(indent) + 2)) {
            end_line(line);
            this->node(node, indent + 2);
        } else {
            value(node, indent, static_cast<std::size_t>(indent) + 2, line);
        }
    }
    // A rule or a case of several keys that stood in braces stays there when it fits; a step keeps its key after the dash.
    static bool is_flow_item(const Node& node) { return node.entries.size() > 1 && node.place.line == node.entries[0].place.line && node.place.column < node.entries[0].place.column; }

    std::deque<Comment> comments_;
    std::string out_;
    bool in_item_ = false;
};

bool is_same(const Node& a, const Node& b) {
    if (a.kind != b.kind || a.scalar != b.scalar || a.items.size() != b.items.size() || a.entries.size() != b.entries.size()) {
        return false;
    }
    for (std::size_t i = 0; i < a.items.size(); ++i) {
        if (!is_same(a.items[i], b.items[i])) {
            return false;
        }
    }
    for (std::size_t i = 0; i < a.entries.size(); ++i) {
        if (a.entries[i].key != b.entries[i].key || !is_same(a.entries[i].value, b.entries[i].value)) {
            return false;
        }
    }
    return true;
}

} // namespace

Result<std::string> format_task_file(std::string_view text) {
    const Reading before = read_tree(text);
    if (!before.mistakes.empty()) {
        const Mistake& first = before.mistakes.front();
        return Error{ErrorCode::ParseFailed, fmt::format("{}:{}: {}", first.place.line, first.place.column, first.message)};
    }
    const std::deque<Comment> comments = comments_of(before.tree, text);
    std::string out = Writer(comments).whole(before.tree);
    // A layout that reads as something else, or loses a comment, is worse than none.
    const Reading after = read_tree(out);
    if (!after.mistakes.empty() || !is_same(before.tree, after.tree) || comments_of(after.tree, out).size() != comments.size()) {
        return Error{ErrorCode::Unsupported, "its layout cannot be changed without changing what it says; it is left as it is"};
    }
    return out;
}

} // namespace handeye

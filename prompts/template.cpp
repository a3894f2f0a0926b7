// SPDX-License-Identifier: Apache-2.0
// Template source to nodes, in one pass.
#include "prompts/template.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kDepthMax = 8;

struct Tag {
    char sigil = 0; ///< '#', '^', '/', '!', or 0
    std::string name;
    std::string style;
    std::size_t end = 0; ///< after "}}"
};

std::string trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    const std::size_t end = text.find_last_not_of(" \t");
    return begin == std::string_view::npos ? std::string() : std::string(text.substr(begin, end - begin + 1));
}

class Parser {
public:
    Parser(std::string_view source, std::string_view file) : source_(source), file_(file) {
        if (source_.ends_with('\n')) { // files end in a line break, prompts need not
            source_.remove_suffix(1);
        }
    }

    Result<std::vector<TemplateNode>> parse() {
        while (at_ < source_.size()) {
            const std::size_t open = std::min(source_.find("{{", at_), source_.size());
            add_text(source_.substr(at_, open - at_));
            if (open == source_.size()) {
                break;
            }
            at_ = open;
            const Tag tag = TRY(read_tag());
            const bool vanishes = is_alone(open, tag);
            TRY(add(tag));
            at_ = tag.end;
            if (vanishes && at_ < source_.size()) {
                ++line_;
                ++at_; // its line break
            }
        }
        if (!open_.empty()) {
            return error(open_.back().line, fmt::format("section '{}' is not closed", open_.back().name));
        }
        return std::move(top_);
    }

private:
    [[nodiscard]] Error error(int line, std::string_view what) const {
        return {ErrorCode::ParseFailed, fmt::format("{}:{}: {}", file_, line, what)};
    }
    std::vector<TemplateNode>& siblings() { return open_.empty() ? top_ : open_.back().children; }

    void add_text(std::string_view text) {
        if (text.empty()) {
            return;
        }
        TemplateNode node;
        node.text = std::string(text);
        node.line = line_;
        line_ += static_cast<int>(std::ranges::count(text, '\n'));
        siblings().push_back(std::move(node));
    }

    Result<Tag> read_tag() {
        const std::size_t close = source_.find("}}", at_);
        const std::string_view inside = source_.substr(at_ + 2, close == std::string_view::npos ? 0 : close - at_ - 2);
        if (close == std::string_view::npos || (inside.find('\n') != std::string_view::npos)) {
            return error(line_, "a tag opened by {{ is not closed on its line");
        }
        Tag tag;
        tag.end = close + 2;
        std::string_view body = inside;
        if (!body.empty() && std::string_view("#^/!").find(body.front()) != std::string_view::npos) {
            tag.sigil = body.front();
            body.remove_prefix(1);
        }
        const std::size_t colon = tag.sigil == 0 ? body.find(':') : std::string_view::npos;
        tag.name = trimmed(body.substr(0, colon));
        tag.style = colon == std::string_view::npos ? std::string() : trimmed(body.substr(colon + 1));
        const auto is_name = [](const std::string& name) {
            return !name.empty() && std::ranges::all_of(name, [](char c) { return c == '_' || std::isalnum(static_cast<unsigned char>(c)) != 0; });
        };
        if (tag.sigil != '!' && (!is_name(tag.name) || (colon != std::string_view::npos && !is_name(tag.style)))) {
            return error(line_, fmt::format("'{{{{{}}}}}' is not a tag", inside));
        }
        return tag;
    }

    /// Whether the tag is all that its line holds, and of a kind that leaves no trace.
    [[nodiscard]] bool is_alone(std::size_t open, const Tag& tag) const {
        const bool leaves_none = tag.sigil != 0 || tag.name == "image" || tag.name == "images" || tag.name == "message" || tag.name == "dialect" || (tag.name == "history" && tag.style == "turns");
        return leaves_none && (open == 0 || source_[open - 1] == '\n') &&
               (tag.end == source_.size() || source_[tag.end] == '\n');
    }

    Result<void> add(const Tag& tag) {
        if (tag.sigil == '!') {
            return {};
        }
        if (tag.sigil == '/') {
            if (open_.empty() || open_.back().name != tag.name) {
                return error(line_, fmt::format("'{{{{/{}}}}}' closes a section that is not open here", tag.name));
            }
            TemplateNode done = std::move(open_.back());
            open_.pop_back();
            siblings().push_back(std::move(done));
            return {};
        }
        TemplateNode node;
        node.name = tag.name;
        node.line = line_;
        if (tag.sigil == 0) {
            node.kind = tag.style.empty() ? TemplateNode::Kind::Field : TemplateNode::Kind::Block;
            node.style = tag.style;
            siblings().push_back(std::move(node));
            return {};
        }
        if (open_.size() >= kDepthMax) {
            return error(line_, fmt::format("sections nest deeper than {}", kDepthMax));
        }
        node.kind = TemplateNode::Kind::Section;
        node.is_inverse = tag.sigil == '^';
        open_.push_back(std::move(node));
        return {};
    }

    std::string_view source_;
    std::string_view file_;
    std::size_t at_ = 0;
    int line_ = 1;
    std::vector<TemplateNode> top_;
    std::vector<TemplateNode> open_;
};

} // namespace

Result<std::vector<TemplateNode>> parse_template(std::string_view source, std::string_view file) {
    return Parser(source, file).parse();
}

} // namespace handeye

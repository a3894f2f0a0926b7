// SPDX-License-Identifier: Apache-2.0
#include "server/openai/raw_json.h"

#include <string>

#include <nlohmann/json.hpp>

namespace handeye {
namespace {

/// Goes through a valid text from value to value.
class Walk {
public:
    explicit Walk(std::string_view text) : text_(text) { skip_blanks(); }

    [[nodiscard]] char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    void take() {
        ++at_;
        skip_blanks();
    }
    /// The value that begins here.
    std::string_view value() {
        const std::size_t begin = at_;
        if (next() == '"') {
            skip_string();
        } else if (next() == '{' || next() == '[') {
            skip_brackets();
        } else {
            at_ = std::min(text_.find_first_of(",]} \t\r\n", at_), text_.size());
        }
        const std::string_view found = text_.substr(begin, at_ - begin);
        skip_blanks();
        return found;
    }

private:
    void skip_blanks() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
    void skip_string() {
        for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
            at_ += text_[at_] == '\\' ? 1 : 0;
        }
        at_ = std::min(at_ + 1, text_.size());
    }
    void skip_brackets() {
        int depth = 0;
        do {
            if (next() == '"') {
                skip_string();
                continue;
            }
            depth += next() == '{' || next() == '[' ? 1 : next() == '}' || next() == ']' ? -1 : 0;
            ++at_;
        } while (depth > 0 && at_ < text_.size());
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

/// A name may be written with escapes.
bool says(std::string_view quoted, std::string_view name) {
    if (quoted.find('\\') == std::string_view::npos) {
        return quoted.size() == name.size() + 2 && quoted.substr(1, name.size()) == name;
    }
    const auto parsed = nlohmann::json::parse(quoted, nullptr, false);
    return parsed.is_string() && parsed.get_ref<const std::string&>() == name;
}

} // namespace

std::string_view raw_member(std::string_view object, std::string_view name) {
    Walk walk(object);
    if (walk.next() != '{') {
        return {};
    }
    walk.take();
    while (walk.next() == '"') {
        const bool is_it = says(walk.value(), name);
        walk.take(); // the colon
        const std::string_view value = walk.value();
        if (is_it) {
            return value;
        }
        walk.take(); // a comma, or the end
    }
    return {};
}

std::vector<std::string_view> raw_elements(std::string_view array) {
    std::vector<std::string_view> found;
    Walk walk(array);
    if (walk.next() != '[') {
        return found;
    }
    walk.take();
    while (walk.next() != ']' && walk.next() != '\0') {
        found.push_back(walk.value());
        if (walk.next() != ',') {
            break;
        }
        walk.take();
    }
    return found;
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// What is asked of single nodes of a checked tree.
#include "agent/taskfile/grammar.h"
#include "agent/taskfile/names.h"

#include <algorithm>

namespace handeye::taskfile {

Place place_in(const Node& scalar, std::size_t offset) {
    const bool is_one_line = scalar.scalar.find('\n') == std::string::npos && scalar.scalar.find('\\') == std::string::npos;
    if (!is_one_line) {
        return scalar.place;
    }
    const std::string_view before = std::string_view(scalar.scalar).substr(0, offset);
    const auto characters = std::count_if(before.begin(), before.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; });
    return {scalar.place.line, scalar.place.column + static_cast<int>(characters) + (scalar.is_quoted ? 1 : 0)};
}

std::string text_of(const Node& map, std::string_view key) {
    const Node* const found = map.find(key);
    return found != nullptr && found->kind == Node::Kind::Scalar ? found->scalar : std::string();
}

bool is_set(const Node& map, std::string_view key) { return text_of(map, key) == "true"; }

std::string_view verb_of(const Node& step) {
    for (const std::string_view verb : step_verbs()) {
        if (step.find(verb) != nullptr) {
            return verb;
        }
    }
    return {};
}

} // namespace handeye::taskfile

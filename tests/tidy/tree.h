// SPDX-License-Identifier: Apache-2.0
// The files of a source tree, read once, for rules to look at.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::tidy {

struct SourceFile {
    std::string path;               ///< from the root, '/' between the parts
    std::vector<std::string> lines; ///< without their newlines; empty for files that are not text
    bool is_text = false;
    bool ends_in_newline = true;

    [[nodiscard]] std::string top() const;       ///< first folder; "" for a file at the root
    [[nodiscard]] std::string extension() const; ///< ".h"; "" for none
    [[nodiscard]] bool is_under(std::string_view folder) const;
};

struct Tree {
    std::filesystem::path root;
    std::vector<SourceFile> files;

    [[nodiscard]] const SourceFile* find(std::string_view path) const;
};

/// What git tracks; where there is no git, every file outside build folders.
Tree read_tree(const std::filesystem::path& root);

} // namespace handeye::tidy

// SPDX-License-Identifier: Apache-2.0
// Lists and reads the files of a source tree.
#include "tests/tidy/tree.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>

namespace handeye::tidy {
namespace {

constexpr std::uintmax_t kTextBytesMax = 2U << 20U;

std::vector<std::string> tracked_paths(const std::filesystem::path& root) {
    const std::string command = "git -C '" + root.string() + "' ls-files -z 2>/dev/null";
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), &pclose);
    std::string output;
    std::array<char, 4096> buffer{};
    while (pipe) {
        const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe.get());
        if (count == 0) {
            break;
        }
        output.append(buffer.data(), count);
    }
    std::vector<std::string> paths;
    std::istringstream in(output);
    for (std::string path; std::getline(in, path, '\0');) {
        paths.push_back(path);
    }
    return paths;
}

std::vector<std::string> paths_on_disk(const std::filesystem::path& root) {
    std::vector<std::string> paths;
    auto it = std::filesystem::recursive_directory_iterator(root);
    for (; it != std::filesystem::recursive_directory_iterator(); ++it) {
        const std::string name = it->path().filename().string();
        if (it->is_directory() &&
            (name.starts_with("build") || name == ".git" || name == "__pycache__")) {
            it.disable_recursion_pending();
        } else if (it->is_regular_file()) {
            paths.push_back(it->path().lexically_relative(root).generic_string());
        }
    }
    return paths;
}

SourceFile read_source(const std::filesystem::path& root, std::string path) {
    SourceFile file{.path = std::move(path), .lines = {}};
    const std::filesystem::path full = root / file.path;
    std::error_code error;
    if (std::filesystem::file_size(full, error) > kTextBytesMax || error) {
        return file;
    }
    std::ostringstream bytes;
    bytes << std::ifstream(full, std::ios::binary).rdbuf();
    const std::string text = bytes.str();
    file.is_text = text.find('\0') == std::string::npos;
    if (!file.is_text) {
        return file;
    }
    file.ends_in_newline = text.empty() || text.back() == '\n';
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        file.lines.push_back(line);
    }
    return file;
}

} // namespace

std::string SourceFile::top() const {
    const std::size_t slash = path.find('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string SourceFile::extension() const {
    return std::filesystem::path(path).extension().string();
}

bool SourceFile::is_under(std::string_view folder) const {
    return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

const SourceFile* Tree::find(std::string_view path) const {
    const auto found = std::find_if(files.begin(), files.end(),
                                    [path](const SourceFile& f) { return f.path == path; });
    return found == files.end() ? nullptr : &*found;
}

Tree read_tree(const std::filesystem::path& root) {
    Tree tree{.root = root, .files = {}};
    std::vector<std::string> paths;
    if (std::filesystem::exists(root / ".git")) {
        paths = tracked_paths(root);
    }
    if (paths.empty()) {
        paths = paths_on_disk(root);
    }
    std::sort(paths.begin(), paths.end());
    for (std::string& path : paths) {
        if (std::filesystem::exists(root /
                                    path)) { // a file may be tracked and deleted in the work tree
            tree.files.push_back(read_source(root, std::move(path)));
        }
    }
    return tree;
}

} // namespace handeye::tidy

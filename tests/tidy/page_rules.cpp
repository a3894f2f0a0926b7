// SPDX-License-Identifier: Apache-2.0
// The rules on pages: the verification table, links, and the commands that the README shows.
#include "tests/tidy/rules.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <sstream>
#include <string_view>

namespace handeye::tidy {
namespace {

constexpr std::string_view kVerification = "docs/verification.md";
constexpr int kSecurityRows = 29;
constexpr int kReliabilityRows = 21;

std::string trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    const std::size_t end = text.find_last_not_of(" \t");
    return begin == std::string_view::npos ? "" : std::string(text.substr(begin, end - begin + 1));
}

/// The cells of a Markdown table row; empty for other lines.
std::vector<std::string> cells_of(const std::string& line) {
    std::vector<std::string> cells;
    if (!line.starts_with("|")) {
        return cells;
    }
    std::istringstream in(line.substr(1));
    for (std::string cell; std::getline(in, cell, '|');) {
        cells.push_back(trimmed(cell));
    }
    return cells;
}

/// What stands between backticks.
std::vector<std::string> quoted_words(std::string_view text) {
    std::vector<std::string> words;
    for (std::size_t open = text.find('`'); open != std::string_view::npos;) {
        const std::size_t close = text.find('`', open + 1);
        if (close == std::string_view::npos) {
            break;
        }
        words.emplace_back(text.substr(open + 1, close - open - 1));
        open = text.find('`', close + 1);
    }
    return words;
}

/// "Suite.Name" as GoogleTest prints it.
bool is_test_name(std::string_view word) {
    const std::size_t dot = word.find('.');
    const auto is_name = [](std::string_view part) {
        return !part.empty() && std::isupper(static_cast<unsigned char>(part[0])) != 0 &&
               std::all_of(part.begin(), part.end(),
                           [](unsigned char c) { return std::isalnum(c) != 0; });
    };
    return dot != std::string_view::npos && is_name(word.substr(0, dot)) &&
           is_name(word.substr(dot + 1));
}

std::set<std::string> test_names(const Tree& tree) {
    std::set<std::string> names;
    for (const SourceFile& file : tree.files) {
        if (!file.is_under("tests") || file.extension() != ".cpp") {
            continue;
        }
        for (std::size_t i = 0; i < file.lines.size(); ++i) {
            std::string line = file.lines[i];
            if (!line.starts_with("TEST(") && !line.starts_with("TEST_F(") &&
                !line.starts_with("TEST_P(")) {
                continue;
            }
            if (line.find(')') == std::string::npos && i + 1 < file.lines.size()) {
                line += file.lines[i + 1];
            }
            const std::size_t open = line.find('('), comma = line.find(','), close = line.find(')');
            if (comma < close && close != std::string::npos) {
                names.insert(trimmed(std::string_view(line).substr(open + 1, comma - open - 1)) +
                             "." +
                             trimmed(std::string_view(line).substr(comma + 1, close - comma - 1)));
            }
        }
    }
    return names;
}

/// A heading's name in a link: lower case, blanks to '-', other punctuation dropped.
std::string slug_of(std::string_view heading) {
    std::string slug;
    for (const char c : heading) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0 || c == '-' || c == '_') {
            slug += static_cast<char>(std::tolower(byte));
        } else if (c == ' ') {
            slug += '-';
        }
    }
    return slug;
}

bool has_heading(const SourceFile& page, const std::string& anchor) {
    return std::any_of(page.lines.begin(), page.lines.end(), [&](const std::string& line) {
        const std::size_t text = line.find_first_not_of('#');
        return line.starts_with("#") && text != std::string::npos &&
               slug_of(trimmed(line.substr(text))) == anchor;
    });
}

/// Empty when the link leads to a file or folder of the tree, and to a heading where it names one.
std::string link_problem(const Tree& tree, const SourceFile& page, const std::string& link) {
    if (link.starts_with("http://") || link.starts_with("https://") ||
        link.starts_with("mailto:")) {
        return "";
    }
    const std::size_t hash = link.find('#');
    const std::string file = link.substr(0, hash);
    const auto folder = std::filesystem::path(page.path).parent_path();
    const std::string path =
        file.empty() ? page.path : (folder / file).lexically_normal().generic_string();
    const SourceFile* target = tree.find(path);
    if (target == nullptr) {
        const std::string prefix = path.ends_with('/') ? path : path + "/";
        const bool is_folder =
            std::any_of(tree.files.begin(), tree.files.end(),
                        [&](const SourceFile& f) { return f.path.starts_with(prefix); });
        return is_folder ? "" : "link leads nowhere: " + link;
    }
    if (hash != std::string::npos && !has_heading(*target, link.substr(hash + 1))) {
        return "no such heading: " + link;
    }
    return "";
}

/// True when some CMakeLists.txt declares this program.
bool is_program(const Tree& tree, const std::string& name) {
    return std::any_of(tree.files.begin(), tree.files.end(), [&](const SourceFile& file) {
        return file.path.ends_with("CMakeLists.txt") &&
               std::any_of(file.lines.begin(), file.lines.end(), [&](const std::string& line) {
                   return line.find("add_executable(" + name + " ") != std::string::npos ||
                          line.find("OUTPUT_NAME " + name + ")") != std::string::npos;
               });
    });
}

bool is_subcommand(const Tree& tree, const std::string& word) {
    const std::string quoted = "\"" + word + "\"";
    return std::any_of(tree.files.begin(), tree.files.end(), [&](const SourceFile& file) {
        return file.is_under("apps") && file.extension() == ".cpp" &&
               std::any_of(file.lines.begin(), file.lines.end(), [&](const std::string& line) {
                   return line.find(quoted) != std::string::npos;
               });
    });
}

std::string command_problem(const Tree& tree, const std::string& command) {
    std::istringstream in(command);
    std::string program, word;
    in >> program >> word;
    if (program.starts_with("./")) {
        return tree.find(program.substr(2)) != nullptr ? "" : "no such program: " + program;
    }
    const std::string name = std::filesystem::path(program).filename().string();
    if (!name.starts_with("handeye")) {
        return "";
    }
    if (!is_program(tree, name)) {
        return "no such program: " + name;
    }
    const bool is_word = !word.empty() && std::islower(static_cast<unsigned char>(word[0])) != 0;
    return name != "handeye" || !is_word || is_subcommand(tree, word)
               ? ""
               : "handeye has no command " + word;
}

std::string at(std::string_view path, std::size_t index) {
    return std::string(path) + ":" + std::to_string(index + 1) + ": ";
}

} // namespace

Findings check_verification_page(const Tree& tree) {
    const SourceFile* page = tree.find(kVerification);
    if (page == nullptr) {
        return {std::string(kVerification) + ": missing"};
    }
    std::set<std::string> wanted;
    for (int i = 1; i <= kSecurityRows; ++i) {
        wanted.insert("S" + std::to_string(i));
    }
    for (int i = 1; i <= kReliabilityRows; ++i) {
        wanted.insert("R" + std::to_string(i));
    }
    Findings findings;
    const std::set<std::string> tests = test_names(tree);
    for (std::size_t i = 0; i < page->lines.size(); ++i) {
        const std::vector<std::string> cells = cells_of(page->lines[i]);
        if (cells.empty() || (wanted.erase(cells[0]) == 0)) {
            continue;
        }
        bool names_a_test = false;
        for (const std::string& word : quoted_words(cells.back())) {
            const bool is_script = word.starts_with("tests/");
            names_a_test = names_a_test || is_test_name(word) || is_script;
            if (is_script && tree.find(word) == nullptr) {
                findings.push_back(at(kVerification, i) + cells[0] + " names a file that does not exist: " + word);
            }
            if (is_test_name(word) && !tests.contains(word)) {
                findings.push_back(at(kVerification, i) + cells[0] +
                                   " names a test that does not exist: " + word);
            }
        }
        if (cells.size() != 3 || (!names_a_test && !cells[2].starts_with("open"))) {
            findings.push_back(at(kVerification, i) + cells[0] + " names no test and is not open");
        }
    }
    for (const std::string& row : wanted) {
        findings.push_back(std::string(kVerification) + ": no row " + row);
    }
    return findings;
}

Findings check_links(const Tree& tree) {
    Findings findings;
    for (const SourceFile& page : tree.files) {
        if (page.extension() != ".md" || !page.is_text) {
            continue;
        }
        bool is_code = false;
        for (std::size_t i = 0; i < page.lines.size(); ++i) {
            const std::string& line = page.lines[i];
            is_code = line.starts_with("```") ? !is_code : is_code;
            for (std::size_t open = line.find("]("); !is_code && open != std::string::npos;
                 open = line.find("](", open + 2)) {
                const std::size_t close = line.find(')', open);
                if (close == std::string::npos) {
                    break;
                }
                const std::string problem =
                    link_problem(tree, page, line.substr(open + 2, close - open - 2));
                if (!problem.empty()) {
                    findings.push_back(at(page.path, i) + problem);
                }
            }
        }
    }
    return findings;
}

Findings check_readme_commands(const Tree& tree) {
    const SourceFile* page = tree.find("README.md");
    if (page == nullptr) {
        return {"README.md: missing"};
    }
    Findings findings;
    bool is_code = false, has_any = false;
    for (std::size_t i = 0; i < page->lines.size(); ++i) {
        const std::string line = trimmed(page->lines[i]);
        if (line.starts_with("```")) {
            is_code = !is_code;
        } else if (is_code && !line.empty()) {
            has_any = true;
            if (const std::string problem = command_problem(tree, line); !problem.empty()) {
                findings.push_back(at(page->path, i) + problem);
            }
        }
    }
    if (!has_any) {
        findings.push_back("README.md: shows no command");
    }
    return findings;
}

} // namespace handeye::tidy

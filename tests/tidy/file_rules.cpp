// SPDX-License-Identifier: Apache-2.0
// The rules on each file by itself: licence, size, white space, words.
#include "tests/tidy/rules.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace handeye::tidy {
namespace {

constexpr std::size_t kLinesMax = 600;

bool has_extension(const SourceFile& file, std::initializer_list<std::string_view> extensions) {
    return std::find(extensions.begin(), extensions.end(), file.extension()) != extensions.end();
}

bool is_program_text(const SourceFile& file) {
    return has_extension(file,
                         {".h", ".cpp", ".cu", ".cuh", ".inc", ".py", ".sh", ".cmake", ".js"}) ||
           file.path.ends_with("CMakeLists.txt") || file.path == "quickstart" ||
           file.path == "check" || file.path == ".ci/run";
}

/// Data whose bytes are not ours to format: oracle outputs, fuzz seeds, checkpoint files, the
/// licence text.
bool is_data(const SourceFile& file) {
    return file.is_under("tests/golden") || file.is_under("tests/fuzz/corpus") ||
           file.path == "LICENSE" ||
           (file.is_under("models") && !has_extension(file, {".py", ".md"}));
}

std::string at(const SourceFile& file, std::size_t index) {
    return file.path + ":" + std::to_string(index + 1) + ": ";
}

bool is_word_byte(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

bool contains_word(std::string_view line, std::string_view word) {
    for (std::size_t i = line.find(word); i != std::string_view::npos; i = line.find(word, i + 1)) {
        const bool starts = i == 0 || !is_word_byte(line[i - 1]);
        const bool ends = i + word.size() == line.size() || !is_word_byte(line[i + word.size()]);
        if (starts && ends) {
            return true;
        }
    }
    return false;
}

} // namespace

Findings check_licence_lines(const Tree& tree) {
    Findings findings;
    for (const SourceFile& file : tree.files) {
        if (!is_program_text(file) || is_data(file)) {
            continue;
        }
        const bool has_shebang = !file.lines.empty() && file.lines[0].starts_with("#!");
        const std::size_t index = has_shebang ? 1 : 0;
        if (file.lines.size() <= index ||
            file.lines[index].find("SPDX-License-Identifier: Apache-2.0") == std::string::npos) {
            findings.push_back(at(file, index) + "no SPDX line");
        }
    }
    return findings;
}

Findings check_sizes(const Tree& tree) {
    Findings findings;
    for (const SourceFile& file : tree.files) {
        if (is_program_text(file) && !is_data(file) && file.lines.size() > kLinesMax) {
            findings.push_back(file.path + ": " + std::to_string(file.lines.size()) +
                               " lines, at most " + std::to_string(kLinesMax));
        }
    }
    return findings;
}

Findings check_whitespace(const Tree& tree) {
    Findings findings;
    for (const SourceFile& file : tree.files) {
        if (!file.is_text || is_data(file)) {
            continue;
        }
        if (!file.ends_in_newline) {
            findings.push_back(file.path + ": no newline at the end");
        }
        for (std::size_t i = 0; i < file.lines.size(); ++i) {
            const std::string& line = file.lines[i];
            if (line.empty()) {
                continue;
            }
            if (line.back() == '\r') {
                findings.push_back(at(file, i) + "CRLF");
            } else if (line.back() == ' ' || line.back() == '\t') {
                findings.push_back(at(file, i) + "blank at the end of the line");
            }
        }
    }
    return findings;
}

Findings check_words(const Tree& tree) {
    // Written in halves, so that this file does not find itself.
    static const std::array<std::string, 5> kPaths = {"/wo"
                                                      "rk/",
                                                      "/tm"
                                                      "p/w/",
                                                      "/fa"
                                                      "rm/",
                                                      "/ro"
                                                      "ot/",
                                                      "bash_"
                                                      "jobs"};
    static const std::array<std::string, 2> kNotes = {"TO"
                                                      "DO",
                                                      "X"
                                                      "XX"};
    Findings findings;
    for (const SourceFile& file : tree.files) {
        if (!file.is_text || is_data(file)) {
            continue;
        }
        for (std::size_t i = 0; i < file.lines.size(); ++i) {
            const std::string& line = file.lines[i];
            for (const std::string& path : kPaths) {
                const std::size_t found = line.find(path);
                if (found != std::string::npos && (found == 0 || !is_word_byte(line[found - 1]))) {
                    findings.push_back(at(file, i) + "path of one machine: " + path);
                }
            }
            for (const std::string& note : kNotes) {
                if (contains_word(line, note)) {
                    findings.push_back(at(file, i) + "unfinished: " + note);
                }
            }
        }
    }
    return findings;
}

Findings check_golden_provenance(const Tree& tree) {
    Findings findings;
    std::string last;
    for (const SourceFile& file : tree.files) {
        constexpr std::string_view kGolden = "tests/golden/";
        const std::size_t slash = file.path.find('/', kGolden.size());
        if (!file.path.starts_with(kGolden) || slash == std::string::npos) {
            continue;
        }
        const std::string area = file.path.substr(0, slash);
        if (area != last && tree.find(area + "/PROVENANCE.md") == nullptr) {
            findings.push_back(area + ": no PROVENANCE.md");
        }
        last = area;
    }
    return findings;
}

} // namespace handeye::tidy

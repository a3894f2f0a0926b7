// SPDX-License-Identifier: Apache-2.0
// Task files as people write them: what is refused and where, what is warned of, what is told before anything is done.
#include "agent/task_file.h"

#include "base/file.h"
#include "base/image.h"
#include "base/image_codec.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = HANDEYE_SOURCE_DIR;
const fs::path kGolden = kSource / "tests/golden/taskfile";

/// A folder of files that is gone afterwards.
class Folder {
public:
    Folder() {
        std::string pattern = (fs::temp_directory_path() / "handeye-taskfile-XXXXXX").string();
        path_ = ::mkdtemp(pattern.data());
    }
    ~Folder() { fs::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    fs::path write(const std::string& name, const std::string& text) const {
        std::ofstream(path_ / name) << text;
        return path_ / name;
    }
    [[nodiscard]] const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

const std::string kHead = "version: 1\nname: t\n";

std::vector<TaskFinding> findings_of(const std::string& text, Lint lint = Lint::No) {
    const Folder folder;
    return check_task_file(folder.write("task.yaml", text), lint).findings;
}
std::string first_of(const std::string& text) {
    const auto findings = findings_of(text);
    return findings.empty() ? "" : findings.front().message;
}
TaskFileUse use_of(const std::string& text) {
    const Folder folder;
    const auto checked = check_task_file(folder.write("task.yaml", text), Lint::No);
    EXPECT_TRUE(checked.is_valid()) << to_text(checked.findings.front());
    return checked.use;
}
std::string read(const fs::path& path) { return read_file(path, 4U << 20).value(); }

bool updates_goldens() { return std::getenv("HANDEYE_UPDATE_GOLDENS") != nullptr; } // NOLINT(concurrency-mt-unsafe): one thread

// --- malformed files: tests/golden/taskfile/malformed.txt -------------------------------------------------------------------------

struct Malformed {
    std::string name;
    std::string text;
    std::vector<std::string> want;
};
void PrintTo(const Malformed& one, std::ostream* out) { *out << one.name; } // NOLINT(readability-identifier-naming): GoogleTest's name

std::vector<Malformed> malformed_files() {
    std::vector<Malformed> out;
    std::ifstream file(kGolden / "malformed.txt");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("=== ")) {
            out.push_back({line.substr(4), "", {}});
        } else if (!out.empty() && line.starts_with("! ")) {
            out.back().want.push_back(line.substr(2));
        } else if (!out.empty()) {
            out.back().text += line + "\n";
        }
    }
    return out;
}

class MalformedTaskFile : public ::testing::TestWithParam<Malformed> {};

TEST_P(MalformedTaskFile, IsRefusedAtItsPlace) {
    const Folder folder;
    const fs::path path = folder.write("task.yaml", GetParam().text);
    const TaskFileCheck checked = check_task_file(path, Lint::No);
    std::vector<std::string> said;
    for (const TaskFinding& finding : checked.findings) {
        std::string text = to_text(finding).substr(path.string().size() + 1);
        if (const std::size_t at = text.find(folder.path().string() + "/"); at != std::string::npos) {
            text.erase(at, folder.path().string().size() + 1);
        }
        said.push_back(text);
    }
    EXPECT_FALSE(checked.is_valid());
    EXPECT_EQ(said, GetParam().want) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(Files, MalformedTaskFile, ::testing::ValuesIn(malformed_files()), [](const auto& row) {
    std::string name = row.param.name;
    std::replace_if(name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
    return name;
});

TEST(TaskFileCases, AreAtLeastSixtyAndEachHasAFinding) {
    const auto cases = malformed_files();
    EXPECT_GE(cases.size(), 60U);
    for (const Malformed& one : cases) {
        EXPECT_FALSE(one.want.empty()) << one.name;
    }
}

// --- the published files -------------------------------------------------------------------------------------------------------

TEST(TaskFileSchema, IsTheOneThatIsPublished) {
    const fs::path page = kSource / "docs/task.schema.json";
    if (updates_goldens()) {
        std::ofstream(page) << task_file_schema();
    }
    EXPECT_EQ(read(page), task_file_schema()) << "HANDEYE_UPDATE_GOLDENS=1 taskfile_test writes it anew";
}

TEST(TaskFileSchema, DefinesWhateverItRefersTo) {
    const auto schema = nlohmann::json::parse(task_file_schema());
    const std::string text = schema.dump();
    for (std::size_t at = text.find("#/$defs/"); at != std::string::npos; at = text.find("#/$defs/", at + 1)) {
        const std::string name = text.substr(at + 8, text.find('"', at) - at - 8);
        EXPECT_TRUE(schema.at("$defs").contains(name)) << name;
    }
}

TEST(TaskFilePage, HoldsTheReferenceOfTheGrammar) {
    const fs::path page = kSource / "docs/task-files.md";
    const std::string begin = "<!-- reference: begin -->\n\n";
    const std::string end = "<!-- reference: end -->";
    std::string text = read(page);
    const std::size_t from = text.find(begin) + begin.size();
    ASSERT_NE(text.find(begin), std::string::npos);
    if (updates_goldens()) {
        text.replace(from, text.find(end) - from, task_file_reference());
        std::ofstream(page) << text;
    }
    EXPECT_EQ(text.substr(from, text.find(end) - from), task_file_reference()) << "HANDEYE_UPDATE_GOLDENS=1 taskfile_test writes it anew";
}

TEST(TaskFileExamples, AreGoodAndLaidOutAsFmtDoes) {
    int seen = 0;
    for (const auto& entry : fs::directory_iterator(kSource / "examples/tasks")) {
        const TaskFileCheck checked = check_task_file(entry.path(), Lint::Yes);
        EXPECT_TRUE(checked.findings.empty()) << to_text(checked.findings.front());
        const std::string text = read(entry.path());
        const auto formatted = format_task_file(text);
        ASSERT_TRUE(formatted) << formatted.error().message;
        EXPECT_EQ(text, *formatted);
        ++seen;
    }
    EXPECT_GE(seen, 3);
}

TEST(TaskFileExplain, TellsTheUnionOfAFileAndThoseItRuns) {
    auto checked = check_task_file(kSource / "examples/tasks/monthly_report.yaml", Lint::No);
    ASSERT_TRUE(checked.is_valid());
    for (std::string& file : checked.use.task_files) {
        file = fs::path(file).filename();
    }
    const std::string said = nlohmann::json::parse(to_json(checked.use)).dump(1) + "\n";
    const fs::path want = kGolden / "monthly_report.explain.json";
    if (updates_goldens()) {
        std::ofstream(want) << said;
    }
    EXPECT_EQ(read(want), said);
}

// --- what it may do ---------------------------------------------------------------------------------------------------------------

TEST(TaskFileExplain, BoundsTheActionsOfLoopsAndRetries) {
    EXPECT_EQ(use_of(kHead + "steps:\n  - key: a\n  - sleep: 1s\n").actions_max, 1);
    EXPECT_EQ(use_of(kHead + "steps:\n  - repeat: 10\n    steps:\n      - key: a\n      - click: b\n").actions_max, 20);
    EXPECT_EQ(use_of(kHead + "steps:\n  - for_each: [1, 2, 3]\n    steps:\n      - key: a\n").actions_max, 3);
    EXPECT_EQ(use_of(kHead + "steps:\n  - click: b\n    retry: 2\n").actions_max, 3);
    EXPECT_EQ(use_of(kHead + "retry: 4\nsteps:\n  - click: b\n  - click: c\n    irreversible: true\n").actions_max, 6);
    EXPECT_EQ(use_of(kHead + "steps:\n  - goal: g\n    budget: {steps: 7}\n").actions_max, 7);
    EXPECT_EQ(use_of(kHead + "policy: {budget: {steps: 9}}\nsteps:\n  - goal: g\n").actions_max, 9);
    EXPECT_EQ(use_of(kHead + "policy: {budget: {steps: 9}}\nsteps:\n  - repeat: 100\n    steps:\n      - key: a\n").actions_max, 9);
    EXPECT_EQ(use_of(kHead + "steps:\n  - run: \"${vars.f}\"\nvars: {f: string}\n").actions_max, std::nullopt);
    std::string deep = kHead + "steps:\n";
    for (int i = 0; i < 6; ++i) {
        deep += std::string(static_cast<std::size_t>(4 * i) + 2, ' ') + "- repeat: 100000\n" + std::string(static_cast<std::size_t>(4 * i) + 4, ' ') + "steps:\n";
    }
    EXPECT_EQ(use_of(deep + std::string(26, ' ') + "- key: a\n").actions_max, std::nullopt) << "10^30 does not overflow";
}

TEST(TaskFileExplain, NamesSecretsAndNeverTheirValues) {
    const auto use = use_of(kHead + "vars: {pw: {type: secret, from: \"env:PW\"}}\nsteps:\n  - type: \"${vars.pw}\"\n");
    EXPECT_EQ(use.secrets, (std::map<std::string, std::string>{{"pw", "env:PW"}}));
}

// --- files that run files ---------------------------------------------------------------------------------------------------------

TEST(TaskFileRuns, ACircleIsFound) {
    const Folder folder;
    folder.write("b.yaml", kHead + "steps:\n  - run: a.yaml\n");
    const auto checked = check_task_file(folder.write("a.yaml", kHead + "steps:\n  - run: b.yaml\n"), Lint::No);
    ASSERT_EQ(checked.findings.size(), 1U);
    EXPECT_NE(to_text(checked.findings[0]).find("b.yaml:4:10: "), std::string::npos) << to_text(checked.findings[0]);
    EXPECT_NE(checked.findings[0].message.find("runs itself"), std::string::npos);
}

TEST(TaskFileRuns, AChainOfTwentyIsRefused) {
    const Folder folder;
    for (int i = 0; i < 20; ++i) {
        folder.write("f" + std::to_string(i) + ".yaml", kHead + "steps:\n  - run: f" + std::to_string(i + 1) + ".yaml\n");
    }
    folder.write("f20.yaml", kHead + "steps:\n  - key: a\n");
    const auto checked = check_task_file(folder.path() / "f0.yaml", Lint::No);
    ASSERT_FALSE(checked.is_valid());
    EXPECT_NE(checked.findings[0].message.find("8 deep"), std::string::npos) << checked.findings[0].message;
}

TEST(TaskFileRuns, VariablesOfTheOtherFileAreChecked) {
    const Folder folder;
    folder.write("row.yaml", kHead + "vars: {id: {type: string, required: true}, note: string}\nsteps:\n  - type: \"${vars.id}${vars.note}\"\n");
    const auto said = [&](const std::string& vars) {
        const auto checked = check_task_file(folder.write("task.yaml", kHead + "steps:\n  - run: {file: row.yaml" + vars + "}\n"), Lint::No);
        return checked.findings.empty() ? "" : checked.findings[0].message.substr(checked.findings[0].message.find("row.yaml"));
    };
    EXPECT_EQ(said(", vars: {id: 7}"), "");
    EXPECT_EQ(said(""), "row.yaml needs the variable \"id\"");
    EXPECT_EQ(said(", vars: {id: 7, nte: x}"), "row.yaml has no variable \"nte\"; did you mean \"note\"?");
}

TEST(TaskFileRuns, WhatIsNoOrdinaryFileIsNotOpened) {
    const Folder folder;
    ASSERT_EQ(::mkfifo((folder.path() / "pipe.yaml").c_str(), 0600), 0);
    const auto checked = check_task_file(folder.path() / "pipe.yaml", Lint::No);
    ASSERT_EQ(checked.findings.size(), 1U);
    EXPECT_NE(checked.findings[0].message.find("no ordinary file"), std::string::npos);
    EXPECT_NE(check_task_file("/nonexistent/x.yaml", Lint::No).findings.at(0).message.find("there is no file"), std::string::npos);
}

// --- lint ----------------------------------------------------------------------------------------------------------------------

struct LintCase {
    const char* rule;
    std::string text;
};
void PrintTo(const LintCase& one, std::ostream* out) { *out << one.rule; } // NOLINT(readability-identifier-naming): GoogleTest's name
class TaskFileLint : public ::testing::TestWithParam<LintCase> {};
TEST_P(TaskFileLint, SaysItsRule) {
    const auto findings = findings_of(kHead + GetParam().text, Lint::Yes);
    ASSERT_FALSE(findings.empty());
    const bool is_said = std::any_of(findings.begin(), findings.end(), [](const TaskFinding& finding) { return finding.rule == GetParam().rule; });
    EXPECT_TRUE(is_said) << to_text(findings[0]);
    EXPECT_EQ(findings[0].severity, TaskFinding::Severity::Warning) << to_text(findings[0]);
    EXPECT_NE(read(kSource / "docs/task-files.md").find("| `" + std::string(GetParam().rule) + "` |"), std::string::npos) << "docs/task-files.md lists every rule";
}
INSTANTIATE_TEST_SUITE_P(Rules, TaskFileLint, ::testing::Values(
    LintCase{"sleep", "steps:\n  - sleep: 2s\n"},
    LintCase{"unused-variable", "vars: {x: string}\nsteps:\n  - key: a\n"},
    LintCase{"no-policy", "steps:\n  - goal: g\n    done_when: {text: x}\n    budget: {steps: 3}\n"},
    LintCase{"no-proof", "policy: {apps: [x]}\nsteps:\n  - goal: g\n    budget: {steps: 3}\n"},
    LintCase{"no-budget", "policy: {apps: [x]}\nsteps:\n  - goal: g\n    done_when: {text: x}\n"},
    LintCase{"unconfirmed", "steps:\n  - click: Pay\n    irreversible: true\n"},
    LintCase{"guess", "policy: {confirm: [{verb: click}]}\nsteps:\n  - click: {model: the pay button}\n    irreversible: true\n"},
    LintCase{"secret-read-back", "vars: {pw: {type: secret, from: \"env:PW\"}}\nsteps:\n  - type: \"${vars.pw}\"\n"},
    LintCase{"coordinates", "steps:\n  - click: {at: [5, 6]}\n"},
    LintCase{"long-wait", "steps:\n  - wait_until: {text: x, within: 1h}\n"},
    LintCase{"votes", "steps:\n  - assert: {model: fine, votes: 2}\n"},
    LintCase{"unknown-file", "vars: {f: string}\nsteps:\n  - run: \"${vars.f}\"\n"}),
    [](const auto& row) {
        std::string name = row.param.rule;
        std::replace(name.begin(), name.end(), '-', '_');
        return name;
    });

TEST(TaskFileLint, NamesAPictureOfOneColour) {
    const Folder folder;
    const auto put = [&](const char* name, std::uint8_t level) {
        std::vector<std::uint8_t> pixels(20 * 20 * 3, 200);
        std::fill_n(pixels.begin(), 600, level);
        const auto png = encode_png(*Image::from_pixels({20, 20}, PixelFormat::Rgb, pixels), 6);
        ASSERT_TRUE(png);
        folder.write(name, std::string(png->begin(), png->end()));
    };
    put("blank.png", 202);
    put("two.png", 20);
    const auto checked = check_task_file(folder.write("t.yaml", "version: 1\nname: t\nsteps:\n  - click: {template: blank.png}\n  - click: {template: two.png}\n"), Lint::Yes);
    ASSERT_EQ(checked.findings.size(), 1U) << to_text(checked.findings);
    EXPECT_EQ(checked.findings[0].rule, "blank-picture");
    EXPECT_EQ(checked.findings[0].line, 4);
    EXPECT_NE(read(kSource / "docs/task-files.md").find("| `blank-picture` |"), std::string::npos);
}

TEST(TaskFileLint, HasNothingToSayOfAGoodFile) {
    EXPECT_TRUE(findings_of(kHead + "policy: {apps: [x], budget: {steps: 3}}\nsteps:\n  - goal: g\n    done_when: {text: x}\n  - wait_until: {text: y, within: 30s}\n", Lint::Yes).empty());
}

// --- bounds --------------------------------------------------------------------------------------------------------------------

TEST(TaskFileBounds, EachIsSaid) {
    EXPECT_NE(first_of(kHead + "steps:\n  - type: \"" + std::string(1U << 20, 'x') + "\"\n").find("1048576"), std::string::npos);
    EXPECT_NE(first_of(kHead + "steps:\n  - type: \"" + std::string(70'000, 'x') + "\"\n").find("at most 65536"), std::string::npos);
    EXPECT_NE(first_of(kHead + "steps: " + std::string(100, '[') + std::string(100, ']')).find("more than 40 deep"), std::string::npos);
    EXPECT_FALSE(first_of(kHead + "steps: " + std::string(100'000, '[')).empty());
    EXPECT_FALSE(first_of(kHead + "steps: " + std::string(100'000, '{')).empty());
    EXPECT_NE(first_of(kHead + "vars: {a: {type: list, default: [" + [] {
        std::string list;
        for (int i = 0; i < 60'000; ++i) {
            list += "1,";
        }
        return list;
    }() + "1]}}\n").find("more than 50000 values"), std::string::npos);
    std::string keys;
    for (int i = 0; i < 1100; ++i) {
        keys += "  v" + std::to_string(i) + ": string\n";
    }
    EXPECT_NE(first_of(kHead + "vars:\n" + keys).find("more than 1000 keys"), std::string::npos);
    EXPECT_EQ(first_of(kHead + "steps: \"\xFF\"\n"), "this byte is not UTF-8");
    EXPECT_EQ(first_of(kHead + std::string("steps: \"\0\"\n", 11)), "a NUL byte");
    EXPECT_LE(findings_of(kHead + "steps:\n" + [] {
        std::string steps;
        for (int i = 0; i < 1000; ++i) {
            steps += "  - clik: x\n";
        }
        return steps;
    }()).size(), 100U);
}

TEST(TaskFilePlaces, CountCharactersNotBytes) {
    const auto findings = findings_of(kHead + "steps:\n  - {label: \"löschen äöü\", clik: x}\n");
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(findings[0].line, 4);
    EXPECT_EQ(findings[0].column, 28);
}

TEST(TaskFile, JsonIsUnderstoodToo) {
    EXPECT_TRUE(findings_of(R"({"version": 1, "name": "t", "steps": [{"click": {"text": "Save", "near": {"label": "Form", "side": "below"}}}, {"key": ["escape"]}]})").empty());
    EXPECT_TRUE(findings_of("\xEF\xBB\xBF" + kHead + "steps:\r\n  - key: escape\r\n").empty()) << "a byte order mark and Windows line ends";
}

// --- fmt ------------------------------------------------------------------------------------------------------------------------

TEST(TaskFileFormat, LaysOutAndKeepsEveryComment) {
    const auto formatted = format_task_file(read(kGolden / "ugly.yaml"));
    ASSERT_TRUE(formatted) << formatted.error().message;
    if (updates_goldens()) {
        std::ofstream(kGolden / "ugly.formatted.yaml") << *formatted;
    }
    EXPECT_EQ(*formatted, read(kGolden / "ugly.formatted.yaml"));
    EXPECT_EQ(*format_task_file(*formatted), *formatted) << "once is enough";
}

TEST(TaskFileFormat, LeavesWhatIsNoYamlAlone) {
    const auto formatted = format_task_file("a: [\n");
    ASSERT_FALSE(formatted);
    EXPECT_EQ(formatted.error().code, ErrorCode::ParseFailed);
}

TEST(TaskFileFormat, ChangesNoValueOfAnyCase) {
    for (const Malformed& one : malformed_files()) {
        const auto once = format_task_file(one.text);
        if (once) {
            const auto twice = format_task_file(*once);
            ASSERT_TRUE(twice) << one.name << "\n" << *once;
            EXPECT_EQ(*once, *twice) << one.name;
        } else {
            EXPECT_EQ(once.error().code, ErrorCode::ParseFailed) << one.name << ": " << once.error().message;
        }
    }
}

} // namespace
} // namespace handeye

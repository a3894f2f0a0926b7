// SPDX-License-Identifier: Apache-2.0
// Checks this tree, and checks the checks on small trees that break each promise.
#include "tests/tidy/rules.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace handeye::tidy {
namespace {

std::string joined(const Findings& findings) {
    std::string text;
    for (const std::string& finding : findings) {
        text += finding + "\n";
    }
    return text;
}

const Tree& this_tree() {
    static const Tree tree = read_tree(HANDEYE_SOURCE_DIR);
    return tree;
}

/// A tree in a folder of its own that goes away with it.
class SmallTree : public ::testing::Test {
protected:
    SmallTree() {
        std::string name =
            (std::filesystem::temp_directory_path() / "handeye-tidy-XXXXXX").string();
        root_ = mkdtemp(name.data());
    }
    ~SmallTree() override { std::filesystem::remove_all(root_); }

    void add(const std::string& path, const std::string& text) const {
        std::filesystem::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path, std::ios::binary) << text;
    }
    [[nodiscard]] Tree tree() const { return read_tree(root_); }

private:
    std::filesystem::path root_;
};

TEST(ThisTree, HoldsManyFiles) {
    EXPECT_GT(this_tree().files.size(), 60U);
}
TEST(ThisTree, KeepsTheIncludeArrows) {
    EXPECT_EQ(joined(check_include_arrows(this_tree())), "");
}
TEST(ThisTree, KeepsHeavyHeadersInTheirPlaces) {
    EXPECT_EQ(joined(check_heavy_includes(this_tree())), "");
}
TEST(ThisTree, CarriesItsLicenceInEveryFile) {
    EXPECT_EQ(joined(check_licence_lines(this_tree())), "");
}
TEST(ThisTree, HasNoFilePastSixHundredLines) {
    EXPECT_EQ(joined(check_sizes(this_tree())), "");
}
TEST(ThisTree, HasCleanWhitespace) {
    EXPECT_EQ(joined(check_whitespace(this_tree())), "");
}
TEST(ThisTree, NamesNoMachineAndLeavesNoNotes) {
    EXPECT_EQ(joined(check_words(this_tree())), "");
}
TEST(ThisTree, MapsEveryQualityRowToATestOrOpen) {
    EXPECT_EQ(joined(check_verification_page(this_tree())), "");
}
TEST(ThisTree, HasOnlyLinksThatLeadSomewhere) {
    EXPECT_EQ(joined(check_links(this_tree())), "");
}
TEST(ThisTree, ShowsOnlyCommandsThatExist) {
    EXPECT_EQ(joined(check_readme_commands(this_tree())), "");
}
TEST(ThisTree, SaysWhereItsGoldensComeFrom) {
    EXPECT_EQ(joined(check_golden_provenance(this_tree())), "");
}

TEST_F(SmallTree, AnAllowedArrowIsNoFinding) {
    add("agent/a.cpp",
        "#include \"agent/a.h\"\n#include \"base/result.h\"\n#include \"engine/chat_model.h\"\n");
    EXPECT_EQ(joined(check_include_arrows(tree())), "");
}

TEST_F(SmallTree, AnArrowAgainstTheTableIsFound) {
    add("engine/x.cpp", "// x\n#include \"agent/session.h\"\n");
    EXPECT_EQ(joined(check_include_arrows(tree())),
              "engine/x.cpp:2: engine/ may not include agent/session.h\n");
}

TEST_F(SmallTree, AnotherFoldersSubfolderIsFound) {
    add("agent/x.cpp", "#include \"engine/vision/preprocess.h\"\n");
    EXPECT_EQ(joined(check_include_arrows(tree())),
              "agent/x.cpp:1: agent/ may not include engine/vision/preprocess.h\n");
}

TEST_F(SmallTree, ABackEndNamedOutsideAppsIsFound) {
    add("server/x.cpp", "  #  include \"platforms/x11/x11_platform.h\"\n");
    EXPECT_EQ(check_include_arrows(tree()).size(), 1U);
}

TEST_F(SmallTree, ALowerEngineLayerIncludingAHigherOneIsFound) {
    add("engine/tensor/x.h", "#include \"engine/runtime/kv_cache.h\"\n");
    add("engine/runtime/y.h", "#include \"engine/tensor/x.h\"\n");
    EXPECT_EQ(
        joined(check_include_arrows(tree())),
        "engine/tensor/x.h:1: engine/runtime/kv_cache.h lies in a higher layer of the engine\n");
}

TEST_F(SmallTree, AnIncludeThatIsNotFromTheRootIsFound) {
    add("base/x.cpp", "#include \"x.h\"\n");
    EXPECT_EQ(joined(check_include_arrows(tree())),
              "base/x.cpp:1: \"x.h\" is not written from the root of the tree\n");
}

TEST_F(SmallTree, ProductCodeIncludingTestsIsFound) {
    add("apps/x.cpp", "#include \"tests/fakes/fake_platform.h\"\n");
    EXPECT_EQ(check_include_arrows(tree()).size(), 1U);
}

TEST_F(SmallTree, HeavyFrontHeadersAreFound) {
    add("server/CMakeLists.txt",
        "handeye_library(server\n  HEADERS control_server.h\n  SOURCES control_server.cpp)\n");
    add("server/connection.h",
        "#include <boost/asio.hpp>\n#include <nlohmann/json.hpp>\n"); // private: its own business
    for (const char* heavy : {"boost/asio.hpp", "opencv2/core.hpp", "X11/Xlib.h", "cuda_runtime.h",
                              "nlohmann/json.hpp"}) {
        SCOPED_TRACE(heavy);
        add("server/control_server.h", std::string("#include <") + heavy + ">\n");
        EXPECT_EQ(check_heavy_includes(tree()).size(), 1U);
    }
}

TEST_F(SmallTree, HeavyHeadersOutsideTheirFilesAreFound) {
    add("agent/session.cpp",
        "#include <boost/asio.hpp>\n#include <X11/Xlib.h>\n#include <opencv2/core.hpp>\n");
    add("platforms/x11/screen.cpp", "#include <X11/Xlib.h>\n");
    add("base/net/http.cpp", "#include <boost/beast.hpp>\n");
    EXPECT_EQ(check_heavy_includes(tree()).size(), 3U);
}

TEST_F(SmallTree, AMissingLicenceLineIsFoundAlsoBelowAShebang) {
    add("base/x.h", "#pragma once\n");
    add("tools/x.sh", "#!/bin/bash\nset -e\n");
    add("tools/good.sh", "#!/bin/bash\n# SPDX-License-Identifier: Apache-2.0\n");
    add("base/empty.cpp", "");
    EXPECT_EQ(check_licence_lines(tree()).size(), 3U);
}

TEST_F(SmallTree, AFileOfSixHundredAndOneLinesIsFound) {
    std::string text;
    for (int i = 0; i < 600; ++i) {
        text += "x\n";
    }
    add("base/long.cpp", text);
    EXPECT_TRUE(check_sizes(tree()).empty());
    add("base/long.cpp", text + "x\n");
    EXPECT_EQ(check_sizes(tree()).size(), 1U);
}

TEST_F(SmallTree, WhitespaceAtTheEndIsFound) {
    add("base/a.cpp", "x \n");
    add("base/b.cpp", "x\r\n");
    add("base/c.cpp", "x");
    add("base/d.cpp", "\tx\n");
    EXPECT_EQ(check_whitespace(tree()).size(), 3U);
}

TEST_F(SmallTree, PathsOfOneMachineAndNotesAreFound) {
    add("docs/a.md", std::string("see /wo") + "rk/x\n");
    add("docs/b.md", std::string("TO") + "DO: write\n");
    add("docs/c.md", "https://example.org/work/x and framework/x and mktemp /tmp/x.XXXXXX\n");
    const std::string found = joined(check_words(tree()));
    EXPECT_NE(found.find("docs/a.md:1"), std::string::npos) << found;
    EXPECT_NE(found.find("docs/b.md:1"), std::string::npos) << found;
    EXPECT_EQ(check_words(tree()).size(), 2U) << found;
}

/// A verification page with every row open.
std::string open_page() {
    std::string page;
    for (int i = 1; i <= 29; ++i) {
        page += "| S" + std::to_string(i) + " | promise | open |\n";
    }
    for (int i = 1; i <= 21; ++i) {
        page += "| R" + std::to_string(i) + " | promise | open |\n";
    }
    return page;
}

TEST_F(SmallTree, AMissingVerificationRowIsFound) {
    std::string page = open_page();
    add("docs/verification.md", page);
    EXPECT_EQ(joined(check_verification_page(tree())), "");
    page.erase(page.find("| S17 "), std::string("| S17 | promise | open |\n").size());
    add("docs/verification.md", page);
    EXPECT_EQ(joined(check_verification_page(tree())), "docs/verification.md: no row S17\n");
}

TEST_F(SmallTree, AVerificationRowWithoutATestIsFound) {
    std::string page = open_page();
    page.replace(page.find("| R3 | promise | open"), std::string("| R3 | promise | open").size(),
                 "| R3 | promise | done");
    add("docs/verification.md", page);
    EXPECT_EQ(check_verification_page(tree()).size(), 1U);
}

TEST_F(SmallTree, AVerificationRowThatNamesNoRealTestIsFound) {
    std::string page = open_page();
    page.replace(page.find("| R3 | promise | open"), std::string("| R3 | promise | open").size(),
                 "| R3 | promise | `Recorder.SurvivesEveryFlip`");
    add("docs/verification.md", page);
    EXPECT_EQ(check_verification_page(tree()).size(), 1U);
    add("tests/agent/recorder_test.cpp", "TEST(Recorder,\n     SurvivesEveryFlip) {}\n");
    EXPECT_EQ(joined(check_verification_page(tree())), "");
}

TEST_F(SmallTree, AVerificationRowThatNamesNoRealScriptIsFound) {
    std::string page = open_page();
    page.replace(page.find("| R3 | promise | open"), std::string("| R3 | promise | open").size(),
                 "| R3 | promise | `tests/agent/flip.py`");
    add("docs/verification.md", page);
    EXPECT_EQ(check_verification_page(tree()).size(), 1U);
    add("tests/agent/flip.py", "pass\n");
    EXPECT_EQ(joined(check_verification_page(tree())), "");
}

TEST_F(SmallTree, ATreeWithoutAVerificationPageIsFound) {
    EXPECT_EQ(check_verification_page(tree()).size(), 1U);
}

TEST_F(SmallTree, LinksThatLeadNowhereAreFound) {
    add("docs/a.md",
        "[good](b.md) [heading](b.md#how-it-works) [folder](../base) [web](https://example.org)\n");
    add("docs/b.md", "# How it works\n");
    add("base/x.h", "\n");
    EXPECT_EQ(joined(check_links(tree())), "");
    add("docs/c.md", "[gone](gone.md)\n[heading](b.md#gone)\n");
    EXPECT_EQ(check_links(tree()).size(), 2U);
}

TEST_F(SmallTree, CommandsThatDoNotExistAreFound) {
    add("README.md", "```\n./quickstart\nhandeye run \"Goal\"\nhandeye dance\n```\n");
    add("apps/CMakeLists.txt", "add_executable(handeye cli_main.cpp)\n");
    add("apps/cli_main.cpp", "add(\"run\");\n");
    EXPECT_EQ(joined(check_readme_commands(tree())), "README.md:2: no such program: ./quickstart\n"
                                                     "README.md:4: handeye has no command dance\n");
}

TEST_F(SmallTree, AReadmeWithoutACommandIsFound) {
    add("README.md", "# handeye\n");
    EXPECT_EQ(check_readme_commands(tree()).size(), 1U);
}

TEST_F(SmallTree, GoldensWithoutProvenanceAreFound) {
    add("tests/golden/prompts/a.txt", "a\n");
    EXPECT_EQ(check_golden_provenance(tree()).size(), 1U);
    add("tests/golden/prompts/PROVENANCE.md", "# From\n");
    EXPECT_TRUE(check_golden_provenance(tree()).empty());
}

} // namespace
} // namespace handeye::tidy

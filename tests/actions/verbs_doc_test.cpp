// SPDX-License-Identifier: Apache-2.0
// docs/verbs.md is the verb table as a page: this writes it, and fails when the page and the table disagree.
#include "actions/vocabulary.h"

#include "base/file.h"

#include <cstdlib>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace handeye {
namespace {

std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) {
        out += c == '|' ? "\\|" : std::string(1, c);
    }
    return out;
}
std::string code_cell(const VerbForm* form) {
    return form == nullptr ? "" : fmt::format("`{}`", cell(form->form));
}

std::string page() {
    std::string text = "# Verbs\n\n"
                       "<!-- Written from the verb table (actions/vocabulary.cpp) by HANDEYE_UPDATE_GOLDENS=1 actions_test. -->\n\n"
                       "What an agent can do. The canonical form counts pixels of the target, or thousandths with `\"units\":\"thousandths\"`; the other\n"
                       "columns are what the models write, in thousandths. `handeye act` takes any of them.\n\n"
                       "| verb | does | canonical | mobile | desktop | web, numbered elements | web, coordinates | AutoGLM |\n|---|---|---|---|---|---|---|---|\n";
    for (const VerbRow& row : verb_table()) {
        text += fmt::format("| {} | {} | `{}` | {} | {} | {} | {} | {} |\n", row.verb, cell(row.help), cell(row.example),
                            code_cell(form_of(row, Dialect::GlmMobile)), code_cell(form_of(row, Dialect::GlmDesktop)),
                            code_cell(form_of(row, Dialect::GlmWebMarks)), code_cell(form_of(row, Dialect::GlmWebPoints)), code_cell(form_of(row, Dialect::AutoGlm)));
    }
    return text;
}

TEST(VerbsPage, AgreesWithTheTable) {
    const std::filesystem::path path = std::filesystem::path(HANDEYE_SOURCE_DIR) / "docs/verbs.md";
    if (std::getenv("HANDEYE_UPDATE_GOLDENS") != nullptr) { // NOLINT(concurrency-mt-unsafe): one thread
        ASSERT_TRUE(write_file_atomic(path, page()).has_value());
    }
    const auto written = read_file(path, 1U << 20U);
    ASSERT_TRUE(written.has_value()) << written.error().message;
    EXPECT_EQ(*written, page()) << "HANDEYE_UPDATE_GOLDENS=1 actions_test writes the page anew";
}

} // namespace
} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// Target options: what a person and an API client write, and what is refused.
#include "apps/target.h"
#include "base/command_line.h"
#include "base/file.h"

#include <gtest/gtest.h>

namespace handeye {
namespace {

using Words = std::vector<std::string>;

TEST(SplitCommand, KeepsQuotedAndEscapedBlanks) {
    EXPECT_EQ(*split_command("form  a b"), (Words{"form", "a", "b"}));
    EXPECT_EQ(*split_command(R"(form "a b" 'c "d' e\ f)"), (Words{"form", "a b", "c \"d", "e f"}));
    EXPECT_EQ(*split_command("x ''"), (Words{"x", ""}));
}

TEST(SplitCommand, RefusesNothingAndOpenQuotes) {
    EXPECT_EQ(split_command("").error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(split_command("   ").error().code, ErrorCode::InvalidArgument);
    EXPECT_NE(split_command("form 'a").error().message.find("quote is not closed"), std::string::npos);
    EXPECT_FALSE(split_command("''").has_value());
}

TEST(TargetSpec, ReadsRegionAndHeadless) {
    const auto options = to_platform_options({.region = "1,2,30,40", .headless = "640x480"});
    EXPECT_EQ(*options->region, (Rect{1, 2, 30, 40}));
    EXPECT_EQ(*options->headless, (Size{640, 480}));
}

TEST(TargetSpec, NamesWhatIsWrong) {
    for (const char* region : {"1,2,3", "1,2,3,4,5", "a,b,c,d", "1,2,0,4", "-1,2,3,4", "1,2,3,4 ", "1,2,99999999,4"}) {
        const auto options = to_platform_options({.region = region});
        ASSERT_FALSE(options.has_value()) << region;
        EXPECT_NE(options.error().message.find(region), std::string::npos);
    }
    for (const char* size : {"640", "640x", "x480", "63x480", "640*480", "640x480x2", "99999x480"}) {
        EXPECT_FALSE(to_platform_options({.headless = size}).has_value()) << size;
    }
    EXPECT_FALSE(to_platform_options({.display = ":0", .headless = "640x480"}).has_value());
}

TEST(TargetSpec, AFieldOfAnotherPlatformIsNamed) {
    const auto options = to_platform_options({.platform = "pigeon", .display = ":7"});
    ASSERT_FALSE(options.has_value());
    EXPECT_EQ(options.error().message, R"(target field "display" is of platform x11 web, not of "pigeon")");
}

TEST(TargetSpec, JsonRoundTrip) {
    const TargetSpec spec{.display = ":7", .window = "Édit", .launch = {"a 'b c'", "d"}};
    const auto back = target_from_json("x11", target_to_json(spec));
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->display, ":7");
    EXPECT_EQ(back->window, "Édit");
    EXPECT_EQ(back->launch, spec.launch);
}

TEST(TargetSpec, AVncServerHasItsOwnFields) {
    const auto options = to_platform_options({.platform = "vnc", .attach = "lab:1", .user = "ada", .password_file = "/p", .tls = "verify", .ca_file = "/c", .view_only = true});
    ASSERT_TRUE(options.has_value()) << options.error().message;
    EXPECT_EQ(options->attach, "lab:1");
    EXPECT_EQ(options->vnc.user, "ada");
    EXPECT_EQ(options->vnc.password_file, "/p");
    EXPECT_EQ(options->vnc.tls, "verify");
    EXPECT_EQ(options->vnc.ca_file, "/c");
    EXPECT_TRUE(options->vnc.view_only);
    EXPECT_FALSE(to_platform_options({.platform = "vnc", .headless = "640x480"}).has_value());
    EXPECT_FALSE(to_platform_options({.platform = "x11", .view_only = true}).has_value());
}

TEST(TargetSpec, AClientNamesNoFileOfThisUserButOneBesideTheSecrets) {
    const std::string inside = (config_dir() / "lab.password").string();
    const auto allowed = target_from_json("vnc", R"({"attach":"lab:1","password_file":")" + inside + R"("})");
    ASSERT_TRUE(allowed.has_value()) << allowed.error().message;
    for (const std::string& file : Words{"/etc/hostname", "lab.password", (config_dir() / "../../.ssh/id_rsa").string()}) {
        const auto refused = target_from_json("vnc", R"({"attach":"lab:1","password_file":")" + file + R"("})");
        ASSERT_FALSE(refused.has_value()) << file;
        EXPECT_EQ(refused.error().code, ErrorCode::PermissionDenied);
    }
}

TEST(TargetSpec, JsonRefusesUnknownKeysAndTypes) {
    EXPECT_NE(target_from_json("x11", R"({"colour":"red"})").error().message.find("target.colour"), std::string::npos);
    EXPECT_FALSE(target_from_json("x11", R"({"display":7})").has_value());
    EXPECT_FALSE(target_from_json("x11", R"({"launch":[1]})").has_value());
    EXPECT_FALSE(target_from_json("x11", "[]").has_value());
    EXPECT_FALSE(target_from_json("x11", "{").has_value());
    EXPECT_TRUE(target_from_json("x11", "").has_value());
}

TEST(FindModel, NamesAFolderWithoutConfig) {
    const auto model = find_model("/nonexistent/model");
    ASSERT_FALSE(model.has_value());
    EXPECT_EQ(model.error().code, ErrorCode::NotFound);
    EXPECT_NE(model.error().message.find("/nonexistent/model"), std::string::npos);
}

} // namespace
} // namespace handeye

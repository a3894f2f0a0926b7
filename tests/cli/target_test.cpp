// SPDX-License-Identifier: Apache-2.0
// Target options: what a person and an API client write, and what is refused.
#include "apps/target.h"
#include "base/clock.h"
#include "base/command_line.h"
#include "base/file.h"

#include <cstdlib>
#include <filesystem>

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
    const auto back = target_from_json("x11", target_to_json(spec), {});
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

/// A folder that is gone after the test.
class ClientTarget : public ::testing::Test {
protected:
    ClientTarget() {
        std::string name = std::filesystem::temp_directory_path() / "handeye-target-XXXXXX";
        folder_ = ::mkdtemp(name.data());
        std::filesystem::create_directories(folder_ / "shared" / "in");
        std::filesystem::create_directory(folder_ / "other");
        std::filesystem::create_directory_symlink(folder_ / "other", folder_ / "shared" / "out");
        allowed_.folders = {folder_ / "shared"};
        allowed_.browsers = {"/usr/bin/chromium"};
    }
    ~ClientTarget() override { std::filesystem::remove_all(folder_); }
    [[nodiscard]] Result<TargetSpec> read(const std::string& platform, const std::string& field, const std::string& value) const {
        return target_from_json(platform, "{\"" + field + "\":\"" + value + "\"}", allowed_);
    }
    void expect_refused(const std::string& platform, const std::string& field, const std::string& value, const std::string& key) const {
        const auto refused = read(platform, field, value);
        ASSERT_FALSE(refused.has_value()) << field << " " << value;
        EXPECT_EQ(refused.error().code, ErrorCode::PermissionDenied);
        for (const std::string& word : {"target." + field, value, key}) {
            EXPECT_NE(refused.error().message.find(word), std::string::npos) << word << ": " << refused.error().message;
        }
    }
    std::filesystem::path folder_;
    ClientTargets allowed_;
};

TEST_F(ClientTarget, NamesNoPathOutsideTheFoldersOfTheConfiguration) {
    const std::string in = (folder_ / "shared" / "in").string();
    for (const char* field : {"uploads", "downloads"}) {
        EXPECT_TRUE(read("web", field, in).has_value()) << field;
        EXPECT_TRUE(read("web", field, in + "/not-yet").has_value()) << field;
        for (const std::string& path : Words{"/etc", "in", (folder_ / "shared" / "out").string(), in + "/../../other", (folder_ / "shared2").string()}) {
            expect_refused("web", field, path, "targets.folders");
        }
    }
    EXPECT_TRUE(read("vnc", "ca_file", in + "/ca.pem").has_value());
    expect_refused("vnc", "ca_file", "/etc/hostname", "targets.folders");
    EXPECT_TRUE(read("vnc", "attach", in + "/socket").has_value());
    EXPECT_TRUE(read("vnc", "attach", "lab:1").has_value());
    for (const char* socket : {"/run/user/0/bus", "unix:/run/user/0/bus", "unix:bus"}) {
        const auto refused = read("vnc", "attach", socket);
        ASSERT_FALSE(refused.has_value()) << socket;
        EXPECT_NE(refused.error().message.find("targets.folders"), std::string::npos) << refused.error().message;
    }
    EXPECT_FALSE(read("android", "attach", "unix:/run/user/0/bus").has_value());
    EXPECT_FALSE(target_from_json("web", R"({"uploads":")" + in + R"("})", {}).has_value()); // nothing is configured
}

TEST_F(ClientTarget, StartsNoProgramThatIsNotConfigured) {
    EXPECT_TRUE(read("web", "browser", "/usr/bin/chromium").has_value());
    for (const char* program : {"/tmp/evil.sh", "chromium", "/usr/bin/../bin/chromium"}) {
        expect_refused("web", "browser", program, "targets.browsers");
    }
}

TEST_F(ClientTarget, OpensNoFileAsAPage) {
    EXPECT_TRUE(read("web", "url", "https://example.org/file:").has_value());
    EXPECT_TRUE(read("web", "url", "about:blank").has_value());
    for (const char* url : {"file:///etc/passwd", "FILE:/etc/passwd", " file:///etc/passwd", "view-source:file:///etc/passwd"}) {
        expect_refused("web", "url", url, "daemon's machine");
    }
    EXPECT_TRUE(read("web", "allow_domains", "example.org,data:").has_value());
    for (const char* list : {"file:", "example.org, File:,data:"}) {
        expect_refused("web", "allow_domains", list, "daemon's machine");
    }
}

/// The file's name says whose password it is. Nothing listens where these are sent: the refusal must come first.
TEST_F(ClientTarget, UsesNoPasswordButTheOneThatIsStoredForTheServerItNames) {
    SystemClock clock;
    const auto try_open = [&](const std::string& attach, const std::string& file) {
        const auto spec = target_from_json("vnc", R"({"attach":")" + attach + R"(","password_file":")" + file + R"("})", allowed_);
        EXPECT_TRUE(spec.has_value()) << spec.error().message;
        const auto opened = open_target(*spec, clock, {});
        EXPECT_FALSE(opened.has_value());
        return opened ? Error{} : opened.error();
    };
    const auto stored = [](const std::string& name) { return (client_password_folder() / name).string(); };
    for (const std::string& file : Words{(config_dir() / "token").string(), "/etc/hostname", "127.0.0.1::1", stored("lab-7::5901"), stored("127.0.0.1::2"),
                                         stored("../token"), stored("sub/127.0.0.1::1")}) {
        const Error error = try_open("127.0.0.1::1", file);
        EXPECT_EQ(error.code, ErrorCode::PermissionDenied) << file << ": " << error.message;
        EXPECT_NE(error.message.find(stored("127.0.0.1::1")), std::string::npos) << error.message;
    }
    EXPECT_EQ(try_open("127.0.0.1::1", stored("127.0.0.1::1")).code, ErrorCode::NotFound); // it would be read
    EXPECT_EQ(try_open((folder_ / "shared" / "socket").string(), stored("socket")).code, ErrorCode::PermissionDenied);
}

TEST(TargetSpec, JsonRefusesUnknownKeysAndTypes) {
    EXPECT_NE(target_from_json("x11", R"({"colour":"red"})", {}).error().message.find("target.colour"), std::string::npos);
    EXPECT_FALSE(target_from_json("x11", R"({"display":7})", {}).has_value());
    EXPECT_FALSE(target_from_json("x11", R"({"launch":[1]})", {}).has_value());
    EXPECT_FALSE(target_from_json("x11", "[]", {}).has_value());
    EXPECT_FALSE(target_from_json("x11", "{", {}).has_value());
    EXPECT_TRUE(target_from_json("x11", "", {}).has_value());
}

TEST(FindModel, NamesAFolderWithoutConfig) {
    const auto model = find_model("/nonexistent/model");
    ASSERT_FALSE(model.has_value());
    EXPECT_EQ(model.error().code, ErrorCode::NotFound);
    EXPECT_NE(model.error().message.find("/nonexistent/model"), std::string::npos);
}

} // namespace
} // namespace handeye

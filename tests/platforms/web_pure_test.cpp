// SPDX-License-Identifier: Apache-2.0
// What the platform "web" decides without a browser: which addresses may be loaded, which key is which, which files may be given away.
#include "platforms/web/address_rules.h"
#include "platforms/web/base64.h"
#include "platforms/web/browser_process.h"
#include "platforms/web/keys.h"
#include "platforms/web/panel.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace handeye::web {
namespace {

AddressRules rules(const std::vector<std::string>& allow, const std::vector<std::string>& deny, bool may_read_files = false) {
    AddressRules out;
    for (const std::string& text : allow) {
        out.allow.push_back(parse_address_pattern(text).value());
    }
    for (const std::string& text : deny) {
        out.deny.push_back(parse_address_pattern(text).value());
    }
    out.may_read_files = may_read_files;
    return out;
}

struct AddressCase {
    std::vector<std::string> allow;
    std::vector<std::string> deny;
    std::string url;
    std::string refusal; ///< part of it; empty: loaded
};

class AddressRulesTable : public ::testing::TestWithParam<AddressCase> {};

TEST_P(AddressRulesTable, Judges) {
    const AddressCase& one = GetParam();
    const std::string why = why_refused(rules(one.allow, one.deny), one.url);
    if (one.refusal.empty()) {
        EXPECT_EQ(why, "") << one.url;
    } else {
        EXPECT_NE(why.find(one.refusal), std::string::npos) << one.url << ": " << why;
    }
}

INSTANTIATE_TEST_SUITE_P(WithoutLists, AddressRulesTable, ::testing::Values(
    AddressCase{{}, {}, "https://example.org/a?b#c", ""}, AddressCase{{}, {}, "http://127.0.0.1:8080/", ""}, AddressCase{{}, {}, "HTTP://EXAMPLE.ORG/", ""},
    AddressCase{{}, {}, "wss://example.org/s", ""}, AddressCase{{}, {}, "data:text/html,x", ""}, AddressCase{{}, {}, "blob:https://example.org/1", ""},
    AddressCase{{}, {}, "about:blank", ""}, AddressCase{{}, {}, "file:///etc/passwd", "file:"}, AddressCase{{}, {}, "chrome://settings", "chrome:"},
    AddressCase{{}, {}, "javascript:alert(1)", "javascript:"}, AddressCase{{}, {}, "view-source:https://example.org/", "view-source:"},
    AddressCase{{}, {}, "devtools://devtools/x", "devtools:"}, AddressCase{{}, {}, "example.org", "no address"}, AddressCase{{}, {}, "", "no address"},
    AddressCase{{}, {}, "http:example.org", "no address"}, AddressCase{{}, {}, "http:///", "no address"}, AddressCase{{}, {}, "http://a\\b/", "no address"},
    AddressCase{{}, {}, "ht\ntp://example.org/", "no address"}, AddressCase{{}, {}, "http://ex ample.org/", "no address"}));

INSTANTIATE_TEST_SUITE_P(Allow, AddressRulesTable, ::testing::Values(
    AddressCase{{"example.org"}, {}, "https://example.org/", ""}, AddressCase{{"example.org"}, {}, "https://www.example.org/", ""},
    AddressCase{{"example.org"}, {}, "https://example.org./", ""}, AddressCase{{"example.org"}, {}, "https://user:pass@example.org/", ""},
    AddressCase{{"example.org"}, {}, "https://example.org@evil.test/", "allow"}, AddressCase{{"example.org"}, {}, "https://notexample.org/", "allow"},
    AddressCase{{"example.org"}, {}, "https://example.org.evil.test/", "allow"}, AddressCase{{"example.org"}, {}, "https://evil.test/example.org", "allow"},
    AddressCase{{"example.org"}, {}, "https://evil.test/#@example.org", "allow"}, AddressCase{{"example.org"}, {}, "data:text/html,x", "allow"},
    AddressCase{{"example.org"}, {}, "blob:https://example.org/1-2", ""}, AddressCase{{"example.org"}, {}, "blob:https://evil.test/1-2", "allow"},
    AddressCase{{"example.org"}, {}, "blob:null/1-2", "allow"}, AddressCase{{"example.org", "data:"}, {}, "data:text/html,x", ""},
    AddressCase{{"example.org"}, {}, "filesystem:https://evil.test/x", "allow"}, AddressCase{{"example.org"}, {}, "about:blank", ""},
    AddressCase{{"example.org"}, {}, "about:srcdoc", ""}, AddressCase{{"example.org"}, {}, "about:settings", "allow"},
    AddressCase{{"example.org"}, {}, "file:///tmp/x", "allow"}, AddressCase{{"file:"}, {}, "file:///tmp/x", ""}, AddressCase{{"*"}, {}, "https://any.test/", ""},
    AddressCase{{"*"}, {}, "data:,x", "allow"}, AddressCase{{"*.example.org"}, {}, "https://example.org/", "allow"},
    AddressCase{{"*.example.org"}, {}, "https://a.b.example.org/", ""}, AddressCase{{"example.org:8443"}, {}, "https://example.org:8443/", ""},
    AddressCase{{"example.org:8443"}, {}, "https://example.org/", "allow"}, AddressCase{{"example.org:443"}, {}, "https://example.org/", ""},
    AddressCase{{"127.0.0.1"}, {}, "http://127.0.0.1:5/", ""}, AddressCase{{"127.0.0.1"}, {}, "http://x.127.0.0.1/", "allow"},
    AddressCase{{"[::1]"}, {}, "http://[::1]:80/", ""}, AddressCase{{"example.org"}, {}, "ws://example.org/", ""}, AddressCase{{"example.org"}, {}, "ftp://example.org/", "allow"}));

INSTANTIATE_TEST_SUITE_P(Deny, AddressRulesTable, ::testing::Values(
    AddressCase{{}, {"ads.test"}, "https://ads.test/", "deny \"ads.test\""}, AddressCase{{}, {"ads.test"}, "https://x.ads.test/", "deny \"ads.test\""},
    AddressCase{{}, {"ads.test"}, "https://ads.test./", "deny"}, AddressCase{{}, {"ads.test"}, "https://ADS.TEST/", "deny"},
    AddressCase{{}, {"ads.test"}, "https://badads.test/", ""}, AddressCase{{"example.org"}, {"mail.example.org"}, "https://mail.example.org/", "deny"},
    AddressCase{{"example.org"}, {"mail.example.org"}, "https://www.example.org/", ""}, AddressCase{{}, {"data:"}, "data:,x", "deny \"data:\""},
    AddressCase{{}, {"blob:"}, "blob:null/1", "deny"}, AddressCase{{}, {"ads.test"}, "blob:https://ads.test/1", "deny"}, AddressCase{{}, {"*"}, "http://any.test/", "deny \"*\""},
    AddressCase{{}, {"*"}, "about:blank", ""}, AddressCase{{}, {"127.0.0.2"}, "http://[::ffff:7f00:2]/", "deny \"127.0.0.2\""},
    AddressCase{{}, {"[::ffff:127.0.0.2]"}, "ws://127.0.0.2/", "deny"}, AddressCase{{}, {"[0:0::1]"}, "http://[::1]/", "deny"},
    AddressCase{{}, {"ads.test:81"}, "http://x.ads.test:81/", "deny"}, AddressCase{{"example.org:81"}, {}, "http://x.example.org:81/", "allow"}));

TEST(AddressRules, FilesAreForSessionsThatBeginWithOne) {
    EXPECT_EQ(why_refused(rules({}, {}, true), "file:///tmp/x"), "");
    EXPECT_NE(why_refused(rules({}, {"file:"}, true), "file:///tmp/x"), "");
}

TEST(AddressRules, RefusePatternsThatAreNone) {
    for (const char* text : {"", "https://example.org", "exa mple.org", "example.org/", "example.org:0", "example.org:99999", "*.", "ex*mple.org", "größe.test", "a:b:c"}) {
        const auto parsed = parse_address_pattern(text);
        ASSERT_FALSE(parsed.has_value()) << text;
        EXPECT_NE(parsed.error().message.find("example.org"), std::string::npos);
    }
}

TEST(AddressRules, TellTheResolverTheSame) {
    EXPECT_TRUE(resolver_switches(rules({}, {})).empty());
    EXPECT_TRUE(resolver_switches(rules({"*"}, {})).empty());
    const auto host_rules = [](const AddressRules& list) { return resolver_switches(list)[0]; };
    EXPECT_EQ(host_rules(rules({"a.test", "data:"}, {})), "--host-rules=MAP a.test a.test, MAP a.test. a.test., EXCLUDE *.a.test, EXCLUDE *.a.test., MAP * handeye-denied.invalid");
    EXPECT_EQ(host_rules(rules({"a.test:81", "[::1]"}, {})), "--host-rules=MAP a.test:81 a.test:81, MAP a.test.:81 a.test.:81, MAP ::1 [::1], MAP * handeye-denied.invalid");
    EXPECT_EQ(host_rules(rules({}, {"127.0.0.2:81"})), "--host-rules=MAP 127.0.0.2:81 handeye-denied.invalid, MAP [::ffff:7f00:2]:81 handeye-denied.invalid");
    const auto both = resolver_switches(rules({"a.test"}, {"b.a.test"}));
    ASSERT_EQ(both.size(), 2U); // Chromium ignores --host-rules beside --host-resolver-rules
    EXPECT_EQ(both[1], "--webrtc-ip-handling-policy=disable_non_proxied_udp");
}

struct KeyCase {
    std::string name;
    KeyStroke want;
};
class KeyTable : public ::testing::TestWithParam<KeyCase> {};

TEST_P(KeyTable, KnowsTheKey) {
    const auto got = key_of_name(GetParam().name);
    ASSERT_TRUE(got.has_value()) << got.error().message;
    EXPECT_EQ(*got, GetParam().want) << got->key << " " << got->code << " " << got->windows_code;
}

INSTANTIATE_TEST_SUITE_P(Names, KeyTable, ::testing::Values(
    KeyCase{"a", {"a", "KeyA", 65, "a", 0, kNoModifier, false}}, KeyCase{"A", {"A", "KeyA", 65, "A", 0, kNoModifier, true}},
    KeyCase{"Return", {"Enter", "Enter", 13, "\r", 0, kNoModifier, false}}, KeyCase{"KP_Enter", {"Enter", "NumpadEnter", 13, "\r", 3, kNoModifier, false}},
    KeyCase{"Control_L", {"Control", "ControlLeft", 17, "", 1, kControl, false}}, KeyCase{"exclam", {"!", "Digit1", 49, "!", 0, kNoModifier, true}},
    KeyCase{"space", {" ", "Space", 32, " ", 0, kNoModifier, false}}, KeyCase{"F12", {"F12", "F12", 123, "", 0, kNoModifier, false}},
    KeyCase{"KP_7", {"7", "Numpad7", 103, "7", 3, kNoModifier, false}}, KeyCase{"U20AC", {"\xE2\x82\xAC", "", 0, "\xE2\x82\xAC", 0, kNoModifier, false}},
    KeyCase{"\xC3\xA4", {"\xC3\xA4", "", 0, "\xC3\xA4", 0, kNoModifier, false}}, KeyCase{"Left", {"ArrowLeft", "ArrowLeft", 37, "", 0, kNoModifier, false}}));

TEST(Keys, UnknownNamesAreNamed) {
    for (const char* name : {"", "Retrun", "F25", "KP_10", "U110000", "UD800", "ab", "\x01", "\xFF"}) {
        EXPECT_FALSE(key_of_name(name).has_value()) << name;
    }
    EXPECT_NE(key_of_name("Retrun").error().message.find("Retrun"), std::string::npos);
}

TEST(Keys, EveryAsciiCharacterHasOne) {
    for (char32_t c = 0x20; c < 0x7f; ++c) {
        const auto stroke = key_of_character(c);
        ASSERT_TRUE(stroke.has_value()) << static_cast<int>(c);
        EXPECT_EQ(stroke->text, std::string(1, static_cast<char>(c)));
        EXPECT_GT(stroke->windows_code, 0);
    }
    EXPECT_FALSE(key_of_character(U'ä').has_value());
}

TEST(Base64, GoesThereAndBack) {
    for (std::size_t size = 0; size < 70; ++size) {
        std::vector<std::uint8_t> bytes(size);
        for (std::size_t i = 0; i < size; ++i) {
            bytes[i] = static_cast<std::uint8_t>(i * 37 + size);
        }
        const auto back = from_base64(to_base64(bytes));
        ASSERT_TRUE(back.has_value());
        EXPECT_EQ(*back, bytes);
    }
    for (const char* broken : {"A", "AAA", "AA=A", "A===", "AA A", "AAA\xFF", "=AAA"}) {
        EXPECT_FALSE(from_base64(broken).has_value()) << broken;
    }
}

TEST(Uploads, TakeOnlyFilesBelowTheFolders) {
    std::string base = std::filesystem::temp_directory_path() / "handeye-test-XXXXXX";
    ASSERT_NE(mkdtemp(base.data()), nullptr);
    const std::filesystem::path folder = std::filesystem::path(base) / "given";
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "a.txt") << "a";
    std::ofstream(folder / "b.txt") << "b";
    std::ofstream(std::filesystem::path(base) / "secret.txt") << "s";
    std::filesystem::create_symlink(std::filesystem::path(base) / "secret.txt", folder / "link.txt");
    const std::string a = folder / "a.txt", b = folder / "b.txt";
    EXPECT_EQ(files_to_upload(a, {folder}, false)->size(), 1U);
    EXPECT_EQ(files_to_upload("  " + a + "\r\n\n" + b + "\n", {folder}, true)->size(), 2U);
    EXPECT_EQ(files_to_upload(a + "\n" + b, {folder}, false).error().code, ErrorCode::LimitExceeded);
    EXPECT_EQ(files_to_upload(base + "/secret.txt", {folder}, false).error().code, ErrorCode::PermissionDenied);
    EXPECT_EQ(files_to_upload((folder / "link.txt").string(), {folder}, false).error().code, ErrorCode::PermissionDenied);
    EXPECT_EQ(files_to_upload((folder / ".." / "secret.txt").string(), {folder}, false).error().code, ErrorCode::PermissionDenied);
    EXPECT_EQ(files_to_upload("/etc/passwd", {folder}, false).error().code, ErrorCode::PermissionDenied);
    EXPECT_EQ(files_to_upload((folder / "none").string(), {folder}, false).error().code, ErrorCode::NotFound);
    EXPECT_EQ(files_to_upload(folder.string(), {base}, false).error().code, ErrorCode::NotFound);
    EXPECT_EQ(files_to_upload(" \n", {folder}, false).error().code, ErrorCode::InvalidArgument);
    std::filesystem::remove_all(base);
}

TEST(BrowserProcess, AMissingProgramIsNamed) {
    EXPECT_NE(find_browser("no-such-browser").error().message.find("no-such-browser"), std::string::npos);
    const auto nobody = find_running_browser("127.0.0.1:1", {});
    ASSERT_FALSE(nobody.has_value());
    EXPECT_NE(nobody.error().message.find("--remote-debugging-port"), std::string::npos);
    EXPECT_FALSE(find_running_browser("unix:/tmp/x", {}).has_value());
}

} // namespace
} // namespace handeye::web

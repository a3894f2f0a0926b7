// SPDX-License-Identifier: Apache-2.0
#include "apps/secret_files.h"

#include "base/file.h"

#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace handeye {
namespace {

class SecretFiles : public testing::Test {
protected:
    SecretFiles() {
        std::string name = (std::filesystem::temp_directory_path() / "handeye-secrets-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
    }
    ~SecretFiles() override {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
        ::unsetenv("HANDEYE_SECRET_FROM_ENV");
        ::unsetenv("MAIL_VALUE");
    }
    void put(const std::string& name, const std::string& text, int mode = 0600) { ASSERT_TRUE(write_file_atomic(folder_ / name, text, mode)); }
    Error load_error() {
        const auto store = load_secrets(folder_);
        EXPECT_FALSE(store);
        return store ? Error{} : store.error();
    }

    std::filesystem::path folder_;
};

TEST_F(SecretFiles, AreReadWithTheirPlaces) {
    ::setenv("MAIL_VALUE", "from-variable", 1);
    put("pin.txt", "from-file\n");
    put("secrets.yaml", "secrets:\n  mail: {value: 'in place', where: [{app: thunderbird}, {app: firefox, domain: '*.example.org'}]}\n"
                        "  pin: {file: pin.txt, where: anywhere}\n  var: {env: MAIL_VALUE, where: [{title: '*Login*', window_class: X}]}\n");
    const auto store = load_secrets(folder_);
    ASSERT_TRUE(store) << store.error().message;
    const Secret* const mail = (*store)->find("mail");
    ASSERT_NE(mail, nullptr);
    EXPECT_EQ(mail->value_utf8, "in place");
    EXPECT_FALSE(mail->is_anywhere);
    ASSERT_EQ(mail->where.size(), 2U);
    EXPECT_EQ(mail->where[1].domains.front(), "*.example.org");
    EXPECT_EQ((*store)->find("pin")->value_utf8, "from-file");
    EXPECT_TRUE((*store)->find("pin")->is_anywhere);
    EXPECT_EQ((*store)->find("var")->value_utf8, "from-variable");
}

TEST_F(SecretFiles, NoFileIsNoError) { EXPECT_TRUE(load_secrets(folder_)); }

TEST_F(SecretFiles, AFileThatOthersMayReadIsRefused) {
    for (const int mode : {0640, 0604, 0660}) {
        put("secrets.yaml", "secrets: {a: {value: hidden-value, where: anywhere}}\n", mode);
        const Error error = load_error();
        EXPECT_EQ(error.code, ErrorCode::PermissionDenied) << mode;
        EXPECT_NE(error.message.find("chmod 600"), std::string::npos);
    }
}

TEST_F(SecretFiles, AFolderThatOthersMayEnterIsRefused) {
    put("secrets.yaml", "secrets: {a: {value: hidden-value, where: anywhere}}\n");
    std::filesystem::permissions(folder_, std::filesystem::perms(0755));
    EXPECT_NE(load_error().message.find("chmod 700"), std::string::npos);
}

TEST_F(SecretFiles, ALinkIsRefused) {
    put("elsewhere", "secrets: {a: {value: hidden-value, where: anywhere}}\n");
    std::filesystem::create_symlink(folder_ / "elsewhere", folder_ / "secrets.yaml");
    EXPECT_EQ(load_error().code, ErrorCode::PermissionDenied);
}

TEST_F(SecretFiles, AValueFileThatOthersMayReadIsRefused) {
    put("pin.txt", "hidden-value", 0644);
    put("secrets.yaml", "secrets: {a: {file: pin.txt, where: anywhere}}\n");
    EXPECT_EQ(load_error().code, ErrorCode::PermissionDenied);
}

TEST_F(SecretFiles, MistakesAreNamedWithoutAnyValue) {
    put("a.txt", "hidden-value");
    for (const std::string text :
         {"secrets: {a: {value: hidden-value}}", "secrets: {a: {value: hidden-value, file: a.txt, where: anywhere}}",
          "secrets: {a: {value: hidden-value, where: [hidden-value]}}", "secrets: {a: {value: hidden-value, where: [{hidden-value: x}]}}",
          "secrets: {a: {value: hidden-value, where: []}}", "secrets: {a: hidden-value}", "secrets: [hidden-value]", "hidden-value: {}",
          "secrets: {a: {value: [hidden-value], where: anywhere}}", "secrets: {a: {value: \"hidden-value}}", "secrets: {a: {where: anywhere}}",
          "secrets: {a: {value: hidden-value, where: anywhere}, a: {value: hidden-value, where: anywhere}}", "secrets: {'a b': {value: hidden-value, where: anywhere}}"}) {
        put("secrets.yaml", text);
        const auto store = load_secrets(folder_);
        ASSERT_FALSE(store) << text;
        EXPECT_EQ(store.error().message.find("hidden"), std::string::npos) << store.error().message;
    }
}

TEST_F(SecretFiles, VariablesWithThePrefixAreSecretsAndThenForgotten) {
    ::setenv("HANDEYE_SECRET_FROM_ENV", "variable-value", 1);
    const char* const value = std::getenv("HANDEYE_SECRET_FROM_ENV");
    const auto store = load_secrets(folder_);
    ASSERT_TRUE(store);
    EXPECT_EQ((*store)->find("FROM_ENV")->value_utf8, "variable-value");
    forget_secret_variables();
    EXPECT_EQ(std::getenv("HANDEYE_SECRET_FROM_ENV"), nullptr);
    EXPECT_STREQ(value, "") << "the bytes are gone too: /proc/PID/environ shows that memory";
}

TEST_F(SecretFiles, OptionsNameAFileAVariableOrWhatTheStoreHas) {
    put("pin.txt", "from-file\n");
    ::setenv("MAIL_VALUE", "from-variable", 1);
    SecretStore store;
    ASSERT_TRUE(store.add({"known", "value", {}, true}));
    const auto names = add_secret_options(store, {"known", "a=@" + (folder_ / "pin.txt").string(), "b=env:MAIL_VALUE"});
    ASSERT_TRUE(names) << names.error().message;
    EXPECT_EQ(*names, (std::vector<std::string>{"known", "a", "b"}));
    EXPECT_EQ(store.find("a")->value_utf8, "from-file");
    EXPECT_EQ(store.find("b")->value_utf8, "from-variable");
}

TEST_F(SecretFiles, AValueOnTheCommandLineIsRefusedAndNotRepeated) {
    SecretStore store;
    for (const std::string& option : std::vector<std::string>{"a=hidden-value", "hidden value", "a=", "nosuch", "a=@" + (folder_ / "none").string(), "a=env:NO_SUCH_VARIABLE"}) {
        const auto names = add_secret_options(store, {option});
        ASSERT_FALSE(names) << option;
        EXPECT_EQ(names.error().message.find("hidden"), std::string::npos);
    }
}

TEST(MemoryDumps, AreForbidden) {
    ASSERT_TRUE(forbid_memory_dumps());
    rlimit core{};
    ::getrlimit(RLIMIT_CORE, &core);
    EXPECT_EQ(core.rlim_max, 0U);
    EXPECT_EQ(::prctl(PR_GET_DUMPABLE), 0);
}

} // namespace
} // namespace handeye

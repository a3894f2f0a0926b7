// SPDX-License-Identifier: Apache-2.0
// The command line on a phone: `handeye act --platform android` for each verb of the mobile dialect, and the commands beside it.
#include "tests/android/phone_fixture.h"

#include <sys/wait.h>

#include <array>
#include <cstdio>

namespace handeye::android {
namespace {

class AndroidCli : public PhoneTest {
protected:
    struct Ran {
        int code = -1;
        std::string said;
    };
    /// `arguments` as in a shell; what it says on both streams.
    Ran handeye(const std::string& arguments) {
        const std::string line = std::string(HANDEYE_BINARY_DIR) + "/bin/handeye " + arguments + " 2>&1";
        Ran ran;
        std::FILE* pipe = ::popen(line.c_str(), "r"); // NOLINT(cert-env33-c): our own words
        EXPECT_NE(pipe, nullptr);
        std::array<char, 4096> piece{};
        for (std::size_t count = 0; (count = std::fread(piece.data(), 1, piece.size(), pipe)) > 0;) {
            ran.said.append(piece.data(), count);
        }
        const int status = ::pclose(pipe);
        ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        return ran;
    }
    std::string target() { return "--platform android --attach " + adb_server() + " "; }
    void act(const std::string& action) {
        const Ran ran = handeye("act " + target() + "'" + action + "'");
        EXPECT_EQ(ran.code, 0) << action << ": " << ran.said;
    }
};

TEST_F(AndroidCli, ActsEveryVerbOfTheMobileDialect) {
    act(R"({"action_type":"open_app","app_name":"Notes"})");
    EXPECT_EQ(phone_->get("focus"), "com.example.notes/.Main");
    act(R"({"action_type":"click","box_2d":[[60,500,360,580]]})");
    EXPECT_EQ(happened("press"), std::vector<std::string>{"press save"});
    act(R"({"action_type":"long_press","box_2d":[[400,800,600,900]]})");
    EXPECT_EQ(happened("longpress").size(), 1U);
    act(R"({"action_type":"input_text","text":"Grüße 你好 😀","box_2d":[[50,60,940,160]],"override":true})");
    EXPECT_EQ(text_of("note"), "Grüße 你好 😀");
    EXPECT_EQ(happened("enter"), std::vector<std::string>{"enter Grüße 你好 😀"});
    EXPECT_EQ(phone_->get("ime"), "com.android.inputmethod.latin/.LatinIME"); // given back
    act(R"({"action_type":"keyboard_enter"})");
    EXPECT_EQ(happened("enter").size(), 1U);
    act(R"({"action_type":"swipe","direction":"up"})");
    EXPECT_EQ(happened("swipe").size(), 1U);
    act(R"({"action_type":"navigate_back"})");
    EXPECT_EQ(phone_->get("focus"), "com.android.launcher3/.Launcher");
    act(R"({"action_type":"navigate_home"})");
    act(R"({"action_type":"wait"})");
    act(R"({"action_type":"answer","text":"42"})");
    act(R"({"action_type":"status","goal_status":"complete"})");
    act(R"({"action_type":"open_app","app_name":"com.example.notes"})"); // by package, too
    EXPECT_EQ(phone_->get("focus"), "com.example.notes/.Main");
    happened();
    phone_->set({{"idle", "0"}}); // an animation: a place on the screen needs no elements
    act(R"({"action_type":"click","box_2d":[[60,500,360,580]]})");
    EXPECT_EQ(happened("press"), std::vector<std::string>{"press save"});
    const Ran unknown = handeye("act " + target() + R"('{"action_type":"open_app","app_name":"Solitaire"}')");
    EXPECT_EQ(unknown.code, 1);
    EXPECT_NE(unknown.said.find("no app is called \"Solitaire\""), std::string::npos) << unknown.said;
}

TEST_F(AndroidCli, LooksAndProvesAndSaysWhatIsWrong) {
    const std::string png = (folder() / "shot.png").string();
    const Ran shot = handeye("screenshot " + target() + "-o " + png);
    EXPECT_EQ(shot.code, 0) << shot.said;
    EXPECT_GT(std::filesystem::file_size(png), 100U);
    const Ran doctor = handeye("doctor " + target() + "--serial " + serial() + " --json");
    for (const char* row : {"\"capture\"", "\"input\"", "\"type\"", "\"apps\"", "\"elements\""}) {
        EXPECT_NE(doctor.said.find(row), std::string::npos) << doctor.said;
    }
    const Ran nobody = handeye("screenshot --platform android --attach 127.0.0.1:1 -o " + png);
    EXPECT_NE(nobody.code, 0);
    EXPECT_NE(nobody.said.find("adb start-server"), std::string::npos) << nobody.said;
    const Ran foreign = handeye("screenshot --platform x11 --serial abc -o " + png);
    EXPECT_NE(foreign.said.find("serial"), std::string::npos) << foreign.said;
    const Ran launched = handeye("screenshot " + target() + "--launch Notes -o " + png);
    EXPECT_EQ(launched.code, 0) << launched.said;
    EXPECT_EQ(phone_->get("focus"), "com.example.notes/.Main");
}

} // namespace
} // namespace handeye::android

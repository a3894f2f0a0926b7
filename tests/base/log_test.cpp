// SPDX-License-Identifier: Apache-2.0
// base/log: one message is one line, and a log file is a file.
#include "base/log.h"

#include "base/file.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye {
namespace {

class Log : public ::testing::Test {
protected:
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("handeye-log-" + std::to_string(::getpid()));

    void SetUp() override { std::filesystem::create_directories(folder); }
    void TearDown() override {
        EXPECT_TRUE(log::set_file({}));
        log::set_format(log::Format::Text);
        log::set_redactor({});
        std::filesystem::remove_all(folder);
    }
    [[nodiscard]] std::string text_of(const std::string& name) const {
        std::stringstream all;
        all << std::ifstream(folder / name).rdbuf();
        return all.str();
    }
};

TEST_F(Log, AMessageCannotWriteALineOfItsOwnNorCommandATerminal) {
    ASSERT_TRUE(log::set_file(folder / "log"));
    log::warn("server", "no display \":9\n2026-11-21T00:00:00.000 info [server] all is well\x1b]0;title\x07\xc2\x9b" "31m\"");
    const std::string text = text_of("log");
    EXPECT_EQ(text.find('\n'), text.size() - 1) << text;
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_EQ(text.find('\xc2'), std::string::npos);
    EXPECT_NE(text.find(R"([server] no display ":9\n2026-11-21T00:00:00.000 info [server] all is well\x1b]0;title\x07\x9b31m")"), std::string::npos) << text;
}

TEST_F(Log, TakesOutWhatIsSecretBeforeItEscapes) {
    ASSERT_TRUE(log::set_file(folder / "log"));
    log::set_redactor([](std::string message) {
        const std::size_t at = message.find("two\nlines");
        return at == std::string::npos ? message : message.replace(at, 9, "*");
    });
    log::warn("server", "typed two\nlines.");
    EXPECT_NE(text_of("log").find("typed *."), std::string::npos) << text_of("log");
}

TEST_F(Log, AFifoAndAFolderAreNoLogFiles) {
    ASSERT_TRUE(log::set_file(folder / "log"));
    ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
    const auto is_refused = [](const std::filesystem::path& path, const std::string& why) {
        const auto set = log::set_file(path);
        return !set && set.error().message == "log file " + path.string() + ": " + why;
    };
    EXPECT_TRUE(is_refused(folder / "fifo", "not a regular file")); // and no reader is waited for
    const FileDescriptor reader(::open((folder / "fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    EXPECT_TRUE(is_refused(folder / "fifo", "not a regular file"));
    EXPECT_TRUE(is_refused(folder, "Is a directory"));
    log::warn("server", "still here");
    EXPECT_NE(text_of("log").find("still here"), std::string::npos);
}

} // namespace
} // namespace handeye

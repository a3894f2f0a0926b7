// SPDX-License-Identifier: Apache-2.0
// Files named by strangers: those of one folder, and no way out of it.
#include "base/file_beneath.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace handeye {
namespace {

namespace fs = std::filesystem;

class FilesBeneathTest : public ::testing::Test {
protected:
    FilesBeneathTest() {
        std::string name = (fs::temp_directory_path() / "handeye-beneath-XXXXXX").string();
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        top_ = name;
        root_ = top_ / "allowed";
        fs::create_directories(root_ / "sub");
        write(root_ / "a.png", "inside");
        write(root_ / "sub" / "b c.png", "deeper");
        write(top_ / "secret", "outside");
        write(top_ / "allowed-too", "outside");
        fs::create_symlink("../secret", root_ / "link");
        fs::create_symlink(top_ / "secret", root_ / "far");
        fs::create_symlink("a.png", root_ / "near");
        fs::create_directory_symlink("..", root_ / "up");
        fs::create_directory_symlink("/proc/self", root_ / "proc");
        EXPECT_EQ(::mkfifo((root_ / "fifo").c_str(), 0600), 0);
        const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
        const std::string at = (root_ / "socket").string();
        at.copy(address.sun_path, sizeof address.sun_path - 1);
        EXPECT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        ::close(listener);
        is_device_there_ = ::mknod((root_ / "null").c_str(), S_IFCHR | 0600, (1U << 8U) | 3U) == 0; // root alone may
    }
    ~FilesBeneathTest() override { fs::remove_all(top_); }

    static void write(const fs::path& path, std::string_view text) { std::ofstream(path) << text; }
    [[nodiscard]] std::string read(std::string_view path, std::size_t bytes_max = 100) const {
        const auto files = FilesBeneath::open(root_);
        EXPECT_TRUE(files) << files.error().message;
        const auto bytes = files->read(path, bytes_max);
        return bytes ? std::string(bytes->begin(), bytes->end()) : std::string(error_code_name(bytes.error().code));
    }

    fs::path top_;
    fs::path root_;
    bool is_device_there_ = false;
};

TEST_F(FilesBeneathTest, GivesTheFilesOfTheFolderByEachWayOfNamingThem) {
    const std::string root = root_.string();
    for (const std::string& path : {std::string("a.png"), std::string("./a.png"), std::string("sub/../a.png"), root + "/a.png", root + "//a.png", "file://" + root + "/a.png", "file://localhost" + root + "/a.png", "file://" + root + "/%61.png"}) {
        EXPECT_EQ(read(path), "inside") << path;
    }
    EXPECT_EQ(read("sub/b c.png"), "deeper");
    EXPECT_EQ(read("file://" + root + "/sub/b%20c.png"), "deeper");
}

TEST_F(FilesBeneathTest, NothingLeadsOut) {
    const std::string root = root_.string();
    for (const std::string& path :
         {std::string("../secret"), std::string("sub/../../secret"), std::string("/etc/passwd"), std::string("file:///etc/passwd"), (top_ / "secret").string(), "file://" + (top_ / "secret").string(), root + "/../secret", "file://" + root + "/../secret",
          "file://" + root + "/%2e%2e/secret", "file://" + root + "/..%2fsecret", root + "-too", "file://" + root + "-too", std::string("link"), std::string("far"), std::string("near"), std::string("up/secret"), std::string("up/allowed/a.png"),
          std::string("proc/self/environ"), std::string("proc/fd/0"), std::string("/proc/self/fd/0"), std::string("/proc/self/root/etc/passwd"), std::string("file:///proc/self/environ"), std::string("fifo"), std::string("socket"),
          std::string("."), std::string("sub"), root, root + "/", std::string("/dev/zero")}) {
        EXPECT_EQ(read(path), "permission_denied") << path;
    }
    if (is_device_there_) {
        EXPECT_EQ(read("null"), "permission_denied");
    }
    for (const std::string& path : {std::string(), std::string("file://"), std::string("file://evil.example") + root + "/a.png", "file://" + root + "/a.png?x", "file://" + root + "/a.png#x", "file://" + root + "/a%zz.png", "file://" + root + "/a.png%00.jpg",
                                    std::string("a.png\0.jpg", 10), std::string(5000, 'a'), std::string("file:a.png").substr(0, 0)}) {
        EXPECT_EQ(read(path), "invalid_argument") << path;
    }
    EXPECT_EQ(read("nothing"), "not_found");
    EXPECT_EQ(read("a.png/x"), "not_found");
    EXPECT_EQ(read("file:a.png"), "not_found"); // a name like any other
}

TEST_F(FilesBeneathTest, TheLimitIsThatOfTheFile) {
    EXPECT_EQ(read("a.png", 6), "inside");
    EXPECT_EQ(read("a.png", 5), "limit_exceeded");
    EXPECT_EQ(::truncate((root_ / "a.png").c_str(), off_t{1} << 40U), 0); // told by its size, not by reading it
    EXPECT_EQ(read("a.png"), "limit_exceeded");
}

// A name that is a file one moment and a link out the next gives the file or nothing.
TEST_F(FilesBeneathTest, ARaceNeverLeadsOut) {
    const auto files = FilesBeneath::open(root_);
    ASSERT_TRUE(files);
    std::jthread swapper([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            std::error_code ignored;
            write(root_ / "new", "inside");
            fs::rename(root_ / "new", root_ / "moving", ignored);
            fs::create_symlink("../secret", root_ / "new", ignored);
            fs::rename(root_ / "new", root_ / "moving", ignored);
        }
    });
    for (int i = 0; i < 2000; ++i) {
        if (const auto bytes = files->read("moving", 100); bytes) {
            const std::string text(bytes->begin(), bytes->end());
            ASSERT_TRUE(text == "inside" || text.empty()) << text; // empty: between its making and its first byte
        }
    }
}

TEST_F(FilesBeneathTest, AFolderThatIsNoneIsRefused) {
    EXPECT_FALSE(FilesBeneath::open(root_ / "a.png"));
    EXPECT_FALSE(FilesBeneath::open(root_ / "nothing"));
}

} // namespace
} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// Pages by https: the certificate must be of the name that was asked for, not of the address that the connection goes to. The other side is
// `openssl s_server`; skipped where the program is not installed.
#include "base/net/public_get.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace handeye {
namespace {

namespace fs = std::filesystem;

class PublicTls : public ::testing::Test {
protected:
    void SetUp() override {
        std::string name = (fs::temp_directory_path() / "handeye-tls-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        folder_ = name;
        std::ofstream(folder_ / "picture") << "HTTP/1.0 200 OK\r\n\r\npixels";
        const std::string make = "cd '" + name + "' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=media.example -addext subjectAltName=DNS:media.example 2>/dev/null";
        if (std::system(make.c_str()) != 0) {
            GTEST_SKIP() << "no openssl";
        }
        start();
    }
    void TearDown() override {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        fs::remove_all(folder_);
    }

    /// -HTTP: a file is the whole answer, its head included.
    void start() {
        std::array<int, 2> out{};
        ASSERT_EQ(::pipe(out.data()), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(out[1], STDOUT_FILENO);
            ::close(out[0]);
            const bool is_there = ::chdir(folder_.c_str()) == 0;
            is_there ? ::execlp("openssl", "openssl", "s_server", "-4", "-accept", "0", "-HTTP", "-cert", "cert.pem", "-key", "key.pem", nullptr) : 0;
            ::_exit(127);
        }
        ::close(out[1]);
        FILE* const said = ::fdopen(out[0], "r");
        std::array<char, 256> line{};
        while (port_ == 0 && std::fgets(line.data(), line.size(), said) != nullptr) {
            const std::string text(line.data());
            if (text.starts_with("ACCEPT ") && text.rfind(':') != std::string::npos) {
                port_ = static_cast<std::uint16_t>(std::atoi(text.c_str() + text.rfind(':') + 1));
            }
        }
        said_ = said;
        ASSERT_NE(port_, 0);
    }

    [[nodiscard]] Result<std::vector<std::uint8_t>> get(const std::string& host, const fs::path& authorities) const {
        const PublicGetOptions options{.hosts = {"media.example", "other.example"},
                                       .tls = {.ca_file = authorities, .cert = {}, .key = {}},
                                       .resolve = [](const std::string&) -> Result<std::vector<std::string>> { return std::vector<std::string>{"93.184.216.34"}; },
                                       .route = [port = port_](Endpoint there) {
                                           there.host = "127.0.0.1";
                                           there.port = port;
                                           return there;
                                       }};
        return get_public("https://" + host + "/picture", options, {});
    }

    fs::path folder_;
    pid_t pid_ = -1;
    std::uint16_t port_ = 0;
    FILE* said_ = nullptr; // open as long as the server writes to it
};

TEST_F(PublicTls, TheCertificateIsOfTheNameThatWasAskedFor) {
    const auto right = get("media.example", folder_ / "cert.pem");
    ASSERT_TRUE(right) << right.error().message;
    EXPECT_EQ(std::string(right->begin(), right->end()), "pixels");
    const auto wrong_name = get("other.example", folder_ / "cert.pem");
    ASSERT_FALSE(wrong_name);
    EXPECT_NE(wrong_name.error().message.find("its certificate does not prove that it is other.example"), std::string::npos) << wrong_name.error().message;
    const auto wrong_authority = get("media.example", {}); // the system's, who never heard of it
    ASSERT_FALSE(wrong_authority);
    EXPECT_NE(wrong_authority.error().message.find("certificate"), std::string::npos) << wrong_authority.error().message;
}

} // namespace
} // namespace handeye

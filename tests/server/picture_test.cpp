// SPDX-License-Identifier: Apache-2.0
// Addresses of pictures: whatever they say, nothing is connected to, nothing is opened, and only data: is read.
#include "server/picture.h"

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace handeye {
namespace {

struct Row {
    const char* url;
    ErrorCode code;
};

constexpr ErrorCode kDenied = ErrorCode::PermissionDenied;
constexpr ErrorCode kWrong = ErrorCode::InvalidArgument;
constexpr ErrorCode kBad = ErrorCode::ParseFailed;

constexpr std::array kRows{
    // this machine, by all its names
    Row{"http://127.0.0.1/a.png", kDenied}, Row{"http://localhost:8080/a.png", kDenied}, Row{"http://a@127.0.0.1/a.png", kDenied},
    Row{"http://example.org@127.0.0.1/", kDenied}, Row{"http://127.1/", kDenied}, Row{"http://0177.0.0.1/", kDenied}, Row{"http://0x7f.0.0.1/", kDenied},
    Row{"http://0x7f000001/", kDenied}, Row{"http://2130706433/", kDenied}, Row{"http://017700000001/", kDenied}, Row{"http://0.0.0.0/", kDenied}, Row{"http://0/", kDenied},
    Row{"http://127.0.0.1.nip.io/", kDenied}, Row{"http://[::1]/", kDenied}, Row{"http://[::ffff:127.0.0.1]/", kDenied}, Row{"http://[::ffff:7f00:1]/", kDenied},
    Row{"http://[0:0:0:0:0:0:0:1]/", kDenied}, Row{"http://[64:ff9b::7f00:1]/", kDenied}, Row{"http://localhost./", kDenied}, Row{"http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/", kDenied},
    // others inside
    Row{"http://169.254.169.254/latest/meta-data/", kDenied}, Row{"http://metadata.google.internal/", kDenied}, Row{"http://10.0.0.1/", kDenied},
    Row{"http://192.168.1.1/", kDenied}, Row{"http://172.16.0.1/", kDenied}, Row{"http://[fd00::1]/", kDenied}, Row{"http://[fe80::1%25eth0]/", kDenied},
    // outside, which needs to be asked for as well
    Row{"http://example.org/a.png", kDenied}, Row{"https://example.org/a.png", kDenied}, Row{"HTTPS://EXAMPLE.ORG/a.png", kDenied},
    Row{"http://example.org/redirect?to=file:///etc/passwd", kDenied}, Row{"https:example.org", kDenied}, Row{"//example.org/a.png", kDenied},
    // files and other schemes
    Row{"file:///etc/passwd", kDenied}, Row{"file:/etc/passwd", kDenied}, Row{"file://localhost/etc/passwd", kDenied}, Row{"FILE:///etc/passwd", kDenied},
    Row{"/etc/passwd", kDenied}, Row{"../../../etc/passwd", kDenied}, Row{"%66ile:///etc/passwd", kDenied}, Row{"ftp://example.org/a.png", kDenied},
    Row{"gopher://127.0.0.1:6379/_x", kDenied}, Row{"dict://127.0.0.1:11211/", kDenied}, Row{"jar:http://example.org!/a.png", kDenied},
    Row{"blob:https://example.org/1", kDenied}, Row{"javascript:alert(1)", kDenied}, Row{"unix:/run/x.sock", kDenied}, Row{"\\\\host\\share\\a.png", kDenied},
    // not quite data:
    Row{"", kDenied}, Row{" data:image/png;base64,AAAA", kDenied}, Row{"data", kDenied}, Row{"DATA:image/png;base64,AAAA", kDenied}, Row{"d%61ta:image/png;base64,AAAA", kDenied},
    Row{"url:data:image/png;base64,AAAA", kDenied}, Row{"data:", kWrong}, Row{"data:,", kWrong}, Row{"data:image/png,AAAA", kWrong}, Row{"data:text/html;base64,AAAA", kWrong},
    Row{"data:image/svg+xml;base64,PHN2Zy8+", kWrong}, Row{"data:image/gif;base64,AAAA", kWrong}, Row{"data:image/png;charset=x;base64,AAAA", kWrong},
    Row{"data:IMAGE/PNG;base64,AAAA", kWrong}, Row{"data:http://127.0.0.1/;base64,AAAA", kWrong}, Row{"data:image/png;base64,%41%41%41%41", kBad},
    Row{"data:image/png;base64,AAA", kBad}, Row{"data:image/png;base64,A===", kBad}, Row{"data:image/png;base64,AA\nAA==", kBad}, Row{"data:image/png;base64,file:///etc/passwd", kBad},
};

TEST(PictureAddress, EveryOneButDataIsRefusedByItsKind) {
    static_assert(kRows.size() >= 60);
    int decoded = 0;
    const DecodePicture decode = [&](std::span<const std::uint8_t>) { return ++decoded, Result<Image>(Error{ErrorCode::Internal, "nothing comes here"}); };
    for (const Row& row : kRows) {
        const auto image = image_from_data_url(row.url, decode);
        ASSERT_FALSE(image) << row.url;
        EXPECT_EQ(image.error().code, row.code) << row.url << ": " << image.error().message;
        EXPECT_LT(image.error().message.size(), 300U);
    }
    EXPECT_EQ(decoded, 0);
}

TEST(PictureAddress, DataIsDecoded) {
    std::vector<std::uint8_t> got;
    const DecodePicture decode = [&](std::span<const std::uint8_t> bytes) {
        got.assign(bytes.begin(), bytes.end());
        return Image::from_pixels({1, 1}, PixelFormat::Rgb, {1, 2, 3});
    };
    for (const char* const type : {"png", "jpeg", "webp", "bmp"}) {
        EXPECT_TRUE(image_from_data_url("data:image/" + std::string(type) + ";base64,AQID", decode)) << type;
        EXPECT_EQ(got, (std::vector<std::uint8_t>{1, 2, 3}));
    }
}

/// From here on whatever would open, connect or look for a name ends this process.
bool forbid_reaching_out() {
    std::vector<sock_filter> program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
    for (const long call : {SYS_open, SYS_openat, SYS_openat2, SYS_creat, SYS_socket, SYS_connect, SYS_sendto, SYS_execve, SYS_stat, SYS_newfstatat, SYS_access, SYS_readlink}) {
        program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1));
        program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    }
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/// How a child ends that does `work` with all ways out closed: 0 for `true`.
template <class Work>
int end_of(Work work) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(forbid_reaching_out() ? (work() ? 0 : 1) : 2);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
}

#if defined(__x86_64__)
TEST(PictureAddress, NoneOpensOrConnectsToAnything) {
    const DecodePicture decode = [](std::span<const std::uint8_t>) { return Result<Image>(Error{}); };
    const int status = end_of([&] {
        bool is_refused = true;
        for (const Row& row : kRows) {
            is_refused = is_refused && !image_from_data_url(row.url, decode);
        }
        return is_refused;
    });
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(PictureAddress, AnOpenedFileWouldHaveBeenSeen) { // what the test above rests on
    const int status = end_of([] { return ::access("/etc/passwd", R_OK) == 0; });
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) << status;
}
#endif

} // namespace
} // namespace handeye

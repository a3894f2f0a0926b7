// SPDX-License-Identifier: Apache-2.0
#include "media/tool_cage.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace handeye {
namespace {

// Names that a kernel or an architecture does not know are skipped.
constexpr std::array kRefused{"ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "mount", "umount2", "move_mount", "open_tree", "fsopen", "pivot_root",
                              "chroot", "unshare", "setns", "bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key", "io_uring_setup",
                              "open_by_handle_at", "name_to_handle_at", "init_module", "finit_module", "kexec_load", "reboot", "swapon", "syslog", "personality"};

// The programs, their libraries and fonts, and what names them. No home, no other user's files, no /proc of other processes.
constexpr std::array kReadable{"/usr", "/lib", "/lib64", "/bin", "/sbin", "/opt", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ld.so.preload",
                               "/etc/alternatives", "/etc/fonts", "/etc/libreoffice", "/etc/localtime", "/etc/locale.alias", "/etc/nsswitch.conf", "/etc/passwd", "/etc/group", "/etc/papersize", "/etc/paperspecs", "/etc/poppler",
                               "/var/lib/libreoffice", "/var/spool/libreoffice", "/var/cache/fontconfig", "/var/cache/libreoffice", "/dev/urandom", "/dev/random", "/dev/zero",
                               "/proc/cpuinfo", "/proc/meminfo", "/proc/version", "/proc/stat", "/proc/filesystems", "/sys/devices/system/cpu"};

struct ReleaseFilter {
    void operator()(void* filter) const { seccomp_release(filter); }
};

Result<std::vector<sock_filter>> build_filter(ToolCall::Sockets sockets) {
    const std::unique_ptr<void, ReleaseFilter> filter(seccomp_init(SCMP_ACT_ALLOW));
    int failed = filter ? 0 : 1;
    const std::uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
    for (const char* const name : kRefused) {
        if (const int number = seccomp_syscall_resolve_name(name); failed == 0 && number != __NR_SCMP_ERROR) {
            failed = seccomp_rule_add(filter.get(), refuse, number, 0);
        }
    }
    if (failed == 0 && sockets == ToolCall::Sockets::None) {
        failed = seccomp_rule_add(filter.get(), refuse, SCMP_SYS(socket), 0);
    } else if (failed == 0) {
        failed = seccomp_rule_add(filter.get(), refuse, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_NE, AF_UNIX));
    }
    const FileDescriptor program(::memfd_create("filter", MFD_CLOEXEC));
    failed = failed == 0 && program.is_open() ? seccomp_export_bpf(filter.get(), program.get()) : 1;
    const off_t bytes = failed == 0 ? ::lseek(program.get(), 0, SEEK_END) : 0;
    std::vector<sock_filter> out(static_cast<std::size_t>(bytes) / sizeof(sock_filter));
    if (out.empty() || ::pread(program.get(), out.data(), static_cast<std::size_t>(bytes), 0) != bytes) {
        return Error{ErrorCode::PermissionDenied, "the filter of system calls for foreign programs cannot be made"};
    }
    return out;
}

// Rights of the first Landlock; cutting files short came with its third version.
constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE;
constexpr std::uint64_t kOfFiles = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE;
constexpr std::uint64_t kTruncate = 1U << 14U;
constexpr std::uint64_t kFirst = (std::uint64_t{LANDLOCK_ACCESS_FS_MAKE_SYM} << 1U) - 1;

void allow(int ruleset, const std::filesystem::path& path, std::uint64_t rights) {
    const FileDescriptor place(::open(path.c_str(), O_PATH | O_CLOEXEC));
    struct stat facts {};
    if (!place.is_open() || ::fstat(place.get(), &facts) != 0) {
        return; // not on this machine
    }
    landlock_path_beneath_attr rule{};
    rule.allowed_access = S_ISDIR(facts.st_mode) ? rights : rights & kOfFiles;
    rule.parent_fd = place.get();
    ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

FileDescriptor build_landlock(const ToolCall& call) {
    const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) {
        return {};
    }
    landlock_ruleset_attr rules{};
    rules.handled_access_fs = kFirst | (version >= 3 ? kTruncate : 0);
    FileDescriptor ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rules, sizeof rules.handled_access_fs, 0)));
    if (!ruleset.is_open()) {
        return {};
    }
    for (const char* const path : kReadable) {
        allow(ruleset.get(), path, kRead);
    }
    std::error_code problem;
    allow(ruleset.get(), std::filesystem::canonical(call.program, problem).parent_path(), kRead);
    allow(ruleset.get(), "/dev/null", kRead | LANDLOCK_ACCESS_FS_WRITE_FILE);
    allow(ruleset.get(), call.folder, rules.handled_access_fs);
    if (call.sockets == ToolCall::Sockets::OfThisMachine) {
        allow(ruleset.get(), "/tmp", LANDLOCK_ACCESS_FS_MAKE_SOCK); // LibreOffice insists on one there; it can take away nothing
    }
    return ruleset;
}

} // namespace

Result<ToolCage> build_cage(const ToolCall& call) {
    std::vector<sock_filter> filter = TRY(build_filter(call.sockets));
    return ToolCage{std::move(filter), build_landlock(call)};
}

bool enter_cage(const ToolCage& cage) {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || (cage.landlock.is_open() && ::syscall(SYS_landlock_restrict_self, cage.landlock.get(), 0) != 0)) {
        return false;
    }
    sock_fprog program{};
    program.len = static_cast<unsigned short>(cage.filter.size());
    program.filter = const_cast<sock_filter*>(cage.filter.data()); // the kernel only reads it
    return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

} // namespace handeye

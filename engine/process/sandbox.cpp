// SPDX-License-Identifier: Apache-2.0
#include "engine/engine_worker.h"

#include "base/file.h"
#include "base/log.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace handeye {
namespace {

// Refused whatever the arguments. Names that a kernel or an architecture does not know are skipped by libseccomp's resolver.
constexpr std::array kRefused{
    // the network and other people's sockets
    "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "socketcall",
    // programs and processes
    "execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kill", "tkill",
    "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "kcmp",
    // the shape of the system
    "mount", "umount2", "move_mount", "open_tree", "fsopen", "fsmount", "fsconfig", "fspick", "mount_setattr", "pivot_root", "chroot",
    "unshare", "setns", "bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key", "io_uring_setup",
    "io_uring_enter", "io_uring_register", "open_by_handle_at", "name_to_handle_at", "init_module", "finit_module", "delete_module",
    "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff", "acct", "quotactl", "settimeofday", "clock_settime",
    "clock_adjtime", "adjtimex", "sethostname", "setdomainname", "personality", "syslog", "vhangup", "iopl", "ioperm",
    // changes to files
    "creat", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "mkdir", "mkdirat",
    "rmdir", "mknod", "mknodat", "truncate", "chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat", "lchown", "setxattr",
    "lsetxattr", "fsetxattr", "utime", "utimes", "utimensat", "futimesat",
    // another identity
    "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid", "capset"};

struct ReleaseFilter {
    void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, ReleaseFilter>;

constexpr std::uint32_t kRefuse = SCMP_ACT_ERRNO(EPERM);
// glibc falls back to the older call, whose flags the filter can see.
constexpr std::uint32_t kPretendAbsent = SCMP_ACT_ERRNO(ENOSYS);

int add_rules(scmp_filter_ctx filter, DriverFiles files) {
    int failed = 0;
    for (const char* const name : kRefused) {
        if (const int number = seccomp_syscall_resolve_name(name); number != __NR_SCMP_ERROR) {
            failed |= seccomp_rule_add(filter, kRefuse, number, 0);
        }
    }
    for (const char* const name : {"clone3", "openat2"}) {
        if (const int number = seccomp_syscall_resolve_name(name); number != __NR_SCMP_ERROR) {
            failed |= seccomp_rule_add(filter, kPretendAbsent, number, 0);
        }
    }
    const scmp_datum_t thread = CLONE_THREAD;
    failed |= seccomp_rule_add(filter, kRefuse, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, thread, 0));
    const auto own = static_cast<scmp_datum_t>(::getpid());
    failed |= seccomp_rule_add(filter, kRefuse, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_NE, own));
    for (const scmp_datum_t mode : {O_WRONLY, O_RDWR}) {
        if (mode == O_RDWR && files == DriverFiles::Nvidia) {
            continue; // Landlock's to refuse
        }
        failed |= seccomp_rule_add(filter, kRefuse, SCMP_SYS(openat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE, mode));
        failed |= seccomp_rule_add(filter, kRefuse, SCMP_SYS(open), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, O_ACCMODE, mode));
    }
    for (const scmp_datum_t flag : {O_CREAT, O_TRUNC}) {
        failed |= seccomp_rule_add(filter, kRefuse, SCMP_SYS(openat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, flag, flag));
        failed |= seccomp_rule_add(filter, kRefuse, SCMP_SYS(open), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, flag, flag));
    }
    for (const scmp_datum_t request : {TIOCSTI, TIOCLINUX}) { // typing into the terminal that stderr may be
        failed |= seccomp_rule_add(filter, kRefuse, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, 0xFFFFFFFF, request));
    }
    return failed;
}

// Writing, to the driver's nodes alone. False: this kernel has no Landlock.
bool forbid_writing() {
    landlock_ruleset_attr rules{};
    rules.handled_access_fs = LANDLOCK_ACCESS_FS_WRITE_FILE;
    const FileDescriptor ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rules, sizeof rules.handled_access_fs, 0)));
    if (!ruleset.is_open()) {
        return false;
    }
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/dev", ignored)) {
        const std::string name = entry.path().filename().string();
        const FileDescriptor node(name.starts_with("nvidia") ? ::open(entry.path().c_str(), O_PATH | O_CLOEXEC) : -1);
        if (node.is_open()) {
            landlock_path_beneath_attr rule{};
            rule.allowed_access = LANDLOCK_ACCESS_FS_WRITE_FILE;
            rule.parent_fd = node.get();
            ::syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
        }
    }
    return ::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) == 0;
}

} // namespace

Result<void> enter_engine_sandbox(DriverFiles files) {
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_CORE, &none) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return Error{ErrorCode::PermissionDenied, fmt::format("the engine's sandbox: {}", std::strerror(errno))};
    }
    if (files == DriverFiles::Nvidia && !forbid_writing()) {
        log::warn("engine", "this kernel has no Landlock: with a card the engine's process can open files for writing that its user may write to");
    }
    const Filter filter(seccomp_init(SCMP_ACT_ALLOW));
    if (!filter) {
        return Error{ErrorCode::OutOfMemory, "the engine's sandbox: no memory for its filter"};
    }
    int failed = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
    failed |= add_rules(filter.get(), files);
    if (failed == 0) {
        failed = seccomp_load(filter.get());
    }
    if (failed != 0) {
        return Error{ErrorCode::PermissionDenied, fmt::format("the engine's sandbox: {}", std::strerror(-failed))};
    }
    return {};
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
#include "media/office_document.h"

#include "base/file.h"
#include "media/confined_tool.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace handeye {
namespace {

constexpr std::array<std::string_view, 8> kEndings{".pptx", ".ppt", ".ppsx", ".odp", ".docx", ".doc", ".odt", ".rtf"};
constexpr std::uint64_t kMemoryBytesMax = std::uint64_t{2} << 30U; // of address space; a small presentation takes 0.2 GB of memory
constexpr int kStartsMax = 2;
constexpr std::size_t kSaidBytesMax = std::size_t{1} << 20U;

// Before its first start: macros never run, and nothing that a document refers to is fetched.
constexpr std::string_view kSettings = R"(<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="MacroSecurityLevel" oor:op="fuse"><value>3</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="DisableMacrosExecution" oor:op="fuse"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="BlockUntrustedRefererLinks" oor:op="fuse"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Misc"><prop oor:name="FirstRun" oor:op="fuse"><value>false</value></prop></item>
</oor:items>
)";

Result<void> write_profile(const std::filesystem::path& profile) {
    std::error_code problem;
    std::filesystem::create_directories(profile / "user", problem);
    return write_file_atomic(profile / "user" / "registrymodifications.xcu", kSettings, 0600);
}

/// It leaves the socket that it makes in /tmp, where it may remove nothing. One that nobody listens at and that is younger than
/// `since` is its.
void remove_dead_sockets(std::filesystem::file_time_type since) {
    const std::string prefix = fmt::format("OSL_PIPE_{}_", ::getuid());
    std::error_code problem;
    for (const auto& entry : std::filesystem::directory_iterator("/tmp", problem)) {
        const std::string path = entry.path().string();
        sockaddr_un address{};
        if (!entry.path().filename().string().starts_with(prefix) || path.size() >= sizeof address.sun_path || entry.last_write_time(problem) < since) {
            continue;
        }
        address.sun_family = AF_UNIX;
        std::copy(path.begin(), path.end(), std::begin(address.sun_path));
        const FileDescriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno == ECONNREFUSED) {
            std::filesystem::remove(entry.path(), problem);
        }
    }
}

Result<void> run_once(const ToolCall& call, const std::stop_token& stop) {
    const auto since = std::filesystem::file_time_type::clock::now() - std::chrono::seconds(1); // file times are coarse
    std::unique_ptr<ConfinedTool> running = TRY(ConfinedTool::start(call));
    const auto said = running->read_rest(kSaidBytesMax, stop);
    const auto end = said ? running->finish(stop) : Result<void>(said.error());
    running.reset();
    remove_dead_sockets(since);
    return end;
}

} // namespace

bool is_office_ending(std::string_view ending) { return std::find(kEndings.begin(), kEndings.end(), ending) != kEndings.end(); }

Result<std::filesystem::path> office_to_pdf(const std::string& name, const std::filesystem::path& file, const std::filesystem::path& folder, const std::stop_token& stop) {
    const auto program = find_tool("soffice");
    if (!program) {
        return Error{ErrorCode::Unavailable, fmt::format("{}: presentations and documents are drawn by LibreOffice, which is not here; install it: sudo apt-get install --no-install-recommends libreoffice-impress-nogui libreoffice-writer-nogui", name)};
    }
    TRY(write_profile(folder / "profile"));
    const std::filesystem::path made = folder / "pdf" / file.stem().concat(".pdf");
    const ToolCall call{.program = *program,
                        .arguments = {"--headless", "--norestore", "--nolockcheck", "--nodefault", "--nologo", "-env:UserInstallation=file://" + (folder / "profile").string(),
                                      "--convert-to", "pdf", "--outdir", made.parent_path().string(), file.string()},
                        .folder = folder, .memory_bytes_max = kMemoryBytesMax, .patience = std::chrono::seconds(120),
                        .sockets = ToolCall::Sockets::OfThisMachine}; // its parts speak to each other
    std::error_code problem;
    Result<void> end;
    // With a fresh profile it ends in order to begin again, and then finds the socket that it could not remove: the second start is ours.
    for (int starts = 0; starts < kStartsMax && !std::filesystem::is_regular_file(made, problem); ++starts) {
        end = run_once(call, stop);
        if (!end && end.error().code != ErrorCode::ParseFailed) {
            return end.error().with_context(name);
        }
    }
    if (std::filesystem::is_regular_file(made, problem)) { // it ends well without a PDF, too
        return made;
    }
    return Error{ErrorCode::ParseFailed, fmt::format("LibreOffice makes no pages of {}{}", name, end ? "" : ": " + end.error().message)};
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
#include "engine/weights/mapped_file.h"

#include "base/file.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye {
namespace {

Error os_error(const std::filesystem::path& path, const char* what, int error) {
    const ErrorCode code = error == ENOMEM   ? ErrorCode::OutOfMemory
                           : error == ENOENT   ? ErrorCode::NotFound
                           : error == EACCES ? ErrorCode::PermissionDenied
                                             : ErrorCode::IoFailed;
    return {code, fmt::format("{} {}: {}", what, path.string(), std::strerror(error))};
}

} // namespace

void drop_pages(std::span<const std::byte> bytes) {
    static const auto kPage = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto begin = (reinterpret_cast<std::uintptr_t>(bytes.data()) + kPage - 1) / kPage * kPage;
    const auto end = reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size()) / kPage * kPage;
    if (begin < end) {
        static_cast<void>(::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED)); // a refusal only costs memory
    }
}

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
    const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)); // a FIFO would wait for its writer
    if (!fd.is_open()) {
        return os_error(path, "cannot open", errno);
    }
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) {
        return os_error(path, "cannot stat", errno);
    }
    if (!S_ISREG(info.st_mode)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is not a regular file", path.string())};
    }
    MappedFile file;
    if (info.st_size == 0) {
        return file;
    }
    const auto size = static_cast<std::size_t>(info.st_size);
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (data == MAP_FAILED) {
        return os_error(path, errno == ENOMEM ? fmt::format("no address space (RLIMIT_AS) for the {} bytes of", size).c_str() : "cannot map", errno);
    }
    file.bytes_ = {static_cast<const std::byte*>(data), size};
    return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
}

MappedFile::~MappedFile() {
    if (!bytes_.empty()) {
        ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
    }
}

} // namespace handeye

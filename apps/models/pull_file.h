// SPDX-License-Identifier: Apache-2.0
// One file of a pull: fetched, gone on with after a break, checked.
#pragma once

#include "apps/models/pull.h"
#include "base/file.h"
#include "base/hash_stream.h"

#include <optional>

namespace handeye {

/// Where a file and what is known of it lie while it is under way.
struct PartialPlaces {
    std::filesystem::path files;
    std::filesystem::path state;
};

class FileFetch {
public:
    /// `on_bytes` hears how many bytes were checked or fetched since the last call.
    enum class Source { Kept, Fetched };
    using OnBytes = std::function<void(Source source, std::int64_t bytes)>;
    FileFetch(const Hub& hub, std::string id, const PullFile& wanted, const PartialPlaces& places, OnBytes on_bytes)
        : hub_(hub), id_(std::move(id)), wanted_(wanted), path_(places.files / wanted.name), state_path_(places.state / (wanted.name + ".json")),
          on_bytes_(std::move(on_bytes)) {}

    /// Opens the file with what was fetched of it before; a start anew where that belongs to another file.
    Result<void> open();
    /// Fetches the rest, trying again while there is hope, and compares the hash. The file is on the disk when it returns.
    Result<PulledFile> run(Clock& clock, const std::stop_token& stop);

private:
    Result<void> hash_what_is_there();
    Result<void> restart();
    Result<void> try_once(const std::stop_token& stop);
    Result<HttpBody> take_head(const HttpHead& head);
    Result<void> take_piece(std::span<const std::uint8_t> piece);
    Result<void> check();
    [[nodiscard]] std::string identity() const;
    Result<void> save_state() const;

    const Hub& hub_;
    const std::string id_;
    const PullFile& wanted_;
    const std::filesystem::path path_;
    const std::filesystem::path state_path_;
    const OnBytes on_bytes_;
    FileDescriptor file_;
    std::optional<Sha256Stream> hash_{std::in_place};
    std::string sum_; ///< of the whole file
    std::string etag_;
    std::uint64_t have_ = 0;
    std::uint64_t kept_ = 0;
};

/// "blob SIZE\0" and the file, as git names it. IoFailed.
Result<std::string> git_blob_of(const std::filesystem::path& path);

} // namespace handeye

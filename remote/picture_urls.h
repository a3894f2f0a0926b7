// SPDX-License-Identifier: Apache-2.0
// Pictures as data URLs. A picture goes to the servers with each question of a task, and is encoded once.
#pragma once

#include "base/image.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace handeye {

/// Any thread.
class PictureUrls {
public:
    /// Of the URLs that are kept; the one that was used longest ago goes first.
    explicit PictureUrls(std::size_t bytes_max) : bytes_max_(bytes_max) {}

    /// "data:image/png;base64,...", without loss: a model that reads coordinates sees the same pixels as the local engine.
    Result<std::shared_ptr<const std::string>> url_of(const Image& image);
    /// Pictures that were encoded, those that were kept not counted.
    [[nodiscard]] std::uint64_t encoded() const;

private:
    struct Kept {
        std::uint64_t hash = 0;
        Image image; ///< to compare with: a hash of 64 bits alone is no proof
        std::shared_ptr<const std::string> url;
    };
    std::shared_ptr<const std::string> find(std::uint64_t hash, const Image& image);

    const std::size_t bytes_max_;
    mutable std::mutex mutex_; // guards the rest
    std::list<Kept> kept_;     // the last used one first
    std::unordered_map<std::uint64_t, std::list<Kept>::iterator> by_hash_;
    std::size_t bytes_ = 0;
    std::uint64_t encoded_ = 0;
};

} // namespace handeye

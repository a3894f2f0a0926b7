// SPDX-License-Identifier: Apache-2.0
// Masks by state, kept up to a number of bytes; the one that was not asked for the longest goes first. Any threads; a mask that one
// thread is computing is waited for by the others.
#pragma once

#include "base/result.h"
#include "engine/grammar/vocabulary_trie.h"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>

namespace handeye {

/// Which tokens a mask speaks of.
enum class TokenLengths { All, Short };

class MaskStore {
public:
    struct Key {
        std::uint64_t table = 0; ///< serial of the state's table
        std::uint32_t state = 0;
        TokenLengths lengths = TokenLengths::All;
        auto operator<=>(const Key&) const = default;
    };
    struct Counts {
        std::uint64_t hits = 0;
        std::uint64_t misses = 0;
        std::size_t bytes = 0;
    };
    using Mask = std::shared_ptr<const TokenMask>;

    explicit MaskStore(std::size_t bytes_max) : bytes_max_(bytes_max) {}
    /// `make` runs without a lock; its error is not kept.
    Result<Mask> get(Key key, const std::function<Result<Mask>()>& make);
    /// Also one that is being computed.
    [[nodiscard]] bool holds(Key key) const;
    [[nodiscard]] Counts counts() const;

private:
    struct Entry {
        Mask mask; ///< none: being computed
        std::list<Key>::iterator age;
    };
    void drop_oldest();

    const std::size_t bytes_max_;
    mutable std::mutex mutex_; ///< over all below
    std::condition_variable arrived_;
    std::map<Key, Entry> entries_;
    std::list<Key> ages_; ///< newest first; of entries with a mask
    Counts counts_;
};

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// The key/value cache as a token timeline: what was computed stays, and the next prompt reuses its longest equal beginning.
#pragma once

#include "base/result.h"
#include "engine/models/decoder.h"
#include "engine/runtime/prompt.h"
#include "engine/tensor/buffer.h"

#include <cstdint>
#include <vector>

namespace handeye {

/// Keys and values of all layers for one token, in bytes.
std::int64_t kv_bytes_per_token(const DecoderConfig& config);

/// One engine's cache; one thread at a time.
class Timeline {
public:
    /// Reserves address space for `capacity` tokens; memory is committed as tokens come.
    static Result<Timeline> create(const DecoderConfig& config, std::int64_t capacity);

    [[nodiscard]] std::int64_t capacity() const { return capacity_; }
    [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(entries_.size()); }
    [[nodiscard]] KvView view() const { return {k_.floats(), v_.floats(), capacity_}; }

    /// How many tokens from the start equal the prompt's: by id, and for image tokens by the picture's content too.
    [[nodiscard]] std::int64_t common_prefix(const Prompt& prompt) const;
    /// Forgets everything from `size` on.
    void truncate(std::int64_t size) { entries_.resize(static_cast<std::size_t>(size)); }
    /// Records tokens whose keys and values were just written at size().
    void append(const Prompt& prompt, std::int64_t first, std::int64_t count);
    void append(TokenId id) { entries_.push_back({id, 0, 0}); }

private:
    struct Entry {
        TokenId id = 0;
        std::int32_t row = 0;      // of the picture
        std::uint64_t content = 0; // of the picture; 0 for text
        bool operator==(const Entry&) const = default;
    };
    static Entry entry_of(const Prompt& prompt, std::size_t index);

    std::vector<Entry> entries_;
    LazyPages k_;
    LazyPages v_;
    std::int64_t capacity_ = 0;
};

} // namespace handeye

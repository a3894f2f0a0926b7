// SPDX-License-Identifier: Apache-2.0
// The key/value cache as a token timeline: what was computed stays, and the next prompt reuses its longest equal beginning.
#pragma once

#include "base/result.h"
#include "engine/device/page_pool.h"
#include "engine/models/decoder.h"
#include "engine/runtime/prompt.h"
#include "engine/tensor/buffer.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace handeye {

/// Keys and values of all layers for one token, in bytes.
std::int64_t kv_bytes_per_token(const DecoderConfig& config, KvFormat format);

/// One sequence's cache; one thread at a time.
class Timeline {
public:
    /// Reserves address space for `capacity` tokens; memory is committed as tokens come.
    static Result<Timeline> create(const DecoderConfig& config, std::int64_t capacity, KvFormat format);
    /// The same where only the first `host_layers` layers are computed here; those of the others lie in `pages`.
    static Result<Timeline> create_beside(device::PagedCache pages, const DecoderConfig& config, int host_layers, std::int64_t capacity, KvFormat format);

    [[nodiscard]] std::int64_t capacity() const { return capacity_; }
    [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(entries_.size()); }
    /// Tokens whose memory is committed: the largest size since the last release().
    [[nodiscard]] std::int64_t committed() const { return committed_; }
    [[nodiscard]] KvView view() const { return {k_.bytes(), v_.bytes(), capacity_, format_, pages_.get()}; }

    /// How many tokens from the start equal the prompt's: by id, and for image tokens by the picture's content too.
    [[nodiscard]] std::int64_t common_prefix(const Prompt& prompt) const;
    /// Forgets everything from `size` on.
    void truncate(std::int64_t size) { entries_.resize(static_cast<std::size_t>(size)); }
    /// Forgets everything and gives the memory back.
    void release();
    /// Becomes the first `count` tokens of another cache of the same shape. OutOfMemory of a device: then it is as before.
    Result<void> copy_beginning(const Timeline& from, std::int64_t count);
    /// Records tokens whose keys and values were just written at size().
    void append(const Prompt& prompt, std::int64_t first, std::int64_t count);
    void append(TokenId id);

private:
    struct Entry {
        TokenId id = 0;
        std::int32_t row = 0;      // of the picture
        std::uint64_t content = 0; // of the picture; 0 for text
        bool operator==(const Entry&) const = default;
    };
    static Result<Timeline> reserve(const DecoderConfig& config, int layers, std::int64_t capacity, KvFormat format);
    static Entry entry_of(const Prompt& prompt, std::size_t index);

    std::vector<Entry> entries_;
    LazyPages k_;
    LazyPages v_;
    std::unique_ptr<device::PagedCache> pages_; // null: no device
    std::int64_t capacity_ = 0;
    std::int64_t committed_ = 0;
    std::int64_t row_bytes_ = 0; // of one head
    std::int64_t heads_ = 0;     // of all layers that are computed here
    KvFormat format_ = KvFormat::F32;
};

} // namespace handeye

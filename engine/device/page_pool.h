// SPDX-License-Identifier: Apache-2.0
// Keys and values on a device, in pages that sequences take as they grow.
#pragma once

#include "engine/device/device.h"
#include "engine/models/model.h"

#include <cstdint>
#include <vector>

namespace handeye::device {

/// Pages of so many of a model's layers, not yet anywhere.
KvPages kv_pages(const DecoderConfig& config, int layers, KvFormat format);

/// All pages of one model. Outlives the caches that take from it.
class PagePool {
public:
    static Result<PagePool> create(Device& device, const KvPages& shape, std::int64_t pages);
    [[nodiscard]] const KvPages& kv() const { return kv_; }
    [[nodiscard]] std::int64_t free_pages() const { return static_cast<std::int64_t>(free_.size()); }

private:
    friend class PagedCache;
    Device* device_ = nullptr;
    KvPages kv_;
    DeviceMemory memory_;
    std::vector<std::int32_t> free_;
};

/// The pages of one sequence.
class PagedCache {
public:
    static Result<PagedCache> create(PagePool& pool, std::int64_t capacity_tokens);
    PagedCache(PagedCache&&) noexcept = default;
    PagedCache& operator=(PagedCache&& other) noexcept;
    ~PagedCache() { release(); }

    /// Takes pages until `tokens` fit. OutOfMemory when the pool has no more.
    Result<void> hold(std::int64_t tokens);
    void release();
    /// Becomes the first `tokens` tokens of another one of the same pool.
    Result<void> copy_beginning(const PagedCache& from, std::int64_t tokens);
    /// The list of pages, in the device's memory; its address does not change.
    [[nodiscard]] const std::int32_t* table() const { return reinterpret_cast<const std::int32_t*>(table_.bytes()); }

private:
    PagedCache() = default;
    PagePool* pool_ = nullptr;
    DeviceMemory table_;
    std::vector<std::int32_t> pages_;
};

} // namespace handeye::device

// SPDX-License-Identifier: Apache-2.0
#include "engine/device/page_pool.h"

#include "engine/kernels/ops.h"

#include <numeric>
#include <utility>

#include <fmt/format.h>

namespace handeye::device {

KvPages kv_pages(const DecoderConfig& c, int layers, KvFormat format) {
    const auto row_bytes = static_cast<int>((kernels::kv_row_bytes(format, c.head_dim) + 3) / 4 * 4); // rows are read in words
    return {.pool = nullptr, .page_bytes = std::int64_t{2} * layers * c.kv_heads * kPageTokens * row_bytes, .layers = layers, .kv_heads = c.kv_heads, .head_dim = c.head_dim, .row_bytes = row_bytes, .format = format};
}

Result<PagePool> PagePool::create(Device& device, const KvPages& shape, std::int64_t pages) {
    PagePool pool;
    pool.device_ = &device;
    pool.kv_ = shape;
    pool.memory_ = TRY(DeviceMemory::allocate(device, static_cast<std::size_t>(pages * pool.kv_.page_bytes)));
    pool.kv_.pool = reinterpret_cast<std::uint8_t*>(pool.memory_.bytes());
    pool.free_.resize(static_cast<std::size_t>(pages));
    std::iota(pool.free_.rbegin(), pool.free_.rend(), 0); // the first one is taken first
    return pool;
}

Result<PagedCache> PagedCache::create(PagePool& pool, std::int64_t capacity_tokens) {
    PagedCache cache;
    cache.pool_ = &pool;
    const auto pages = static_cast<std::size_t>((capacity_tokens + kPageTokens - 1) / kPageTokens);
    cache.table_ = TRY(DeviceMemory::allocate(*pool.device_, pages * sizeof(std::int32_t)));
    return cache;
}

PagedCache& PagedCache::operator=(PagedCache&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(table_, other.table_);
    std::swap(pages_, other.pages_);
    return *this;
}

Result<void> PagedCache::hold(std::int64_t tokens) {
    const auto wanted = static_cast<std::size_t>((tokens + kPageTokens - 1) / kPageTokens);
    CHECK(wanted * sizeof(std::int32_t) <= table_.size_bytes());
    const std::size_t had = pages_.size();
    if (wanted <= had) {
        return {};
    }
    if (wanted - had > pool_->free_.size()) {
        return Error{ErrorCode::OutOfMemory, fmt::format("{} tokens need {} pages of keys and values more, the device has {}", tokens, wanted - had, pool_->free_.size())};
    }
    while (pages_.size() < wanted) {
        pages_.push_back(pool_->free_.back());
        pool_->free_.pop_back();
    }
    pool_->device_->upload(table_.bytes() + had * sizeof(std::int32_t), pages_.data() + had, (wanted - had) * sizeof(std::int32_t));
    return {};
}

void PagedCache::release() {
    if (pool_ != nullptr) {
        pool_->free_.insert(pool_->free_.end(), pages_.rbegin(), pages_.rend());
        pages_.clear();
    }
}

Result<void> PagedCache::copy_beginning(const PagedCache& from, std::int64_t tokens) {
    TRY(hold(tokens));
    for (std::size_t i = 0; i < static_cast<std::size_t>((tokens + kPageTokens - 1) / kPageTokens); ++i) {
        const KvPages& kv = pool_->kv_;
        pool_->device_->copy(kv.pool + pages_[i] * kv.page_bytes, kv.pool + from.pages_[i] * kv.page_bytes, static_cast<std::size_t>(kv.page_bytes));
    }
    return {};
}

} // namespace handeye::device

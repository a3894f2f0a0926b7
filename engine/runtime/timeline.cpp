// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/timeline.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace handeye {

std::int64_t kv_bytes_per_token(const DecoderConfig& c, KvFormat format) {
    return 2 * std::int64_t{c.layers} * c.kv_heads * kernels::kv_row_bytes(format, c.head_dim);
}

Result<Timeline> Timeline::create(const DecoderConfig& c, std::int64_t capacity, KvFormat format) {
    return reserve(c, c.layers, capacity, format);
}

Result<Timeline> Timeline::create_beside(device::PagedCache pages, const DecoderConfig& c, int host_layers, std::int64_t capacity, KvFormat format) {
    Timeline timeline = TRY(reserve(c, host_layers, capacity, format));
    timeline.pages_ = std::make_unique<device::PagedCache>(std::move(pages));
    return timeline;
}

Result<Timeline> Timeline::reserve(const DecoderConfig& c, int layers, std::int64_t capacity, KvFormat format) {
    DecoderConfig here = c;
    here.layers = layers;
    const auto half = static_cast<std::size_t>(std::max<std::int64_t>(1, kv_bytes_per_token(here, format) / 2 * capacity));
    Timeline timeline;
    timeline.k_ = TRY(LazyPages::reserve(half).with_context("key cache"));
    timeline.v_ = TRY(LazyPages::reserve(half).with_context("value cache"));
    timeline.capacity_ = capacity;
    timeline.format_ = format;
    timeline.row_bytes_ = kernels::kv_row_bytes(format, c.head_dim);
    timeline.heads_ = std::int64_t{layers} * c.kv_heads;
    return timeline;
}

void Timeline::release() {
    entries_.clear();
    committed_ = 0;
    k_.release();
    v_.release();
    if (pages_ != nullptr) {
        pages_->release();
    }
}

Result<void> Timeline::copy_beginning(const Timeline& from, std::int64_t count) {
    if (pages_ != nullptr) {
        TRY(pages_->copy_beginning(*from.pages_, count));
    }
    const std::int64_t head_bytes = capacity_ * row_bytes_;
    for (std::int64_t head = 0; head < heads_; ++head) {
        const auto bytes = static_cast<std::size_t>(count * row_bytes_);
        std::memcpy(k_.bytes() + head * head_bytes, from.k_.bytes() + head * head_bytes, bytes);
        std::memcpy(v_.bytes() + head * head_bytes, from.v_.bytes() + head * head_bytes, bytes);
    }
    entries_.assign(from.entries_.begin(), from.entries_.begin() + count);
    committed_ = std::max(committed_, size());
    return {};
}

Timeline::Entry Timeline::entry_of(const Prompt& prompt, std::size_t index) {
    const TokenSource source = prompt.sources[index];
    if (source.image < 0) {
        return {prompt.ids[index], 0, 0};
    }
    return {prompt.ids[index], source.row, prompt.images[static_cast<std::size_t>(source.image)].content};
}

std::int64_t Timeline::common_prefix(const Prompt& prompt) const {
    const std::size_t end = std::min(entries_.size(), prompt.ids.size());
    std::size_t same = 0;
    while (same < end && entries_[same] == entry_of(prompt, same)) {
        ++same;
    }
    return static_cast<std::int64_t>(same);
}

void Timeline::append(const Prompt& prompt, std::int64_t first, std::int64_t count) {
    for (std::int64_t i = first; i < first + count; ++i) {
        entries_.push_back(entry_of(prompt, static_cast<std::size_t>(i)));
    }
    committed_ = std::max(committed_, size());
}

void Timeline::append(TokenId id) {
    entries_.push_back({id, 0, 0});
    committed_ = std::max(committed_, size());
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/timeline.h"

#include <algorithm>
#include <utility>

namespace handeye {

std::int64_t kv_bytes_per_token(const DecoderConfig& c) {
    return 2 * std::int64_t{c.layers} * c.kv_heads * c.head_dim * std::int64_t{sizeof(float)};
}

Result<Timeline> Timeline::create(const DecoderConfig& c, std::int64_t capacity) {
    const auto half = static_cast<std::size_t>(kv_bytes_per_token(c) / 2 * capacity);
    Timeline timeline;
    timeline.k_ = TRY(LazyPages::reserve(half).with_context("key cache"));
    timeline.v_ = TRY(LazyPages::reserve(half).with_context("value cache"));
    timeline.capacity_ = capacity;
    return timeline;
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
}

} // namespace handeye

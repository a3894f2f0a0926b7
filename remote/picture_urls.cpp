// SPDX-License-Identifier: Apache-2.0
#include "remote/picture_urls.h"

#include "base/image_codec.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <openssl/evp.h>

namespace handeye {
namespace {

constexpr std::size_t kPngBytesMax = std::numeric_limits<int>::max() / 2; // what EVP_EncodeBlock() counts

Result<std::string> encode(const Image& image) {
    const std::vector<std::uint8_t> png = TRY(encode_png(image));
    if (png.size() > kPngBytesMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("a picture of {} bytes as PNG; the limit is {}", png.size(), kPngBytesMax)};
    }
    std::string url = "data:image/png;base64,";
    const std::size_t begin = url.size();
    url.resize(begin + (png.size() + 2) / 3 * 4 + 1); // and the zero that it writes behind
    const int length = ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(url.data() + begin), png.data(), static_cast<int>(png.size()));
    url.resize(begin + static_cast<std::size_t>(length));
    return url;
}

bool is_same(const Image& a, const Image& b) {
    return a.size() == b.size() && a.format() == b.format() && (a.bytes().data() == b.bytes().data() || std::ranges::equal(a.bytes(), b.bytes()));
}

} // namespace

std::shared_ptr<const std::string> PictureUrls::find(std::uint64_t hash, const Image& image) {
    const std::lock_guard lock(mutex_);
    const auto found = by_hash_.find(hash);
    if (found == by_hash_.end() || !is_same(found->second->image, image)) {
        return nullptr;
    }
    kept_.splice(kept_.begin(), kept_, found->second);
    return kept_.front().url;
}

Result<std::shared_ptr<const std::string>> PictureUrls::url_of(const Image& image) {
    const std::uint64_t hash = image.content_hash();
    if (auto known = find(hash, image)) {
        return known;
    }
    auto url = std::make_shared<const std::string>(TRY(encode(image)));
    const std::lock_guard lock(mutex_);
    ++encoded_;
    if (url->size() <= bytes_max_ && !by_hash_.contains(hash)) {
        kept_.push_front({hash, image, url});
        by_hash_.emplace(hash, kept_.begin());
        bytes_ += url->size();
    }
    while (bytes_ > bytes_max_) {
        bytes_ -= kept_.back().url->size();
        by_hash_.erase(kept_.back().hash);
        kept_.pop_back();
    }
    return std::shared_ptr<const std::string>(std::move(url));
}

std::uint64_t PictureUrls::encoded() const {
    const std::lock_guard lock(mutex_);
    return encoded_;
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// Pictures as the goldens have them, plain PNG, without the libraries that read all others: in place of base/image_codec.cpp, so that the program
// needs nothing that a machine with a card may lack.
#include "base/file.h"
#include "base/image_codec.h"
#include "base/plain_png.h"

#include <span>

namespace handeye {

Result<Image> decode_image(std::span<const std::uint8_t> encoded, const ImageLimits& /*limits*/) {
    if (const auto image = decode_plain_png(encoded)) {
        return image->to_rgb();
    }
    return Error{ErrorCode::Unsupported, "only plain PNG is read here"};
}

Result<Image> read_image(const std::filesystem::path& path, const ImageLimits& limits) {
    const std::string bytes = TRY(read_file(path, static_cast<std::size_t>(limits.file_bytes_max)));
    return decode_image({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, limits).with_context(path.string());
}

} // namespace handeye

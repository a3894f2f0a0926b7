// SPDX-License-Identifier: Apache-2.0
// From a chat request to what the decoder reads: ids with images expanded, three-axis positions, the pictures in order.
#pragma once

#include "base/result.h"
#include "engine/chat.h"
#include "engine/models/decoder.h"
#include "engine/models/model.h"
#include "engine/tokenizer/chat_template.h"
#include "engine/tokenizer/tokenizer.h"
#include "engine/vision/preprocess.h"

#include <cstdint>
#include <string>
#include <vector>

namespace handeye {

/// What a picture or video becomes. Pixels are made on demand: a picture whose tokens are cached needs none.
struct PromptImage {
    Part source;                   ///< ImagePart or VideoPart; copying is cheap, pixels are shared
    GridThw grid;
    std::vector<int> timestamps_s; ///< video only
    std::uint64_t content = 0;     ///< hash of the pixels; never 0
    int tokens = 0;                ///< grid.patches() / merge^2
};

/// Where a token's row comes from: the embedding table (image < 0) or a row of an image's embeddings.
struct TokenSource {
    std::int32_t image = -1;
    std::int32_t row = 0;
};

struct Prompt {
    std::vector<TokenId> ids;
    std::vector<TokenSource> sources;  ///< one per id
    std::vector<Position3> positions;  ///< one per id
    std::int32_t position_offset = 0;  ///< a token after n others sits at n + position_offset
    std::vector<PromptImage> images;
    int image_tokens = 0;
};

/// Role and media tokens typed inside a message stay ordinary text, or become tokens as in the reference.
enum class TypedControlTokens { StayText, BecomeTokens };

struct PromptContext {
    const Tokenizer& tokenizer;
    const ChatTemplate& chat_template;
    const ImageTokens& tokens;
    const PreprocessConfig& image_config;
    const PreprocessConfig& video_config;
};

/// Errors: InvalidArgument (pictures and their tokens do not match, images beside a video, more than 300 images),
/// and those of the template and of the pictures.
Result<Prompt> build_prompt(const PromptContext& context, const ChatRequest& request, TypedControlTokens typed);

/// Pixels of one picture or video as patch rows.
Result<Patches> patches_of(const PromptContext& context, const PromptImage& image);

/// Text in segments to ids; control tokens inside content segments become ordinary text when they `StayText`.
std::vector<TokenId> encode_segments(const Tokenizer& tokenizer, const std::vector<RenderedSegment>& segments,
                                     TypedControlTokens typed);

/// Positions of ids whose images have these grids (patches), in order of appearance.
struct Placement {
    std::vector<Position3> positions;
    std::int32_t next = 0; ///< largest value + 1
};
Result<Placement> place_tokens(const std::vector<TokenId>& ids, const std::vector<PromptImage>& images,
                               const ImageTokens& tokens, int merge);

} // namespace handeye

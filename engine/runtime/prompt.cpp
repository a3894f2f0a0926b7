// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/prompt.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kImagesMax = 300;

// Tokens that steer the conversation or stand for pixels. Tags of thinking, answer and box may be written in a message.
constexpr std::array<std::string_view, 18> kControlTokens = {
    "<|system|>",        "<|user|>",           "<|assistant|>",    "<|observation|>",    "<|endoftext|>", "[MASK]",
    "[gMASK]",           "[sMASK]",            "<sop>",            "<eop>",              "<|image|>",     "<|video|>",
    "<|begin_of_image|>", "<|end_of_image|>",  "<|begin_of_video|>", "<|end_of_video|>", "<|begin_of_audio|>",
    "<|end_of_audio|>"};

std::size_t control_token_at(std::string_view text, std::size_t at) {
    for (const std::string_view name : kControlTokens) {
        if (text.substr(at, name.size()) == name) {
            return name.size();
        }
    }
    return 0;
}

// Text up to a typed control token, and that token: the token's own text is encoded apart, as text.
class PieceEncoder {
public:
    explicit PieceEncoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
    void plain(std::string_view text) { held_ += text; }
    void literal(std::string_view text) {
        flush();
        append(text, AddedTokens::AsText);
    }
    std::vector<TokenId> finish() {
        flush();
        return std::move(ids_);
    }

private:
    void flush() {
        append(held_, AddedTokens::Recognised);
        held_.clear();
    }
    void append(std::string_view text, AddedTokens added) {
        const std::vector<TokenId> ids = tokenizer_.encode(text, added);
        ids_.insert(ids_.end(), ids.begin(), ids.end());
    }
    const Tokenizer& tokenizer_;
    std::string held_;
    std::vector<TokenId> ids_;
};

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
    return (hash ^ value) * 0x9E3779B97F4A7C15U + (hash >> 29U);
}

Result<PromptImage> describe_image(const ImagePart& part, const PreprocessConfig& config) {
    const Size resized = TRY(smart_resize(config.temporal_patch_size, part.image.size(), config));
    PromptImage image{.source = part,
                      .grid = {1, resized.height_px / config.patch_size, resized.width_px / config.patch_size},
                      .timestamps_s = {},
                      .content = mixed(1, part.image.content_hash()) | 1U,
                      .tokens = 0};
    image.tokens = image.grid.patches() / (config.merge_size * config.merge_size);
    return image;
}

Result<PromptImage> describe_video(const VideoPart& part, const PreprocessConfig& config) {
    Patches patches = TRY(preprocess_video(part.frames, part.fps, config));
    PromptImage video{.source = part,
                      .grid = patches.grid,
                      .timestamps_s = std::move(patches.timestamps_s),
                      .content = mixed(2, static_cast<std::uint64_t>(part.fps * 1000)),
                      .tokens = 0};
    for (const Image& frame : part.frames) {
        video.content = mixed(video.content, frame.content_hash());
    }
    video.content |= 1U;
    video.tokens = video.grid.patches() / (config.merge_size * config.merge_size);
    return video;
}

Result<std::vector<PromptImage>> describe_media(const PromptContext& context, const ChatRequest& request) {
    std::vector<PromptImage> media;
    std::size_t videos = 0;
    for (const Message& message : request.messages) {
        for (const Part& part : message.parts) {
            if (context.tokens.image < 0 && !std::holds_alternative<TextPart>(part)) {
                return Error{ErrorCode::Unsupported, "this model reads text only; the request has a picture"};
            }
            if (const auto* image = std::get_if<ImagePart>(&part)) {
                media.push_back(TRY(describe_image(*image, context.image_config)
                                        .with_context(fmt::format("image {}", media.size() + 1))));
            } else if (const auto* video = std::get_if<VideoPart>(&part)) {
                media.push_back(TRY(describe_video(*video, context.video_config).with_context("video")));
                ++videos;
            }
        }
        if (media.size() > kImagesMax || videos > 1 || (videos == 1 && media.size() > 1)) {
            return Error{ErrorCode::InvalidArgument,
                         fmt::format("a request holds at most {} images or one video, never both", kImagesMax)};
        }
    }
    return media;
}

// Replaces each <|image|> and <|video|> by the tokens of its picture.
struct Expansion {
    std::vector<TokenId> ids;
    std::vector<TokenSource> sources;
};

class Expander {
public:
    Expander(const PromptContext& context, const std::vector<PromptImage>& images) : context_(context), images_(images) {}

    Result<Expansion> expand(const std::vector<TokenId>& ids) {
        for (const TokenId id : ids) {
            const bool is_image = id == context_.tokens.image;
            const bool is_video = id == context_.tokens.video && id >= 0;
            if (!is_image && !is_video) {
                text(id);
                continue;
            }
            if (used_ == images_.size() || std::holds_alternative<VideoPart>(images_[used_].source) != is_video) {
                return Error{ErrorCode::InvalidArgument,
                             fmt::format("the prompt has another order or number of pictures than the request's {}",
                                         images_.size())};
            }
            if (is_image) {
                pixels(images_[used_].tokens);
            } else {
                video(images_[used_]);
            }
            ++used_;
            row_ = 0;
        }
        if (used_ != images_.size()) {
            return Error{ErrorCode::InvalidArgument, fmt::format("the prompt shows {} of the request's {} pictures",
                                                                 used_, images_.size())};
        }
        return std::move(out_);
    }

private:
    void text(TokenId id) {
        out_.ids.push_back(id);
        out_.sources.push_back({});
    }
    void pixels(int count) {
        for (int i = 0; i < count; ++i) {
            out_.ids.push_back(context_.tokens.image);
            out_.sources.push_back({static_cast<std::int32_t>(used_), row_++});
        }
    }
    // Each temporal patch is an image of its own, followed by its time in whole seconds.
    void video(const PromptImage& video) {
        for (int slice = 0; slice < video.grid.t; ++slice) {
            text(context_.tokens.image_start);
            pixels(video.tokens / video.grid.t);
            text(context_.tokens.image_end);
            const std::size_t at = std::min(static_cast<std::size_t>(slice), video.timestamps_s.size() - 1);
            for (const TokenId id :
                 context_.tokenizer.encode(std::to_string(video.timestamps_s[at]), AddedTokens::AsText)) {
                text(id);
            }
        }
    }

    const PromptContext& context_;
    const std::vector<PromptImage>& images_;
    Expansion out_;
    std::size_t used_ = 0;
    std::int32_t row_ = 0;
};

} // namespace

std::vector<TokenId> encode_segments(const Tokenizer& tokenizer, const std::vector<RenderedSegment>& segments,
                                     TypedControlTokens typed) {
    PieceEncoder encoder(tokenizer);
    for (const RenderedSegment& segment : segments) {
        const std::string_view text = segment.text;
        if (!segment.from_content || typed == TypedControlTokens::BecomeTokens) {
            encoder.plain(text);
            continue;
        }
        std::size_t begin = 0;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t length = control_token_at(text, at);
            if (length == 0) {
                ++at;
                continue;
            }
            encoder.plain(text.substr(begin, at - begin));
            encoder.literal(text.substr(at, length));
            at += length;
            begin = at;
        }
        encoder.plain(text.substr(begin));
    }
    return encoder.finish();
}

Result<Placement> place_tokens(const std::vector<TokenId>& ids, const std::vector<PromptImage>& images,
                               const ImageTokens& tokens, int merge) {
    Placement out;
    std::size_t image = 0;
    int video_depth = 0;
    for (std::size_t i = 0; i < ids.size();) {
        video_depth += ids[i] == tokens.video_start ? 1 : 0;
        video_depth -= ids[i] == tokens.video_end ? 1 : 0;
        const std::int32_t start = out.next;
        if (ids[i] != tokens.image) {
            out.positions.push_back({start, start, start});
            ++out.next;
            ++i;
            continue;
        }
        if (image == images.size()) {
            return Error{ErrorCode::InvalidArgument, "more image tokens than pictures"};
        }
        const GridThw grid = images[image].grid;
        const bool in_video = video_depth > 0; // then one run is one temporal patch of the video
        const int slices = in_video ? 1 : grid.t;
        for (int t = 0; t < slices; ++t) {
            for (int row = 0; row < grid.h / merge; ++row) {
                for (int col = 0; col < grid.w / merge; ++col, ++i) {
                    out.positions.push_back({start + t, start + row, start + col});
                }
            }
        }
        out.next = start + std::max({slices, grid.h / merge, grid.w / merge});
        image += in_video ? 0 : 1;
    }
    if (out.positions.size() != ids.size()) {
        return Error{ErrorCode::InvalidArgument, "an image has fewer tokens than its grid"};
    }
    return out;
}

namespace {

Result<std::vector<TokenId>> raw_ids(const Tokenizer& tokenizer, const ChatRequest& request) {
    if (!request.messages.empty()) {
        return Error{ErrorCode::InvalidArgument, "a raw prompt and messages: one of them"};
    }
    if (const auto* const text = std::get_if<std::string>(&*request.raw_prompt)) {
        return tokenizer.encode(*text, AddedTokens::Recognised);
    }
    const auto& ids = std::get<std::vector<TokenId>>(*request.raw_prompt);
    for (const TokenId id : ids) {
        if (id < 0 || id >= tokenizer.vocabulary_size()) {
            return Error{ErrorCode::OutOfBounds, fmt::format("the prompt holds token {}; they go from 0 to {}", id, tokenizer.vocabulary_size() - 1)};
        }
    }
    return ids;
}

Result<std::vector<TokenId>> rendered_ids(const PromptContext& context, const ChatRequest& request, TypedControlTokens typed) {
    const auto segments = TRY(context.chat_template.render_segments(request));
    return encode_segments(context.tokenizer, segments, typed);
}

} // namespace

Result<Prompt> build_prompt(const PromptContext& context, const ChatRequest& request, TypedControlTokens typed) {
    Prompt prompt;
    prompt.images = TRY(describe_media(context, request));
    const std::vector<TokenId> ids = request.raw_prompt ? TRY(raw_ids(context.tokenizer, request)) : TRY(rendered_ids(context, request, typed));
    Expander expander(context, prompt.images);
    Expansion expansion = TRY(expander.expand(ids));
    prompt.ids = std::move(expansion.ids);
    prompt.sources = std::move(expansion.sources);
    if (prompt.ids.empty()) {
        return Error{ErrorCode::InvalidArgument, "the prompt is empty"};
    }
    Placement placement = TRY(place_tokens(prompt.ids, prompt.images, context.tokens, context.image_config.merge_size));
    prompt.positions = std::move(placement.positions);
    prompt.position_offset = placement.next - static_cast<std::int32_t>(prompt.ids.size());
    for (const PromptImage& image : prompt.images) {
        prompt.image_tokens += image.tokens;
    }
    return prompt;
}

Result<Patches> patches_of(const PromptContext& context, const PromptImage& image) {
    if (const auto* still = std::get_if<ImagePart>(&image.source)) {
        return preprocess_image(still->image, context.image_config);
    }
    const auto& video = std::get<VideoPart>(image.source);
    return preprocess_video(video.frames, video.fps, context.video_config);
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// What the requests of `handeye serve` may name and ask for, by its options: files, hosts, how many pictures, forms of answers.
#pragma once

#include "base/result.h"
#include "server/openai_server.h"

#include <filesystem>
#include <string>
#include <vector>

namespace handeye::cli {

/// Files below `folder` and pages of `hosts`; empty when both are: then requests bring their pictures along.
/// Errors name the option.
Result<OpenMedia> media_opener(const std::string& folder, const std::vector<std::string>& hosts);

struct MediaCounts {
    std::size_t images = 300; ///< the models were trained with no more
    std::size_t videos = 1;
};
/// "image=300,video=1", or {"image": 300, "video": 1}: as other servers spell it.
Result<MediaCounts> read_media_counts(const std::string& text);

/// Videos by `program`: handeye-video. One at a time, since each takes a process of up to 2 GiB.
decltype(OpenAiOptions::decode_video) video_decoder(const std::filesystem::path& program);

AnswerGrammars answer_grammars();

} // namespace handeye::cli

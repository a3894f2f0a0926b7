// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/serve_requests.h"

#include "base/file_beneath.h"
#include "base/json.h"
#include "base/net/public_get.h"
#include "engine/answer_grammars.h"
#include "media/film_reader.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

constexpr std::size_t kFileBytesMax = 256U << 20U;
constexpr std::chrono::milliseconds kTurnLook{50}; // how often one that waits for its turn looks whether it is still wanted

bool is_web(std::string_view url) { return url.starts_with("http:") || url.starts_with("https:"); }

Error bad_count(std::string_view given) {
    return {ErrorCode::InvalidArgument, fmt::format("--limit-mm-per-prompt: \"{}\" is neither image=N with N from 0 to {} nor video=N with N 0 or 1", given, MediaCounts().images)};
}

Result<void> set_count(MediaCounts& counts, std::string_view kind, std::string_view number, std::string_view given) {
    std::size_t count = 0;
    const auto [end, problem] = std::from_chars(number.data(), number.data() + number.size(), count);
    if (problem != std::errc() || end != number.data() + number.size() || (kind != "image" && kind != "video") || count > (kind == "image" ? MediaCounts().images : MediaCounts().videos)) {
        return bad_count(given);
    }
    (kind == "image" ? counts.images : counts.videos) = count;
    return {};
}

Result<MediaCounts> counts_of_json(const std::string& text) {
    const nlohmann::json given = TRY(parse_json(text).with_context("--limit-mm-per-prompt"));
    MediaCounts counts;
    for (const auto& [kind, count] : given.items()) {
        TRY(set_count(counts, kind, count.dump(), text));
    }
    return counts;
}

} // namespace

Result<OpenMedia> media_opener(const std::string& folder, const std::vector<std::string>& hosts) {
    std::shared_ptr<const FilesBeneath> files;
    if (!folder.empty()) {
        files = std::make_shared<const FilesBeneath>(TRY(FilesBeneath::open(folder).with_context("--allowed-local-media-path")));
    }
    for (const std::string& host : hosts) {
        TRY(check_media_host(host).with_context("--allowed-media-domains"));
    }
    if (!files && hosts.empty()) {
        return OpenMedia();
    }
    return OpenMedia([files, hosts](std::string_view url, const std::stop_token& stop) -> Result<std::vector<std::uint8_t>> {
        if (is_web(url)) {
            return get_public(url, {.hosts = hosts}, stop);
        }
        return files ? files->read(url, kFileBytesMax) : Result<std::vector<std::uint8_t>>(Error{ErrorCode::PermissionDenied, "no local file is opened: this server was not told a folder (--allowed-local-media-path)"});
    });
}

Result<MediaCounts> read_media_counts(const std::string& text) {
    if (text.starts_with('{')) {
        return counts_of_json(text);
    }
    MediaCounts counts;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        const std::string_view one = std::string_view(text).substr(begin, end - begin);
        begin = end + 1;
        const std::size_t equals = std::min(one.find('='), one.size());
        TRY(set_count(counts, one.substr(0, equals), one.substr(std::min(equals + 1, one.size())), one));
    }
    return counts;
}

decltype(OpenAiOptions::decode_video) video_decoder(const std::filesystem::path& program) {
    struct Shared {
        explicit Shared(const std::filesystem::path& path) : reader(path) {}
        std::timed_mutex one_at_a_time;
        const FilmReader reader;
    };
    return [shared = std::make_shared<Shared>(program)](std::span<const std::uint8_t> bytes, const std::stop_token& stop) -> Result<VideoFrames> {
        std::unique_lock turn(shared->one_at_a_time, std::defer_lock);
        while (!turn.try_lock_for(kTurnLook)) {
            if (stop.stop_requested()) {
                return Error{ErrorCode::Cancelled, "the video is not wanted any more"};
            }
        }
        Film film = TRY(shared->reader.read(bytes, {}, stop));
        return VideoFrames{.frames = std::move(film.video.frames), .fps = film.video.fps};
    };
}

AnswerGrammars answer_grammars() {
    return {.of_schema = grammar_of_schema,
            .of_regex = grammar_of_regex,
            .checked = checked_grammar,
            .of_choices = [](const std::vector<std::string>& texts) { return grammar_of_choices(texts); },
            .of_calls =
                [](const std::vector<ToolForm>& tools, bool in_tags) {
                    std::vector<CalledTool> called;
                    for (const ToolForm& tool : tools) {
                        called.push_back({.name = tool.name, .schema_json = tool.schema_json});
                    }
                    return grammar_of_calls(called, in_tags ? CallNotation::Tags : CallNotation::NameAndJson);
                },
            .json_object = grammar_of_json_object()};
}

} // namespace handeye::cli

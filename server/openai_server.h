// SPDX-License-Identifier: Apache-2.0
// A model behind an HTTP endpoint of the shape that OpenAI's clients speak, with the routes that vLLM adds: docs/serve.md has the table.
#pragma once

#include "base/clock.h"
#include "base/image.h"
#include "base/net/client.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

class ChatModel;

/// The bytes of what a request names by URL or path, data: URLs aside. Any thread; ends soon after `stop`.
using OpenMedia = std::function<Result<std::vector<std::uint8_t>>(std::string_view url, const std::stop_token& stop)>;

/// The frames of a video that the model looks at, in their order, and how many it has a second.
struct VideoFrames {
    std::vector<Image> frames;
    double fps = 2.0;
};

/// A tool that an answer may call, and what its arguments must be.
struct ToolForm {
    std::string name;
    std::string schema_json;
};
/// How what a request holds its answer to becomes a grammar in GBNF; errors say what cannot be kept. All are there, or none.
struct AnswerGrammars {
    std::function<Result<std::string>(std::string_view json_schema)> of_schema;
    std::function<Result<std::string>(std::string_view pattern)> of_regex;
    std::function<Result<std::string>(std::string_view gbnf)> checked; ///< the same text
    std::function<Result<std::string>(const std::vector<std::string>& texts)> of_choices;
    /// One call, as <tool_call> with tags or as a name and JSON.
    std::function<Result<std::string>(const std::vector<ToolForm>& tools, bool in_tags)> of_calls;
    std::string json_object;
};

struct OpenAiOptions {
    Endpoint listen;                 ///< TCP, a numeric address; port 0: any
    std::string api_key;             ///< what "Authorization: Bearer KEY" must hold below /v1; empty: nobody is asked
    std::vector<std::string> names;  ///< of the model; the first is its id. At least one
    std::size_t body_bytes_max = 64U << 20U;
    std::size_t images_max = 300;    ///< of one request
    std::size_t videos_max = 1;      ///< of one request, and never beside pictures
    std::uint64_t picture_bytes_max = 256U << 20U; ///< of one request's pictures together, decoded; told by their headers before one is decoded
    std::size_t connections_max = 256;
    std::size_t address_connections_max = 128; ///< from one address (of IPv6: one /64); a proxy is one, too
    std::size_t silent_connections_max = 128;  ///< that have asked nothing yet, or nothing more; one more ends the oldest
    std::size_t body_sum_factor = 4; ///< times body_bytes_max: of the bodies of all requests that are not answered yet
    std::size_t answers_max = 8;     ///< requests that are answered at a time
    std::size_t waiting_max = 64;    ///< requests that wait beside them; one more is answered with 429
    std::size_t unread_bytes_max = 4U << 20U; ///< of an answer; a client that reads slower is dropped
    Duration head_timeout = std::chrono::seconds(30);
    Duration body_timeout = std::chrono::seconds(60);
    Duration write_timeout = std::chrono::seconds(60);
    Duration idle_timeout = std::chrono::seconds(75); ///< of a connection between two requests
    /// How a picture's bytes become one; empty: requests with pictures are refused.
    std::function<Result<Image>(std::span<const std::uint8_t> bytes, const std::stop_token& stop)> decode_picture;
    /// How a video's bytes become frames; empty: requests with videos are refused.
    std::function<Result<VideoFrames>(std::span<const std::uint8_t> bytes, const std::stop_token& stop)> decode_video;
    OpenMedia open_media;    ///< empty: pictures come as data: URLs alone
    AnswerGrammars grammars; ///< empty: requests for a form of answer are refused
    std::optional<Duration> request_timeout; ///< of one answer, waiting included: then it ends with what there is
};

/// Any thread. Several requests are answered at once.
class OpenAiServer {
public:
    /// PermissionDenied for an address beyond this machine without a key, and what ListenSocket says. Until set_model() every
    /// request for the model is answered with 503.
    static Result<std::unique_ptr<OpenAiServer>> start(OpenAiOptions options);
    /// Stops what is being answered.
    virtual ~OpenAiServer() = default;

    virtual void set_loading(const std::string& stage) = 0;
    /// `model` outlives this object.
    virtual void set_model(ChatModel& model) = 0;
    [[nodiscard]] virtual std::uint16_t port() const = 0;
};

} // namespace handeye

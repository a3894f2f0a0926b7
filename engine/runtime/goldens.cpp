// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/goldens.h"

#include "base/image_codec.h"
#include "base/json.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::size_t kFramesMax = 10'000;

Error malformed(std::string message) { return {ErrorCode::ParseFailed, "cases.json: " + std::move(message)}; }

Result<Role> role_from(const std::string& name) {
    static const std::map<std::string, Role> kRoles = {{"system", Role::System}, {"user", Role::User},
                                                       {"assistant", Role::Assistant}, {"observation", Role::Observation}};
    const auto found = kRoles.find(name);
    if (found == kRoles.end()) {
        return malformed(fmt::format("the role {} is not known", name));
    }
    return found->second;
}

Result<fs::path> inside(const fs::path& dir, const std::string& path) {
    const fs::path clean = fs::path(path).lexically_normal();
    if (clean.is_absolute() || clean.empty() || *clean.begin() == "..") {
        return malformed(fmt::format("the path {} leaves the folder", path));
    }
    return dir / clean;
}

Result<VideoPart> read_video(const fs::path& dir, double fps) {
    std::vector<fs::path> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(dir, error)) {
        if (entry.path().extension() == ".png" && names.size() < kFramesMax) {
            names.push_back(entry.path());
        }
    }
    if (error) {
        return Error{ErrorCode::NotFound, fmt::format("cannot list {}: {}", dir.string(), error.message())};
    }
    std::sort(names.begin(), names.end());
    VideoPart video{.frames = {}, .fps = fps};
    for (const fs::path& name : names) {
        video.frames.push_back(TRY(read_image(name)));
    }
    return video;
}

Result<Part> read_part(const fs::path& dir, const json& part) {
    const std::string type = part.value("type", "");
    if (type == "text") {
        return Part(TextPart{part.at("text").get<std::string>()});
    }
    const fs::path path = TRY(inside(dir, part.at("path").get<std::string>()));
    if (type == "image") {
        return Part(ImagePart{TRY(read_image(path))});
    }
    if (type == "video") {
        return Part(TRY(read_video(path, part.at("fps").get<double>())));
    }
    return malformed(fmt::format("the part type {} is not known", type));
}

Result<Message> read_message(const fs::path& dir, const json& value) {
    Message message;
    message.role = TRY(role_from(value.at("role").get<std::string>()));
    message.metadata = value.value("metadata", "");
    message.reasoning_content = value.value("reasoning_content", "");
    const json& content = value.at("content");
    if (content.is_string()) {
        message.parts.emplace_back(TextPart{content.get<std::string>()});
        return message;
    }
    for (const json& part : content) {
        message.parts.push_back(TRY(read_part(dir, part)));
    }
    return message;
}

std::optional<double> limit_of(const json& tolerance, const char* key) {
    return tolerance.contains(key) ? std::optional(tolerance.at(key).get<double>()) : std::nullopt;
}

Result<GoldenCase> read_case(const fs::path& dir, const json& value) {
    GoldenCase c;
    c.name = value.at("name").get<std::string>();
    for (const json& message : value.at("messages")) {
        c.request.messages.push_back(TRY(read_message(dir, message).with_context(c.name)));
    }
    c.request.add_generation_prompt = value.at("add_generation_prompt").get<bool>();
    if (value.contains("thinking") && value.at("thinking").is_boolean()) {
        c.request.enable_thinking = value.at("thinking").get<bool>();
    }
    c.rendered = value.value("rendered", "");
    c.has_debug = value.value("debug", false);
    const json& tolerance = value.at("tolerance");
    c.logits_max_abs_limit = limit_of(tolerance, "max_abs_logit_error");
    c.mean_kl_limit = limit_of(tolerance, "mean_kl");
    c.image_embeds_limit = limit_of(tolerance, "max_abs_image_embed_error");
    c.pixels_limit = limit_of(tolerance, "max_abs_pixel_error");
    return c;
}

struct Parsed {
    std::vector<GoldenCase> cases;
    std::vector<TokenizerCase> tokenizer_cases;
};

Result<Parsed> read_cases(const fs::path& dir) {
    const json document = TRY(read_json(dir / "cases.json", JsonLimits{.bytes_max = 64U << 20U}));
    Parsed parsed;
    try {
        if (document.at("format").get<int>() != 1) {
            return malformed(fmt::format("format {} is not 1", document.at("format").get<int>()));
        }
        for (const json& value : document.at("cases")) {
            parsed.cases.push_back(TRY(read_case(dir, value)));
        }
        for (const json& value : document.at("tokenizer_cases")) {
            parsed.tokenizer_cases.push_back(
                {value.at("text").get<std::string>(), value.at("ids").get<std::vector<TokenId>>()});
        }
    } catch (const json::exception& error) {
        return malformed(error.what());
    }
    return parsed;
}

} // namespace

Result<Goldens> Goldens::open(const fs::path& dir) {
    Goldens goldens(TRY(SafetensorsFile::open(dir / "expected.safetensors")));
    Parsed parsed = TRY(read_cases(dir));
    goldens.cases_ = std::move(parsed.cases);
    goldens.tokenizer_cases_ = std::move(parsed.tokenizer_cases);
    return goldens;
}

const TensorView* Goldens::find(const GoldenCase& c, std::string_view tensor) const {
    return expected_.find(fmt::format("{}/{}", c.name, tensor));
}

Result<const TensorView*> Goldens::typed(const GoldenCase& c, std::string_view tensor, DType dtype) const {
    const TensorView* view = find(c, tensor);
    if (view == nullptr || view->dtype != dtype ||
        reinterpret_cast<std::uintptr_t>(view->data) % dtype_size(dtype) != 0) {
        return Error{ErrorCode::NotFound,
                     fmt::format("expected.safetensors has no {} tensor {}/{}", dtype_name(dtype), c.name, tensor)};
    }
    return view;
}

Result<std::vector<std::int64_t>> Goldens::integers(const GoldenCase& c, std::string_view tensor) const {
    const TensorView* view = TRY(typed(c, tensor, DType::I64));
    const auto values = view->as<std::int64_t>();
    return std::vector<std::int64_t>(values.begin(), values.end());
}

Result<ConstMatrix> Goldens::floats(const GoldenCase& c, std::string_view tensor) const {
    const TensorView* view = TRY(typed(c, tensor, DType::F32));
    if (view->shape.size() != 2) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{}/{} has the shape {}, expected two dimensions", c.name,
                                                             tensor, shape_text(view->shape))};
    }
    return ConstMatrix{view->as<float>().data(), view->shape[0], view->shape[1], view->shape[1]};
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
#include "server/task_bundle_params.h"

#include "base/json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

std::optional<RpcError> check_parts(const json& parts, const char* field, std::size_t most) {
    if (parts.size() > most) {
        return RpcError{ErrorKind::InvalidParams, fmt::format("{} has {} parts, the limit is {}", field, parts.size(), most), field};
    }
    for (const auto& [name, part] : parts.items()) {
        if (const Result<void> checked = check_bundle_name(name); !checked) {
            return RpcError{ErrorKind::InvalidParams, checked.error().message, field};
        }
        if (!part.is_string()) {
            return RpcError{ErrorKind::InvalidParams, fmt::format("{}: \"{}\" is no text", field, name), field};
        }
    }
    return std::nullopt;
}

RpcError no_picture(const std::string& name, const Error& why) { return {ErrorKind::InvalidParams, fmt::format("the picture {}: {}", name, why.message), "pictures"}; }

std::optional<RpcError> take_pictures(const json& pictures, const DecodePicture& decode, TaskBundle& bundle) {
    std::int64_t pixels = 0;
    for (const auto& [name, text] : pictures.items()) {
        const auto bytes = from_base64(text.get_ref<const std::string&>());
        if (!bytes) {
            return no_picture(name, bytes.error());
        }
        Result<Image> image = decode ? decode(*bytes) : Result<Image>(Error{ErrorCode::Unsupported, "this server takes no pictures: it was given nothing to decode them with"});
        if (!image) {
            return no_picture(name, image.error());
        }
        pixels += image->size().area();
        if (pixels > kBundlePixelsMax) {
            return RpcError{ErrorKind::InvalidParams, fmt::format("the pictures have more than {} pixels together", kBundlePixelsMax), "pictures"};
        }
        bundle.pictures.emplace(name, *std::move(image));
    }
    return std::nullopt;
}

} // namespace

RpcResult<std::shared_ptr<const TaskBundle>> bundle_from(const json& params, const DecodePicture& decode) {
    const json files = params.value("files", json::object());
    const json pictures = params.value("pictures", json::object());
    for (const auto& wrong : {check_parts(files, "files", kBundleTextsMax), check_parts(pictures, "pictures", kBundlePicturesMax)}) {
        if (wrong) {
            return *wrong;
        }
    }
    auto bundle = std::make_shared<TaskBundle>();
    bundle->file = params.at("file").get<std::string>();
    std::size_t bytes = 0;
    for (const auto& [name, text] : files.items()) {
        bundle->texts.emplace(name, text.get<std::string>());
        bytes += bundle->texts[name].size();
    }
    if (bytes > kBundleTextBytesMax) {
        return RpcError{ErrorKind::InvalidParams, fmt::format("the files have {} bytes together, the limit is {}", bytes, kBundleTextBytesMax), "files"};
    }
    if (!bundle->texts.contains(bundle->file)) {
        return RpcError{ErrorKind::InvalidParams, fmt::format("\"{}\" is not among the files", bundle->file.substr(0, 80)), "file"};
    }
    if (auto wrong = take_pictures(pictures, decode, *bundle)) {
        return *std::move(wrong);
    }
    return std::shared_ptr<const TaskBundle>(std::move(bundle));
}

std::map<std::string, std::string> variables_from(const json& params) {
    std::map<std::string, std::string> out;
    const json given = params.value("vars", json::object());
    for (const auto& [name, value] : given.items()) {
        out[name] = value.is_string() ? value.get<std::string>() : dump_json(value);
    }
    return out;
}

} // namespace handeye

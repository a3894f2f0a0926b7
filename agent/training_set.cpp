// SPDX-License-Identifier: Apache-2.0
#include "agent/training_set.h"

#include "actions/vocabulary.h"
#include "agent/redactor.h"
#include "agent/training_text.h"
#include "base/file.h"
#include "base/image_codec.h"
#include "base/image_header.h"
#include "base/json.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye::training {
namespace {

using report::field_of;
using report::number_of;
using report::text_of;

constexpr std::size_t kTextBytesMax = 4U << 20U; // of one prompt or answer
constexpr std::size_t kPicturesMax = 64;         // of one prompt

Size size_of(const json& size) {
    const auto side = [&](const char* key) { return static_cast<int>(std::clamp(number_of(size, key), 0.0, 16384.0)); };
    return {side("width"), side("height")};
}

Size half_of(Size size) { return {std::max(1, size.width_px / 2), std::max(1, size.height_px / 2)}; }

Result<std::string> read_text(const Recording& recording, const json& blob) {
    const std::vector<std::uint8_t> bytes = TRY(recording.blob(text_of(blob, "sha256")));
    if (bytes.size() > kTextBytesMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("a text of {} bytes, at most {} are taken", bytes.size(), kTextBytesMax)};
    }
    return std::string(bytes.begin(), bytes.end());
}

// The screen that `step` saw; an Error when its picture was not recorded.
Result<PictureUse> screen_of(const StepRecord& step, Size fed) {
    const std::string sha256 = text_of(field_of(step.before, "frame"), "sha256");
    if (sha256.empty()) {
        return Error{ErrorCode::NotFound, fmt::format("the picture of step {} was not recorded", step.index)};
    }
    return PictureUse{sha256, size_of(field_of(step.before, "size")), fed};
}

// Of a prompt that shows earlier screens the desktop one for GLM-4.5V alone ends with the current one.
bool ends_with_current(const json& prompt) { return text_of(prompt, "prompt") == "glm-4.5v" && text_of(prompt, "surface") == "desktop"; }

Result<void> find_pictures(Question& out, const json& prompt, const std::vector<Size>& sizes, const TaskRecord& task, std::size_t at) {
    const std::size_t earlier = sizes.size() - 1;
    if (earlier > at) {
        return Error{ErrorCode::ParseFailed, fmt::format("its prompt shows {} earlier screens of {}", earlier, at)};
    }
    const std::size_t current = ends_with_current(prompt) ? earlier : 0;
    for (std::size_t i = 0, past = at - earlier; i < sizes.size(); ++i) {
        const StepRecord& step = task.steps[i == current ? at : past++];
        const PictureUse use = TRY(screen_of(step, sizes[i]));
        if (use.fed != use.recorded && (i == current || use.fed != half_of(use.recorded))) {
            return Error{ErrorCode::ParseFailed, fmt::format("a picture of {}x{} in its prompt is no screen of the recording", use.fed.width_px, use.fed.height_px)};
        }
        out.pictures.push_back(use);
    }
    out.current = out.pictures[current];
    return {};
}

// PNG as it is recorded where the model was shown it in that size.
Result<std::vector<std::uint8_t>> picture_bytes(const Recording& recording, const PictureUse& use) {
    std::vector<std::uint8_t> bytes = TRY(recording.blob(use.sha256));
    const ImageHeader header = TRY(read_image_header(bytes));
    const bool is_png = bytes.size() > 4 && bytes[0] == 0x89 && bytes[1] == 'P';
    if (header.width_px != use.recorded.width_px || header.height_px != use.recorded.height_px) {
        return Error{ErrorCode::ParseFailed, fmt::format("picture {} is {}x{}, recorded as {}x{}", use.sha256, header.width_px, header.height_px, use.recorded.width_px, use.recorded.height_px)};
    }
    if (is_png && !header.has_extra_chunks && use.fed == use.recorded) {
        return bytes;
    }
    Image image = TRY(decode_image(bytes));
    if (use.fed != use.recorded) {
        image = TRY(scaled(image, use.fed));
    }
    return encode_png(image, 6);
}

Result<void> make_folder(const std::filesystem::path& folder) {
    std::error_code problem;
    if (!std::filesystem::exists(folder, problem)) {
        TRY(make_private_dir(folder));
    } else if (!std::filesystem::is_directory(folder, problem) || !std::filesystem::is_empty(folder, problem)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is there, and is no empty folder", folder.string())};
    }
    return make_private_dir(folder / "images");
}

std::string_view as_text(const std::vector<std::uint8_t>& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

} // namespace

std::string picture_path(const PictureUse& use) {
    const bool is_whole = use.fed == use.recorded;
    return fmt::format("images/{}{}.png", use.sha256.substr(0, 32), is_whole ? "" : fmt::format("-{}x{}", use.fed.width_px, use.fed.height_px));
}

AnswerForm form_of(const SessionRecord& session) { return text_of(session.opened, "prompt") == "glm-4.5v" ? AnswerForm::Glm45V : AnswerForm::Glm41V; }

Result<Question> question_of(const Recording& recording, const TaskRecord& task, std::size_t at) {
    const StepRecord& step = task.steps.at(at);
    if (step.prompts.empty()) {
        return Error{ErrorCode::NotFound, "no model was asked"};
    }
    const json& prompt = step.prompts.back();
    const std::string dialect = text_of(prompt, "dialect");
    if (dialect == dialect_name(Dialect::AutoGlm)) {
        return Error{ErrorCode::Unsupported, "its prompt is a chat of several messages, and a record holds one question"};
    }
    if (dialect == dialect_name(Dialect::GlmWebMarks)) {
        return Error{ErrorCode::Unsupported, "the marks on its picture were not recorded"};
    }
    std::vector<Size> sizes;
    for (const json& size : field_of(prompt, "pictures")) {
        sizes.push_back(size_of(size));
        if (sizes.back().is_empty() || sizes.size() > kPicturesMax) {
            return Error{ErrorCode::LimitExceeded, "the pictures of its prompt are no pictures"};
        }
    }
    if (sizes.empty()) {
        return Error{ErrorCode::NotFound, "its prompt shows no picture"};
    }
    Question out;
    const std::string text = TRY(read_text(recording, field_of(prompt, "text")));
    out.text = TRY(question_text(text, sizes));
    TRY(find_pictures(out, prompt, sizes, task, at));
    out.dialect = dialect;
    return out;
}

Result<std::string> answer_of(const Recording& recording, const StepRecord& step, AnswerForm form) {
    if (step.answers.empty() || !field_of(step.answers.back(), "text").is_object()) {
        return Error{ErrorCode::NotFound, "the model did not answer"};
    }
    const std::string raw = TRY(read_text(recording, field_of(step.answers.back(), "text")));
    if (raw.find(kTypedIntoPassword) != std::string::npos) {
        return Error{ErrorCode::Unsupported, "what it typed into a password field was never recorded"};
    }
    return answer_text(raw, form);
}

json Set::take(const std::vector<PictureUse>& uses) {
    json out = json::array();
    for (const PictureUse& use : uses) {
        const std::string path = picture_path(use);
        out.push_back(path);
        pictures.emplace(path, use);
        told.pixels_max = std::max(told.pixels_max, std::int64_t{use.fed.width_px} * use.fed.height_px);
    }
    return out;
}

Result<TrainingExport> write_set(const Recording& recording, Set set, const std::filesystem::path& folder) {
    const std::filesystem::path to = folder.has_filename() ? folder : folder.parent_path(); // "data/" is "data"
    TRY(make_folder(to));
    for (const auto& [path, use] : set.pictures) {
        const std::vector<std::uint8_t> png = TRY(picture_bytes(recording, use).with_context(path));
        TRY(write_file_atomic(to / path, as_text(png), 0600));
    }
    json entry{{"file_name", set.name + ".json"},
               {"formatting", "sharegpt"},
               {"columns", set.columns},
               {"tags", {{"role_tag", "role"}, {"content_tag", "content"}, {"user_tag", "user"}, {"assistant_tag", "assistant"}}}};
    if (set.is_ranking) {
        entry["ranking"] = true;
    }
    set.told.file = to / (set.name + ".json");
    set.told.records = static_cast<int>(set.records.size());
    set.told.pictures = static_cast<int>(set.pictures.size());
    TRY(write_file_atomic(set.told.file, dump_json(set.records) + "\n", 0600));
    TRY(write_file_atomic(to / "dataset_info.json", dump_json({{set.name, entry}}) + "\n", 0600));
    return set.told;
}

} // namespace handeye::training

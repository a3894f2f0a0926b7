// SPDX-License-Identifier: Apache-2.0
// Prints how well a checkpoint knows where it clicks: hits by confidence, the area under the curve, and what a closer look at the least
// confident tenth brings. The folder is one that models/nano/train/clicks.py wrote.
#include "actions/parse.h"
#include "agent/click_confidence.h"
#include "agent/zoom.h"
#include "base/image_codec.h"
#include "base/json.h"
#include "engine/engine.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace handeye;
using nlohmann::json;

struct Judged {
    double confidence = 0;
    bool is_hit = false;
    std::optional<Action> action;
};

class Judge {
public:
    Judge(ChatModel& model, std::filesystem::path folder) : model_(model), folder_(std::move(folder)) {}

    Judged look(const json& row, const Image& picture) {
        ChatRequest request;
        request.messages.push_back({.role = Role::User, .parts = {TextPart{row.at("prompt").get<std::string>()}, ImagePart{picture}}});
        request.max_new_tokens = 96;
        request.number_chances = true;
        request.top_logprobs = 0;
        const auto reply = model_.generate(request, {}, {});
        const auto parsed = reply ? parse_reply(reply->text_utf8, Dialect::GlmDesktop) : Result<ParsedReply>(reply.error());
        if (!parsed) {
            return {};
        }
        return {.confidence = click_confidence(*reply, parsed->action).value_or(0), .is_hit = hits(row, parsed->action, picture.size()), .action = parsed->action};
    }
    [[nodiscard]] Image picture_of(const json& row) const { return read_image(folder_ / row.at("image").get<std::string>()).value(); }

    static bool hits(const json& row, const Action& action, Size size) {
        const Spot* const spot = std::holds_alternative<Click>(action) ? first_spot(action) : nullptr;
        const auto box = row.at("box").get<std::vector<double>>();
        return spot != nullptr && spot->x * size.width_px / 1000 >= box[0] && spot->x * size.width_px / 1000 < box[2] && spot->y * size.height_px / 1000 >= box[1] &&
               spot->y * size.height_px / 1000 < box[3];
    }

private:
    ChatModel& model_;
    std::filesystem::path folder_;
};

/// That a hit, drawn at random, was more certain than a miss.
double area_under_curve(const std::vector<Judged>& all) {
    double wins = 0;
    double pairs = 0;
    for (const Judged& hit : all) {
        for (const Judged& miss : all) {
            if (hit.is_hit && !miss.is_hit) {
                pairs += 1;
                wins += hit.confidence > miss.confidence ? 1 : hit.confidence == miss.confidence ? 0.5 : 0;
            }
        }
    }
    return pairs > 0 ? wins / pairs : 0;
}

} // namespace

int main(int argc, char** argv) {
    std::string model_dir = HANDEYE_SOURCE_DIR "/models/nano";
    std::string folder;
    CLI::App app{"Judges the confidence of a checkpoint's clicks"};
    app.add_option("FOLDER", folder, "Written by models/nano/train/clicks.py")->required();
    app.add_option("--model", model_dir, "Folder of the checkpoint");
    CLI11_PARSE(app, argc, argv);
    const auto rows = read_json(std::filesystem::path(folder) / "clicks.json");
    auto model = open_engine({.model_dir = model_dir});
    if (!rows || !model) {
        fmt::print(stderr, "{}\n", rows ? model.error().message : rows.error().message);
        return 2;
    }
    Judge judge(**model, folder);
    std::vector<Judged> all;
    for (const json& row : *rows) {
        all.push_back(judge.look(row, judge.picture_of(row)));
    }
    const auto hits = std::ranges::count_if(all, &Judged::is_hit);
    fmt::print("{} clicks, {} hits; area under the curve of hit against miss {:.3f}\n", all.size(), hits, area_under_curve(all));
    std::vector<std::size_t> order(all.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
        order[i] = i;
    }
    std::ranges::sort(order, {}, [&](std::size_t i) { return all[i].confidence; });
    for (std::size_t tenth = 0; tenth < 10; ++tenth) {
        const std::size_t from = tenth * order.size() / 10;
        const std::size_t to = (tenth + 1) * order.size() / 10;
        const auto hit = std::count_if(order.begin() + static_cast<std::ptrdiff_t>(from), order.begin() + static_cast<std::ptrdiff_t>(to), [&](std::size_t i) { return all[i].is_hit; });
        fmt::print("tenth {:2}: confidence {:.3f} to {:.3f}, {} of {} hit\n", tenth + 1, all[order[from]].confidence, all[order[to - 1]].confidence, hit, to - from);
    }
    int before = 0;
    int after = 0;
    int surer = 0;
    for (std::size_t k = 0; k < order.size() / 10; ++k) {
        const json& row = (*rows)[order[k]];
        const Judged& first = all[order[k]];
        before += first.is_hit ? 1 : 0;
        const Spot* const spot = first.action ? first_spot(*first.action) : nullptr;
        if (spot == nullptr) {
            continue;
        }
        const Image whole = judge.picture_of(row);
        const Rect area = zoom_area(whole.size(), *spot);
        const Judged closer = judge.look(row, zoomed(whole, area).value());
        const bool is_surer = closer.action && closer.confidence > first.confidence;
        surer += is_surer ? 1 : 0;
        after += (is_surer ? Judge::hits(row, seen_from_afar(*closer.action, area, whole.size()), whole.size()) : first.is_hit) ? 1 : 0;
    }
    fmt::print("least confident tenth: {} of {} hit; after a closer look {} ({} answers were surer)\n", before, order.size() / 10, after, surer);
    return 0;
}

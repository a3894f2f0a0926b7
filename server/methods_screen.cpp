// SPDX-License-Identifier: Apache-2.0
// screen.* and frames.ack: what a session's target shows, once or as it changes.
#include "server/core.h"
#include "server/method_table.h"
#include "server/peer.h"
#include "server/picture.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

struct Wanted {
    std::string format;
    int max_px = 0;
    std::optional<Rect> region;
};

json rect_json(const Rect& rect) { return {{"x", rect.x}, {"y", rect.y}, {"width", rect.width_px}, {"height", rect.height_px}}; }

Result<json> picture_json(const Screenshot& shot, const Wanted& wanted) {
    const Size full = shot.image.size();
    const Rect area = wanted.region.value_or(Rect{0, 0, full.width_px, full.height_px});
    if (area.x + area.width_px > full.width_px || area.y + area.height_px > full.height_px) {
        return Error{ErrorCode::OutOfBounds, fmt::format("region {}x{}+{}+{} passes the target's {}x{}", area.width_px, area.height_px, area.x,
                                                         area.y, full.width_px, full.height_px)};
    }
    const EncodedPicture picture = TRY(encode_picture(wanted.region ? shot.image.cropped(area) : shot.image, wanted.format, wanted.max_px));
    return json{{"media_type", "image/" + wanted.format},
                {"width_px", picture.size.width_px},
                {"height_px", picture.size.height_px},
                {"target_width_px", full.width_px},
                {"target_height_px", full.height_px},
                {"region", rect_json(area)},
                {"captured_mono_ns", shot.captured_at.time_since_epoch().count()},
                {"base64", to_base64(picture.bytes)}};
}

void reply_with(const Reply& reply, const Result<json>& result) {
    if (result) {
        reply.ok(*result);
    } else {
        reply.fail(result.error());
    }
}

// Asks the platform on the session's own watcher thread, beside whatever runs.
void ask(const Call& call, std::function<Result<json>(Platform&)> question) {
    const auto session = find_session_or_fail(call);
    if (!session) {
        return;
    }
    const auto platform = session->shared_platform();
    if (!platform) {
        call.reply.fail(RpcError{ErrorKind::SessionClosed, fmt::format("session {} is not open", session->id()), "session"});
        return;
    }
    const auto job = [platform, question = std::move(question), reply = call.reply] { reply_with(reply, question(*platform)); };
    if (!call.core.eyes_of(session->id()).submit(job)) {
        call.reply.fail(RpcError{ErrorKind::Overloaded, "too many questions wait for this session", ""});
    }
}

} // namespace

void screen_capture(const Call& call) {
    const auto session = find_session_or_fail(call);
    if (!session) {
        return;
    }
    Wanted wanted{.format = call.params.value("format", "png"), .max_px = call.params.value("max_px", 0)};
    if (const auto region = call.params.find("region"); region != call.params.end()) {
        wanted.region = Rect{region->at("x").get<int>(), region->at("y").get<int>(), region->at("width").get<int>(), region->at("height").get<int>()};
    }
    const auto refused = session->capture([reply = call.reply, wanted](const Result<Screenshot>& shot) {
        reply_with(reply, shot ? picture_json(*shot, wanted) : Result<json>(shot.error()));
    });
    if (refused) {
        call.reply.fail(*refused);
    }
}

void screen_displays(const Call& call) {
    ask(call, [](Platform& platform) -> Result<json> {
        const DisplayInfo display = TRY(platform.display());
        json monitors = json::array();
        for (const Monitor& monitor : display.monitors) {
            monitors.push_back({{"name", monitor.name}, {"area", rect_json(monitor.area)}, {"primary", monitor.is_primary}});
        }
        return json{{"platform", display.platform},
                    {"backend", display.backend},
                    {"width_px", display.size.width_px},
                    {"height_px", display.size.height_px},
                    {"address", display.address},
                    {"origin", {{"x", display.origin.x}, {"y", display.origin.y}}},
                    {"monitors", std::move(monitors)}};
    });
}

void screen_windows(const Call& call) {
    ask(call, [](Platform& platform) -> Result<json> {
        const std::vector<WindowInfo> windows = TRY(platform.windows());
        json out = json::array();
        for (const WindowInfo& window : windows) {
            out.push_back({{"id", window.id},
                           {"title", window.title_utf8},
                           {"class", window.window_class},
                           {"app", window.app},
                           {"area", rect_json(window.area)},
                           {"pid", window.pid},
                           {"focused", window.is_focused}});
        }
        return json{{"windows", std::move(out)}};
    });
}

void screen_stream_start(const Call& call) {
    const json& params = call.params;
    StreamRequest request;
    request.session = params.at("session").get<std::string>();
    request.format = params.value("format", request.format);
    request.max_px = params.value("max_px", request.max_px);
    request.max_fps = params.value("max_fps", request.max_fps);
    request.max_in_flight = params.value("max_in_flight", request.max_in_flight);
    const auto started = call.peer.streams().start(std::move(request));
    if (const auto* const error = std::get_if<RpcError>(&started); error != nullptr) {
        call.reply.fail(*error);
        return;
    }
    call.reply.ok({{"stream", std::get<std::uint32_t>(started)}});
}

void screen_stream_stop(const Call& call) {
    const auto stream = call.params.at("stream").get<std::uint32_t>();
    if (!call.peer.streams().stop(stream)) {
        call.reply.fail(RpcError{ErrorKind::NoSuchStream, fmt::format("there is no stream {} here", stream), "stream"});
        return;
    }
    call.reply.ok(json::object());
}

void frames_ack(const Call& call) {
    const auto stream = call.params.at("stream").get<std::uint32_t>();
    const auto seq = call.params.at("seq").get<std::uint64_t>();
    if (!call.peer.streams().acknowledge(stream, seq)) {
        call.reply.fail(RpcError{ErrorKind::NoSuchStream, fmt::format("stream {} has sent no picture {} here", stream, seq), "stream"});
        return;
    }
    call.reply.ok(json::object());
}

} // namespace handeye

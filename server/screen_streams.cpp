// SPDX-License-Identifier: Apache-2.0
#include "server/screen_streams.h"

#include "base/json.h"
#include "server/core.h"
#include "server/peer.h"
#include "server/picture.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

void put(std::string& out, std::uint64_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
        out += static_cast<char>(value >> static_cast<unsigned>(shift) & 0xFFU);
    }
}

std::string queue_key(std::uint32_t stream) { return fmt::format("frame {}", stream); }

} // namespace

std::string frame_message(std::uint32_t stream, std::uint64_t seq, std::int64_t t_mono_ns, const std::vector<std::uint8_t>& picture) {
    std::string out;
    out.reserve(kFrameHeaderBytes + picture.size());
    put(out, kFrameVersion, 1);
    put(out, kFramePicture, 1);
    put(out, 0, 2);
    put(out, stream, 4);
    put(out, seq, 8);
    put(out, static_cast<std::uint64_t>(t_mono_ns), 8);
    out.append(picture.begin(), picture.end());
    return out;
}

/// What one look at a session gave.
struct ScreenStreams::Seen {
    bool is_over = false; ///< the session is, or its platform
    std::string problem;
    std::uint64_t hash = 0;
    TimePoint at{};
    std::vector<std::uint8_t> picture; ///< empty: as before
};

RpcResult<std::uint32_t> ScreenStreams::start(StreamRequest request) {
    if (streams_.size() >= kStreamsMax) {
        return RpcError{ErrorKind::LimitExceeded, fmt::format("a connection holds at most {} streams", kStreamsMax), ""};
    }
    const auto session = core_.hub.find(request.session);
    if (!session) {
        return RpcError{ErrorKind::NoSuchSession, fmt::format("there is no open session \"{}\"", request.session), "session"};
    }
    if (!session->shared_platform()) {
        return RpcError{ErrorKind::SessionClosed, fmt::format("session {} is not open", request.session), "session"};
    }
    const std::uint32_t id = next_id_++;
    streams_[id].request = std::move(request);
    core_.loop.post([this, id, peer = peer_.weak_from_this()] { // after the reply that names it
        if (const auto alive = peer.lock(); alive) {
            look(id);
        }
    });
    return id;
}

bool ScreenStreams::stop(std::uint32_t stream) { return streams_.erase(stream) != 0; }

bool ScreenStreams::acknowledge(std::uint32_t stream, std::uint64_t seq) {
    const auto found = streams_.find(stream);
    if (found == streams_.end() || seq > found->second.sent) {
        return false;
    }
    found->second.acknowledged = std::max(found->second.acknowledged, seq);
    look(stream);
    return true;
}

void ScreenStreams::look_at(std::uint32_t id, TimePoint when) {
    Stream& stream = streams_[id];
    if (std::exchange(stream.is_waiting, true)) {
        return;
    }
    core_.loop.after(when - std::chrono::steady_clock::now(), [this, id, peer = peer_.weak_from_this()] {
        const auto alive = peer.lock();
        const auto found = alive ? streams_.find(id) : streams_.end();
        if (alive && found != streams_.end()) {
            found->second.is_waiting = false;
            look(id);
        }
    });
}

// A picture is only made when it can be sent: what goes out is always the newest.
void ScreenStreams::look(std::uint32_t id) {
    const auto found = streams_.find(id);
    if (found == streams_.end()) {
        return;
    }
    Stream& stream = found->second;
    const auto in_flight = static_cast<int>(stream.sent - stream.acknowledged);
    if (stream.is_looking || stream.is_waiting || in_flight >= stream.request.max_in_flight || peer_.queue().holds(queue_key(id))) {
        return; // an acknowledgement, a picture that went out, or the end of what is under way, comes back here
    }
    const TimePoint now = std::chrono::steady_clock::now();
    if (now < stream.not_before) {
        look_at(id, stream.not_before);
        return;
    }
    stream.not_before = now + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1 / stream.request.max_fps));
    const auto session = core_.hub.find(stream.request.session);
    const auto platform = session ? session->shared_platform() : nullptr;
    if (!platform) {
        end(id, "the session is closed");
        return;
    }
    const auto job = [this, peer = peer_.weak_from_this(), &loop = core_.loop, id, platform, request = stream.request,
                      last = stream.sent == 0 ? 0 : stream.picture_hash] {
        auto seen = std::make_shared<Seen>();
        const auto shot = platform->peek();
        seen->is_over = !shot;
        seen->problem = shot ? "" : shot.error().message;
        if (shot) {
            seen->hash = shot->image.content_hash();
            seen->at = shot->captured_at;
        }
        if (shot && seen->hash != last) {
            auto encoded = encode_picture(shot->image, request.format, request.max_px);
            seen->is_over = !encoded;
            if (encoded) {
                seen->picture = std::move(encoded->bytes);
            } else {
                seen->problem = encoded.error().message;
            }
        }
        loop.post([this, peer, id, seen] {
            if (const auto alive = peer.lock(); alive) {
                take(id, *seen);
            }
        });
    };
    stream.is_looking = core_.eyes_of(stream.request.session).submit(job);
    if (!stream.is_looking) {
        look_at(id, stream.not_before);
    }
}

void ScreenStreams::take(std::uint32_t id, const Seen& seen) {
    const auto found = streams_.find(id);
    if (found == streams_.end()) {
        return;
    }
    if (seen.is_over) {
        end(id, seen.problem);
        return;
    }
    Stream& stream = found->second;
    stream.is_looking = false;
    if (!seen.picture.empty()) {
        stream.picture_hash = seen.hash;
        ++core_.counters.frames_sent;
        peer_.send_frame(queue_key(id), frame_message(id, ++stream.sent, seen.at.time_since_epoch().count(), seen.picture));
    }
    look(id);
}

void ScreenStreams::on_sent() {
    std::vector<std::uint32_t> ids; // looking may end a stream
    ids.reserve(streams_.size());
    for (const auto& [id, stream] : streams_) {
        ids.push_back(id);
    }
    for (const std::uint32_t id : ids) {
        look(id);
    }
}

void ScreenStreams::on_session_ended(const std::string& session) {
    std::vector<std::uint32_t> over;
    for (const auto& [id, stream] : streams_) {
        if (stream.request.session == session) {
            over.push_back(id);
        }
    }
    for (const std::uint32_t id : over) {
        end(id, "the session is closed");
    }
}

void ScreenStreams::end(std::uint32_t id, const std::string& reason) {
    streams_.erase(id);
    peer_.send(notification_text("screen.stream_ended", dump_json(nlohmann::json{{"stream", id}, {"reason", reason}})));
}

} // namespace handeye

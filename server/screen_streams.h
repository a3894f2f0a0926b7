// SPDX-License-Identifier: Apache-2.0
// One client's live views of sessions: pictures as binary messages, the newest only, and never more of them on the way than the
// client has said it can take. The I/O thread only.
#pragma once

#include "base/clock.h"
#include "server/rpc.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace handeye {

struct Core;
class Peer;

struct StreamRequest {
    std::string session;
    std::string format = "jpeg"; ///< "jpeg" or "png"
    int max_px = 0;              ///< longest side; 0: as it is
    double max_fps = 5;
    int max_in_flight = 2;       ///< pictures that are not acknowledged yet
};

/// u8 version, u8 kind, u16 flags, u32 stream, u64 seq, u64 t_mono_ns, big-endian; the picture follows.
inline constexpr std::size_t kFrameHeaderBytes = 24;
inline constexpr std::uint8_t kFrameVersion = 1;
inline constexpr std::uint8_t kFramePicture = 1;
std::string frame_message(std::uint32_t stream, std::uint64_t seq, std::int64_t t_mono_ns, const std::vector<std::uint8_t>& picture);

class ScreenStreams {
public:
    static constexpr std::size_t kStreamsMax = 8;

    ScreenStreams(Core& core, Peer& peer) : core_(core), peer_(peer) {}
    RpcResult<std::uint32_t> start(StreamRequest request);
    /// False when there is no such stream.
    bool stop(std::uint32_t stream);
    /// Everything up to `seq` has arrived. False when there is no such stream, or it has not sent so far.
    bool acknowledge(std::uint32_t stream, std::uint64_t seq);
    /// Something went out: a stream whose picture waited looks again.
    void on_sent();
    /// Ends the streams of that session and says so, also those that wait for an acknowledgement.
    void on_session_ended(const std::string& session);

private:
    struct Stream {
        StreamRequest request;
        std::uint64_t sent = 0;
        std::uint64_t acknowledged = 0;
        std::uint64_t picture_hash = 0; ///< of the last one that was sent
        TimePoint not_before{};
        bool is_looking = false;        ///< a picture is being made
        bool is_waiting = false;        ///< a timer runs
    };
    struct Seen;
    void look(std::uint32_t id);
    void look_at(std::uint32_t id, TimePoint when);
    void take(std::uint32_t id, const Seen& seen);
    void end(std::uint32_t id, const std::string& reason);

    Core& core_;
    Peer& peer_;
    std::map<std::uint32_t, Stream> streams_;
    std::uint32_t next_id_ = 1;
};

} // namespace handeye

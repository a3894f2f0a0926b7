// SPDX-License-Identifier: Apache-2.0
// One VNC server as libgvnc sees it: its picture, fences, and what is pressed there. In handeye-vnc alone, on its one thread.
#pragma once

#include "base/file.h"
#include "base/geometry.h"
#include "base/result.h"
#include "platforms/vnc/wire.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

// As gvnc.h and glib.h have them.
typedef struct _VncConnection VncConnection;   // NOLINT(modernize-use-using)
typedef struct _VncFramebuffer VncFramebuffer; // NOLINT(modernize-use-using)
typedef struct _GValueArray GValueArray;       // NOLINT(modernize-use-using)

namespace handeye::vnc {

class Peer {
public:
    explicit Peer(int platform) : platform_(platform) {}

    /// Takes over the connected socket; what follows happens in the main loop.
    void open(FileDescriptor server, std::vector<std::string> texts);
    /// One message of the platform; false: it is gone, or makes no sense.
    bool take_ask();
    /// Lets go of what is held, for a platform that is gone. True: that is on its way, or nothing was held.
    bool release_all();
    /// Ends the connection so that the server reads all that was sent: with something unread here, closing alone would throw it away there.
    void say_goodbye();
    /// Says why it is over, once; the process ends after that.
    [[noreturn]] void fail(const Error& error);

private:
    struct Signals; // the library's callbacks

    void choose_security(GValueArray* offered);
    void choose_subtype(GValueArray* offered);
    void check_security();
    void give_credentials(GValueArray* asked);
    void begin();
    void resize(Size size);
    void changed(Rect area);
    void ask_for_changes();
    void start_fence();
    void answer_fence();
    bool try_snapshot();
    void set_clipboard(std::string_view text_utf8);
    void take_extended(std::string_view message);
    void send_raw(const std::string& messages);
    void lost(const std::string& why);
    void tell(Tell kind, std::span<const std::uint8_t> payload, int file = -1);
    void tell_text(Tell kind, std::string_view head, std::string_view text);

    struct Fence {
        std::uint64_t number = 0;
        bool has_picture = false;
    };
    enum class Stage { Handshake, Refused, Running };

    int platform_; ///< the socket to it
    bool is_platform_gone_ = false; ///< nobody hears what is told
    int server_ = -1; ///< the socket to it, which libgvnc owns; -1: not yet
    VncConnection* connection_ = nullptr;
    VncFramebuffer* framebuffer_ = nullptr;
    std::vector<std::string> texts_; ///< of Connect
    Stage stage_ = Stage::Handshake;
    int type_ = 0, subtype_ = 0; ///< of security, as chosen; 0: not yet
    bool is_encrypted_ = false;
    bool is_ready_told_ = false;
    std::string refusal_;
    Size size_;
    std::vector<std::uint8_t> pixels_;
    FileDescriptor shared_;
    std::deque<Fence> fences_; ///< the first is on its way when fence_at_ is set
    std::optional<Point> fence_at_;
    bool is_fence_answered_ = false;
    bool is_asking_planned_ = false;
    bool takes_unicode_ = false;
    std::string clipboard_utf8_; ///< ours
    std::set<std::uint32_t> held_keys_;
    PointerAsk pointer_;
};

} // namespace handeye::vnc

// SPDX-License-Identifier: Apache-2.0
// The platform "vnc": pixels, input and clipboard of a VNC server over RFB. What libgvnc does with the server happens in handeye-vnc.
#pragma once

#include "platforms/open_platform.h"
#include "platforms/vnc/input_gate.h"
#include "platforms/vnc/link.h"
#include "platforms/vnc/text.h"

#include <memory>
#include <optional>

namespace handeye::vnc {

/// Connects to options.attach.
Result<std::unique_ptr<Platform>> open_vnc(const PlatformOptions& options, Clock& clock);
/// Whether handeye-vnc lies beside this program.
PlatformSupport describe_vnc();

class VncPlatform final : public Platform {
public:
    static Result<std::unique_ptr<Platform>> open(LinkOptions options, bool is_view_only, Clock& clock);
    ~VncPlatform() override;

    Result<DisplayInfo> display() override;
    Result<Screenshot> capture() override;
    Result<std::vector<Element>> elements() override;
    Result<std::vector<WindowInfo>> windows() override;
    Result<std::optional<Point>> pointer() override;
    Result<void> inject(const InputEvent& event) override;
    Result<void> inject_unless_stopped(const InputEvent& event, const std::stop_token& stop) override;
    Result<TextResult> type_text(std::string_view text_utf8, std::stop_token stop) override;
    Result<void> perform(const Command& command) override;
    Result<std::string> clipboard() override;
    Result<std::unique_ptr<ProbeWindow>> open_probe() override;
    Result<Settled> settle(const SettleOptions& options, std::stop_token stop) override;
    Result<void> release_all() override;

    /// Releases, and, when `refuse_more`, presses nothing from now on. Any thread.
    void quiesce(bool refuse_more);

private:
    VncPlatform(LinkOptions options, bool is_view_only, Clock& clock)
        : options_(std::move(options)), is_view_only_(is_view_only), clock_(clock), gate_(clock), typer_(gate_, clock) {}
    Result<void> connect(Duration patience);
    Result<void> take_pointer_out();
    Result<void> reconnect_if_lost();
    Result<void> check_input();
    Result<Size> frame_of_now();
    Result<void> send(const PointerMove& move);
    Result<void> send(const PointerButton& button);
    Result<void> send(const Wheel& wheel);
    Result<void> send(const Key& key);

    const LinkOptions options_;
    const bool is_view_only_;
    Clock& clock_;
    InputGate gate_;
    TextTyper typer_;
    std::shared_ptr<Link> link_;
    Size frame_;                ///< of the last capture, at first of the connection: the frame of input
    std::uint64_t captures_ = 0;
    std::uint64_t changes_seen_ = 0; ///< by the last capture() or settle()
    std::optional<TimePoint> lost_at_;
    std::optional<Error> lost_why_;
    TimePoint next_attempt_{};
    int attempts_ = 0; ///< to reach a server that went away, all in vain
};

} // namespace handeye::vnc

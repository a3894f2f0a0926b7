// SPDX-License-Identifier: Apache-2.0
#include "agent/secret_platform.h"

#include "agent/frame_encoder.h"
#include "agent/secret_masks.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kPieceBytes = 32; // of a text with a secret, typed between two looks at the focus
constexpr SettleOptions kPaint{.quiet = std::chrono::milliseconds(60), .deadline = std::chrono::milliseconds(600)};

/// Lives in memory for as long as it is typed.
struct Plain {
    std::string text;
    Plain(const Plain&) = delete;
    Plain& operator=(const Plain&) = delete;
    explicit Plain(std::string value) : text(std::move(value)) {}
    ~Plain() { wipe(text); }
};

} // namespace

SecretPlatform::SecretPlatform(std::unique_ptr<Platform> platform, std::shared_ptr<const SecretGrants> grants)
    : platform_(std::move(platform)), grants_(std::move(grants)), masks_(std::make_unique<SecretMasks>()) {}
SecretPlatform::~SecretPlatform() = default;

Result<Point> SecretPlatform::origin() {
    const DisplayInfo display = TRY(platform_->display());
    return display.origin;
}

Result<TextResult> SecretPlatform::type_text(std::string_view text_utf8, std::stop_token stop) {
    masks_->end();
    return has_secret_reference(text_utf8) ? type_secret(text_utf8, std::move(stop)) : platform_->type_text(text_utf8, std::move(stop));
}

Result<TextResult> SecretPlatform::type_secret(std::string_view text_utf8, std::stop_token stop) {
    const WindowInfo into = TRY(platform_->focused_window());
    const Screenshot before = TRY(platform_->capture()); // what cannot be covered afterwards is not typed
    const Plain plain(TRY(grants_->expand(text_utf8, into)));
    masks_->begin(before.image);
    has_changed_ = true;
    Result<TextResult> typed = type_pieces(plain.text, into.id, stop);
    // Also after an error: some of it may stand there. Without the wait the program has not painted it yet.
    static_cast<void>(platform_->settle(kPaint, stop));
    static_cast<void>(capture());
    if (!typed) { // its words may tell of characters
        return Error{typed.error().code, fmt::format("a text with a secret could not be typed ({})", error_code_name(typed.error().code))};
    }
    typed->characters_sent = 0;
    if (!typed->reason.empty()) {
        typed->reason = stop.stop_requested() ? "stopped within a text with a secret" : "not all of a text with a secret arrived";
    }
    if (const Result<WindowInfo> now = platform_->focused_window(); !now || now->id != into.id) {
        typed->certainty = Certainty::Partial;
        typed->reason = "the focus went to another window while a secret was typed";
    }
    return typed;
}

/// Looks at the focus before each piece: what is left of a secret goes to no other window.
Result<TextResult> SecretPlatform::type_pieces(std::string_view rest, std::uint64_t window, const std::stop_token& stop) {
    TextResult all{.certainty = Certainty::Confirmed};
    while (!rest.empty()) {
        if (const WindowInfo now = TRY(platform_->focused_window()); now.id != window) {
            all.certainty = Certainty::Partial;
            break;
        }
        std::size_t end = std::min(kPieceBytes, rest.size());
        while (end < rest.size() && (static_cast<unsigned char>(rest[end]) & 0xC0U) == 0x80U) {
            ++end; // a character stays whole
        }
        const TextResult piece = TRY(platform_->type_text(rest.substr(0, end), stop));
        rest.remove_prefix(end);
        all.route = piece.route;
        if (piece.certainty != Certainty::Confirmed) {
            all.certainty = piece.certainty;
            all.reason = piece.reason;
        }
        if (piece.certainty == Certainty::Partial || piece.certainty == Certainty::Refused) {
            break;
        }
    }
    return all;
}

Result<Screenshot> SecretPlatform::capture() {
    Screenshot shot = TRY(platform_->capture());
    if (!masks_->is_watching() && masks_->is_empty()) {
        return shot;
    }
    const std::vector<WindowInfo> windows = TRY(platform_->windows());
    const Point corner = TRY(origin());
    masks_->look(shot.image, windows, corner);
    shot.image = masked(shot.image, masks_->boxes(shot.image, windows, corner));
    return shot;
}

Result<void> SecretPlatform::inject(const InputEvent& event) {
    masks_->end();
    return platform_->inject(event);
}

Result<void> SecretPlatform::inject_unless_stopped(const InputEvent& event, const std::stop_token& stop) {
    masks_->end();
    return platform_->inject_unless_stopped(event, stop);
}

Result<void> SecretPlatform::perform(const Command& command) {
    masks_->end();
    return platform_->perform(command);
}

Result<Settled> SecretPlatform::settle(const SettleOptions& options, std::stop_token stop) {
    Settled settled = TRY(platform_->settle(options, std::move(stop)));
    settled.has_changed = settled.has_changed || has_changed_;
    has_changed_ = false;
    return settled;
}

} // namespace handeye

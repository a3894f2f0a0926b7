// SPDX-License-Identifier: Apache-2.0
// Tells people that an action or a question waits for them: on the desktop, and by a webhook. The configuration says which (docs/service.md).
#pragma once

#include "apps/daemon_options.h"
#include "apps/desktop_notifier.h"
#include "apps/webhook.h"
#include "server/control_server.h"

#include <memory>
#include <mutex>
#include <optional>

namespace handeye {

class ApprovalNotices {
public:
    explicit ApprovalNotices(Clock& clock);
    ~ApprovalNotices();

    /// Other settings from now on; the same again leave what is shown as it is. One thread.
    void configure(const ApprovalSettings& settings);
    /// Whom the button "Deny" tells; null before the server is there and once it ends. Any thread.
    void set_server(ControlServer* server);
    /// Never blocks. Any thread.
    void hear(const ApprovalNotice& notice);
    void hear(const QuestionNotice& notice);

private:
    /// `notice` without a title: that notice is taken away.
    void tell(DesktopNotice notice, std::string body);
    void deny(const std::string& key);

    Clock& clock_;
    std::mutex server_mutex_; // guards server_, also while it is used
    ControlServer* server_ = nullptr;
    std::mutex mutex_; // guards the three below
    std::optional<ApprovalSettings> settings_;
    std::shared_ptr<DesktopNotifier> desktop_;
    std::shared_ptr<Webhook> webhook_;
};

/// What the webhook receives: {"event":"approval.requested" or "approval.settled", ...}. No picture, no text of the screen and
/// nothing that would be typed.
std::string webhook_json(const ApprovalNotice& notice);
/// {"event":"question.asked" or "question.settled", ...}, without its words: a file may have put what it read into them.
std::string webhook_json(const QuestionNotice& notice);

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
#include "apps/approval_notices.h"

#include "base/json.h"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

constexpr std::string_view kPending = "pending";

// Session and approval are ULIDs: neither holds a slash.
std::string key_of(const ApprovalNotice& notice) { return notice.session + "/" + notice.approval; }
std::string key_of(const QuestionNotice& notice) { return notice.session + "/" + notice.question; }

DesktopNotice to_desktop(const ApprovalNotice& notice, WallTime now) {
    std::string body = fmt::format("Step {} of session {} waits for a yes: {} ({} risk).", notice.step, notice.session.substr(0, 10), notice.verb, notice.risk);
    body += notice.rule.empty() ? "" : fmt::format(" Asked by {}.", notice.rule);
    body += fmt::format("\nLook and decide: handeye console, or handeye approve {}", notice.approval);
    return {.key = key_of(notice), .title = "handeye asks before it acts", .body = std::move(body), .life = notice.expires_at - now};
}

DesktopNotice to_desktop(const QuestionNotice& notice, WallTime now) {
    return {.key = key_of(notice),
            .title = "A task asks you",
            .body = fmt::format("{}\nAnswer: handeye console, or handeye answer {}", notice.text_utf8, notice.question),
            .life = notice.expires_at - now,
            .can_deny = false};
}

} // namespace

std::string webhook_json(const QuestionNotice& notice) {
    return dump_json(nlohmann::json{{"event", notice.state == kPending ? "question.asked" : "question.settled"},
                                    {"session", notice.session},
                                    {"question", notice.question},
                                    {"state", notice.state},
                                    {"expires_at", format_utc(notice.expires_at)}});
}

std::string webhook_json(const ApprovalNotice& notice) {
    const bool is_pending = notice.state == kPending;
    nlohmann::json body{{"event", is_pending ? "approval.requested" : "approval.settled"},
                        {"session", notice.session},
                        {"approval", notice.approval},
                        {"step", notice.step},
                        {"verb", notice.verb},
                        {"risk", notice.risk},
                        {"rule", notice.rule},
                        {"action_digest", notice.action_digest},
                        {"state", notice.state},
                        {"expires_at", format_utc(notice.expires_at)}};
    return dump_json(body);
}

ApprovalNotices::ApprovalNotices(Clock& clock) : clock_(clock) {}
ApprovalNotices::~ApprovalNotices() = default;

void ApprovalNotices::configure(const ApprovalSettings& settings) {
    {
        const std::lock_guard lock(mutex_);
        if (settings_ == settings) {
            return;
        }
        settings_ = settings;
    }
    std::shared_ptr<DesktopNotifier> desktop;
    if (settings.notify == ApprovalSettings::Notify::Desktop) {
        desktop = DesktopNotifier::create([this](const std::string& key) { deny(key); });
    }
    std::shared_ptr<Webhook> webhook;
    if (const auto url = parse_http_url(settings.webhook); url) {
        WebhookOptions options{.url = *url};
        options.post.tls.ca_file = settings.webhook_ca;
        webhook = std::make_shared<Webhook>(std::move(options), clock_);
    }
    const std::lock_guard lock(mutex_);
    desktop_.swap(desktop); // what was there ends with the caller's copies
    webhook_.swap(webhook);
}

void ApprovalNotices::set_server(ControlServer* server) {
    const std::lock_guard lock(server_mutex_);
    server_ = server;
}

void ApprovalNotices::deny(const std::string& key) {
    const std::size_t slash = key.find('/');
    const std::lock_guard lock(server_mutex_);
    if (server_ != nullptr) {
        server_->deny_approval(key.substr(0, slash), key.substr(slash + 1), "desktop notification");
    }
}

void ApprovalNotices::hear(const ApprovalNotice& notice) {
    tell(notice.state == kPending ? to_desktop(notice, clock_.wall_now()) : DesktopNotice{.key = key_of(notice), .title = {}, .body = {}}, webhook_json(notice));
}

void ApprovalNotices::hear(const QuestionNotice& notice) {
    tell(notice.state == kPending ? to_desktop(notice, clock_.wall_now()) : DesktopNotice{.key = key_of(notice), .title = {}, .body = {}}, webhook_json(notice));
}

void ApprovalNotices::tell(DesktopNotice notice, std::string body) {
    std::shared_ptr<DesktopNotifier> desktop;
    std::shared_ptr<Webhook> webhook;
    {
        const std::lock_guard lock(mutex_);
        desktop = desktop_;
        webhook = webhook_;
    }
    if (desktop && !notice.title.empty()) {
        desktop->show(std::move(notice));
    } else if (desktop) {
        desktop->close(notice.key);
    }
    if (webhook) {
        webhook->send(std::move(body));
    }
}

} // namespace handeye

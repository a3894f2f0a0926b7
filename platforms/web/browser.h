// SPDX-License-Identifier: Apache-2.0
// A browser as the session sees it: its tabs, which one is in front, what each asks (dialogs, files), what was refused. Events arrive
// on the protocol's reading thread and change this state; everybody else looks at it under its mutex and waits for changes.
#pragma once

#include "platforms/open_platform.h"
#include "platforms/web/address_rules.h"
#include "platforms/web/browser_process.h"
#include "platforms/web/cdp.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace handeye::web {

/// What a page waits for an answer to. It stands still meanwhile.
struct PageQuestion {
    enum class Kind { Alert, Confirm, Prompt, BeforeUnload, File };
    Kind kind = Kind::Alert;
    std::string message;
    std::string default_text;
    int backend_node = 0;      ///< File: the input
    bool takes_several = false; ///< File
    std::uint64_t number = 0;  ///< tells one question from the next
};

struct Tab {
    std::uint64_t number = 0; ///< WindowInfo::id
    std::string target;
    std::string session;
    std::string opener; ///< target; empty: nobody's popup
    std::string title;
    std::string url;
    bool is_ready = false;
    bool is_loading = false;
    bool is_crashed = false;
    std::optional<PageQuestion> question;
};

struct Download {
    std::string id; ///< the browser's
    std::string name;
    std::string state; ///< "inProgress", "completed", "canceled"
    double bytes = 0;
};

/// Counts of what was painted, for settling.
struct Paints {
    std::uint64_t count = 0;  ///< frames told by the front tab since it was opened
    TimePoint newest{};       ///< when the newest arrived
    bool is_loading = false;  ///< the front tab's page
};

class Browser {
public:
    static Result<std::unique_ptr<Browser>> open(const PlatformOptions& options, Clock& clock, const std::stop_token& stop);
    ~Browser();
    Browser(const Browser&) = delete;
    Browser& operator=(const Browser&) = delete;

    Cdp& cdp() { return *cdp_; }
    [[nodiscard]] const WebOptions& options() const { return options_; }
    [[nodiscard]] const AddressRules& rules() const { return rules_; }
    [[nodiscard]] bool is_headless() const { return viewport_.has_value(); }
    /// In CSS pixels, as far as it is ours to say.
    [[nodiscard]] const std::optional<Size>& viewport() const { return viewport_; }
    [[nodiscard]] const std::string& product() const { return product_; }
    /// Device pixels of a CSS pixel where they are ours to say; 0: the screen's.
    [[nodiscard]] double scale() const { return scale_; }
    /// "HOST:PORT" of its DevTools, for who wants to attach.
    [[nodiscard]] const std::string& address() const { return address_; }
    [[nodiscard]] int pid() const { return process_ ? process_->pid() : 0; }

    /// A copy of the tab in front. Unavailable: none is left, it crashed, or the browser is gone.
    Result<Tab> front();
    [[nodiscard]] std::vector<Tab> tabs() const;
    [[nodiscard]] std::vector<Download> downloads() const;
    Result<void> bring_to_front(std::uint64_t tab_number);
    /// The sessions of the frames of other processes inside the front tab, its own first.
    [[nodiscard]] std::vector<std::string> sessions_of(const Tab& tab) const;
    /// The session that a frame's session hangs below; empty: none.
    [[nodiscard]] std::string parent_of(const std::string& session) const;
    Result<std::string> main_frame_of(const std::string& session) const;
    Result<Tab> open_tab(const std::string& url);

    [[nodiscard]] Paints paints() const;
    /// Around the taking of a picture, which paints the page once more.
    enum class Capturing { Begins, Ends };
    void note_capture(Capturing when);
    /// Waits for any event of the browser, until `until`.
    void wait_for_change(TimePoint until, const std::stop_token& stop);
    /// The newest address that the rules refused, and why; empty after it was taken.
    std::string take_refusal();
    void clear_question(const Tab& tab, std::uint64_t question_number);
    /// The next drag that the page began: its data. Empty object: none came.
    std::optional<nlohmann::json> take_drag();

    /// Why the browser ended, when it did.
    [[nodiscard]] std::string failure() const;

    /// Where files for a page's file chooser may come from: the session's downloads, and what the options name.
    [[nodiscard]] std::vector<std::filesystem::path> upload_folders() const;
    /// A page of ours, blank, in a browser context of its own: no tab, and nothing of the session is known there. Its session.
    Result<std::string> open_own_page();
    /// Something that only we showed changed the picture.
    void note_paint();

private:
    Browser(const PlatformOptions& options, Clock& clock);
    Result<void> start(const std::stop_token& stop);
    Result<void> set_up_browser(const std::stop_token& stop);
    void set_up_tab(const std::string& session);
    void set_up_session(const std::string& session, const std::string& type);
    void set_up_damage(const std::string& session);
    void take(const CdpEvent& event);
    void on_attached(const nlohmann::json& params);
    void on_detached(const nlohmann::json& params);
    void on_target_changed(const nlohmann::json& info);
    void on_request(const CdpEvent& event);
    void on_question(const CdpEvent& event, PageQuestion question);
    void on_frame_navigated(const CdpEvent& event);
    void on_download(const CdpEvent& event);
    void on_frame_painted(const nlohmann::json& params);
    void refuse(const std::string& url, const std::string& why);
    Tab* tab_of_session(std::string_view session); // mutex_ is held
    void front_changed_to(const std::string& session);

    Clock& clock_;
    WebOptions options_;
    bool makes_downloads_ = false; ///< the folder was not there
    AddressRules rules_;
    std::optional<Size> viewport_;
    double scale_ = 0; // 0: the browser's own
    std::string product_;
    std::string address_;
    std::unique_ptr<BrowserProcess> process_; // null: attached

    mutable std::mutex mutex_; // guards what follows, up to cdp_
    std::condition_variable_any changed_;
    std::uint64_t changes_ = 0;
    std::vector<Tab> tabs_;
    std::map<std::string, std::string> parents_; // session of a frame or worker -> session it belongs to
    std::string front_session_;
    std::string own_context_;
    std::map<std::string, std::string> own_sessions_; // target -> session, of open_own_page()
    std::deque<Download> downloads_;
    std::string refusal_;
    std::shared_ptr<nlohmann::json> drag_;
    Paints paints_;
    bool has_own_frame_ = false; // one of the next frames comes of a picture that we took
    TimePoint own_frame_until_{};
    std::size_t last_look_ = 0;
    std::map<std::string, std::string> targets_; // session -> target, which is the number of its main frame too
    std::uint64_t next_tab_ = 1;
    std::uint64_t next_question_ = 1;

    std::unique_ptr<Cdp> cdp_; // last: its thread uses everything above
};

} // namespace handeye::web

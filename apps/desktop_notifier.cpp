// SPDX-License-Identifier: Apache-2.0
// One thread owns the connection to the bus: libsystemd's objects belong to the thread that uses them. The others hand it jobs
// through a queue and wake it with an eventfd.
//
// There is no button "Approve". The agent works on this very desktop: with such a button a click of its own, or of another
// session's, could approve what it asked for. "Deny" can only take away. Approving needs the scope `approve`, which no click has.
#include "apps/desktop_notifier.h"

#include "base/file.h"
#include "base/log.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

namespace handeye {
namespace {

constexpr const char* kService = "org.freedesktop.Notifications";
constexpr const char* kPath = "/org/freedesktop/Notifications";
constexpr std::uint64_t kCallMicroseconds = 2'000'000; // a service that hangs holds up the next notices for so long
constexpr std::size_t kJobsMax = 64;
constexpr std::size_t kTextMax = 1000;

struct CloseBus {
    void operator()(sd_bus* bus) const { sd_bus_flush_close_unref(bus); }
};
struct ReleaseMessage {
    void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};
using Message = std::unique_ptr<sd_bus_message, ReleaseMessage>;

// Services may read the body as markup.
std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : std::string_view(text).substr(0, kTextMax)) {
        out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
    }
    return out;
}

class BusNotifier final : public DesktopNotifier {
public:
    explicit BusNotifier(std::function<void(const std::string&)> on_deny)
        : on_deny_(std::move(on_deny)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
          thread_([this](const std::stop_token& stop) { run(stop); }) {}
    ~BusNotifier() override {
        thread_.request_stop();
        ring();
    }
    void show(DesktopNotice notice) override { add({std::move(notice), true}); }
    void close(const std::string& key) override { add({{.key = key, .title = {}, .body = {}}, false}); }

private:
    struct Job {
        DesktopNotice notice;
        bool is_shown = false; ///< else: taken away
    };
    void add(Job job) {
        {
            const std::lock_guard lock(mutex_);
            if (jobs_.size() >= kJobsMax) {
                jobs_.pop_front();
            }
            jobs_.push_back(std::move(job));
        }
        ring();
    }
    void ring() const {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
    }

    // Below: the thread alone.
    void run(const std::stop_token& stop);
    void wait() const;
    bool connect();
    void perform(const Job& job);
    void notify(const DesktopNotice& notice);
    static int on_action(sd_bus_message* message, void* self, sd_bus_error*);
    static int on_closed(sd_bus_message* message, void* self, sd_bus_error*);
    [[nodiscard]] std::string key_of(std::uint32_t id) const {
        const auto found = std::find_if(shown_.begin(), shown_.end(), [id](const auto& row) { return row.second == id; });
        return found == shown_.end() ? "" : found->first;
    }

    const std::function<void(const std::string&)> on_deny_;
    const FileDescriptor wake_;
    std::mutex mutex_; // guards jobs_
    std::deque<Job> jobs_;
    std::unique_ptr<sd_bus, CloseBus> bus_;
    std::map<std::string, std::uint32_t> shown_; // the service's number of each notice that is up
    std::jthread thread_;
};

void BusNotifier::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        std::deque<Job> jobs;
        {
            const std::lock_guard lock(mutex_);
            jobs.swap(jobs_);
        }
        for (const Job& job : jobs) {
            perform(job);
        }
        int done = 1;
        while (bus_ && done > 0) {
            done = sd_bus_process(bus_.get(), nullptr);
        }
        if (done < 0) {
            bus_.reset(); // the bus went away: connect again for the next notice
        }
        wait();
    }
    bus_.reset();
}

void BusNotifier::wait() const {
    {
        // A job that came meanwhile has rung already: poll() returns at once.
        pollfd waits[2] = {{wake_.get(), POLLIN, 0}, {-1, 0, 0}};
        if (bus_) {
            waits[1] = {sd_bus_get_fd(bus_.get()), static_cast<short>(sd_bus_get_events(bus_.get())), 0};
        }
        ::poll(waits, 2, -1);
    }
    std::uint64_t count = 0;
    [[maybe_unused]] const auto taken = ::read(wake_.get(), &count, sizeof count);
}

bool BusNotifier::connect() {
    if (bus_) {
        return true;
    }
    sd_bus* raw = nullptr;
    int problem = sd_bus_open_user(&raw);
    bus_.reset(raw);
    if (problem >= 0) {
        sd_bus_set_method_call_timeout(bus_.get(), kCallMicroseconds);
        problem = sd_bus_match_signal(bus_.get(), nullptr, kService, kPath, kService, "ActionInvoked", on_action, this);
    }
    if (problem >= 0) {
        problem = sd_bus_match_signal(bus_.get(), nullptr, kService, kPath, kService, "NotificationClosed", on_closed, this);
    }
    if (problem < 0) {
        log::warn("notify", fmt::format("no session bus to notify by: {}", std::strerror(-problem)));
        bus_.reset();
    }
    shown_.clear();
    return problem >= 0;
}

void BusNotifier::perform(const Job& job) {
    if (job.is_shown) {
        if (connect()) {
            notify(job.notice);
        }
        return;
    }
    const auto found = shown_.find(job.notice.key);
    if (bus_ && found != shown_.end()) {
        sd_bus_call_method(bus_.get(), kService, kPath, kService, "CloseNotification", nullptr, nullptr, "u", found->second);
        shown_.erase(found);
    }
}

void BusNotifier::notify(const DesktopNotice& notice) {
    const auto known = shown_.find(notice.key);
    const std::uint32_t replaces = known == shown_.end() ? 0 : known->second;
    const auto life_ms = std::chrono::duration_cast<std::chrono::milliseconds>(notice.life).count();
    sd_bus_error problem = SD_BUS_ERROR_NULL;
    sd_bus_message* raw = nullptr;
    const auto send = [&](auto... actions) {
        return sd_bus_call_method(bus_.get(), kService, kPath, kService, "Notify", &problem, &raw, "susssasa{sv}i", "handeye", replaces, "dialog-question",
                                  notice.title.substr(0, kTextMax).c_str(), escaped(notice.body).c_str(), actions..., 1, "urgency", "y", 2,
                                  static_cast<std::int32_t>(std::clamp<std::int64_t>(life_ms, 0, 86'400'000)));
    };
    const int sent = notice.can_deny ? send(2, "deny", "Deny") : send(0);
    const Message answer(raw);
    std::uint32_t id = 0;
    if (sent < 0 || sd_bus_message_read(answer.get(), "u", &id) < 0) {
        log::warn("notify", fmt::format("the desktop's notification service did not take a notice: {}", problem.message != nullptr ? problem.message : "no answer"));
    } else {
        shown_[notice.key] = id;
    }
    sd_bus_error_free(&problem);
}

int BusNotifier::on_action(sd_bus_message* message, void* self, sd_bus_error*) {
    auto& notifier = *static_cast<BusNotifier*>(self);
    std::uint32_t id = 0;
    const char* action = nullptr;
    if (sd_bus_message_read(message, "us", &id, &action) >= 0 && std::string_view(action) == "deny") {
        if (const std::string key = notifier.key_of(id); !key.empty()) {
            notifier.on_deny_(key);
        }
    }
    return 0;
}

int BusNotifier::on_closed(sd_bus_message* message, void* self, sd_bus_error*) {
    auto& notifier = *static_cast<BusNotifier*>(self);
    std::uint32_t id = 0;
    if (sd_bus_message_read_basic(message, 'u', &id) >= 0) {
        notifier.shown_.erase(notifier.key_of(id));
    }
    return 0;
}

} // namespace

std::unique_ptr<DesktopNotifier> DesktopNotifier::create(std::function<void(const std::string&)> on_deny) {
    return std::make_unique<BusNotifier>(std::move(on_deny));
}

} // namespace handeye

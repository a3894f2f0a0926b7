// SPDX-License-Identifier: Apache-2.0
#include "tests/server/notification_service.h"

#include <chrono>
#include <cstdlib>

#include <systemd/sd-bus.h>

namespace handeye::testing {
namespace {

constexpr const char* kName = "org.freedesktop.Notifications";
constexpr const char* kPath = "/org/freedesktop/Notifications";
constexpr std::uint64_t kTurnMicroseconds = 20'000; // how late a press may be noticed
constexpr auto kPatience = std::chrono::minutes(1);

sd_bus* bus_at(const std::filesystem::path& socket) {
    sd_bus* bus = nullptr;
    sd_bus_new(&bus);
    sd_bus_set_address(bus, ("unix:path=" + socket.string()).c_str());
    sd_bus_set_bus_client(bus, 1);
    if (sd_bus_start(bus) < 0) {
        sd_bus_unref(bus);
        return nullptr;
    }
    return bus;
}

} // namespace

struct NotificationService::Bus {
    sd_bus* bus = nullptr;
    NotificationService* service = nullptr;
    std::uint32_t count = 0;
    ~Bus() { sd_bus_flush_close_unref(bus); }

    static int on_notify(sd_bus_message* message, void* self, sd_bus_error*) {
        Bus& here = *static_cast<Bus*>(self);
        const char *app = nullptr, *icon = nullptr, *title = nullptr, *body = nullptr, *word = nullptr;
        std::uint32_t replaces = 0;
        Notice notice;
        sd_bus_message_read(message, "susss", &app, &replaces, &icon, &title, &body);
        sd_bus_message_enter_container(message, 'a', "s");
        while (sd_bus_message_read_basic(message, 's', &word) > 0) {
            notice.actions.emplace_back(word);
        }
        sd_bus_message_exit_container(message);
        sd_bus_message_skip(message, "a{sv}");
        sd_bus_message_read_basic(message, 'i', &notice.life_ms);
        notice.id = replaces != 0 ? replaces : ++here.count;
        notice.title = title;
        notice.body = body;
        const std::uint32_t id = notice.id;
        {
            const std::lock_guard lock(here.service->mutex_);
            here.service->notices_.push_back(std::move(notice));
        }
        here.service->changed_.notify_all();
        return sd_bus_reply_method_return(message, "u", id);
    }
    static int on_close(sd_bus_message* message, void* self, sd_bus_error*) {
        Bus& here = *static_cast<Bus*>(self);
        std::uint32_t id = 0;
        sd_bus_message_read_basic(message, 'u', &id);
        {
            const std::lock_guard lock(here.service->mutex_);
            here.service->closed_.push_back(id);
        }
        here.service->changed_.notify_all();
        return sd_bus_reply_method_return(message, nullptr);
    }
};

NotificationService::NotificationService(const std::filesystem::path& socket) {
    const std::string address = "unix:path=" + socket.string();
    if (std::system("command -v dbus-daemon >/dev/null 2>&1") != 0) {
        return;
    }
    daemon_ = std::make_unique<Process>(std::vector<std::string>{"dbus-daemon", "--session", "--nofork", "--nopidfile", "--address=" + address});
    bus_ = std::make_unique<Bus>();
    bus_->service = this;
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while ((bus_->bus = bus_at(socket)) == nullptr && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::yield(); // until it listens
    }
    static const sd_bus_vtable kMethods[] = {SD_BUS_VTABLE_START(0), SD_BUS_METHOD("Notify", "susssasa{sv}i", "u", Bus::on_notify, SD_BUS_VTABLE_UNPRIVILEGED),
                                             SD_BUS_METHOD("CloseNotification", "u", "", Bus::on_close, SD_BUS_VTABLE_UNPRIVILEGED),
                                             SD_BUS_SIGNAL("ActionInvoked", "us", 0), SD_BUS_VTABLE_END};
    if (bus_->bus == nullptr || sd_bus_add_object_vtable(bus_->bus, nullptr, kPath, kName, kMethods, bus_.get()) < 0 || sd_bus_request_name(bus_->bus, kName, 0) < 0) {
        return;
    }
    ::setenv("DBUS_SESSION_BUS_ADDRESS", address.c_str(), 1);
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

NotificationService::~NotificationService() {
    if (thread_.joinable()) {
        thread_.request_stop();
        thread_.join();
    }
    ::unsetenv("DBUS_SESSION_BUS_ADDRESS");
}

void NotificationService::serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        while (sd_bus_process(bus_->bus, nullptr) > 0) {
        }
        {
            const std::lock_guard lock(mutex_);
            for (const auto& [id, action] : presses_) {
                sd_bus_emit_signal(bus_->bus, kPath, kName, "ActionInvoked", "us", id, action.c_str());
            }
            presses_.clear();
        }
        sd_bus_wait(bus_->bus, kTurnMicroseconds);
    }
}

std::optional<NotificationService::Notice> NotificationService::next_notice() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [this] { return !notices_.empty(); })) {
        return std::nullopt;
    }
    Notice notice = std::move(notices_.front());
    notices_.pop_front();
    return notice;
}

std::uint32_t NotificationService::next_closed() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [this] { return !closed_.empty(); })) {
        return 0;
    }
    const std::uint32_t id = closed_.front();
    closed_.pop_front();
    return id;
}

void NotificationService::press(std::uint32_t id, const std::string& action) {
    const std::lock_guard lock(mutex_);
    presses_.emplace_back(id, action);
}

} // namespace handeye::testing

// SPDX-License-Identifier: Apache-2.0
#include "server/loop.h"

#include "base/log.h"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

namespace handeye {

namespace asio = boost::asio;

Loop::Loop() : context_(std::make_unique<asio::io_context>(1)) {}

Loop::~Loop() { stop(); }

void Loop::run_on_thread() {
    thread_ = std::thread([this] {
        const auto work = asio::make_work_guard(*context_);
        for (;;) {
            try {
                context_->run();
                return;
            } catch (const std::exception& problem) { // one handler failed; the others go on
                log::error("server", fmt::format("a handler threw: {}", problem.what()));
            }
        }
    });
}

void Loop::stop() {
    context_->stop();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Loop::dispatch(std::function<void()> function) { asio::dispatch(*context_, std::move(function)); }

void Loop::post(std::function<void()> function) { asio::post(*context_, std::move(function)); }

void Loop::after(Duration delay, std::function<void()> function) {
    const auto timer = std::make_shared<asio::steady_timer>(*context_, delay);
    timer->async_wait([timer, function = std::move(function)](const boost::system::error_code& ec) {
        if (!ec) {
            function();
        }
    });
}

asio::io_context& Loop::context() { return *context_; }

} // namespace handeye

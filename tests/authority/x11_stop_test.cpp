// SPDX-License-Identifier: Apache-2.0
// Stops at random moments, by the X server's own account of what came when.
#include "agent/session.h"
#include "tests/authority/raw_log.h"
#include "tests/fakes/memory_sink.h"
#include "tests/fakes/scripted_model.h"
#include "tests/platforms/x11_fixture.h"

#include <algorithm>
#include <iostream>
#include <thread>

#include <fmt/format.h>

namespace handeye::x11 {
namespace {

std::string say(const std::string& call) { return "<answer><|begin_of_box|>" + call + "<|end_of_box|></answer>"; }

/// Drags, clicks with a key held, words: there is always something down or on its way.
void keep_busy(fakes::ScriptedModel& model) {
    for (int i = 0; i < 30; ++i) {
        model.add(say(fmt::format("left_drag(start_box='[100,{}]', end_box='[800,300]', element_info='f')", 100 + i)));
        model.add(say(fmt::format("left_click(start_box='[200,{}]', hold_key=['shift'], element_info='f')", 100 + i)));
        model.add(say("type(content='held keys stay down, and many characters are on their way at any moment of this')"));
    }
}

bool is_anything_down(Connection& connection) {
    char keys[32] = {};
    XQueryKeymap(connection.get(), keys);
    ::Window root = 0, child = 0;
    int root_x = 0, root_y = 0, x = 0, y = 0;
    unsigned mask = 0;
    XQueryPointer(connection.get(), connection.root(), &root, &child, &root_x, &root_y, &x, &y, &mask);
    return (mask & (Button1Mask | Button2Mask | Button3Mask)) != 0 || std::any_of(std::begin(keys), std::end(keys), [](char byte) { return byte != 0; });
}

// The stop is over when its call returns. From then on the server takes nothing from us but releases, and none that is later than
// 50 ms; at the end nothing is down.
TEST_F(X11Test, AStopAtAnyMomentLeavesNothingHeldAndNothingComesAfterIt) {
    start_display(false, {1000, 1000});
    start_app("event_log_app", {(folder() / "log").string()});
    ASSERT_TRUE(wait_for([&] { return content(folder() / "log").starts_with("ready"); }));
    const auto platform = open();
    auto watcher = Connection::open(display_->address());
    ASSERT_TRUE(watcher);
    RawLog log(display_->address());
    std::mt19937 random = seeded_generator();
    std::vector<Duration> took;
    std::size_t seen = 0;
    for (int run = 0, runs = count_of(1000, 12); run < runs; ++run) {
        SessionOptions options{.session_id = "01TEST"};
        options.settle = {.quiet = std::chrono::milliseconds(1), .deadline = std::chrono::milliseconds(10)};
        fakes::ScriptedModel model;
        keep_busy(model);
        fakes::MemorySink sink;
        auto session = Session::create(options, *platform, model, clock_, sink);
        ASSERT_TRUE(session) << session.error().message;
        std::stop_source stop;
        std::jthread killer([&, after = std::chrono::milliseconds(random() % 600)] {
            clock_.sleep_for(after, {});
            const TimePoint begin = clock_.now();
            stop.request_stop();
            took.push_back(clock_.now() - begin);
            log.mark();
        });
        ASSERT_TRUE((*session)->run_task("Hold.", stop.get_token()));
        killer.join();
        const std::vector<RawEntry> entries = log.take();
        const auto mark = std::find_if(entries.begin(), entries.end(), [](const RawEntry& entry) { return entry.what == RawEntry::What::Mark; });
        ASSERT_NE(mark, entries.end());
        seen += static_cast<std::size_t>(mark - entries.begin());
        for (auto late = mark + 1; late != entries.end(); ++late) {
            EXPECT_TRUE(late->is_release()) << "run " << run << ": what " << static_cast<int>(late->what) << " number " << late->number;
            EXPECT_LE(late->time - mark->time, 50U) << "run " << run;
        }
        EXPECT_FALSE(is_anything_down(**watcher)) << "run " << run;
    }
    EXPECT_GT(seen, 100U);
    std::sort(took.begin(), took.end());
    const auto ms = [](Duration time) { return std::chrono::duration<double, std::milli>(time).count(); };
    std::cout << fmt::format("a stop takes {:.1f} ms (median), {:.1f} ms (longest of {})\n", ms(took[took.size() / 2]), ms(took.back()), took.size());
    EXPECT_LT(ms(took[took.size() / 2]), 50.0);
}

} // namespace
} // namespace handeye::x11

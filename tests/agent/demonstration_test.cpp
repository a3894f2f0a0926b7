// SPDX-License-Identifier: Apache-2.0
// What a demonstration's recording tells of input that the platform heard of and could not tell.
#include "agent/demonstration.h"
#include "platforms/person_input.h"
#include "tests/fakes/fake_platform.h"
#include "tests/fakes/memory_sink.h"
#include "tests/fakes/sim_clock.h"

#include <gtest/gtest.h>

namespace handeye {
namespace {

/// A screen at which everything has been done once somebody follows it.
class PersonAtAScreen final : public Platform {
public:
    PersonAtAScreen(Clock& clock, std::vector<PersonInput> inputs) : screen_(clock, {{fakes::solid_frame({64, 48}, 9, 9, 9)}}), inputs_(std::move(inputs)) {}
    Result<void> follow_person(PersonFollow follow) override {
        for (const PersonInput& input : inputs_) {
            follow.on_input(input);
        }
        return {};
    }
    Result<DisplayInfo> display() override { return screen_.display(); }
    Result<Screenshot> capture() override { return screen_.capture(); }
    Result<std::vector<Element>> elements() override { return screen_.elements(); }
    Result<std::vector<WindowInfo>> windows() override { return screen_.windows(); }
    Result<std::optional<Point>> pointer() override { return screen_.pointer(); }
    Result<void> inject(const InputEvent& event) override { return screen_.inject(event); }
    Result<TextResult> type_text(std::string_view text_utf8, std::stop_token stop) override { return screen_.type_text(text_utf8, std::move(stop)); }
    Result<void> perform(const Command& command) override { return screen_.perform(command); }
    Result<Settled> settle(const SettleOptions& options, std::stop_token stop) override { return screen_.settle(options, std::move(stop)); }
    Result<void> release_all() override { return screen_.release_all(); }

private:
    fakes::FakePlatform screen_;
    const std::vector<PersonInput> inputs_;
};

PersonInput key(const std::string& sign, TimePoint time) { return {PersonKey{sign, sign, Edge::Press, false, false}, {5, 5}, {}, time}; }

TEST(DemonstrationOfTheLost, IsCountedAndNamedAndWhatWasTypedAroundItIsKept) {
    fakes::SimClock clock;
    const TimePoint now = clock.now();
    PersonAtAScreen screen(clock, {key("a", now), key("b", now), {PersonLost{7}, {5, 5}, {}, now}, key("c", now)});
    std::stop_source stop;
    DemonstrationOptions options;
    options.session_id = "01J00000000000000000000000";
    options.unknown_text = DemonstrationOptions::UnknownText::IsPlain;
    options.on_ready = [&] { stop.request_stop(); };
    std::vector<std::string> steps;
    options.on_step = [&](int, const std::string& summary) { steps.push_back(summary); };
    fakes::MemorySink sink;
    const auto report = record_demonstration(options, screen, clock, sink, stop.get_token());
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_FALSE(report->cut_short);
    EXPECT_EQ(report->left_out, (std::vector<std::string>{"7 presses and releases of the mouse: they came faster than the display told of them"}));
    ASSERT_EQ(steps.size(), 2U);
    EXPECT_NE(steps[0].find("ab"), std::string::npos) << steps[0];
    EXPECT_NE(steps[1].find('c'), std::string::npos) << steps[1];
}

} // namespace
} // namespace handeye

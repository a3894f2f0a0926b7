// SPDX-License-Identifier: Apache-2.0
// Nothing is cleaned up later: a reader that follows the file from its first byte never sees what must not be in it.
#include "agent/recorder.h"
#include "agent/secret_platform.h"
#include "agent/session.h"
#include "base/file.h"
#include "base/image_codec.h"
#include "base/json.h"
#include "tests/fakes/fake_platform.h"
#include "tests/fakes/scripted_model.h"
#include "tests/fakes/sim_clock.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using fakes::FakePlatform;

const std::string kCanary = "Canary-29-Zebra";
const std::string kTyped = "typed-by-the-model";
constexpr Size kScreen{320, 240};
constexpr Rect kPassword{20, 20, 120, 80};

std::string say(const std::string& call) { return "<answer><|begin_of_box|>" + call + "<|end_of_box|></answer>"; }

/// Stripes, so that an uncovered password field is never of one colour.
Image striped(std::uint8_t shade) {
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(kScreen.area()) * 3);
    for (std::size_t i = 0; i < pixels.size(); ++i) {
        pixels[i] = static_cast<std::uint8_t>(shade + i / 3 % 7 * 20);
    }
    return Image::from_pixels(kScreen, PixelFormat::Rgb, std::move(pixels)).value_or(Image());
}

/// Looks at every file after each event, and at the event and its picture as any reader gets them.
class Follower final : public StepSink {
public:
    Follower(Recorder& recorder, std::filesystem::path folder) : recorder_(recorder), folder_(std::move(folder)) {}

    Result<std::uint64_t> on_event(const SessionEvent& event) override {
        const std::uint64_t seq = TRY(recorder_.on_event(event));
        look_at_bytes();
        look_at_event(seq);
        return seq;
    }
    /// Any thread.
    void look_at_bytes() {
        ++looks;
        std::error_code ignored;
        for (const auto& entry : std::filesystem::directory_iterator(folder_, ignored)) {
            const std::string bytes = read_file(entry.path(), 1U << 26U).value_or("");
            leaks += bytes.find(kCanary) != std::string::npos || bytes.find(kTyped) != std::string::npos ? 1 : 0;
        }
    }

    std::atomic<int> looks = 0;
    std::atomic<int> leaks = 0;
    int frames = 0;
    int open_frames = 0;

private:
    void look_at_event(std::uint64_t seq) {
        const auto reader = Recording::open(recorder_.path());
        const auto events = reader ? reader->events(seq, 1) : Result<std::vector<StoredEvent>>(reader.error());
        ASSERT_TRUE(events && events->size() == 1);
        const auto data = nlohmann::json::parse(events->front().data_json);
        if (events->front().type != "observation.captured") {
            return;
        }
        const auto image = decode_image(*reader->blob(data["frame"]["sha256"].get<std::string>()));
        ASSERT_TRUE(image);
        ++frames;
        const Image field = image->cropped(kPassword);
        open_frames += std::ranges::all_of(field.bytes(), [](std::uint8_t shade) { return shade == 0x60; }) ? 0 : 1;
    }

    Recorder& recorder_;
    const std::filesystem::path folder_;
};

TEST(FirstWrite, AReaderThatFollowsTheFileNeverSeesASecret) {
    std::string name = (std::filesystem::temp_directory_path() / "handeye-first-XXXXXX").string();
    const std::filesystem::path folder = ::mkdtemp(name.data());
    auto store = std::make_shared<SecretStore>();
    ASSERT_TRUE(store->add({"canary", kCanary, {}, true}));
    const auto grants = std::make_shared<SecretGrants>(store);
    ASSERT_TRUE(grants->set({"canary"}));
    fakes::SimClock clock;
    std::vector<fakes::Scene> scenes;
    for (int i = 0; i < 2; ++i) {
        scenes.push_back({striped(static_cast<std::uint8_t>(10 + 60 * i)), {{1, "password text", "Password", kPassword, true}}, {}});
    }
    auto fake = std::make_unique<FakePlatform>(clock, std::move(scenes));
    fake->on_text(0, kTyped, 1);
    SecretPlatform platform(std::move(fake), grants);
    fakes::ScriptedModel model;
    model.add(say("left_click(start_box='[200,200]', element_info='Password')"));
    model.add(say("type(content='" + kTyped + "')"));
    model.add(say("type(content='{{secret:canary}}')"));
    model.add("I typed " + kTyped + " and " + kCanary + ". " + say("DONE()"));
    SessionOptions options{.session_id = "01TEST"};
    options.secrets = grants;
    options.redactor = std::make_shared<Redactor>(*store);
    {
        auto recorder = Recorder::open(folder / "a.handeye", "01TEST");
        ASSERT_TRUE(recorder);
        Follower follower(**recorder, folder);
        std::jthread beside([&](const std::stop_token& stop) {
            while (!stop.stop_requested()) {
                follower.look_at_bytes();
            }
        });
        auto session = Session::create(options, platform, model, clock, follower);
        ASSERT_TRUE(session);
        const auto report = (*session)->run_task("Log in; the password is " + kCanary, {});
        ASSERT_TRUE(report) << report.error().message;
        EXPECT_EQ(report->steps, 4);
        session->reset();
        beside.request_stop();
        beside.join();
        EXPECT_GE(follower.looks, 20);
        EXPECT_EQ(follower.leaks, 0);
        EXPECT_GE(follower.frames, 4);
        EXPECT_EQ(follower.open_frames, 0);
    }
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
}

} // namespace
} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// The closed loop on real windows: one task of models/nano/eval, from the first frame to what the
// application wrote.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "engine/chat_model.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace handeye::e2e {

struct FormTask {
    std::string id;
    std::string goal;
    std::string spec_json; ///< what the application is started with: the whole task
    std::string want_json; ///< what it is to have written at the end
    Size size;
    std::string layout; ///< the kinds of its widgets from top to bottom, as "field check button "
};
Result<std::vector<FormTask>> read_form_tasks(const std::filesystem::path& path);

/// The ids of the tasks that the reference implementation passed, from a result file of
/// models/nano/train/loop.py.
Result<std::vector<std::string>> read_passed_ids(const std::filesystem::path& path);

/// What the model is shown: the screen, or something that makes success a matter of luck for
/// whoever really looks at it.
enum class Frames {
    Real,
    Blank,   ///< a white picture
    Swapped, ///< the first frame of another task, see swap_partner
};

/// The next task of another layout. In a dialog of the same layout the widgets stand at the same
/// places, in the order in which tasks name them: who reads no word, but knows where fields and
/// buttons are, would succeed. Requires two layouts among the tasks.
const FormTask& swap_partner(const std::vector<FormTask>& tasks, std::size_t index);

/// Where the model sees and touches the application.
enum class Surface {
    X11, ///< a headless display of its own
    Vnc, ///< a TigerVNC server of the task's size
    Web, ///< a headless Chromium with form_page.html in a viewport of the task's size
};

struct FormRun {
    std::filesystem::path app;            ///< handeye-form-app; not for Web
    std::filesystem::path recordings_dir; ///< session files stay there; empty: they go away
    Frames frames = Frames::Real;
    Surface surface = Surface::X11;
    double zoom_below = 0;                ///< as SessionOptions::zoom_below
    std::optional<int> thinking_budget;   ///< as SessionOptions::thinking_budget
};

struct FormResult {
    std::string id;
    bool is_right =
        false;        ///< the model said that it is done, and the application's file is as wanted
    std::string kind; ///< what went wrong first: "field", "check", "button", "end"; "ok"
    std::string outcome; ///< task_outcome_name
    std::string got_json;
    int steps = 0;
    Duration wall{};
};

/// A display of its own, a fresh application, one Session with a Recorder. `other` lends
/// its first frame to Swapped.
Result<FormResult> run_form_task(const FormTask& task, const FormTask& other, ChatModel& model,
                                 Clock& clock, const FormRun& run);

} // namespace handeye::e2e

// SPDX-License-Identifier: Apache-2.0
// The page of ours that stands for the browser's dialogs and file chooser. A page that asks stands still and shows nothing of it in
// its picture; so the question is shown over that picture in a page of its own, which is looked at, clicked and typed into like any
// other. The same page reads the clipboard.
#pragma once

#include "base/clock.h"
#include "base/image.h"
#include "base/result.h"
#include "platforms/web/browser.h"

#include <filesystem>
#include <string>

namespace handeye::web {

class Panel {
public:
    Panel(Browser& browser, Clock& clock) : browser_(browser), clock_(clock) {}

    /// The session that shows the tab's question: looked at and acted on instead of the tab's own. `under` is what the page showed.
    Result<std::string> show(const Tab& tab, const Image& under, double scale);
    /// Hands an answer that was given meanwhile to the page. True: the question is settled.
    Result<bool> answer(const Tab& tab);
    Result<std::string> clipboard();

private:
    Result<void> open(Size css, double scale);
    Result<void> ask(const Tab& tab, const std::string& picture, const std::string& problem);
    Result<nlohmann::json> run(const std::string& expression);
    Result<void> give_files(const Tab& tab, const PageQuestion& question, const std::string& text);

    Browser& browser_;
    Clock& clock_;
    std::string session_; ///< empty: not opened yet
    std::uint64_t shown_ = 0; ///< PageQuestion::number
};

/// The files that lines of text name, each a plain file below one of the folders. PermissionDenied, NotFound, LimitExceeded.
Result<std::vector<std::filesystem::path>> files_to_upload(std::string_view lines, const std::vector<std::filesystem::path>& folders, bool takes_several);

} // namespace handeye::web

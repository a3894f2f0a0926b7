// SPDX-License-Identifier: Apache-2.0
// Where a thing on the screen is, by everything that was said about it: rung after rung, from the surest to the least sure. A
// rung that finds nothing, too little or too much hands on to the next; the answer tells which rung it was.
#pragma once

#include "base/geometry.h"
#include "base/image.h"
#include "base/result.h"
#include "platforms/platform.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// In the order in which they are tried.
enum class Rung {
    Structure,     ///< the platform's elements: AT-SPI, the page's DOM
    LocalTemplate, ///< the picture of it, near where it was last
    Template,      ///< the picture of it, anywhere, at several scales
    Text,          ///< words read from the pixels (OCR)
    Landmark,      ///< by its distance from things that were around it when it was recorded
    Model,         ///< the model was asked where it is
    Coordinates,   ///< a place and nothing else
};
/// "structure", "local_template", "template", "text", "landmark", "model", "coordinates".
std::string_view rung_name(Rung rung);

enum class Side { Any, Left, Right, Above, Below };

/// What lies beside a target.
struct Neighbour {
    std::string text_utf8;
    std::string label_utf8;
    Image picture;          ///< empty: none
    Side side = Side::Any;  ///< of the neighbour, on which the target lies
};

/// A thing that was around a target when that was recorded.
struct Landmark {
    std::string text_utf8;   ///< read on it, or its label
    double right_px = 0;     ///< from its centre to the target's
    double down_px = 0;
};

/// What is known about a target; all that is given must fit, as far as a rung can tell.
struct TargetQuery {
    std::string id;           ///< accessible id, DOM id
    std::string role;         ///< as the platform calls it: "push button", "entry"
    std::string label_utf8;   ///< accessible name, or the label beside it
    std::string text_utf8;    ///< words on it
    Image picture;            ///< what it looks like; empty: not known
    std::optional<Rect> was_at;       ///< where it was when the picture was taken
    std::vector<Landmark> landmarks;
    std::string description_utf8;     ///< in words, for the model
    std::optional<Point> at;          ///< for Coordinates
    bool is_exact = false;            ///< letter case and the whole of text and label count
    std::optional<Neighbour> near;    ///< of several the nearest on that side
    std::optional<Rect> region;       ///< only within
    int index = 0;                    ///< the n-th of several, from the top, then from the left; 0: there must be one
    double min_score = 0;             ///< of templates; 0: the rung's own
};
/// One line for a person: `button "Save" near "Name"`.
std::string describe(const TargetQuery& query);

/// The screen in which is looked. Both borrowed for the call.
struct LookedAt {
    const Image& image;
    const std::vector<Element>& elements;
};

struct Candidate {
    Rung rung = Rung::Structure;
    Rect box;               ///< in the target's pixels
    double score = 0;       ///< 0..1, of this rung
    std::string what_utf8;  ///< the words or the label that were found
    bool is_enabled = true;
};
struct Found {
    Candidate best;
    Point point;                   ///< where to click
    double margin = 1;             ///< score of the best minus that of the second best; 1: there is no other
    std::vector<std::string> tried;///< one line for each rung before: why it did not do
};

/// A word or a line read from pixels.
struct ReadText {
    std::string text_utf8;
    Rect box;
    double confidence = 0; ///< 0..1
};

struct LocatorOptions {
    std::filesystem::path reader; ///< the program handeye-reader; empty: beside this program
    std::string languages = "eng"; ///< Tesseract's names, "+" between them
    /// Where the model sees what is described; NotFound when it sees nothing such. Empty: no such rung.
    std::function<Result<Rect>(const Image& image, const std::string& description_utf8)> ask_model;
};

/// One thread at a time. Reads the same picture once, whatever is asked about it.
class Locator {
public:
    /// Unavailable names the language data that are missing and the package that has them, once text is read; nothing is loaded before.
    static std::unique_ptr<Locator> create(LocatorOptions options);
    virtual ~Locator() = default;

    /// NotFound: no rung found it; the message has a line per rung with its best miss. InvalidArgument: several things fit and
    /// nothing tells them apart; the message names the first few with their places.
    virtual Result<Found> find(const TargetQuery& query, const LookedAt& seen) = 0;
    /// The words on the screen within `region` (all of it: nullopt), line by line from the top.
    virtual Result<std::vector<ReadText>> read_lines(const LookedAt& seen, std::optional<Rect> region) = 0;
};

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// The rules on #include lines: who may include whom, and where heavy headers may appear.
#include "tests/tidy/rules.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <span>
#include <sstream>
#include <string_view>

namespace handeye::tidy {
namespace {

/// A folder and what it may include beside itself. "x/" is every first-level header of x, "x/y.h"
/// that one.
struct Arrow {
    std::string_view from;
    std::span<const std::string_view> to;
};
using Names = std::string_view;
constexpr std::array<Names, 1> kBase = {"base/"};
constexpr std::array<Names, 3> kMedia = {"base/", "engine/chat.h", "engine/film_plan.h"};
constexpr std::array<Names, 4> kPlatforms = {"base/", "base/net/client.h", "base/net/byte_stream.h", "base/net/http_get.h"};
constexpr std::array<Names, 2> kActions = {"base/", "platforms/platform.h"};
constexpr std::array<Names, 3> kPrompts = {"base/", "actions/vocabulary.h", "engine/chat.h"};
constexpr std::array<Names, 7> kAgent = {
    "base/",    "engine/chat.h", "engine/chat_model.h", "platforms/platform.h", "platforms/person_input.h",
    "actions/", "prompts/"};
constexpr std::array<Names, 3> kServer = {"base/", "base/net/client.h", "agent/"};
constexpr std::array<Names, 5> kRemote = {"base/", "base/net/http_client.h", "base/net/http_stream.h", "engine/chat.h", "engine/chat_model.h"};
constexpr std::array<Names, 11> kEverything = {"base/",      "base/net/", "engine/", "media/",
                                               "platforms/", "actions/",  "prompts/",
                                               "agent/",     "server/",   "remote/", "apps/"};
constexpr std::array<Arrow, 11> kArrows = {{
    {"base", {}},
    {"engine", kBase},
    {"media", kMedia},
    {"platforms", kPlatforms},
    {"actions", kActions},
    {"prompts", kPrompts},
    {"agent", kAgent},
    {"server", kServer},
    {"remote", kRemote},
    {"apps", kEverything},
    {"examples", kEverything},
}};

/// The engine's layers: each may include its own row and those above it.
constexpr std::array<std::array<Names, 2>, 9> kEngineLayers = {{{"tensor", ""},
                                                                {"quant", ""},
                                                                {"weights", ""},
                                                                {"kernels", ""},
                                                                {"tokenizer", "sampling"},
                                                                {"vision", ""},
                                                                {"models", ""},
                                                                {"device", ""},
                                                                {"runtime", ""}}};

std::optional<std::size_t> engine_layer(std::string_view path) {
    if (!path.starts_with("engine/")) {
        return std::nullopt;
    }
    path.remove_prefix(7);
    const std::string_view folder = path.substr(0, path.find('/'));
    for (std::size_t i = 0; i < kEngineLayers.size(); ++i) {
        if (std::find(kEngineLayers[i].begin(), kEngineLayers[i].end(), folder) !=
            kEngineLayers[i].end()) {
            return i;
        }
    }
    return std::nullopt;
}

struct Include {
    std::size_t line = 0;
    bool is_quoted = false;
    std::string_view path;
};

std::vector<Include> includes_of(const SourceFile& file) {
    std::vector<Include> found;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
        std::string_view line = file.lines[i];
        const std::size_t hash = line.find_first_not_of(" \t");
        if (hash == std::string_view::npos || line[hash] != '#') {
            continue;
        }
        line.remove_prefix(hash + 1);
        line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
        if (!line.starts_with("include")) {
            continue;
        }
        const std::size_t open = line.find_first_of("\"<");
        const std::size_t close =
            open == std::string_view::npos ? open : line.find_first_of("\">", open + 1);
        if (close != std::string_view::npos) {
            found.push_back({i + 1, line[open] == '"', line.substr(open + 1, close - open - 1)});
        }
    }
    return found;
}

bool is_source(const SourceFile& file) {
    constexpr std::array<Names, 5> kEndings = {".h", ".cpp", ".cu", ".cuh", ".inc"};
    return std::find(kEndings.begin(), kEndings.end(), file.extension()) != kEndings.end();
}

std::string at(const SourceFile& file, const Include& include) {
    return file.path + ":" + std::to_string(include.line) + ": ";
}

bool is_allowed(const Arrow& arrow, std::string_view path) {
    const std::string_view folder = path.substr(0, path.rfind('/') + 1);
    return std::any_of(arrow.to.begin(), arrow.to.end(), [&](Names name) {
        return name.ends_with('/') ? folder == name : path == name;
    });
}

std::optional<std::string> arrow_problem(const SourceFile& file, const Arrow& arrow,
                                         std::string_view path) {
    const std::string_view top = path.substr(0, path.find('/'));
    const bool is_rooted = path.find('/') != std::string_view::npos;
    if (!is_rooted && path.ends_with(".inc")) {
        return std::nullopt; // a table that the build generates
    }
    if (!is_rooted) {
        return "\"" + std::string(path) + "\" is not written from the root of the tree";
    }
    if (top == "tests") {
        return std::string(path) + ": only tests include tests";
    }
    if (top == arrow.from) {
        const auto from = engine_layer(file.path), to = engine_layer(path);
        if (from && to && *to > *from) {
            return std::string(path) + " lies in a higher layer of the engine";
        }
        return std::nullopt;
    }
    if (!is_allowed(arrow, path)) {
        return std::string(arrow.from) + "/ may not include " + std::string(path);
    }
    return std::nullopt;
}

/// A third-party header and the only places whose sources may include it.
struct Heavy {
    Names prefix;
    std::array<Names, 5> places;
};
constexpr std::array<Heavy, 19> kHeavy = {{
    {"boost/", {"server/", "base/net/", "examples/", "", ""}},
    {"opencv2/", {"base/image_codec.cpp", "engine/vision/", "platforms/replay/", "agent/locate/", "agent/export_video.cpp"}},
    {"libav", {"media/film_decoder.cpp", "media/film_input.cpp", "", "", ""}},
    {"libswscale/", {"media/film_decoder.cpp", "", "", "", ""}},
    {"histedit.h", {"apps/chat/line_editor.cpp", "", "", "", ""}},
    {"pango/", {"agent/caption.cpp", "", "", "", ""}},
    {"tesseract/", {"agent/locate/reading.cpp", "", "", "", ""}},
    {"leptonica/", {"agent/locate/reading.cpp", "", "", "", ""}},
    {"X11/", {"platforms/x11/", "", "", "", ""}},
    {"xdo.h", {"platforms/x11/", "", "", "", ""}},
    {"cuda", {"engine/device/", "", "", "", ""}},
    {"cublas", {"engine/device/", "", "", "", ""}},
    {"spdlog/", {"base/log.cpp", "", "", "", ""}},
    {"gtk/", {"examples/form_app/", "", "", "", ""}},
    {"sqlite3.h", {"agent/", "", "", "", ""}},
    {"hwy/", {"engine/", "", "", "", ""}},
    {"gvnc.h", {"platforms/vnc/", "", "", "", ""}},
    {"gio/", {"platforms/vnc/", "", "", "", ""}},
    {"gnutls/", {"platforms/vnc/", "", "", "", ""}},
}};

/// The files that a folder's CMakeLists.txt lists as HEADERS: what other folders may include.
std::set<std::string> front_headers(const Tree& tree) {
    std::set<std::string> headers;
    for (const SourceFile& file : tree.files) {
        if (!file.path.ends_with("/CMakeLists.txt") || file.top() == "tests") {
            continue;
        }
        const std::string folder = file.path.substr(0, file.path.rfind('/') + 1);
        bool is_list = false;
        for (const std::string& line : file.lines) {
            std::istringstream words(line);
            for (std::string word; words >> word;) {
                if (word.ends_with(".h") && is_list) {
                    headers.insert(folder + word);
                } else {
                    is_list = word == "HEADERS";
                }
            }
        }
    }
    return headers;
}

} // namespace

Findings check_include_arrows(const Tree& tree) {
    Findings findings;
    for (const SourceFile& file : tree.files) {
        const std::string top = file.top();
        const auto arrow = std::find_if(kArrows.begin(), kArrows.end(),
                                        [&](const Arrow& a) { return a.from == top; });
        if (arrow == kArrows.end() || !is_source(file)) {
            continue;
        }
        for (const Include& include : includes_of(file)) {
            if (!include.is_quoted) {
                continue;
            }
            if (const auto problem = arrow_problem(file, *arrow, include.path)) {
                findings.push_back(at(file, include) + *problem);
            }
        }
    }
    return findings;
}

Findings check_heavy_includes(const Tree& tree) {
    Findings findings;
    const std::set<std::string> fronts = front_headers(tree);
    for (const SourceFile& file : tree.files) {
        if (!is_source(file) || file.top() == "tests") {
            continue;
        }
        const bool is_front = fronts.contains(file.path);
        for (const Include& include : includes_of(file)) {
            if (include.path == "nlohmann/json.hpp" && is_front) {
                findings.push_back(at(file, include) +
                                   "front headers include nlohmann/json_fwd.hpp");
            }
            for (const Heavy& heavy : kHeavy) {
                if (!include.path.starts_with(heavy.prefix) || include.is_quoted) {
                    continue;
                }
                const bool is_here =
                    std::any_of(heavy.places.begin(), heavy.places.end(), [&](Names place) {
                        return !place.empty() && file.path.starts_with(place);
                    });
                if (is_front || !is_here) {
                    findings.push_back(
                        at(file, include) + std::string(include.path) +
                        (is_front ? " in a front header" : " outside its own files"));
                }
            }
        }
    }
    return findings;
}

} // namespace handeye::tidy

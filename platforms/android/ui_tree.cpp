// SPDX-License-Identifier: Apache-2.0
#include "platforms/android/ui_tree.h"

#include "platforms/android/shown.h"
#include "platforms/android/ui_xml.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

namespace handeye::android {
namespace {

constexpr std::string_view kDumpFile = "/data/local/tmp/handeye-window.xml"; // the shell's own folder on every Android
constexpr Duration kDumpTimeout = std::chrono::seconds(30);                  // uiautomator waits 10 s for an idle screen
constexpr std::size_t kLabelBytesMax = 200;

struct RoleRow {
    std::string_view end; ///< of the class name
    std::string_view role;
    bool holds_text = false;
};
/// By the end of the class name: android.widget.Button, androidx.appcompat.widget.AppCompatButton. The first that fits.
constexpr std::array<RoleRow, 26> kRoles = {{
    {"EditText", "entry", true}, {"AutoCompleteTextView", "entry", true}, {"SearchView", "entry", true}, {"TextInputLayout", "panel"},
    {"RadioButton", "radio button"}, {"ImageButton", "push button"}, {"FloatingActionButton", "push button"}, {"ToggleButton", "toggle button"},
    {"Switch", "toggle button"}, {"SwitchCompat", "toggle button"}, {"Button", "push button"}, {"CheckBox", "check box"},
    {"CheckedTextView", "check box"}, {"Spinner", "combo box"}, {"SeekBar", "slider"}, {"ProgressBar", "progress bar"},
    {"ImageView", "image"}, {"TextView", "label"}, {"WebView", "document web"}, {"ListView", "list"}, {"RecyclerView", "list"},
    {"GridView", "list"}, {"ScrollView", "scroll pane"}, {"ViewPager", "page tab list"}, {"TabWidget", "page tab list"}, {"Image", "image"},
}};

const RoleRow* role_row(std::string_view class_name) {
    const auto* const row = std::ranges::find_if(kRoles, [&](const RoleRow& r) { return class_name.ends_with(r.end); });
    return row == kRoles.end() ? nullptr : row;
}

bool is_true(const XmlElement& node, std::string_view attribute) { return node[attribute] == "true"; }

/// "[0,63][1080,210]"
std::optional<Rect> bounds_of(std::string_view text) {
    std::array<int, 4> numbers{};
    constexpr std::array<char, 4> kAfter{',', ']', ',', ']'};
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (i % 2 == 0) {
            if (!text.starts_with('[')) {
                return std::nullopt;
            }
            text.remove_prefix(1);
        }
        const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), numbers[i]);
        if (problem != std::errc() || std::abs(numbers[i]) > (1 << 24)) {
            return std::nullopt;
        }
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (!text.starts_with(kAfter[i])) {
            return std::nullopt;
        }
        text.remove_prefix(1);
    }
    return Rect{numbers[0], numbers[1], numbers[2] - numbers[0], numbers[3] - numbers[1]};
}

bool can_be_acted_on(const XmlElement& node) {
    return is_true(node, "clickable") || is_true(node, "long-clickable") || is_true(node, "checkable");
}

std::string first_bytes(std::string text) {
    if (text.size() > kLabelBytesMax) {
        std::size_t end = kLabelBytesMax;
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
            --end;
        }
        text.resize(end);
    }
    return text;
}

/// A row of a list has no name of its own: what it shows is its name.
void label_by_contents(const std::vector<XmlElement>& nodes, const std::vector<int>& element_of, std::vector<Element>& elements) {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const std::string_view text = nodes[i]["content-desc"].empty() ? nodes[i]["text"] : nodes[i]["content-desc"];
        if (text.empty() || is_true(nodes[i], "password")) {
            continue;
        }
        for (int up = nodes[i].parent; up >= 0; up = nodes[static_cast<std::size_t>(up)].parent) {
            const XmlElement& holder = nodes[static_cast<std::size_t>(up)];
            const int at = element_of[static_cast<std::size_t>(up)];
            if (at < 0 || !can_be_acted_on(holder)) {
                continue;
            }
            std::string& label = elements[static_cast<std::size_t>(at)].label_utf8;
            if (holder["content-desc"].empty() && holder["text"].empty() && label.size() < kLabelBytesMax) {
                label = first_bytes(label.empty() ? std::string(text) : fmt::format("{}, {}", label, text));
            }
            break;
        }
    }
}

Element element_of_node(const XmlElement& node, const Rect& box) {
    const RoleRow* row = role_row(node["class"]);
    Element element;
    element.is_secret = is_true(node, "password");
    element.role = element.is_secret ? "password text" : row != nullptr ? std::string(row->role) : is_true(node, "checkable") ? "check box"
                   : can_be_acted_on(node) ? "push button" : "panel";
    const bool holds_text = element.is_secret || (row != nullptr && row->holds_text);
    element.label_utf8 = first_bytes(std::string(!node["content-desc"].empty() ? node["content-desc"] : !node["hint"].empty() ? node["hint"]
                                                 : holds_text ? std::string_view() : node["text"]));
    if (holds_text && !element.is_secret) {
        element.value_utf8 = std::string(node["text"]);
    }
    element.box = box;
    element.id = std::string(node["resource-id"]);
    element.is_enabled = node["enabled"] != "false";
    element.is_focused = is_true(node, "focused");
    if (is_true(node, "checkable")) {
        element.is_checked = is_true(node, "checked");
    }
    return element;
}

} // namespace

Result<std::vector<Element>> elements_of_dump(std::string_view xml, Size size) {
    const std::vector<XmlElement> nodes = TRY(parse_ui_xml(xml));
    std::vector<Element> elements;
    std::vector<int> element_of(nodes.size(), -1);
    int marks = 0;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const XmlElement& node = nodes[i];
        const std::optional<Rect> bounds = bounds_of(node["bounds"]);
        if (node.name != "node" || !bounds || bounds->intersected({0, 0, size.width_px, size.height_px}).size().is_empty()) {
            continue;
        }
        Element element = element_of_node(node, *bounds);
        const bool holds_text = element.role == "entry" || element.is_secret;
        const bool is_acted_on = element.is_enabled && (can_be_acted_on(node) || holds_text);
        if (!is_acted_on && element.label_utf8.empty() && element.role == "panel") {
            continue; // a layout: nothing to see, nothing to press
        }
        element.mark = is_acted_on ? ++marks : 0;
        for (int up = node.parent; up >= 0 && element.parent < 0; up = nodes[static_cast<std::size_t>(up)].parent) {
            element.parent = element_of[static_cast<std::size_t>(up)];
        }
        element_of[i] = static_cast<int>(elements.size());
        elements.push_back(std::move(element));
    }
    label_by_contents(nodes, element_of, elements);
    return elements;
}

std::optional<Element> focused_text(const std::vector<Element>& elements) {
    const auto found = std::ranges::find_if(elements, [](const Element& e) { return e.is_focused && (e.role == "entry" || e.is_secret); });
    return found == elements.end() ? std::nullopt : std::optional(*found);
}

Result<Dump> dump_screen(DeviceLink& link, Size size, const ShellOptions& options) {
    ShellOptions patient = options;
    patient.timeout = std::max(options.timeout, kDumpTimeout);
    // The old file goes first: a dump that failed must not show the screen of before.
    const ShellResult dumped = TRY(link.run(fmt::format("rm -f {0}; uiautomator dump {0}", kDumpFile), patient));
    const std::string said = dumped.out + dumped.err;
    if (said.find("dumped to") == std::string::npos) {
        if (said.find("idle state") != std::string::npos) {
            return Dump{Dump::Sight::Restless, {}};
        }
        if (said.find("null root") != std::string::npos) {
            return Dump{Dump::Sight::NoWindow, {}};
        }
        return Error{ErrorCode::Unsupported, fmt::format("android device {}: uiautomator told nothing of the screen: {}", link.name(), shown(trimmed(said)))};
    }
    const std::string xml = TRY(link.read_file(std::string(kDumpFile), patient));
    return Dump{Dump::Sight::Told, TRY(elements_of_dump(xml, size).with_context("uiautomator of android device " + link.name()))};
}

Result<std::optional<Element>> read_focused_text(DeviceLink& link, Size size, const ShellOptions& options) {
    return focused_text(TRY(dump_screen(link, size, options)).elements);
}

} // namespace handeye::android

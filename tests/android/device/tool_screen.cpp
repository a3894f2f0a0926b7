// SPDX-License-Identifier: Apache-2.0
// `screencap`, `uiautomator`, `dumpsys`: what tells of the screen.
#include "tests/android/device/tools.h"

#include <X11/Xlib.h>
#include <X11/Xutil.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace handeye::phone {

namespace {

constexpr std::uint32_t kRgba8888 = 1, kSrgb = 1;

std::string word(std::uint32_t value) {
    std::string bytes;
    for (unsigned shift = 0; shift < 32; shift += 8) {
        bytes += static_cast<char>((value >> shift) & 0xFFU);
    }
    return bytes;
}

/// The upper left part of the display as RGB, black where nothing may be seen.
std::vector<std::uint8_t> pixels(PhoneX& x, Size size, bool is_visible) {
    std::vector<std::uint8_t> rgb(static_cast<std::size_t>(size.area()) * 3);
    if (!is_visible) {
        return rgb;
    }
    XImage* image = XGetImage(x.display(), x.root(), 0, 0, static_cast<unsigned>(size.width_px), static_cast<unsigned>(size.height_px), AllPlanes, ZPixmap);
    for (int y = 0; y < size.height_px; ++y) {
        for (int column = 0; column < size.width_px; ++column) {
            const unsigned long pixel = XGetPixel(image, column, y);
            std::uint8_t* out = rgb.data() + (static_cast<std::size_t>(y) * static_cast<std::size_t>(size.width_px) + static_cast<std::size_t>(column)) * 3;
            out[0] = static_cast<std::uint8_t>(pixel >> 16U), out[1] = static_cast<std::uint8_t>(pixel >> 8U), out[2] = static_cast<std::uint8_t>(pixel);
        }
    }
    XDestroyImage(image);
    return rgb;
}

std::string big_endian(std::uint32_t value) {
    std::string bytes = word(value);
    return {bytes.rbegin(), bytes.rend()};
}

std::uint32_t crc_of(std::string_view bytes) {
    std::uint32_t crc = 0xFFFFFFFFU;
    for (const char c : bytes) {
        crc ^= static_cast<unsigned char>(c);
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc & 1U) != 0 ? 0xEDB88320U ^ (crc >> 1U) : crc >> 1U;
        }
    }
    return ~crc;
}

std::string chunk(const std::string& name, const std::string& data) {
    return big_endian(static_cast<std::uint32_t>(data.size())) + name + data + big_endian(crc_of(name + data));
}

/// PNG with stored, not compressed, rows: no library has to be loaded each time a tool starts.
std::string png_of(const std::vector<std::uint8_t>& rgb, Size size) {
    std::string rows;
    const auto stride = static_cast<std::size_t>(size.width_px) * 3;
    for (std::size_t at = 0; at < rgb.size(); at += stride) {
        rows += '\0'; // no filter
        rows.append(reinterpret_cast<const char*>(rgb.data()) + at, stride); // bytes
    }
    constexpr std::size_t kBlockMax = 0xFFFF;
    std::string stored("\x78\x01", 2);
    std::uint32_t a = 1, b = 0; // Adler-32
    for (const char c : rows) {
        a = (a + static_cast<unsigned char>(c)) % 65521U;
        b = (b + a) % 65521U;
    }
    for (std::size_t at = 0; at < rows.size(); at += kBlockMax) {
        const std::string block = rows.substr(at, kBlockMax);
        const auto length = static_cast<std::uint32_t>(block.size());
        stored += (at + kBlockMax >= rows.size() ? '\1' : '\0') + word(length).substr(0, 2) + word(~length).substr(0, 2) + block;
    }
    stored += big_endian(b << 16U | a);
    const std::string head = big_endian(static_cast<std::uint32_t>(size.width_px)) + big_endian(static_cast<std::uint32_t>(size.height_px)) + std::string("\x08\x02\0\0\0", 5);
    return std::string("\x89PNG\r\n\x1a\n") + chunk("IHDR", head) + chunk("IDAT", stored) + chunk("IEND", "");
}

std::string xml_escaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        const bool is_beyond = c >= 0xF0U && i + 3 < text.size();
        if (is_beyond) { // the phone's serializer writes such a character as the two halves that UTF-16 has of it
            std::uint32_t code = c & 7U;
            for (int k = 0; k < 3; ++k) {
                code = code << 6U | (static_cast<unsigned char>(text[++i]) & 0x3FU);
            }
            code -= 0x10000U;
            out += "&#" + std::to_string(0xD800U + (code >> 10U)) + ";&#" + std::to_string(0xDC00U + (code & 0x3FFU)) + ";";
            continue;
        }
        out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : c == '\n' ? "&#10;" : std::string(1, text[i]);
    }
    return out;
}

std::string node(const View& view, const std::string& package, int index) {
    const auto truth = [](bool value) { return std::string(value ? "true" : "false"); };
    const Rect& b = view.box;
    return "<node index=\"" + std::to_string(index) + "\" text=\"" + xml_escaped(view.text) + "\" resource-id=\"" + package + ":id/" + xml_escaped(view.id) +
           "\" class=\"android.widget." + view.widget + "\" package=\"" + package + "\" content-desc=\"" + xml_escaped(view.description) + "\" checkable=\"" +
           truth(view.is("checkable")) + "\" checked=\"" + truth(view.is("checked")) + "\" clickable=\"" + truth(view.is("clickable")) + "\" enabled=\"" +
           truth(!view.is("disabled")) + "\" focusable=\"true\" focused=\"" + truth(view.is("focused")) + "\" scrollable=\"false\" long-clickable=\"false\" password=\"" +
           truth(view.is("password")) + "\" selected=\"false\" bounds=\"[" + std::to_string(b.x) + "," + std::to_string(b.y) + "][" +
           std::to_string(b.x + b.width_px) + "," + std::to_string(b.y + b.height_px) + "]\" />";
}

} // namespace

int tool_screencap(PhoneX& x, const Words& words) {
    State now = x.state();
    const Size size = x.screen();
    const bool is_secure = now["focus"].starts_with("com.example.vault/");
    if (is_secure && now["secure_shot"] == "fail") { // some makers' phones; with an exit code of 0
        say("Failed to take screenshot. Status: -1\nCapturing failed.\n");
        return 0;
    }
    if (now["screencap"] == "broken") {
        complain("screencap: Unable to open display\n");
        return 1;
    }
    const std::vector<std::uint8_t> rgb = pixels(x, size, now["awake"] == "1" && !is_secure);
    const bool is_png = !words.empty() && words[0] == "-p";
    std::string out;
    if (is_png) {
        out = png_of(rgb, size);
    } else {
        out = word(static_cast<std::uint32_t>(size.width_px)) + word(static_cast<std::uint32_t>(size.height_px)) + word(kRgba8888) + word(kSrgb);
        out.reserve(out.size() + static_cast<std::size_t>(size.area()) * 4);
        for (std::size_t i = 0; i < rgb.size(); i += 3) {
            out.append(reinterpret_cast<const char*>(rgb.data()) + i, 3); // three bytes of colour
            out += '\xFF';
        }
    }
    say(out);
    return 0;
}

int tool_uiautomator(PhoneX& x, const Words& words) {
    if (words.size() != 2 || words[0] != "dump") {
        complain("Usage: uiautomator dump [file]\n");
        return 1;
    }
    State now = x.state();
    const int no_roots = std::atoi(now["null_roots"].c_str()); // a test's fault: so many times no window has the focus
    x.set({{"dumps", std::to_string(std::atoi(now["dumps"].c_str()) + 1)}, {"null_roots", std::to_string(std::max(0, no_roots - 1))}});
    if (now["idle"] != "1") {
        complain("ERROR: could not get idle state.\n");
        return 0;
    }
    if (no_roots > 0) {
        complain("ERROR: null root node returned by UiTestAutomationBridge.\n");
        return 0;
    }
    const std::string focus = x.get("focus");
    const std::string package = focus.substr(0, focus.find('/'));
    const Size size = x.screen();
    std::string xml = "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?><hierarchy rotation=\"" + x.get("rotation") + "\">";
    View frame{"FrameLayout", "", "", "", {0, 0, size.width_px, size.height_px}, ""};
    std::string top = node(frame, package, 0);
    xml += top.substr(0, top.size() - 3) + ">";
    int index = 0;
    for (const View& view : views_of(x.property("PHONE_VIEWS"))) {
        xml += node(view, package, index++);
    }
    xml += "</node></hierarchy>";
    std::FILE* file = std::fopen(words[1].c_str(), "w");
    if (file == nullptr) {
        complain("ERROR: could not write " + words[1] + "\n");
        return 1;
    }
    std::fwrite(xml.data(), 1, xml.size(), file);
    std::fclose(file);
    say("UI hierchary dumped to: " + words[1] + "\n"); // as the tool spells it
    return 0;
}

int tool_dumpsys(PhoneX& x, const Words& words) {
    State now = x.state();
    const std::string what = words.empty() ? "" : words[0];
    const auto truth = [](bool value) { return std::string(value ? "true" : "false"); };
    const bool is_locked = now["locked"] == "1";
    const std::string package = now["focus"].substr(0, now["focus"].find('/'));
    const std::string activity = now["focus"].substr(now["focus"].find('/') + 1);
    const std::string title = is_locked ? "NotificationShade" : package + "/" + (activity.starts_with('.') ? package : "") + activity;
    const std::string window = "Window{" + now["token"] + "b0 u0 " + title + "}";
    if (what == "power") {
        say("Power Manager State:\n  mWakefulness=" + std::string(now["awake"] == "1" ? "Awake" : "Asleep") + "\nDisplay Power: state=" +
            (now["awake"] == "1" ? "ON" : "OFF") + "\n");
    } else if (what == "window") {
        say("WINDOW MANAGER POLICY STATE (dumpsys window policy)\n    KeyguardServiceDelegate\n      showing=" + truth(is_locked) +
            "\n      secure=" + truth(now["lock_secure"] == "1") + "\nWINDOW MANAGER WINDOWS (dumpsys window windows)\n  Window #0 Window{77aa00 u0 StatusBar}:\n"
            "    mAttrs={(0,0)(fillx24) gr=TOP ty=STATUS_BAR\n      fl=NOT_FOCUSABLE LAYOUT_IN_SCREEN\n      pfl=COLOR_SPACE_AGNOSTIC}\n  Window #1 " + window +
            ":\n    mAttrs={(0,0)(fillxfill) sim={adjust=resize} ty=BASE_APPLICATION wanim=0x10302fe\n      fl=LAYOUT_IN_SCREEN " +
            (package == "com.example.vault" ? "SECURE " : "") + "HARDWARE_ACCELERATED\n      pfl=NO_MOVE_ANIMATION}\n  mCurrentFocus=" + window +
            "\n  mFocusedApp=ActivityRecord{5f0 u0 " + now["focus"] + " t12}\n");
    } else if (what == "input_method") {
        say("Current Input Method Manager state:\n  mCurMethodId=" + now["ime"] + "\n  mBoundToMethod=true\n");
    } else {
        complain("Can't find service: " + what + "\n");
        return 255;
    }
    return 0;
}

} // namespace handeye::phone

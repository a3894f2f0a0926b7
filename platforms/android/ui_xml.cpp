// SPDX-License-Identifier: Apache-2.0
#include "platforms/android/ui_xml.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace handeye::android {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr char32_t kLastCodePoint = 0x10FFFF;

bool is_name_char(char c) {
    const auto u = static_cast<unsigned char>(c);
    return (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') || c == '-' || c == '_' || c == ':' || c == '.' || u >= 0x80U;
}

void append_utf8(std::string& out, char32_t c) {
    const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80U | ((c >> shift) & 0x3FU)); };
    if (c < 0x80U) {
        out += static_cast<char>(c);
    } else if (c < 0x800U) {
        out += static_cast<char>(0xC0U | (c >> 6U));
        tail(0);
    } else if (c < 0x10000U) {
        out += static_cast<char>(0xE0U | (c >> 12U));
        tail(6), tail(0);
    } else {
        out += static_cast<char>(0xF0U | (c >> 18U));
        tail(12), tail(6), tail(0);
    }
}

class Reader {
public:
    explicit Reader(std::string_view text) : text_(text) {}

    Result<std::vector<XmlElement>> read() {
        while (true) {
            at_ = std::min(text_.find('<', at_), text_.size());
            if (at_ == text_.size()) {
                break;
            }
            TRY(read_tag());
        }
        if (!open_.empty()) {
            return failed(fmt::format("the element <{}> is not closed", elements_[static_cast<std::size_t>(open_.back())].name));
        }
        if (elements_.empty()) {
            return failed("there is no element");
        }
        return std::move(elements_);
    }

private:
    [[nodiscard]] Error failed(std::string_view what) const {
        return {ErrorCode::ParseFailed, fmt::format("XML at byte {}: {}", at_, what)};
    }
    static Error too_much(std::string_view what, std::size_t limit) {
        return {ErrorCode::LimitExceeded, fmt::format("XML with more than {} {}", limit, what)};
    }
    [[nodiscard]] bool sees(std::string_view what) const { return text_.substr(at_).starts_with(what); }
    void skip_blanks() { at_ = std::min(text_.find_first_not_of(kBlanks, at_), text_.size()); }

    Result<void> skip_past(std::string_view end) {
        const std::size_t found = text_.find(end, at_);
        if (found == std::string_view::npos) {
            return failed(fmt::format("\"{}\" is missing", end));
        }
        at_ = found + end.size();
        return {};
    }

    Result<void> read_tag() {
        if (sees("<?")) {
            return skip_past("?>");
        }
        if (sees("<!--")) {
            return skip_past("-->");
        }
        if (sees("<!")) {
            return failed("a document type or a CDATA section, which uiautomator does not write");
        }
        if (sees("</")) {
            return read_end();
        }
        ++at_;
        return read_start();
    }

    Result<std::string> read_name() {
        const std::size_t begin = at_;
        while (at_ < text_.size() && is_name_char(text_[at_])) {
            ++at_;
        }
        if (at_ == begin) {
            return failed("a name is missing");
        }
        return std::string(text_.substr(begin, at_ - begin));
    }

    Result<void> read_end() {
        at_ += 2;
        const std::string name = TRY(read_name());
        if (open_.empty() || elements_[static_cast<std::size_t>(open_.back())].name != name) {
            return failed(fmt::format("</{}> closes nothing", name.substr(0, 64)));
        }
        open_.pop_back();
        return skip_past(">");
    }

    Result<void> read_start() {
        if (elements_.size() == kXmlElementsMax) {
            return too_much("elements", kXmlElementsMax);
        }
        if (open_.size() == static_cast<std::size_t>(kXmlDepthMax)) {
            return too_much("levels", kXmlDepthMax);
        }
        XmlElement element;
        element.name = TRY(read_name());
        element.parent = open_.empty() ? -1 : open_.back();
        while (true) {
            skip_blanks();
            if (sees("/>") || sees(">")) {
                break;
            }
            TRY(read_attribute(element));
        }
        elements_.push_back(std::move(element));
        if (sees(">")) {
            open_.push_back(static_cast<int>(elements_.size()) - 1);
        }
        at_ += sees(">") ? 1 : 2;
        return {};
    }

    Result<void> read_attribute(XmlElement& element) {
        std::string name = TRY(read_name());
        skip_blanks();
        if (!sees("=")) {
            return failed("an attribute without a value");
        }
        ++at_;
        skip_blanks();
        if (!sees("\"") && !sees("'")) {
            return failed("an attribute's value is not quoted");
        }
        const char quote = text_[at_++];
        const std::size_t end = text_.find(quote, at_);
        if (end == std::string_view::npos) {
            return failed("an attribute's value does not end");
        }
        if (end - at_ > kXmlValueBytesMax) {
            return too_much("bytes in one value", kXmlValueBytesMax);
        }
        if (element.attributes.size() == kXmlAttributesMax) {
            return too_much("attributes", kXmlAttributesMax);
        }
        std::string value = TRY(decoded(text_.substr(at_, end - at_)));
        at_ = end + 1;
        if (!element.attributes.emplace(std::move(name), std::move(value)).second) {
            return failed("an attribute is there twice");
        }
        return {};
    }

    [[nodiscard]] Result<std::string> decoded(std::string_view raw) const {
        std::string out;
        while (!raw.empty()) {
            const std::size_t ampersand = raw.find('&');
            out += raw.substr(0, ampersand);
            if (ampersand == std::string_view::npos) {
                break;
            }
            raw.remove_prefix(ampersand + 1);
            const std::size_t end = raw.find(';');
            if (end == std::string_view::npos || end > 10) {
                return failed("\"&\" without an entity");
            }
            TRY(append_entity(out, raw.substr(0, end)));
            raw.remove_prefix(end + 1);
        }
        return out;
    }

    /// uiautomator writes characters beyond the basic plane as two references, one for each half (its serializer works in UTF-16).
    [[nodiscard]] Result<void> append_entity(std::string& out, std::string_view entity) const {
        constexpr std::pair<std::string_view, char> kNamed[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
        const auto* const named = std::ranges::find(kNamed, entity, [](const auto& row) { return row.first; });
        if (named != std::end(kNamed)) {
            out += named->second;
            return {};
        }
        std::uint32_t number = 0;
        const bool is_hex = entity.starts_with("#x");
        const std::string_view digits = entity.starts_with('#') ? entity.substr(is_hex ? 2 : 1) : std::string_view();
        const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number, is_hex ? 16 : 10);
        if (digits.empty() || problem != std::errc() || end != digits.data() + digits.size() || number == 0 || number > kLastCodePoint) {
            return failed(fmt::format("&{}; is no character", entity));
        }
        append_unit(out, number);
        return {};
    }

    static void append_unit(std::string& out, std::uint32_t unit) {
        const auto byte = [&](std::size_t from_end) { return static_cast<unsigned char>(out[out.size() - from_end]); };
        const bool is_low = unit >= 0xDC00U && unit < 0xE000U;
        // A high half stands as three bytes ED A0..AF xx until its low half comes.
        if (is_low && out.size() >= 3 && byte(3) == 0xEDU && byte(2) >= 0xA0U && byte(2) < 0xB0U) {
            const std::uint32_t high = 0xD000U | (std::uint32_t{byte(2)} & 0x3FU) << 6U | (std::uint32_t{byte(1)} & 0x3FU);
            out.resize(out.size() - 3);
            unit = 0x10000U + ((high - 0xD800U) << 10U) + (unit - 0xDC00U);
        }
        append_utf8(out, unit);
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::vector<XmlElement> elements_;
    std::vector<int> open_;
};

} // namespace

std::string_view XmlElement::operator[](std::string_view attribute) const {
    const auto found = attributes.find(attribute);
    return found == attributes.end() ? std::string_view() : std::string_view(found->second);
}

Result<std::vector<XmlElement>> parse_ui_xml(std::string_view text) {
    if (text.size() > kXmlBytesMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("XML of {} bytes; the limit is {}", text.size(), kXmlBytesMax)};
    }
    return Reader(text).read();
}

} // namespace handeye::android

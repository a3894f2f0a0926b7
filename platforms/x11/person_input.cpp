// SPDX-License-Identifier: Apache-2.0
#include "platforms/x11/person_input.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <string_view>
#include <utility>

#include <X11/Xproto.h>
#include <xkbcommon/xkbcommon-compose.h>
#include <xkbcommon/xkbcommon.h>

namespace handeye::x11 {
namespace {

constexpr unsigned kChordMask = ControlMask | Mod1Mask | Mod4Mask;

/// Of the environment, as programs choose it; a locale without UTF-8 has no compose table worth its name.
std::string compose_locale() {
    for (const char* const variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const char* const value = std::getenv(variable);
        if (value != nullptr && value[0] != '\0') {
            const std::string locale = value;
            return locale.find("UTF-8") != std::string::npos && !locale.starts_with("C.") ? locale : "en_US.UTF-8";
        }
    }
    return "en_US.UTF-8";
}

/// What the keysym types; empty for keys that type no sign.
std::string text_of(KeySym keysym) {
    std::array<char, 16> buffer{};
    const int size = xkb_keysym_to_utf8(static_cast<xkb_keysym_t>(keysym), buffer.data(), buffer.size());
    const auto first = static_cast<unsigned char>(buffer[0]);
    return size <= 1 || first < 0x20 || first == 0x7f ? std::string() : std::string(buffer.data());
}

std::string name_of(KeySym keysym) {
    const std::string text = text_of(keysym);
    if (!text.empty() && static_cast<unsigned char>(text[0]) >= 0x80) {
        return text;
    }
    const char* const name = XKeysymToString(keysym);
    return name == nullptr ? std::string() : std::string(name);
}

std::vector<std::string> modifiers_of(unsigned state) {
    std::vector<std::string> out;
    constexpr std::array<std::pair<unsigned, const char*>, 4> kNames{{{ControlMask, "ctrl"}, {Mod1Mask, "alt"}, {ShiftMask, "shift"}, {Mod4Mask, "super"}}};
    for (const auto& [mask, name] : kNames) {
        if ((state & mask) != 0) {
            out.emplace_back(name);
        }
    }
    return out;
}

std::optional<decltype(PersonInput::what)> button_of(unsigned number, Edge edge) {
    constexpr std::array kButtons{MouseButton::Left, MouseButton::Middle, MouseButton::Right};
    if (number >= 1 && number <= kButtons.size()) {
        return PersonButton{kButtons[number - 1], edge};
    }
    constexpr std::array<Wheel, 4> kWheels{{{0, -1}, {0, 1}, {-1, 0}, {1, 0}}}; // buttons 4 to 7
    if (number >= 4 && number <= 7 && edge == Edge::Press) {
        return kWheels[number - 4];
    }
    return std::nullopt;
}

} // namespace

class PersonInputReader::Composer {
public:
    Composer() : context_(xkb_context_new(XKB_CONTEXT_NO_DEFAULT_INCLUDES)) {
        table_ = context_ == nullptr ? nullptr : xkb_compose_table_new_from_locale(context_, compose_locale().c_str(), XKB_COMPOSE_COMPILE_NO_FLAGS);
        state_ = table_ == nullptr ? nullptr : xkb_compose_state_new(table_, XKB_COMPOSE_STATE_NO_FLAGS);
    }
    ~Composer() {
        xkb_compose_state_unref(state_);
        xkb_compose_table_unref(table_);
        xkb_context_unref(context_);
    }
    Composer(const Composer&) = delete;
    Composer& operator=(const Composer&) = delete;

    void press(KeySym keysym, PersonKey& key) {
        const bool is_fed = state_ != nullptr && xkb_compose_state_feed(state_, static_cast<xkb_keysym_t>(keysym)) == XKB_COMPOSE_FEED_ACCEPTED;
        switch (is_fed ? xkb_compose_state_get_status(state_) : XKB_COMPOSE_NOTHING) {
        case XKB_COMPOSE_NOTHING: key.text_utf8 = text_of(keysym); break;
        case XKB_COMPOSE_COMPOSING: key.is_composing = true; break;
        case XKB_COMPOSE_CANCELLED: // neither part arrives
            key.is_composing = true;
            xkb_compose_state_reset(state_);
            break;
        case XKB_COMPOSE_COMPOSED: {
            std::array<char, 64> buffer{};
            xkb_compose_state_get_utf8(state_, buffer.data(), buffer.size());
            key.text_utf8 = buffer.data();
            xkb_compose_state_reset(state_);
            break;
        }
        }
    }

private:
    xkb_context* context_;
    xkb_compose_table* table_ = nullptr;
    xkb_compose_state* state_ = nullptr;
};

PersonInputReader::PersonInputReader(Clock& clock, PersonFollow follow)
    : clock_(clock), follow_(std::move(follow)), composer_(std::make_unique<Composer>()) {}

Result<std::unique_ptr<PersonInputReader>> PersonInputReader::open(const DisplayAddress& address, Clock& clock, PersonFollow follow) {
    std::unique_ptr<PersonInputReader> reader(new PersonInputReader(clock, std::move(follow)));
    TRY(reader->start(address));
    return reader;
}

Result<void> PersonInputReader::start(const DisplayAddress& address) {
    control_ = TRY(Connection::open(address));
    data_ = TRY(Connection::open(address));
    ::Display* const display = control_->get();
    int major = 0, minor = 0;
    if (XRecordQueryVersion(display, &major, &minor) == 0) {
        return Error{ErrorCode::Unsupported, "the display has no RECORD extension: a person's input cannot be followed"};
    }
    raw_ = TRY(RawInput::open(address)); // before: an event is told in both ways, or raw alone
    int opcode = 0, error = 0, xkb_major = XkbMajorVersion, xkb_minor = XkbMinorVersion;
    if (XkbQueryExtension(display, &opcode, &xkb_event_, &error, &xkb_major, &xkb_minor) == 0) {
        return Error{ErrorCode::Unsupported, "the display has no XKB extension: what keys type cannot be known"};
    }
    XkbSelectEvents(display, XkbUseCoreKbd, XkbMapNotifyMask | XkbNewKeyboardNotifyMask, XkbMapNotifyMask | XkbNewKeyboardNotifyMask);
    XRecordRange* const range = XRecordAllocRange();
    range->device_events.first = KeyPress;
    range->device_events.last = ButtonRelease;
    XRecordRange* ranges[] = {range};
    XRecordClientSpec clients = XRecordAllClients;
    context_ = XRecordCreateContext(display, XRecordFromServerTime, &clients, 1, ranges, 1);
    XFree(range);
    TRY(control_->sync("following a person's input"));
    if (context_ == 0 || XRecordEnableContextAsync(data_->get(), context_, &PersonInputReader::on_data, reinterpret_cast<XPointer>(this)) == 0) {
        return Error{ErrorCode::Unsupported, "the display does not let its input be followed"};
    }
    XFlush(data_->get());
    TRY(data_->check("following a person's input"));
    TRY(control_->sync("following a person's input"));
    if (::pipe(wake_) != 0) {
        return Error{ErrorCode::IoFailed, "no pipe for the reader of a person's input"};
    }
    thread_ = std::thread([this] { run(); });
    return {};
}

PersonInputReader::~PersonInputReader() {
    if (wake_[1] >= 0) {
        ::close(wake_[1]);
    }
    if (thread_.joinable()) {
        thread_.join();
    }
    if (wake_[0] >= 0) {
        ::close(wake_[0]);
    }
    if (context_ != 0 && !control_->is_lost()) {
        XRecordDisableContext(control_->get(), context_);
        XRecordFreeContext(control_->get(), context_);
        XSync(control_->get(), 0);
    }
}

void PersonInputReader::run() {
    std::array<pollfd, 3> waits{{{data_->fd(), POLLIN, 0}, {raw_->fd(), POLLIN, 0}, {wake_[0], POLLIN, 0}}};
    while (!data_->is_lost() && !raw_->is_lost()) {
        read();
        int ready = ::poll(waits.data(), waits.size(), 0);
        if (ready == 0 && merge_.is_in_doubt()) {
            settle_doubts();
        } else if (ready == 0) {
            tell_lost();
            merge_.rest();
            ready = ::poll(waits.data(), waits.size(), -1);
        }
        if (ready < 0 || waits[2].revents != 0) {
            return;
        }
    }
}

/// First what was recorded: outside of a burst what is raw of it was sent by then.
void PersonInputReader::read() {
    XRecordProcessReplies(data_->get());
    for (const HeardInput& raw : raw_->read()) {
        merge_.add_raw(raw);
    }
    for (const HeardInput& recorded : std::exchange(recorded_, {})) {
        merge_.add_recorded(recorded);
    }
    merge_.advance();
}

/// With an answer the server sends what it has recorded; with the next one also what it held back while the socket was full.
void PersonInputReader::settle_doubts() {
    constexpr int kRoundTrips = 3;
    const std::size_t mark = merge_.mark();
    for (int i = 0; i < kRoundTrips && !control_->is_lost(); ++i) {
        XSync(control_->get(), 0);
        read();
    }
    merge_.settle(mark);
}

void PersonInputReader::on_data(XPointer self, XRecordInterceptData* data) {
    if (data->category == XRecordFromServer && data->data_len * 4 >= sizeof(xEvent)) {
        const auto* const event = reinterpret_cast<const xEvent*>(data->data);
        const auto& core = event->u.keyButtonPointer;
        reinterpret_cast<PersonInputReader*>(self)->recorded_.push_back(
            {event->u.u.type & 0x7f, event->u.u.detail, core.state, {core.rootX, core.rootY}, static_cast<std::uint32_t>(core.time)});
    }
    XRecordFreeData(data);
}

void PersonInputReader::hear(const HeardInput& heard, bool recovered) {
    const auto button = heard.is_key() ? std::nullopt : button_of(heard.detail, heard.type == ButtonPress ? Edge::Press : Edge::Release);
    if (!heard.is_key() && !button) { // a wheel's release says nothing
        return;
    }
    if (recovered && button) { // where, nobody knows
        ++lost_.events;
        lost_time_ = time_of(heard.time_ms);
        return;
    }
    tell_lost();
    last_at_ = recovered ? last_at_ : heard.at;
    PersonInput input;
    input.at = last_at_;
    input.held = modifiers_of(heard.state);
    input.time = time_of(heard.time_ms);
    input.what = button ? *button : key_of(heard);
    follow_.on_input(input);
}

void PersonInputReader::tell_lost() {
    if (lost_.events > 0) {
        follow_.on_input({std::exchange(lost_, {}), last_at_, {}, lost_time_});
    }
}

PersonKey PersonInputReader::key_of(const HeardInput& heard) {
    refresh_keymap();
    PersonKey key;
    key.edge = heard.type == KeyPress ? Edge::Press : Edge::Release;
    KeySym plain = NoSymbol, shown = NoSymbol;
    unsigned used = 0;
    const auto code = static_cast<KeyCode>(heard.detail);
    constexpr unsigned kGroup = 3U << 13U; // two bits of the state
    XkbLookupKeySym(control_->get(), code, heard.state & (kGroup | Mod2Mask), &used, &plain);
    XkbLookupKeySym(control_->get(), code, heard.state, &used, &shown);
    key.name = name_of(plain);
    key.is_modifier = IsModifierKey(plain) || plain == XK_ISO_Level3_Shift || plain == XK_ISO_Level5_Shift;
    if (key.edge == Edge::Press && !key.is_modifier && (heard.state & kChordMask) == 0) {
        composer_->press(shown, key);
    }
    return key;
}

/// The server told of a change of the map before it told of the key.
void PersonInputReader::refresh_keymap() {
    while (!control_->is_lost() && XPending(control_->get()) > 0) {
        XEvent event;
        XNextEvent(control_->get(), &event);
        if (event.type == MappingNotify) {
            XRefreshKeyboardMapping(&event.xmapping);
        } else if (event.type == xkb_event_ && reinterpret_cast<const XkbAnyEvent&>(event).xkb_type == XkbMapNotify) {
            XkbRefreshKeyboardMapping(&reinterpret_cast<XkbEvent&>(event).map);
        }
    }
}

/// Never later than it was heard; a thread that got no turn for a while does not make an event late.
TimePoint PersonInputReader::time_of(std::uint32_t server_ms) {
    const TimePoint now = clock_.now();
    if (!newest_ms_) {
        newest_ms_ = server_ms;
        newest_ = now;
        return now;
    }
    newest_ += std::chrono::milliseconds(static_cast<std::int32_t>(server_ms - *newest_ms_));
    newest_ms_ = server_ms;
    newest_ = std::min(newest_, now);
    return newest_;
}

} // namespace handeye::x11

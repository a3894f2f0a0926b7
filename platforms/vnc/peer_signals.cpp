// SPDX-License-Identifier: Apache-2.0
// The way in: which of the server's security types is taken, what it is told, and what each end of a connection means.
#include "platforms/vnc/peer.h"

#include "platforms/vnc/dial.h"
#include "platforms/vnc/taps.h"
#include "platforms/vnc_peer.h"

#include "base/child_wire.h"
#include "base/log.h"
#include "base/printable.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <glib-unix.h>
#include <gvnc.h>
#include <sys/prctl.h>

namespace handeye::vnc {
namespace {

/// The security types from the best to the last: encrypted ones first. Those that are missing here are not taken.
constexpr std::array<int, 4> kSecurity{VNC_CONNECTION_AUTH_VENCRYPT, VNC_CONNECTION_AUTH_TLS, VNC_CONNECTION_AUTH_VNC, VNC_CONNECTION_AUTH_NONE};
constexpr std::array<int, 3> kCertified{VNC_CONNECTION_AUTH_VENCRYPT_X509PLAIN, VNC_CONNECTION_AUTH_VENCRYPT_X509VNC,
                                        VNC_CONNECTION_AUTH_VENCRYPT_X509NONE};
constexpr std::array<int, 3> kAnonymous{VNC_CONNECTION_AUTH_VENCRYPT_TLSPLAIN, VNC_CONNECTION_AUTH_VENCRYPT_TLSVNC,
                                        VNC_CONNECTION_AUTH_VENCRYPT_TLSNONE};

constexpr std::size_t kTypesMax = 10, kSubtypesMax = 20; // for more libgvnc has no room, and no check: nothing goes on after that

constexpr std::size_t kLoggedMax = 300;
constexpr unsigned kReleaseAgainMs = 10;
constexpr int kReleaseAttempts = 80; // within the second that the platform waits

G_GNUC_BEGIN_IGNORE_DEPRECATIONS
std::vector<int> values_of(GValueArray* array) {
    std::vector<int> values;
    for (guint i = 0; i < array->n_values; ++i) {
        values.push_back(g_value_get_enum(g_value_array_get_nth(array, i)));
    }
    return values;
}
G_GNUC_END_IGNORE_DEPRECATIONS

/// What the libraries say goes where our own messages go, and in their form: a server can make them say things.
GLogWriterOutput log_line(GLogLevelFlags level, const GLogField* fields, gsize count, gpointer /*unused*/) {
    for (gsize i = 0; i < count; ++i) {
        if (std::string_view(fields[i].key) == "MESSAGE" && fields[i].length < 0) {
            const std::string text = printable_line(std::string_view(static_cast<const char*>(fields[i].value)).substr(0, kLoggedMax));
            (level & G_LOG_FLAG_FATAL) != 0 ? log::warn("vnc", text) : log::info("vnc", text);
        }
    }
    return G_LOG_WRITER_HANDLED;
}

bool has(const std::vector<int>& values, int value) { return std::find(values.begin(), values.end(), value) != values.end(); }

} // namespace

struct Peer::Signals {
    static Peer& of(gpointer self) { return *static_cast<Peer*>(self); }
    static void choose(VncConnection*, GValueArray* offered, gpointer self) { of(self).choose_security(offered); }
    static void choose_subtype(VncConnection*, guint, GValueArray* offered, gpointer self) { of(self).choose_subtype(offered); }
    static void credential(VncConnection*, GValueArray* asked, gpointer self) { of(self).give_credentials(asked); }
    static void refused(VncConnection*, const char* why, gpointer self) {
        of(self).stage_ = Stage::Refused;
        of(self).refusal_ = why;
    }
    static void initialized(VncConnection*, gpointer self) { of(self).begin(); }
    static void updated(VncConnection*, guint16 x, guint16 y, guint16 width, guint16 height, gpointer self) { of(self).changed({x, y, width, height}); }
    static void resized(VncConnection*, guint16 width, guint16 height, gpointer self) { of(self).resize({width, height}); }
    static void other_pixels(VncConnection*, gpointer, gpointer self) {
        of(self).fail({ErrorCode::ParseFailed, "the server breaks the protocol: it changes the form of pixels that nobody asked it to change"});
    }
    static void cut_text(VncConnection*, const char* text, gpointer self) { // Latin-1: what else it can be the protocol does not say
        gchar* const utf8 = g_convert(text, -1, "UTF-8", "ISO-8859-1", nullptr, nullptr, nullptr);
        of(self).tell_text(Tell::Clipboard, {}, utf8 != nullptr ? utf8 : "");
        g_free(utf8);
    }
    static void pointer_changed(VncConnection*, gpointer shape, gpointer self) {
        PointerTell told{shape != nullptr ? 1U : 0U};
        of(self).tell(Tell::Pointer, wire::bytes_of(told));
    }
    static void renamed(VncConnection*, const char* name, gpointer self) { of(self).tell_text(Tell::Renamed, {}, name); }
    static void error(VncConnection*, const char* why, gpointer self) {
        if (of(self).stage_ != Stage::Refused) {
            of(self).refusal_ = why; // "auth-failure" comes after it, where it is that
        }
    }
    static void disconnected(VncConnection*, gpointer self) { of(self).lost(of(self).refusal_); }
};

void Peer::open(FileDescriptor server, std::vector<std::string> texts) {
    texts_ = std::move(texts);
    connection_ = vnc_connection_new();
    const auto connect = [&](const char* signal, GCallback callback) { g_signal_connect(connection_, signal, callback, this); };
    connect("vnc-auth-choose-type", G_CALLBACK(Signals::choose));
    connect("vnc-auth-choose-subtype", G_CALLBACK(Signals::choose_subtype));
    connect("vnc-auth-credential", G_CALLBACK(Signals::credential));
    connect("vnc-auth-failure", G_CALLBACK(Signals::refused));
    connect("vnc-initialized", G_CALLBACK(Signals::initialized));
    connect("vnc-framebuffer-update", G_CALLBACK(Signals::updated));
    connect("vnc-desktop-resize", G_CALLBACK(Signals::resized));
    connect("vnc-pixel-format-changed", G_CALLBACK(Signals::other_pixels));
    connect("vnc-server-cut-text", G_CALLBACK(Signals::cut_text));
    connect("vnc-cursor-changed", G_CALLBACK(Signals::pointer_changed));
    connect("vnc-desktop-rename", G_CALLBACK(Signals::renamed));
    connect("vnc-error", G_CALLBACK(Signals::error));
    connect("vnc-disconnected", G_CALLBACK(Signals::disconnected));
    vnc_connection_set_shared(connection_, TRUE); // nobody who watches is thrown out
    taps().ca_pem = texts_[kCaPem];
    taps().on_refused = [this](const std::string& reason) {
        fail({ErrorCode::PermissionDenied, reason.empty() ? "the server refused: it offers no security type, and says nothing" : fmt::format("the server refused: {}", reason)});
    };
    vnc_connection_set_credential(connection_, VNC_CONNECTION_CREDENTIAL_CLIENTNAME, "handeye"); // looks for files: before the sandbox
    static FileDescriptor owned;
    owned = std::move(server);
    server_ = owned.get();
    vnc_connection_open_fd_with_hostname(connection_, owned.get(), texts_[kHost].c_str());
}

void Peer::choose_security(GValueArray* offered) {
    const std::vector<int> types = values_of(offered);
    if (types.size() > kTypesMax) {
        fail({ErrorCode::ParseFailed, fmt::format("the server breaks the protocol: it lists {} security types, of which there are not {}", types.size(), kTypesMax)});
    }
    const bool must_encrypt = texts_[kTls] != "auto";
    const bool has_password = texts_[kHasPassword] == "1";
    for (const int type : kSecurity) {
        const bool is_encrypted = type == VNC_CONNECTION_AUTH_VENCRYPT || type == VNC_CONNECTION_AUTH_TLS;
        const bool is_certified = type == VNC_CONNECTION_AUTH_VENCRYPT;
        const bool fits = (is_encrypted || !must_encrypt) && (is_certified || texts_[kTls] != "verify");
        if (has(types, type) && fits && (type != VNC_CONNECTION_AUTH_VNC || has_password || !has(types, VNC_CONNECTION_AUTH_NONE))) {
            type_ = type;
            is_encrypted_ = is_encrypted;
            vnc_connection_set_auth_type(connection_, static_cast<unsigned>(type));
            return;
        }
    }
    const bool is_about_tls = must_encrypt && (has(types, VNC_CONNECTION_AUTH_VNC) || has(types, VNC_CONNECTION_AUTH_NONE));
    fail({is_about_tls ? ErrorCode::PermissionDenied : ErrorCode::Unsupported,
          fmt::format("the server offers the security types {}; taken are 1 (none), 2 (VNC password), 18 (TLS) and 19 (VeNCrypt){}", fmt::join(types, ", "),
                      is_about_tls ? fmt::format(", and --tls {} wants an encrypted one", texts_[kTls]) : "")});
}

void Peer::choose_subtype(GValueArray* offered) {
    const std::vector<int> types = values_of(offered);
    if (types.size() > kSubtypesMax) {
        fail({ErrorCode::ParseFailed, fmt::format("the server breaks the protocol: it lists {} kinds of encryption", types.size())});
    }
    const bool has_password = texts_[kHasPassword] == "1", has_user = !texts_[kUser].empty();
    std::vector<int> wanted;
    const auto add = [&](std::span<const int> three) { // with user and password, with a password, with nothing
        if (has_user && has_password) {
            wanted.push_back(three[0]);
        }
        if (has_password) {
            wanted.push_back(three[1]);
        }
        wanted.insert(wanted.end(), {three[2], three[1], three[0]});
    };
    const bool can_verify = !texts_[kCaPem].empty();
    if (can_verify) {
        add(kCertified);
    }
    if (texts_[kTls] != "verify") {
        add(kAnonymous);
        add(std::array<int, 3>{VNC_CONNECTION_AUTH_VNC, VNC_CONNECTION_AUTH_VNC, VNC_CONNECTION_AUTH_NONE}); // below type 18
    }
    const auto found = std::find_if(wanted.begin(), wanted.end(), [&](int type) { return has(types, type); });
    if (found == wanted.end()) {
        fail({ErrorCode::PermissionDenied,
              fmt::format("the server offers the kinds {} of encryption; with --tls {} these would do: {}", fmt::join(types, ", "), texts_[kTls], fmt::join(wanted, ", "))});
    }
    subtype_ = *found;
    vnc_connection_set_auth_subtype(connection_, static_cast<unsigned>(*found));
}

/// Whatever way the library came here: nothing secret goes, and no session begins, below what the person asked for.
void Peer::check_security() {
    const bool is_certified = type_ == VNC_CONNECTION_AUTH_VENCRYPT && has({kCertified.begin(), kCertified.end()}, subtype_);
    const bool must_encrypt = texts_[kTls] != "auto";
    if (type_ == 0 || (must_encrypt && (!is_encrypted_ || subtype_ == 0)) || (texts_[kTls] == "verify" && !is_certified)) {
        fail({ErrorCode::PermissionDenied, fmt::format("the server goes on without the security that was asked for (--tls {}): type {}, kind {}", texts_[kTls], type_, subtype_)});
    }
}

void Peer::give_credentials(GValueArray* asked) {
    for (const int what : values_of(asked)) {
        if (what == VNC_CONNECTION_CREDENTIAL_PASSWORD) {
            if (texts_[kHasPassword] != "1") {
                fail({ErrorCode::PermissionDenied, "the server asks for a password: give --password-file, or HANDEYE_VNC_PASSWORD in the environment"});
            }
            check_security();
            vnc_connection_set_credential(connection_, what, texts_[kPassword].c_str());
        } else if (what == VNC_CONNECTION_CREDENTIAL_USERNAME) {
            if (texts_[kUser].empty()) {
                fail({ErrorCode::PermissionDenied, "the server asks for the name of a user: give --user"});
            }
            vnc_connection_set_credential(connection_, what, texts_[kUser].c_str());
        } else {
            vnc_connection_set_credential(connection_, what, "handeye");
        }
    }
}

void Peer::lost(const std::string& why) {
    const bool is_gone = why.empty() || why == "Server closed the connection" || why == "Unable to read from server" || why.starts_with("Failed to flush");
    if (stage_ == Stage::Refused) {
        fail({ErrorCode::PermissionDenied, fmt::format("the server refused: {}", why)});
    }
    if (why.find("ertificate") != std::string::npos || why.find("handshake") != std::string::npos) {
        fail({ErrorCode::PermissionDenied, fmt::format("no trust in the server: {}", why)});
    }
    if (is_gone && stage_ == Stage::Handshake && why.empty()) {
        fail({ErrorCode::PermissionDenied, "the server ended the handshake without a word; it may have refused this client after wrong passwords"});
    }
    if (is_gone) {
        fail({ErrorCode::Unavailable, "the server closed the connection"});
    }
    fail({ErrorCode::ParseFailed, fmt::format("the server breaks the protocol: {}", why)});
}

} // namespace handeye::vnc

namespace handeye {

int serve_vnc(int socket, const std::function<bool()>& enter_sandbox) {
    using namespace vnc;
    ::prctl(PR_SET_PDEATHSIG, 0); // of a platform that was killed what is held is let go first
    g_log_set_writer_func(log_line, nullptr, nullptr);
    Peer peer(socket);
    MessageHead head;
    const auto soon = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    if (wire::receive_all(socket, wire::bytes_of(head), soon) != wire::Moved::All || head.bytes > kMessageBytesMax || head.kind != static_cast<std::uint32_t>(Ask::Connect)) {
        return 1;
    }
    std::string packed(head.bytes, '\0');
    if (wire::receive_all(socket, {reinterpret_cast<std::uint8_t*>(packed.data()), packed.size()}, soon) != wire::Moved::All) {
        return 1;
    }
    std::vector<std::string> texts = unpack_texts(packed);
    if (texts.size() != kConnectTexts) {
        return 1;
    }
    Result<FileDescriptor> server = dial(texts[kHost], texts[kPort], texts[kUnixPath]);
    if (!server) {
        peer.fail(server.error());
    }
    peer.open(std::move(*server), std::move(texts));
    if (!enter_sandbox()) {
        peer.fail({ErrorCode::Internal, "handeye-vnc could not enter its sandbox"});
    }
    GMainLoop* const loop = g_main_loop_new(nullptr, FALSE);
    struct Both {
        Peer& peer;
        GMainLoop* loop;
        int attempts;
    } both{peer, loop, kReleaseAttempts};
    g_unix_fd_add(socket, static_cast<GIOCondition>(G_IO_IN | G_IO_HUP | G_IO_ERR), [](gint, GIOCondition, gpointer data) -> gboolean {
        auto* const self = static_cast<Both*>(data);
        if (self->peer.take_ask()) {
            return G_SOURCE_CONTINUE;
        }
        if (self->peer.release_all() || --self->attempts == 0) {
            g_main_loop_quit(self->loop);
        } else {
            g_timeout_add(kReleaseAgainMs, [](gpointer again) -> gboolean {
                auto* const waiting = static_cast<Both*>(again);
                const bool is_over = waiting->peer.release_all() || --waiting->attempts == 0;
                is_over ? g_main_loop_quit(waiting->loop) : void();
                return is_over ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
            }, data);
        }
        return G_SOURCE_REMOVE;
    }, &both);
    g_main_loop_run(loop);
    peer.say_goodbye();
    return 0;
}

} // namespace handeye

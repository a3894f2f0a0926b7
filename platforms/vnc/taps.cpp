// SPDX-License-Identifier: Apache-2.0
// A program's own functions come before those of its shared libraries: those at the end replace the ones that libgvnc calls.
#include "platforms/vnc/taps.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <dlfcn.h>
#include <gio/gio.h>
#include <gnutls/gnutls.h>
#include <poll.h>

namespace handeye::vnc {
namespace {

constexpr int kRawPatienceMs = 10'000;

int trust(gnutls_certificate_credentials_t credentials) {
    std::string& pem = taps().ca_pem;
    const gnutls_datum_t data{reinterpret_cast<unsigned char*>(pem.data()), static_cast<unsigned>(pem.size())};
    return gnutls_certificate_set_x509_trust_mem(credentials, &data, GNUTLS_X509_FMT_PEM);
}

/// `send` returns bytes, or less than 0 where it would have to wait (`is_full`) or failed.
template <class Send, class IsFull>
bool send_raw(const Send& send, const IsFull& is_full, int socket) {
    std::string& raw = taps().raw;
    while (!raw.empty()) {
        const auto sent = send(raw.data(), raw.size());
        if (sent > 0) {
            raw.erase(0, static_cast<std::size_t>(sent));
            continue;
        }
        pollfd ready{socket, POLLOUT, 0};
        if (!is_full(sent) || ::poll(&ready, 1, kRawPatienceMs) <= 0) {
            return false;
        }
    }
    return true;
}

/// Runs `read` into libgvnc's buffer, without what is not for libgvnc. Less than 0: as `read` said; `again` where all of it was ours.
template <class Read>
gssize sieve(char* buffer, gsize size, gssize again, const Read& read) {
    Taps& state = taps();
    if (state.ready.empty() && !state.is_in_tls && state.greeting.wanted() > 0) {
        const gssize got = read(buffer, std::min<gsize>(size, state.greeting.wanted()));
        if (got > 0) {
            state.ready = state.greeting.take({buffer, static_cast<std::size_t>(got)});
        }
        if (state.greeting.is_refusal() && (got == 0 || state.greeting.wanted() == 0)) {
            state.on_refused(state.greeting.reason());
        }
        if (got <= 0 || state.ready.empty()) {
            return got <= 0 ? got : again;
        }
    } else if (state.ready.empty()) {
        const gssize got = read(buffer, size);
        if (got <= 0 || !state.is_initialized || state.theirs.is_lost()) {
            return got;
        }
        state.ready = state.theirs.take({buffer, static_cast<std::size_t>(got)});
        if (state.ready.empty()) {
            return again;
        }
    }
    const std::size_t count = std::min<std::size_t>(size, state.ready.size());
    std::memcpy(buffer, state.ready.data(), count);
    state.ready.erase(0, count);
    return static_cast<gssize>(count);
}

template <class Function>
Function original(const char* name) {
    return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

int socket_of_tls = -1; // plain bytes of a TLS connection leave through gnutls_record_send() alone

} // namespace

Taps& taps() {
    static Taps instance;
    return instance;
}

} // namespace handeye::vnc

extern "C" {

gssize g_socket_send(GSocket* socket, const gchar* buffer, gsize size, GCancellable* cancellable, GError** error) {
    using namespace handeye::vnc;
    Taps& state = taps();
    socket_of_tls = g_socket_get_fd(socket);
    if (!state.is_in_tls && state.is_initialized && state.ours.is_between()) {
        const auto send = [&](const char* bytes, std::size_t count) { return g_socket_send_with_blocking(socket, bytes, count, FALSE, nullptr, nullptr); };
        if (!send_raw(send, [](gssize) { return errno == EAGAIN || errno == EWOULDBLOCK; }, socket_of_tls)) {
            g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_FAILED, "the server takes nothing");
            return -1;
        }
    }
    const gssize sent = g_socket_send_with_blocking(socket, buffer, size, FALSE, cancellable, error);
    if (sent > 0) {
        state.bytes_sent += static_cast<std::uint64_t>(sent);
        state.greeting.sent({buffer, static_cast<std::size_t>(sent)});
        if (!state.is_in_tls && state.is_initialized) {
            state.ours.take({buffer, static_cast<std::size_t>(sent)});
        }
    }
    return sent;
}

ssize_t gnutls_record_send(gnutls_session_t session, const void* data, size_t size) {
    using namespace handeye::vnc;
    static const auto real = original<decltype(&gnutls_record_send)>("gnutls_record_send");
    Taps& state = taps();
    state.is_in_tls = true;
    if (state.is_initialized && state.ours.is_between()) {
        const auto send = [&](const char* bytes, std::size_t count) { return real(session, bytes, count); };
        if (!send_raw(send, [](ssize_t sent) { return sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED; }, socket_of_tls)) {
            return GNUTLS_E_PUSH_ERROR;
        }
    }
    const ssize_t sent = real(session, data, size);
    if (sent > 0 && state.is_initialized) {
        state.ours.take({static_cast<const char*>(data), static_cast<std::size_t>(sent)});
    }
    return sent;
}

gssize g_socket_receive(GSocket* socket, gchar* buffer, gsize size, GCancellable* cancellable, GError** error) {
    using namespace handeye::vnc;
    const auto read = [&](char* into, gsize count) { return g_socket_receive_with_blocking(socket, into, count, FALSE, cancellable, error); };
    if (taps().is_in_tls) {
        return read(buffer, size);
    }
    const gssize got = sieve(buffer, size, -2, read);
    if (got == -2) {
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, "nothing yet");
    }
    return got < 0 ? -1 : got;
}

ssize_t gnutls_record_recv(gnutls_session_t session, void* data, size_t size) {
    using namespace handeye::vnc;
    static const auto real = original<decltype(&gnutls_record_recv)>("gnutls_record_recv");
    taps().is_in_tls = true;
    return sieve(static_cast<char*>(data), size, GNUTLS_E_AGAIN, [&](char* into, gsize count) { return real(session, into, count); });
}

int gnutls_certificate_set_x509_system_trust(gnutls_certificate_credentials_t credentials) { return handeye::vnc::trust(credentials); }

int gnutls_certificate_set_x509_trust_file(gnutls_certificate_credentials_t credentials, const char* /*file*/, gnutls_x509_crt_fmt_t /*type*/) {
    return handeye::vnc::trust(credentials);
}

// A third of a second of arithmetic before each handshake, for numbers that a client never uses.
int gnutls_dh_params_generate2(gnutls_dh_params_t /*params*/, unsigned /*bits*/) { return 0; }
void gnutls_certificate_set_dh_params(gnutls_certificate_credentials_t /*credentials*/, gnutls_dh_params_t /*params*/) {}
}

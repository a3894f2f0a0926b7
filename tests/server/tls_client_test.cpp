// SPDX-License-Identifier: Apache-2.0
// The command line over TLS: whose certificate is believed, and that nothing is said to anybody else.
#include "tests/server/handeyed_fixture.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace handeye::testing {
namespace {

const std::string kCommand = HANDEYE_BINARY_DIR "/bin/handeye";

class TlsClient : public Handeyed {
protected:
    void SetUp() override {
        // Two authorities; of the first a server for 127.0.0.2 and handeye.test, and a client.
        const std::string script = R"(cd ')" + folder.path().string() + R"(' && exec >/dev/null 2>&1
key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }
ca() { key $1; openssl req -x509 -new -key $1.key -days 2 -subj /CN=$1 -out $1.pem; }
leaf() { key $1; openssl req -new -key $1.key -subj /CN=$1 -out $1.csr; printf "$2" > $1.ext
  openssl x509 -req -in $1.csr -CA ours.pem -CAkey ours.key -CAcreateserial -days 2 -extfile $1.ext -out $1.pem; }
ca ours; ca foreign
leaf server 'subjectAltName=IP:127.0.0.2,DNS:handeye.test'
leaf client 'extendedKeyUsage=clientAuth' && chmod 600 *.key)";
        if (std::system(script.c_str()) != 0) {
            GTEST_SKIP() << "the openssl program is not installed";
        }
    }
    [[nodiscard]] std::string path(const std::string& name) const { return (folder.path() / name).string(); }
    /// On 127.0.0.2 and, in TLS too, on 127.0.0.1; the address as it says it.
    [[nodiscard]] std::string serve(const std::string& more = "", const std::string& rest = "") {
        std::ofstream(path("config.yaml")) << fmt::format("listen: [\"127.0.0.2:0\", \"tls:127.0.0.1:0\"]\ntls: {{cert: {}, key: {}{}}}\ntoken_file: {}\n{}", path("server.pem"),
                                                         path("server.key"), more, path("token"), rest);
        daemon = spawn_ready({"--config", path("config.yaml")});
        std::string table = fmt::format("/proc/{}/net/tcp", daemon->pid());
        const auto port_of = [&](const std::string& address) {
            std::string port;
            std::ifstream lines(table);
            for (std::string line; std::getline(lines, line);) {
                if (const std::size_t at = line.find(address); at != std::string::npos && line.find(" 0A ") != std::string::npos && owns(line)) {
                    port = std::to_string(std::stoi(line.substr(at + 9, 4), nullptr, 16));
                }
            }
            return port;
        };
        loopback_port = port_of("0100007F:");
        return "127.0.0.2:" + port_of("0200007F:");
    }
    /// True for a row of /proc/net/tcp whose socket is the daemon's.
    [[nodiscard]] bool owns(const std::string& row) const {
        std::istringstream words(row);
        std::string inode;
        for (int i = 0; i < 10; ++i) {
            words >> inode;
        }
        for (const auto& entry : std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", daemon->pid()))) {
            std::error_code gone;
            if (std::filesystem::read_symlink(entry.path(), gone) == "socket:[" + inode + "]") {
                return true;
            }
        }
        return false;
    }
    std::string ask(const std::string& address, int code, std::vector<std::string> more = {}) const {
        std::vector<std::string> argv{kCommand, "sessions", "--daemon", address, "--token-file", path("token")};
        argv.insert(argv.end(), more.begin(), more.end());
        auto variables = environment();
        variables.emplace_back("HANDEYE_CA", "");
        return run_to_end(argv, code, variables);
    }
    std::unique_ptr<Process> daemon;
    std::string loopback_port;
};

TEST_F(TlsClient, AnAddressBeyondThisMachineIsSpokenToThroughTls) {
    const std::string address = serve();
    EXPECT_NE(ask(address, 0, {"--ca", path("ours.pem")}).find("no sessions"), std::string::npos);
    EXPECT_NE(ask("tls:" + address, 0, {"--ca", path("ours.pem"), "--json"}).find("\"sessions\":[]"), std::string::npos);
    auto variables = environment();
    variables.emplace_back("HANDEYE_CA", path("ours.pem"));
    run_to_end({kCommand, "sessions", "--daemon", address, "--token-file", path("token")}, 0, variables);
}

TEST_F(TlsClient, AForeignAuthorityAndAnotherNameAreNotBelieved) {
    const std::string address = serve();
    EXPECT_NE(ask(address, 5).find("certificate does not prove"), std::string::npos); // the system's authorities
    EXPECT_NE(ask(address, 5, {"--ca", path("foreign.pem")}).find("certificate does not prove"), std::string::npos);
    const std::string other_name = ask("tls:127.0.0.1:" + loopback_port, 5, {"--ca", path("ours.pem")});
    EXPECT_NE(other_name.find("certificate does not prove that it is 127.0.0.1"), std::string::npos) << other_name;
    EXPECT_NE(ask(address, 2, {"--ca", path("none.pem")}).find("none.pem"), std::string::npos);
    EXPECT_NE(ask("127.0.0.1:" + loopback_port, 5).find("127.0.0.1"), std::string::npos); // in the clear to a TLS port
}

TEST_F(TlsClient, ACertificateOfOursIsShownWhereOneIsWanted) {
    const std::string address = serve(fmt::format(", client_ca: {}", path("ours.pem")));
    const std::vector<std::string> ours{"--ca", path("ours.pem")};
    ask(address, 5, ours);
    const auto with = [&](const std::string& cert, const std::string& key) { return std::vector<std::string>{"--ca", path("ours.pem"), "--cert", path(cert), "--key", path(key)}; };
    ask(address, 0, with("client.pem", "client.key"));
    ask(address, 5, with("foreign.pem", "foreign.key"));
    ask(address, 2, with("client.pem", "server.key")); // they do not belong together
    ask(address, 2, {"--ca", path("ours.pem"), "--cert", path("client.pem")});
}

TEST_F(TlsClient, ARenewedCertificateIsTakenUpByAReload) {
    const std::string address = serve();
    ask(address, 0, {"--ca", path("ours.pem")});
    std::filesystem::copy_file(path("foreign.pem"), path("server.pem"), std::filesystem::copy_options::overwrite_existing);
    daemon->send_signal(SIGHUP); // the key is another one's: nothing changes
    while (notify.next().find("READY=1\nSTATUS=the configuration stays") == std::string::npos) {
    }
    ask(address, 0, {"--ca", path("ours.pem")});
    std::filesystem::copy_file(path("foreign.key"), path("server.key"), std::filesystem::copy_options::overwrite_existing);
    daemon->send_signal(SIGHUP);
    while (notify.next().find("READY=1\nSTATUS=the configuration was read again") == std::string::npos) {
    }
    EXPECT_NE(ask(address, 5, {"--ca", path("ours.pem")}).find("does not prove"), std::string::npos);
}

/// From another address of this machine to `address`; says nothing.
FileDescriptor silent_stranger(const char* from, const std::string& address) {
    const auto colon = address.find(':');
    sockaddr_in here{};
    here.sin_family = AF_INET;
    sockaddr_in there = here;
    ::inet_pton(AF_INET, from, &here.sin_addr);
    ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &there.sin_addr);
    there.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
    FileDescriptor out(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(out.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here), 0);
    EXPECT_EQ(::connect(out.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there), 0);
    return out;
}
bool is_open(const FileDescriptor& socket) {
    char byte = 0;
    return ::recv(socket.get(), &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

TEST_F(TlsClient, SilentStrangersLockNobodyOut) {
    const std::string address = serve("", "limits: {identify_timeout_s: 3600}\n");
    const FileDescriptor quiet = silent_stranger("127.0.0.9", address);
    std::vector<FileDescriptor> crowd;
    for (int i = 0; i < 150; ++i) {
        crowd.push_back(silent_stranger("127.0.0.1", address));
    }
    ask(address, 0, {"--ca", path("ours.pem")});
    // The oldest of them made way, at 32 of one address; nobody of another address did.
    EXPECT_EQ(std::count_if(crowd.begin(), crowd.end(), is_open), 31);
    EXPECT_TRUE(is_open(crowd.back()));
    EXPECT_TRUE(is_open(quiet));
    for (int from = 10; from < 20; ++from) { // many addresses: 64 in all
        for (int i = 0; i < 10; ++i) {
            crowd.push_back(silent_stranger(fmt::format("127.0.0.{}", from).c_str(), address));
        }
    }
    ask(address, 0, {"--ca", path("ours.pem")});
    EXPECT_FALSE(is_open(quiet));
    EXPECT_EQ(std::count_if(crowd.begin(), crowd.end(), is_open), 63);
    daemon->send_signal(SIGTERM);
    EXPECT_EQ(daemon->wait(), 0);
    int lines = 0; // some 220 were dropped
    for (std::size_t at = 0; (at = daemon->output().find("too many clients shake hands", at)) != std::string::npos; ++at) {
        ++lines;
    }
    EXPECT_GE(lines, 1);
    EXPECT_LT(lines, 20) << daemon->output();
}

TEST_F(TlsClient, EachConnectionShowsItsCertificateAnew) {
    const std::string address = serve(fmt::format(", client_ca: {}", path("ours.pem")));
    const std::string script = R"(
import socket, ssl, sys
folder, host, port = sys.argv[1:]
for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    context = ssl.create_default_context(cafile=folder + "/ours.pem")
    context.load_cert_chain(folder + "/client.pem", folder + "/client.key")
    context.minimum_version = context.maximum_version = version
    session = None
    for _ in range(2):
        with context.wrap_socket(socket.create_connection((host, int(port)), 60), server_hostname=host, session=session) as s:
            s.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert s.recv(4096).startswith(b"HTTP/1.1 200"), version
            assert not s.session_reused, version
            session = s.session
)";
    const auto colon = address.find(':');
    run_to_end({"/usr/bin/python3", "-c", script, folder.path(), address.substr(0, colon), address.substr(colon + 1)}, 0, environment());
}

class TokenCommand : public Handeyed {
protected:
    std::string token(std::vector<std::string> words, int code) const {
        words.insert(words.begin(), {kCommand, "token"});
        return run_to_end(words, code, environment());
    }
};

TEST_F(TokenCommand, MakesListsAndRevokes) {
    const auto daemon = spawn_ready({"--listen", "127.0.0.1:0", "--listen", "unix:" + socket_path().string(), "--token-file", folder.path() / "token", "-v"});
    const json made = json::parse(token({"create", "--name", "ci", "--scopes", "observe,engine", "--expires", "7d", "--json"}, 0));
    const auto secret = made.at("token").get<std::string>();
    EXPECT_EQ(secret.size(), 64U);
    const std::string listed = token({"list"}, 0);
    EXPECT_NE(listed.find("observe,engine"), std::string::npos) << listed;
    EXPECT_EQ(listed.find(secret), std::string::npos);
    token({"create", "--name", "ci", "--scopes", "observe"}, 2);
    token({"create", "--name", "x", "--scopes", "everything"}, 2);
    token({"create", "--name", "x", "--scopes", "observe", "--expires", "soon"}, 2);
    token({"revoke", "nobody"}, 2);
    EXPECT_NE(token({"revoke", "ci"}, 0).find("opens nothing"), std::string::npos);
    EXPECT_NE(token({"list"}, 0).find("no named tokens"), std::string::npos);
    daemon->send_signal(SIGTERM);
    EXPECT_EQ(daemon->wait(), 0);
    EXPECT_EQ(daemon->output().find(secret), std::string::npos);
}

} // namespace
} // namespace handeye::testing

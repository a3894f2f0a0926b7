// SPDX-License-Identifier: Apache-2.0
#include "base/net/byte_stream.h"

#include "base/net/dial.h"

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

namespace handeye {
namespace {

class AsioByteStream final : public ByteStream {
public:
    explicit AsioByteStream(const Endpoint& endpoint) : what_(to_string(endpoint)), socket_(io_) {}

    Result<void> open(const Endpoint& endpoint, const TlsOptions& tls, const StreamWait& wait) {
        socket_ = TRY(dial(io_, endpoint, tls, {wait.deadline, wait.timeout, wait.stop}));
        return {};
    }

    Result<std::size_t> read_some(std::span<std::uint8_t> into, const StreamWait& wait) override {
        std::size_t bytes = 0;
        const Result<void> done = until_done(wait, [&] {
            socket_.async_read_some(asio::buffer(into.data(), into.size()), [&](error_code ec, std::size_t count) {
                bytes = count;
                done_ = ec == asio::error::eof ? error_code() : ec;
            });
        });
        if (!done) {
            return done.error();
        }
        return bytes;
    }

    Result<void> write_all(std::string_view bytes, const StreamWait& wait) override {
        return until_done(wait, [&] {
            asio::async_write(socket_, asio::buffer(bytes.data(), bytes.size()), [&](error_code ec, std::size_t) { done_ = ec; });
        });
    }

private:
    Result<void> until_done(const StreamWait& wait, const std::function<void()>& start) {
        return run_operation(io_, socket_, done_, {wait.deadline, wait.timeout, wait.stop}, what_, start);
    }

    const std::string what_;
    asio::io_context io_{1};
    AnySocket socket_;
    std::optional<error_code> done_;
};

} // namespace

Result<std::unique_ptr<ByteStream>> ByteStream::connect(const Endpoint& endpoint, const StreamWait& wait, const TlsOptions& tls) {
    auto stream = std::make_unique<AsioByteStream>(endpoint);
    TRY(stream->open(endpoint, tls, wait));
    return std::unique_ptr<ByteStream>(std::move(stream));
}

Result<void> ByteStream::read_exact(std::span<std::uint8_t> into, const StreamWait& wait) {
    std::size_t filled = 0;
    while (filled < into.size()) {
        const std::size_t bytes = TRY(read_some(into.subspan(filled), wait));
        if (bytes == 0) {
            return Error{ErrorCode::Unavailable, fmt::format("the connection ended after {} of {} bytes", filled, into.size())};
        }
        filled += bytes;
    }
    return {};
}

} // namespace handeye

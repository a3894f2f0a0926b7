// SPDX-License-Identifier: Apache-2.0
// The Boost names that the server uses, and the one stream type for Unix and TCP sockets alike, so that the
// WebSocket templates are instantiated once. Included by this folder and control_server.cpp only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

namespace handeye {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;
using AnySocket = asio::generic::stream_protocol::socket;
using AnyStream = beast::basic_stream<asio::generic::stream_protocol>;
using WebSocketStream = websocket::stream<AnyStream, false>; // false: no compression, so no decompression bombs

} // namespace handeye

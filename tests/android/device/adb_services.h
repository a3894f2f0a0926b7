// SPDX-License-Identifier: Apache-2.0
// The services of the test phone: a shell with or without separate streams and exit codes, and files.
#pragma once

#include <string>
#include <string_view>

namespace handeye::phone {

struct DeviceEndOptions;

class ServiceStream {
public:
    virtual ~ServiceStream() = default;
    /// False: the other side has ended it.
    virtual bool write(std::string_view data) = 0;
    /// What has come since; empty: the other side has ended it.
    virtual std::string read() = 0;
    virtual bool has_ended() = 0;
};

bool knows_service(std::string_view service, const DeviceEndOptions& options);
/// Until it is done.
void run_service(std::string_view service, ServiceStream& stream, const DeviceEndOptions& options);

} // namespace handeye::phone

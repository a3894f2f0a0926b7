// SPDX-License-Identifier: Apache-2.0
#include "apps/daemon_config.h"

#include "actions/keys.h"
#include "agent/policy.h"
#include "base/json.h"
#include "base/suggest.h"
#include "base/net/http_client.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

namespace handeye {
namespace {

using nlohmann::json;

constexpr int kThreadsMax = 1024;
constexpr int kTriesMax = 100;
constexpr int kGpuMemoryMax = 4096; // GB
constexpr int kDepthMax = 16;
constexpr std::int64_t kExpirySecondsMax = 86'400;
constexpr std::int64_t kKeepDaysMax = 36'500;
constexpr std::int64_t kQuotaBytesMax = std::int64_t{1} << 50U;

/// One place in the file, for messages.
struct At {
    const std::string& file;
    std::string key;
    YAML::Node node;
    [[nodiscard]] Error error(const std::string& what) const {
        const YAML::Mark mark = node.Mark();
        return Error{ErrorCode::InvalidArgument, fmt::format("{}:{}:{}: {}", file, mark.line + 1, mark.column + 1, what)};
    }
};

/// An alias is a few bytes that may stand for as many as it likes, itself among them.
class NoAnchors final : public YAML::EventHandler {
public:
    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override { check(mark, anchor); }
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { check(mark, anchor); }
    void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, const std::string&) override { check(mark, anchor); }
    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override { check(mark, anchor); }
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override { check(mark, anchor); }
    void OnMapEnd() override {}

private:
    static void check(const YAML::Mark& mark, YAML::anchor_t anchor) {
        if (anchor != YAML::NullAnchor) {
            throw YAML::ParserException(mark, "anchors (&name) and aliases (*name) are not understood here; write the value again");
        }
    }
};

Result<std::string> text_at(const At& at) {
    if (!at.node.IsScalar() || at.node.Scalar().empty()) {
        return at.error(fmt::format("{} must be a text", at.key));
    }
    return at.node.Scalar();
}

Result<std::int64_t> number_at(const At& at, std::int64_t from, std::int64_t to) {
    std::int64_t value = 0;
    if (!at.node.IsScalar() || !YAML::convert<std::int64_t>::decode(at.node, value) || value < from || value > to) {
        const std::string given = at.node.IsScalar() ? at.node.Scalar() : "no number";
        return at.error(fmt::format("{} is \"{}\", it must be from {} to {}", at.key, given, from, to));
    }
    return value;
}

template <class Value>
Result<Value> choice_at(const At& at, const std::map<std::string, Value>& choices) {
    const std::string text = TRY(text_at(at));
    const auto found = choices.find(text);
    if (found == choices.end()) {
        std::vector<std::string> names;
        for (const auto& [name, value] : choices) {
            names.push_back(name);
        }
        return at.error(fmt::format("{} is \"{}\", it must be one of {}", at.key, text, fmt::join(names, ", ")));
    }
    return found->second;
}

// Whether there is such a card is seen when the model is loaded.
Result<void> take_device(const At& at, DaemonOptions& options) {
    const std::string text = TRY(text_at(at));
    const bool is_card = text == "cuda" || (text.starts_with("cuda:") && text.size() > 5 && text.find_first_not_of("0123456789", 5) == std::string::npos);
    if (!is_card && text != "auto" && text != "cpu") {
        return at.error(fmt::format("{} is \"{}\", it must be one of auto, cpu, cuda, cuda:N", at.key, text));
    }
    options.device = is_card ? text : "cpu";
    return {};
}

// A plain scalar is a number, a truth value or null where it reads as one; a quoted one is a text.
json scalar_to_json(const YAML::Node& node) {
    if (node.Tag() != "!") {
        if (const json parsed = json::parse(node.Scalar(), nullptr, false); !parsed.is_discarded() && !parsed.is_string()) {
            return parsed;
        }
    }
    return node.Scalar();
}

json to_json(const YAML::Node& node, int depth) {
    if (node.IsScalar()) {
        return scalar_to_json(node);
    }
    json out = node.IsMap() ? json::object() : node.IsSequence() ? json::array() : json();
    if (depth < kDepthMax) {
        for (const auto& item : node) {
            if (node.IsMap()) {
                out[item.first.Scalar()] = to_json(item.second, depth + 1);
            } else {
                out.push_back(to_json(item, depth + 1));
            }
        }
    }
    return out;
}

Result<void> take_listen(const At& at, DaemonOptions& options) {
    const auto take_one = [&](const YAML::Node& node) -> Result<void> {
        const At one{at.file, at.key, node};
        const std::string text = TRY(text_at(one));
        auto endpoint = parse_endpoint(text);
        if (!endpoint) {
            return one.error(endpoint.error().message);
        }
        options.listen.push_back(std::move(*endpoint));
        return {};
    };
    if (!at.node.IsSequence()) {
        return take_one(at.node);
    }
    for (const YAML::Node& item : at.node) {
        TRY(take_one(item));
    }
    return {};
}

using Take = std::function<Result<void>(const At& at, DaemonOptions& options)>;

// One text, or the URLs of servers one by one.
Result<void> take_model(const At& at, DaemonOptions& options) {
    if (!at.node.IsSequence()) {
        options.model = TRY(text_at(at));
        return {};
    }
    for (const YAML::Node& item : at.node) {
        const At one{at.file, at.key, item};
        const std::string text = TRY(text_at(one));
        if (!names_servers(text)) {
            return one.error("model must be a text, or a list of http: and https: URLs");
        }
        options.model += (options.model.empty() ? "" : ",") + text;
    }
    return options.model.empty() ? Result<void>(at.error("model must be a text, or a list of URLs that is not empty")) : Result<void>();
}

Take seconds_into(Duration RemoteTimeouts::*member) {
    return [member](const At& at, DaemonOptions& options) -> Result<void> {
        options.remote.timeouts.*member = std::chrono::seconds(TRY(number_at(at, 1, kExpirySecondsMax)));
        return {};
    };
}

template <class Member>
Take remote_into(Member RemoteSettings::*member) {
    return [member](const At& at, DaemonOptions& options) -> Result<void> {
        options.remote.*member = TRY(text_at(at));
        return {};
    };
}

Result<void> take_adapters(const At& at, DaemonOptions& options) {
    if (!at.node.IsSequence()) {
        return at.error("adapters must be a list of folders");
    }
    for (const YAML::Node& item : at.node) {
        options.adapters.push_back(TRY(text_at({at.file, at.key, item})));
    }
    return {};
}

/// Full paths of what is there; `is_folder` or a program.
Result<std::vector<std::filesystem::path>> paths_at(const At& at, bool is_folder) {
    if (!at.node.IsSequence()) {
        return at.error(fmt::format("{} must be a list of full paths", at.key));
    }
    std::vector<std::filesystem::path> paths;
    for (const YAML::Node& item : at.node) {
        const At one{at.file, at.key, item};
        const std::filesystem::path path = TRY(text_at(one));
        std::error_code problem;
        if (!path.is_absolute() || !(is_folder ? std::filesystem::is_directory(path, problem) : std::filesystem::is_regular_file(path, problem))) {
            return one.error(fmt::format("{} holds \"{}\", it must be the full path of a {}", at.key, path.string(), is_folder ? "folder" : "program"));
        }
        paths.push_back(path);
    }
    return paths;
}

Result<void> take_policy(const At& at, DaemonOptions& options) {
    const std::string text = dump_json(to_json(at.node, 0));
    const auto policy = policy_from_json(text);
    if (!policy) {
        return at.error(policy.error().message);
    }
    options.policy_json = text;
    options.policy_origin = fmt::format("{}:{}", std::filesystem::path(at.file).filename().string(), at.node.Mark().line + 1);
    return {};
}

Result<void> take_webhook(const At& at, DaemonOptions& options) {
    const std::string text = TRY(text_at(at));
    if (const auto url = parse_http_url(text); !url) { // its text stays out of the message: it may hold a secret
        return at.error(at.key + " must be an http: or https: URL without user and password");
    }
    options.approvals.webhook = text;
    return {};
}

// A single ordinary key would stop everything at each letter that is typed.
Result<void> take_hot_key(const At& at, DaemonOptions& options) {
    const std::string text = TRY(text_at(at));
    if (text == "none") {
        options.hot_key.clear();
        return {};
    }
    const auto chord = parse_chord(text);
    if (!chord || text.find('+') == std::string::npos) {
        return at.error(fmt::format("hot_key is \"{}\", it must be a chord such as ctrl+alt+escape, or none", text));
    }
    options.hot_key = text;
    return {};
}

template <class Member>
Take text_into(Member DaemonOptions::*member) {
    return [member](const At& at, DaemonOptions& options) -> Result<void> {
        options.*member = TRY(text_at(at));
        return {};
    };
}

template <class Member>
Take limit_into(Member DaemonLimits::*member, std::int64_t from, std::int64_t to) {
    return [=](const At& at, DaemonOptions& options) -> Result<void> {
        const std::int64_t value = TRY(number_at(at, from, to));
        if constexpr (std::is_same_v<Member, Duration>) {
            options.limits.*member = std::chrono::seconds(value);
        } else {
            options.limits.*member = static_cast<Member>(value);
        }
        return {};
    };
}

const std::map<std::string, Take>& table() {
    constexpr std::int64_t kMebi = 1 << 20;
    static const std::map<std::string, Take> rows{
        {"listen", take_listen},
        {"token_file", text_into(&DaemonOptions::token_file)},
        {"model", take_model},
        {"remote.api_key_env", remote_into(&RemoteSettings::api_key_env)},
        {"remote.api_key_file", remote_into(&RemoteSettings::api_key_file)},
        {"remote.ca_file", remote_into(&RemoteSettings::ca_file)},
        {"remote.prompt", remote_into(&RemoteSettings::prompt)},
        {"remote.allow_plain_http", [](const At& at, DaemonOptions& options) -> Result<void> {
             options.remote.allows_plain_http = TRY(choice_at<bool>(at, {{"true", true}, {"false", false}}));
             return {};
         }},
        {"remote.connect_timeout_s", seconds_into(&RemoteTimeouts::connect)},
        {"remote.first_token_timeout_s", seconds_into(&RemoteTimeouts::first_token)},
        {"remote.token_timeout_s", seconds_into(&RemoteTimeouts::between_tokens)},
        {"remote.tries", [](const At& at, DaemonOptions& options) -> Result<void> {
             options.remote.tries = static_cast<int>(TRY(number_at(at, 1, kTriesMax)));
             return {};
         }},
        {"adapters", take_adapters},
        {"quantize", [](const At& at, DaemonOptions& options) -> Result<void> {
             options.quantize = TRY(choice_at<std::string>(at, {{"none", ""}, {"8bit", "8bit"}, {"4bit", "4bit"}}));
             return {};
         }},
        {"sessions_dir", text_into(&DaemonOptions::sessions_dir)},
        {"policy", take_policy},
        {"hot_key", take_hot_key},
        {"device", take_device},
        {"gpu_memory_gb", [](const At& at, DaemonOptions& options) -> Result<void> {
             options.gpu_memory_gb = TRY(number_at(at, 1, kGpuMemoryMax));
             return {};
         }},
        {"checksums", [](const At& at, DaemonOptions& options) -> Result<void> {
             options.skips_checksums = TRY(choice_at<bool>(at, {{"verify", false}, {"skip", true}}));
             return {};
         }},
        {"approvals.notify", [](const At& at, DaemonOptions& options) -> Result<void> {
             using Notify = ApprovalSettings::Notify;
             options.approvals.notify = TRY(choice_at<Notify>(at, {{"desktop", Notify::Desktop}, {"none", Notify::None}}));
             return {};
         }},
        {"approvals.webhook", take_webhook},
        {"approvals.webhook_ca", [](const At& at, DaemonOptions& options) -> Result<void> {
             options.approvals.webhook_ca = TRY(text_at(at));
             return {};
         }},
        {"approvals.expiry_s", [](const At& at, DaemonOptions& options) -> Result<void> {
             options.approvals.expiry = std::chrono::seconds(TRY(number_at(at, 1, kExpirySecondsMax)));
             return {};
         }},
        {"recordings.keep_days", [](const At& at, DaemonOptions& options) -> Result<void> {
             options.recordings.keep_days = static_cast<int>(TRY(number_at(at, 0, kKeepDaysMax)));
             return {};
         }},
        {"recordings.quota_bytes", [](const At& at, DaemonOptions& options) -> Result<void> {
             options.recordings.quota_bytes = static_cast<std::uint64_t>(TRY(number_at(at, 0, kQuotaBytesMax)));
             return {};
         }},
        {"recordings.when_full", [](const At& at, DaemonOptions& options) -> Result<void> {
             using WhenFull = RecordingSettings::WhenFull;
             options.recordings.when_full = TRY(choice_at<WhenFull>(at, {{"refuse", WhenFull::Refuse}, {"delete_oldest", WhenFull::DeleteOldest}}));
             return {};
         }},
        {"models.root", [](const At& at, DaemonOptions& options) -> Result<void> {
             const std::filesystem::path path = TRY(text_at(at));
             if (!path.is_absolute()) {
                 return at.error(fmt::format("models.root is \"{}\", it must be the full path of a folder", path.string()));
             }
             options.models_root = path;
             return {};
         }},
        {"threads", [](const At& at, DaemonOptions& options) -> Result<void> {
             options.threads = static_cast<int>(TRY(number_at(at, 0, kThreadsMax)));
             return {};
         }},
        {"tasks.files_root", [](const At& at, DaemonOptions& options) -> Result<void> {
             const std::filesystem::path path = TRY(text_at(at));
             std::error_code problem;
             if (!path.is_absolute() || !std::filesystem::is_directory(path, problem)) {
                 return at.error(fmt::format("tasks.files_root is \"{}\", it must be the full path of a folder", path.string()));
             }
             options.task_files_root = path;
             return {};
         }},
        {"targets.folders", [](const At& at, DaemonOptions& options) -> Result<void> {
             options.targets.folders = TRY(paths_at(at, true));
             return {};
         }},
        {"targets.browsers", [](const At& at, DaemonOptions& options) -> Result<void> {
             options.targets.browsers = TRY(paths_at(at, false));
             return {};
         }},
        {"tls.cert", text_into(&DaemonOptions::tls_cert)},
        {"tls.key", text_into(&DaemonOptions::tls_key)},
        {"tls.client_ca", text_into(&DaemonOptions::tls_client_ca)},
        {"log.level", [](const At& at, DaemonOptions& options) -> Result<void> {
             options.log_level = TRY(choice_at<log::Level>(at, {{"debug", log::Level::Debug},
                                                                 {"info", log::Level::Info},
                                                                 {"warn", log::Level::Warn},
                                                                 {"error", log::Level::Error}}));
             return {};
         }},
        {"log.format", [](const At& at, DaemonOptions& options) -> Result<void> {
             options.log_format = TRY(choice_at<log::Format>(at, {{"text", log::Format::Text}, {"json", log::Format::Json}}));
             return {};
         }},
        {"log.file", text_into(&DaemonOptions::log_file)},
        {"limits.connections", limit_into(&DaemonLimits::connections, 1, 100'000)},
        {"limits.unidentified", limit_into(&DaemonLimits::unidentified, 1, 10'000)},
        {"limits.sessions", limit_into(&DaemonLimits::sessions, 1, 1024)},
        {"limits.message_bytes", limit_into(&DaemonLimits::message_bytes, 1024, 64 * kMebi)},
        {"limits.queue_bytes", limit_into(&DaemonLimits::queue_bytes, 65'536, 256 * kMebi)},
        {"limits.identify_timeout_s", limit_into(&DaemonLimits::identify_timeout, 1, 3600)},
        {"limits.idle_timeout_s", limit_into(&DaemonLimits::idle_timeout, 2, 86'400)},
        {"limits.write_timeout_s", limit_into(&DaemonLimits::write_timeout, 1, 3600)},
    };
    return rows;
}

Error unknown_key(const At& at, const std::string& prefix) {
    std::vector<std::string> names;
    for (const std::string& key : daemon_config_keys()) {
        std::string name = key.substr(std::min(prefix.size(), key.size()), key.find('.', prefix.size()) - prefix.size());
        if (key.starts_with(prefix) && (names.empty() || names.back() != name)) {
            names.push_back(std::move(name));
        }
    }
    const std::vector<std::string_view> known(names.begin(), names.end());
    return at.error(fmt::format("there is no key \"{}{}\"; {}", prefix, at.key, suggestion(at.key, "keys", known)));
}

Result<void> read_map(const std::string& file, const YAML::Node& map, const std::string& prefix, DaemonOptions& options) {
    std::vector<std::string> seen;
    for (const auto& entry : map) {
        const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
        const At at_key{file, key, entry.first};
        if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
            return at_key.error(fmt::format("\"{}{}\" is there twice", prefix, key));
        }
        seen.push_back(key);
        const std::string full = prefix + key;
        const bool is_group = prefix.empty() && (key == "tls" || key == "log" || key == "limits" || key == "approvals" || key == "recordings" || key == "tasks" || key == "targets" || key == "models" || key == "remote");
        const auto row = table().find(full);
        if (is_group && entry.second.IsMap()) {
            TRY(read_map(file, entry.second, key + ".", options));
        } else if (is_group) {
            return At{file, key, entry.second}.error(fmt::format("{} is a map of keys", key));
        } else if (row == table().end() || key.find('.') != std::string::npos) {
            return unknown_key(at_key, prefix);
        } else {
            TRY(row->second(At{file, full, entry.second}, options));
        }
    }
    return {};
}

} // namespace

std::vector<std::string> daemon_config_keys() {
    std::vector<std::string> keys;
    for (const auto& [key, take] : table()) {
        keys.push_back(key);
    }
    return keys;
}

Result<DaemonOptions> parse_daemon_config(std::string_view yaml, const std::string& name) {
    try {
        std::istringstream stream{std::string(yaml)};
        NoAnchors handler;
        YAML::Parser(stream).HandleNextDocument(handler);
        const YAML::Node root = YAML::Load(std::string(yaml));
        DaemonOptions options;
        if (root.IsNull()) {
            return options;
        }
        if (!root.IsMap()) {
            return At{name, "", root}.error("a configuration is a map of keys");
        }
        TRY(read_map(name, root, "", options));
        if (options.tls_cert.empty() != options.tls_key.empty()) {
            return At{name, "tls", root["tls"]}.error("tls needs both cert and key");
        }
        return options;
    } catch (const YAML::Exception& problem) {
        return Error{ErrorCode::ParseFailed,
                     fmt::format("{}:{}:{}: {}", name, problem.mark.line + 1, problem.mark.column + 1, problem.msg)};
    }
}

} // namespace handeye

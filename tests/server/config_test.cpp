// SPDX-License-Identifier: Apache-2.0
// The configuration file: what is read, what is refused and where, and that its schema says the same.
#include "apps/daemon_config.h"
#include "base/json.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

struct ConfigCase {
    const char* name;
    const char* yaml;
    const char* error; ///< "": it is fine
};
class DaemonConfig : public ::testing::TestWithParam<ConfigCase> {};

TEST_P(DaemonConfig, IsReadStrictly) {
    const auto options = parse_daemon_config(GetParam().yaml, "c.yaml");
    if (std::string_view(GetParam().error).empty()) {
        EXPECT_TRUE(options) << options.error().message;
    } else {
        ASSERT_FALSE(options);
        EXPECT_NE(options.error().message.find(GetParam().error), std::string::npos) << options.error().message;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Table, DaemonConfig,
    ::testing::Values(
        ConfigCase{"Empty", "", ""}, ConfigCase{"OneListener", "listen: unix:/run/x.sock\n", ""},
        ConfigCase{"Listeners", "listen:\n  - unix:/run/x.sock\n  - 127.0.0.1:7625\nthreads: 2\nmodel: /m\n", ""},
        ConfigCase{"UnknownKey", "model: /m\ncolour: red\n", "c.yaml:2:1: there is no key \"colour\"; the keys are"},
        ConfigCase{"Suggestion", "model: /m\nlissten: /x\n", "c.yaml:2:1: there is no key \"lissten\"; did you mean \"listen\"?"},
        ConfigCase{"NestedSuggestion", "limits:\n  conections: 5\n", "c.yaml:2:3: there is no key \"limits.conections\"; did you mean \"connections\"?"},
        ConfigCase{"DottedKey", "limits.connections: 5\n", "c.yaml:1:1: there is no key"},
        ConfigCase{"Twice", "model: /m\nmodel: /n\n", "c.yaml:2:1: \"model\" is there twice"},
        ConfigCase{"ThreadsText", "threads: many\n", "c.yaml:1:10: threads is \"many\""},
        ConfigCase{"ThreadsNegative", "threads: -1\n", "c.yaml:1:10: threads"},
        ConfigCase{"TooManyThreads", "threads: 1025\n", "from 0 to 1024"},
        ConfigCase{"BadListen", "listen:\n  - unix:/a\n  - here\n", "c.yaml:3:5: \"here\" has no port"},
        ConfigCase{"NotAMap", "- a\n- b\n", "a configuration is a map"}, ConfigCase{"NotYaml", "listen: [\n", "c.yaml:2"},
        ConfigCase{"ModelIsAList", "model: [a]\n", "c.yaml:1:9: model must be a text, or a list of http: and https: URLs"}, ConfigCase{"ModelOnServers", "model: [\"http://a/v1#m\", \"https://b/v1\"]\n", ""},
        ConfigCase{"ModelOnNoServer", "model: []\n", "a list of URLs that is not empty"},
        ConfigCase{"Remote", "remote: {api_key_env: K, api_key_file: /k, ca_file: /c, allow_plain_http: true, prompt: glm-4.5v, connect_timeout_s: 5, first_token_timeout_s: 600, token_timeout_s: 30, tries: 3}\n", ""},
        ConfigCase{"RemoteKeyItself", "remote: {api_key: abc}\n", "there is no key \"remote.api_key\""}, ConfigCase{"RemoteWord", "remote: {allow_plain_http: maybe}\n", "it must be one of false, true"},
        ConfigCase{"RemoteTries", "remote: {tries: 0}\n", "remote.tries is \"0\", it must be from 1 to 100"}, ConfigCase{"GroupIsAText", "log: loud\n", "log is a map"},
        ConfigCase{"Log", "log: {level: debug, format: json, file: /tmp/x}\n", ""},
        ConfigCase{"LogLevel", "log:\n  level: loud\n", "c.yaml:2:10: log.level is \"loud\", it must be one of debug, error, info, warn"},
        ConfigCase{"LimitTooSmall", "limits: {message_bytes: 10}\n", "limits.message_bytes is \"10\""},
        ConfigCase{"TlsHalf", "tls: {cert: /c}\n", "tls needs both"}, ConfigCase{"TlsWhole", "tls: {cert: /c, key: /k}\n", ""},
        ConfigCase{"Policy", "policy:\n  deny_verbs: [drag]\n  otherwise: ask\n", ""},
        ConfigCase{"PolicyUnknown", "policy:\n  deny_verb: [launch]\n", "c.yaml:2:3: policy: "},
        ConfigCase{"Approvals", "approvals: {notify: none, webhook: \"https://hooks.example/x\", webhook_ca: /ca.pem, expiry_s: 60}\n", ""},
        ConfigCase{"ApprovalsNotify", "approvals: {notify: mail}\n", "approvals.notify is \"mail\", it must be one of desktop, none"},
        ConfigCase{"ApprovalsExpiry", "approvals: {expiry_s: 0}\n", "approvals.expiry_s is \"0\", it must be from 1 to 86400"},
        ConfigCase{"WebhookScheme", "approvals:\n  webhook: ftp://h/x\n", "c.yaml:2:12: approvals.webhook must be an http: or https: URL"},
        ConfigCase{"WebhookWithPassword", "approvals: {webhook: \"https://ann:pw@h/x\"}\n", "must be an http: or https: URL without user and password"},
        ConfigCase{"Recordings", "recordings: {keep_days: 90, quota_bytes: 0, when_full: delete_oldest}\n", ""},
        ConfigCase{"RecordingsDays", "recordings: {keep_days: -1}\n", "recordings.keep_days is \"-1\", it must be from 0 to 36500"},
        ConfigCase{"RecordingsQuota", "recordings:\n  quota_bytes: 20GB\n", "c.yaml:2:16: recordings.quota_bytes is \"20GB\""},
        ConfigCase{"RecordingsQuotaNegative", "recordings: {quota_bytes: -1}\n", "recordings.quota_bytes is \"-1\", it must be from 0 to"},
        ConfigCase{"RecordingsQuotaBeyondCounting", "recordings: {quota_bytes: 9223372036854775808}\n", "recordings.quota_bytes is \"9223372036854775808\", it must be from 0 to"},
        ConfigCase{"ModelsRoot", "models: {root: /srv/none}\n", ""}, ConfigCase{"ModelsRootRelative", "models: {root: srv}\n", "c.yaml:1:16: models.root is \"srv\", it must be the full path of a folder"},
        ConfigCase{"TasksFilesRoot", "tasks: {files_root: /usr}\n", ""}, ConfigCase{"TasksFilesRootRelative", "tasks: {files_root: usr}\n", "c.yaml:1:21: tasks.files_root is \"usr\", it must be the full path of a folder"},
        ConfigCase{"TasksFilesRootAbsent", "tasks: {files_root: /nowhere/at/all}\n", "it must be the full path of a folder"},
        ConfigCase{"TargetsFolders", "targets: {folders: [/usr, /tmp], browsers: [/bin/sh]}\n", ""}, ConfigCase{"TargetsFoldersOne", "targets: {folders: /usr}\n", "targets.folders must be a list"},
        ConfigCase{"TargetsFoldersRelative", "targets: {folders: [usr]}\n", "c.yaml:1:21: targets.folders holds \"usr\", it must be the full path of a folder"},
        ConfigCase{"TargetsBrowsersAbsent", "targets: {browsers: [/usr]}\n", "targets.browsers holds \"/usr\", it must be the full path of a program"},
        ConfigCase{"RecordingsFull", "recordings: {when_full: ask}\n", "it must be one of delete_oldest, refuse"},
        ConfigCase{"Device", "device: cpu\n", ""}, ConfigCase{"Card", "device: cuda:1\ngpu_memory_gb: 12\n", ""},
                                         ConfigCase{"NoSuchDevice", "device: cuda:x\n", "device is \"cuda:x\", it must be one of auto, cpu, cuda, cuda:N"},
        ConfigCase{"HotKey", "hot_key: ctrl+shift+q\n", ""}, ConfigCase{"NoHotKey", "hot_key: none\n", ""},
        ConfigCase{"HotKeyAlone", "hot_key: a\n", "hot_key is \"a\", it must be a chord"}, ConfigCase{"HotKeyUnknown", "hot_key: ctrl+nokey\n", "it must be a chord"},
        ConfigCase{"Checksums", "checksums: skip\n", ""}, ConfigCase{"ChecksumsWord", "checksums: maybe\n", "it must be one of skip, verify"},
        ConfigCase{"Bomb", "policy:\n  rules:\n    - &a [x,x]\n    - &b [*a,*a]\n", "c.yaml:3:7: anchors (&name) and aliases (*name) are not understood"},
        ConfigCase{"SelfAlias", "policy: &p\n  rules: [*p]\n", "anchors (&name)"}, ConfigCase{"ScalarAnchor", "model: &m /m\n", "c.yaml:1:8: anchors"},
        ConfigCase{"NullAnchor", "model: &m\n", "anchors (&name)"}),
    [](const auto& row) { return row.param.name; });

TEST(DaemonConfigSchema, HasExactlyTheKeysThatAreRead) {
    const auto schema = read_json(HANDEYE_SOURCE_DIR "/docs/config.schema.json");
    ASSERT_TRUE(schema) << schema.error().message;
    std::vector<std::string> keys;
    for (const auto& [name, property] : (*schema)["properties"].items()) {
        if (!property.contains("properties")) {
            keys.push_back(name);
            continue;
        }
        EXPECT_EQ(property["additionalProperties"], false) << name;
        for (const auto& [inner, unused] : property["properties"].items()) {
            keys.push_back(name + "." + inner);
        }
    }
    std::sort(keys.begin(), keys.end());
    EXPECT_EQ(keys, daemon_config_keys());
    EXPECT_EQ((*schema)["additionalProperties"], false);
}

void check_bounds(const std::string& group, const std::string& key, const nlohmann::json& property) {
    const auto accepts = [&](std::int64_t value) {
        return parse_daemon_config(group + ": {" + key + ": " + std::to_string(value) + "}", "c").has_value();
    };
    const auto low = property["minimum"].get<std::int64_t>();
    const auto high = property["maximum"].get<std::int64_t>();
    EXPECT_TRUE(accepts(low) && accepts(high) && accepts(property["default"].get<std::int64_t>())) << key;
    EXPECT_FALSE(accepts(low - 1) || accepts(high + 1)) << key;
}

TEST(DaemonConfigSchema, BoundsAndDefaultsAreTheProgramsOwn) {
    const auto schema = read_json(HANDEYE_SOURCE_DIR "/docs/config.schema.json");
    ASSERT_TRUE(schema);
    const auto limits = (*schema)["properties"]["limits"]["properties"];
    const auto recordings = (*schema)["properties"]["recordings"]["properties"];
    for (const auto& [group, keys] : {std::pair("limits", limits), std::pair("recordings", recordings)}) {
        for (const auto& [key, property] : keys.items()) {
            if (property.contains("minimum")) {
                check_bounds(group, key, property);
            }
        }
    }
    const auto defaults = parse_daemon_config("", "c").value().recordings;
    EXPECT_EQ(defaults.quota_bytes, recordings["quota_bytes"]["default"].get<std::uint64_t>());
    EXPECT_EQ(defaults.keep_days, recordings["keep_days"]["default"].get<int>());
}

} // namespace
} // namespace handeye

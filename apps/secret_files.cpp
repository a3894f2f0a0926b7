// SPDX-License-Identifier: Apache-2.0
#include "apps/secret_files.h"

#include "base/file.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

namespace handeye {
namespace {

constexpr std::size_t kFileBytesMax = 256U << 10U;
constexpr std::string_view kPrefix = "HANDEYE_SECRET_";
constexpr mode_t kOthers = 0077;

Error denied(const std::filesystem::path& path, const std::string& what) {
    return {ErrorCode::PermissionDenied, fmt::format("{}: {}", path.string(), what)};
}

/// The open file is the one that is looked at: no exchange between the look and the read.
Result<std::string> read_private(const std::filesystem::path& path) {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat about{};
    if (!file.is_open() || ::fstat(file.get(), &about) != 0) {
        return Error{errno == ENOENT ? ErrorCode::NotFound : ErrorCode::PermissionDenied, fmt::format("{}: {}", path.string(), std::strerror(errno))};
    }
    if (!S_ISREG(about.st_mode) || about.st_uid != ::geteuid()) {
        return denied(path, "secrets are read from ordinary files of one's own");
    }
    if ((about.st_mode & kOthers) != 0) {
        return denied(path, fmt::format("its mode is {:04o} and others may read it: chmod 600", about.st_mode & 07777U));
    }
    if (about.st_size > static_cast<off_t>(kFileBytesMax)) {
        return Error{ErrorCode::LimitExceeded, fmt::format("{} has {} bytes, the limit is {}", path.string(), about.st_size, kFileBytesMax)};
    }
    std::string text(static_cast<std::size_t>(about.st_size), '\0');
    for (std::size_t at = 0; at < text.size();) {
        const ssize_t got = ::read(file.get(), text.data() + at, text.size() - at);
        if (got <= 0) {
            return Error{ErrorCode::IoFailed, fmt::format("{} could not be read to its end", path.string())};
        }
        at += static_cast<std::size_t>(got);
    }
    return text;
}

Result<void> check_folder(const std::filesystem::path& folder) {
    struct stat about{};
    if (::stat(folder.c_str(), &about) != 0) {
        return denied(folder, std::strerror(errno));
    }
    if (about.st_uid != ::geteuid() || (about.st_mode & kOthers) != 0) {
        return denied(folder, fmt::format("its mode is {:04o} and others may look into it: chmod 700", about.st_mode & 07777U));
    }
    return {};
}

void forget_variables(const std::function<bool(std::string_view name)>& is_meant) {
    std::vector<std::string> names;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        char* const equals = std::strchr(*variable, '=');
        if (equals != nullptr && is_meant(std::string_view(*variable, static_cast<std::size_t>(equals - *variable)))) {
            names.emplace_back(*variable, equals);
            ::explicit_bzero(equals + 1, std::strlen(equals + 1)); // /proc/PID/environ shows this memory
        }
    }
    for (const std::string& name : names) {
        ::unsetenv(name.c_str());
    }
}

/// One entry of secrets.yaml. Messages say the place and the key, never what stands there.
class Entry {
public:
    Entry(const std::filesystem::path& file, std::string name, YAML::Node node) : file_(file), name_(std::move(name)), node_(std::move(node)) {}

    Result<std::optional<Secret>> read() {
        if (!node_.IsMap()) {
            return wrong("wants value, file or env, and where");
        }
        Secret secret;
        secret.name = name_;
        int sources = 0;
        for (const auto& pair : node_) {
            const std::string key = pair.first.Scalar();
            if (key == "where") {
                TRY(read_where(pair.second, secret));
                continue;
            }
            if (!pair.second.IsScalar() || (key != "value" && key != "file" && key != "env")) {
                return wrong("has the keys value, file, env (texts) and where");
            }
            ++sources;
            const std::string text = pair.second.Scalar();
            secret.value_utf8 = TRY(read_value(key, text));
        }
        if (sources != 1) {
            return wrong("wants exactly one of value, file and env");
        }
        if (!secret.is_anywhere && secret.where.empty()) {
            return wrong("wants where: a list of places, or anywhere");
        }
        return std::optional(std::move(secret));
    }

private:
    [[nodiscard]] Error wrong(const std::string& what) const {
        const YAML::Mark mark = node_.Mark();
        return {ErrorCode::InvalidArgument, fmt::format("{}:{}:{}: secret \"{}\" {}", file_.string(), mark.line + 1, mark.column + 1, name_.substr(0, 64), what)};
    }

    [[nodiscard]] Result<std::string> read_value(const std::string& key, const std::string& text) const {
        if (key == "env") {
            return value_from_variable(text);
        }
        return key == "file" ? value_from_file(file_.parent_path() / text) : Result<std::string>(text);
    }

    Result<void> read_where(const YAML::Node& node, Secret& secret) {
        if (node.IsScalar() && node.Scalar() == "anywhere") {
            secret.is_anywhere = true;
            return {};
        }
        if (!node.IsSequence() || node.size() == 0) {
            return wrong("wants a list of places under where, or the word anywhere");
        }
        for (const YAML::Node& place : node) {
            secret.where.push_back(TRY(read_place(place)));
        }
        return {};
    }

    Result<SecretPlace> read_place(const YAML::Node& node) {
        SecretPlace place;
        if (!node.IsMap() || node.size() == 0) {
            return wrong("wants places with some of app, window_class, title, domain");
        }
        for (const auto& pair : node) {
            const std::string key = pair.first.Scalar();
            std::vector<std::string>* const list = key == "app"            ? &place.apps
                                                   : key == "window_class" ? &place.window_classes
                                                   : key == "title"        ? &place.titles
                                                   : key == "domain"       ? &place.domains
                                                                           : nullptr;
            if (list == nullptr || !pair.second.IsScalar() || pair.second.Scalar().empty()) {
                return wrong("has a place with an unknown key: app, window_class, title and domain are known, each with a text");
            }
            list->push_back(pair.second.Scalar());
        }
        return place;
    }

    const std::filesystem::path& file_;
    std::string name_;
    YAML::Node node_;
};

Result<void> read_yaml(const std::filesystem::path& file, const std::string& text, SecretStore& store) {
    YAML::Node root;
    try {
        root = YAML::Load(text);
    } catch (const YAML::Exception& problem) { // its message may quote the file
        return Error{ErrorCode::ParseFailed, fmt::format("{}:{}:{}: this is no YAML", file.string(), problem.mark.line + 1, problem.mark.column + 1)};
    }
    const YAML::Node secrets = root.IsMap() ? root["secrets"] : YAML::Node(YAML::NodeType::Undefined);
    if (!secrets || !secrets.IsMap() || root.size() != 1) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{}: wants one key, secrets, and below it names", file.string())};
    }
    for (const auto& pair : secrets) {
        Entry entry(file, pair.first.Scalar(), pair.second);
        std::optional<Secret> secret = TRY(entry.read());
        TRY(store.add(*std::move(secret)));
    }
    return {};
}

} // namespace

Result<std::string> value_from_file(const std::filesystem::path& path) {
    std::string text = TRY(read_private(path));
    if (text.ends_with('\n')) { // an editor's
        text.pop_back();
    }
    return text;
}

Result<std::string> value_from_variable(const std::string& variable) {
    const char* const value = std::getenv(variable.c_str());
    if (value == nullptr) {
        return Error{ErrorCode::NotFound, fmt::format("there is no environment variable {}", variable)};
    }
    return std::string(value);
}

Result<SecretStore> environment_secrets() {
    SecretStore store;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string_view text = *variable;
        const std::size_t equals = text.find('=');
        if (!text.starts_with(kPrefix) || equals == std::string_view::npos) {
            continue;
        }
        const std::string name(text.substr(kPrefix.size(), equals - kPrefix.size()));
        if (store.find(name) == nullptr) {
            TRY(store.add({name, std::string(text.substr(equals + 1)), {}, true}));
        }
    }
    return store;
}

Result<std::shared_ptr<SecretStore>> load_secrets(const std::filesystem::path& folder) {
    const SecretStore environment = TRY(environment_secrets());
    return load_secrets(folder, environment);
}

Result<std::shared_ptr<SecretStore>> load_secrets(const std::filesystem::path& folder, const SecretStore& environment) {
    auto store = std::make_shared<SecretStore>();
    const std::filesystem::path file = folder / "secrets.yaml";
    std::error_code problem;
    if (std::filesystem::symlink_status(file, problem).type() != std::filesystem::file_type::not_found) {
        TRY(check_folder(folder));
        std::string text = TRY(read_private(file));
        const Result<void> read = read_yaml(file, text, *store);
        wipe(text);
        TRY(Result<void>(read));
    }
    for (const Secret& secret : environment.all()) {
        if (store->find(secret.name) == nullptr) { // the file wins: it has bounds
            TRY(store->add(secret));
        }
    }
    return store;
}

Result<std::vector<std::string>> add_secret_options(SecretStore& store, const std::vector<std::string>& options) {
    std::vector<std::string> names;
    for (const std::string& option : options) {
        const std::size_t equals = option.find('=');
        const std::string name = option.substr(0, equals);
        if (const std::string problem = secret_name_problem(name); !problem.empty()) {
            return Error{ErrorCode::InvalidArgument, "--secret: " + problem};
        }
        names.push_back(name);
        const std::string source = equals == std::string::npos ? "" : option.substr(equals + 1);
        if (equals == std::string::npos) {
            if (store.find(name) == nullptr) {
                return Error{ErrorCode::NotFound, fmt::format("nothing has the secret \"{0}\", neither secrets.yaml nor ${1}{0}: give it with --secret {0}=@FILE", name, kPrefix)};
            }
        } else if (source.starts_with('@')) {
            std::string value = TRY(value_from_file(source.substr(1)));
            TRY(store.add({name, std::move(value), {}, true}));
        } else if (source.starts_with("env:")) {
            std::string value = TRY(value_from_variable(source.substr(4)));
            TRY(store.add({name, std::move(value), {}, true}));
        } else {
            return Error{ErrorCode::InvalidArgument, fmt::format("--secret {}=...: say @FILE or env:VARIABLE; a value on the command line "
                                                                 "is seen by everybody on this machine", name)};
        }
    }
    return names;
}

void forget_secret_variables() {
    forget_variables([](std::string_view name) { return name.starts_with(kPrefix); });
}

void forget_variable(const std::string& name) {
    forget_variables([&](std::string_view other) { return other == name; });
}

Result<void> forbid_memory_dumps() {
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_CORE, &none) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0) {
        return Error{ErrorCode::PermissionDenied, fmt::format("core dumps cannot be forbidden: {}", std::strerror(errno))};
    }
    return {};
}

} // namespace handeye

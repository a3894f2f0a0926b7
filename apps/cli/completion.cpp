// SPDX-License-Identifier: Apache-2.0
// `handeye completion bash|zsh|fish`: written from the commands and options themselves, so that it cannot fall behind them.
#include "apps/cli/command.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

struct Node {
    std::string path;               ///< "task wait"
    std::vector<std::string> words; ///< what may follow: commands and options
};

std::vector<std::string> option_names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::Option* const option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) {
            names.push_back("--" + name);
        }
    }
    return names;
}

void collect(const CLI::App& app, const std::string& path, std::vector<Node>& out) {
    Node node{path, {}};
    const std::vector<const CLI::App*> commands = app.get_subcommands([](const CLI::App*) { return true; });
    for (const CLI::App* const command : commands) {
        node.words.push_back(command->get_name());
    }
    for (const std::string& name : option_names(app)) {
        node.words.push_back(name);
    }
    out.push_back(std::move(node));
    for (const CLI::App* const command : commands) {
        collect(*command, path.empty() ? command->get_name() : path + " " + command->get_name(), out);
    }
}

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, " ")); }

// The longest path of commands among the words before the cursor decides what is offered.
std::string bash_script(const std::vector<Node>& nodes) {
    std::string out = "# bash completion for handeye\n_handeye() {\n  local path= word candidate i words\n"
                      "  for ((i = 1; i < COMP_CWORD; i++)); do\n    word=${COMP_WORDS[i]}\n    candidate=${path:+$path }$word\n"
                      "    case $candidate in\n";
    for (const Node& node : nodes) {
        if (!node.path.empty()) {
            out += fmt::format("      '{}') path=$candidate ;;\n", node.path);
        }
    }
    out += "    esac\n  done\n  case $path in\n";
    for (const Node& node : nodes) {
        out += fmt::format("    '{}') words='{}' ;;\n", node.path, joined(node.words));
    }
    return out + "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\ncomplete -o default -F _handeye handeye\n";
}

std::string zsh_script(const std::vector<Node>& nodes) {
    return "#compdef handeye\nautoload -U +X bashcompinit && bashcompinit\n" + bash_script(nodes);
}

std::string fish_script(const std::vector<Node>& nodes) {
    std::string out = "# fish completion for handeye\ncomplete -c handeye -f\n";
    for (const Node& node : nodes) {
        const std::string condition = node.path.empty() ? "__fish_use_subcommand" : "__fish_seen_subcommand_from " + node.path.substr(node.path.rfind(' ') + 1);
        for (const std::string& word : node.words) {
            const bool is_option = word.starts_with("--");
            out += fmt::format("complete -c handeye -n '{}' {} {}\n", condition, is_option ? "-l" : "-a", is_option ? word.substr(2) : word);
        }
    }
    return out;
}

} // namespace

Runner declare_completion(CLI::App& app) {
    const auto shell = std::make_shared<std::string>();
    app.add_option("SHELL", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
    app.footer("bash: eval \"$(handeye completion bash)\"");
    return [shell, root = app.get_parent()](const Context& context) -> Result<int> {
        std::vector<Node> nodes;
        collect(*root, "", nodes);
        const std::string script = *shell == "fish" ? fish_script(nodes) : *shell == "zsh" ? zsh_script(nodes) : bash_script(nodes);
        if (context.json) {
            print_json({{"shell", *shell}, {"script", script}});
        } else {
            print(script);
        }
        return 0;
    };
}

} // namespace handeye::cli

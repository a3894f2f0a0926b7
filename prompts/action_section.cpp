// SPDX-License-Identifier: Apache-2.0
// One writer per style; the words come from the verb table alone.
#include "prompts/action_section.h"

#include "prompts/app_list.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

namespace handeye {
namespace {

std::vector<const VerbForm*> forms_of(Dialect dialect) {
    std::vector<const VerbForm*> forms;
    for (const VerbRow* row : verbs_of(dialect)) {
        forms.push_back(form_of(*row, dialect));
    }
    return forms;
}

std::string joined(const std::vector<std::string>& lines, std::string_view separator) {
    return fmt::format("{}", fmt::join(lines, separator));
}

std::string app_note(std::span<const std::string> app_names) {
    const std::string list = app_list(app_names);
    return list.empty() ? "" : "Apps that can be opened: " + list;
}
/// What the table says of open_app, with the apps of this device where they are known.
std::string note_of(const VerbForm& form, std::span<const std::string> app_names) {
    return form.name == "open_app" || form.name == "Launch" ? app_note(app_names) : std::string(form.note);
}

std::string bullets(Dialect dialect, std::span<const std::string> app_names) {
    std::vector<std::string> lines;
    for (const VerbForm* form : forms_of(dialect)) {
        std::string_view meaning = form->meaning;
        meaning.remove_suffix(meaning.ends_with('.') ? 1 : 0);
        lines.push_back(fmt::format("- {}: `{}`", meaning, form->form));
        if (const std::string note = note_of(*form, app_names); !note.empty()) {
            lines.push_back(fmt::format("    - {}", note));
        }
    }
    return joined(lines, "\n");
}

std::string calls(Dialect dialect) {
    std::vector<std::string> lines;
    for (const VerbForm* form : forms_of(dialect)) {
        lines.push_back(fmt::format("{}\n# {}", form->form, form->meaning));
    }
    return joined(lines, "\n");
}

std::string formats(Dialect dialect) {
    std::vector<std::string> lines;
    for (const VerbForm* form : forms_of(dialect)) {
        lines.push_back(form->note.empty() || form->note == form->form ? std::string(form->form)
                                                                       : fmt::format("{}   (such as: {})", form->form, form->note));
    }
    return joined(lines, "\n");
}

/// - form
///     meaning note
std::string listed(Dialect dialect, std::span<const std::string> app_names) {
    std::vector<std::string> lines;
    for (const VerbForm* form : forms_of(dialect)) {
        const std::string note = note_of(*form, app_names);
        lines.push_back(fmt::format("- {}\n    {}{}{}", form->form, form->meaning, note.empty() ? "" : " ", note));
    }
    return joined(lines, "\n");
}

std::string meanings(Dialect dialect) {
    std::vector<std::string> lines;
    for (const VerbForm* form : forms_of(dialect)) {
        lines.push_back(fmt::format("{}. {}: {}", lines.size() + 1, form->name, form->meaning));
    }
    return joined(lines, "\n");
}

enum class Quotes { Json, Python };

/// A text in the notation's quotes. Python prefers single quotes and takes double ones for a text that holds single ones.
std::string quoted(std::string_view text, Quotes quotes) {
    const bool is_single = quotes == Quotes::Python && text.find('\'') == std::string_view::npos;
    const char quote = is_single ? '\'' : '"';
    std::string out(1, quote);
    for (const char c : text) {
        if (c == quote || c == '\\') {
            out += '\\';
        }
        out += c;
    }
    return out + quote;
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(separator), text.size());
        parts.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parts;
}

std::string list_of(const std::vector<std::string>& texts, Quotes quotes) {
    std::vector<std::string> items;
    for (const std::string& text : texts) {
        items.push_back(quoted(text, quotes));
    }
    return fmt::format("[{}]", fmt::join(items, ", "));
}

std::string properties(const VerbForm& form, Quotes quotes) {
    const auto q = [&](std::string_view text) { return quoted(text, quotes); };
    std::vector<std::string> entries;
    for (const VerbParameter& p : form.parameters) {
        std::vector<std::string> fields{fmt::format("                {}: {}", q("type"), q(p.type))};
        if (!p.choices.empty()) {
            fields.push_back(fmt::format("                {}: {}", q("enum"), list_of(split(p.choices, '|'), quotes)));
        }
        fields.push_back(fmt::format("                {}: {}", q("description"), q(p.meaning)));
        entries.push_back(fmt::format("            {}: {{\n{}\n            }}", q(p.name), joined(fields, ",\n")));
    }
    return entries.empty() ? "{}" : fmt::format("{{\n{}\n        }}", joined(entries, ",\n"));
}

/// A function schema: name, description, parameters; four spaces a level.
std::string schema(const VerbForm& form, const std::string& name, const std::string& description, Quotes quotes) {
    const auto q = [&](std::string_view text) { return quoted(text, quotes); };
    std::vector<std::string> required;
    for (const VerbParameter& p : form.parameters) {
        if (p.is_required) {
            required.emplace_back(p.name);
        }
    }
    return fmt::format("{{\n    {}: {},\n    {}: {},\n    {}: {{\n        {}: {},\n        {}: {},\n        {}: {}\n    }}\n}}",
                       q("name"), name, q("description"), q(description), q("parameters"), q("type"), q("object"), q("properties"),
                       properties(form, quotes), q("required"), list_of(required, quotes));
}

/// Forms of one section: those of a group together.
std::vector<std::vector<const VerbForm*>> grouped(Dialect dialect) {
    std::vector<std::vector<const VerbForm*>> groups;
    for (const VerbForm* form : forms_of(dialect)) {
        if (!groups.empty() && !form->group.empty() && groups.back().front()->group == form->group) {
            groups.back().push_back(form);
        } else {
            groups.push_back({form});
        }
    }
    return groups;
}

std::string json_schemas(Dialect dialect, std::span<const std::string> app_names) {
    std::vector<std::string> sections;
    for (const auto& group : grouped(dialect)) {
        const VerbForm& first = *group.front();
        std::vector<std::string> rules;
        std::string description;
        for (const VerbForm* form : group) {
            rules.push_back(fmt::format("`{}`", form->form));
            description += fmt::format("{}{}", description.empty() ? "" : " ", form->meaning);
        }
        if (const std::string note = note_of(first, app_names); !note.empty()) {
            description += fmt::format(" {}", note);
        }
        sections.push_back(fmt::format("### {}\n\nCalling rule: {}\n{}", first.name, fmt::join(rules, " or "),
                                       schema(first, quoted(first.name, Quotes::Json), description, Quotes::Json)));
    }
    return joined(sections, "\n\n");
}

std::string python_schemas(Dialect dialect) {
    std::vector<std::string> sections;
    for (const auto& group : grouped(dialect)) {
        const VerbForm& first = *group.front();
        std::vector<std::string> names;
        std::vector<std::string_view> meanings_told;
        for (const VerbForm* form : group) {
            names.emplace_back(form->name);
            meanings_told.push_back(form->meaning);
        }
        const bool is_group = group.size() > 1;
        const std::string_view title = is_group ? first.group : first.name;
        const std::string rule = std::string(title) + std::string(first.form.substr(first.name.size()));
        sections.push_back(fmt::format("### {}\n\nCall rule: `{}`\n{}", title, rule,
                                       schema(first, is_group ? list_of(names, Quotes::Python) : quoted(first.name, Quotes::Python),
                                              fmt::format("{}", fmt::join(meanings_told, " ")), Quotes::Python)));
    }
    return joined(sections, "\n\n");
}

} // namespace

std::string action_section(std::string_view style, Dialect dialect, std::span<const std::string> app_names) {
    return style == "bullets"          ? bullets(dialect, app_names)
           : style == "calls"          ? calls(dialect)
           : style == "formats"        ? formats(dialect)
           : style == "listed"         ? listed(dialect, app_names)
           : style == "meanings"       ? meanings(dialect)
           : style == "json_schemas"   ? json_schemas(dialect, app_names)
           : style == "python_schemas" ? python_schemas(dialect)
                                       : "";
}

} // namespace handeye

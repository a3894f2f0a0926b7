// SPDX-License-Identifier: Apache-2.0
#include "remote/server_traits.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace handeye {
namespace {

struct Field {
    std::string_view name;
    bool is_openai; ///< every server should know it, and some do not
};
constexpr std::array<Field, 23> kFields{{{"skip_special_tokens", false},
                                         {"thinking_token_budget", false},
                                         {"chat_template_kwargs", false},
                                         {"structured_outputs", false},
                                         {"guided_grammar", false},
                                         {"grammar", false},
                                         {"ebnf", false},
                                         {"continue_final_message", false},
                                         {"add_generation_prompt", false},
                                         {"repetition_penalty", false},
                                         {"repeat_penalty", false},
                                         {"top_k", false},
                                         {"min_p", false},
                                         {"cache_prompt", false},
                                         {"stream_options", true},
                                         {"logprobs", true},
                                         {"top_logprobs", true},
                                         {"seed", true},
                                         {"user", true},
                                         {"presence_penalty", true},
                                         {"frequency_penalty", true},
                                         {"logit_bias", true},
                                         {"top_p", true}}};

const Field* find_field(std::string_view name) {
    const auto found = std::find_if(kFields.begin(), kFields.end(), [&](const Field& field) { return field.name == name; });
    return found == kFields.end() ? nullptr : &*found;
}

bool is_word_byte(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

bool has_word(std::string_view text, std::string_view word) {
    for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
        const std::size_t end = at + word.size();
        if ((at == 0 || !is_word_byte(text[at - 1])) && (end == text.size() || !is_word_byte(text[end]))) {
            return true;
        }
    }
    return false;
}

} // namespace

bool ServerTraits::closes_thoughts() const { return model.kind == ServerKind::Handeye && !refused.contains("thinking_token_budget"); }

bool ServerTraits::can_continue() const {
    const bool is_known_to = model.kind == ServerKind::Vllm || model.kind == ServerKind::Sglang;
    return is_known_to && !refused.contains("continue_final_message");
}

std::vector<std::string> fields_refused(const ServerComplaint& complaint, const std::vector<std::string>& sent) {
    if (find_field(complaint.param) != nullptr && std::find(sent.begin(), sent.end(), complaint.param) != sent.end()) {
        return {complaint.param}; // its words may name others, as those that there are
    }
    std::vector<std::string> named, extra;
    for (const std::string& field : sent) {
        const Field* const row = find_field(field);
        if (row != nullptr && has_word(complaint.message, field)) {
            named.push_back(field);
        } else if (row != nullptr && !row->is_openai) {
            extra.push_back(field);
        }
    }
    return named.empty() ? extra : named;
}

bool is_about_context(const ServerComplaint& complaint) {
    std::string words = complaint.message;
    std::transform(words.begin(), words.end(), words.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto has = [&words](std::string_view part) { return words.find(part) != std::string::npos; };
    return complaint.code == "context_length_exceeded" || complaint.type == "exceed_context_size_error" || (has("context") && (has("length") || has("size") || has("window"))) ||
           (has("max_tokens") && has("too large")) || has("max_model_len");
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
#include "agent/redactor.h"

#include "agent/events.h"
#include "base/json.h"

#include <algorithm>
#include <map>
#include <mutex>

#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;


std::string escaped(const std::string& text) {
    const std::string quoted = dump_json(json(text));
    return quoted.substr(1, quoted.size() - 2);
}

/// Texts are redacted as they are, so that the JSON stays whole; `renamed`: old names of blobs to what they are now.
void redact_strings(json& value, const Redactor& redactor, const std::map<std::string, Blob>& renamed) {
    if (value.is_string()) {
        value = redactor.redacted(value.get<std::string>());
        return;
    }
    if (value.is_object() && value.contains("sha256") && value["sha256"].is_string()) {
        if (const auto found = renamed.find(value["sha256"].get<std::string>()); found != renamed.end()) {
            value["sha256"] = found->second.sha256_hex;
            value["bytes"] = found->second.bytes->size();
        }
    }
    if (value.is_structured()) {
        for (json& inner : value) {
            redact_strings(inner, redactor, renamed);
        }
    }
}

} // namespace

Redactor::Redactor(const SecretStore& store) {
    for (const Secret& secret : store.all()) {
        if (secret.value_utf8.size() >= kSecretBytesMin) {
            add(secret.value_utf8, secret_reference(secret.name));
        }
    }
}

void Redactor::add_typed(const std::string& text_utf8) {
    if (text_utf8.size() >= kTypedBytesMin && !has_secret_reference(text_utf8)) {
        const std::unique_lock lock(mutex_);
        add(text_utf8, kTypedIntoPassword);
    }
}

void Redactor::add(const std::string& value, const std::string& replacement) {
    for (const std::string& form : {value, escaped(value)}) {
        const auto is_known = std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.value == form; });
        if (!is_known) {
            entries_.push_back({form, replacement});
        }
    }
    std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.value.size() > b.value.size(); });
}

bool Redactor::is_in(std::string_view text) const {
    const std::shared_lock lock(mutex_);
    return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) { return text.find(entry.value) != std::string_view::npos; });
}

std::string Redactor::redacted(std::string text) const {
    const std::shared_lock lock(mutex_);
    for (const Entry& entry : entries_) {
        for (std::size_t at = text.find(entry.value); at != std::string::npos; at = text.find(entry.value, at + entry.replacement.size())) {
            text.replace(at, entry.value.size(), entry.replacement);
        }
    }
    return text;
}

SessionEvent Redactor::redacted(SessionEvent event) const {
    std::map<std::string, Blob> renamed;
    for (Blob& blob : event.blobs) {
        const std::string_view text(reinterpret_cast<const char*>(blob.bytes->data()), blob.bytes->size());
        if (!blob.media_type.starts_with("image/") && is_in(text)) {
            Blob clean = events::text_blob(redacted(std::string(text)));
            clean.media_type = blob.media_type;
            renamed.emplace(blob.sha256_hex, clean);
            blob = std::move(clean);
        }
    }
    if (renamed.empty() && !is_in(event.data_json)) {
        return event;
    }
    json data = json::parse(event.data_json, nullptr, false);
    if (data.is_discarded()) {
        event.data_json = redacted(std::move(event.data_json));
        return event;
    }
    redact_strings(data, *this, renamed);
    event.data_json = dump_json(data);
    return event;
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// Looks for a secret in everything that was written: byte by byte, in all the ways in which programs spell text, and in pictures.
#pragma once

#include "agent/locate/locate.h"

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct Spelling {
    std::string name; ///< "base64 at 1"
    std::string bytes;
};

/// Of the whole, and of each half of it: UTF-8, UTF-16, base64 at each place of its three, hex, backwards, as JSON, HTML, URLs and C escape it.
std::vector<Spelling> spellings_of(const std::string& secret_utf8);

class CanarySearch {
public:
    /// `words`: what of it a reader of pictures would see, in capitals.
    CanarySearch(const std::string& secret_utf8, std::vector<std::string> words, std::filesystem::path picture_reader);
    /// Every file below it, also those of programs that still write. Recordings are decoded event by event and blob by blob, base64
    /// in texts is decoded. "FILE: SPELLING", one line for each; a file that cannot be read is one, too.
    std::vector<std::string> find_in(const std::filesystem::path& folder);
    /// So that nobody believes in a search that saw nothing.
    [[nodiscard]] std::size_t bytes_seen() const { return bytes_seen_; }
    [[nodiscard]] std::size_t pictures_read() const { return pictures_.size(); }

private:
    void search(const std::string& where, std::string_view bytes);
    void search_recording(const std::string& where, const std::filesystem::path& file);
    void search_base64(const std::string& where, std::string_view text);
    bool search_picture(const std::string& where, std::string_view bytes);

    std::vector<Spelling> spellings_;
    std::vector<std::string> words_;
    std::unique_ptr<Locator> reader_;
    std::set<std::string> pictures_; ///< by their hash: each is read once
    std::set<std::string> found_;
    std::size_t bytes_seen_ = 0;
};

} // namespace handeye

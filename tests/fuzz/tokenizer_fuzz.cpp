// SPDX-License-Identifier: Apache-2.0
// Two things in one input, chosen by its first byte: a tokenizer.json as such, or a text for the bundled model's tokenizer,
// whose ids must decode to the text again.
#include "engine/tokenizer/tokenizer.h"
#include "engine/tokenizer/utf8.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <unistd.h>

namespace {

using namespace handeye;

std::filesystem::path scratch_file() {
    return std::filesystem::temp_directory_path() / ("handeye_tokenizer_fuzz_" + std::to_string(::getpid()));
}

void try_file(std::string_view bytes) {
    const std::filesystem::path path = scratch_file();
    std::ofstream(path, std::ios::binary) << bytes;
    const auto tokenizer = Tokenizer::from_json_file(path);
    const auto ranks = Tokenizer::from_tiktoken_file(path, {"<a>"});
    std::filesystem::remove(path);
    if (tokenizer) {
        static_cast<void>(tokenizer->encode("Hello  world 123 <a>", AddedTokens::Recognised));
    }
    if (ranks) {
        static_cast<void>(ranks->encode("Hello  world 123 <a>", AddedTokens::Recognised));
    }
}

void try_text(std::string_view text) {
    static const auto tokenizer = Tokenizer::from_json_file(HANDEYE_SOURCE_DIR "/models/nano/tokenizer.json");
    if (!tokenizer) {
        std::abort();
    }
    for (const AddedTokens added : {AddedTokens::Recognised, AddedTokens::AsText}) {
        const auto ids = tokenizer->encode(text, added);
        std::string bytes;
        Utf8Stream stream;
        std::string streamed;
        for (const TokenId id : ids) {
            bytes += tokenizer->token_bytes(id);
            streamed += stream.push(tokenizer->token_bytes(id));
        }
        streamed += stream.flush();
        if (bytes != text || tokenizer->decode(ids) != utf8_repaired(text) || streamed != utf8_repaired(text)) {
            std::abort();
        }
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] == 'f') {
        try_file(rest);
    } else {
        try_text(rest);
    }
    return 0;
}

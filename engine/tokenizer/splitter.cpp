// SPDX-License-Identifier: Apache-2.0
// Patterns by PCRE2, under limits.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "engine/tokenizer/splitter.h"

#include <array>
#include <string>

#include <fmt/format.h>
#include <pcre2.h>

namespace handeye {
namespace {

constexpr std::size_t kPatternBytesMax = 4096;
constexpr std::uint32_t kMatchLimit = 10'000'000;
constexpr std::uint32_t kDepthLimit = 10'000;
constexpr std::uint32_t kHeapLimitKib = 64 * 1024;

// The White_Space property. PCRE2's own \s also takes U+180E, which is none, and which the reference's engines leave out.
constexpr std::string_view kWhiteSpace =
    R"(\x09-\x0D\x20\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";

Result<std::string> with_explicit_space(std::string_view pattern) {
    std::string out;
    bool in_class = false;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const char c = pattern[i];
        if (c != '\\' || i + 1 == pattern.size()) {
            in_class = in_class ? c != ']' : c == '[';
            out += c;
            continue;
        }
        const char escaped = pattern[++i];
        if (escaped == 's') {
            out += in_class ? std::string(kWhiteSpace) : fmt::format("[{}]", kWhiteSpace);
        } else if (escaped == 'S' && in_class) {
            return Error{ErrorCode::ParseFailed, "the split pattern uses \\S inside a class, which is not supported"};
        } else if (escaped == 'S') {
            out += fmt::format("[^{}]", kWhiteSpace);
        } else {
            out += c;
            out += escaped;
        }
    }
    return out;
}

std::string message_of(int code) {
    std::array<PCRE2_UCHAR, 160> text{};
    pcre2_get_error_message(code, text.data(), text.size());
    return reinterpret_cast<const char*>(text.data());
}

struct FreeCode {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct FreeData {
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
struct FreeContext {
    void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

} // namespace

const std::string_view kGlmSplitPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct Splitter::Compiled {
    std::unique_ptr<pcre2_code, FreeCode> code;
    std::unique_ptr<pcre2_match_context, FreeContext> context;
};

Result<Splitter> Splitter::compile(std::string_view pattern) {
    if (pattern.empty() || pattern.size() > kPatternBytesMax) {
        return Error{ErrorCode::LimitExceeded,
                     fmt::format("a split pattern of {} bytes: 1 to {} are allowed", pattern.size(), kPatternBytesMax)};
    }
    const std::string source = TRY(with_explicit_space(pattern));
    int problem = 0;
    std::size_t where = 0;
    auto compiled = std::make_shared<Compiled>();
    compiled->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(source.data()), source.size(),
                                       PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &problem, &where, nullptr));
    compiled->context.reset(pcre2_match_context_create(nullptr));
    if (!compiled->code) {
        return Error{ErrorCode::ParseFailed,
                     fmt::format("the split pattern does not compile at {}: {}", where, message_of(problem))};
    }
    if (!compiled->context) {
        return Error{ErrorCode::OutOfMemory, "no memory for the split pattern"};
    }
    pcre2_set_match_limit(compiled->context.get(), kMatchLimit);
    pcre2_set_depth_limit(compiled->context.get(), kDepthLimit);
    pcre2_set_heap_limit(compiled->context.get(), kHeapLimitKib);
    // Without a just-in-time compiler the interpreter gives the same matches, slower.
    pcre2_jit_compile(compiled->code.get(), PCRE2_JIT_COMPLETE);
    Splitter splitter;
    splitter.compiled_ = std::move(compiled);
    return splitter;
}

void Splitter::split(std::string_view text, std::vector<std::string_view>& pieces) const {
    const std::unique_ptr<pcre2_match_data, FreeData> data(pcre2_match_data_create(1, nullptr));
    std::size_t at = 0;
    while (at < text.size() && data) {
        const int count = pcre2_match(compiled_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                      PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, data.get(), compiled_->context.get());
        if (count < 0) {
            break;
        }
        const std::size_t* bounds = pcre2_get_ovector_pointer(data.get());
        if (bounds[0] < at || bounds[1] <= bounds[0]) {
            break; // \K or a look-behind moved the match: not progress
        }
        if (bounds[0] > at) {
            pieces.push_back(text.substr(at, bounds[0] - at));
        }
        pieces.push_back(text.substr(bounds[0], bounds[1] - bounds[0]));
        at = bounds[1];
    }
    if (at < text.size()) {
        pieces.push_back(text.substr(at));
    }
}

} // namespace handeye

// SPDX-License-Identifier: Apache-2.0
// Text to ids and back: against tiktoken and tokenizers (tests/golden/tokenizer), on broken text, and on broken files.
// The real GLM-4 vocabulary is not in this repository: HANDEYE_GLM4_TOKENIZER names the file, or those tests are skipped.
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "engine/tokenizer/tokenizer.h"
#include "engine/tokenizer/utf8.h"
#include "tests/engine/random_text.h"
#include "tests/engine/temporary_folder.h"

#include <chrono>
#include <cstdlib>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;
using Ids = std::vector<TokenId>;

const std::string kGolden = HANDEYE_SOURCE_DIR "/tests/golden/tokenizer/";

const std::vector<std::string> kChatTokens{"<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|system|>",
                                           "<|user|>", "<|assistant|>", "<|observation|>"};

json golden(const char* name) {
    const auto value = read_json(kGolden + name);
    EXPECT_TRUE(value.has_value()) << value.error().message;
    return value.value_or(json::object());
}

Tokenizer small_tokenizer() {
    auto tokenizer = Tokenizer::from_json_file(kGolden + "small_tokenizer.json");
    EXPECT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
    return *std::move(tokenizer);
}

// Ids as in the oracle: int32, little endian, -1 after each string.
std::string chunk_hash(const Tokenizer& tokenizer, int chunk, AddedTokens added) {
    RandomText random(static_cast<std::uint64_t>(chunk) + 1);
    std::string bytes;
    for (int i = 0; i < 1000; ++i) {
        const std::string text = random.next();
        Ids ids = tokenizer.encode(text, added);
        EXPECT_EQ(tokenizer.decode(ids), text);
        ids.push_back(-1);
        bytes.append(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(TokenId));
    }
    return to_hex(sha256(bytes));
}

void expect_hashes(const Tokenizer& tokenizer, const char* name, int chunks, AddedTokens added) {
    const json want = golden("hashes.json")[name];
    ASSERT_GE(static_cast<int>(want.size()), chunks);
    for (int chunk = 0; chunk < chunks; ++chunk) {
        EXPECT_EQ(chunk_hash(tokenizer, chunk, added), want[static_cast<std::size_t>(chunk)])
            << name << ": strings " << chunk * 1000 << " to " << chunk * 1000 + 999;
    }
}

TEST(Tokenizer, EqualsTheGoldenCases) {
    const Tokenizer tokenizer = small_tokenizer();
    for (const json& row : golden("cases.json")) {
        const auto text = row["text"].get<std::string>();
        EXPECT_EQ(tokenizer.encode(text, AddedTokens::Recognised), row["ids"].get<Ids>()) << row["text"];
        EXPECT_EQ(tokenizer.decode(row["ids"].get<Ids>()), text);
    }
}

TEST(Tokenizer, EqualsTokenizersOnRandomStrings) {
    expect_hashes(small_tokenizer(), "small", 3, AddedTokens::Recognised);
}

TEST(Tokenizer, MergesWholePiecesWhereTheFileSaysSo) {
    std::string source = *read_file(kGolden + "small_tokenizer.json", 1 << 20);
    const std::string on = "\"ignore_merges\": true";
    ASSERT_NE(source.find(on), std::string::npos);
    source.replace(source.find(on), on.size(), "\"ignore_merges\": false");
    const TemporaryFolder folder;
    folder.write("tokenizer.json", source);
    const auto tokenizer = Tokenizer::from_json_file(folder.path() / "tokenizer.json");
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
    expect_hashes(*tokenizer, "small_merging", 3, AddedTokens::Recognised);
}

TEST(Tokenizer, LoadsTheBundledModelsFile) {
    const auto tokenizer = Tokenizer::from_json_file(HANDEYE_SOURCE_DIR "/models/nano/tokenizer.json");
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
    const std::string text = "[gMASK]<sop><|user|>\nClick the button \"Größe\" <|assistant|>\n<think>";
    const Ids ids = tokenizer->encode(text, AddedTokens::Recognised);
    EXPECT_EQ(tokenizer->decode(ids), text);
    EXPECT_EQ(ids.front(), *tokenizer->added_token("[gMASK]"));
    EXPECT_EQ(ids.back(), *tokenizer->added_token("<think>"));
}

// ---- the real vocabulary

class RealTokenizer : public testing::Test {
protected:
    void SetUp() override {
        const char* path = std::getenv("HANDEYE_GLM4_TOKENIZER");
        if (path == nullptr) {
            GTEST_SKIP() << "HANDEYE_GLM4_TOKENIZER is not set: it names the GLM-4 tokenizer.model";
        }
        auto loaded = Tokenizer::from_tiktoken_file(path, kChatTokens);
        ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
        tokenizer_ = *std::move(loaded);
    }
    Tokenizer tokenizer_;
};

TEST_F(RealTokenizer, EqualsThePublishedVectors) {
    const std::vector<std::pair<std::string, Ids>> vectors{
        {"Hello, world!", {9703, 11, 1879, 0}},
        {"this is a test where da goose is cooked", {574, 374, 264, 1273, 1380, 2994, 61701, 374, 28998}},
        {"What kind of dog is this?", {3838, 3093, 315, 5562, 374, 419, 30}},
        {"Describe this video.", {74198, 419, 2766, 13}},
        {"Who are you?", {15179, 525, 498, 30}},
        {"你好", {109377}},
        {"你是谁？", {103408, 99668, 11314}},
        {"1234567", {108714, 100461, 21, 22}},
        {"I'm we'LL  x", {40, 2776, 582, 6, 4086, 220, 856}},
        {"  leading", {220, 6388}},
        {"a\n\nb", {64, 271, 65}},
        {" \n x", {715, 856}},
        {"\n", {198}},
        {"\n\n", {271}},
        {"tab\tx", {6192, 10220}},
        {"é", {963}},
        {"😀", {74764, 222}},
        {"def f(x):\n    return x+1\n", {750, 282, 2075, 982, 262, 470, 856, 10, 16, 198}},
        {"0123456789 seconds", {15, 98886, 18, 100461, 21, 100928, 24, 6486}},
        {"0.0 seconds", {15, 13, 15, 6486}},
        {"12.5 seconds", {98886, 13, 20, 6486}},
        {"<think>", {13699, 766, 29}},
        {"</think>", {522, 26779, 29}},
        {"<answer>", {27, 9214, 29}},
        {"</answer>", {522, 9214, 29}},
        {"<|begin_of_box|>", {27, 91, 7265, 3575, 10189, 91, 29}},
        {"/nothink", {32942, 26779}},
        {"no", {2152}},
        {"yes", {9689}},
        {"maybe", {36569}},
        {"123", {108714}},
        {"456", {100461, 21}},
        {"345", {18, 100461}},
        {"789", {100928, 24}},
        {"012", {15, 98886}},
        {"299", {100104, 24}},
        {"[gMASK]this is a test where da goose is cooked<|system|>no<|user|>yes<|assistant|>maybe",
         {151331, 574, 374, 264, 1273, 1380, 2994, 61701, 374, 28998, 151335, 2152, 151336, 9689, 151337, 36569}},
    };
    for (const auto& [text, ids] : vectors) {
        EXPECT_EQ(tokenizer_.encode(text, AddedTokens::Recognised), ids) << text;
        EXPECT_EQ(tokenizer_.decode(ids), text);
    }
    EXPECT_EQ(tokenizer_.vocabulary_size(), 151339);
}

TEST_F(RealTokenizer, EmitsTokensThatMergingCannotReach) {
    for (const char* text : {" 参考", " 而", " 者", " 王"}) {
        EXPECT_EQ(tokenizer_.encode(text, AddedTokens::Recognised).size(), 1U) << text;
    }
}

TEST_F(RealTokenizer, EqualsTiktokenOnRandomStrings) {
    const int chunks = std::getenv("HANDEYE_FULL") != nullptr ? 100 : 3;
    std::printf("%d strings, seeds 1 to %d\n", chunks * 1000, chunks);
    expect_hashes(tokenizer_, "real", chunks, AddedTokens::AsText);
}

TEST_F(RealTokenizer, StaysFastOnAMegabyteWithoutABreak) {
    for (const std::string& unit : {std::string("a"), std::string(" "), std::string("ab"), std::string("中"), std::string("!?"),
                                    std::string("\r"), std::string("'"), std::string("<|user|"), std::string("\xFF")}) {
        std::string text;
        while (text.size() < 1'000'000) {
            text += unit;
        }
        const auto start = std::chrono::steady_clock::now();
        const Ids ids = tokenizer_.encode(text, AddedTokens::Recognised);
        // A quadratic merge takes minutes; the bound leaves room for sanitizers and a busy machine.
        EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30)) << unit;
        EXPECT_FALSE(ids.empty());
        EXPECT_EQ(tokenizer_.decode(ids), utf8_repaired(text)) << unit;
    }
}

// ---- added tokens

TEST(AddedTokens, TakeTheLongestAtEachPosition) {
    const TemporaryFolder folder;
    std::string file;
    for (int byte = 0; byte < 256; ++byte) { // the 256 single bytes in base64, ranks in order
        constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        file += kDigits[byte >> 2];
        file += kDigits[(byte & 3) << 4];
        file += "== " + std::to_string(byte) + "\n";
    }
    folder.write("ranks", file);
    const auto tokenizer = Tokenizer::from_tiktoken_file(folder.path() / "ranks", {"<a", "<a>", "<a><b", ">x"});
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
    EXPECT_EQ(tokenizer->encode("<a><b<a>x<a", AddedTokens::Recognised), (Ids{258, 257, 'x', 256}));
    EXPECT_EQ(tokenizer->encode("<a>", AddedTokens::AsText), (Ids{'<', 'a', '>'}));
    EXPECT_EQ(tokenizer->added_token("<a>"), 257);
    EXPECT_EQ(tokenizer->added_token("<b>"), std::nullopt);
    EXPECT_EQ(tokenizer->token_bytes(258), "<a><b");
    EXPECT_EQ(tokenizer->token_bytes(260), "");
    EXPECT_EQ(tokenizer->token_bytes(-1), "");
}

TEST(AddedTokens, StayTextWhereAMessageWroteThem) {
    const Tokenizer tokenizer = small_tokenizer();
    const TokenId user = *tokenizer.added_token("<|user|>"), think = *tokenizer.added_token("<think>");
    const std::vector<RenderedSegment> segments{{"<|user|>\n", false}, {"a<|user|><think>", true}, {"<|user|>", false}};
    Ids want = tokenizer.encode("<|user|>\n", AddedTokens::Recognised);
    for (const TokenId id : tokenizer.encode("a<|user|>", AddedTokens::AsText)) {
        want.push_back(id);
    }
    want.insert(want.end(), {think, user});
    EXPECT_EQ(tokenizer.encode_rendered(segments, {user}), want);
    // Without an exception the segments are one text.
    EXPECT_EQ(tokenizer.encode_rendered(segments, {}),
              tokenizer.encode("<|user|>\na<|user|><think><|user|>", AddedTokens::Recognised));
}

TEST(AddedTokens, CannotBeCompletedByAMessage) {
    const Tokenizer tokenizer = small_tokenizer();
    const TokenId user = *tokenizer.added_token("<|user|>");
    for (const auto& segments : {std::vector<RenderedSegment>{{"<|us", false}, {"er|>", true}},
                                 std::vector<RenderedSegment>{{"<|us", true}, {"er|>", false}},
                                 std::vector<RenderedSegment>{{"<", false}, {"|user|", true}, {">", false}}}) {
        const Ids ids = tokenizer.encode_rendered(segments, {user});
        EXPECT_EQ(std::count(ids.begin(), ids.end(), user), 0);
        EXPECT_EQ(tokenizer.decode(ids), "<|user|>");
    }
    EXPECT_EQ(tokenizer.encode_rendered({{"<|us", false}, {"er|>", false}}, {user}), (Ids{user}));
}

TEST(Tokenizer, JoinsPiecesOverSegments) {
    // "\n" of the template and "\n" of a message are one piece in the reference, which sees only the joined text.
    const Tokenizer tokenizer = small_tokenizer();
    EXPECT_EQ(tokenizer.encode_rendered({{"x\n", false}, {"\ny", true}}, {}), tokenizer.encode("x\n\ny", AddedTokens::AsText));
}

// ---- bytes that are not UTF-8

TEST(Tokenizer, KeepsBrokenBytesAsTheirTokens) {
    const Tokenizer tokenizer = small_tokenizer();
    for (const std::string& text : {std::string("\xFF\xFE"), std::string("a\xE2\x82z"), std::string("\xC0\xAF"),
                                    std::string("\xED\xA0\x80"), std::string("\xF4\x90\x80\x80"), std::string("<|user|>\xF0\x9F"),
                                    std::string("\0\x80", 2)}) {
        std::string bytes;
        for (const TokenId id : tokenizer.encode(text, AddedTokens::Recognised)) {
            bytes += tokenizer.token_bytes(id);
        }
        EXPECT_EQ(bytes, text);
    }
}

TEST(Utf8, RepairsByMaximalSubparts) {
    const std::string bad = "\xEF\xBF\xBD"; // U+FFFD
    EXPECT_EQ(utf8_repaired("a\xE2\x82z"), "a" + bad + "z");
    EXPECT_EQ(utf8_repaired("\xE2\x82"), bad);
    EXPECT_EQ(utf8_repaired("\xF0\x80\x80"), bad + bad + bad); // overlong: the second byte cannot follow
    EXPECT_EQ(utf8_repaired("\xED\xA0\x80"), bad + bad + bad); // a surrogate
    EXPECT_EQ(utf8_repaired("\xF4\x90\x80\x80"), bad + bad + bad + bad);
    EXPECT_EQ(utf8_repaired("\xF0\x9F\x98\x80 ok"), "\xF0\x9F\x98\x80 ok");
}

TEST(Utf8Stream, HoldsBackUnfinishedCharactersOnly) {
    Utf8Stream stream;
    EXPECT_EQ(stream.push("a\xF0"), "a");
    EXPECT_EQ(stream.push("\x9F\x98"), "");
    EXPECT_EQ(stream.push("\x80!"), "\xF0\x9F\x98\x80!");
    EXPECT_EQ(stream.push("\xE2\x82"), "");
    EXPECT_EQ(stream.push("z"), "\xEF\xBF\xBDz");
    EXPECT_EQ(stream.push("\xC3"), "");
    EXPECT_EQ(stream.flush(), "\xEF\xBF\xBD");
    EXPECT_EQ(stream.flush(), "");
}

TEST(Utf8Stream, EqualsDecodeByteByByte) {
    RandomText random(99);
    for (int i = 0; i < 200; ++i) {
        std::string text = random.next();
        text.insert(text.size() / 2, "\xE2\x82\xFF");
        Utf8Stream stream;
        std::string streamed;
        for (const char byte : text) {
            streamed += stream.push({&byte, 1});
        }
        streamed += stream.flush();
        ASSERT_EQ(streamed, utf8_repaired(text));
    }
}

// ---- files that lie

class TokenizerFile : public testing::Test {
protected:
    void SetUp() override { file_ = *read_json(kGolden + "small_tokenizer.json"); }

    std::string message() {
        folder_.write("tokenizer.json", dump_json(file_));
        const auto tokenizer = Tokenizer::from_json_file(folder_.path() / "tokenizer.json");
        return tokenizer ? "loaded" : tokenizer.error().message;
    }
    void expect_refused(const std::string& part) {
        const std::string text = message();
        EXPECT_NE(text.find(part), std::string::npos) << text;
        EXPECT_NE(text.find("tokenizer.json"), std::string::npos) << text;
    }

    TemporaryFolder folder_;
    json file_;
};

TEST_F(TokenizerFile, LoadsAsItIs) { EXPECT_EQ(message(), "loaded"); }

TEST_F(TokenizerFile, LoadsMergesAsPairsAndAsStrings) {
    json& merges = file_["model"]["merges"];
    for (json& merge : merges) {
        merge = merge.is_array() ? json(merge[0].get<std::string>() + " " + merge[1].get<std::string>()) : merge;
    }
    EXPECT_EQ(message(), "loaded");
}

TEST_F(TokenizerFile, RefusesPipelinesByName) {
    const json good = file_;
    const auto with = [&](const char* pointer, json value, const char* part) {
        file_ = good;
        file_[json::json_pointer(pointer)] = std::move(value);
        expect_refused(part);
    };
    with("/normalizer", {{"type", "NFC"}}, "NFC");
    with("/model/type", "Unigram", "Unigram");
    with("/model/byte_fallback", true, "byte_fallback");
    with("/model/dropout", 0.1, "dropout");
    with("/model/unk_token", "<unk>", "<unk>");
    with("/decoder/type", "Metaspace", "Metaspace");
    with("/pre_tokenizer", {{"type", "Whitespace"}}, "Whitespace");
    with("/pre_tokenizer/pretokenizers/0/behavior", "Removed", "Split");
    with("/pre_tokenizer/pretokenizers/1/use_regex", true, "ByteLevel");
    with("/added_tokens/0/lstrip", true, "lstrip");
    with("/added_tokens/0/single_word", true, "single_word");
}

TEST_F(TokenizerFile, RefusesWrongTypesAndMissingParts) {
    const json good = file_;
    const auto with = [&](const char* pointer, json value, const char* part) {
        file_ = good;
        file_[json::json_pointer(pointer)] = std::move(value);
        expect_refused(part);
    };
    with("/model", nullptr, "model");
    with("/model/vocab", json::array(), "vocab");
    with("/model/vocab/!", "0", "not a token id");
    with("/model/vocab/!", -1, "not a token id");
    with("/model/vocab/!", 1.5, "not a token id");
    with("/model/vocab/!", 999'999'999'999, "not a token id");
    with("/model/vocab/!", 1, "twice");
    with("/model/vocab/日", 600, "alphabet");
    with("/model/merges", "x", "merges");
    with("/model/merges/0", {"e"}, "merges[0]");
    with("/model/merges/0", "e r t", "merges[0]");
    with("/model/merges/0", {"e", "日"}, "merges[0]");
    with("/model/merges/0", {"zq", "qz"}, "not in the vocabulary");
    with("/added_tokens/0/content", 5, "added token");
    with("/added_tokens/0/content", "", "added token");
    with("/added_tokens/0/id", "x", "added_tokens");
    with("/added_tokens", "x", "added_tokens");
    with("/pre_tokenizer/pretokenizers/0/pattern/Regex", "(", "does not compile");
    with("/pre_tokenizer/pretokenizers/0/pattern/Regex", "[^\\S]", "\\S inside a class");
    with("/pre_tokenizer/pretokenizers/0/pattern/Regex", std::string(5000, 'a'), "5000 bytes");
    file_ = good;
    file_["model"]["vocab"].erase("!");
    expect_refused("byte 0x21");
}

TEST_F(TokenizerFile, SurvivesAPatternThatBacktracksForever) {
    file_["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "(a+)+b|(a|aa)+c";
    folder_.write("tokenizer.json", dump_json(file_));
    const auto tokenizer = Tokenizer::from_json_file(folder_.path() / "tokenizer.json");
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
    const std::string text(5000, 'a');
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text, AddedTokens::AsText)), text);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(TokenizerFiles, NameTheFileThatIsMissingOrNotJson) {
    const TemporaryFolder folder;
    EXPECT_FALSE(Tokenizer::from_json_file(folder.path() / "absent").has_value());
    for (const char* text : {"", "{", "[]", "null", "{}", "\xFF"}) {
        folder.write("t.json", text);
        const auto tokenizer = Tokenizer::from_json_file(folder.path() / "t.json");
        ASSERT_FALSE(tokenizer.has_value()) << text;
        EXPECT_NE(tokenizer.error().message.find("t.json"), std::string::npos) << tokenizer.error().message;
    }
}

TEST(TokenizerFiles, RefuseRankLinesThatAreNotRanks) {
    const TemporaryFolder folder;
    for (const char* text : {"", "IQ==", "IQ== x", "IQ== 1 2", "IQ= 0", "I*== 0", "IQ== -1", "IQ== 99999999999", "IQ== 0\nIg== 0",
                             "IQ== 0\nIQ== 1", "IQ== 0\n"}) {
        folder.write("ranks", text);
        const auto tokenizer = Tokenizer::from_tiktoken_file(folder.path() / "ranks", {});
        ASSERT_FALSE(tokenizer.has_value()) << text;
        EXPECT_NE(tokenizer.error().message.find("ranks"), std::string::npos) << tokenizer.error().message;
    }
}

} // namespace
} // namespace handeye

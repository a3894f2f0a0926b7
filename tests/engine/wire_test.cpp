// SPDX-License-Identifier: Apache-2.0
// The packets between daemon and engine process: bounds, every truncation, wrong types.
#include "engine/process/wire.h"

#include "base/json.h"

#include <algorithm>
#include <iterator>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye::wire {
namespace {

using nlohmann::json;

std::vector<std::uint8_t> packet_of(const ChatRequest& request) {
    const EncodedRequest encoded = encode_request("generate", 7, request);
    PacketSizes sizes{.head_bytes = encoded.head_json.size()};
    for (const auto part : encoded.body) {
        sizes.body_bytes += part.size();
    }
    const Prefix prefix = write_prefix(sizes);
    std::vector<std::uint8_t> bytes;
    std::copy(prefix.begin(), prefix.end(), std::back_inserter(bytes));
    std::copy(encoded.head_json.begin(), encoded.head_json.end(), std::back_inserter(bytes));
    for (const auto part : encoded.body) {
        std::copy(part.begin(), part.end(), std::back_inserter(bytes));
    }
    return bytes;
}

ChatRequest sample() {
    ChatRequest request;
    const auto image = Image::from_pixels({3, 2}, PixelFormat::Rgb, std::vector<std::uint8_t>(18, 9));
    request.messages.push_back({.role = Role::System, .parts = {TextPart{"be brief"}}, .metadata = "m", .reasoning_content = "r"});
    request.messages.push_back({.role = Role::User, .parts = {ImagePart{*image}, TextPart{"what?"}}});
    request.enable_thinking = false;
    request.thinking_budget = 12;
    request.sampling = {.temperature = 0.5, .top_p = 0.25, .top_k = 3, .repetition_penalty = 1.5, .seed = ~std::uint64_t{0}};
    request.stop_texts = {"a", "b"};
    request.max_new_tokens = 77;
    request.add_generation_prompt = false;
    return request;
}

TEST(Wire, ARequestComesBackWhole) {
    const auto packet = parse_packet(packet_of(sample()), {});
    ASSERT_TRUE(packet);
    const auto back = decode_request(*parse_json(packet->head_json), packet->body);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(packet_of(*back), packet_of(sample()));
    EXPECT_EQ(back->sampling.seed, ~std::uint64_t{0});
    EXPECT_EQ(back->enable_thinking, false);
    EXPECT_FALSE(decode_request(*parse_json(packet->head_json), {})); // the picture's bytes are missing
}

TEST(Wire, EveryTruncationIsAnError) {
    const auto bytes = packet_of(sample());
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        EXPECT_FALSE(parse_packet(std::span(bytes).first(length), {})) << length;
    }
}

TEST(Wire, AnnouncedSizesAreBoundedBeforeMemoryIsTaken) {
    Prefix prefix = write_prefix({.head_bytes = PacketLimits{}.head_bytes_max + 1});
    EXPECT_EQ(read_prefix(prefix, {}).error().code, ErrorCode::LimitExceeded);
    prefix = write_prefix({.head_bytes = 1, .body_bytes = 1});
    EXPECT_EQ(read_prefix(prefix, kFromWorker).error().code, ErrorCode::LimitExceeded);
    EXPECT_TRUE(read_prefix(prefix, {}));
    prefix[0] = 'X';
    EXPECT_EQ(read_prefix(prefix, {}).error().code, ErrorCode::ParseFailed);
}

TEST(Wire, PicturesMustFitTheirBytes) {
    const auto packet = parse_packet(packet_of(sample()), {});
    const json good = *parse_json(packet->head_json);
    for (const auto& [key, value] : std::vector<std::pair<std::string, json>>{
             {"width", 4}, {"width", -1}, {"width", 1 << 20}, {"height", 1}, {"height", "2"}, {"format", 9}, {"format", -1}, {"width", nullptr}}) {
        json head = good;
        head["messages"][1]["parts"][0]["image"][key] = value;
        EXPECT_FALSE(decode_request(head, packet->body)) << key << value;
    }
    json head = good;
    head["messages"][0]["role"] = 9;
    EXPECT_FALSE(decode_request(head, packet->body));
    head = good;
    head.erase("sampling");
    EXPECT_FALSE(decode_request(head, packet->body));
    head = good;
    head["messages"] = 5;
    EXPECT_FALSE(decode_request(head, packet->body));
}

TEST(Wire, AnswersOfAStrangeWorkerAreErrors) {
    Completion completion;
    completion.text_utf8 = "x";
    const json good = encode_completion(completion);
    ASSERT_TRUE(decode_completion(good));
    for (const auto& item : good.items()) {
        json bad = good;
        bad[item.key()] = json::object();
        EXPECT_FALSE(decode_completion(bad)) << item.key();
        bad.erase(item.key());
        EXPECT_FALSE(decode_completion(bad)) << item.key();
    }
    json bad = good;
    bad["stop_reason"] = 99;
    EXPECT_FALSE(decode_completion(bad));
    EXPECT_FALSE(decode_info(json::array()));
    const ModelInfo text{.name = "a", .reads_pictures = false};
    EXPECT_FALSE(decode_info(encode_info(text))->reads_pictures);
    EXPECT_TRUE(decode_info(encode_info(ModelInfo{}))->reads_pictures);
    EXPECT_EQ(decode_error(json(5)).code, ErrorCode::Internal);
    EXPECT_EQ(decode_error({{"code", "nonsense"}, {"message", 5}}).code, ErrorCode::Internal);
    for (int i = 0; i <= static_cast<int>(ErrorCode::Internal); ++i) {
        EXPECT_EQ(decode_error(encode_error({static_cast<ErrorCode>(i), "why"})).code, static_cast<ErrorCode>(i));
    }
}

} // namespace
} // namespace handeye::wire

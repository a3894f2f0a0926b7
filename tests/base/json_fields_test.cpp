// SPDX-License-Identifier: Apache-2.0
// Members of every wrong type: each getter gives its fallback, and none throws.
#include "base/json_fields.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

const json kWrong = json::parse(R"([null, true, 7, -7, 1.5, 1e300, 18446744073709551615, "text", [], [1], {}, {"a": 1}])");

TEST(JsonFields, GiveWhatIsThere) {
    const json object = json::parse(R"({"t":"text","f":true,"n":1.5,"i":7,"r":7.0,"o":{"a":1},"l":[1]})");
    EXPECT_EQ(json_text(object, "t"), "text");
    EXPECT_TRUE(json_flag(object, "f"));
    EXPECT_EQ(json_number(object, "n"), 1.5);
    EXPECT_EQ(json_int(object, "i"), 7);
    EXPECT_EQ(json_int(object, "r"), 7);
    EXPECT_EQ(json_object(object, "o"), object["o"]);
    EXPECT_EQ(json_list(object, "l"), object["l"]);
    EXPECT_EQ(json_member(object, "n"), 1.5);
}

TEST(JsonFields, GiveTheFallbackForEveryOtherType) {
    for (const json& wrong : kWrong) {
        const json object{{"x", wrong}};
        EXPECT_EQ(json_text(object, "x", "none"), wrong.is_string() ? "text" : "none") << wrong;
        EXPECT_EQ(json_flag(object, "x"), wrong == json(true)) << wrong;
        EXPECT_EQ(json_number(object, "x", 3), wrong.is_number() ? wrong.get<double>() : 3) << wrong;
        EXPECT_EQ(json_int(object, "x", 3), wrong == json(7) || wrong == json(-7) ? wrong.get<int>() : 3) << wrong;
        EXPECT_EQ(json_object(object, "x").size(), wrong.is_object() ? wrong.size() : 0) << wrong;
        EXPECT_EQ(json_list(object, "x").size(), wrong.is_array() ? wrong.size() : 0) << wrong;
    }
}

TEST(JsonFields, GiveTheFallbackWhereTheObjectIsNone) {
    for (const json& wrong : kWrong) {
        EXPECT_EQ(json_text(wrong, "x", "none"), "none") << wrong;
        EXPECT_EQ(json_int(wrong, "x", 3), 3) << wrong;
        EXPECT_TRUE(json_flag(wrong, "x", true)) << wrong;
        EXPECT_TRUE(json_object(wrong, "x").empty() && json_list(wrong, "x").empty()) << wrong;
        EXPECT_TRUE(json_member(wrong, "x").is_null()) << wrong;
    }
}

} // namespace
} // namespace handeye

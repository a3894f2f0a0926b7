// SPDX-License-Identifier: Apache-2.0
#include "base/printable.h"

#include <gtest/gtest.h>

namespace handeye {
namespace {

TEST(Printable, LeavesWordsAsTheyAre) {
    for (const char* const text : {"", "Save", "two\nlines\tand a tab", "Zürich 東京 🎉", "{\"json\":true}"}) {
        EXPECT_EQ(printable(text), text);
    }
}

TEST(Printable, ShowsWhatATerminalWouldObey) {
    EXPECT_EQ(printable("\x1b]0;pwned\x07"), "\\x1b]0;pwned\\x07");
    EXPECT_EQ(printable("\x1b[2J"), "\\x1b[2J");
    EXPECT_EQ(printable("a\rb\x08"), "a\\x0db\\x08");
    EXPECT_EQ(printable("\xc2\x9b" "31m"), "\\x9b31m"); // CSI as one C1 character
    EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(Printable, ShowsWhatTurnsTheDirectionOfWriting) {
    EXPECT_EQ(printable("safe\xe2\x80\xaegnp.exe"), "safe\\u202egnp.exe");
    EXPECT_EQ(printable("\xe2\x81\xa6x\xe2\x81\xa9"), "\\u2066x\\u2069");
}

TEST(Printable, ShowsWhatHasNoWidth) {
    EXPECT_EQ(printable("pay\xe2\x80\x8bpal \xef\xbb\xbf\xe2\x81\xa0"), "pay\\u200bpal \\ufeff\\u2060");
    EXPECT_EQ(printable("\xe2\x80\x8d\xe2\x80\x8c"), "\xe2\x80\x8d\xe2\x80\x8c"); // joiners belong to words
}

TEST(PrintableLine, IsOneLine) {
    EXPECT_EQ(printable_line("no\nhandeye: all is well\r\t\x1b[1m"), "no\\nhandeye: all is well\\x0d\\t\\x1b[1m");
    EXPECT_EQ(printable_line("Zürich"), "Zürich");
}

TEST(Printable, ShowsBytesThatAreNoUtf8) {
    EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");
    EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");         // longer than needed
    EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80"); // half of a surrogate pair
    EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
}

TEST(BytesText, HasOneDecimalFromAThousandOn) {
    EXPECT_EQ(bytes_text(0), "0 B");
    EXPECT_EQ(bytes_text(999), "999 B");
    EXPECT_EQ(bytes_text(1000), "1.0 kB");
    EXPECT_EQ(bytes_text(999'949), "999.9 kB");
    EXPECT_EQ(bytes_text(999'950), "1.0 MB");
    EXPECT_EQ(bytes_text(18'970'000'000), "19.0 GB");
}

} // namespace
} // namespace handeye

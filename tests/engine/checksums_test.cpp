// SPDX-License-Identifier: Apache-2.0
// Sums of model files: a wrong one is found and named, a right one is not computed twice.
#include "base/file.h"
#include "base/hash.h"
#include "engine/engine.h"
#include "engine/weights/checksums.h"

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

namespace handeye {
namespace {

namespace fs = std::filesystem;

class ChecksumTest : public ::testing::Test {
protected:
    ChecksumTest() {
        std::string pattern = (fs::temp_directory_path() / "handeye-sums-XXXXXX").string();
        dir = ::mkdtemp(pattern.data());
        write("a.safetensors", "first shard");
        write("b.safetensors", "second shard");
    }
    ~ChecksumTest() override { fs::remove_all(dir); }
    void write(const std::string& name, const std::string& bytes) const {
        fs::create_directories((dir / name).parent_path());
        std::ofstream(dir / name, std::ios::binary) << bytes;
    }
    static std::string row(const std::string& bytes, const std::string& name) { return to_hex(sha256(bytes)) + "  " + name + "\n"; }
    void write_sums() const { write("SHA256SUMS", row("first shard", "a.safetensors") + row("second shard", "b.safetensors")); }
    [[nodiscard]] Result<ChecksumReport> verify() const { return verify_checksums(dir, cache()); }
    [[nodiscard]] fs::path cache() const { return dir / "cache" / "checksums"; }
    [[nodiscard]] Error problem() const {
        const auto report = verify();
        EXPECT_FALSE(report);
        return report ? Error{} : report.error();
    }
    fs::path dir;
};

TEST_F(ChecksumTest, RightSumsAreComputedOnce) {
    write_sums();
    EXPECT_EQ(verify()->computed, 2);
    EXPECT_EQ(verify()->computed, 0);
    EXPECT_EQ(verify()->files, 2);
    write("b.safetensors", "second shard"); // the same bytes at another time
    EXPECT_EQ(verify()->computed, 1);
    EXPECT_EQ(verify_checksums(dir, {})->computed, 2); // without a cache
}

TEST_F(ChecksumTest, AChangedShardIsNamedWithBothSums) {
    write_sums();
    ASSERT_TRUE(verify());
    write("b.safetensors", "second sharD"); // as long as before
    const Error error = problem();
    EXPECT_EQ(error.code, ErrorCode::ParseFailed);
    for (const std::string& part : {std::string("b.safetensors"), to_hex(sha256("second shard")), to_hex(sha256("second sharD"))}) {
        EXPECT_NE(error.message.find(part), std::string::npos) << error.message;
    }
    EXPECT_FALSE(verify()); // the second look at it says the same, from the cache
}

TEST_F(ChecksumTest, AChangeWhoseTimeWasSetBackIsFound) {
    write_sums();
    ASSERT_TRUE(verify());
    const auto then = fs::last_write_time(dir / "b.safetensors");
    write("b.safetensors", "second sharD");
    fs::last_write_time(dir / "b.safetensors", then);
    EXPECT_FALSE(verify());
}

TEST_F(ChecksumTest, ADamagedCacheIsOnlySlow) {
    write_sums();
    write("cache/checksums", "nonsense\n1:2:3 zz\n\n");
    fs::permissions(dir / "cache", fs::perms::owner_all); // in a folder of others nothing would be kept
    EXPECT_EQ(verify()->computed, 2);
    EXPECT_EQ(verify()->computed, 0);
}

TEST_F(ChecksumTest, WhatIsListedMustBeThereAndWeightsMustBeListed) {
    write("SHA256SUMS", row("first shard", "a.safetensors"));
    EXPECT_NE(problem().message.find("does not list b.safetensors"), std::string::npos);
    write_sums();
    fs::remove(dir / "b.safetensors");
    EXPECT_EQ(problem().code, ErrorCode::NotFound);
}

TEST_F(ChecksumTest, ASumsFileIsReadStrictly) {
    const std::string sum = to_hex(sha256("x"));
    for (const std::string& text : {std::string("x\n"), sum + "\n", sum + "  \n", sum + " a.safetensors\n", sum + "  ../a\n", sum + "  /etc/passwd\n", sum + "  ..\n",
                                    sum.substr(1) + "  a.safetensors\n", "G" + sum.substr(1) + "  a.safetensors\n", sum + "  a\n" + sum + "  a\n"}) {
        write("SHA256SUMS", text);
        EXPECT_EQ(problem().code, ErrorCode::ParseFailed) << text;
    }
}

TEST_F(ChecksumTest, TheHubsOwnRecordsAreUsed) {
    EXPECT_EQ(verify()->files, 0); // nothing to compare with
    write(".cache/huggingface/download/a.safetensors.metadata", "c0ffee\n" + to_hex(sha256("first shard")) + "\n1700000000.0\n");
    write(".cache/huggingface/download/b.safetensors.metadata", "c0ffee\n0123456789abcdef0123456789abcdef01234567\n1700000000.0\n"); // a git sum: of a small file
    EXPECT_EQ(verify()->files, 1);
    write(".cache/huggingface/download/b.safetensors.metadata", "c0ffee\n" + to_hex(sha256("another")) + "\n1700000000.0\n");
    EXPECT_NE(problem().message.find("b.safetensors"), std::string::npos);
}

TEST_F(ChecksumTest, ALinkToABlobNamedByItsSumIsCompared) {
    write("blobs/" + to_hex(sha256("third")), "third");
    fs::create_symlink("blobs/" + to_hex(sha256("third")), dir / "c.safetensors");
    EXPECT_EQ(verify()->files, 1);
    write("blobs/" + to_hex(sha256("third")), "THIRD");
    EXPECT_NE(problem().message.find("c.safetensors"), std::string::npos);
}

TEST(BundledModel, HasSumsThatHold) {
    const auto report = verify_checksums(HANDEYE_SOURCE_DIR "/models/nano", {});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_GE(report->files, 9);
}

TEST_F(ChecksumTest, OpeningTheEngineComparesUnlessToldNotTo) {
    write_sums();
    write("a.safetensors", "other bytes");
    const auto refused = open_engine({.model_dir = dir});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("a.safetensors is not the file"), std::string::npos) << refused.error().message;
    const auto skipped = open_engine({.model_dir = dir, .checksums = Checksums::Skip});
    ASSERT_FALSE(skipped);
    EXPECT_EQ(skipped.error().message.find("SHA-256"), std::string::npos) << skipped.error().message;
}

} // namespace
} // namespace handeye

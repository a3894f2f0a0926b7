// SPDX-License-Identifier: Apache-2.0
// The built `handeye` as a person and a script use it: exit codes, errors that name the thing, JSON and nothing else.
#include "agent/task_file.h"
#include "base/file.h"
#include "base/image_codec.h"
#include "base/json.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace handeye {
namespace {

struct Ran {
    int code = -1;
    std::string out;
    std::string err;
};

class Cli : public testing::Test {
protected:
    void SetUp() override {
        dir_ = std::filesystem::temp_directory_path() / ("handeye-cli-" + std::to_string(::getpid()));
        std::filesystem::create_directories(dir_);
    }
    void TearDown() override { std::filesystem::remove_all(dir_); }

    // Arguments as in a shell. No display is inherited.
    Ran handeye(const std::string& arguments) const {
        const std::string command = "env -u DISPLAY XDG_STATE_HOME=" + dir_.string() + " XDG_RUNTIME_DIR=" + dir_.string() +
                                    " " HANDEYE_BINARY_DIR "/bin/handeye " + arguments + " >" + (dir_ / "out").string() + " 2>" +
                                    (dir_ / "err").string() + " </dev/null";
        const int status = std::system(command.c_str());
        return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), *read_file(dir_ / "out", 64U << 20U),
                *read_file(dir_ / "err", 64U << 20U)};
    }

    std::filesystem::path dir_;
};

TEST_F(Cli, HelpTeachesAndSucceeds) {
    EXPECT_EQ(handeye("--help").code, 0);
    for (const char* command : {"run", "screenshot", "act", "report", "verify", "doctor", "platforms", "models", "bench"}) {
        const Ran ran = handeye(std::string(command) + " --help");
        EXPECT_EQ(ran.code, 0) << command;
        EXPECT_NE(ran.out.find("Usage"), std::string::npos) << command;
    }
}

TEST_F(Cli, BadUseIsTwo) {
    EXPECT_EQ(handeye("").code, 2);
    EXPECT_EQ(handeye("fly").code, 2);
    EXPECT_EQ(handeye("screenshot").code, 2);
    EXPECT_EQ(handeye("screenshot --headless 640 -o x.png").code, 2);
    EXPECT_EQ(handeye("run --max-steps 0 goal").code, 2);
    EXPECT_EQ(handeye("run --deny fly goal --headless 64x64").code, 2);
}

TEST_F(Cli, BenchEngineTellsWhatIsComparedWithAPeer) {
    const std::string golden = HANDEYE_SOURCE_DIR "/tests/golden/engine/";
    const Ran ran = handeye("bench engine --json --threads 1 --model " + golden + "glm4v-gguf");
    EXPECT_EQ(ran.code, 0) << ran.err;
    for (const char* name : {"load", "peak_memory", "prefill", "decode", "first_token", "vision"}) {
        EXPECT_NE(ran.out.find('"' + std::string(name) + '"'), std::string::npos) << name << " in " << ran.out;
    }
    const Ran blind = handeye("bench engine --model " + golden + "glm4-gguf-zoo --picture " HANDEYE_SOURCE_DIR "/docs/step.png");
    EXPECT_EQ(blind.code, 2);
    EXPECT_NE(blind.err.find("has no vision tower"), std::string::npos) << blind.err;
}

// Where there is a card, it measures: a tiny shape is done soon.
TEST_F(Cli, BenchOnACardFailsAsRunDoesWhereThereIsNone) {
    const Ran run = handeye("run Wait --headless 64x64 --device cuda --max-steps 1");
    for (const char* const what : {"--shape tiny --format q4_k_m --json --runs 1", "--model " HANDEYE_SOURCE_DIR "/tests/golden/engine/glm4v-bf16", ""}) {
        const Ran ran = handeye(std::string("bench engine --device cuda ") + what);
        if (ran.code == 0) {
            EXPECT_NE(ran.out.find("decode at"), std::string::npos) << ran.out;
            continue;
        }
        EXPECT_EQ(ran.code, run.code) << run.err;
        const std::string why = ran.err.substr(ran.err.find("CUDA"));
        EXPECT_NE(run.err.find(why.substr(0, why.find('\n'))), std::string::npos) << ran.err << " beside " << run.err;
    }
}

TEST_F(Cli, BenchOnACardRefusesWhatHasNoMeaning) {
    for (const auto& [words, why] : {std::pair{"--shape tiny", "--device cuda"},
                                     {"--shape GLM-9 --device cuda", "GLM-4.1V-9B"},
                                     {"--shape tiny --format q2 --device cuda", "q4_k_m"},
                                     {"--format int4 --device cuda", "--shape"},
                                     {"--shape tiny --model x --device cuda", "--model"},
                                     {"--shape tiny --quantize 4bit --device cuda", "--quantize"},
                                     {"--shape tiny --gpu-memory 2 --device cuda", "--gpu-memory"},
                                     {"--shape tiny --device gpu", "there is no device \"gpu\""}}) {
        const Ran ran = handeye(std::string("bench engine ") + words);
        EXPECT_EQ(ran.code, 2) << words;
        EXPECT_NE(ran.err.find(why), std::string::npos) << words << ": " << ran.err;
    }
}

TEST_F(Cli, BenchPeersNamesWhatIsMissing) {
    const std::string golden = HANDEYE_SOURCE_DIR "/tests/golden/engine/";
    const Ran nothing = handeye("bench peers");
    EXPECT_EQ(nothing.code, 2);
    EXPECT_NE(nothing.err.find("llama.cpp reads nothing else"), std::string::npos) << nothing.err; // the bundled model
    const Ran no_gguf = handeye("bench peers --model " + golden + "glm4v-f32");
    EXPECT_EQ(no_gguf.code, 2);
    EXPECT_NE(no_gguf.err.find("has no .gguf"), std::string::npos) << no_gguf.err;
    const Ran no_picture = handeye("bench peers --model " + golden + "glm4v-gguf");
    EXPECT_EQ(no_picture.code, 2);
    EXPECT_NE(no_picture.err.find("--picture is missing"), std::string::npos) << no_picture.err;
    const Ran packed = handeye("bench peers --quantize 4bit --model " + golden + "glm4v-gguf");
    EXPECT_EQ(packed.code, 2);
    EXPECT_NE(packed.err.find("--quantize"), std::string::npos) << packed.err;
    const Ran no_python = handeye("bench peers --threads 1 --rounds 1 --model " + golden + "glm4-gguf-zoo --peer-python /nowhere/python");
    EXPECT_EQ(no_python.code, 5);
    EXPECT_NE(no_python.err.find("/nowhere/python cannot be run"), std::string::npos) << no_python.err;
}

TEST_F(Cli, BenchPeersComparesWhatBothPrint) {
    const std::filesystem::path peer = dir_ / "peer";
    std::ofstream(peer) << "#!/bin/sh\nprintf '{\"name\":\"decode\",\"value\":0.001,\"unit\":\"tokens/s\"}\\n{\"name\":\"load\",\"value\":1e9,\"unit\":\"ms\"}\\n'\n";
    std::filesystem::permissions(peer, std::filesystem::perms::owner_all);
    const Ran ran = handeye("bench peers --json --threads 1 --rounds 2 --model " HANDEYE_SOURCE_DIR "/tests/golden/engine/glm4-gguf-zoo --peer-python " + peer.string());
    ASSERT_EQ(ran.code, 0) << ran.err;
    const auto decode = parse_json(std::string_view(ran.out).substr(0, ran.out.find('\n')));
    ASSERT_TRUE(decode) << ran.out;
    EXPECT_EQ((*decode)["name"], "decode");
    EXPECT_EQ((*decode)["handeye"].size(), 2);
    EXPECT_EQ((*decode)["llama.cpp"], (nlohmann::json{0.001, 0.001}));
    EXPECT_GT((*decode)["ratio"], 1);
    EXPECT_NE(ran.out.find("\"load\""), std::string::npos) << ran.out;
    EXPECT_EQ(ran.out.find("\"prefill\""), std::string::npos) << "the peer told nothing of it";
    std::ofstream(peer) << "#!/bin/sh\necho nonsense\n";
    const Ran liar = handeye("bench peers --threads 1 --rounds 1 --model " HANDEYE_SOURCE_DIR "/tests/golden/engine/glm4-gguf-zoo --peer-python " + peer.string());
    EXPECT_NE(liar.code, 0);
    EXPECT_NE(liar.err.find("llama.cpp"), std::string::npos) << liar.err;
}

TEST_F(Cli, DisplayThatIsNotThereIsNamed) {
    const Ran ran = handeye("screenshot --display :4077 -o x.png");
    EXPECT_EQ(ran.code, 5);
    EXPECT_NE(ran.err.find(":4077"), std::string::npos) << ran.err;
    const Ran json = handeye("screenshot --display :4077 -o x.png --json");
    const auto document = parse_json(json.out);
    ASSERT_TRUE(document.has_value()) << json.out;
    EXPECT_EQ((*document)["error"]["kind"], "backend_unavailable");
}

TEST_F(Cli, WindowThatIsNotThereIsNamed) {
    const Ran ran = handeye("screenshot --headless 320x200 --window Nowhere -o x.png");
    EXPECT_EQ(ran.code, 2);
    EXPECT_NE(ran.err.find("Nowhere"), std::string::npos) << ran.err;
}

TEST_F(Cli, UnknownCommandsAreNamedInJsonToo) {
    EXPECT_NE(handeye("fly").err.find("\"fly\" is no command"), std::string::npos);
    for (const char* arguments : {"--json fly", "--json run", "screenshot --json --fly"}) {
        const Ran ran = handeye(arguments);
        EXPECT_EQ(ran.code, 2) << arguments;
        const auto document = parse_json(ran.out);
        ASSERT_TRUE(document.has_value()) << arguments << ": " << ran.out;
        EXPECT_EQ((*document)["error"]["kind"], "invalid_argument") << arguments;
    }
}

TEST_F(Cli, MisspeltCommandsOfCommandsAreNamedWithTheNearest) {
    EXPECT_EQ(handeye("models lsit").err, "handeye: \"lsit\" is no command of models; did you mean \"list\"?\n");
    EXPECT_NE(handeye("task lnit x.yaml").err.find("\"lnit\" is no command of task; did you mean \"lint\"?"), std::string::npos);
    EXPECT_NE(handeye("models flyaway").err.find("the commands of models are inspect, list, pull, plan, quantize, verify"), std::string::npos);
    EXPECT_EQ(handeye("models lsit").code, 2);
    const Ran json = handeye("models --json lsit");
    const auto document = parse_json(json.out);
    ASSERT_TRUE(document.has_value()) << json.out;
    EXPECT_NE((*document)["error"]["message"].get<std::string>().find("did you mean"), std::string::npos);
    EXPECT_EQ(handeye("models list --fly").err.find("is no command"), std::string::npos); // an option is what is wrong
}

TEST_F(Cli, VerifyTakesItsModelByItsPlace) {
    EXPECT_NE(handeye("models verify --cases x").err.find("handeye models verify MODEL --cases DIR"), std::string::npos);
    EXPECT_NE(handeye("models verify a --model b --cases x").err.find("not both"), std::string::npos);
    const std::string golden = HANDEYE_SOURCE_DIR "/tests/golden/engine/glm4-ct-int4";
    EXPECT_EQ(handeye("models verify " + golden + " --cases " + golden).code, 0);
}

// Before anything starts: the program to launch would leave a file.
TEST_F(Cli, AModelOfTextAloneRunsNoTask) {
    const std::string marker = (dir_ / "started").string();
    const Ran ran = handeye("run \"Click Save.\" --headless 64x64 --launch \"touch " + marker + "\" --model " HANDEYE_SOURCE_DIR "/tests/golden/engine/glm4-ct-int4");
    EXPECT_EQ(ran.code, 2) << ran.err;
    EXPECT_NE(ran.err.find("is a glm4 model of text alone and sees no screen"), std::string::npos) << ran.err;
    EXPECT_FALSE(std::filesystem::exists(marker));
}

TEST_F(Cli, ProgramThatEndsBeforeItsWindowIsNamedWithItsExitCode) {
    const Ran ran = handeye("screenshot --headless 320x200 --launch 'sh -c \"exit 3\"' -o x.png");
    EXPECT_EQ(ran.code, 5);
    EXPECT_NE(ran.err.find("ended with exit code 3"), std::string::npos) << ran.err;
}

TEST_F(Cli, OutputNeverReplacesADeviceAPipeOrARecording) {
    const auto pipe = dir_ / "pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
    EXPECT_EQ(handeye("screenshot --headless 64x64 -o " + pipe.string()).code, 0);
    EXPECT_TRUE(std::filesystem::is_fifo(pipe));
    ::close(reader);
    const auto recording = dir_ / "a.handeye";
    ASSERT_EQ(handeye("run \"Click Save.\" --in-process --headless 336x224 --max-steps 1 --record " + recording.string()).code, 1);
    const auto before = *read_file(recording, 64U << 20U);
    EXPECT_EQ(handeye("report " + recording.string() + " -o " + recording.string()).code, 2);
    EXPECT_EQ(handeye("run \"Click Save.\" --in-process --headless 336x224 --record " + recording.string()).code, 2);
    EXPECT_EQ(*read_file(recording, 64U << 20U), before);
}

TEST_F(Cli, ModelFilesThatArePipesAreRefusedAtOnce) {
    ASSERT_EQ(::mkfifo((dir_ / "config.json").c_str(), 0600), 0);
    const Ran ran = handeye("run \"Click Save.\" --in-process --headless 336x224 --model " + dir_.string());
    EXPECT_EQ(ran.code, 2);
    EXPECT_NE(ran.err.find("not a regular file"), std::string::npos) << ran.err;
}

TEST_F(Cli, ScreenshotHasTheTargetsSize) {
    const Ran ran = handeye("screenshot --headless 320x200 --json -o " + (dir_ / "a.png").string());
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(read_image(dir_ / "a.png")->size(), (Size{320, 200}));
    EXPECT_EQ((*parse_json(ran.out))["width_px"], 320);
}

TEST_F(Cli, RegionIsCut) {
    ASSERT_EQ(handeye("screenshot --headless 320x200 --region 10,20,30,40 -o " + (dir_ / "b.png").string()).code, 0);
    EXPECT_EQ(read_image(dir_ / "b.png")->size(), (Size{30, 40}));
    EXPECT_EQ(handeye("screenshot --headless 320x200 --region 300,20,30,40 -o x.png").code, 2);
}

TEST_F(Cli, ActRefusesWhatIsNoActionAndWhatLiesOutside) {
    EXPECT_EQ(handeye("act 'please click' --headless 320x200").code, 2);
    const Ran outside = handeye(R"(act '{"verb":"click","x":320,"y":10}' --headless 320x200)");
    EXPECT_EQ(outside.code, 2);
    EXPECT_NE(outside.err.find("320x200"), std::string::npos) << outside.err;
}

TEST_F(Cli, ActTakesAListOfOneChordAndNamesAChordAmongKeys) {
    const Ran one = handeye(R"(act '{"verb":"key","keys":["ctrl+s"]}' --headless 320x200 --json)");
    ASSERT_EQ(one.code, 0) << one.err;
    EXPECT_EQ((*parse_json(one.out))["action"]["keys"], "ctrl+s");
    const Ran two = handeye(R"(act '{"verb":"key","keys":["ctrl+a","delete"]}' --headless 320x200)");
    EXPECT_EQ(two.code, 2);
    EXPECT_NE(two.err.find("'ctrl+a' is one by itself: give each its own action"), std::string::npos) << two.err;
}

TEST_F(Cli, ActTakesEveryDialect) {
    for (const char* const action : {"do(action=\"Tap\", element=[500,500])", "CLICK(point=(500,500), element_info=\"x\")", "left_click(start_box=\"[500,500]\")"}) {
        const Ran ran = handeye(std::string("act --headless 200x100 --json '") + action + "'");
        EXPECT_EQ(ran.code, 0) << action << ran.err;
        const auto document = parse_json(ran.out);
        ASSERT_TRUE(document.has_value()) << ran.out;
        EXPECT_EQ((*document)["landed"], (nlohmann::json{{"x", 100}, {"y", 50}})) << action;
    }
    const Ran swipe = handeye("act --headless 200x100 --json 'do(action=\"Swipe\", start=[500,800], end=[500,200])'");
    EXPECT_EQ(swipe.code, 0) << swipe.err;
    EXPECT_EQ((*parse_json(swipe.out))["landed"], (nlohmann::json{{"x", 100}, {"y", 20}}));
}

TEST_F(Cli, ATapThatAsksFirstIsNotDoneUnasked) {
    const Ran ran = handeye("act --headless 200x100 --json 'do(action=\"Tap\", element=[500,500], message=\"pays 20 euros\")'");
    EXPECT_EQ(ran.code, 4) << ran.err;
    const auto document = parse_json(ran.out);
    ASSERT_TRUE(document.has_value()) << ran.out;
    EXPECT_EQ((*document)["result"], "refused");
    EXPECT_EQ((*document)["action"]["ask_first"], "pays 20 euros");
}

TEST_F(Cli, ActLandsWhereItAimed) {
    const Ran ran = handeye(R"x(act "left_click(start_box='[500,250]')" --headless 320x200 --json)x");
    ASSERT_EQ(ran.code, 0) << ran.err;
    const auto result = *parse_json(ran.out);
    EXPECT_EQ(result["landed"]["x"], 160);
    EXPECT_EQ(result["landed"]["y"], 50);
}

TEST_F(Cli, GoalOfAHundredKilobytesIsRefusedWithItsLimit) {
    ASSERT_TRUE(write_file_atomic(dir_ / "goal", std::string(100'000, 'x')).has_value());
    const Ran ran = handeye("run --headless 336x224 --in-process \"$(cat " + (dir_ / "goal").string() + ")\"");
    EXPECT_EQ(ran.code, 2);
    EXPECT_NE(ran.err.find("65536"), std::string::npos) << ran.err;
}

TEST_F(Cli, TaskFilesAreCheckedAtTheirPlaces) {
    const std::string good = HANDEYE_SOURCE_DIR "/examples/tasks/fill_form.yaml";
    const std::string bad = (dir_ / "bad.yaml").string();
    ASSERT_TRUE(write_file_atomic(bad, "version: 1\nname: t\nsteps:\n  - clik: Save\n"));
    EXPECT_EQ(handeye("task validate " + good).code, 0);
    const Ran ran = handeye("task validate " + bad);
    EXPECT_EQ(ran.code, 2);
    EXPECT_EQ(ran.out, bad + ":4:5: there is no key \"clik\" in step 1; did you mean \"click\"?\n");
    const Ran json = handeye("--json task validate " + bad);
    EXPECT_EQ(json.code, 2);
    EXPECT_EQ(nlohmann::json::parse(json.out).at("findings").at(0).at("column"), 5);
    EXPECT_EQ(nlohmann::json::parse(handeye("--json task explain " + good).out).at("actions_max"), 4);
    EXPECT_EQ(handeye("task schema").out, task_file_schema());
    ASSERT_TRUE(write_file_atomic(bad, "version:   1 # one\nname: t\nsteps: [{sleep: 1s}]\n"));
    EXPECT_EQ(handeye("task lint " + bad).code, 1);
    EXPECT_EQ(handeye("task fmt --check " + bad).code, 1);
    EXPECT_EQ(handeye("task fmt " + bad).code, 0);
    EXPECT_EQ(*read_file(bad, 4096), "version: 1 # one\nname: t\nsteps:\n  - sleep: 1s\n");
    EXPECT_EQ(handeye("task fmt --check " + bad).code, 0);
    EXPECT_EQ(handeye("task validate " + (dir_ / "none.yaml").string()).code, 2);
}

TEST_F(Cli, DamagedModelsAreNamed) {
    EXPECT_NE(handeye("run --headless 336x224 --model /nonexistent goal").err.find("/nonexistent"), std::string::npos);
    const auto model = dir_ / "model";
    std::filesystem::copy(HANDEYE_SOURCE_DIR "/models/nano", model);
    std::filesystem::resize_file(model / "model.safetensors", 1000);
    const Ran ran = handeye("run --headless 336x224 goal --model " + model.string());
    EXPECT_EQ(ran.code, 2) << ran.err;
    EXPECT_NE(ran.err.find("model.safetensors"), std::string::npos) << ran.err;
}

TEST_F(Cli, ReportOfWhatIsNoRecordingIsNamed) {
    ASSERT_TRUE(write_file_atomic(dir_ / "x.handeye", "not a database").has_value());
    const Ran ran = handeye("report " + (dir_ / "x.handeye").string());
    EXPECT_EQ(ran.code, 2);
    EXPECT_NE(ran.err.find("x.handeye"), std::string::npos) << ran.err;
    EXPECT_EQ(handeye("report " + (dir_ / "absent.handeye").string()).code, 2);
}

TEST_F(Cli, DoctorProvesTheChain) {
    const Ran ran = handeye("doctor --headless 640x480 --json");
    const auto document = parse_json(ran.out);
    ASSERT_TRUE(document.has_value()) << ran.out << ran.err;
    for (const auto& check : (*document)["checks"]) {
        EXPECT_TRUE(check["pass"].get<bool>()) << check.dump();
    }
    EXPECT_EQ(ran.code, 0);
}

} // namespace
} // namespace handeye

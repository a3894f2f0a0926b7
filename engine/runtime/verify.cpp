// SPDX-License-Identifier: Apache-2.0
// Compares the engine with a folder of goldens: ids, positions, grids, pixels, embeddings, logits, greedy continuation.
#include "engine/runtime/verify.h"

#include "engine/runtime/goldens.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

using Integers = std::vector<std::int64_t>;

double max_abs(std::span<const float> a, std::span<const float> b) {
    if (a.size() != b.size()) {
        return std::numeric_limits<double>::infinity();
    }
    double worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double error = std::abs(double{a[i]} - double{b[i]});
        worst = error <= worst ? worst : error; // a NaN becomes the worst
    }
    return worst;
}

// KL(expected || ours) over one row of logits, natural logarithm.
double kl_divergence(std::span<const float> expected, std::span<const float> ours) {
    const auto log_total = [](std::span<const float> row) {
        const double top = *std::max_element(row.begin(), row.end());
        double sum = 0;
        for (const float v : row) {
            sum += std::exp(v - top);
        }
        return top + std::log(sum);
    };
    const double a = log_total(expected);
    const double b = log_total(ours);
    double kl = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        kl += std::exp(expected[i] - a) * ((expected[i] - a) - (ours[i] - b));
    }
    return kl;
}

// Collects what a case falls short of; the first finding is what a person reads.
struct Findings {
    CaseResult result;
    void fail(std::string why) {
        if (result.why.empty()) {
            result.why = std::move(why);
        }
    }
    void check_limit(const char* what, double value, std::optional<double> limit) {
        if (limit && !(value <= *limit)) {
            fail(fmt::format("{} {:.3g}, at most {:.3g}", what, value, *limit));
        }
    }
};

struct CaseRun {
    EngineCore& core;
    const Goldens& goldens;
    const GoldenCase& c;
    Prompt prompt;
    Findings findings;
};

Result<void> compare_prompt(CaseRun& run) {
    CaseResult& r = run.findings.result;
    const Integers ids = TRY(run.goldens.integers(run.c, "input_ids"));
    r.ids_equal = std::equal(ids.begin(), ids.end(), run.prompt.ids.begin(), run.prompt.ids.end());
    if (!r.ids_equal) {
        const auto differ = std::mismatch(ids.begin(), ids.end(), run.prompt.ids.begin(), run.prompt.ids.end());
        run.findings.fail(fmt::format("ids differ at {}; {} instead of {}", differ.first - ids.begin(),
                                      run.prompt.ids.size(), ids.size()));
    }
    const Integers positions = TRY(run.goldens.integers(run.c, "position_ids"));
    const std::size_t count = run.prompt.positions.size();
    const std::size_t axes = run.core.model().vision ? 3 : 1; // a model of text has one
    r.positions_equal = positions.size() == axes * count;
    for (std::size_t i = 0; r.positions_equal && i < axes * count; ++i) {
        r.positions_equal = positions[i] == run.prompt.positions[i % count][i / count];
    }
    if (!r.positions_equal) {
        run.findings.fail("positions differ");
    }
    const bool is_video = run.goldens.find(run.c, "video_grid_thw") != nullptr;
    if (!is_video && run.goldens.find(run.c, "image_grid_thw") == nullptr) {
        return {};
    }
    const Integers grids = TRY(run.goldens.integers(run.c, is_video ? "video_grid_thw" : "image_grid_thw"));
    Integers ours;
    for (const PromptImage& image : run.prompt.images) {
        ours.insert(ours.end(), {image.grid.t, image.grid.h, image.grid.w});
    }
    r.grid_equal = grids == ours;
    if (grids != ours) {
        run.findings.fail("grids differ");
    }
    return {};
}

// The stored rows of a tensor whose rows may be a selection.
Result<double> compare_rows(const CaseRun& run, const std::string& tensor, std::span<const float> ours) {
    const ConstMatrix expected = TRY(run.goldens.floats(run.c, tensor));
    Integers rows;
    if (run.goldens.find(run.c, tensor + "_rows") != nullptr) {
        rows = TRY(run.goldens.integers(run.c, tensor + "_rows"));
    } else {
        for (std::int64_t i = 0; i < expected.rows; ++i) {
            rows.push_back(i);
        }
    }
    const auto cols = static_cast<std::size_t>(expected.cols);
    double worst = static_cast<std::int64_t>(rows.size()) == expected.rows ? 0 : std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < rows.size() && std::isfinite(worst); ++i) {
        const auto at = static_cast<std::size_t>(rows[i]) * cols;
        if (rows[i] < 0 || at + cols > ours.size()) {
            return std::numeric_limits<double>::infinity();
        }
        worst = std::max(worst, max_abs(expected.row_span(static_cast<std::int64_t>(i)), ours.subspan(at, cols)));
    }
    return worst;
}

Result<void> compare_images(CaseRun& run) {
    std::vector<float> pixels;
    std::vector<float> embeds;
    GenerationTimings timings;
    for (const PromptImage& image : run.prompt.images) {
        const Patches patches = TRY(patches_of(run.core.prompt_context(), image));
        pixels.insert(pixels.end(), patches.rows.begin(), patches.rows.end());
        const auto rows = TRY(run.core.embed_image(image, timings));
        embeds.insert(embeds.end(), rows->begin(), rows->end());
    }
    CaseResult& r = run.findings.result;
    if (run.goldens.find(run.c, "pixel_values") != nullptr) {
        r.pixels_max_abs = TRY(compare_rows(run, "pixel_values", pixels));
        run.findings.check_limit("pixels differ by", *r.pixels_max_abs, run.c.pixels_limit);
    }
    if (run.goldens.find(run.c, "image_embeds") != nullptr) {
        r.image_embeds_max_abs = TRY(compare_rows(run, "image_embeds", embeds));
        run.findings.check_limit("image embeddings differ by", *r.image_embeds_max_abs, run.c.image_embeds_limit);
    }
    return {};
}

Result<void> compare_logits(CaseRun& run) {
    const Integers positions = TRY(run.goldens.integers(run.c, "logits_positions"));
    const ConstMatrix expected = TRY(run.goldens.floats(run.c, "logits"));
    const std::int64_t vocabulary = run.core.model().decoder.config.vocabulary;
    const bool is_usable = static_cast<std::int64_t>(positions.size()) == expected.rows && expected.cols == vocabulary &&
                           std::is_sorted(positions.begin(), positions.end()) && !positions.empty() &&
                           positions.front() >= 0 && positions.back() < static_cast<std::int64_t>(run.prompt.ids.size());
    if (!is_usable) {
        run.findings.fail("the stored logits are for another prompt or vocabulary");
        return {};
    }
    GenerationTimings timings;
    run.core.forget();
    const auto prefill = TRY(run.core.prefill(run.prompt, timings, {.logit_rows = positions, .tap = {}}));
    const ConstMatrix ours{prefill.logits.data(), expected.rows, vocabulary, vocabulary};
    CaseResult& r = run.findings.result;
    for (std::int64_t i = 0; i < expected.rows; ++i) {
        r.logits_max_abs = std::max(r.logits_max_abs, max_abs(expected.row_span(i), ours.row_span(i)));
        r.mean_kl += kl_divergence(expected.row_span(i), ours.row_span(i)) / static_cast<double>(expected.rows);
    }
    run.findings.check_limit("logits differ by", r.logits_max_abs, run.c.logits_max_abs_limit);
    run.findings.check_limit("mean KL is", r.mean_kl, run.c.mean_kl_limit);
    return {};
}

// Greedy ids from the cache; stop ids do not end it.
Result<void> compare_greedy(CaseRun& run) {
    const Integers expected = TRY(run.goldens.integers(run.c, "greedy_ids"));
    GenerationTimings timings;
    run.core.forget();
    auto prefill = TRY(run.core.prefill(run.prompt, timings));
    std::span<float> logits = prefill.logits;
    Integers ours;
    while (ours.size() < expected.size()) {
        const auto best = static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
        ours.push_back(best);
        logits = TRY(run.core.feed(std::array{best}, run.prompt.position_offset));
    }
    run.findings.result.greedy_equal = ours == expected;
    if (ours != expected) {
        const auto differ = std::mismatch(ours.begin(), ours.end(), expected.begin());
        run.findings.fail(fmt::format("greedy ids differ at {}", differ.first - ours.begin()));
    }
    return {};
}

// For a failed case with stored layers: which is the first that differs by more than a hundredth of its size.
Result<std::string> first_difference(CaseRun& run) {
    std::string first;
    std::map<std::string, std::int64_t, std::less<>> rows_seen; // pictures, and chunks of a prompt, come one after the other
    const Tap tap = [&](std::string_view name, ConstMatrix values) {
        const std::int64_t begin = rows_seen[std::string(name)];
        rows_seen[std::string(name)] += values.rows;
        const auto expected = run.goldens.floats(run.c, name);
        if (!first.empty() || !expected || expected->cols != values.cols || begin + values.rows > expected->rows) {
            return;
        }
        double worst = 0;
        double size = 0;
        for (std::int64_t i = 0; i < values.rows; ++i) {
            worst = std::max(worst, max_abs(expected->row_span(begin + i), values.row_span(i)));
            for (const float v : expected->row_span(begin + i)) {
                size = std::max(size, std::abs(double{v}));
            }
        }
        if (!(worst <= 0.01 * size)) {
            first = fmt::format("; first layer that differs: {} by {:.3g}", name, worst);
        }
    };
    GenerationTimings timings;
    run.core.forget();
    (void)TRY(run.core.prefill(run.prompt, timings, {.logit_rows = {}, .tap = tap}));
    return first;
}

Result<CaseResult> run_case(EngineCore& core, const Goldens& goldens, const GoldenCase& c) {
    CaseRun run{.core = core, .goldens = goldens, .c = c, .prompt = {}, .findings = {}};
    run.findings.result.name = c.name;
    const PromptContext context = core.prompt_context();
    const std::string rendered = TRY(
        context.chat_template.render(c.request));
    if (!c.rendered.empty() && rendered != c.rendered) {
        run.findings.fail("the rendered prompt differs");
    }
    run.prompt = TRY(build_prompt(context, c.request, TypedControlTokens::BecomeTokens));
    TRY(compare_prompt(run));
    TRY(compare_images(run));
    TRY(compare_logits(run));
    TRY(compare_greedy(run));
    CaseResult& r = run.findings.result;
    if (!r.why.empty() && c.has_debug) {
        const std::string where = TRY(first_difference(run));
        r.why += where;
    }
    r.pass = r.why.empty();
    return std::move(run.findings.result);
}

} // namespace

Result<VerifyReport> verify_core(EngineCore& core, const std::filesystem::path& cases_dir, std::span<const std::string_view> names) {
    const Goldens goldens = TRY(Goldens::open(cases_dir).with_context(cases_dir.string()));
    VerifyReport report;
    for (const TokenizerCase& c : goldens.tokenizer_cases()) {
        ++report.tokenizer_cases;
        const bool is_equal = core.tokenizer().encode(c.text, AddedTokens::Recognised) == c.ids &&
                              core.tokenizer().decode(c.ids) == c.text;
        report.tokenizer_failures += is_equal ? 0 : 1;
    }
    for (const GoldenCase& c : goldens.cases()) {
        if (!names.empty() && std::ranges::find(names, c.name) == names.end()) {
            continue;
        }
        auto result = run_case(core, goldens, c);
        if (result) {
            report.cases.push_back(std::move(result).value());
        } else {
            report.cases.push_back({.name = c.name, .why = result.error().message});
        }
    }
    report.pass = report.tokenizer_failures == 0 &&
                  std::all_of(report.cases.begin(), report.cases.end(), [](const CaseResult& c) { return c.pass; });
    return report;
}

Result<VerifyReport> verify_model(const EngineOptions& options, const std::filesystem::path& cases_dir) {
    EngineOptions exact = options;
    exact.kv_format = KvFormat::F32;
    exact.exact = true;
    const std::unique_ptr<EngineCore> core = TRY(EngineCore::open(exact));
    return verify_core(*core, cases_dir);
}

} // namespace handeye

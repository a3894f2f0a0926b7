// SPDX-License-Identifier: Apache-2.0
// metrics.snapshot and the text of /metrics: one list for both.
#include "server/core.h"
#include "server/method_table.h"
#include "server/metrics.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {

std::vector<Metric> engine_metrics(const EngineLoad& load) {
    const auto number = [](auto value) { return static_cast<double>(value); };
    using K = MetricKind;
    return {
        {"handeye_engine_running", "Requests that the engine is answering.", K::Gauge, number(load.running)},
        {"handeye_engine_queued", "Requests that wait for a place.", K::Gauge, number(load.waiting)},
        {"handeye_engine_cached_tokens", "Tokens whose keys and values are in memory.", K::Gauge, number(load.cached_tokens)},
        {"handeye_engine_answers_total", "Answers that ended, the stopped and failed ones too.", K::Counter, number(load.answers)},
        {"handeye_engine_prompt_tokens_total", "Prompt tokens of those answers.", K::Counter, number(load.prompt_tokens)},
        {"handeye_engine_reused_tokens_total", "Of these, the ones that a cache had.", K::Counter, number(load.reused_tokens)},
        {"handeye_engine_completion_tokens_total", "New tokens of those answers.", K::Counter, number(load.completion_tokens)},
        {"handeye_engine_prefill_tokens_total", "Prompt tokens that were computed.", K::Counter, number(load.prefill_tokens)},
        {"handeye_engine_images_embedded_total", "Pictures that went through the vision tower.", K::Counter, number(load.images_embedded)},
        {"handeye_engine_passes_total", "Passes over the weights for new tokens.", K::Counter, number(load.passes)},
        {"handeye_engine_pass_rows_total", "Answers in those passes, summed.", K::Counter, number(load.pass_rows)},
        {"handeye_engine_guessed_tokens_total", "Tokens that were guessed from what stood before, and checked.", K::Counter, number(load.guessed_tokens)},
        {"handeye_engine_right_guesses_total", "Of these, the ones that were right.", K::Counter, number(load.right_guesses)},
        {"handeye_engine_restarts_total", "Answers that lost their cache to another and began again.", K::Counter, number(load.restarts)},
    };
}

std::vector<Metric> collect_metrics(const Core& core) {
    const auto sessions = core.hub.list();
    const auto count = [&](auto is_one) { return static_cast<double>(std::count_if(sessions.begin(), sessions.end(), is_one)); };
    const auto total = [](const auto& counter) { return static_cast<double>(counter.load()); };
    const Counters& c = core.counters;
    const ModelGate::Usage usage = core.gate.usage();
    using K = MetricKind;
    std::vector<Metric> metrics{
        {"handeye_connections", "Open connections.", K::Gauge, static_cast<double>(core.peers.size())},
        {"handeye_sessions_open", "Sessions that are not closed.", K::Gauge,
         count([](const SessionStatus& s) { return s.state != SessionState::Closed && s.state != SessionState::Failed; })},
        {"handeye_sessions_busy", "Sessions whose task runs.", K::Gauge, count([](const SessionStatus& s) { return s.state == SessionState::Busy; })},
        {"handeye_stop_latched", "1 once everything was stopped.", K::Gauge, core.hub.is_stop_latched() ? 1.0 : 0.0},
        {"handeye_engine_ready", "1 while a model can answer.", K::Gauge, core.gate.status().state == ModelState::Ready ? 1.0 : 0.0},
        {"handeye_engine_waiting", "Questions that the model answers or will.", K::Gauge, static_cast<double>(core.gate.waiting())},
        {"handeye_engine_losses_total", "Times that a ready model went away.", K::Counter, static_cast<double>(core.gate.status().losses)},
        {"handeye_request_keys", "Request keys that are kept.", K::Gauge, static_cast<double>(core.ledger.size())},
        {"handeye_calls_total", "Calls that passed scope and schema.", K::Counter, total(c.calls)},
        {"handeye_wrong_tokens_total", "Tokens and tickets that were refused.", K::Counter, total(c.wrong_tokens)},
        {"handeye_frames_sent_total", "Pictures sent on streams.", K::Counter, total(c.frames_sent)},
        {"handeye_input_actions_total", "Actions asked for with input.*.", K::Counter, total(c.actions)},
        {"handeye_inferences_total", "Questions that the model was asked, by tasks and clients.", K::Counter, static_cast<double>(usage.questions)},
        {"handeye_inference_prompt_tokens_total", "Prompt tokens of answered questions.", K::Counter, static_cast<double>(usage.prompt_tokens)},
        {"handeye_inference_completion_tokens_total", "New tokens of answered questions.", K::Counter, static_cast<double>(usage.completion_tokens)},
    };
    for (Metric& metric : engine_metrics(core.gate.load())) {
        metrics.push_back(std::move(metric));
    }
    return metrics;
}

std::string prometheus_text(const std::vector<Metric>& metrics) {
    std::string out;
    for (const Metric& metric : metrics) {
        out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", metric.name, metric.help,
                           metric.kind == MetricKind::Counter ? "counter" : "gauge", metric.value);
    }
    return out;
}

void metrics_snapshot(const Call& call) {
    nlohmann::json values = nlohmann::json::object();
    for (const Metric& metric : collect_metrics(call.core)) {
        values[metric.name] = metric.value;
    }
    call.reply.ok({{"metrics", std::move(values)}});
}

} // namespace handeye

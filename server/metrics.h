// SPDX-License-Identifier: Apache-2.0
// The server's figures by name, for metrics.snapshot and for Prometheus.
#pragma once

#include "agent/session.h" // with it EngineLoad

#include <string>
#include <vector>

namespace handeye {

struct Core;

enum class MetricKind { Counter, Gauge };
struct Metric {
    std::string name;
    std::string help;
    MetricKind kind = MetricKind::Gauge;
    double value = 0;
};
/// What an engine tells of its work.
std::vector<Metric> engine_metrics(const EngineLoad& load);
/// The I/O thread only.
std::vector<Metric> collect_metrics(const Core& core);
/// Text exposition format 0.0.4.
std::string prometheus_text(const std::vector<Metric>& metrics);

} // namespace handeye

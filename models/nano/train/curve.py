# SPDX-License-Identifier: Apache-2.0
"""The measurements of a training run as an SVG picture."""

COLOURS = ["#000000", "#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#e377c2", "#17becf"]


def write(log, path, width=700, height=320):
    """log: [{"minutes": m, kind: [share of whole answers right, ...], ...}]"""
    left, top, right, bottom = 50, 20, width - 150, height - 40
    longest = max(entry["minutes"] for entry in log) or 1
    x = lambda m: left + (right - left) * m / longest
    y = lambda share: bottom - (bottom - top) * share
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">' % (width, height),
           '<rect width="100%" height="100%" fill="white"/>']
    for tenth in range(0, 11, 2):
        out.append('<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.1f</text>'
                   % (left, y(tenth / 10), right, left - 6, y(tenth / 10) + 4, tenth / 10))
    out.append('<text x="%d" y="%d">0</text><text x="%d" y="%d" text-anchor="end">%.0f minutes</text>'
               % (left, bottom + 16, right, bottom + 16, longest))
    out.append('<text x="%d" y="14">held-out answers right, whole</text>' % left)
    shown = ["all"] + sorted(k for k in log[-1] if " " in k and not k.startswith("page ") and log[-1][k][-1] >= 10)
    for n, (kind, colour) in enumerate(zip(shown, COLOURS)):
        points = " ".join("%.1f,%.1f" % (x(e["minutes"]), y(e[kind][0])) for e in log if kind in e)
        out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="1.5"/>' % (points, colour))
        out.append('<text x="%d" y="%d" fill="%s">%s</text>' % (right + 8, top + 16 * n, colour, kind))
    with open(path, "w") as f:
        f.write("\n".join(out) + "\n</svg>\n")

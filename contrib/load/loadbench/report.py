# SPDX-License-Identifier: BSD-2-Clause
"""Samples in, medians with their range and ratios out: as a table or as JSON."""
import json
import os
import platform
import statistics
import time

from .measure import SCENARIOS

REFERENCE = "haproxy"
NEXT_TO_NOTHING = 0.001  # a ratio to less than this says nothing

# key, title, digits after the point
MEASURES = (
    ("cpu", "CPU seconds of the gateway's processes per 1,000 mails of 4 KiB", 3),
    ("handshake", "CPU milliseconds of a full TLS 1.3 handshake (TLS mail less plain mail)", 3),
    ("rate", "Mails per second", 0),
    ("median", "Median latency of a mail, milliseconds", 2),
    ("p99", "99th percentile of the latency, milliseconds", 2),
    ("pss", "Memory of an idle session, KiB (Pss)", 1),
    ("uss", "Memory of an idle session, KiB (Uss)", 1),
    ("growth", "Peak growth of memory while one mail of 50 MB passes, MiB", 2),
)

ROWS = [(scenario.key, scenario.title) for scenario in SCENARIOS] + [
    ("handshake", "handshake"),
    ("idle", "plain"),
    ("idle-tls", "TLS"),
    ("big", "plain"),
]


class Results:
    """samples[(measure, row)][gateway][round]; ratios are to the gateway `reference`."""

    def __init__(self, reference=REFERENCE):
        self.samples = {}
        self.reference = reference

    def add(self, row, gateway, round_number, values):
        """`values` are numbers by measure."""
        for measure, value in values.items():
            by_gateway = self.samples.setdefault((measure, row), {})
            by_gateway.setdefault(gateway, {})[round_number] = value

    def derive_handshake(self):
        """A mail over TLS less the same mail without, of the same round, in CPU ms per mail."""
        plain = self.samples.get(("cpu", "one-10"), {})
        for gateway, rounds in self.samples.get(("cpu", "tls-10"), {}).items():
            for number, value in rounds.items():
                if number in plain.get(gateway, {}):
                    self.add("handshake", gateway, number,
                             {"handshake": value - plain[gateway][number]})

    def summary(self, measure, row, gateway):
        """Median, range and the median of the rounds' ratios; None without samples."""
        by_gateway = self.samples.get((measure, row), {})
        rounds = by_gateway.get(gateway)
        if not rounds:
            return None
        reference = by_gateway.get(self.reference, {})
        ratios = [value / reference[number] for number, value in rounds.items()
                  if reference.get(number, 0) > NEXT_TO_NOTHING]
        return {"measure": measure, "row": row, "gateway": gateway,
                "median": statistics.median(rounds.values()),
                "min": min(rounds.values()), "max": max(rounds.values()),
                "ratio": statistics.median(ratios) if ratios else None,
                "samples": list(rounds.values())}


def print_cell(summary, digits):
    if summary is None:
        return "-"
    text = (f"{summary['median']:,.{digits}f} "
            f"({summary['min']:,.{digits}f}-{summary['max']:,.{digits}f})")
    if summary["ratio"] is not None:
        text += f" {summary['ratio']:.2f}x"
    return text


def print_table(title, head, rows):
    """Lines of a table; all columns but the first to the right."""
    widths = [max(len(row[i]) for row in [head] + rows) for i in range(len(head))]
    lines = [title]
    for row in [head] + rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines


def machine():
    model = platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            models = [line.partition(":")[2].strip() for line in file if "model name" in line]
        model = models[0] if models else model
    except OSError:
        pass
    return {"processors": os.cpu_count(), "model": model, "kernel": platform.release(),
            "load_average": os.getloadavg()[0], "time": time.strftime("%Y-%m-%d %H:%M")}


def as_text(results, gateways, facts, problems, measures=MEASURES, titles=ROWS):
    lines = [f"{facts['processors']} processors, {facts['model']}, Linux {facts['kernel']}, "
             f"{facts['time']}, {facts['rounds']} rounds in {facts['seconds']:.0f} s"]
    lines += [f"  {gateway.name}: {gateway.version}" for gateway in gateways]
    lines += [f"  {name}: not measured: {reason}" for name, reason in facts["missing"].items()]
    lines.append("Each cell: median (lowest-highest) of the rounds, and the median of the rounds' "
                 f"ratios to {results.reference}.")
    for measure, title, digits in measures:
        names = [gateway.name for gateway in gateways
                 if any(gateway.name in by for (key, _), by in results.samples.items()
                        if key == measure)]
        rows = []
        for row, row_title in titles:
            if (measure, row) in results.samples:
                rows.append([row_title] + [print_cell(results.summary(measure, row, name), digits)
                                           for name in names])
        if rows:
            lines += [""] + print_table(title, [""] + names, rows)
    if problems:
        lines += ["", "What did not add up; do not trust the numbers above:"]
        lines += ["  " + problem for problem in problems]
    return "\n".join(lines)


def as_json(results, gateways, facts, problems, measures=MEASURES, titles=ROWS):
    found = [results.summary(measure, row, gateway.name) for measure, _, _ in measures
             for row, _ in titles for gateway in gateways]
    return json.dumps({**facts, "gateways": {gateway.name: gateway.version for gateway in gateways},
                       "reference": results.reference, "problems": problems,
                       "results": [one for one in found if one is not None]}, indent=2)

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What part of gateway/ the tests ran: `make coverage`.

    report_coverage.py BUILD

Reads what a build with --enable-coverage left behind, by way of gcov, and
prints lines run and lines there are: per file, per folder and in all. A line
counts as run when any program ran it.
"""
import json
import os
import subprocess
import sys


def read_lines(build):
    """{file under gateway/: {line: was run}} from all .gcda files of a build."""
    files = {}
    for path, _, names in os.walk(build):
        for name in (name for name in names if name.endswith(".gcda")):
            done = subprocess.run(["gcov", "--json-format", "--stdout", name], cwd=path,
                                  capture_output=True, text=True, check=True)
            for report in map(json.loads, done.stdout.splitlines()):
                for file in report["files"]:
                    _, found, inside = file["file"].rpartition("gateway/")
                    if not found:
                        continue
                    lines = files.setdefault(inside, {})
                    for line in file["lines"]:
                        number = line["line_number"]
                        lines[number] = lines.get(number, False) or line["count"] > 0
    return files


def print_row(name, lines):
    """One row: percent, run, all, name. `lines` are the booleans."""
    run = sum(lines)
    percent = 100 * run / len(lines) if lines else 100
    print(f"{percent:5.1f}%  {run:6} of {len(lines):6}  {name}")


def main(build):
    """Prints the table, folders after their files."""
    files = read_lines(build)
    everything = []
    for folder in sorted({name.split("/")[0] for name in files}):
        inside = []
        for name in sorted(name for name in files if name.startswith(folder + "/")):
            print_row(name, list(files[name].values()))
            inside += files[name].values()
        print_row(folder + "/", inside)
        everything += inside
    print_row("gateway/", everything)
    return 0 if everything else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The closing line of `make check`: all tests in all logs, added up.

    sum_tests.py LOG...

A log of a check program holds "100%: Checks: 9, Failures: 0, Errors: 0", a
log of a script "9 passed, 0 failed, 0 skipped"; its last such line counts. A
test without either counts as one, by the result that automake wrote beside
the log. So does one that failed though its numbers look good, or that never
ran. Exit 1 when anything failed or nothing passed.
"""
import os
import re
import sys

CHECK_LINE = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.M)
SCRIPT_LINE = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.M)
RESULT_LINE = re.compile(r"^:test-result: *(\w+)", re.M)


def read(path):
    """The text of a file, or "" when there is none."""
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def count(log):
    """(passed, failed, skipped) of one log."""
    text = read(log)
    result = RESULT_LINE.search(read(os.path.splitext(log)[0] + ".trs"))
    result = result.group(1) if result else "ERROR"
    if result == "SKIP":
        return 0, 0, 1
    numbers = None
    for checks, failures, errors in CHECK_LINE.findall(text):
        bad = int(failures) + int(errors)
        numbers = int(checks) - bad, bad, 0
    for passed, failed, skipped in SCRIPT_LINE.findall(text):
        numbers = int(passed), int(failed), int(skipped)
    if result not in ("PASS", "XFAIL"):
        passed, failed, skipped = numbers or (0, 1, 0)
        return passed, max(failed, 1), skipped
    return numbers or (1, 0, 0)


def main(logs):
    """Prints the sum of all logs."""
    passed, failed, skipped = (sum(column) for column in zip((0, 0, 0), *map(count, logs)))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

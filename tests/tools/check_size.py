#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make check-size`: nothing is longer than a reader can hold.

    check_size.py [TREE]

Functions have at most 80 lines between their braces, files at most 600 lines,
lines at most 100 columns. Functions over the aim of 50 lines are listed, and
pass. Only a source in C or Python, or a script, is measured; tables of cases,
corpora and prose are not.
"""
from source_tree import blank_comments, run

MAX_FUNCTION = 80
AIM_FUNCTION = 50
MAX_FILE = 600
MAX_COLUMNS = 100


def find_functions(code):
    """(name, line of the opening brace, lines between the braces) of each function in C."""
    lines = code.split("\n")
    start = None
    for number, line in enumerate(lines):
        if line.rstrip() == "{" and start is None:
            start = number
        elif line.startswith("}") and start is not None:
            head = start - 1
            while head > 0 and (not lines[head].strip() or lines[head][0] in " \t"):
                head -= 1
            name = lines[head].split("(")
            name = name[1].rstrip(")") if name[0] == "START_TEST" else name[0].split()[-1]
            yield name.lstrip("*"), start + 1, number - start - 1
            start = None


def is_measured(tree, path):
    """Sources and scripts; no data and no prose."""
    return path.endswith((".c", ".h", ".py", ".sh")) or tree.texts[path].startswith("#!")


def find_problems(tree):
    """Yields (path, line, sentence) for what is too long; prints what is over the aim."""
    for path, text in tree.files():
        if not is_measured(tree, path):
            continue
        lines = text.splitlines()
        if len(lines) > MAX_FILE:
            yield path, MAX_FILE + 1, f"{len(lines)} lines in one file; {MAX_FILE} at most"
        for number, line in enumerate(lines, 1):
            if len(line.expandtabs(8)) > MAX_COLUMNS:
                yield path, number, f"{len(line.expandtabs(8))} columns; {MAX_COLUMNS} at most"
        if not path.endswith((".c", ".h")):
            continue
        code = blank_comments(text)
        for number, line in enumerate(code.split("\n"), 1):
            if line.rstrip().endswith(") {") and line[0] not in " \t#":
                yield path, number, "the opening brace of a function stands on a line of its own"
        for name, number, length in find_functions(code):
            if length > MAX_FUNCTION:
                yield path, number, f"{name} has {length} lines; {MAX_FUNCTION} at most"
            elif length > AIM_FUNCTION:
                print(f"{path}:{number}: note: {name} has {length} lines; aim for {AIM_FUNCTION}")


if __name__ == "__main__":
    run(find_problems, "check-size")

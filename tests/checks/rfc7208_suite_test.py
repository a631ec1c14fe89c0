#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The test suite of RFC 7208 (openspf.org, release 2014.04) through unit-spf-cases, and
through libspf2: where that differs the manual says (postern.conf(5), SPF ENGINES).

The suite is no part of the sources: it is read from ../shared/data beside them, or
from where POSTERN_SPF_SUITE says, and where it is not this test is skipped. Its YAML
is turned into our own form of cases (tests/unit/check_cases.h).
"""
import os
import re
import subprocess
import sys
import tempfile

SOURCES = os.environ.get("POSTERN_SRCDIR", ".")
BUILD = os.environ.get("POSTERN_BUILDDIR", ".")
SUITE = os.environ.get("POSTERN_SPF_SUITE",
                       os.path.join(SOURCES, "..", "shared", "data", "rfc7208-tests.yml"))


class Reader:
    """The part of YAML that the suite uses: maps and lists by indentation, flow lists,
    folded and literal blocks, both kinds of quotes."""

    def __init__(self, text):
        self.lines = text.split("\n")
        self.place = 0

    def peek(self):
        """(indentation, text) of the next line that says something; None at the end."""
        while self.place < len(self.lines):
            line = self.lines[self.place]
            if line.strip() and not line.lstrip().startswith("#"):
                return len(line) - len(line.lstrip()), line.strip()
            self.place += 1
        return None

    def block(self, indent):
        """All lines that stand deeper than `indent`, as one text."""
        words = []
        while self.place < len(self.lines):
            line = self.lines[self.place]
            if line.strip() and len(line) - len(line.lstrip()) <= indent:
                break
            words.append(line.strip())
            self.place += 1
        return " ".join(words).strip()

    def scalar(self, text, indent):
        """A value behind its key, or on lines of its own."""
        if re.fullmatch(r"[>|]-?", text):
            return self.block(indent)
        if text.startswith("["):
            return [self.scalar(item, indent) for item in flow_items(text)]
        if text[:1] in "\"'" and text[:1]:
            return unquote(text)
        more = self.peek()
        if more and more[0] > indent and not text.startswith("- "):
            return (text + " " + self.block(indent)).strip()
        return text

    def value(self, text, indent):
        """What belongs to a key: a scalar, a map or a list."""
        if text:
            return self.scalar(text, indent)
        more = self.peek()
        if more is None or more[0] <= indent:
            return ""
        return self.items(more[0]) if more[1].startswith("-") else self.map(more[0])

    def map(self, indent):
        """key: value, in their order."""
        found = {}
        while (line := self.peek()) and line[0] == indent and not line[1].startswith("- "):
            key, text = split_key(line[1])
            self.place += 1
            found[key] = self.value(text, indent)
        return found

    def items(self, indent):
        """- TYPE: value, or - WORD."""
        found = []
        while (line := self.peek()) and line[0] == indent and line[1].startswith("-"):
            self.place += 1
            key, text = split_key(line[1][1:].strip())
            found.append((key, self.value(text, indent) if text is not None else None))
        return found


def split_key(text):
    """("key", "rest") of a line; the rest is None for a word alone."""
    match = re.match(r'"([^"]*)":\s*(.*)', text) or \
        re.match(r"((?:[^:\s]|:(?=\S)|\s(?=\S))+):(?:\s+(.*))?$", text)
    return (match.group(1), match.group(2) or "") if match else (text, None)


def flow_items(text):
    """The items of [a, "b"]."""
    return [item.strip() for item in
            re.findall(r'\s*("(?:\\.|[^"\\])*"|\'[^\']*\'|[^,]+)\s*,?', text.strip()[1:-1])]


def unquote(text):
    """A quoted scalar; in double quotes with its escapes."""
    if text[0] == "'":
        return text[1:-1].replace("''", "'")
    return re.sub(r"\\(?:x([0-9A-Fa-f]{2})|(0)|(.))",
                  lambda m: chr(int(m[1], 16)) if m[1] else "\0" if m[2] else m[3], text[1:-1])


def escaped(text, plain):
    """Bytes outside `plain` as \\DDD."""
    return "".join(c if re.fullmatch(plain, c) else f"\\{ord(c):03d}" for c in text)


def zone_lines(zone):
    """Our lines for the zone data of one part of the suite. SPF records stand for TXT
    records where a name has none of its own."""
    for name, records in zone.items():
        owner = escaped(name, r"[A-Za-z0-9._:/-]")
        has_text = any(kind == "TXT" for kind, _ in records)
        for kind, value in records:
            if kind == "TIMEOUT":
                yield f"{owner} FAIL timeout"
            elif kind == "TXT" and value == "NONE" or kind == "SPF" and has_text:
                continue
            elif kind in ("TXT", "SPF"):
                strings = value if isinstance(value, list) else [value]
                yield f"{owner} TXT " + " ".join(
                    '"' + escaped(one, r'[ !#-\[\]-~]') + '"' for one in strings)
            elif kind == "MX":
                yield f"{owner} MX {value[0]} {escaped(value[1], r'[A-Za-z0-9._:/-]')}"
            else:
                yield f"{owner} {kind} {value}"


def case_lines(name, test):
    """Our form of one test."""
    results = test["result"]
    yield f"\n== {name}"
    yield "why: RFC 7208 " + test["spec"] if isinstance(test["spec"], str) else "why: RFC 7208"
    for ours, theirs in (("client", "host"), ("helo", "helo"), ("sender", "mailfrom")):
        yield f"{ours}: {test[theirs]}"
    yield "want: " + (" ".join(results) if isinstance(results, list) else results)
    if "explanation" in test:
        yield "explanation: " + test["explanation"].replace("DEFAULT", "-")


def translate(text):
    """(our text, count) of each part of the suite."""
    for part in text.split("\n---\n")[1:]:
        document = Reader(part).map(0)
        lines = ["zone:"] + ["  " + line for line in zone_lines(document["zonedata"])]
        for name, test in document["tests"].items():
            lines += case_lines(name, test)
        yield "\n".join(lines) + "\n", len(document["tests"])


def listed_differences():
    """{case: (native result, that of libspf2)}, as the manual has it."""
    path = os.path.join(SOURCES, "gateway", "config", "postern.conf.5")
    with open(path, encoding="utf-8") as file:
        section = file.read().split("\n.Sh SPF ENGINES\n")[1].split("\n.Sh ")[0]
    return {case: (native, theirs) for case, native, theirs in
            re.findall(r"^\.It Li (\S+) Ta (\w+) Ta (\w+)$", section, re.M)}, section


def compare_engines(paths):
    """What is wrong with libspf2 behind its guard, or with what the manual says of it."""
    got = subprocess.run([os.path.join(BUILD, "spf-engines"), *paths], check=False,
                         capture_output=True, text=True)
    if got.returncode != 0:
        return [got.stdout + got.stderr]
    lines = [line.split()[1:] for line in got.stdout.splitlines() if line.startswith("engines: ")]
    asked = [line for line in lines if line[2] != "guarded"]
    found = {case: (native, theirs) for case, native, theirs in asked if native != theirs}
    listed, section = listed_differences()
    wrong = [f"{case}: libspf2 {theirs}" for case, _, theirs in lines
             if theirs in ("died", "stalled")]
    wrong += [f"{case}: the run has {found.get(case)}, the manual {listed.get(case)}"
              for case in sorted(found.keys() | listed.keys())
              if found.get(case) != listed.get(case)]
    if f"lets {len(asked)} through" not in section:
        wrong.append(f"{len(asked)} cases got through the guard; the manual says otherwise")
    return wrong


def main():
    """Runs the suite; 77 when it is not there."""
    if not os.path.exists(SUITE):
        print(f"skipped: the suite of RFC 7208 is not in {SUITE}")
        return 77
    with open(SUITE, encoding="utf-8") as file:
        parts = list(translate(file.read()))
    total = sum(count for _, count in parts)
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, (text, _) in enumerate(parts):
            paths.append(os.path.join(folder, f"{number:02d}.case"))
            with open(paths[-1], "w", encoding="latin-1") as file:
                file.write(text)
        status = subprocess.run([os.path.join(BUILD, "unit-spf-cases"), *paths], check=False)
        wrong = compare_engines(paths)
    print("".join(line + "\n" for line in wrong), end="")
    if total != 203:
        print(f"{total} cases were read; the suite has 203")
        return 1
    return status.returncode or bool(wrong)


if __name__ == "__main__":
    sys.exit(main())

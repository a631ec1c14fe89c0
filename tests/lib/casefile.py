# SPDX-License-Identifier: BSD-2-Clause
"""Reads files of cases; tests/dialogues/README.md is their manual.

A file is a row of cases and of named steps. A case begins with "== name", its
sections with "word:" at the start of a line; what is in them is indented.
"""
import os
import re

from texts import Mistake

SECTION = re.compile(r"([a-z]+)(?: ([a-z0-9-]+))?:(.*)")
NAME = re.compile(r"[a-z0-9_]+")
ONCE = {"why", "config", "zone", "client", "log", "received", "seen", "table", "needs", "skip"}


class Line:
    """One line of a section, with its place."""

    def __init__(self, text, path, number):
        self.text, self.path, self.number = text, path, number

    def place(self):
        """file:line for messages."""
        return f"{self.path}:{self.number}"

    def mistake(self, sentence):
        """An error of the case, at this place."""
        return Mistake(f"{self.place()}: {sentence}")


class Case:
    """One case as written. Rows of its table are cases of their own: see rows()."""

    def __init__(self, name, path, number):
        self.name, self.path, self.number = name, path, number
        self.sections = {}   # (word, name or None) -> [Line]

    def lines(self, word, name=None):
        """The lines of a section; [] where there is none."""
        return self.sections.get((word, name), [])

    def has(self, word, name=None):
        """Is the section there, be it empty?"""
        return (word, name) in self.sections

    def text(self, word):
        """All lines of a section as one text."""
        return "\n".join(line.text for line in self.lines(word))

    def backends(self):
        """Names of the backends that the case says something about."""
        return [name or "legacy" for word, name in self.sections if word == "backend"]

    def rows(self):
        """(name, values) of each run of this case."""
        table = [line for line in self.lines("table") if line.text.strip()]
        if not table:
            return [(self.name, {})]
        columns = split_row(table[0].text)
        runs = []
        for number, line in enumerate(table[1:], 1):
            cells = split_row(line.text)
            if len(cells) != len(columns):
                raise line.mistake(f"{len(cells)} cells under {len(columns)} columns")
            runs.append((f"{self.name}/{number}", dict(zip(columns, cells))))
        return runs


def split_row(text):
    """Cells between bars; \\| is a bar in a cell."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", text)]


def dedent(lines):
    """Takes off the indentation of the first line, comments and blank ends."""
    lines = [line for line in lines if not line.text.lstrip().startswith("# ")
             and line.text.strip() != "#"]
    while lines and not lines[-1].text.strip():
        lines.pop()
    indents = [len(line.text) - len(line.text.lstrip()) for line in lines if line.text.strip()]
    if not indents:
        return []
    for line in lines:
        line.text = line.text[min(indents):]
    return lines


class File:
    """A parsed file: its cases and its steps."""

    def __init__(self, path, tree):
        self.path = os.path.relpath(path, tree)
        self.cases, self.steps = [], {}
        with open(path, encoding="utf-8") as file:
            lines = [Line(text.rstrip("\n"), self.path, number)
                     for number, text in enumerate(file, 1)]
        self.read(lines)
        for case in self.cases:
            self.check(case)

    def read(self, lines):
        """Cuts the file at its headings."""
        target = None
        for line in lines:
            if line.text.startswith("== "):
                target = self.open_case(line)
            elif line.text.startswith("steps "):
                target = self.steps.setdefault(line.text.split()[1].rstrip(":"), [])
            elif isinstance(target, Case) and SECTION.fullmatch(line.text):
                self.open_section(target, line)
            elif line.text.startswith((" ", "\t")) or not line.text.strip():
                self.add(target, line)
            elif not line.text.startswith("#"):
                raise line.mistake(f"what is this? {line.text}")
        for case in self.cases:
            for key in case.sections:
                case.sections[key] = dedent(case.sections[key])
        for name in self.steps:
            self.steps[name] = dedent(self.steps[name])

    def open_case(self, line):
        """"== name"."""
        name = line.text[3:].strip()
        if not NAME.fullmatch(name) or name in (case.name for case in self.cases):
            raise line.mistake(f"a bad or second name: {name}")
        self.cases.append(Case(name, self.path, line.number))
        return self.cases[-1]

    @staticmethod
    def open_section(case, line):
        """"word:" or "word name:", with text behind the colon or below it."""
        word, name, rest = SECTION.fullmatch(line.text).groups()
        if word not in ONCE | {"backend"} or (word, name) in case.sections:
            raise line.mistake(f"no such section, or a second one: {line.text}")
        case.sections[(word, name)] = []
        case.open = (word, name)
        if rest.strip():
            case.sections[case.open].append(Line("    " + rest.strip(), line.path, line.number))

    @staticmethod
    def add(target, line):
        """A line inside of a section or of steps."""
        if isinstance(target, Case):
            if getattr(target, "open", None):
                target.sections[target.open].append(line)
        elif target is not None:
            target.append(line)
        elif line.text.strip():
            raise line.mistake("stands outside of everything")

    @staticmethod
    def check(case):
        """What no case may lack."""
        for word in ("why", "client"):
            if not case.lines(word):
                raise Mistake(f"{case.path}:{case.number}: {case.name} has no {word}:")

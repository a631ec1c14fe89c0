#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make check-docs`: the manuals say what the program does, and nothing else.

    check_docs.py POSTERN [TREE]

Every setting, policy word, warning, reason and log field in the program's own
tables (`postern check --list-...`) stands in its manual with the same default,
values, limits, code or phase; and whatever stands there is in a table. Keys of
policy, domain and rule blocks, and reasons that only the log has, are looked
for in the sources, since no table prints them; so are the events of the lines
that the program writes about itself.
"""
import os
import re
import subprocess
import sys

LISTS = ("settings", "terms", "lints", "reasons", "log-fields")
MANUALS = {
    "conf": "gateway/config/postern.conf.5",
    "policy": "gateway/policy/postern-policy.5",
    "reasons": "gateway/smtp/postern-reasons.7",
    "log": "gateway/record/postern-log.7",
}
# Of what posternd is made; base/ and tools/ write no lines into its log.
DAEMON_FOLDERS = ("smtp", "config", "policy", "verdict", "record", "net", "delivery",
                  "quarantine", "flow", "daemon")
OUTERMOST = "Outside of all blocks"


class Item:
    """One entry of a tagged list: the words of its .It line, and the text below."""

    def __init__(self, heading, words):
        self.heading = heading
        self.words = words
        self.lines = []

    def find(self, pattern):
        """The first group of the first line that the pattern matches whole, or None."""
        for line in self.lines:
            match = re.fullmatch(pattern, line)
            if match:
                return match.group(1)
        return None


def parse_items(text):
    """All .It entries of an mdoc page, each with the .Sh and .Ss it stands under."""
    items, section, subsection = [], "", ""
    for line in text.splitlines():
        macro, _, rest = line.partition(" ")
        if macro == ".Sh":
            section, subsection = rest, ""
        elif macro == ".Ss":
            subsection = rest
        if macro == ".It":
            items.append(Item((section, subsection), rest.split()))
        elif macro in (".Sh", ".Ss", ".El"):
            items.append(Item((section, subsection), []))
        elif items:
            items[-1].lines.append(line)
    return [item for item in items if item.words]


def differ(what, manual, in_program, in_manual):
    """A complaint for everything that only one side has."""
    for key in sorted(set(in_program) - set(in_manual)):
        yield f"{manual} does not have {what} \"{key}\""
    for key in sorted(set(in_manual) - set(in_program)):
        yield f"{manual} has {what} \"{key}\", and the program has not"


# ---- postern.conf(5) ----

def setting_problems(name, row, item):
    """One setting: default, whether it is required, limits, and words."""
    _, _, form, default, required, _ = row
    said = item.find(r"Default: (.+)\.") or ""
    if said != default:
        yield f"{name}: the default is \"{default}\", and the manual says \"{said}\""
    if bool(required) != (item.find(r"(Required)\.") is not None):
        yield f"{name}: {'required' if required else 'not required'}, unlike in the manual"
    limits = re.search(r" from (\S+ to [^ ,]+)", form)
    if limits and item.find(rf"({re.escape(limits.group(1))})\.") is None:
        yield f"{name}: the limits are {limits.group(1)}, and the manual does not say so"
    words = " ".join(item.words[1:])
    words = re.sub(r"\b(?:Op )?Ar \S+|\bCm\b|\|", " ", words).split()
    known = re.findall(r"[^\s,]+", form)
    for word in words:
        if re.fullmatch(r"[a-z0-9][a-z0-9.-]*", word) and word not in known:
            yield f"{name}: the manual has the value \"{word}\", and the program takes {form}"


def conf_problems(rows, page):
    """Settings of all blocks but policy and domain."""
    items = {}
    for item in parse_items(page):
        section, block = item.heading
        if section == "SETTINGS" and item.words[0] == "Ic":
            block = "" if block == OUTERMOST else block
            item.words = item.words[1:]
            items[f"{block} {item.words[0]}".strip()] = item
    settings = {f"{row[0]} {row[1]}".strip(): row for row in rows}
    yield from differ("the setting", MANUALS["conf"], settings, items)
    for name in sorted(set(settings) & set(items)):
        yield from setting_problems(name, settings[name], items[name])


# ---- postern-policy(5) ----

def read_block_keys(sources):
    """{"policy": {"max-size", ...}, ...} from the parser's tables."""
    tables = {}
    for kind, body in re.findall(
            r"static const struct block_key (\w+)_keys\[\] = \{(.*?)\n\};", sources, re.S):
        tables[kind] = set(re.findall(r'\{ "([^"]+)"', body))
    return tables


def read_term_rows(items):
    """{word: (values, phase)} from the rows of the table of terms, joined where they go on."""
    rows, last = {}, None
    for item in items:
        columns = [column.strip() for column in " ".join(item.words).split("Ta")]
        if columns[0].startswith("Ic ") and len(columns) == 3:
            last = columns[0][3:]
            rows[last] = [columns[1], columns[2]]
        elif columns[0] == "" and last is not None:
            rows[last][0] += " " + columns[1]
    return {word: (values.replace(r"\(dq", '"'), phase) for word, (values, phase) in rows.items()}


def policy_problems(rows, keys, page):
    """Keys of the blocks, actions and terms."""
    manual = MANUALS["policy"]
    items = parse_items(page)
    sections = {"policy": ("POLICY BLOCKS", ""), "domain": ("DOMAIN BLOCKS", ""),
                "rule": ("RULES", "")}
    for kind, heading in sections.items():
        said = {item.words[1] for item in items if item.heading == heading}
        yield from differ(f"the {kind} key", manual, keys.get(kind, set()), said)
    said = {item.words[1] for item in items if item.heading == ("RULES", "Actions")}
    yield from differ("the action", manual, {row[1] for row in rows if row[0] == "action"}, said)
    terms = {row[1]: (row[2], row[3]) for row in rows if row[0] == "term"}
    said = read_term_rows([item for item in items if item.heading == ("RULES", "Terms")])
    yield from differ("the term", manual, terms, said)
    for word in sorted(set(terms) & set(said)):
        if terms[word] != said[word]:
            yield f"{manual}: {word} takes {terms[word]}, and the manual says {said[word]}"
    later = re.search(r"not available in this version;[^\n]*\n((?:\.Ic [^\n]*\n)+)", page)
    said = set(re.findall(r"[a-z][a-z-]+", later.group(1).replace(".Ic", ""))) if later else set()
    yield from differ("the unavailable term", manual,
                      {row[1] for row in rows if row[0] == "later"}, said)


# ---- The others ----

def lint_problems(rows, conf_page, policy_page):
    """Warnings: each in the WARNINGS of one manual or of both."""
    said = {item.words[1] for page in (conf_page, policy_page) for item in parse_items(page)
            if item.heading[0] == "WARNINGS"}
    yield from differ("the warning", "WARNINGS", {row[0] for row in rows}, said)


def reason_problems(rows, sources, page):
    """Ids with codes are replies; those without are said by the log alone."""
    manual = MANUALS["reasons"]
    items = [item for item in parse_items(page) if item.heading[0] == "REASONS"]
    said = {item.words[1]: " ".join(item.words[3:]) for item in items if item.words[0] == "Cm"}
    codes = {row[0]: f"{row[1]} {row[2]}" for row in rows}
    yield from differ("the reason", manual, codes, said)
    for reason in sorted(set(codes) & set(said)):
        if codes[reason] != said[reason]:
            yield f"{manual}: {reason} is {codes[reason]}, and the manual says {said[reason]}"
    for item in items:
        if item.words[0] == "Ic" and f'"{item.words[1]}"' not in sources:
            yield f"{manual} has the reason \"{item.words[1]}\", which no source mentions"
    known = set(said) | {item.words[1] for item in items}
    for reason in sorted(set(re.findall(r'return "([a-z]+\.[a-z-]+)";', sources)) |
                         set(re.findall(r'\bend\(\w+, "([a-z]+\.[a-z-]+)"', sources))):
        if reason not in known:
            yield f"{manual} does not have the reason \"{reason}\" of the log"


def read_events(sources):
    """What the program calls its own lines: the first string of whatever writes one."""
    return set(re.findall(r'\blog_(?:error|warning|notice|debug)\(\s*"([^"]+)"', sources)) | \
        set(re.findall(r'\bnotice_(?:print|write_fields)\([^";]*"([^"]+)"', sources))


def log_problems(rows, sources, page):
    """Keys of the log line, and the events of the program itself."""
    items = parse_items(page)
    said = {item.words[1] for item in items
            if item.heading[0] == "FIELDS" and item.words[0] in ("Ic", "Cm", "Li")}
    yield from differ("the field", MANUALS["log"], {row[0] for row in rows}, said)
    said = {word for item in items if item.heading[0] == "LINES OF THE PROGRAM ITSELF"
            for word in item.words if re.fullmatch(r"[a-z][a-z-]+", word)}
    yield from differ("the event", MANUALS["log"], read_events(sources), said)


def find_problems(lists, manuals, policy_sources, flow_sources):
    """All complaints, as sentences."""
    yield from conf_problems(lists["settings"], manuals["conf"])
    yield from policy_problems(lists["terms"], read_block_keys(policy_sources),
                               manuals["policy"])
    yield from lint_problems(lists["lints"], manuals["conf"], manuals["policy"])
    yield from reason_problems(lists["reasons"], flow_sources, manuals["reasons"])
    yield from log_problems(lists["log-fields"], flow_sources, manuals["log"])


def read(path):
    """The text of a file, or "" when there is none: then all of it is missing."""
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()


def read_sources(tree, *folders):
    """All C files of some folders of gateway/, one behind the other."""
    texts = []
    for folder in folders:
        full = os.path.join(tree, "gateway", folder)
        texts += [read(os.path.join(full, name)) for name in sorted(os.listdir(full))
                  if name.endswith(".c")]
    return "\n".join(texts)


def main(program, tree):
    """Prints every problem; the exit status says whether there was one."""
    lists = {}
    for name in LISTS:
        run = subprocess.run([program, "check", f"--list-{name}"], capture_output=True,
                             text=True, check=True)
        lists[name] = [line.split("\t") for line in run.stdout.splitlines()]
    manuals = {name: read(os.path.join(tree, path)) for name, path in MANUALS.items()}
    problems = list(find_problems(
        lists, manuals, read_sources(tree, "policy"),
        read_sources(tree, *DAEMON_FOLDERS)))
    for problem in problems:
        print(f"check-docs: {problem}")
    print(f"check-docs: {len(problems)} problems in {sum(map(len, lists.values()))} rows")
    return 1 if problems else 0


if __name__ == "__main__":
    build = os.environ.get("POSTERN_BUILDDIR", ".")
    source = os.environ.get("POSTERN_SRCDIR") or os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "..", "..")
    arguments = sys.argv[1:] + [os.path.join(build, "postern"), source][len(sys.argv) - 1:]
    sys.exit(main(*arguments[:2]))

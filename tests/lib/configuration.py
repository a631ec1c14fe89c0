# SPDX-License-Identifier: BSD-2-Clause
"""The configuration of a case: the common one below, with what the case changes.

A case writes statements. A setting replaces the common one of the same name; a
block is put into the common block of the same head, setting by setting. Rules
of a policy go before its `otherwise`; `drop HEAD;` takes a block out.
"""
import re

from texts import fill_known

COMMON = """
hostname mx.example.org;
workers 1;
drain-timeout 2s;
listener inbound {
    listen 127.0.0.1:0;
    max-sessions-per-address 1000;
    max-sessions-per-network 1000;
}
certificate {
    names mx.example.org;
    chain {folder}/mx.pem;
    key {folder}/mx.key;
}
backend legacy {
    address 127.0.0.1:{port legacy};
    tls off;
    max-idle 0;
    retry 10ms;
}
policy plain { otherwise accept; }
domain example.org example.eu { backend legacy; policy plain; }
"""
TOKEN = re.compile(r'\s+|#[^\n]*|("(?:[^"\\]|\\.)*"|[{};]|[^\s{};"]+)')
# Settings that may stand several times in their block: a case adds to them.
ADDED = {"rule", "waive", "extension", "file"}
# The order in a policy matters only to `otherwise`, which is last.
LAST = "otherwise"


class Statement:
    """Words, and for a block the statements in it."""

    def __init__(self, words, inside=None):
        self.words, self.inside = words, inside

    def text(self, depth=0):
        """As it goes into the file."""
        head = "    " * depth + " ".join(self.words)
        if self.inside is None:
            return head + ";\n"
        body = "".join(statement.text(depth + 1) for statement in self.inside)
        return f"{head} {{\n{body}{'    ' * depth}}}\n"


def parse(text):
    """The statements of a configuration; {name} was filled in before."""
    tokens = [match.group(1) for match in TOKEN.finditer(text) if match.group(1)]
    stack, words = [[]], []
    for token in tokens:
        if token == ";":
            stack[-1].append(Statement(words))
            words = []
        elif token == "{":
            block = Statement(words, [])
            stack[-1].append(block)
            stack.append(block.inside)
            words = []
        elif token == "}":
            stack.pop()
        else:
            words.append(token)
    if len(stack) != 1 or words:
        raise ValueError(f"braces or semicolons are missing in: {text}")
    return stack[0]


def is_same(one, other):
    """Does `other` speak of what `one` is about?"""
    if one.inside is None and other.inside is None:
        return one.words[0] == other.words[0] and one.words[0] not in ADDED
    return one.inside is not None and other.inside is not None and one.words == other.words \
        and one.words[0] not in ADDED | {"certificate"}


def merge(common, changes):
    """Puts the changes of a case into the common statements."""
    for change in changes:
        if change.words[0] == "drop":
            common[:] = [one for one in common if one.words != change.words[1:]]
            continue
        if change.inside is None and change.words[0] == "listen":
            common[:] = [one for one in common if one.words[0] != "listen"]
        found = [one for one in common if is_same(one, change)]
        if not found:
            common.append(change)
        elif change.inside is None:
            common[common.index(found[0])] = change
        else:
            merge(found[0].inside, change.inside)
    common.sort(key=lambda one: one.words[0] == LAST)


def make(changes, places, user):
    """The text of the whole file. `places` has what {port NAME} and {folder} are now."""
    statements = parse(fill_known(COMMON, places))
    statements.append(Statement(["spool-folder", fill_known("{folder}/spool", places)]))
    if user:
        statements.append(Statement(["user", user]))
    merge(statements, parse(fill_known(changes, places)))
    return "".join(statement.text() for statement in statements)

# SPDX-License-Identifier: BSD-2-Clause
"""What the source checks share: which files there are, and C code without its
comments and strings. A check is a script with a function find_problems(tree)
that yields (path, line, sentence); run(find_problems) is its main."""
import os
import re
import sys

FOLDERS = ("gateway", "tests", "contrib", "policies", ".ci")
TOKEN = re.compile(
    r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


class Tree:
    """The files of one source tree, read once."""

    def __init__(self, root):
        self.root = root
        self.texts = {}
        for name in sorted(os.listdir(root)):
            if os.path.isfile(os.path.join(root, name)) and self._is_ours(name):
                self._add(name)
        for folder in FOLDERS:
            for path, folders, names in os.walk(os.path.join(root, folder)):
                folders[:] = sorted(f for f in folders if f not in ("__pycache__", ".deps"))
                for name in sorted(names):
                    self._add(os.path.relpath(os.path.join(path, name), root))

    @staticmethod
    def _is_ours(name):
        """A file at the top that people wrote, not one that the autotools left."""
        return name in ("Makefile.am", "configure.ac", "LICENSE", "NEWS", ".gitignore") or \
            name.endswith((".md", ".py", ".sh"))

    def _add(self, path):
        with open(os.path.join(self.root, path), "rb") as file:
            data = file.read()
        try:
            self.texts[path] = data.decode("utf-8")
        except UnicodeDecodeError:
            pass  # an input of a test, no source

    def files(self, *suffixes, under=""):
        """(path, text) of the files under a folder whose names end so."""
        for path, text in self.texts.items():
            if path.startswith(under) and path.endswith(suffixes or ("",)):
                yield path, text

    def is_source(self, path):
        """Something people read as code or prose, as opposed to an input of a test."""
        if path.endswith((".c", ".h", ".py", ".sh", ".mk", ".am", ".ac", ".md")):
            return True
        return self.texts[path].startswith("#!")


def blank_comments(text, strings_too=True):
    """The same lines and columns, with comments (and the insides of strings) as spaces."""
    def blank(match):
        token = match.group(0)
        if token[0] in "\"'":
            if not strings_too:
                return token
            return token[0] + re.sub(r"[^\n]", " ", token[1:-1]) + token[0]
        return re.sub(r"[^\n]", " ", token)
    return TOKEN.sub(blank, text)


def line_of(text, offset):
    """The number of the line that holds this offset; the first is 1."""
    return text.count("\n", 0, offset) + 1


def run(find_problems, what):
    """Checks the tree in argv[1], else in $POSTERN_SRCDIR, else here. Exit 1 on problems."""
    root = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("POSTERN_SRCDIR", ".")
    problems = list(find_problems(Tree(root)))
    for path, line, sentence in problems:
        print(f"{path}:{line}: {sentence}")
    print(f"{what}: {len(problems)} problems" if problems else f"{what}: fine")
    sys.exit(1 if problems else 0)

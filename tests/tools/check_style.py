#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make check-style`: the rules of the house that a script can see.

    check_style.py [TREE]

- No call that cannot be used safely (strcpy, sprintf, ...), no ctype, which is
  undefined for bytes above 127; outside base/ no call that allocates or frees.
- Every source has its SPDX line and a title comment that says what it is for.
- Every function in a header stands under a comment: its own, or that of the
  run of declarations (no empty line between them) that it belongs to.
- No typedef of a struct, union or enum; no loose ends; nothing that belongs to
  one person's machine.
"""
import re

from source_tree import blank_comments, line_of, run

UNSAFE = "strcpy strncpy stpcpy strcat strncat sprintf vsprintf strtok strtok_r gets " \
    "atoi atol atoll atof alloca"
CTYPE = "isalnum isalpha isascii isblank iscntrl isdigit isgraph islower isprint ispunct isspace " \
    "isupper isxdigit tolower toupper"
HEAP = "malloc calloc realloc reallocarray aligned_alloc posix_memalign free strdup strndup " \
    "asprintf vasprintf"

# Spelt so that this file does not hold them itself.
LOOSE_ENDS = [r"\bTO" r"DO\b", r"\bFIX" r"ME\b", r"\bX" r"XX\b", r"(?i)\bno" r"commit\b",
              r"^<{7} ", r"^>{7} ", r"^={7}$"]
PRIVATE = [r"/home/[a-z]", r"/Users/[A-Z]", r"(?<![\w./$}])/(?:ro[o]t|wo[r]k|fa[r]m)/",
           r"-----BEGIN [A-Z ]*PRIVATE" r" KEY-----"]

TYPEDEF = re.compile(r"\btypedef\s+(struct|union|enum)\b")
PROTOTYPE = re.compile(r"^[A-Za-z_][^;={}]*?\b([a-z_][a-z0-9_]*)\s*\([^;{}]*[;{]?$")


def calls(words):
    """A pattern for a call of one of the words; x->free(y) and my_free(y) are others."""
    return re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(words.split()))


UNSAFE_CALL, CTYPE_CALL, HEAP_CALL = calls(UNSAFE), calls(CTYPE), calls(HEAP)


def call_problems(path, code):
    """(offset, sentence) for every call that is banned in this file."""
    for match in UNSAFE_CALL.finditer(code):
        yield match.start(), f"{match.group(1)}() is not used here"
    for match in CTYPE_CALL.finditer(code):
        yield match.start(), f"{match.group(1)}() is undefined for a char below 0: ascii_* instead"
    if not path.startswith("gateway/") or path.startswith("gateway/base/"):
        return
    for match in HEAP_CALL.finditer(code):
        yield match.start(), f"{match.group(1)}() belongs to base/: use mem_*"


def has_title(path, lines):
    """A comment or docstring right below the SPDX line; a script's first line is its #!."""
    body = [line for line in lines if "SPDX-License-Identifier" not in line]
    if body and body[0].startswith("#!"):
        body = body[1:]
    body = [line.strip() for line in body if line.strip() not in ("", "#")]
    if not body:
        return False
    if path.endswith((".c", ".h")):
        return body[0].startswith("/*")
    return body[0].startswith(("#", '"""', "dnl"))


def statements(text):
    """The lines of a header at its top level: (line number, raw, without comments)."""
    depth = 0
    for number, (raw, code) in enumerate(
            zip(text.split("\n"), blank_comments(text).split("\n")), 1):
        if depth == 0:
            yield number, raw, code
        if not code.lstrip().startswith("#"):
            depth += code.count("{") - code.count("}")


def contract_problems(text):
    """(line, sentence) for every function of a header that stands under no comment."""
    has_comment = False
    previous = 0
    pending, pending_line = "", 0
    for number, raw, code in statements(text):
        if number == previous + 1 and not raw.strip():
            has_comment = False
        previous = number
        if "*/" in raw and not code.strip():
            has_comment = True
        if not code.strip() or code.lstrip().startswith("#"):
            pending = ""
            continue
        if not pending:
            pending_line = number
        pending += " " + code.strip()
        if pending.rstrip()[-1] not in ";{" and not pending.rstrip().endswith("}"):
            continue
        match = PROTOTYPE.match(re.sub(r"\{.*$", "{", pending.strip()))
        is_type = re.match(r"(typedef|struct \w+ ?\{|enum|union)", pending.strip())
        if match and not is_type and not has_comment:
            name = re.search(r"\b([a-z_][a-z0-9_]*)\s*\(", pending).group(1)
            yield pending_line, f"{name} stands under no comment that says its contract"
        pending = ""


def find_problems(tree):
    """Yields (path, line, sentence) for everything that the house does not want."""
    for path, text in tree.files():
        if not tree.is_source(path):
            continue
        lines = text.splitlines()
        if not path.endswith(".md"):
            if not any("SPDX-License-Identifier: BSD-2-Clause" in line for line in lines[:3]):
                yield path, 1, "no SPDX line among the first three"
            elif not has_title(path, lines):
                yield path, 1, "no title comment that says what this file is for"
        for pattern in LOOSE_ENDS + PRIVATE:
            for match in re.finditer(pattern, text, re.M):
                yield path, line_of(text, match.start()), \
                    f"\"{match.group(0).strip()}\" must not be committed"
        if path.endswith((".c", ".h")):
            code = blank_comments(text)
            for offset, sentence in call_problems(path, code):
                yield path, line_of(code, offset), sentence
            for match in TYPEDEF.finditer(code):
                yield path, line_of(code, match.start()), \
                    f"no typedef of {match.group(1)}: its name says what it is"
            if re.search(r"#\s*include\s*<ctype\.h>", text):
                yield path, 1, "<ctype.h> is not used here: base/slice.h has ascii_*"
        if path.endswith(".h"):
            for number, sentence in contract_problems(text):
                yield path, number, sentence


if __name__ == "__main__":
    run(find_problems, "check-style")

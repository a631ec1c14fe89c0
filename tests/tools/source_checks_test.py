#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_layers, check_size, check_style and sum_tests against small trees.

A check that finds nothing in a good tree proves little: each case here is one
bad line in a good tree, which the check must name, and nothing else.
"""
import os
import subprocess
import sys
import tempfile

TOOLS = os.path.dirname(os.path.abspath(__file__))
SPDX = "/* SPDX-License-Identifier: BSD-2-Clause */\n/* What it is for. */\n"

GOOD = {
    "gateway/LAYERS": "# a comment\nlow   foreign/ foreign/sub/\nhigh  foreign/door idn2\ntop\n",
    "gateway/low/a.h": SPDX + "#include <stdio.h>\n\n/* Says a. */\nint a_say(int x);\n",
    "gateway/low/a.c": SPDX + "#include \"low/a.h\"\n#include <foreign/any.h>\n\n"
                       "int a_say(int x)\n{\n    return x;\n}\n",
    "gateway/high/b.h": SPDX + "#include \"low/a.h\"\n\n"
                        "struct b;\n\ntypedef void (*b_fn)(struct b *b, int x);\n\n"
                        "/* Two of a kind:\n * this\n *\n * and that. */\n"
                        "int b_one(struct b *b,\n          int x) __attribute__((unused));\n"
                        "int b_two(void);\n\n"
                        "/* Inline. */\nstatic inline int b_three(void)\n{\n    int x = 1;\n\n"
                        "    return x;\n}\n",
    "gateway/high/b.c": SPDX + "#include \"high/b.h\"\n#include <sys/socket.h>\n"
                        "#include <foreign/door.h>\n#include <idn2.h>\n#include \"config.h\"\n\n"
                        "/* strcpy(a, b) in a comment */\n"
                        "static const char *text = \"isalpha(x) malloc(1) { TO\" \"DO\";\n",
    "gateway/top/c.c": SPDX + "#include \"low/a.h\"\n\nint c(struct c *x)\n{\n"
                       "    x->free(x);\n    my_free(x);\n    return text[0] == '\"';\n}\n",
    "tests/tools/x.py": "#!/usr/bin/env python3\n# SPDX-License-Identifier: BSD-2-Clause\n"
                        "\"\"\"Title.\"\"\"\n",
    "tests/run": "#!/bin/sh\n# SPDX-License-Identifier: BSD-2-Clause\n# Title.\n",
    "tests/cases/10-x.in": "no SPDX and a very long line " + "x" * 200 + "\n",
    "Makefile.am": "# SPDX-License-Identifier: BSD-2-Clause\n# Title.\n",
}

HEADER = "gateway/high/n.h"
CODE = "gateway/high/n.c"
LINES_81 = "    x();\n" * 81

# (check, the file that is added or replaced, its text, words of the one complaint)
BAD = [
    ("layers", CODE, SPDX + '#include "top/c.h"\n', '"top/c.h" does not exist'),
    ("layers", "gateway/low/n.c", SPDX + '#include "high/b.h"\n', "low/ must not know high/"),
    ("layers", "gateway/low/n.c", SPDX + '#  include  "high/b.h"\n', "low/ must not know high/"),
    ("layers", CODE, SPDX + '#include "b.h"\n', "is not written as"),
    ("layers", CODE, SPDX + '#include "../low/a.h"\n', "is not written as"),
    ("layers", CODE, SPDX + '#include "low/a.c"\n', "is not written as"),
    ("layers", CODE, SPDX + '#include "low/sub/a.h"\n', "is not written as"),
    ("layers", CODE, SPDX + '#include "other/a.h"\n', "is not written as"),
    ("layers", CODE, SPDX + "#include <low/a.h>\n", "has no door"),
    ("layers", CODE, SPDX + "#include <foreign/any.h>\n", "may be included in low/ only"),
    ("layers", CODE, SPDX + "#include <foreign/sub/x.h>\n", "may be included in low/ only"),
    ("layers", "gateway/low/n.c", SPDX + "#include <foreign/door.h>\n", "in high/ only"),
    ("layers", "gateway/top/n.c", SPDX + "#include <idn2.h>\n", "in high/ only"),
    ("layers", CODE, SPDX + "#include <idn2x.h>\n", "has no door"),
    ("layers", "gateway/other/n.c", SPDX, "names no such folder"),
    ("layers", "gateway/n.c", SPDX, "names no such folder"),
    ("layers", "gateway/high/sub/n.c", SPDX, "names no such folder"),
    ("layers", "gateway/low/a.h", SPDX + '#include "low/a.h"\n', "includes itself"),
    ("layers", HEADER, (SPDX + '#include "high/m.h"\n', "gateway/high/m.h",
                        SPDX + '#include "high/n.h"\n'),
     "circle: high/m.h -> high/n.h -> high/m.h"),
    ("size", CODE, SPDX + "int f(void)\n{\n" + LINES_81 + "}\n", "f has 81 lines"),
    ("size", CODE, SPDX + "START_TEST(a_b)\n{\n" + LINES_81 + "}\n", "a_b has 81 lines"),
    ("size", CODE, SPDX + "static struct x *f(int a,\n    int b)\n{\n" + LINES_81 + "}\n",
     "f has 81 lines"),
    ("size", CODE, SPDX + "int f(void) {\n}\n", "on a line of its own"),
    ("size", CODE, SPDX + "\n" * 599, "601 lines in one file"),
    ("size", CODE, SPDX + "/*" + "x" * 97 + "*/\n", "101 columns"),
    ("size", CODE, SPDX + "\t" * 12 + "/*xx*/\n", "102 columns"),
    ("size", "tests/x.py", "x = 0\n" + "#" * 101 + "\n", "101 columns"),
    ("size", "contrib/x", "#!/bin/sh\n" + "#" * 101 + "\n", "101 columns"),
    ("style", CODE, SPDX + "int x = strcpy(a, b);\n", "strcpy() is not used"),
    ("style", CODE, SPDX + "int x = sprintf (a, b);\n", "sprintf() is not used"),
    ("style", "tests/unit/x.c", SPDX + "int x = atoi(a);\n", "atoi() is not used"),
    ("style", "contrib/x.c", SPDX + "int x = strtok(a, b);\n", "strtok() is not used"),
    ("style", CODE, SPDX + "int x = isdigit(a);\n", "ascii_* instead"),
    ("style", CODE, SPDX + "#include <ctype.h>\n", "<ctype.h> is not used"),
    ("style", CODE, SPDX + "int x = malloc(1);\n", "malloc() belongs to base/"),
    ("style", CODE, SPDX + "int f(void)\n{\n    free(x);\n}\n", "free() belongs to base/"),
    ("style", CODE, SPDX + "char c = '\"'; int x = strdup(\"\\\"\"); char d = '\"';\n", "strdup()"),
    ("style", CODE, SPDX + "typedef struct n { int x; } n_t;\n", "no typedef of struct"),
    ("style", CODE, SPDX + "typedef enum { A } n_t;\n", "no typedef of enum"),
    ("style", CODE, SPDX + "/* TO" "DO: more */\n", "must not be committed"),
    ("style", "README.md", "FIX" "ME\n", "must not be committed"),
    ("style", CODE, SPDX + "<<<<<<< HEAD\n", "must not be committed"),
    ("style", "tests/run", GOOD["tests/run"] + "cd /ho" "me/x/y\n", "must not"),
    ("style", "tests/run", GOOD["tests/run"] + "cd /ro" "ot/postern\n", "must not be"),
    ("style", CODE, "/* What it is for. */\n", "no SPDX line"),
    ("style", "tests/run", "#!/bin/sh\n# Title.\n", "no SPDX line"),
    ("style", CODE, SPDX.split("\n", maxsplit=1)[0] + "\nint x;\n", "no title comment"),
    ("style", "tests/tools/x.py", "# SPDX-License-Identifier: BSD-2-Clause\nimport os\n",
     "no title comment"),
    ("style", "Makefile.am", "# SPDX-License-Identifier: BSD-2-Clause\n", "no title comment"),
    ("style", HEADER, SPDX + "\nint n_x(void);\n", "n_x stands under no comment"),
    ("style", HEADER, SPDX + "\n/* One. */\nint n_x(void);\n\nint n_y(int a,\n        int b);\n",
     "n_y stands under no comment"),
    ("style", HEADER, SPDX + "\nstatic inline int n_x(void)\n{\n    return 0;\n}\n",
     "n_x stands under no comment"),
    ("style", HEADER, SPDX + "\nstruct x {\n    int a; /* a */\n};\nbool *n_x(void)\n"
     "    __attribute__((unused));\n", "n_x stands under no comment"),
]

# (name of the case, text of the log, of the result file or None, wanted closing line, exit)
LOGS = [
    ("check program", "x\n100%: Checks: 9, Failures: 0, Errors: 0\n", "PASS",
     "9 passed, 0 failed, 0 skipped", 0),
    ("failing check program", "77%: Checks: 9, Failures: 1, Errors: 1\n", "FAIL",
     "7 passed, 2 failed, 0 skipped", 1),
    ("script", "1 passed, 0 failed, 0 skipped\n5 passed, 0 failed, 2 skipped\n", "PASS",
     "5 passed, 0 failed, 2 skipped", 0),
    ("plain test", "hello\n", "PASS", "1 passed, 0 failed, 0 skipped", 0),
    ("plain test that fails", "hello\n", "FAIL", "0 passed, 1 failed, 0 skipped", 1),
    ("good numbers, bad end", "100%: Checks: 9, Failures: 0, Errors: 0\n", "FAIL",
     "9 passed, 1 failed, 0 skipped", 1),
    ("skipped", "no server here\n", "SKIP", "0 passed, 0 failed, 1 skipped", 1),
    ("never ran", "", None, "0 passed, 1 failed, 0 skipped", 1),
]


def write_tree(root, files):
    """Writes {path: text} under a folder."""
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)


def run_script(script, *arguments):
    """(exit status, lines) of one of our scripts."""
    done = subprocess.run([sys.executable, "-B", os.path.join(TOOLS, script), *arguments],
                          capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).splitlines()


def run_check(check, files):
    """(exit status, complaints) of a check of a tree of these files."""
    with tempfile.TemporaryDirectory() as root:
        write_tree(root, files)
        status, lines = run_script(f"check_{check}.py", root)
        return status, lines[:-1]


def try_good(check):
    """None when the good tree passes, else what was said."""
    status, complaints = run_check(check, GOOD)
    return None if status == 0 and not complaints else complaints


def try_bad(check, path, text, words):
    """None when the check says just this one thing, in this file; else what it said."""
    files = dict(GOOD)
    if isinstance(text, tuple):
        text, other, other_text = text
        files[other] = other_text
    files[path] = text
    status, complaints = run_check(check, files)
    if status == 1 and len(complaints) == 1 and words in complaints[0]:
        return None
    return complaints


def try_log(log, result, wanted, exit_status):
    """None when sum_tests.py counts right, else what it said."""
    with tempfile.TemporaryDirectory() as root:
        files = {} if result is None else {"x.log": log, "x.trs": f":test-result: {result}\n"}
        write_tree(root, files)
        status, lines = run_script("sum_tests.py", os.path.join(root, "x.log"))
    return None if (status, lines) == (exit_status, [wanted]) else [str(status)] + lines


def main():
    """Runs every case and prints the closing line."""
    cases = [(f"{check} takes the good tree", try_good(check))
             for check in ("layers", "size", "style")]
    cases += [(f"{check}: {words}", try_bad(check, path, text, words))
              for check, path, text, words in BAD]
    cases += [(f"sum: {name}", try_log(log, result, wanted, exit_status))
              for name, log, result, wanted, exit_status in LOGS]
    failed = [(name, got) for name, got in cases if got is not None]
    for name, got in failed:
        print(f"FAIL {name}: got {got}")
    print(f"{len(cases) - len(failed)} passed, {len(failed)} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

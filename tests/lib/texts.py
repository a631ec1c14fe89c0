# SPDX-License-Identifier: BSD-2-Clause
"""The little language inside the lines of a case: escapes, `{...}` and patterns.

    \\r \\n \\t \\0 \\xHH   bytes;  \\s a blank (at a line's end);  \\\\ \\{ \\* those signs
    {3*abc}              abcabcabc
    {name}               a value: a column of a table, an argument of steps, {n} of C*5:
    *                    in patterns: any bytes, even none
"""
import re

SIGNS = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "s": " "}
REPEAT = re.compile(r"(\d+)\*(.*)", re.S)
# A sign that is meant as itself travels as this until the pattern is made.
STAR = "\ue000"


class Mistake(Exception):
    """The case itself is wrong: told with its file and line."""


def unescape(text):
    """Bytes above 127 are written as \\xHH and travel as the characters of that number."""
    if "\\" not in text and text.isascii():
        return text
    out, at = [], 0
    while at < len(text):
        if text[at] != "\\":
            # UTF-8 in a case stands for its bytes.
            out.append(text[at] if text[at] == STAR else
                       text[at].encode("utf-8").decode("latin-1"))
            at += 1
            continue
        sign = text[at + 1:at + 2]
        if sign == "x":
            out.append(chr(int(text[at + 2:at + 4], 16)))
            at += 4
        elif sign == "*":
            out.append(STAR)
            at += 2
        elif sign in SIGNS:
            out.append(SIGNS[sign])
            at += 2
        elif sign and sign in "\\{}|#\"":
            out.append(sign)
            at += 2
        else:
            raise Mistake(f"\\{sign} is no escape")
    return "".join(out)


def find_brace(text, start):
    """Where the brace that opens at `start` is closed; braces nest."""
    depth, at = 0, start
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    raise Mistake(f"a brace is open in: {text}")


def fill_in(text, values):
    """Replaces each {name} and {3*text}; escapes stay as they are."""
    if "{" not in text:
        return text
    out, at = [], 0
    while at < len(text):
        if text[at] == "\\":
            out.append(text[at:at + 2])
            at += 2
        elif text[at] == "{":
            end = find_brace(text, at)
            out.append(fill_one(text[at + 1:end], values))
            at = end + 1
        else:
            out.append(text[at])
            at += 1
    return "".join(out)


def fill_one(inside, values):
    """What stands between two braces."""
    if inside == "n" and "n" not in values:
        return "{n}"  # the counter of C*5: fills it in later
    repeat = REPEAT.fullmatch(inside)
    if repeat:
        return int(repeat.group(1)) * fill_in(repeat.group(2), values)
    if inside in values:
        return fill_in(str(values[inside]), values)
    raise Mistake(f"nothing is called {{{inside}}}")


def fill_known(text, values):
    """Replaces only {name} of known names: a configuration is full of braces."""
    return re.sub(r"\{([a-z0-9-]+(?: [a-z0-9-]+)?)\}",
                  lambda match: fill_known(str(values[match.group(1)]), values)
                  if match.group(1) in values else match.group(0), text)


def to_bytes(text, values):
    """What a line of a case sends."""
    return unescape(fill_in(text, values)).replace(STAR, "*").encode("latin-1")


def to_regex(text, values):
    """What a line of a case expects: everything literal but `*`."""
    parts = unescape(fill_in(text, values)).split("*")
    parts = [re.escape(part.replace(STAR, "*").encode("latin-1")) for part in parts]
    return re.compile(b".*".join(parts), re.S)


def shown(data, limit=300):
    """Bytes for a person: one line, what is not printable escaped."""
    text = "".join(chr(byte) if 32 <= byte < 127 and byte != 92 else
                   {13: "\\r", 10: "\\n", 92: "\\\\"}.get(byte, f"\\x{byte:02x}")
                   for byte in data[:limit])
    return text if len(data) <= limit else f"{text}... ({len(data)} bytes)"

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make check-layers`: every #include under gateway/ obeys gateway/LAYERS.

    check_layers.py [TREE]

- "folder/x.h" is included from its own folder or from one further down the list.
- A foreign header is included only where LAYERS lists it; what is neither
  listed there nor part of C, POSIX or Linux has no door yet, and needs one.
- Headers of one folder include each other in no circle.
"""
import os
import re

from source_tree import blank_comments, line_of, run

INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"\n]*)[>\"]", re.M)

# Headers of the system itself, open to all.
SYSTEM_FOLDERS = ("sys/", "netinet/", "arpa/", "net/", "linux/", "asm/")
SYSTEM_HEADERS = set("""
    assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal
    stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath
    threads time uchar wchar wctype
    dirent dlfcn fcntl fnmatch ftw getopt glob grp langinfo libgen netdb poll pthread pwd
    regex sched semaphore spawn strings sysexits syslog termios unistd utime
    byteswap endian err execinfo ifaddrs malloc mntent sched shadow
    """.split())


def read_layers(tree):
    """[(folder, [foreign names])] from top to bottom."""
    layers = []
    for line in tree.texts["gateway/LAYERS"].splitlines():
        words = line.split("#")[0].split()
        if words:
            layers.append((words[0], words[1:]))
    return layers


def find_door(header, layers):
    """The folders that may include this foreign header: those with the longest match."""
    best, folders = 0, []
    for folder, names in layers:
        for name in names:
            is_match = header.startswith(name) if name.endswith("/") else header == name + ".h"
            if is_match and len(name) > best:
                best, folders = len(name), [folder]
            elif is_match and len(name) == best:
                folders.append(folder)
    return folders


def foreign_problem(folder, header, layers):
    """What is wrong with <header> in this folder, or None."""
    if header.startswith(SYSTEM_FOLDERS) or header.removesuffix(".h") in SYSTEM_HEADERS:
        return None
    doors = find_door(header, layers)
    if not doors:
        return f"<{header}> has no door: list it in gateway/LAYERS beside the one folder it is for"
    if folder not in doors:
        return f"<{header}> may be included in {' and '.join(doors)}/ only"
    return None


def own_problem(tree, path, folder, header, order):
    """What is wrong with "header" in this file, or None."""
    if header == "config.h":
        return None  # what configure found out
    target = header.split("/")[0]
    if header.count("/") != 1 or not header.endswith(".h") or target not in order:
        return f"\"{header}\" is not written as \"folder/name.h\" with a folder of gateway/LAYERS"
    if "gateway/" + header not in tree.texts:
        return f"\"{header}\" does not exist"
    if order[target] > order[folder]:
        return f"{folder}/ must not know {target}/, which stands below it in gateway/LAYERS"
    if path == "gateway/" + header:
        return "a header that includes itself"
    return None


def find_circles(graph):
    """Each circle of headers once, as [first, ..., first]."""
    done, circles = set(), []

    def visit(node, way):
        if node in way:
            circles.append(way[way.index(node):] + [node])
        elif node not in done:
            for target in graph.get(node, ()):
                visit(target, way + [node])
            done.add(node)
    for node in sorted(graph):
        visit(node, [])
    return circles


def find_problems(tree):
    """Yields (path, line, sentence) for each #include that disobeys."""
    layers = read_layers(tree)
    order = {folder: number for number, (folder, _) in enumerate(layers)}
    graph = {}
    for path, text in tree.files(".c", ".h", under="gateway/"):
        folder = path.split("/")[1]
        if folder not in order or path.count("/") != 2:
            yield path, 1, "gateway/LAYERS names no such folder"
            continue
        code = blank_comments(text, strings_too=False)
        for match in INCLUDE.finditer(code):
            quote, header = match.groups()
            if quote == "<":
                problem = foreign_problem(folder, header, layers)
            else:
                problem = own_problem(tree, path, folder, header, order)
                if problem is None and path.endswith(".h"):
                    graph.setdefault(path, []).append("gateway/" + header)
            if problem:
                yield path, line_of(code, match.start()), problem
    for circle in find_circles(graph):
        names = " -> ".join(os.path.relpath(path, "gateway") for path in circle)
        yield circle[0], 1, f"headers in a circle: {names}"


if __name__ == "__main__":
    run(find_problems, "check-layers")

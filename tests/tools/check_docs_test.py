#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_docs against small tables and manuals: in a good set it finds nothing,
and each case is one change in it that must be named, and nothing else."""
import sys

from check_docs import find_problems

LISTS = {
    "settings": [
        ["", "hostname", "a host name", "", "required", "Name."],
        ["listener", "tls", "off, optional or required", "optional", "", "TLS."],
        ["listener", "wait", "a time in ms or s from 10ms to 1d, such as 5m", "5m", "", "Wait."],
    ],
    "terms": [
        ["term", "client", "NETWORK, in LIST", "connect", "the address"],
        ["term", "header", 'NAME present, NAME contains "TEXT"', "message", "a field"],
        ["later", "spf", "it does not check SPF yet"],
        ["later", "dkim-domain", "nor DKIM"],
        ["action", "accept"],
    ],
    "lints": [["lint.shadow", "why"], ["lint.wide", "why"]],
    "reasons": [["relay.denied", "550", "5.7.1", "no"]],
    "log-fields": [["ts", "base", "when"]],
}
MANUALS = {
    "conf": """.Sh SETTINGS
.Ss Outside of all blocks
.Bl -tag -width Ds
.It Ic hostname Ar name
The name.
Required.
.El
.Ss listener
.Bl -tag -width Ds
.It Ic tls Cm off | optional | required
Whether.
Default: optional.
.It Ic wait Ar time
How long.
10ms to 1d.
Default: 5m.
.El
.Sh WARNINGS
.Bl -tag -width Ds
.It Cm lint.wide
Too wide.
.El
""",
    "policy": """.Sh POLICY BLOCKS
.Bl -tag -width Ds
.It Ic mode Cm enforce | shadow
Mode.
.El
.Sh DOMAIN BLOCKS
.Bl -tag -width Ds
.It Ic backend Ar NAME
Where.
.El
.Sh RULES
.Bl -tag -width Ds
.It Ic when Ar TERM
When.
.El
.Ss Actions
.Bl -tag -width Ds
.It Ic accept
Passed on.
.El
.Ss Terms
.Bl -column "a" "b" "c"
.It Sy Term Ta Sy Values Ta Sy Known at
.It Ic client Ta NETWORK, in LIST Ta connect
.It Ic header Ta NAME present, Ta message
.It Ta NAME contains \\(dqTEXT\\(dq Ta
.El
.Pp
These words are known and not available in this version; a policy that uses one does not load:
.Ic spf ,
.Ic dkim-domain .
.Sh WARNINGS
.Bl -tag -width Ds
.It Li lint.shadow
In shadow.
.El
""",
    "reasons": """.Sh REASONS
.Bl -tag -width Ds
.It Cm relay.denied Pq 550 5.7.1
No.
.It Ic client.gone
Left.
.El
""",
    "log": """.Sh FIELDS
.Bl -tag -width Ds
.It Cm ts
When.
.El
.Sh LINES OF THE PROGRAM ITSELF
.Bl -tag -width Ds
.It Cm ready
Listens.
.It Cm down , up
Gone.
.It Cm log-lost
Lost.
.El
""",
}
POLICY_SOURCES = """
static const struct block_key policy_keys[] = {
    { "mode", false, parse_mode },
};
static const struct block_key domain_keys[] = {
    { "backend", false, parse_backend },
};
static const struct block_key rule_keys[] = {
    { "when", false, parse_when },
};
"""
FLOW_SOURCES = """case X: return "client.gone";
    log_warning("down", "backend %s", name);
    log_notice(
        "up", "backend");
    notice_write_fields(&feed->sink, "ready", fields, 2);
    notice_print(&logger->own, logger->format, LOG_LEVEL_ERROR, "log-lost", fields, 2);
"""

# (what is changed: a manual or a source; from; to; words of the one complaint)
BAD = [
    ("conf", "Default: 5m.", "Default: 6m.", 'listener wait: the default is "5m"'),
    ("conf", "Default: optional.\n", "", 'listener tls: the default is "optional"'),
    ("conf", "Required.\n", "", "hostname: required, unlike in the manual"),
    ("conf", "How long.\n", "How long.\nRequired.\n", "listener wait: not required"),
    ("conf", "10ms to 1d.", "10ms to 2d.", "listener wait: the limits are 10ms to 1d"),
    ("conf", "optional | required", "optional | always", 'the value "always"'),
    ("conf", "Ic wait", "Ic weight", None),
    ("conf", "Ss listener", "Ss backend", None),
    ("conf", "lint.wide", "lint.narrow", None),
    ("conf", ".It Cm lint.wide\n", "", 'does not have the warning "lint.wide"'),
    ("policy", "Ic mode Cm", "Ic mood Cm", None),
    ("policy", ".It Ic backend Ar NAME\n", "", 'the domain key "backend"'),
    ("policy", ".It Ic accept\n", "", 'the action "accept"'),
    ("policy", "Ic accept", "Ic accept\nx\n.It Ic refuse", 'has the action "refuse"'),
    ("policy", "NETWORK, in LIST", "NETWORK", "client takes"),
    ("policy", "LIST Ta connect", "LIST Ta helo", "client takes"),
    ("policy", "TEXT\\(dq Ta", "WORD\\(dq Ta", "header takes"),
    ("policy", ".It Ic client Ta NETWORK, in LIST Ta connect\n", "", 'the term "client"'),
    ("policy", ".Ic spf ,\n", "", 'the unavailable term "spf"'),
    ("policy", "Ic spf ,", "Ic spf , ptr ,", 'has the unavailable term "ptr"'),
    ("reasons", "Pq 550 5.7.1", "Pq 550 5.7.2", "relay.denied is 550 5.7.1"),
    ("reasons", "Cm relay.denied", "Cm relay.refused", None),
    ("reasons", "Ic client.gone", "Ic client.left", None),
    ("log", "Cm ts", "Cm time", None),
    ("log", ".It Cm ts\n", "", 'does not have the field "ts"'),
    ("log", ", up", "", 'does not have the event "up"'),
    ("log", "Cm down", "Cm over", None),
    ("log", ".It Cm ready\n", "", 'does not have the event "ready"'),
    ("log", ".It Cm log-lost\n", "", 'does not have the event "log-lost"'),
    ("policy-sources", '"when"', '"whenever"', None),
    ("policy-sources", "    { \"mode\"", "    { \"max\", false, x },\n    { \"mode\"",
     'the policy key "max"'),
    ("flow-sources", "return", 'return "client.reset";\nreturn',
     'the reason "client.reset" of the log'),
    ("flow-sources", "case", 'log_error("stuck", "x");\ncase', 'the event "stuck"'),
    ("flow-sources", "case", 'end(x, "tls.odd", 0);\ncase', 'the reason "tls.odd" of the log'),
]


def complaints(changed=None, old="", new=""):
    """What check_docs says of the good set with one change in it."""
    texts = dict(MANUALS)
    texts["policy-sources"], texts["flow-sources"] = POLICY_SOURCES, FLOW_SOURCES
    if changed is not None:
        if old not in texts[changed]:
            raise AssertionError(f"\"{old}\" is not in {changed}")
        texts[changed] = texts[changed].replace(old, new)
    return list(find_problems(LISTS, texts, texts["policy-sources"], texts["flow-sources"]))


def is_named(found, words):
    """One complaint with these words; where they are None, one of each side of a misspelling."""
    if words is not None:
        return len(found) == 1 and words in found[0]
    return len(found) >= 2 and any("does not have" in line for line in found) and \
        any("program has not" in line or "no source" in line for line in found)


def main():
    """Runs the cases and ends in the line that `make check` adds up."""
    failed = 0
    found = complaints()
    if found:
        failed += 1
        print(f"FAIL: complaints about a good set: {found}")
    for changed, old, new, words in BAD:
        found = complaints(changed, old, new)
        if not is_named(found, words):
            failed += 1
            print(f"FAIL: {changed}: \"{old}\" -> \"{new}\": got {found}, want {words}")
    print(f"{len(BAD) + 1 - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

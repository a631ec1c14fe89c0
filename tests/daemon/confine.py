#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Becomes a command that is confined as systemd confines the service of a unit.

    confine.py UNIT COMMAND [ARGUMENT...]

Of the unit it takes what is about the process itself: capabilities, no new privileges, system
calls, address families, and memory that is both written and executed. What a filter of system
calls does not allow ends the process with SIGSYS, whatever the unit says, so that it cannot go
unseen. Needs root, libseccomp and systemd-analyze, which knows systemd's sets of system calls.
"""
import ctypes
import os
import re
import socket
import subprocess
import sys

PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
# Of <linux/capability.h>, those that a unit of ours may leave.
CAPABILITIES = {"CAP_DAC_READ_SEARCH": 2, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7,
                "CAP_NET_BIND_SERVICE": 10}
ACT_KILL_PROCESS, ACT_ALLOW = 0x80000000, 0x7fff0000
CMP_EQ, CMP_MASKED_EQ = 4, 7
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000
# systemd.exec(5): these are always on a list of what is allowed.
ALWAYS_ALLOWED = ["@default", "execve", "exit", "exit_group", "getrlimit", "rt_sigreturn"]


class Comparison(ctypes.Structure):
    """struct scmp_arg_cmp"""
    _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int),
                ("first", ctypes.c_uint64), ("second", ctypes.c_uint64)]


class Filter:
    """A filter of system calls that is being put together."""

    def __init__(self, otherwise):
        self.seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        self.seccomp.seccomp_init.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.seccomp.seccomp_init(ctypes.c_uint32(otherwise)))

    def add(self, action, name, *comparison):
        number = self.seccomp.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return  # not on this machine
        result = self.seccomp.seccomp_rule_add_array(
            self.context, ctypes.c_uint32(action), number, len(comparison) // 4,
            ctypes.byref(Comparison(*comparison)))
        if result != 0:
            raise OSError(-result, f"{name}: {os.strerror(-result)}")

    def load(self):
        result = self.seccomp.seccomp_load(self.context)
        if result != 0:
            raise OSError(-result, os.strerror(-result))


def read_unit(path):
    """key -> value; the last one, where a key stands several times."""
    with open(path, encoding="utf-8") as file:
        return dict(re.findall(r"^(\w+)=(.*)$", file.read(), re.M))


def expand(names):
    """The system calls of sets and of sets in them."""
    found = set()
    for name in names:
        if name.startswith("@"):
            lines = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True,
                                   capture_output=True, text=True).stdout.splitlines()[1:]
            found |= expand(line.strip() for line in lines if not line.strip().startswith("#"))
        elif name:
            found.add(name)
    return found


def limit_capabilities(libc, names):
    kept = {CAPABILITIES[name] for name in names}
    number = 0
    while number in kept or libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0) == 0:
        number += 1


def limit_calls(names, families):
    calls = Filter(ACT_KILL_PROCESS)
    for name in expand([*names, *ALWAYS_ALLOWED]) - {"socket"}:
        calls.add(ACT_ALLOW, name)
    for family in families:
        calls.add(ACT_ALLOW, "socket", 0, CMP_EQ, getattr(socket, family), 0)
    return calls


def deny_writable_code():
    both = PROT_WRITE | PROT_EXEC
    code = Filter(ACT_ALLOW)
    code.add(ACT_KILL_PROCESS, "mmap", 2, CMP_MASKED_EQ, both, both)
    code.add(ACT_KILL_PROCESS, "mprotect", 2, CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)
    code.add(ACT_KILL_PROCESS, "shmat", 2, CMP_MASKED_EQ, SHM_EXEC, SHM_EXEC)
    return code


def main(unit_path, command):
    unit = read_unit(unit_path)
    libc = ctypes.CDLL(None)
    filters = [limit_calls(unit["SystemCallFilter"].split(),
                           unit["RestrictAddressFamilies"].split())]
    if unit["MemoryDenyWriteExecute"] == "yes":
        filters.append(deny_writable_code())
    limit_capabilities(libc, unit["CapabilityBoundingSet"].split())
    if unit["NoNewPrivileges"] == "yes":
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # The last one first: after it, no other could be loaded.
    for calls in reversed(filters):
        calls.load()
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

# SPDX-License-Identifier: BSD-2-Clause
"""
Runs one command, is the reaper of everything below it, and leaves nothing.

  python3 warden.py COMMAND [ARGUMENT...]

Orphans of the tree become the warden's children (PR_SET_CHILD_SUBREAPER), so
their CPU time can be found in its own account and none of them can hide. On
SIGTERM, which the kernel sends too when the bench has died, the command gets
SIGTERM; what is still there three seconds later, or when the command has
ended, is killed.
"""
import ctypes
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from loadbench.processes import descendants  # noqa: E402

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 3


def start(command):
    pid = os.fork()
    if pid == 0:
        os.setsid()  # Postfix's master signals its process group
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        try:
            os.execvp(command[0], command)
        except OSError as error:
            print(f"{command[0]}: {error.strerror}", flush=True)
        os._exit(127)
    return pid


def reap(main_child):
    """Waits for whoever has ended; returns (is the command alive, is anybody)."""
    main_alive = True
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False, False
        if pid == 0:
            return main_alive, True
        if pid == main_child:
            main_alive = False


def kill_all(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it was faster


def main(command):
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD])
    child = start(command)
    kill_at = None
    main_alive = True
    while True:
        received = signal.sigtimedwait([signal.SIGTERM, signal.SIGCHLD], 0.5 if kill_at else 3600)
        alive, anybody = reap(child)
        main_alive = main_alive and alive
        if not anybody:
            return
        if received is not None and received.si_signo == signal.SIGTERM and main_alive:
            os.kill(child, signal.SIGTERM)
            kill_at = time.monotonic() + GRACE_SECONDS
        if not main_alive or (kill_at is not None and time.monotonic() >= kill_at):
            kill_at = kill_at or time.monotonic()
            kill_all(descendants(os.getpid()))


if __name__ == "__main__":
    main(sys.argv[1:])

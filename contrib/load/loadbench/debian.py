# SPDX-License-Identifier: BSD-2-Clause
"""
Finds Postfix's programs without making Postfix this machine's mail server.

An installed Postfix is used where there is one; only its programs, never its
configuration. Else Debian's package is downloaded by apt and unpacked (dpkg-deb
-x) into a cache folder, with those libraries it needs that are not installed;
no maintainer script runs, and apt and dpkg know nothing of it.
"""
import glob
import grp
import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass

from .processes import Failure

INSTALLED = "/usr/lib/postfix/sbin"
DAEMONS = ("master", "smtpd", "trivial-rewrite", "tlsmgr", "anvil", "proxymap", "postlogd")


@dataclass
class PostfixFiles:
    version: str
    daemons: str        # folder of master, smtpd ...
    commands: str       # folder of postconf, postqueue ...
    libraries: str      # folder of libpostfix-*.so
    linker_path: str   # for LD_LIBRARY_PATH


def output_of(command, folder=None):
    """What a command prints; Failure with its last words when it fails."""
    environment = dict(os.environ, LC_ALL="C")
    try:
        run = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                             check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(f"{command[0]}: {error}") from error
    if run.returncode != 0:
        words = run.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Failure(f"{' '.join(command)}: {words[-1] if words else 'failed'}")
    return run.stdout.decode("utf-8", "replace")


def is_installed(package):
    try:
        status = output_of(["dpkg-query", "-W", "-f", "${db:Status-Status}", package])
    except Failure:
        return False
    return status == "installed"


def unpack(package, folder):
    """Downloads a package and unpacks it; returns the libraries it depends on."""
    output_of(["apt-get", "download", package], folder)
    archives = glob.glob(os.path.join(folder, f"{package}_*.deb"))
    if len(archives) != 1:
        raise Failure(f"apt-get download {package} left {len(archives)} files")
    output_of(["dpkg-deb", "-x", archives[0], os.path.join(folder, "root")])
    depends = output_of(["dpkg-deb", "-f", archives[0], "Depends"])
    os.rename(archives[0], os.path.join(folder, "unpacked-" + package + ".deb"))
    names = [re.split(r"[ (|:]", item.strip())[0] for item in depends.split(",")]
    return [name for name in names if re.fullmatch(r"lib[a-z0-9.+-]+", name)]


def unpack_with_libraries(folder):
    """Unpacks Postfix and, one after the other, the libraries this machine lacks."""
    wanted, seen = ["postfix"], set()
    while wanted:
        package = wanted.pop()
        seen.add(package)
        for library in unpack(package, folder):
            if library not in seen and library not in wanted and not is_installed(library):
                wanted.append(library)


def describe(root):
    """The files of a Postfix whose file system starts at `root`; Failure if they do not run."""
    libraries = os.path.join(root, "usr/lib/postfix")
    path = [libraries] + glob.glob(os.path.join(root, "usr/lib/*-linux-gnu"))
    files = PostfixFiles("", os.path.join(libraries, "sbin"), os.path.join(root, "usr/sbin"),
                         libraries, ":".join(path))
    for daemon in DAEMONS:
        program = os.path.join(files.daemons, daemon)
        linked = output_of(["env", "LD_LIBRARY_PATH=" + files.linker_path, "ldd", program])
        missing = re.findall(r"(\S+) => not found", linked)
        if missing:
            raise Failure(f"{daemon} misses {' '.join(missing)}")
    files.version = output_of(["env", "LD_LIBRARY_PATH=" + files.linker_path,
                               os.path.join(files.commands, "postconf"), "-dh",
                               "mail_version"]).strip()
    return files


def find_postfix(cache):
    """Postfix's files, downloaded into the folder `cache` if they are not there yet."""
    if os.path.exists(os.path.join(INSTALLED, "master")):
        return describe("/")
    folder = os.path.join(cache, "postfix")
    complete = os.path.join(folder, "complete")
    if not os.path.exists(complete):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        unpack_with_libraries(folder)
        with open(complete, "w", encoding="ascii"):
            pass
    return describe(os.path.join(folder, "root"))


def postfix_accounts():
    """
    (mail_owner, setgid_group). Without an installed Postfix, accounts that every
    Debian has and nothing else here runs as: so no account is made for a bench.
    """
    try:
        return pwd.getpwnam("postfix").pw_name, grp.getgrnam("postdrop").gr_name
    except KeyError:
        return pwd.getpwnam("mail").pw_name, grp.getgrnam("uucp").gr_name

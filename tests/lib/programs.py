# SPDX-License-Identifier: BSD-2-Clause
"""The programs that are tested, whom posternd becomes, and what a machine may lack."""
import os
import pwd
import tempfile

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
USER = "nobody"
# Elsewhere a test is skipped for what is missing; here it has failed.
IS_STRICT = os.environ.get("CI") == "true" or os.environ.get("POSTERN_REQUIRE_ALL") == "1"


def find_build():
    """$POSTERN_BUILDDIR, or the present folder where that is a build, or the tree."""
    folder = os.environ.get("POSTERN_BUILDDIR")
    if not folder:
        folder = os.getcwd() if os.path.exists("config.status") else TREE
    return os.path.abspath(folder)


def find_program(name):
    """$POSTERND or $POSTERN, or what was built."""
    return os.path.abspath(os.environ.get(name.upper()) or os.path.join(BUILD, name))


BUILD = find_build()
POSTERND = find_program("posternd")
POSTERN = find_program("postern")


def user():
    """Whom posternd becomes; None where it stays who started it."""
    return USER if os.geteuid() == 0 else None


def make_folder():
    """A folder that posternd can live in, with a spool and a quarantine of its user."""
    folder = tempfile.mkdtemp(prefix="postern-test-")
    os.chmod(folder, 0o755)
    for name in ("spool", "held"):
        os.mkdir(os.path.join(folder, name), 0o700)
        if user() is not None:
            os.chown(os.path.join(folder, name), pwd.getpwnam(USER).pw_uid, -1)
    return folder

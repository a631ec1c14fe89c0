#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of the program `postern`, from outside.

    run.py [NAME...]

runs all of them, or those whose names hold one of the words. `make check` says
where the program is by POSTERN_BUILDDIR.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "lib")]

from runner import run_tests  # noqa: E402

if __name__ == "__main__":
    sys.exit(run_tests(HERE, sys.argv[1:]))

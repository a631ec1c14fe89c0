#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of the program `postern`, from outside.

    run.py [NAME...]

runs all of them, or those whose names hold one of the words. `make check` says
where the program is by POSTERN_BUILDDIR.
"""
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


def main(words):
    """Runs the tests and ends in the line that `make check` adds up."""
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{word}*" for word in words] or None
    suite = loader.discover(HERE, pattern="*_test.py", top_level_dir=HERE)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors)
    skipped = len(result.skipped)
    # A test with several failed parts counts once.
    names = {str(test).split(" [")[0].split(" (<")[0] for test, _ in
             result.failures + result.errors}
    failed = min(failed, len(names)) if names else 0
    print(f"{result.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

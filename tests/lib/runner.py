# SPDX-License-Identifier: BSD-2-Clause
"""Runs the unittest tests of a folder, and ends in the line that `make check` adds up."""
import sys
import unittest


class Result(unittest.TextTestResult):
    """Counts what passed; a test with several failed parts counts once."""

    passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1

    def count_failed(self):
        """Tests, and classes that could not be set up."""
        return len({getattr(test, "test_case", test).id()
                    for test, _ in self.failures + self.errors})


def run_tests(folder, words):
    """All of them, or those whose names hold one of the words; gives the exit status."""
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{word}*" for word in words] or None
    tests = loader.discover(folder, pattern="*_test.py", top_level_dir=folder)
    runner = unittest.TextTestRunner(stream=sys.stdout, resultclass=Result, verbosity=2)
    result = runner.run(tests)
    failed = result.count_failed()
    print(f"{result.passed} passed, {failed} failed, {len(result.skipped)} skipped")
    return 1 if failed or not result.passed + len(result.skipped) else 0

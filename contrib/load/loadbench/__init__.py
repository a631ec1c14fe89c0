# SPDX-License-Identifier: BSD-2-Clause
"""The parts of contrib/load/run; README.md beside it says what is measured."""

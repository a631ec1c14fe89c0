# SPDX-License-Identifier: BSD-2-Clause
# quarantine: held mail on disk. The only door to SQLite (index.c).
noinst_LIBRARIES += libquarantine.a
libquarantine_a_SOURCES = \
	gateway/quarantine/copy.c gateway/quarantine/copy.h
libquarantine_a_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
QUARANTINE_LIBS = libquarantine.a $(SQLITE_LIBS) $(MAIL_LIBS)

UNIT_TESTS += unit-quarantine-copy
QUARANTINE_UNIT = tests/unit/quarantine_unit.h tests/unit/unit.h
unit_quarantine_copy_SOURCES = tests/unit/quarantine_copy_test.c $(QUARANTINE_UNIT)
unit_quarantine_copy_LDADD = $(QUARANTINE_LIBS) $(CHECK_LIBS)

FUZZ_TARGETS += fuzz-copy
fuzz_copy_SOURCES = tests/fuzz/copy_fuzz.c $(FUZZ_MAIN)
fuzz_copy_LDADD = $(QUARANTINE_LIBS) $(FUZZ_LIBS)

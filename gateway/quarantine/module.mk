# SPDX-License-Identifier: BSD-2-Clause
# quarantine: held mail on disk. The only door to SQLite (index.c).
noinst_LIBRARIES += libquarantine.a
libquarantine_a_SOURCES = \
	gateway/quarantine/copy.c gateway/quarantine/copy.h \
	gateway/quarantine/store_file.c gateway/quarantine/store_file.h \
	gateway/quarantine/store.c gateway/quarantine/store.h
libquarantine_a_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
QUARANTINE_LIBS = libquarantine.a $(SQLITE_LIBS) $(MAIL_LIBS)

UNIT_TESTS += unit-quarantine-copy unit-quarantine-store
QUARANTINE_UNIT = tests/unit/quarantine_unit.h tests/unit/unit.h
unit_quarantine_copy_SOURCES = tests/unit/quarantine_copy_test.c $(QUARANTINE_UNIT)
unit_quarantine_copy_LDADD = $(QUARANTINE_LIBS) $(CHECK_LIBS)
unit_quarantine_store_SOURCES = tests/unit/quarantine_store_test.c $(QUARANTINE_UNIT)
unit_quarantine_store_LDADD = $(QUARANTINE_LIBS) $(CHECK_LIBS)

FUZZ_TARGETS += fuzz-copy fuzz-quarantine-file
fuzz_copy_SOURCES = tests/fuzz/copy_fuzz.c $(FUZZ_MAIN)
fuzz_copy_LDADD = $(QUARANTINE_LIBS) $(FUZZ_LIBS)
fuzz_quarantine_file_SOURCES = tests/fuzz/quarantine_file_fuzz.c $(FUZZ_MAIN)
fuzz_quarantine_file_LDADD = $(QUARANTINE_LIBS) $(FUZZ_LIBS)

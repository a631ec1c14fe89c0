# SPDX-License-Identifier: BSD-2-Clause
# quarantine: held mail on disk. The only door to SQLite (database.c).
noinst_LIBRARIES += libquarantine.a
libquarantine_a_SOURCES = \
	gateway/quarantine/copy.c gateway/quarantine/copy.h \
	gateway/quarantine/store_file.c gateway/quarantine/store_file.h \
	gateway/quarantine/store.c gateway/quarantine/store.h \
	gateway/quarantine/audit.c gateway/quarantine/audit.h \
	gateway/quarantine/copy_state.c gateway/quarantine/copy_state.h \
	gateway/quarantine/database.c gateway/quarantine/database.h \
	gateway/quarantine/index.c gateway/quarantine/index.h gateway/quarantine/index_internal.h \
	gateway/quarantine/index_query.c gateway/quarantine/index_tables.c \
	gateway/quarantine/listing.c gateway/quarantine/listing.h \
	gateway/quarantine/exchange.c gateway/quarantine/exchange.h \
	gateway/quarantine/keeper_link.c gateway/quarantine/keeper_link.h \
	gateway/quarantine/keeper.c gateway/quarantine/keeper.h gateway/quarantine/keeper_internal.h \
	gateway/quarantine/storing.c \
	gateway/quarantine/upkeep.c \
	gateway/quarantine/lives.c \
	gateway/quarantine/attempts.c \
	gateway/quarantine/desk.c \
	gateway/quarantine/request.c gateway/quarantine/request.h
libquarantine_a_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
QUARANTINE_LIBS = libquarantine.a $(SQLITE_LIBS) $(DELIVERY_LIBS)

dist_man_MANS += gateway/quarantine/postern-quarantine.7

UNIT_TESTS += unit-quarantine-copy unit-quarantine-store unit-quarantine-audit \
	unit-quarantine-state unit-quarantine-index unit-quarantine-query \
	unit-quarantine-database unit-quarantine-listing unit-quarantine-sync \
	unit-quarantine-exchange unit-quarantine-keeper unit-quarantine-keeper-workers
QUARANTINE_UNIT = tests/unit/quarantine_unit.h tests/unit/unit.h
unit_quarantine_copy_SOURCES = tests/unit/quarantine_copy_test.c $(QUARANTINE_UNIT)
unit_quarantine_copy_LDADD = $(QUARANTINE_LIBS) $(CHECK_LIBS)
unit_quarantine_store_SOURCES = tests/unit/quarantine_store_test.c $(QUARANTINE_UNIT)
unit_quarantine_store_LDADD = $(QUARANTINE_LIBS) $(CHECK_LIBS)
unit_quarantine_audit_SOURCES = tests/unit/quarantine_audit_test.c $(QUARANTINE_UNIT)
unit_quarantine_audit_LDADD = $(QUARANTINE_LIBS) $(CHECK_LIBS)
unit_quarantine_state_SOURCES = tests/unit/quarantine_state_test.c tests/unit/unit.h
unit_quarantine_state_LDADD = $(QUARANTINE_LIBS) $(CHECK_LIBS)
unit_quarantine_index_SOURCES = tests/unit/quarantine_index_test.c \
	tests/unit/quarantine_index_unit.h $(QUARANTINE_UNIT)
unit_quarantine_index_LDADD = $(QUARANTINE_LIBS) $(CHECK_LIBS)
unit_quarantine_query_SOURCES = tests/unit/quarantine_query_test.c \
	tests/unit/quarantine_index_unit.h $(QUARANTINE_UNIT)
unit_quarantine_query_LDADD = $(QUARANTINE_LIBS) $(CHECK_LIBS)
unit_quarantine_database_SOURCES = tests/unit/quarantine_database_test.c \
	tests/unit/quarantine_index_unit.h $(QUARANTINE_UNIT)
unit_quarantine_database_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
unit_quarantine_database_LDADD = $(QUARANTINE_LIBS) $(CHECK_LIBS)
unit_quarantine_listing_SOURCES = tests/unit/quarantine_listing_test.c tests/unit/unit.h
unit_quarantine_listing_LDADD = $(QUARANTINE_LIBS) $(CHECK_LIBS)
unit_quarantine_sync_SOURCES = tests/unit/quarantine_sync_test.c $(QUARANTINE_UNIT)
unit_quarantine_sync_LDADD = $(QUARANTINE_LIBS) $(CHECK_LIBS)

FUZZ_TARGETS += fuzz-copy fuzz-quarantine-file fuzz-audit
fuzz_copy_SOURCES = tests/fuzz/copy_fuzz.c $(FUZZ_MAIN)
fuzz_copy_LDADD = $(QUARANTINE_LIBS) $(FUZZ_LIBS)
fuzz_quarantine_file_SOURCES = tests/fuzz/quarantine_file_fuzz.c $(FUZZ_MAIN)
fuzz_quarantine_file_LDADD = $(QUARANTINE_LIBS) $(FUZZ_LIBS)
fuzz_audit_SOURCES = tests/fuzz/audit_fuzz.c $(FUZZ_MAIN)
fuzz_audit_LDADD = $(QUARANTINE_LIBS) $(FUZZ_LIBS)
unit_quarantine_exchange_SOURCES = tests/unit/quarantine_exchange_test.c tests/unit/unit.h
unit_quarantine_exchange_LDADD = $(QUARANTINE_LIBS) $(CHECK_LIBS)
QUARANTINE_KEEPER_UNIT = tests/unit/quarantine_keeper_unit.h tests/unit/net_unit.h \
	$(QUARANTINE_UNIT)
unit_quarantine_keeper_SOURCES = tests/unit/quarantine_keeper_test.c $(QUARANTINE_KEEPER_UNIT)
unit_quarantine_keeper_LDADD = $(QUARANTINE_LIBS) $(CHECK_LIBS)
unit_quarantine_keeper_workers_SOURCES = tests/unit/quarantine_keeper_workers_test.c \
	$(QUARANTINE_KEEPER_UNIT)
unit_quarantine_keeper_workers_LDADD = $(QUARANTINE_LIBS) $(CHECK_LIBS)

FUZZ_TARGETS += fuzz-exchange
fuzz_exchange_SOURCES = tests/fuzz/exchange_fuzz.c $(FUZZ_MAIN)
fuzz_exchange_LDADD = $(QUARANTINE_LIBS) $(FUZZ_LIBS)

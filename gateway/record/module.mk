# SPDX-License-Identifier: BSD-2-Clause
# record: the one log line of a transaction, the ring it travels in, counters.
noinst_LIBRARIES += librecord.a
librecord_a_SOURCES = \
	gateway/record/counters.h \
	gateway/record/presence.c gateway/record/presence.h \
	gateway/record/record.c gateway/record/record.h \
	gateway/record/log_ring.c gateway/record/log_ring.h
RECORD_LIBS = librecord.a $(MAIL_LIBS)

dist_man_MANS += gateway/record/postern-log.7

UNIT_TESTS += unit-record unit-log-ring unit-presence
unit_record_SOURCES = tests/unit/record_test.c tests/unit/unit.h
unit_record_LDADD = $(RECORD_LIBS) $(CHECK_LIBS)
unit_log_ring_SOURCES = tests/unit/log_ring_test.c tests/unit/unit.h
unit_log_ring_LDADD = $(RECORD_LIBS) $(CHECK_LIBS)
unit_presence_SOURCES = tests/unit/presence_test.c tests/unit/unit.h
unit_presence_LDADD = $(RECORD_LIBS) $(CHECK_LIBS)

FUZZ_TARGETS += fuzz-log-ring
fuzz_log_ring_SOURCES = tests/fuzz/log_ring_fuzz.c $(FUZZ_MAIN)
fuzz_log_ring_LDADD = $(RECORD_LIBS) $(FUZZ_LIBS)

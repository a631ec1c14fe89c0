# SPDX-License-Identifier: BSD-2-Clause
# record: the one log line of a transaction, the ring it travels in, counters.
noinst_LIBRARIES += librecord.a
librecord_a_SOURCES = \
	gateway/record/counters.h \
	gateway/record/record.c gateway/record/record.h \
	gateway/record/log_ring.c gateway/record/log_ring.h
RECORD_LIBS = librecord.a $(MAIL_LIBS)

# SPDX-License-Identifier: BSD-2-Clause
# mail: addresses, envelopes, replies and messages. The only door to libidn2 (domain.c).
noinst_LIBRARIES += libmail.a
libmail_a_SOURCES = \
	gateway/mail/domain.c gateway/mail/domain.h \
	gateway/mail/address.c gateway/mail/address.h \
	gateway/mail/reply.c gateway/mail/reply.h \
	gateway/mail/envelope.c gateway/mail/envelope.h \
	gateway/mail/spool.c gateway/mail/spool.h \
	gateway/mail/header_parser.c gateway/mail/header_parser.h \
	gateway/mail/message.c gateway/mail/message.h
libmail_a_CPPFLAGS = $(AM_CPPFLAGS) $(IDN2_CFLAGS)
MAIL_LIBS = libmail.a $(BASE_LIBS) $(IDN2_LIBS)

UNIT_TESTS += unit-spool
unit_spool_SOURCES = tests/unit/spool_test.c tests/unit/unit.h
unit_spool_LDADD = $(MAIL_LIBS) $(CHECK_LIBS)

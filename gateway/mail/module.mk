# SPDX-License-Identifier: BSD-2-Clause
# mail: addresses, envelopes, replies and messages. The only door to libidn2 (domain.c).
noinst_LIBRARIES += libmail.a
libmail_a_SOURCES = \
	gateway/mail/grammar.c gateway/mail/grammar.h \
	gateway/mail/domain.c gateway/mail/domain.h \
	gateway/mail/address.c gateway/mail/address.h \
	gateway/mail/reply.c gateway/mail/reply.h \
	gateway/mail/envelope.c gateway/mail/envelope.h \
	gateway/mail/spool.c gateway/mail/spool.h \
	gateway/mail/header_parser.c gateway/mail/header_parser.h \
	gateway/mail/message.c gateway/mail/message.h \
	gateway/mail/mailbox.c gateway/mail/mailbox.h
libmail_a_CPPFLAGS = $(AM_CPPFLAGS) $(IDN2_CFLAGS)
MAIL_LIBS = libmail.a $(BASE_LIBS) $(IDN2_LIBS)

UNIT_TESTS += unit-spool unit-mail unit-address unit-header-parser unit-message unit-mailbox
unit_spool_SOURCES = tests/unit/spool_test.c tests/unit/unit.h
unit_spool_LDADD = $(MAIL_LIBS) $(CHECK_LIBS)
unit_mail_SOURCES = tests/unit/mail_test.c tests/unit/unit.h
unit_mail_LDADD = $(MAIL_LIBS) $(CHECK_LIBS)
unit_address_SOURCES = tests/unit/address_test.c tests/unit/unit.h
unit_address_LDADD = $(MAIL_LIBS) $(CHECK_LIBS)
unit_header_parser_SOURCES = tests/unit/header_parser_test.c tests/unit/unit.h
unit_header_parser_LDADD = $(MAIL_LIBS) $(CHECK_LIBS)
unit_message_SOURCES = tests/unit/message_test.c tests/unit/unit.h
unit_message_LDADD = $(MAIL_LIBS) $(CHECK_LIBS)
unit_mailbox_SOURCES = tests/unit/mailbox_test.c tests/unit/unit.h
unit_mailbox_LDADD = $(MAIL_LIBS) $(CHECK_LIBS)

FUZZ_TARGETS += fuzz-address fuzz-header-parser fuzz-mailbox
fuzz_address_SOURCES = tests/fuzz/address_fuzz.c $(FUZZ_MAIN)
fuzz_address_LDADD = $(MAIL_LIBS) $(FUZZ_LIBS)
fuzz_header_parser_SOURCES = tests/fuzz/header_parser_fuzz.c $(FUZZ_MAIN)
fuzz_header_parser_LDADD = $(MAIL_LIBS) $(FUZZ_LIBS)
fuzz_mailbox_SOURCES = tests/fuzz/mailbox_fuzz.c $(FUZZ_MAIN)
fuzz_mailbox_LDADD = $(MAIL_LIBS) $(FUZZ_LIBS)

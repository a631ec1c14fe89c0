# SPDX-License-Identifier: BSD-2-Clause
# smtp: the protocol without sockets; bytes go in, events and replies come out.
noinst_LIBRARIES += libsmtp.a
libsmtp_a_SOURCES = \
	gateway/smtp/command.c gateway/smtp/command.h \
	gateway/smtp/data_reader.c gateway/smtp/data_reader.h \
	gateway/smtp/server_replies.c gateway/smtp/server_replies.h \
	gateway/smtp/server_state.c gateway/smtp/server_state.h \
	gateway/smtp/server_commands.c gateway/smtp/server_commands.h \
	gateway/smtp/server_dialogue.c gateway/smtp/server_dialogue.h
SMTP_LIBS = libsmtp.a $(MAIL_LIBS)

UNIT_TESTS += unit-server-dialogue unit-server-content
unit_server_dialogue_SOURCES = tests/unit/server_dialogue_test.c tests/unit/server_player.h tests/unit/unit.h
unit_server_dialogue_LDADD = $(SMTP_LIBS) $(CHECK_LIBS)
unit_server_content_SOURCES = tests/unit/server_content_test.c tests/unit/server_player.h tests/unit/unit.h
unit_server_content_LDADD = $(SMTP_LIBS) $(CHECK_LIBS)

# SPDX-License-Identifier: BSD-2-Clause
# smtp: the protocol without sockets; bytes go in, events and replies come out.
noinst_LIBRARIES += libsmtp.a
libsmtp_a_SOURCES = \
	gateway/smtp/command.c gateway/smtp/command.h \
	gateway/smtp/data_reader.c gateway/smtp/data_reader.h \
	gateway/smtp/server_replies.c gateway/smtp/server_replies.h \
	gateway/smtp/server_state.c gateway/smtp/server_state.h \
	gateway/smtp/server_commands.c gateway/smtp/server_commands.h \
	gateway/smtp/server_dialogue.c gateway/smtp/server_dialogue.h \
	gateway/smtp/reply_parser.c gateway/smtp/reply_parser.h \
	gateway/smtp/data_writer.c gateway/smtp/data_writer.h \
	gateway/smtp/client_state.c gateway/smtp/client_state.h \
	gateway/smtp/client_offer.c gateway/smtp/client_offer.h \
	gateway/smtp/client_commands.c gateway/smtp/client_commands.h \
	gateway/smtp/client_say.c gateway/smtp/client_say.h \
	gateway/smtp/client_dialogue.c gateway/smtp/client_dialogue.h
SMTP_LIBS = libsmtp.a $(MAIL_LIBS)

dist_man_MANS += gateway/smtp/postern-reasons.7

UNIT_TESTS += unit-command unit-data-reader unit-server-dialogue unit-server-content
unit_command_SOURCES = tests/unit/command_test.c tests/unit/unit.h
unit_command_LDADD = $(SMTP_LIBS) $(CHECK_LIBS)
unit_data_reader_SOURCES = tests/unit/data_reader_test.c tests/unit/unit.h
unit_data_reader_LDADD = $(SMTP_LIBS) $(CHECK_LIBS)
unit_server_dialogue_SOURCES = tests/unit/server_dialogue_test.c tests/unit/server_player.h tests/unit/unit.h
unit_server_dialogue_LDADD = $(SMTP_LIBS) $(CHECK_LIBS)
unit_server_content_SOURCES = tests/unit/server_content_test.c tests/unit/server_player.h tests/unit/unit.h
unit_server_content_LDADD = $(SMTP_LIBS) $(CHECK_LIBS)

FUZZ_TARGETS += fuzz-command fuzz-data-reader fuzz-server-dialogue
fuzz_command_SOURCES = tests/fuzz/command_fuzz.c $(FUZZ_MAIN)
fuzz_command_LDADD = $(SMTP_LIBS) $(FUZZ_LIBS)
fuzz_data_reader_SOURCES = tests/fuzz/data_reader_fuzz.c $(FUZZ_MAIN)
fuzz_data_reader_LDADD = $(SMTP_LIBS) $(FUZZ_LIBS)
fuzz_server_dialogue_SOURCES = tests/fuzz/server_dialogue_fuzz.c $(FUZZ_MAIN)
fuzz_server_dialogue_LDADD = $(SMTP_LIBS) $(FUZZ_LIBS)

UNIT_TESTS += unit-reply-parser unit-client-dialogue unit-client-session
unit_reply_parser_SOURCES = tests/unit/reply_parser_test.c tests/unit/unit.h
unit_reply_parser_LDADD = $(SMTP_LIBS) $(CHECK_LIBS)
unit_client_dialogue_SOURCES = tests/unit/client_dialogue_test.c tests/unit/client_player.h tests/unit/unit.h
unit_client_dialogue_LDADD = $(SMTP_LIBS) $(CHECK_LIBS)
unit_client_session_SOURCES = tests/unit/client_session_test.c tests/unit/client_player.h tests/unit/unit.h
unit_client_session_LDADD = $(SMTP_LIBS) $(CHECK_LIBS)

FUZZ_TARGETS += fuzz-reply-parser fuzz-client-dialogue
fuzz_reply_parser_SOURCES = tests/fuzz/reply_parser_fuzz.c $(FUZZ_MAIN)
fuzz_reply_parser_LDADD = $(SMTP_LIBS) $(FUZZ_LIBS)
fuzz_client_dialogue_SOURCES = tests/fuzz/client_dialogue_fuzz.c $(FUZZ_MAIN)
fuzz_client_dialogue_LDADD = $(SMTP_LIBS) $(FUZZ_LIBS)

# SPDX-License-Identifier: BSD-2-Clause
# tools: the program postern.
bin_PROGRAMS += postern
postern_SOURCES = \
	gateway/tools/bench.c gateway/tools/bench.h \
	gateway/tools/cases.c gateway/tools/cases.h \
	gateway/tools/check.c \
	gateway/tools/configuration.c gateway/tools/configuration.h \
	gateway/tools/diff.c \
	gateway/tools/effective.c \
	gateway/tools/explain.c \
	gateway/tools/explanation.c gateway/tools/explanation.h \
	gateway/tools/files.c gateway/tools/files.h \
	gateway/tools/json.c gateway/tools/json.h \
	gateway/tools/lists.c gateway/tools/lists.h \
	gateway/tools/log_line.c gateway/tools/log_line.h \
	gateway/tools/logged_mail.c gateway/tools/logged_mail.h \
	gateway/tools/maildir.c gateway/tools/maildir.h \
	gateway/tools/main.c \
	gateway/tools/options.c \
	gateway/tools/quarantine.c \
	gateway/tools/output.c gateway/tools/output.h \
	gateway/tools/ruling.c gateway/tools/ruling.h \
	gateway/tools/send.c \
	gateway/tools/sink.c \
	gateway/tools/sink_session.c gateway/tools/sink_session.h \
	gateway/tools/subcommand.h \
	gateway/tools/test.c \
	gateway/tools/trial.c gateway/tools/trial.h \
	gateway/tools/walk.c gateway/tools/walk.h
postern_LDADD = $(DAEMON_LIBS)

dist_man_MANS += gateway/tools/postern.1

# Lines of a log come from anywhere.
LOG_LINE_SOURCES = gateway/tools/log_line.c gateway/tools/logged_mail.c
UNIT_TESTS += unit-log-line
unit_log_line_SOURCES = tests/unit/log_line_test.c tests/unit/unit.h $(LOG_LINE_SOURCES)
unit_log_line_LDADD = $(DAEMON_LIBS) $(CHECK_LIBS)
FUZZ_TARGETS += fuzz-log-line
fuzz_log_line_SOURCES = tests/fuzz/log_line_fuzz.c $(LOG_LINE_SOURCES) $(FUZZ_MAIN)
fuzz_log_line_LDADD = $(DAEMON_LIBS) $(FUZZ_LIBS)

EXTRA_DIST += README.md

TESTS += tests/tools-cli/run.py

# The manuals against the program's own tables, both ways.
TESTS += tests/tools/check_docs.py tests/tools/check_docs_test.py
check-docs: postern
	@$(PYTHON) -B $(srcdir)/tests/tools/check_docs.py ./postern $(srcdir)
.PHONY: check-docs

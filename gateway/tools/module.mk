# SPDX-License-Identifier: BSD-2-Clause
# tools: the program postern.
bin_PROGRAMS += postern
postern_SOURCES = \
	gateway/tools/check.c \
	gateway/tools/effective.c \
	gateway/tools/files.c gateway/tools/files.h \
	gateway/tools/lists.c gateway/tools/lists.h \
	gateway/tools/maildir.c gateway/tools/maildir.h \
	gateway/tools/main.c \
	gateway/tools/options.c \
	gateway/tools/quarantine.c \
	gateway/tools/output.c gateway/tools/output.h \
	gateway/tools/send.c \
	gateway/tools/sink.c \
	gateway/tools/sink_session.c gateway/tools/sink_session.h \
	gateway/tools/subcommand.h
postern_LDADD = libdaemon.a libquarantine.a libchecks.a librecord.a libpolicy.a libconfig.a \
	libevidence.a libsmtp.a $(PSL_LIBS) $(NET_LIBS)

dist_man_MANS += gateway/tools/postern.1
EXTRA_DIST += README.md

TESTS += tests/tools-cli/run.py

# The manuals against the program's own tables, both ways.
TESTS += tests/tools/check_docs.py tests/tools/check_docs_test.py
check-docs: postern
	@$(PYTHON) -B $(srcdir)/tests/tools/check_docs.py ./postern $(srcdir)
.PHONY: check-docs

# SPDX-License-Identifier: BSD-2-Clause
# tools: the program postern.
bin_PROGRAMS += postern
postern_SOURCES = \
	gateway/tools/main.c gateway/tools/subcommand.h \
	gateway/tools/options.c \
	gateway/tools/output.c gateway/tools/output.h \
	gateway/tools/files.c gateway/tools/files.h \
	gateway/tools/maildir.c gateway/tools/maildir.h \
	gateway/tools/send.c \
	gateway/tools/sink.c \
	gateway/tools/sink_session.c gateway/tools/sink_session.h
postern_LDADD = libsmtp.a $(NET_LIBS)

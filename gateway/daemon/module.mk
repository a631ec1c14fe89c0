# SPDX-License-Identifier: BSD-2-Clause
# daemon: the processes of posternd, and how a configuration is loaded.
noinst_LIBRARIES += libdaemon.a
libdaemon_a_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CFLAGS)
libdaemon_a_SOURCES = \
	gateway/daemon/backoff.c gateway/daemon/backoff.h \
	gateway/daemon/blueprint.c gateway/daemon/blueprint.h \
	gateway/daemon/check_setup.c gateway/daemon/check_setup.h \
	gateway/daemon/child.c gateway/daemon/child.h \
	gateway/daemon/disk.c gateway/daemon/disk.h \
	gateway/daemon/estate.c gateway/daemon/estate.h \
	gateway/daemon/generation.c gateway/daemon/generation.h \
	gateway/daemon/generations.c gateway/daemon/generations.h \
	gateway/daemon/handover.c gateway/daemon/handover.h \
	gateway/daemon/heir.c gateway/daemon/heir.h \
	gateway/daemon/identity.c gateway/daemon/identity.h \
	gateway/daemon/keeper_feed.c gateway/daemon/keeper_feed.h \
	gateway/daemon/keeper_role.c gateway/daemon/keeper_role.h \
	gateway/daemon/load.c gateway/daemon/load.h \
	gateway/daemon/landlock.c gateway/daemon/landlock.h \
	gateway/daemon/loader.c gateway/daemon/loader.h \
	gateway/daemon/loading.c gateway/daemon/loading.h \
	gateway/daemon/log_feed.c gateway/daemon/log_feed.h \
	gateway/daemon/log_output.c gateway/daemon/log_output.h \
	gateway/daemon/logger.c gateway/daemon/logger.h \
	gateway/daemon/master.c gateway/daemon/master.h \
	gateway/daemon/memory_file.c gateway/daemon/memory_file.h \
	gateway/daemon/notice.c gateway/daemon/notice.h \
	gateway/daemon/notify.c gateway/daemon/notify.h \
	gateway/daemon/plan.c gateway/daemon/plan.h \
	gateway/daemon/presence_file.c gateway/daemon/presence_file.h \
	gateway/daemon/resolver_setup.c gateway/daemon/resolver_setup.h \
	gateway/daemon/sandbox.c gateway/daemon/sandbox.h \
	gateway/daemon/sandbox_calls.c gateway/daemon/sandbox_calls.h \
	gateway/daemon/seat.c gateway/daemon/seat.h \
	gateway/daemon/slots.c gateway/daemon/slots.h \
	gateway/daemon/sockets.c gateway/daemon/sockets.h \
	gateway/daemon/spf_feed.c gateway/daemon/spf_feed.h \
	gateway/daemon/spf_role.c gateway/daemon/spf_role.h \
	gateway/daemon/tls_setup.c gateway/daemon/tls_setup.h \
	gateway/daemon/upgrade.c gateway/daemon/upgrade.h \
	gateway/daemon/worker.c gateway/daemon/worker.h
DAEMON_LIBS = libdaemon.a libflow.a libquarantine.a libdelivery.a libchecks.a librecord.a libverdict.a \
	libpolicy.a libconfig.a libevidence.a libsmtp.a $(SQLITE_LIBS) $(SECCOMP_LIBS) $(OPENDKIM_LIBS) \
	$(SPF2_LIBS) $(PSL_LIBS) $(NET_LIBS)

sbin_PROGRAMS += posternd
posternd_SOURCES = gateway/daemon/main.c
posternd_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_VERSION=\"$(VERSION)\"
posternd_LDADD = $(DAEMON_LIBS)

dist_man_MANS += gateway/daemon/posternd.8

UNIT_TESTS += unit-daemon unit-estate
unit_daemon_SOURCES = tests/unit/daemon_test.c tests/unit/unit.h
unit_daemon_LDADD = $(DAEMON_LIBS) $(CHECK_LIBS)
unit_estate_SOURCES = tests/unit/estate_test.c tests/unit/unit.h
unit_estate_LDADD = $(DAEMON_LIBS) $(CHECK_LIBS)

UNIT_TESTS += unit-sandbox
unit_sandbox_SOURCES = tests/unit/sandbox_test.c tests/unit/unit.h tests/unit/net_unit.h \
	tests/unit/resolver_unit.h
unit_sandbox_LDADD = $(DAEMON_LIBS) $(CHECK_LIBS)

# Whole processes from outside; the tests are in the files beside it.
TESTS += tests/daemon/run tests/daemon/soak

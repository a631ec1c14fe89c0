# SPDX-License-Identifier: BSD-2-Clause
# net: the event loop and everything that waits on a descriptor. The only folder
# that includes libevent, libssl and libunbound.
noinst_LIBRARIES += libnet.a
libnet_a_SOURCES = \
	gateway/net/loop.c gateway/net/loop.h gateway/net/loop_internal.h \
	gateway/net/output.c gateway/net/output.h \
	gateway/net/stream.c gateway/net/stream.h gateway/net/stream_internal.h \
	gateway/net/stream_output.c gateway/net/stream_peer.c gateway/net/stream_tls.c \
	gateway/net/tls.c gateway/net/tls.h gateway/net/tls_internal.h \
	gateway/net/listener.c gateway/net/listener.h \
	gateway/net/packet.c gateway/net/packet.h \
	gateway/net/resolver.c gateway/net/resolver.h \
	gateway/net/resolver_context.c gateway/net/resolver_context.h \
	gateway/net/spill.c gateway/net/spill.h
libnet_a_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS) $(OPENSSL_CFLAGS) $(UNBOUND_CFLAGS)
# What a program that links libnet.a needs, base/, mail/ and dns/ included.
NET_LIBS = libnet.a $(LIBEVENT_LIBS) $(UNBOUND_LIBS) -lssl libdns.a $(MAIL_LIBS)

UNIT_TESTS += unit-net unit-listener unit-stream unit-stream-end unit-tls unit-tls-context unit-spill
unit_net_SOURCES = tests/unit/net_test.c tests/unit/unit.h tests/unit/net_unit.h
unit_net_LDADD = $(NET_LIBS) $(CHECK_LIBS)
unit_listener_SOURCES = tests/unit/listener_test.c tests/unit/unit.h tests/unit/net_unit.h
unit_listener_LDADD = $(NET_LIBS) $(CHECK_LIBS)
unit_stream_SOURCES = tests/unit/stream_test.c tests/unit/unit.h tests/unit/net_unit.h \
	tests/unit/stream_unit.h
unit_stream_LDADD = $(NET_LIBS) $(CHECK_LIBS)
unit_stream_end_SOURCES = tests/unit/stream_end_test.c tests/unit/unit.h tests/unit/net_unit.h \
	tests/unit/stream_unit.h
unit_stream_end_LDADD = $(NET_LIBS) $(CHECK_LIBS)
unit_tls_SOURCES = tests/unit/tls_test.c tests/unit/unit.h tests/unit/net_unit.h tests/unit/tls_unit.h
unit_tls_CPPFLAGS = $(AM_CPPFLAGS) $(OPENSSL_CFLAGS)
unit_tls_LDADD = $(NET_LIBS) $(CHECK_LIBS)
unit_tls_context_SOURCES = tests/unit/tls_context_test.c tests/unit/unit.h tests/unit/net_unit.h \
	tests/unit/tls_unit.h
unit_tls_context_CPPFLAGS = $(AM_CPPFLAGS) $(OPENSSL_CFLAGS)
unit_tls_context_LDADD = $(NET_LIBS) $(CHECK_LIBS)
unit_spill_SOURCES = tests/unit/spill_test.c tests/unit/unit.h tests/unit/net_unit.h
unit_spill_LDADD = $(NET_LIBS) $(CHECK_LIBS)

UNIT_TESTS += unit-resolver
unit_resolver_SOURCES = tests/unit/resolver_test.c tests/unit/unit.h tests/unit/net_unit.h \
	tests/unit/resolver_unit.h
unit_resolver_LDADD = $(NET_LIBS) $(CHECK_LIBS)

# For tests/servers/resolver_test.py.
check_PROGRAMS += ask-names
ask_names_SOURCES = tests/servers/ask_names.c
ask_names_LDADD = $(NET_LIBS)

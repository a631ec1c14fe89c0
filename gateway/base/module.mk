# SPDX-License-Identifier: BSD-2-Clause
# base: what every other folder may use, and what uses no other.
noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	gateway/base/slice.c gateway/base/slice.h \
	gateway/base/memory.c gateway/base/memory.h \
	gateway/base/text.c gateway/base/text.h \
	gateway/base/escape.c gateway/base/escape.h \
	gateway/base/number.c gateway/base/number.h \
	gateway/base/ip.c gateway/base/ip.h \
	gateway/base/list.h \
	gateway/base/map.c gateway/base/map.h \
	gateway/base/clock.c gateway/base/clock.h \
	gateway/base/crypto.c gateway/base/crypto.h \
	gateway/base/id.c gateway/base/id.h \
	gateway/base/log.c gateway/base/log.h
libbase_a_CPPFLAGS = $(AM_CPPFLAGS) $(OPENSSL_CFLAGS)
BASE_LIBS = libbase.a -lcrypto

UNIT_TESTS += unit-base
unit_base_SOURCES = tests/unit/base_test.c
unit_base_LDADD = $(BASE_LIBS) $(CHECK_LIBS)

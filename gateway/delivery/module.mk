# SPDX-License-Identifier: BSD-2-Clause
# delivery: mail to a backend: its addresses, its connections, one attempt at a time.
noinst_LIBRARIES += libdelivery.a
libdelivery_a_SOURCES = \
	gateway/delivery/answer.c gateway/delivery/answer.h \
	gateway/delivery/addresses.c gateway/delivery/addresses.h \
	gateway/delivery/channel.c gateway/delivery/channel.h \
	gateway/delivery/pool.c gateway/delivery/pool.h \
	gateway/delivery/backend.c gateway/delivery/backend.h gateway/delivery/backend_internal.h \
	gateway/delivery/content.c gateway/delivery/content.h \
	gateway/delivery/forward.c gateway/delivery/forward.h
# What a program that links libdelivery.a needs. The lower libraries stand behind those that use them.
DELIVERY_LIBS = libdelivery.a libsmtp.a libconfig.a $(NET_LIBS)

UNIT_TESTS += unit-delivery unit-delivery-failure unit-delivery-pool unit-delivery-tls
DELIVERY_UNIT = tests/unit/delivery_unit.h tests/unit/net_unit.h tests/unit/unit.h
unit_delivery_SOURCES = tests/unit/delivery_test.c $(DELIVERY_UNIT)
unit_delivery_LDADD = $(DELIVERY_LIBS) $(CHECK_LIBS)
unit_delivery_failure_SOURCES = tests/unit/delivery_failure_test.c $(DELIVERY_UNIT)
unit_delivery_failure_LDADD = $(DELIVERY_LIBS) $(CHECK_LIBS)
unit_delivery_pool_SOURCES = tests/unit/delivery_pool_test.c $(DELIVERY_UNIT)
unit_delivery_pool_LDADD = $(DELIVERY_LIBS) $(CHECK_LIBS)
unit_delivery_tls_SOURCES = tests/unit/delivery_tls_test.c tests/unit/tls_unit.h $(DELIVERY_UNIT)
unit_delivery_tls_LDADD = $(DELIVERY_LIBS) $(CHECK_LIBS)

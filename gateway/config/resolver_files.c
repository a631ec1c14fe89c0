/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of a resolver block; see resolver_files.h. */
#include "config/resolver_files.h"

#include "base/memory.h"

#define DNS_PORT 53
/* As many as resolv.conf(5) has. */
#define MAX_SYSTEM_SERVERS 3

/* ---- The system's servers. */

static void add_server(struct config_resolver *resolver, const struct ip_address *address)
{
    resolver->addresses = mem_resize(resolver->addresses, resolver->address_count + 1,
                                     sizeof *resolver->addresses);
    resolver->addresses[resolver->address_count++] = (struct ip_endpoint){ *address, DNS_PORT };
}

/* "nameserver 192.0.2.1". An address with a zone ("%eth0") is no one that we could use. */
static void read_system_line(struct config_resolver *resolver, struct slice line)
{
    struct ip_address address;
    size_t blank = 0;

    if (!slice_has_prefix(line, SLICE("nameserver")))
        return;
    line = slice_from_offset(line, SLICE("nameserver").length);
    if (line.length == 0 || !ascii_is_blank(line.data[0]))
        return;
    line = slice_trim(line);
    while (blank < line.length && !ascii_is_blank(line.data[blank]))
        blank++;
    if (ip_parse(slice_until(line, blank), &address) &&
        resolver->address_count < MAX_SYSTEM_SERVERS)
        add_server(resolver, &address);
}

/* Without one the server is on this host (resolv.conf(5)). */
static void read_system_servers(const struct settings_reader *reader,
                                struct config_resolver *resolver)
{
    struct ip_address loopback;
    struct text problem;
    struct slice rest;
    struct slice line;

    text_init(&problem, 200);
    if (sources_get_file(reader->sources, RESOLVER_SYSTEM_FILE, &rest, &problem))
        while (slice_next(&rest, '\n', &line))
            read_system_line(resolver, line);
    if (resolver->address_count == 0 && ip_parse(SLICE("127.0.0.1"), &loopback))
        add_server(resolver, &loopback);
    text_clear(&problem);
}

/* ---- Local data. */

static void read_local_data(const struct settings_reader *reader, struct config_resolver *resolver,
                            struct position asked_at)
{
    const char *path = resolver->local_data_path;
    struct zone_problem problem = { .line = 0 };
    struct slice bytes;

    if (!settings_get_file(reader, path, asked_at, &bytes))
        return;
    text_init(&problem.sentence, 500);
    resolver->local_data = zone_new(bytes, &problem);
    if (resolver->local_data == NULL)
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "resolver.local-data",
                        (struct position){ sources_keep_path(reader->sources, path), problem.line,
                                           problem.column },
                        "%s", text_string(&problem.sentence));
    text_clear(&problem.sentence);
}

void resolver_files_read(const struct settings_reader *reader, struct config_resolver *resolver)
{
    const struct config *config = reader->owner;

    if (resolver->address_count == 0)
        read_system_servers(reader, resolver);
    if (resolver->is_validating)
        settings_get_file(reader, resolver->trust_anchor_path,
                  config_find_place(config, resolver->at, "trust-anchor"),
                  &resolver->trust_anchors);
    if (resolver->local_data_path != NULL)
        read_local_data(reader, resolver, config_find_place(config, resolver->at, "local-data"));
}

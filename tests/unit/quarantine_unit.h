/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of quarantine/ share: copies to store, and a folder to store them in. */
#ifndef POSTERN_TESTS_QUARANTINE_UNIT_H
#define POSTERN_TESTS_QUARANTINE_UNIT_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "quarantine/copy.h"
#include "unit.h"

/* 2026-11-25T19:00:41.123456Z */
#define HELD_US 1795633241123456u
#define CLAIM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* On the heap; NULL for NULL. */
static inline char *unit_string(const char *string)
{
    return string != NULL ? mem_copy(slice_from(string)) : NULL;
}

/* What stands in the brackets must be an address. */
static inline void unit_set_address(struct address *address, const char *path,
                                    enum address_form form)
{
    size_t used;

    ck_assert_msg(address_parse(slice_from(path), form, true, address, &used) == ADDRESS_OK,
                  "%s is no address", path);
    ck_assert_uint_eq(used, strlen(path));
}

/* One more at the end; NULL for what it has not. */
static inline void unit_add_recipient(struct copy *copy, const char *path, const char *reason,
                                      unsigned int notify, const char *orcpt)
{
    struct recipient recipient = { .notify = notify };
    size_t count = copy->envelope.recipient_count;

    unit_set_address(&recipient.address, path, ADDRESS_FORWARD_PATH);
    recipient.orcpt = unit_string(orcpt);
    envelope_add_recipient(&copy->envelope, &recipient);
    recipient_clear(&recipient);
    copy->reasons = mem_resize(copy->reasons, count + 1, sizeof *copy->reasons);
    copy->reasons[count] = unit_string(reason);
    copy->notes = mem_resize(copy->notes, count + 1, sizeof *copy->notes);
    copy->notes[count] = NULL;
}

/* A copy with an id of the number, a sender and a backend; no recipient yet. */
static inline void unit_make_copy(struct copy *copy, unsigned int number, const char *sender)
{
    copy_init(copy);
    snprintf(copy->id, sizeof copy->id, "06h0x6s1zxfdk76x-%u", number);
    snprintf(copy->claim, sizeof copy->claim, CLAIM);
    copy->held_us = HELD_US + number * 1000000u;
    copy->backend = unit_string("legacy");
    ck_assert(ip_endpoint_parse(SLICE("192.0.2.1:4242"), &copy->client));
    unit_set_address(&copy->envelope.sender, sender, ADDRESS_REVERSE_PATH);
}

/* One in which nothing is left out. */
static inline void unit_make_full_copy(struct copy *copy)
{
    unit_make_copy(copy, 1, "<\"odd \\\" one\"@example.org>");
    copy->owner = 7;
    copy->is_pending = copy->is_extended = true;
    ck_assert(ip_endpoint_parse(SLICE("[2001:db8::1]:25"), &copy->client));
    ck_assert(ip_endpoint_parse(SLICE("[2001:db8::2]:65535"), &copy->local));
    copy->helo = unit_string("[IPv6:2001:db8::1]");
    copy->listener = unit_string("inbound");
    copy->tls_version = unit_string("TLSv1.3");
    copy->domain = unit_string("example.org");
    copy->policy = unit_string("strict");
    copy->message_id = unit_string("<1@example.org>");
    copy->header_from = unit_string("\"Bank\" <info@bank.example>");
    copy->subject = unit_string("an \x1b[2J odd\n\t one \\ \xc3\xa9\xff ");
    copy->envelope.is_smtputf8 = true;
    copy->envelope.has_size = true;
    copy->envelope.size_bytes = UINT64_MAX;
    copy->envelope.body = BODY_8BITMIME;
    copy->envelope.ret = DSN_RETURN_HEADERS;
    copy->envelope.envid = unit_string("QQ+3D314");
    unit_add_recipient(copy, "<j\xc3\xb6rg@b\xc3\xbc" "cher.example>", "rule.strict.spf-fail",
                       DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY,
                       "utf-8;j\\x{F6}rg@example.org");
    copy->notes[0] = unit_string("not an allowed sender");
    unit_add_recipient(copy, "<PostMaster>", NULL, DSN_NOTIFY_NEVER, NULL);
    unit_add_recipient(copy, "<a@[IPv6:2001:db8::7]>", "mixed.reject", 0, NULL);
}

/* A folder of its own for a test; `path` gets its name. Returns it open. */
static inline int unit_make_folder(char path[32])
{
    int fd;

    snprintf(path, 32, "/tmp/quarantine-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(path));
    fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

/* Takes away all that is in it, and itself. */
static inline void unit_remove_folder(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;

    ck_assert_ptr_nonnull(directory);
    while ((entry = readdir(directory)) != NULL) {
        char inner[600];

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(inner, sizeof inner, "%.300s/%s", path, entry->d_name);
        if (unlinkat(dirfd(directory), entry->d_name, 0) != 0)
            unit_remove_folder(inner);
    }
    closedir(directory);
    ck_assert_int_eq(rmdir(path), 0);
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads and checks a configuration in a process of its own; see loader.h. */
#include "daemon/loader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/load.h"
#include "daemon/memory_file.h"
#include "daemon/sandbox.h"

#define EXIT_CANNOT_START 2
#define SENTENCE_BYTES 300

/* All but the configuration's own files: policies, certificates, keys, folders, the user. */
static void finish(struct loaded **loaded, struct handover_identity *identity,
                   struct diagnostics *diagnostics)
{
    size_t errors_before = diagnostics->error_count;

    load_rest(loaded, diagnostics);
    if (*loaded == NULL)
        return;
    load_find_identity(*loaded, identity, diagnostics);
    identity->is_confined = (*loaded)->config->sandbox == SANDBOX_ON;
    if (diagnostics->error_count > errors_before)
        loaded_free(loaded);
}

/* Unconfined. */
static struct loaded *load_all(const char *path, struct handover_identity *identity,
                               struct diagnostics *diagnostics)
{
    struct loaded *loaded = load_begin(path, diagnostics);

    if (loaded != NULL)
        finish(&loaded, identity, diagnostics);
    return loaded;
}

/* ---- For people. */

int loader_check(const char *path)
{
    struct handover_identity identity;
    struct diagnostics diagnostics;
    struct loaded *loaded;
    struct text lines;
    bool is_fine;

    diagnostics_init(&diagnostics);
    text_init(&lines, TEXT_MAX_LENGTH);
    loaded = load_all(path, &identity, &diagnostics);
    is_fine = loaded != NULL;
    for (size_t i = 0; i < diagnostics.count; i++)
        diagnostic_print(&lines, &diagnostics.items[i]);
    fputs(text_string(&lines), stderr);
    if (is_fine)
        printf("posternd: %s can be loaded\n", path);
    loaded_free(&loaded);
    diagnostics_clear(&diagnostics);
    text_clear(&lines);
    return is_fine ? EXIT_SUCCESS : EXIT_CANNOT_START;
}

/* ---- For the master. */

static bool send_to_master(enum handover_type type, struct slice body, const int *fds,
                           size_t fd_count)
{
    return handover_send(HANDOVER_CHANNEL_FD, type, body, fds, fd_count) == PACKET_DONE;
}

static void send_diagnostic(const struct diagnostic *diagnostic)
{
    struct handover_diagnostic head = { .severity = diagnostic->severity };
    struct text line;
    struct text body;

    text_init(&line, HANDOVER_MAX_BYTES - sizeof head);
    text_init(&body, HANDOVER_MAX_BYTES);
    diagnostic_print(&line, diagnostic);
    text_add(&body, (struct slice){ (const char *)&head, sizeof head });
    text_add(&body, slice_trim(text_slice(&line)));
    if (!send_to_master(HANDOVER_DIAGNOSTIC, text_slice(&body), NULL, 0))
        exit(EXIT_FAILURE); /* nobody waits for it any more */
    text_clear(&line);
    text_clear(&body);
}

/* Warnings that were waived are nobody's concern any more. */
static void send_diagnostics(const struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++)
        if (diagnostics->items[i].waived_because == NULL)
            send_diagnostic(&diagnostics->items[i]);
}

bool loader_try(const char *path)
{
    struct handover_identity identity;
    struct diagnostics diagnostics;
    struct loaded *loaded;
    bool is_fine;

    diagnostics_init(&diagnostics);
    loaded = load_all(path, &identity, &diagnostics);
    is_fine = loaded != NULL;
    for (size_t i = 0; i < diagnostics.count; i++)
        if (diagnostics.items[i].severity == SEVERITY_ERROR)
            send_diagnostic(&diagnostics.items[i]);
    loaded_free(&loaded);
    diagnostics_clear(&diagnostics);
    return is_fine;
}

/* All sources in one sealed file; nobody but the kernel can add to them later. */
static int seal(const char *name, const struct sources *sources)
{
    struct text packed;
    int fd;

    text_init(&packed, TEXT_MAX_LENGTH);
    sources_pack(sources, &packed);
    fd = memory_file_seal(name, text_slice(&packed));
    if (fd < 0)
        fprintf(stderr, "posternd: loader: cannot hand the configuration on: %s\n",
                strerror(errno));
    text_clear(&packed);
    return fd;
}

static bool hand_on(const struct loaded *loaded, const struct handover_identity *identity)
{
    int fds[] = { seal("postern-sources", loaded->config->sources),
                  seal("postern-secrets", loaded->secrets), loaded->spool_fd,
                  loaded->quarantine_fd };
    struct slice body = { (const char *)identity, sizeof *identity };
    size_t fd_count = loaded->quarantine_fd >= 0 ? 4 : 3;
    bool is_sent =
        fds[0] >= 0 && fds[1] >= 0 && send_to_master(HANDOVER_LOADED, body, fds, fd_count);

    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return is_sent;
}

static bool receive_path(struct text *path)
{
    struct handover message;
    bool is_fine = handover_receive(HANDOVER_CHANNEL_FD, &message) == PACKET_DONE &&
                   handover_type(&message) == HANDOVER_LOAD;

    if (is_fine)
        text_add(path, handover_text(&message));
    packet_clear(&message.packet);
    return is_fine;
}

/* Whether there is to be a sandbox is in the configuration; what is parsed after it is stranger. */
static bool confine(const struct config *config, struct diagnostics *diagnostics)
{
    struct sandbox_needs needs = { .folder_fd = -1 };
    struct text problem;
    bool is_done;

    if (config->sandbox == SANDBOX_OFF)
        return true;
    text_init(&problem, SENTENCE_BYTES);
    is_done = sandbox_enter(SANDBOX_LOADER, &needs, &problem);
    if (!is_done)
        diagnostics_add(diagnostics, SEVERITY_ERROR, "sandbox.refused",
                        (struct position){ .path = config->path },
                        "%s; \"sandbox off;\" would go without", text_string(&problem));
    text_clear(&problem);
    return is_done;
}

int loader_run(void)
{
    struct handover_identity identity;
    struct diagnostics diagnostics;
    struct loaded *loaded = NULL;
    struct text path;
    bool is_sent;

    text_init(&path, HANDOVER_MAX_BYTES);
    diagnostics_init(&diagnostics);
    is_sent = receive_path(&path);
    if (is_sent) {
        loaded = load_begin(text_string(&path), &diagnostics);
        if (loaded != NULL && !confine(loaded->config, &diagnostics))
            loaded_free(&loaded);
        if (loaded != NULL)
            finish(&loaded, &identity, &diagnostics);
        send_diagnostics(&diagnostics);
        is_sent = loaded != NULL && hand_on(loaded, &identity);
    }
    loaded_free(&loaded);
    diagnostics_clear(&diagnostics);
    text_clear(&path);
    return is_sent ? EXIT_SUCCESS : EXIT_CANNOT_START;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration and what belongs to it, read from disk and checked; see load.h. */
#include "daemon/load.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "checks/suffix_list.h"
#include "config/lint.h"
#include "daemon/disk.h"
#include "daemon/identity.h"
#include "daemon/log_output.h"
#include "daemon/resolver_setup.h"
#include "daemon/tls_setup.h"
#include "policy/policy_lint.h"
#include "record/record.h"

#define SENTENCE_BYTES 500
/* Who renews by hand needs some days; who does it by script has done it by then. */
#define EXPIRY_WARNING_DAYS 14
#define DAY_SECONDS (24 * 3600)
#define KIB 1024u

static struct position whole_file(const struct config *config)
{
    return (struct position){ .path = config->path };
}

/* ---- Certificates. */

static void check_expiry(const struct config_certificate *config, struct slice chain_pem,
                         struct diagnostics *diagnostics)
{
    int64_t now = (int64_t)(clock_wall_us() / 1000000);
    int64_t expires_at;
    int64_t days;

    if (!tls_certificate_read_expiry(chain_pem, &expires_at))
        return;
    days = (expires_at - now) / DAY_SECONDS;
    if (expires_at <= now)
        lint_report(diagnostics, "lint.certificate-expiry", config->at,
                    "the certificate in %s has run out: those who check it send us no mail",
                    config->chain_path);
    else if (days < EXPIRY_WARNING_DAYS)
        lint_report(diagnostics, "lint.certificate-expiry", config->at,
                    "the certificate in %s runs out in %d days", config->chain_path, (int)days);
}

static void check_names(const struct config_certificate *config, struct slice chain_pem,
                        struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < config->name_count; i++)
        if (!tls_certificate_serves(chain_pem, config->names[i]))
            lint_report(diagnostics, "lint.certificate-name", config->at,
                        "the certificate in %s is not for %s: those who check it send us no mail",
                        config->chain_path, config->names[i]);
}

static void check_key_mode(const struct config_certificate *config,
                           struct diagnostics *diagnostics)
{
    struct stat status;

    if (stat(config->key_path, &status) == 0 && (status.st_mode & S_IRWXO) != 0)
        lint_report(diagnostics, "lint.key-readable", config->at,
                    "every user of this system can get at the private key in %s; run: chmod o= %s",
                    config->key_path, config->key_path);
}

/* Alone, so that what is wrong with it is said at its own block. */
static void check_certificate(const struct config_certificate *config, struct sources *secrets,
                              struct diagnostics *diagnostics)
{
    struct tls_certificate certificate;
    struct tls_server *server = NULL;
    struct tls_ticket_keys keys;
    struct text problem;

    text_init(&problem, SENTENCE_BYTES);
    tls_ticket_keys_make(&keys);
    if (tls_setup_read(config, secrets, &certificate, &problem))
        server = tls_server_new(&certificate, 1, TLS_VERSION_1_2, &keys, &problem);
    if (server == NULL) {
        diagnostics_add(diagnostics, SEVERITY_ERROR, "certificate.unusable", config->at, "%s",
                        text_string(&problem));
    } else {
        check_expiry(config, certificate.chain_pem, diagnostics);
        check_names(config, certificate.chain_pem, diagnostics);
        check_key_mode(config, diagnostics);
    }
    tls_server_free(&server);
    text_clear(&problem);
}

static void check_listener_tls(const struct config *config, size_t index, struct sources *secrets,
                               struct diagnostics *diagnostics)
{
    struct tls_ticket_keys keys;
    struct tls_server *server;
    struct text problem;

    text_init(&problem, SENTENCE_BYTES);
    tls_ticket_keys_make(&keys);
    server = tls_setup_server(config, index, secrets, &keys, &problem);
    if (server == NULL)
        diagnostics_add(diagnostics, SEVERITY_ERROR, "listener.tls", config->listeners[index].at,
                        "listener %s cannot do TLS: %s", config->listeners[index].name,
                        text_string(&problem));
    tls_server_free(&server);
    text_clear(&problem);
}

static void check_backend_tls(const struct config_backend *backend, struct sources *secrets,
                              struct diagnostics *diagnostics)
{
    struct tls_client *client;
    struct text problem;

    text_init(&problem, SENTENCE_BYTES);
    client = tls_setup_client(backend, secrets, &problem);
    if (client == NULL)
        diagnostics_add(diagnostics, SEVERITY_ERROR, "backend.tls", backend->at,
                        "backend %s cannot be reached by TLS: %s", backend->name,
                        text_string(&problem));
    tls_client_free(&client);
    text_clear(&problem);
}

static void check_tls(const struct loaded *loaded, struct diagnostics *diagnostics)
{
    const struct config *config = loaded->config;
    size_t errors_before = diagnostics->error_count;

    for (size_t i = 0; i < config->certificate_count; i++)
        check_certificate(&config->certificates[i], loaded->secrets, diagnostics);
    for (size_t i = 0; i < config->listener_count && diagnostics->error_count == errors_before; i++)
        if (config->listeners[i].tls != LISTENER_TLS_OFF)
            check_listener_tls(config, i, loaded->secrets, diagnostics);
    for (size_t i = 0; i < config->backend_count; i++)
        if (tls_setup_has_client(&config->backends[i]))
            check_backend_tls(&config->backends[i], loaded->secrets, diagnostics);
}

/* ---- The DNS. */

/* The library reads the trust anchors, so it is asked. */
static void check_resolver(const struct config *config, const struct policy_book *book,
                           struct diagnostics *diagnostics)
{
    struct resolver *resolver;
    struct loop *loop;
    struct text problem;

    if (!resolver_setup_is_needed(config, book))
        return;
    text_init(&problem, SENTENCE_BYTES);
    loop = loop_new();
    resolver = resolver_setup_new(loop, config, &problem);
    if (resolver == NULL)
        diagnostics_add(diagnostics, SEVERITY_ERROR, "resolver.unusable", config->resolver.at,
                        "names cannot be looked up: %s", text_string(&problem));
    resolver_free(&resolver);
    loop_free(&loop);
    text_clear(&problem);
}

/* ---- The checks. */

static void check_suffix_list(const struct config *config, struct diagnostics *diagnostics)
{
    const struct config_checks *checks = &config->checks;
    struct suffix_list *list;

    if (checks->dmarc_discovery != DMARC_BY_SUFFIX)
        return;
    list = suffix_list_new(checks->suffix_list);
    if (list == NULL)
        diagnostics_add(diagnostics, SEVERITY_ERROR, "checks.suffix-list",
                        config_find_place(config, checks->at, "suffix-list"),
                        "\"%s\" is no list of public suffixes", checks->suffix_list_path);
    suffix_list_free(&list);
}

/* ---- The log. */

/*
 * A transaction whose line does not even fit an empty ring is put off with 451 log.full, and again
 * whenever its client comes back. As many recipients as may be are reckoned with, each of the
 * longest; twice as many may be tried, and those of ordinary length find room in that, too.
 */
static void check_ring(const struct config *config, const struct config_listener *listener,
                       struct diagnostics *diagnostics)
{
    uint64_t needed = record_max_bytes((size_t)listener->max_recipients) +
                      record_growth_bytes((size_t)listener->max_recipients);

    needed = (needed + KIB - 1) / KIB;
    if (config->log.ring_bytes < needed * KIB)
        diagnostics_add(diagnostics, SEVERITY_ERROR, "log.ring-small",
                        config_find_place(config, listener->at, "max-recipients"),
                        "the line of a mail with the %llu recipients that listener %s allows may "
                        "need more than the log's ring has, and the mail would be put off for "
                        "ever; write in the log block: ring %lluK; or lower max-recipients",
                        (unsigned long long)listener->max_recipients, listener->name,
                        (unsigned long long)needed);
}

static void check_log(const struct config *config, struct diagnostics *diagnostics)
{
    unsigned int number;

    for (size_t i = 0; i < config->listener_count; i++)
        check_ring(config, &config->listeners[i], diagnostics);

    if (config->log.target == LOG_TARGET_SYSLOG &&
        !log_output_find_facility(slice_from(config->log.facility), &number))
        diagnostics_add(diagnostics, SEVERITY_ERROR, "log.facility", whole_file(config),
                        "syslog has no facility \"%s\" for this; take mail, daemon, user, auth or "
                        "local0 to local7",
                        config->log.facility);
}

/* ---- The folders for mail. */

/* A setting's folder: what it is called, and the id of what is said about it. */
struct mail_folder {
    const char *setting;
    const char *path;
    const char *problem_id;
    struct position at;
};

static struct mail_folder spool_folder(const struct config *config)
{
    return (struct mail_folder){ "spool-folder", config->spool_folder, "spool.unusable",
                                 whole_file(config) };
}

static struct mail_folder quarantine_folder(const struct config *config)
{
    return (struct mail_folder){ "quarantine folder", config->quarantine.folder,
                                 "quarantine.unusable",
                                 config_find_place(config, config->quarantine.at, "folder") };
}

static int open_folder(struct mail_folder folder, struct diagnostics *diagnostics)
{
    int fd = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        diagnostics_add(diagnostics, SEVERITY_ERROR, folder.problem_id, folder.at,
                        "the %s %s cannot be opened: %s; make it, or name another",
                        folder.setting, folder.path, strerror(errno));
    return fd;
}

/* Held mail is other people's letters. */
static void check_privacy(int fd, struct mail_folder folder, struct diagnostics *diagnostics)
{
    struct stat status;

    if (fd >= 0 && fstat(fd, &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        lint_report(diagnostics, "lint.quarantine-readable", folder.at,
                    "others than its owner can get at the held mail in %s; run: chmod go= %s",
                    folder.path, folder.path);
}

static void open_folders(struct loaded *loaded, struct diagnostics *diagnostics)
{
    const struct config *config = loaded->config;

    loaded->spool_fd = open_folder(spool_folder(config), diagnostics);
    if (!config->quarantine.is_set)
        return;
    loaded->quarantine_fd = open_folder(quarantine_folder(config), diagnostics);
    check_privacy(loaded->quarantine_fd, quarantine_folder(config), diagnostics);
}

static void check_folder(const struct loaded *loaded, const struct handover_identity *identity,
                         int fd, struct mail_folder folder, struct diagnostics *diagnostics)
{
    const char *user = identity->is_changed ? loaded->config->user : "this user";
    int error = identity_try_folder(identity, fd);

    if (error != 0)
        diagnostics_add(diagnostics, SEVERITY_ERROR, folder.problem_id, folder.at,
                        "%s cannot write to the %s %s: %s; give the folder to it", user,
                        folder.setting, folder.path, strerror(error));
}

static void check_folders(const struct loaded *loaded, const struct handover_identity *identity,
                          struct diagnostics *diagnostics)
{
    check_folder(loaded, identity, loaded->spool_fd, spool_folder(loaded->config), diagnostics);
    if (loaded->config->quarantine.is_set)
        check_folder(loaded, identity, loaded->quarantine_fd, quarantine_folder(loaded->config),
                     diagnostics);
}

/* ---- All of it. */

struct loaded *load_begin(const char *path, struct diagnostics *diagnostics)
{
    struct loaded *loaded = mem_new(sizeof *loaded);

    loaded->spool_fd = loaded->quarantine_fd = -1;
    loaded->secrets = sources_new(disk_fetch, NULL);
    loaded->config = config_new(sources_new(disk_fetch, NULL), path, diagnostics);
    if (loaded->config == NULL)
        loaded_free(&loaded);
    return loaded;
}

void load_rest(struct loaded **handle, struct diagnostics *diagnostics)
{
    struct loaded *loaded = *handle;
    size_t errors_before = diagnostics->error_count;

    loaded->book = policy_book_new(loaded->config, diagnostics);
    config_lint(loaded->config, diagnostics);
    if (loaded->book != NULL)
        policy_book_lint(loaded->book, diagnostics);
    check_tls(loaded, diagnostics);
    if (loaded->book != NULL)
        check_resolver(loaded->config, loaded->book, diagnostics);
    check_suffix_list(loaded->config, diagnostics);
    check_log(loaded->config, diagnostics);
    open_folders(loaded, diagnostics);
    config_apply_waivers(loaded->config, diagnostics);
    if (diagnostics->error_count > errors_before)
        loaded_free(handle);
}

struct loaded *load_from_disk(const char *path, struct diagnostics *diagnostics)
{
    struct loaded *loaded = load_begin(path, diagnostics);

    if (loaded != NULL)
        load_rest(&loaded, diagnostics);
    return loaded;
}

void loaded_free(struct loaded **handle)
{
    struct loaded *loaded = *handle;

    if (loaded == NULL)
        return;
    policy_book_free(&loaded->book);
    config_free(&loaded->config);
    sources_free(&loaded->secrets);
    if (loaded->spool_fd >= 0)
        close(loaded->spool_fd);
    if (loaded->quarantine_fd >= 0)
        close(loaded->quarantine_fd);
    mem_free(loaded);
    *handle = NULL;
}

void load_find_identity(const struct loaded *loaded, struct handover_identity *identity,
                        struct diagnostics *diagnostics)
{
    const char *user = loaded->config->user;
    struct text problem;

    if (geteuid() == 0 && user == NULL) {
        diagnostics_add(diagnostics, SEVERITY_ERROR, "user.missing", whole_file(loaded->config),
                        "posternd is started as root, and who faces the network must not be: add "
                        "a line such as \"user postern;\" with a user that owns nothing else");
        return;
    }
    text_init(&problem, SENTENCE_BYTES);
    if (!identity_find(user, identity, &problem))
        diagnostics_add(diagnostics, SEVERITY_ERROR, "user.unusable", whole_file(loaded->config),
                        "%s", text_string(&problem));
    else if (identity->is_changed && geteuid() != 0)
        diagnostics_add(diagnostics, SEVERITY_ERROR, "user.unusable", whole_file(loaded->config),
                        "only root can become user %s; start posternd as root, or as that user",
                        user);
    else
        check_folders(loaded, identity, diagnostics);
    text_clear(&problem);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posternd: the daemon's one program. Started by people it is the master (or, with
 * -t, the loader alone); started by the master it is what its title says; and the
 * master of another version becomes it at an upgrade.
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/slice.h"
#include "daemon/heir.h"
#include "daemon/keeper_role.h"
#include "daemon/loader.h"
#include "daemon/logger.h"
#include "daemon/master.h"
#include "daemon/spf_role.h"
#include "daemon/upgrade.h"
#include "daemon/worker.h"

#define EXIT_CANNOT_START 2
#define DEFAULT_PATH POSTERN_SYSCONFDIR "/postern.conf"

static void print_usage(FILE *out)
{
    fputs("usage: posternd [-c FILE] [-d]    serve in the foreground\n"
          "       posternd [-c FILE] -t      check the configuration, and end\n"
          "       posternd -V                print the version, and end\n"
          "FILE is " DEFAULT_PATH " unless it is named. See posternd(8).\n", out);
}

/* Descriptors 0 to 2 exist, so that nothing else is opened there. */
static void open_standard_fds(void)
{
    int fd = open("/dev/null", O_RDWR);

    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDWR);
    if (fd > STDERR_FILENO)
        close(fd);
}

/*
 * The whole group gets the signals that a terminal or a service manager sends,
 * but only the master follows them: it tells the others by their channels.
 */
static void leave_signals_to_master(void)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };

    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        signal(signals[i], SIG_IGN);
    /* A log file that may not grow any more is an error of the write, and nobody's end. */
    signal(SIGXFSZ, SIG_IGN);
}

/* What the master started: `role` is the rest of the title, such as "worker 1". */
static int run_role(struct slice role)
{
    leave_signals_to_master();
    prctl(PR_SET_NAME, "posternd");
    if (slice_equals(role, SLICE("loader")))
        return loader_run();
    if (slice_equals(role, SLICE("heir")))
        return heir_run();
    if (slice_equals(role, SLICE("logger")))
        return logger_run();
    if (slice_equals(role, SLICE("keeper")))
        return keeper_role_run();
    if (slice_equals(role, SLICE("spf")))
        return spf_role_run();
    if (slice_has_prefix(role, SLICE("worker ")))
        return worker_run();
    return EXIT_CANNOT_START;
}

static int run_for_people(int argc, char **argv)
{
    static const struct option long_options[] = {
        { "config", required_argument, NULL, 'c' }, { "debug", no_argument, NULL, 'd' },
        { "test", no_argument, NULL, 't' },         { "version", no_argument, NULL, 'V' },
        { "help", no_argument, NULL, 'h' },         { NULL, 0, NULL, 0 },
    };
    struct master_options options = { .path = DEFAULT_PATH, .version = POSTERN_VERSION,
                                      .arguments = argv };
    bool is_check = false;
    int option;

    while ((option = getopt_long(argc, argv, "c:dtVh", long_options, NULL)) != -1) {
        switch (option) {
        case 'c': options.path = optarg; break;
        case 'd': options.is_debug = true; break;
        case 't': is_check = true; break;
        case 'V': printf("posternd (postern) %s\n", POSTERN_VERSION); return EXIT_SUCCESS;
        case 'h': print_usage(stdout); return EXIT_SUCCESS;
        default: print_usage(stderr); return EXIT_CANNOT_START;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "posternd: it takes no \"%s\"\n", argv[optind]);
        print_usage(stderr);
        return EXIT_CANNOT_START;
    }
    return is_check ? loader_check(options.path) : master_run(&options);
}

/* The arguments are those of the program before, and were followed by it. */
static int run_after_another(char **argv)
{
    const struct master_options options = { .version = POSTERN_VERSION, .arguments = argv };

    prctl(PR_SET_NAME, "posternd");
    return master_take_over(&options);
}

int main(int argc, char **argv)
{
    static const struct slice title = { "posternd: ", 10 };
    struct slice name = slice_from(argc > 0 ? argv[0] : NULL);

    open_standard_fds();
    if (slice_has_prefix(name, title))
        return run_role(slice_from_offset(name, title.length));
    if (upgrade_is_under_way())
        return run_after_another(argv);
    return run_for_people(argc, argv);
}

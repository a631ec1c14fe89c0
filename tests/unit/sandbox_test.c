/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * daemon/sandbox: what is left to a role, tried in a process of its own. tests/daemon tries the
 * roles of a running gateway; here is the loader, which ends too soon for that, and what a call
 * that is refused looks like.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/landlock.h"
#include "daemon/sandbox.h"
#include "net/resolver.h"
#include "resolver_unit.h"

/* ---- Attempts: 0, or the errno. ---- */

static int result_of(long value)
{
    return value >= 0 ? 0 : errno;
}

static int read_file(void)
{
    return result_of(open("/etc/passwd", O_RDONLY));
}

static int find_user(void)
{
    return getpwnam("root") != NULL ? 0 : errno;
}

static int write_file(void)
{
    return result_of(open("/dev/null", O_WRONLY));
}

static int make_file(void)
{
    return result_of(open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

static int make_tcp_socket(void)
{
    return result_of(socket(AF_INET, SOCK_STREAM, 0));
}

static int make_unix_socket(void)
{
    return result_of(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int bind_unix_socket(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "" };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return result_of(bind(fd, (const struct sockaddr *)&address, sizeof address.sun_family));
}

static int start_process(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    return result_of(waitpid(child, NULL, 0));
}

static int start_program(void)
{
    char *arguments[] = { NULL, NULL };

    return result_of(execve("/bin/true", arguments, arguments));
}

static int trace(void)
{
    return result_of(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

/* No process of ours needs it, and every kernel has it. */
static int call_needlessly(void)
{
    return result_of(syscall(SYS_getpriority, 0, 0));
}

static int abort_itself(void)
{
    abort();
}

/* ---- A process that enters and tries. ---- */

#define KILLED 256

/* 0, an errno, or KILLED and a signal. */
static int try_as(enum sandbox_role role, int (*attempt)(void))
{
    struct sandbox_needs needs = { .folder_fd = -1, .max_file_bytes = 1 << 20 };
    struct text problem;
    int status;
    pid_t child = fork();

    ck_assert(child >= 0);
    if (child == 0) {
        text_init(&problem, 200);
        if (!sandbox_enter(role, &needs, &problem)) {
            fprintf(stderr, "%s\n", text_string(&problem));
            _exit(255);
        }
        _exit(attempt());
    }
    ck_assert(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? KILLED + WTERMSIG(status) : WEXITSTATUS(status);
}

START_TEST(a_loader_reads_and_asks_and_can_do_no_more)
{
    static const struct {
        const char *what;
        int (*attempt)(void);
        int want;
        bool needs_landlock;
    } cases[] = {
        { "reading a file", read_file, 0, false },
        { "finding a user", find_user, 0, false },
        { "trying as another user", start_process, 0, false },
        { "asking a name service", make_unix_socket, 0, false },
        { "writing to a file", write_file, EACCES, true },
        { "making a file", make_file, EACCES, true },
        { "the network", make_tcp_socket, ENOSYS, false },
        { "listening", bind_unix_socket, ENOSYS, false },
        { "starting a program", start_program, KILLED + SIGSYS, false },
        { "looking into another process", trace, KILLED + SIGSYS, false },
    };

    for (size_t i = 0; i < COUNT(cases) && sandbox_is_built_in(); i++) {
        int got = try_as(SANDBOX_LOADER, cases[i].attempt);
        int want = cases[i].needs_landlock && landlock_find_version() == 0 ? 0 : cases[i].want;

        ck_assert_msg(got == want, "%s: got %d, want %d", cases[i].what, got, want);
    }
}
END_TEST

/* The C library tries newer calls, and takes ENOSYS for a reason to use older ones. */
START_TEST(a_call_that_is_on_no_list_fails_as_on_an_older_kernel)
{
    static const enum sandbox_role roles[] = { SANDBOX_LOADER, SANDBOX_WORKER, SANDBOX_KEEPER,
                                               SANDBOX_LOGGER };

    for (size_t i = 0; i < COUNT(roles); i++) {
        int got = try_as(roles[i], call_needlessly);
        int want = sandbox_is_built_in() ? ENOSYS : 0;

        ck_assert_msg(got == want, "role %zu: got %d, want %d", i, got, want);
    }
}
END_TEST

START_TEST(an_assertion_ends_a_process_as_it_does_outside)
{
    int got = try_as(SANDBOX_WORKER, abort_itself);

    ck_assert_msg(got == KILLED + SIGABRT, "got %d", got);
}
END_TEST

/* ---- A worker that asks the DNS. ---- */

static void note_answer(void *owner, struct dns_answer *answer)
{
    *(enum dns_result *)owner = answer->result;
}

static bool has_ended(void *owner)
{
    return *(enum dns_result *)owner != DNS_FAILED;
}

/* From inside of the sandbox: by datagram, and by TCP where the answer was cut. */
static void ask_from_inside(const struct ip_endpoint *address, bool asks_dns)
{
    struct sandbox_needs needs = { .folder_fd = -1, .max_file_bytes = 1 << 20,
                                   .ports = &address->port, .port_count = 1,
                                   .asks_dns = asks_dns };
    struct resolver_settings settings = { .addresses = address, .address_count = 1,
                                          .timeout_ms = 1000, .cache_bytes = 1 << 20,
                                          .max_questions = 10 };
    enum dns_result result = DNS_FAILED;
    struct loop *loop = loop_new();
    struct resolver *resolver;
    struct text problem;

    text_init(&problem, 200);
    if (!sandbox_enter(SANDBOX_WORKER, &needs, &problem))
        _exit(2);
    resolver = resolver_new(loop, &settings, &problem);
    if (resolver == NULL)
        _exit(3);
    resolver_start(resolver, SLICE("big.example.net"), DNS_TYPE_TXT, note_answer, &result);
    if (asks_dns)
        net_run_until(loop, "an answer", has_ended, &result);
    else
        net_run_for(loop, 1500);
    _exit(result == DNS_FOUND ? 0 : 1);
}

static bool has_child_ended(void *owner)
{
    int *status = owner;

    return waitpid(-1, status, WNOHANG) > 0;
}

/* The server is out here. */
static int serve_one_inside(struct slice at, bool asks_dns)
{
    struct loop *loop = loop_new();
    struct dns_server server;
    int status = -1;
    pid_t child;

    if (!server_start_at(&server, loop, at))
        return 0;
    child = fork();
    ck_assert(child >= 0);
    if (child == 0)
        ask_from_inside(&server.address, asks_dns);
    while (!has_child_ended(&status))
        net_run_for(loop, 10);
    server_stop(&server);
    loop_free(&loop);
    return WIFEXITED(status) ? WEXITSTATUS(status) : KILLED;
}

START_TEST(a_worker_asks_the_dns_when_it_has_to_and_else_cannot)
{
    ck_assert_int_eq(serve_one_inside(SLICE("127.0.0.1:0"), true), 0);
    ck_assert_int_eq(serve_one_inside(SLICE("[::1]:0"), true), 0);
    if (sandbox_is_built_in())
        ck_assert_int_eq(serve_one_inside(SLICE("127.0.0.1:0"), false), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sandbox");
    TCase *tests = tcase_create("roles");

    tcase_add_test(tests, a_loader_reads_and_asks_and_can_do_no_more);
    tcase_add_test(tests, a_call_that_is_on_no_list_fails_as_on_an_older_kernel);
    tcase_add_test(tests, an_assertion_ends_a_process_as_it_does_outside);
    tcase_add_test(tests, a_worker_asks_the_dns_when_it_has_to_and_else_cannot);
    tcase_set_timeout(tests, 20);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}

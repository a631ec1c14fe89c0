/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests, by LD_PRELOAD: code that has got into a process of posternd and tries what that
 * process has no business with. A real-time signal says what is tried; how it went stands on
 * standard error: "trespass: NAME: done", or "refused" and an errno. The names are read by
 * confinement.py: the first one comes with SIGRTMIN, and so on.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first folder that it has a descriptor of; -1 for none, as AT_FDCWD would be another one. */
static int find_folder(void)
{
    struct stat status;

    for (int fd = 3; fd < 100; fd++)
        if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode))
            return fd;
    return -1;
}

static int read_system_file(void)
{
    return open("/etc/passwd", O_RDONLY);
}

static int read_known_file(void)
{
    return openat(find_folder(), "known", O_RDONLY);
}

static int read_beside_folder(void)
{
    return openat(find_folder(), "../beside", O_RDONLY);
}

static int list_folder(void)
{
    return openat(find_folder(), ".", O_RDONLY | O_DIRECTORY);
}

static int make_file_in_tmp(void)
{
    return open("/tmp/postern-trespass", O_WRONLY | O_CREAT | O_TRUNC, 0600);
}

static int make_file_in_folder(void)
{
    return openat(find_folder(), "made", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static int make_unnamed_file_in_folder(void)
{
    return openat(find_folder(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

static int make_unnamed_file_in_tmp(void)
{
    return openat(find_folder(), "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

static int start_program(void)
{
    char *arguments[] = { (char []){ "true" }, NULL };

    return execve("/bin/true", arguments, arguments + 1);
}

static int start_process(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    return child;
}

static int connect_unix(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int send_udp(void)
{
    return socket(AF_INET, SOCK_DGRAM, 0);
}

static int tcp_socket(void)
{
    return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static struct sockaddr_in loopback(const char *port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                 .sin_port = htons((uint16_t)strtol(port, NULL, 10)) };
}

static int listen_on_port(void)
{
    struct sockaddr_in address = loopback("0");
    int fd = tcp_socket();

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
        return -1;
    return listen(fd, 1);
}

static int connect_elsewhere(void)
{
    struct sockaddr_in address = loopback(getenv("TRESPASS_PORT"));
    int fd = tcp_socket();

    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        return errno == EINPROGRESS ? 0 : -1;
    return fd;
}

static int trace_master(void)
{
    return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int signal_master(void)
{
    return kill(getppid(), 0);
}

/* What happens on a descriptor would be told to the master, by any signal. */
static int let_kernel_signal(void)
{
    return fcntl(STDERR_FILENO, F_SETOWN, getppid());
}

static int run_written_memory(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) == MAP_FAILED ? -1 : 0;
}

static int make_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}

static const struct {
    const char *name;
    int (*attempt)(void); /* -1 and errno: refused */
} attempts[] = {
    { "read_system_file", read_system_file },
    { "read_known_file", read_known_file },
    { "read_beside_folder", read_beside_folder },
    { "list_folder", list_folder },
    { "make_file_in_tmp", make_file_in_tmp },
    { "make_file_in_folder", make_file_in_folder },
    { "make_unnamed_file_in_folder", make_unnamed_file_in_folder },
    { "make_unnamed_file_in_tmp", make_unnamed_file_in_tmp },
    { "start_program", start_program },
    { "start_process", start_process },
    { "connect_unix", connect_unix },
    { "send_udp", send_udp },
    { "listen_on_port", listen_on_port },
    { "connect_elsewhere", connect_elsewhere },
    { "trace_master", trace_master },
    { "signal_master", signal_master },
    { "let_kernel_signal", let_kernel_signal },
    { "run_written_memory", run_written_memory },
    { "make_namespace", make_namespace },
};
#define COUNT ((int)(sizeof attempts / sizeof attempts[0]))

static void on_signal(int number)
{
    int before = errno;
    int which = number - SIGRTMIN;
    char line[100];
    int length;

    if (attempts[which].attempt() >= 0)
        length = snprintf(line, sizeof line, "trespass: %s: done\n", attempts[which].name);
    else
        length = snprintf(line, sizeof line, "trespass: %s: refused %d\n", attempts[which].name,
                          errno);
    (void)!write(STDERR_FILENO, line, (size_t)length);
    errno = before;
}

static void get_in(void) __attribute__((constructor));

/* Not into the master. */
static void get_in(void)
{
    static const char title[] = "posternd: ";
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    char own[sizeof title] = "";
    FILE *file = fopen("/proc/self/cmdline", "r");

    if (file == NULL)
        return;
    if (fgets(own, sizeof own, file) != NULL && strcmp(own, title) == 0)
        for (int i = 0; i < COUNT; i++)
            sigaction(SIGRTMIN + i, &action, NULL);
    fclose(file);
}

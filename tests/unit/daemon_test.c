/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/: who polls what, messages between processes, sealed memory, where the log goes. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"
#include "daemon/backoff.h"
#include "daemon/disk.h"
#include "daemon/handover.h"
#include "daemon/log_output.h"
#include "daemon/memory_file.h"
#include "daemon/notice.h"
#include "daemon/slots.h"
#include "unit.h"

/* ---- slots ---- */

#define MAX_SLOTS 64
#define MAX_WORKERS 9

static unsigned int chance = 1;

static unsigned int random_below(unsigned int limit)
{
    chance = chance * 1103515245 + 12345;
    return chance / 65536 % limit;
}

static size_t make_slots(struct slot *slots)
{
    size_t count = 0;
    unsigned int group_count = 1 + random_below(4);

    for (unsigned int group = 1; group <= group_count; group++) {
        bool is_shared = random_below(4) == 0;
        unsigned int size = is_shared ? 1 : 1 + random_below(MAX_SLOTS / 4);

        for (unsigned int i = 0; i < size; i++, count++)
            slots[count] = (struct slot){ .id = (uint32_t)count, .group = group,
                                          .is_shared = is_shared, .owner = SLOTS_NOBODY };
    }
    return count;
}

static bool is_among(uint32_t worker, const uint32_t *workers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (workers[i] == worker)
            return true;
    return false;
}

static size_t count_owned(const struct slot *slots, size_t count, uint32_t group, uint32_t worker)
{
    size_t owned = 0;

    for (size_t i = 0; i < count; i++)
        owned += slots[i].group == group && slots[i].owner == worker;
    return owned;
}

/* Who is alive polls everything, and of each address as much as the others, give or take one. */
static void check_assignment(const struct slot *slots, size_t count, const uint32_t *workers,
                             size_t worker_count)
{
    for (size_t i = 0; i < count; i++) {
        size_t size = 0;

        if (slots[i].is_shared) {
            ck_assert_uint_eq(slots[i].owner, SLOTS_NOBODY);
            for (size_t w = 0; w < worker_count; w++)
                ck_assert(slot_is_polled_by(&slots[i], workers[w]));
            continue;
        }
        ck_assert_msg(is_among(slots[i].owner, workers, worker_count),
                      "slot %zu is polled by %u, who is not alive", i, slots[i].owner);
        for (size_t j = 0; j < count; j++)
            size += slots[j].group == slots[i].group;
        for (size_t w = 0; w < worker_count; w++) {
            size_t owned = count_owned(slots, count, slots[i].group, workers[w]);

            ck_assert_msg(owned == size / worker_count || owned == size / worker_count + 1,
                          "worker %u has %zu of %zu, with %zu workers", workers[w], owned, size,
                          worker_count);
        }
    }
}

START_TEST(every_socket_is_polled_by_a_live_worker_whoever_dies)
{
    for (int round = 0; round < 300; round++) {
        struct slot slots[MAX_SLOTS];
        uint32_t workers[MAX_WORKERS];
        size_t count = make_slots(slots);
        size_t worker_count = 0;
        uint32_t last_worker = 0;

        for (int step = 0; step < 20; step++) {
            if (worker_count < MAX_WORKERS && (worker_count == 0 || random_below(2) == 0))
                workers[worker_count++] = ++last_worker;
            else
                workers[random_below((unsigned int)worker_count)] = workers[worker_count - 1],
                worker_count--;
            slots_assign(slots, count, workers, worker_count);
            if (worker_count > 0)
                check_assignment(slots, count, workers, worker_count);
        }
    }
}
END_TEST

START_TEST(nobody_polls_when_nobody_is_alive)
{
    struct slot slots[2] = { { .id = 0, .group = 1, .owner = 7 },
                             { .id = 1, .group = 1, .owner = 8 } };

    slots_assign(slots, 2, NULL, 0);
    ck_assert(slots[0].owner == SLOTS_NOBODY && slots[1].owner == SLOTS_NOBODY);
}
END_TEST

START_TEST(a_death_moves_only_the_sockets_of_the_dead)
{
    struct slot slots[8];
    struct slot before[8];
    const uint32_t all[] = { 1, 2, 3, 4 };
    const uint32_t left[] = { 1, 2, 4 };

    for (size_t i = 0; i < 8; i++)
        slots[i] = (struct slot){ .id = (uint32_t)i, .group = 1, .owner = SLOTS_NOBODY };
    slots_assign(slots, 8, all, 4);
    memcpy(before, slots, sizeof before);
    slots_assign(slots, 8, left, 3);
    for (size_t i = 0; i < 8; i++)
        ck_assert_msg(before[i].owner == 3 || slots[i].owner == before[i].owner,
                      "slot %zu went from %u to %u", i, before[i].owner, slots[i].owner);
}
END_TEST

/* ---- backoff ---- */

START_TEST(only_who_dies_often_waits)
{
    struct backoff backoff = { .next = 0 };

    for (uint64_t i = 0; i < BACKOFF_MAX_DEATHS; i++)
        ck_assert_uint_eq(backoff_add_death(&backoff, 1000 + i), 0);
    ck_assert_uint_eq(backoff_add_death(&backoff, 2000), BACKOFF_DELAY_MS);
    ck_assert_uint_eq(backoff_add_death(&backoff, 4000), BACKOFF_DELAY_MS);
    for (uint64_t i = 0; i < 20; i++)
        ck_assert_uint_eq(backoff_add_death(&backoff, 100000 + i * (BACKOFF_WINDOW_MS / 4)), 0);
}
END_TEST

/* ---- handover ---- */

static int channel[2];

static void open_channel(void)
{
    ck_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) == 0);
    fcntl(channel[0], F_SETFL, O_NONBLOCK);
    fcntl(channel[1], F_SETFL, O_NONBLOCK);
}

static void close_channel(void)
{
    close(channel[0]);
    close(channel[1]);
}

static size_t count_open_fds(void)
{
    size_t count = 0;

    for (int fd = 0; fd < 200; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

START_TEST(a_message_arrives_with_its_body_and_descriptors)
{
    struct handover_ring ring = { .ring_bytes = 65536, .id = 7, .label = "worker 1" };
    struct handover message;
    int pipe_ends[2];
    char byte;

    ck_assert(pipe(pipe_ends) == 0);
    ck_assert(handover_send(channel[0], HANDOVER_RING,
                            (struct slice){ (const char *)&ring, sizeof ring }, pipe_ends, 2) ==
              PACKET_DONE);
    ck_assert(handover_receive(channel[1], &message) == PACKET_DONE);
    ck_assert(handover_type(&message) == HANDOVER_RING && message.packet.fd_count == 2);
    ck_assert(memcmp(&message.body.ring, &ring, sizeof ring) == 0);
    ck_assert_msg((fcntl(message.packet.fds[0], F_GETFD) & FD_CLOEXEC) != 0, "not close-on-exec");
    ck_assert(write(message.packet.fds[1], "x", 1) == 1 && read(pipe_ends[0], &byte, 1) == 1);
    packet_clear(&message.packet);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}
END_TEST

START_TEST(text_travels_behind_the_struct)
{
    struct {
        struct handover_diagnostic head;
        char text[5];
    } body = { { .severity = 1 }, "words" };
    struct handover message;

    ck_assert(handover_send(channel[0], HANDOVER_DIAGNOSTIC,
                            (struct slice){ (const char *)&body, sizeof body.head + 5 }, NULL,
                            0) == PACKET_DONE);
    ck_assert(handover_receive(channel[1], &message) == PACKET_DONE);
    ck_assert(slice_equals(handover_text(&message), SLICE("words")));
    ck_assert_uint_eq(message.body.diagnostic.severity, 1);
}
END_TEST

START_TEST(a_message_of_the_wrong_shape_is_not_sent)
{
    struct handover_drain drain = { .max_ms = 1 };
    struct slice body = { (const char *)&drain, sizeof drain };
    int fd = 0;

    ck_assert(handover_send(channel[0], HANDOVER_READY, body, NULL, 0) == PACKET_BROKEN);
    ck_assert(handover_send(channel[0], HANDOVER_DRAIN, body, &fd, 1) == PACKET_BROKEN);
    ck_assert(handover_send(channel[0], HANDOVER_TYPE_COUNT, body, NULL, 0) == PACKET_BROKEN);
    ck_assert(handover_send(channel[0], HANDOVER_DRAIN, body, NULL, 0) == PACKET_DONE);
}
END_TEST

/* As a worker that was taken over would send it: any bytes, any descriptors. */
static void send_raw(const void *bytes, size_t length, size_t fd_count)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int) * 100)];
    } room;
    struct iovec part = { (void *)(uintptr_t)bytes, length };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

    memset(&room, 0, sizeof room);
    if (fd_count > 0) {
        message.msg_control = room.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        CMSG_FIRSTHDR(&message)->cmsg_level = SOL_SOCKET;
        CMSG_FIRSTHDR(&message)->cmsg_type = SCM_RIGHTS;
        CMSG_FIRSTHDR(&message)->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        for (size_t i = 0; i < fd_count; i++)
            memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)) + i * sizeof(int), &(int){ 2 }, sizeof(int));
    }
    ck_assert(sendmsg(channel[0], &message, 0) == (ssize_t)length);
}

START_TEST(rubbish_is_refused_whole_and_leaves_no_descriptor_open)
{
    static char bytes[HANDOVER_MAX_BYTES + 100];
    static const struct {
        uint32_t type;
        size_t body_bytes;
        size_t fd_count;
    } cases[] = {
        { HANDOVER_TYPE_COUNT, 0, 0 },
        { UINT32_MAX, 0, 1 },
        { HANDOVER_READY, 1, 0 },
        { HANDOVER_READY, 0, 1 },
        { HANDOVER_READY, 0, 100 },
        { HANDOVER_RING_DONE, 3, 0 },
        { HANDOVER_RING, sizeof(struct handover_ring), 1 },
        { HANDOVER_SOCKETS, 8, 2 },
        { HANDOVER_LOAD, sizeof bytes - sizeof(uint32_t), 0 },
        { HANDOVER_LOADED, sizeof(struct handover_identity) - 1, 3 },
    };
    size_t fds_before = count_open_fds();

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct handover message;
        enum packet_result result;

        memcpy(bytes, &cases[i].type, sizeof cases[i].type);
        send_raw(bytes, sizeof(uint32_t) + cases[i].body_bytes, cases[i].fd_count);
        result = handover_receive(channel[1], &message);
        packet_clear(&message.packet);
        ck_assert_msg(result == PACKET_BROKEN, "case %zu: got %d", i, result);
        ck_assert_msg(count_open_fds() == fds_before, "case %zu: descriptors stay open", i);
    }
    send_raw("abc", 3, 1);
    ck_assert(handover_receive(channel[1], &(struct handover){ 0 }) == PACKET_BROKEN);
}
END_TEST

START_TEST(the_end_of_the_other_side_shows)
{
    struct handover message;

    ck_assert(handover_receive(channel[1], &message) == PACKET_NOTHING);
    close(channel[0]);
    ck_assert(handover_receive(channel[1], &message) == PACKET_GONE);
    ck_assert(handover_send(channel[1], HANDOVER_READY, SLICE_EMPTY, NULL, 0) == PACKET_GONE);
    channel[0] = dup(channel[1]);
}
END_TEST

START_TEST(who_does_not_read_is_not_waited_for)
{
    enum packet_result result;
    int sent = 0;

    while ((result = handover_send(channel[0], HANDOVER_READY, SLICE_EMPTY, NULL, 0)) ==
           PACKET_DONE)
        sent++;
    ck_assert_msg(result == PACKET_NOTHING, "got %d after %d messages", result, sent);
    ck_assert_msg(sent > 50, "only %d messages fit", sent);
}
END_TEST

/* ---- memory_file ---- */

START_TEST(a_sealed_file_cannot_change_any_more)
{
    int fd = memory_file_seal("test", SLICE("the bytes"));
    struct slice bytes;

    ck_assert(fd >= 0);
    ck_assert(memory_file_map_sealed(fd, &bytes));
    ck_assert(slice_equals(bytes, SLICE("the bytes")));
    ck_assert(pwrite(fd, "x", 1, 0) < 0 && errno == EPERM);
    ck_assert(ftruncate(fd, 1) < 0 && errno == EPERM);
    ck_assert(ftruncate(fd, 100) < 0 && errno == EPERM);
    memory_file_unmap_sealed(&bytes);
    close(fd);
    fd = memory_file_seal("empty", SLICE_EMPTY);
    ck_assert(memory_file_map_sealed(fd, &bytes) && bytes.length == 0);
    close(fd);
}
END_TEST

START_TEST(only_sealed_files_are_mapped)
{
    struct slice bytes;
    int open_fd = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int shared_fd = memory_file_share("shared", 8192);
    void *memory = memory_file_map_shared(shared_fd, 8192);

    ck_assert(write(open_fd, "x", 1) == 1);
    ck_assert(!memory_file_map_sealed(open_fd, &bytes));
    ck_assert(!memory_file_map_sealed(STDERR_FILENO, &bytes));
    ck_assert(!memory_file_map_sealed(shared_fd, &bytes));
    ck_assert(memory_file_map_shared(open_fd, 1) == NULL);
    ck_assert(memory_file_map_shared(shared_fd, 8191) == NULL);
    ck_assert(memory != NULL);
    ck_assert_msg(ftruncate(shared_fd, 0) < 0, "its size can change under us");
    memory_file_unmap_shared(memory, 8192);
    close(shared_fd);
    close(open_fd);
}
END_TEST

/* ---- notice ---- */

START_TEST(notices_read_like_the_lines_about_mail)
{
    const struct notice_field fields[] = { { "listener", "in bound" }, { "address", "[::1]:25" } };
    static const struct {
        enum record_format format;
        struct slice message;
        const char *want; /* behind the time */
    } cases[] = {
        { RECORD_LOGFMT, BYTES("said \\\"no\\\""),
          " v=1 event=ready level=warning listener=\"in bound\" address=[::1]:25 "
          "text=\"said \\\"no\\\"\"\n" },
        { RECORD_LOGFMT, BYTES(""),
          " v=1 event=ready level=warning listener=\"in bound\" address=[::1]:25\n" },
        { RECORD_JSON, BYTES("a\\x0ab"),
          ",\"v\":1,\"event\":\"ready\",\"level\":\"warning\",\"listener\":\"in bound\","
          "\"address\":\"[::1]:25\",\"text\":\"a\\\\x0ab\"}\n" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t skipped = cases[i].format == RECORD_JSON ? 32 : 27;
        struct text out;

        text_init(&out, NOTICE_MAX_BYTES);
        notice_print(&out, cases[i].format, LOG_LEVEL_WARNING, "ready", fields, 2,
                     cases[i].message);
        ck_assert_msg(strcmp(text_string(&out) + skipped, cases[i].want) == 0,
                      "case %zu: got %s, want %s", i, text_string(&out) + skipped, cases[i].want);
        text_clear(&out);
    }
}
END_TEST

/* ---- disk ---- */

static void put_file(const char *path, const char *bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    ck_assert(fd >= 0 && write(fd, bytes, strlen(bytes)) == (ssize_t)strlen(bytes));
    close(fd);
}

START_TEST(files_and_patterns_are_fetched_and_nothing_else)
{
    char folder[] = "/tmp/postern-unit-XXXXXX";
    char *bytes;
    size_t length;
    struct text problem;

    ck_assert(mkdtemp(folder) != NULL && chdir(folder) == 0);
    text_init(&problem, 200);
    put_file("b.conf", "two\n");
    put_file("a.conf", "one\n");
    ck_assert(disk_fetch(NULL, "a.conf", false, &bytes, &length, &problem));
    ck_assert(length == 4 && memcmp(bytes, "one\n", 4) == 0);
    mem_free(bytes);
    ck_assert(disk_fetch(NULL, "*.conf", true, &bytes, &length, &problem));
    ck_assert_str_eq(bytes, "a.conf\nb.conf\n");
    mem_free(bytes);
    ck_assert(disk_fetch(NULL, "*.none", true, &bytes, &length, &problem) && length == 0);
    mem_free(bytes);
    ck_assert(!disk_fetch(NULL, "none", false, &bytes, &length, &problem));
    unit_expect_text("problem", &problem, SLICE("No such file or directory"));
    text_reset(&problem);
    ck_assert(!disk_fetch(NULL, ".", false, &bytes, &length, &problem));
    unit_expect_text("problem", &problem, SLICE("Is a directory"));
    text_reset(&problem);
    ck_assert(mkfifo("pipe", 0600) == 0);
    ck_assert_msg(!disk_fetch(NULL, "pipe", false, &bytes, &length, &problem), "a pipe was read");
    unlink("pipe");
    unlink("a.conf");
    unlink("b.conf");
    rmdir(folder);
    text_clear(&problem);
}
END_TEST

/* ---- log_output ---- */

static struct loop *loop;
static int ready_count;

static void on_ready(void *owner)
{
    (void)owner;
    ready_count++;
    loop_stop(loop);
}

static void open_loop(void)
{
    loop = loop_new();
    ready_count = 0;
}

static void close_loop(void)
{
    loop_free(&loop);
}

START_TEST(a_full_pipe_takes_what_fits_and_says_when_there_is_room)
{
    int ends[2];
    char lines[100 * 1000];
    char taken[sizeof lines];
    struct log_output *output;
    size_t written;

    memset(lines, 'x', sizeof lines);
    ck_assert(pipe(ends) == 0);
    output = log_output_new(loop, LOG_TARGET_STDERR, ends[1], NULL, NULL, on_ready, NULL);
    written = log_output_write(output, (struct slice){ lines, sizeof lines });
    ck_assert_msg(written > 4096 && written < sizeof lines, "got %zu bytes out", written);
    ck_assert(read(ends[0], taken, sizeof taken) == (ssize_t)written);
    loop_run(loop);
    ck_assert_int_eq(ready_count, 1);
    ck_assert_uint_eq(log_output_write(output, (struct slice){ lines, 10 }), 10);
    log_output_free(&output);
    close(ends[0]);
}
END_TEST

START_TEST(a_device_that_is_full_is_tried_again)
{
    int fd = open("/dev/full", O_WRONLY);
    struct log_output *output =
        log_output_new(loop, LOG_TARGET_FILE, fd, NULL, NULL, on_ready, NULL);

    ck_assert(fd >= 0);
    ck_assert_uint_eq(log_output_write(output, SLICE("line\n")), 0);
    loop_run(loop);
    ck_assert_int_eq(ready_count, 1);
    ck_assert_uint_eq(log_output_write(output, SLICE("line\n")), 0);
    log_output_free(&output);
}
END_TEST

START_TEST(syslog_gets_a_datagram_for_each_line)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char datagram[300];
    int server = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct log_output *output;

    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/postern-unit-%ld.log",
             (long)getpid());
    output = log_output_new(loop, LOG_TARGET_SYSLOG, -1, address.sun_path, "mail", on_ready, NULL);
    ck_assert_msg(log_output_write(output, SLICE("none\n")) == 0, "written to nobody");
    ck_assert(bind(server, (struct sockaddr *)&address, sizeof address) == 0);
    ck_assert_uint_eq(log_output_write(output, SLICE("one two\nthree\n")), 14);
    memset(datagram, 0, sizeof datagram);
    ck_assert(recv(server, datagram, sizeof datagram - 1, 0) > 0);
    ck_assert_msg(strncmp(datagram, "<22>", 4) == 0 && strlen(datagram) == 4 + 16 + 10 + 7 &&
                      strcmp(datagram + 20, "posternd: one two") == 0, "got %s", datagram);
    memset(datagram, 0, sizeof datagram);
    ck_assert(recv(server, datagram, sizeof datagram - 1, 0) > 0);
    ck_assert_msg(strcmp(datagram + 20, "posternd: three") == 0, "got %s", datagram);
    log_output_free(&output);
    close(server);
    unlink(address.sun_path);
}
END_TEST

START_TEST(facilities_have_their_numbers)
{
    unsigned int number = 0;

    ck_assert(log_output_find_facility(SLICE("mail"), &number) && number == 2);
    ck_assert(log_output_find_facility(SLICE("local7"), &number) && number == 23);
    ck_assert(!log_output_find_facility(SLICE("kern"), &number));
    ck_assert(!log_output_find_facility(SLICE(""), &number));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon");
    TCase *pure = tcase_create("pure");
    TCase *messages = tcase_create("messages");
    TCase *outputs = tcase_create("outputs");

    signal(SIGPIPE, SIG_IGN);
    tcase_add_test(pure, every_socket_is_polled_by_a_live_worker_whoever_dies);
    tcase_add_test(pure, nobody_polls_when_nobody_is_alive);
    tcase_add_test(pure, a_death_moves_only_the_sockets_of_the_dead);
    tcase_add_test(pure, only_who_dies_often_waits);
    tcase_add_test(pure, a_sealed_file_cannot_change_any_more);
    tcase_add_test(pure, only_sealed_files_are_mapped);
    tcase_add_test(pure, notices_read_like_the_lines_about_mail);
    tcase_add_test(pure, files_and_patterns_are_fetched_and_nothing_else);
    suite_add_tcase(suite, pure);
    tcase_add_checked_fixture(messages, open_channel, close_channel);
    tcase_add_test(messages, a_message_arrives_with_its_body_and_descriptors);
    tcase_add_test(messages, text_travels_behind_the_struct);
    tcase_add_test(messages, a_message_of_the_wrong_shape_is_not_sent);
    tcase_add_test(messages, rubbish_is_refused_whole_and_leaves_no_descriptor_open);
    tcase_add_test(messages, the_end_of_the_other_side_shows);
    tcase_add_test(messages, who_does_not_read_is_not_waited_for);
    suite_add_tcase(suite, messages);
    tcase_add_checked_fixture(outputs, open_loop, close_loop);
    tcase_add_test(outputs, a_full_pipe_takes_what_fits_and_says_when_there_is_room);
    tcase_add_test(outputs, a_device_that_is_full_is_tried_again);
    tcase_add_test(outputs, syslog_gets_a_datagram_for_each_line);
    tcase_add_test(outputs, facilities_have_their_numbers);
    suite_add_tcase(suite, outputs);
    return unit_run(suite);
}

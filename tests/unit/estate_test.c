/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/estate: what one program leaves to the next, whole and damaged in every way. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "daemon/estate.h"
#include "record/record.h"
#include "unit.h"

/* Where things stand in the bytes: the mark, the version, and then the speech. */
#define VERSION_PLACE 16
#define SPEECH_PLACE 24

static struct text bytes;
static struct text problem;

static void begin(void)
{
    text_init(&bytes, TEXT_MAX_LENGTH);
    text_init(&problem, 500);
}

static void finish(void)
{
    text_clear(&bytes);
    text_clear(&problem);
}

static struct ip_endpoint endpoint(const char *text)
{
    struct ip_endpoint parsed;

    ck_assert(ip_endpoint_parse(slice_from(text), &parsed));
    return parsed;
}

static void add_log(struct estate_log *log)
{
    log->logger = (struct estate_child){ .pid = 101, .channel = 11 };
    log->identity = (struct handover_identity){ .is_changed = 1, .user = 65534, .group = 65534,
                                                .group_count = 2, .groups = { 65534, 8 } };
    log->output = (struct handover_output){ .target = LOG_TARGET_FILE, .format = RECORD_JSON,
                                            .facility = "mail" };
    log->path = mem_copy(SLICE("/var/log/postern.log"));
    log->file_fd = 12;
    log->wake_fd = 13;
    log->last_ring = 9;
    log->ring_count = 2;
    log->rings = mem_new_array(2, sizeof(*log->rings));
    log->rings[0] = (struct estate_ring){ { 65536, 8, "worker 1" }, 14, 15 };
    log->rings[1] = (struct estate_ring){ { 65536, 9, "worker 2" }, 16, 17 };
}

static void add_sockets(struct estate_sockets *sockets)
{
    sockets->last_group = 7;
    sockets->inherited_count = 1;
    sockets->inherited = mem_new_array(1, sizeof(*sockets->inherited));
    sockets->inherited[0] = (struct estate_inherited){ mem_copy(SLICE("smtp")), 3 };
    sockets->address_count = 2;
    sockets->addresses = mem_new_array(2, sizeof(*sockets->addresses));
    sockets->addresses[0] = (struct estate_address){
        .group = 5, .listener = mem_copy(SLICE("inbound")), .wanted = endpoint("127.0.0.1:0"),
        .bound = endpoint("127.0.0.1:2525"), .ordinal = 1, .is_told = true };
    sockets->addresses[1] = (struct estate_address){
        .group = 7, .listener = mem_copy(SLICE("other")), .socket_name = mem_copy(SLICE("smtp")),
        .bound = endpoint("[::1]:25") };
    sockets->slot_count = 3;
    sockets->slots = mem_new_array(3, sizeof(*sockets->slots));
    sockets->slots[0] = (struct estate_slot){ .id = 0, .group = 5, .owner = 4, .fd = 18 };
    sockets->slots[1] = (struct estate_slot){ .id = 2, .group = 5, .owner = 6, .fd = 19 };
    sockets->slots[2] = (struct estate_slot){ .id = 1, .group = 7, .inherited = 1, .fd = -1 };
}

static void add_generation(struct estate_generation *generation)
{
    generation->number = 3;
    generation->ring_bytes = 65536;
    generation->drain_ms = 60000;
    generation->blueprint = (struct blueprint){ .sources_fd = 20, .secrets_fd = 21,
                                                .spool_fd = 22, .quarantine_fd = 31 };
    generation->use_count = 2;
    generation->uses = mem_new_array(2, sizeof(*generation->uses));
    generation->uses[0] = (struct socket_use){ .group = 5, .listener_index = 0 };
    generation->uses[1] = (struct socket_use){ .group = 7, .listener_index = 1 };
    generation->seat_count = 3;
    generation->seats = mem_new_array(3, sizeof(*generation->seats));
    generation->seats[0] = (struct estate_seat){ 1, { 102, 23 }, 4, 24, true };
    generation->seats[1] = (struct estate_seat){ 0, { 0, -1 }, 0, -1, false };
    generation->seats[2] = (struct estate_seat){ 3, { 103, -1 }, 6, 25, false };
}

static void add_keepers(struct estate_keepers *keepers)
{
    keepers->count = 2;
    keepers->children = mem_new_array(2, sizeof(*keepers->children));
    keepers->children[0] = (struct estate_child){ 105, -1 };
    keepers->children[1] = (struct estate_child){ 104, 32 };
    keepers->has_current = true;
}

static void make_estate(struct estate *estate)
{
    estate_init(estate);
    estate->pid = 100;
    estate->version = mem_copy(SLICE("0.1.0"));
    estate->path = mem_copy(SLICE("/etc/postern/postern.conf"));
    estate->program = mem_copy(SLICE("/usr/sbin/posternd"));
    estate->is_upgrade_wanted = true;
    estate->presence_fd = 33;
    estate->presence_secret[1] = 7;
    estate->ticket_ms = 7200000;
    memset(estate->hash_key, 'h', sizeof estate->hash_key);
    memset(estate->ticket_keys.bytes, 't', sizeof estate->ticket_keys.bytes);
    add_log(&estate->log);
    add_keepers(&estate->keepers);
    add_sockets(&estate->sockets);
    add_generation(&estate->generation);
}

static void print_good_one(void)
{
    struct estate estate;

    make_estate(&estate);
    estate_print(&estate, &bytes);
    estate_clear(&estate);
}

/* Parses what stands in `bytes`, or the first part of it. */
static bool parse(size_t length, struct estate *estate)
{
    /* On the heap, and no byte longer: so a sanitizer sees each read behind the end. */
    char *copy = mem_copy(slice_until(text_slice(&bytes), length));
    bool is_fine;

    estate_init(estate);
    text_reset(&problem);
    is_fine = estate_parse((struct slice){ copy, length }, estate, &problem);
    mem_free(copy);
    return is_fine;
}

static void expect_strings(const struct estate *got)
{
    ck_assert_str_eq(got->version, "0.1.0");
    ck_assert_str_eq(got->path, "/etc/postern/postern.conf");
    ck_assert_str_eq(got->program, "/usr/sbin/posternd");
    ck_assert_str_eq(got->log.path, "/var/log/postern.log");
    ck_assert_str_eq(got->log.rings[1].head.label, "worker 2");
    ck_assert_str_eq(got->sockets.addresses[0].listener, "inbound");
    ck_assert_ptr_null(got->sockets.addresses[0].socket_name);
    ck_assert_str_eq(got->sockets.addresses[1].socket_name, "smtp");
    ck_assert_str_eq(got->sockets.inherited[0].name, "smtp");
}

START_TEST(what_is_written_is_read_back)
{
    struct estate got;
    struct text again;

    print_good_one();
    ck_assert_msg(parse(bytes.length, &got), "%s", text_string(&problem));
    expect_strings(&got);
    ck_assert_uint_eq(got.pid, 100);
    ck_assert(got.is_upgrade_wanted && !got.is_debug && got.notify_fd == -1);
    ck_assert(got.hash_key[31] == 'h' && got.ticket_keys.bytes[0] == 't');
    ck_assert(got.log.identity.group_count == 2 && got.log.identity.groups[1] == 8);
    ck_assert(got.sockets.addresses[0].bound.port == 2525 && got.sockets.addresses[0].is_told);
    ck_assert(got.sockets.slots[1].id == 2 && got.sockets.slots[1].owner == 6);
    ck_assert(got.sockets.slots[2].inherited == 1 && got.sockets.slots[2].fd == -1);
    ck_assert(got.generation.seats[0].child.channel == 23 && got.generation.seats[0].is_ready);
    ck_assert(got.generation.seats[2].child.channel == -1 && got.generation.seats[2].worker == 6);
    ck_assert(got.presence_secret[1] == 7 && got.generation.seats[2].table == 3);
    ck_assert(got.keepers.count == 2 && got.keepers.has_current);
    ck_assert(got.keepers.children[0].pid == 105 && got.keepers.children[1].channel == 32);
    ck_assert_int_eq(got.generation.blueprint.quarantine_fd, 31);
    ck_assert_uint_eq(got.fd_count, 19);
    text_init(&again, TEXT_MAX_LENGTH);
    estate_print(&got, &again);
    ck_assert(slice_equals(text_slice(&again), text_slice(&bytes)));
    text_clear(&again);
    estate_clear(&got);
}
END_TEST

START_TEST(an_estate_that_ends_too_early_or_too_late_is_refused)
{
    struct estate estate;

    print_good_one();
    for (size_t length = 0; length < bytes.length; length++) {
        ck_assert_msg(!parse(length, &estate), "its first %zu bytes were taken for the whole",
                      length);
        ck_assert(problem.length > 0);
        estate_clear(&estate);
    }
    text_add_byte(&bytes, '\0');
    ck_assert_msg(!parse(bytes.length, &estate), "what stands behind it was not seen");
    estate_clear(&estate);
}
END_TEST

/* Whatever is still taken is what it says, and nothing else: it is the same when written again. */
static void expect_same_again(struct estate *estate, size_t place)
{
    struct text again;

    text_init(&again, TEXT_MAX_LENGTH);
    estate_print(estate, &again);
    ck_assert_msg(slice_equals(text_slice(&again), text_slice(&bytes)), "changed at %zu", place);
    text_clear(&again);
}

START_TEST(a_changed_byte_is_refused_or_is_another_estate)
{
    static const unsigned char changes[] = { 0x01, 0x80, 0xff };
    struct estate estate;

    print_good_one();
    for (size_t place = 0; place < bytes.length; place++) {
        for (size_t i = 0; i < COUNT(changes); i++) {
            bytes.data[place] ^= (char)changes[i];
            if (parse(bytes.length, &estate))
                expect_same_again(&estate, place);
            estate_clear(&estate);
            bytes.data[place] ^= (char)changes[i];
        }
    }
}
END_TEST

/* Every eight bytes become the largest number there is: lengths, counts, descriptors and all. */
START_TEST(numbers_without_a_measure_are_refused)
{
    struct estate estate;
    char before[8];

    print_good_one();
    for (size_t place = 0; place + sizeof before <= bytes.length; place++) {
        memcpy(before, bytes.data + place, sizeof before);
        memset(bytes.data + place, 0xff, sizeof before);
        if (parse(bytes.length, &estate))
            expect_same_again(&estate, place);
        estate_clear(&estate);
        memcpy(bytes.data + place, before, sizeof before);
    }
}
END_TEST

/* ---- What does not fit together. */

static void spoil_version(struct estate *estate) { (void)estate; bytes.data[VERSION_PLACE]++; }
static void spoil_speech(struct estate *estate) { (void)estate; bytes.data[SPEECH_PLACE + 8]++; }
static void spoil_ring(struct estate *estate) { (void)estate; bytes.data[SPEECH_PLACE]++; }
static void spoil_mark(struct estate *estate) { (void)estate; bytes.data[0]++; }
static void no_pid(struct estate *estate) { estate->pid = 0; }
static void init_as_logger(struct estate *estate) { estate->log.logger.pid = 1; }
static void two_pids(struct estate *estate) { estate->log.logger.pid = 103; }
static void own_pid(struct estate *estate) { estate->generation.seats[0].child.pid = 100; }
static void two_fds(struct estate *estate) { estate->log.wake_fd = 20; }
static void channel_twice(struct estate *estate) { estate->notify_fd = 23; }
static void standard_fd(struct estate *estate) { estate->log.wake_fd = 2; }
static void keeper_is_worker(struct estate *estate) { estate->keepers.children[0].pid = 102; }
static void no_keeper_process(struct estate *estate) { estate->keepers.children[1].pid = 0; }
static void no_keeper(struct estate *estate) { estate->keepers.count = 0; }
static void no_spool(struct estate *estate) { estate->generation.blueprint.spool_fd = -1; }
static void no_log_file(struct estate *estate) { estate->log.file_fd = -1; }
static void file_to_stderr(struct estate *estate) { estate->log.output.target = 0; }
static void unknown_target(struct estate *estate) { estate->log.output.target = 3; }
static void unknown_format(struct estate *estate) { estate->log.output.format = 2; }
static void many_groups(struct estate *estate) { estate->sockets.slots[0].group = 8; }
static void stray_slot(struct estate *estate) { estate->sockets.slots[0].group = 6; }
static void slot_twice(struct estate *estate) { estate->sockets.slots[1].id = 0; }
static void own_in_named(struct estate *estate) { estate->sockets.slots[0].group = 7; }
static void group_twice(struct estate *estate) { estate->sockets.addresses[0].group = 7; }
static void stray_use(struct estate *estate) { estate->generation.uses[0].group = 8; }
static void no_seats(struct estate *estate) { estate->generation.seat_count = 0; }
static void worker_twice(struct estate *estate) { estate->generation.seats[2].worker = 4; }
static void ready_nobody(struct estate *estate) { estate->generation.seats[1].is_ready = true; }
static void large_ring(struct estate *estate) { estate->log.rings[0].head.ring_bytes = 1ull << 40; }

static void large_id(struct estate *estate)
{
    estate->sockets.slots[0].id = HANDOVER_MAX_SLOTS;
}

static void no_name(struct estate *estate)
{
    mem_free(estate->version);
    estate->version = NULL;
}

START_TEST(what_does_not_fit_together_is_refused)
{
    static const struct {
        void (*spoil)(struct estate *estate);
        bool is_in_bytes; /* after it is written */
        const char *want;
    } cases[] = {
        { spoil_mark, true, "none at all" },
        { spoil_version, true, "a way that this version does not know" },
        { spoil_speech, true, "speak in another way" },
        { spoil_ring, true, "speak in another way" },
        { no_pid, false, "a process" },
        { init_as_logger, false, "none of ours" },
        { two_pids, false, "a process is there twice" },
        { own_pid, false, "a process is there twice" },
        { keeper_is_worker, false, "a process is there twice" },
        { no_keeper_process, false, "none of ours" },
        { no_keeper, false, "a keeper is missing" },
        { two_fds, false, "a descriptor is there twice" },
        { channel_twice, false, "a descriptor is there twice" },
        { standard_fd, false, "standard" },
        { no_spool, false, "a descriptor is missing" },
        { no_log_file, false, "a descriptor is missing" },
        { file_to_stderr, false, "log goes nowhere" },
        { unknown_target, false, "log goes nowhere" },
        { unknown_format, false, "log goes nowhere" },
        { many_groups, false, "too large" },
        { stray_slot, false, "do not belong" },
        { slot_twice, false, "do not belong" },
        { own_in_named, false, "do not belong" },
        { group_twice, false, "do not belong" },
        { stray_use, false, "too large" },
        { no_seats, false, "not numbered" },
        { worker_twice, false, "not numbered" },
        { ready_nobody, false, "by half" },
        { large_ring, false, "too large" },
        { large_id, false, "too large" },
        { no_name, false, "a name is missing" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct estate estate;

        make_estate(&estate);
        text_reset(&bytes);
        if (!cases[i].is_in_bytes)
            cases[i].spoil(&estate);
        estate_print(&estate, &bytes);
        estate_clear(&estate);
        if (cases[i].is_in_bytes)
            cases[i].spoil(NULL);
        ck_assert_msg(!parse(bytes.length, &estate), "case %zu (%s) is taken", i, cases[i].want);
        ck_assert_msg(strstr(text_string(&problem), cases[i].want) != NULL,
                      "case %zu: got \"%s\", want \"%s\"", i, text_string(&problem),
                      cases[i].want);
        estate_clear(&estate);
    }
}
END_TEST

START_TEST(descriptors_stay_open_as_long_as_they_are_kept)
{
    struct estate estate = { .fd_count = 2 };
    int ends[2];

    ck_assert(pipe(ends) == 0);
    estate.fds = ends;
    ck_assert(estate_keep_fds(&estate, false));
    ck_assert((fcntl(ends[0], F_GETFD) & FD_CLOEXEC) != 0);
    ck_assert(estate_keep_fds(&estate, true));
    ck_assert((fcntl(ends[1], F_GETFD) & FD_CLOEXEC) == 0);
    close(ends[0]);
    ck_assert_msg(!estate_keep_fds(&estate, false), "one is closed, and that was not seen");
    ck_assert_msg((fcntl(ends[1], F_GETFD) & FD_CLOEXEC) != 0, "the other was forgotten");
    close(ends[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("estate");
    TCase *estates = tcase_create("estates");

    tcase_add_checked_fixture(estates, begin, finish);
    tcase_add_test(estates, what_is_written_is_read_back);
    tcase_add_test(estates, an_estate_that_ends_too_early_or_too_late_is_refused);
    tcase_add_test(estates, a_changed_byte_is_refused_or_is_another_estate);
    tcase_add_test(estates, numbers_without_a_measure_are_refused);
    tcase_add_test(estates, what_does_not_fit_together_is_refused);
    tcase_add_test(estates, descriptors_stay_open_as_long_as_they_are_kept);
    suite_add_tcase(suite, estates);
    return unit_run(suite);
}

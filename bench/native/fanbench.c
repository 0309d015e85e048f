/* fanbench: holds N long polls open on loopback, publishes, and times every delivery.
 *
 * One epoll loop, any server that speaks HTTP/1.1: an answer ends a poll, and the client polls again with what it was told.
 * A token, "tok-<nanoseconds>-", stands for {token} in the body of a publish; an answer that holds it is a delivery.
 * The result is one line of JSON.
 *
 * Placeholders in --path and --send-body: {i} the number of the poll, {cursor} what was last told, {v} line i of --var-file.
 *
 *     --cursor-key K   {cursor} is the JSON string or number after "K":
 *     --tags           send Last-Modified and Etag back as If-Modified-Since and If-None-Match
 *     --send-body B    a poll is a POST of B
 *     --held R         after the rounds, R more in which nobody polls again until all have their answer: what a delivery costs
 *                      without the next poll, and what the poll costs
 *     --rate E         no rounds: E publishes a second for --seconds
 *     --port, --pid    may be several, separated by commas
 *     --sources K      connect from 127.0.0.1 to 127.0.0.K, so that ports do not run short
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <sys/resource.h>

#include "polls.h"

/* Until the server takes less than `rest` of a core for the time of a window, or `most` seconds have passed. */
static void wait_for_server(double window, double rest, double most)
{
    double deadline = now() + most, share = 1;
    while (share > rest && now() < deadline) {
        double began = now(), before = cpu_seconds(&server);
        pump(began + window, -1);
        share = (cpu_seconds(&server) - before) / (now() - began);
    }
}

/* Return when all polls are parked. */
static void wait_until_parked(void)
{
    pump(now() + settle_ms / 1e3, -1);
    wait_for_server(0.25, 0.05, 30);
}

static void wait_after_round(void)
{
    pump(now() + settle_ms / 1e3, -1);
    wait_for_server(0.05, 0.2, 5);
}

static void round_of(double *last)
{
    for (int k = 0; k < number; k++)
        polls[k].got = false;
    hits = 0;
    size_t first = time_number;
    double began = now();
    publish(0);
    pump(began + timeout_s, number);
    *last = 0;
    for (size_t k = first; k < time_number; k++)
        if (times[k] > *last)
            *last = times[k];
}

/* CPU seconds of the deliveries in [0] and of the polls after them in [1]. */
static void held_rounds_cost(double cost[2])
{
    double ignored;
    for (int k = 0; k < held_rounds; k++) {
        double before = cpu_seconds(&server);
        hold = true;
        round_of(&ignored);
        pump(now() + 0.02, -1);
        hold = false;
        double between = cpu_seconds(&server);
        for (int i = 0; i < number; i++)
            if (polls[i].held) {
                polls[i].held = false;
                ask(i);
            }
        wait_after_round();
        cost[0] += between - before;
        cost[1] += cpu_seconds(&server) - between;
    }
}

static long publish_at_rate(void)
{
    double began = now();
    long sent = 0;
    hits = 0;
    for (; sent < (long)(rate * seconds); sent++) {
        pump(began + (double)sent / rate, -1);
        publish((int)(sent % PUBLISHERS));
    }
    pump(now() + 2.0, -1);
    return sent;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile_ms(double share)
{
    return time_number ? times[(size_t)((double)(time_number - 1) * share)] * 1e3 : 0;
}

static void read_variables(const char *name)
{
    FILE *file = fopen(name, "r");
    char *line = NULL;
    size_t size = 0;
    if (!file)
        fail(name);
    while (getline(&line, &size, file) > 0) {
        line[strcspn(line, "\n")] = 0;
        variables = realloc(variables, (size_t)(variable_number + 1) * sizeof *variables);
        variables[variable_number++] = strdup(line);
    }
    fclose(file);
}

static bool take_option(int letter, const char *value)
{
    switch (letter) {
    case 'p': port_number = numbers(value, ports, 8); break;
    case 'i': server.number = numbers(value, server.ids, 8); break;
    case 'n': number = atoi(value); break;
    case 'r': rounds = atoi(value); break;
    case 'h': held_rounds = atoi(value); break;
    case 's': settle_ms = atoi(value); break;
    case 'R': ramp = atoi(value); break;
    case 'S': sources = atoi(value); break;
    case 't': timeout_s = atoi(value); break;
    case 'x': seconds = atoi(value); break;
    case 'y': rate = atof(value); break;
    case 'P': path = value; break;
    case 'B': send_body = value; break;
    case 'c': cursor_key = value; break;
    case 'd': pub_path = value; break;
    case 'e': pub_body = value; break;
    case 'g': pub_headers[pub_header_number++ % 8] = value; break;
    case 'V': read_variables(value); break;
    case 'T': tags = true; break;
    default: return false;
    }
    return true;
}

static bool take_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"port", 1, 0, 'p'},       {"pid", 1, 0, 'i'},       {"conns", 1, 0, 'n'},    {"rounds", 1, 0, 'r'},
        {"held", 1, 0, 'h'},       {"settle", 1, 0, 's'},    {"ramp", 1, 0, 'R'},     {"sources", 1, 0, 'S'},
        {"timeout", 1, 0, 't'},    {"seconds", 1, 0, 'x'},   {"rate", 1, 0, 'y'},     {"path", 1, 0, 'P'},
        {"send-body", 1, 0, 'B'},  {"cursor-key", 1, 0, 'c'}, {"pub-path", 1, 0, 'd'}, {"pub-body", 1, 0, 'e'},
        {"pub-header", 1, 0, 'g'}, {"var-file", 1, 0, 'V'},  {"tags", 0, 0, 'T'},     {0}};
    int letter;
    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1)
        if (!take_option(letter, optarg))
            return false;
    return port_number > 0 && number > 0 && sources > 0;
}

static double open_all(void)
{
    double began = now();
    for (int k = 0; k < PUBLISHERS; k++)
        publishers[k] = -1;
    for (int k = 0; k < number; k++) {
        open_poll(k);
        if (k % ramp == ramp - 1) {
            pump(now() + 0.02, -1);
            wait_for_server(0.01, 0.3, 1); /* a server that is flooded keeps the memory of the flood */
        }
    }
    return now() - began;
}

static void report(double opened, const long rss[2], double cpu, const double held[2], long sent)
{
    double held_deliveries = held_rounds ? (double)number * held_rounds : 1;
    qsort(times, time_number, sizeof *times, ascending);
    printf("{\"conns\": %d, \"sent\": %ld, \"delivered\": %ld, \"errors\": %ld, \"reconnects\": %ld, ", number, sent,
           delivered, errors, reconnects);
    printf("\"open_s\": %.3f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"worst_ms\": %.3f, ", opened, percentile_ms(0.5),
           percentile_ms(0.99), percentile_ms(1));
    printf("\"cpu_s\": %.6f, \"deliver_us\": %.3f, \"poll_us\": %.3f, ", cpu, held[0] / held_deliveries * 1e6,
           held[1] / held_deliveries * 1e6);
    printf("\"rss_kib\": [%ld, %ld], \"last_ms\": [", rss[0], rss[1]);
    for (int k = 0; rate <= 0 && k < rounds; k++)
        printf("%s%.3f", k ? ", " : "", lasts[k] * 1e3);
    printf("]}\n");
}

int main(int argc, char **argv)
{
    struct rlimit files;
    if (!take_options(argc, argv)) {
        fprintf(stderr, "usage: fanbench --port PORT [--conns N] [--rounds R] … (see the head of fanbench.c)\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    polls = calloc((size_t)number, sizeof *polls);
    lasts = calloc((size_t)rounds + 1, sizeof *lasts);
    poller = epoll_create1(0);
    hits = -2; /* until a round counts them */

    long rss[2] = {resident_kib(&server), 0}, sent = rounds;
    double opened = open_all();
    wait_until_parked();
    rss[1] = resident_kib(&server);

    double before = cpu_seconds(&server), held[2] = {0, 0};
    if (rate > 0)
        sent = publish_at_rate();
    for (int k = 0; rate <= 0 && k < rounds; k++) {
        round_of(&lasts[k]);
        wait_after_round();
    }
    double cpu = cpu_seconds(&server) - before;
    size_t counted = time_number;
    long counted_deliveries = delivered;
    held_rounds_cost(held);
    time_number = counted;
    delivered = counted_deliveries;
    report(opened, rss, cpu, held, sent);
    return 0;
}

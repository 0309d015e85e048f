/* The polls of fanbench, its publishers, and the one loop that serves both. */
#ifndef FANBENCH_POLLS_H
#define FANBENCH_POLLS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http.h"
#include "process.h"

#define PUBLISHERS 16
#define PUBLISHER_BIT 0x80000000u

struct poll {
    int fd;
    bool got, held;
    char cursor[2048], modified[64], tag[64];
    char *buffer;
    size_t length, size;
};

static struct poll *polls;
static int number = 1000, rounds = 5, held_rounds, settle_ms = 200, ramp = 100, sources = 1, timeout_s = 20, seconds = 10;
static double rate;
static const char *path = "/", *send_body, *cursor_key, *pub_path = "/pub", *pub_body = "{token}";
static const char *pub_headers[8];
static int pub_header_number, ports[8], port_number, poller, variable_number;
static char **variables;
static bool tags, hold;
static struct processes server;
static int publishers[PUBLISHERS];
static char token[64];
static int hits;
static long errors, reconnects, delivered;
static double *times, *lasts;
static size_t time_number, time_size;

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

static void note_time(double took)
{
    if (time_number == time_size) {
        time_size = time_size ? time_size * 2 : 65536;
        times = realloc(times, time_size * sizeof *times);
    }
    times[time_number++] = took;
}

static int dial(int index)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(index % sources))};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    to.sin_port = htons((uint16_t)ports[index % port_number]);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (fd < 0 || bind(fd, (void *)&from, sizeof from) || connect(fd, (void *)&to, sizeof to))
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void watch(int fd, uint32_t name)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = name};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

static void ask(int index)
{
    struct poll *poll = &polls[index];
    char text[16], place[6144], body[6144], request[16384];
    snprintf(text, sizeof text, "%d", index);
    const struct placeholder known[] = {
        {"{i}", text}, {"{cursor}", poll->cursor}, {"{v}", variable_number ? variables[index % variable_number] : ""}, {0}};
    fill(place, sizeof place, path, known);
    int used = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", send_body ? "POST" : "GET", place);
    if (tags && poll->modified[0])
        used += snprintf(request + used, sizeof request - (size_t)used, "If-Modified-Since: %s\r\nIf-None-Match: %s\r\n",
                         poll->modified, poll->tag);
    size_t length = send_body ? fill(body, sizeof body, send_body, known) : 0;
    if (send_body)
        used += snprintf(request + used, sizeof request - (size_t)used,
                         "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", length, body);
    else
        used += snprintf(request + used, sizeof request - (size_t)used, "\r\n");
    if (write(poll->fd, request, (size_t)used) != used)
        errors++;
}

static void open_poll(int index)
{
    polls[index].fd = dial(index);
    watch(polls[index].fd, (uint32_t)index);
    ask(index);
}

static void take_cursor(struct poll *poll, const char *body)
{
    char key[96];
    const char *last = NULL;
    snprintf(key, sizeof key, "\"%s\":", cursor_key);
    for (const char *at = body; (at = strstr(at, key)); at += strlen(key))
        last = at + strlen(key);
    if (!last)
        return;
    last += strspn(last, " ");
    if (*last == '"')
        copy_until(poll->cursor, sizeof poll->cursor, last + 1, "\"");
    else
        copy_until(poll->cursor, sizeof poll->cursor, last, ",}] ");
}

static void take_tokens(struct poll *poll, const char *body, double at)
{
    if (rate > 0) {
        for (const char *found = body; (found = strstr(found, "tok-")); found += 4, delivered++)
            note_time(at - strtod(found + 4, NULL) / 1e9);
    } else if (!poll->got && token[0] && strstr(body, token)) {
        poll->got = true;
        hits++;
        delivered++;
        note_time(at - strtod(token + 4, NULL) / 1e9);
    }
}

static void answered(int index, const char *body, double at)
{
    struct poll *poll = &polls[index];
    int status = atoi(poll->buffer + 9);
    if (status != 200 && status != 204 && status != 304 && errors++ < 3)
        fprintf(stderr, "unexpected: %.200s\n", poll->buffer);
    take_tokens(poll, body, at);
    if (cursor_key)
        take_cursor(poll, body);
    if (tags && header(poll->buffer, "Last-Modified")) {
        copy_until(poll->modified, sizeof poll->modified, header(poll->buffer, "Last-Modified"), "\r");
        copy_until(poll->tag, sizeof poll->tag, header(poll->buffer, "Etag"), "\r");
    }
}

static bool receive(struct poll *poll)
{
    for (;;) {
        if (poll->size - poll->length < 4096) {
            poll->size = poll->size ? poll->size * 2 : 4096 + 1;
            poll->buffer = realloc(poll->buffer, poll->size);
        }
        size_t space = poll->size - poll->length - 1;
        ssize_t got = read(poll->fd, poll->buffer + poll->length, space);
        if (got < 0 && errno == EAGAIN)
            return true;
        if (got <= 0)
            return false;
        poll->length += (size_t)got;
        poll->buffer[poll->length] = 0;
        if ((size_t)got < space)
            return true;
    }
}

static void poll_readable(int index, double at)
{
    struct poll *poll = &polls[index];
    const char *body;
    size_t whole;
    if (!receive(poll)) {
        close(poll->fd);
        reconnects++;
        poll->length = 0;
        open_poll(index);
        return;
    }
    while (poll->length && (whole = answer_length(poll->buffer, poll->length, &body))) {
        char next = poll->buffer[whole];
        poll->buffer[whole] = 0;
        answered(index, body, at);
        poll->buffer[whole] = next;
        poll->length -= whole;
        memmove(poll->buffer, poll->buffer + whole, poll->length);
        poll->buffer[poll->length] = 0;
        if (hold)
            poll->held = true;
        else
            ask(index);
    }
}

static void publisher_readable(int which)
{
    char answer[65536];
    ssize_t length = read(publishers[which], answer, sizeof answer - 1);
    if (length == 0) {
        close(publishers[which]);
        publishers[which] = -1;
    }
    if (length <= 0)
        return;
    answer[length] = 0;
    if (!strncmp(answer, "HTTP/1.1 ", 9) && answer[9] != '2' && errors++ < 3)
        fprintf(stderr, "publish: %.300s\n", answer);
}

static void publish(int which)
{
    char body[4096], request[8192];
    snprintf(token, sizeof token, "tok-%.0f-", now() * 1e9);
    const struct placeholder known[] = {{"{token}", token}, {0}};
    size_t length = fill(body, sizeof body, pub_body, known);
    if (publishers[which] < 0) {
        publishers[which] = dial(0);
        watch(publishers[which], PUBLISHER_BIT | (uint32_t)which);
    }
    int used = snprintf(request, sizeof request, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", pub_path);
    for (int k = 0; k < pub_header_number; k++)
        used += snprintf(request + used, sizeof request - (size_t)used, "%s\r\n", pub_headers[k]);
    used += snprintf(request + used, sizeof request - (size_t)used,
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", length, body);
    if (write(publishers[which], request, (size_t)used) != used)
        fail("publish");
}

/* Serve what comes until `until`, or until `wanted` polls have seen the token. */
static void pump(double until, int wanted)
{
    struct epoll_event events[512];
    double left;
    while ((left = until - now()) > 0 && hits != wanted) {
        struct timespec wait = {.tv_nsec = left > 0.1 ? 100000000 : (long)(left * 1e9)};
        int ready = epoll_pwait2(poller, events, 512, &wait, NULL);
        double at = now();
        for (int k = 0; k < ready; k++) {
            if (events[k].data.u32 & PUBLISHER_BIT)
                publisher_readable((int)(events[k].data.u32 & ~PUBLISHER_BIT));
            else
                poll_readable((int)events[k].data.u32, at);
        }
    }
}

#endif

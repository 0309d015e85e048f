/* limit: the least that a fan-out can cost.
 *
 * Parks every GET; a POST answers all parked ones with its body. It looks at one byte of a request, knows no viewer and no
 * cursor: the floor that the kernel sets, which a real server is measured against.
 *
 *     limit PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const int YES = 1;
static int poller, parked[200000], parked_number;
static char request[65536], answer[70000];

static void watch(int descriptor)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
    epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event);
}

static int listen_on(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &YES, sizeof YES);
    if (bind(listener, (void *)&address, sizeof address) || listen(listener, 20000)) {
        perror("listen");
        exit(2);
    }
    return listener;
}

static void accept_all(int listener)
{
    int connection;
    while ((connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &YES, sizeof YES);
        watch(connection);
    }
}

static void forget(int connection)
{
    close(connection);
    for (int k = 0; k < parked_number; k++)
        if (parked[k] == connection) {
            parked[k] = parked[--parked_number];
            return;
        }
}

static void answer_all(int publisher)
{
    const char *body = strstr(request, "\r\n\r\n");
    body = body ? body + 4 : request;
    int length = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    for (int k = 0; k < parked_number; k++)
        if (write(parked[k], answer, (size_t)length) != length)
            perror("write");
    parked_number = 0;
    if (write(publisher, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 40) != 40)
        perror("write");
}

static void readable(int connection)
{
    ssize_t length = read(connection, request, sizeof request - 1);
    if (length <= 0) {
        forget(connection);
        return;
    }
    request[length] = 0;
    if (request[0] == 'G')
        parked[parked_number++] = connection;
    else
        answer_all(connection);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    poller = epoll_create1(0);
    int listener = listen_on(argc > 1 ? atoi(argv[1]) : 8060);
    watch(listener);
    for (;;) {
        struct epoll_event events[512];
        int number = epoll_wait(poller, events, 512, -1);
        for (int k = 0; k < number; k++) {
            if (events[k].data.fd == listener)
                accept_all(listener);
            else
                readable(events[k].data.fd);
        }
    }
}

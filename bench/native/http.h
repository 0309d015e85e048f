/* What fanbench knows of HTTP: where an answer ends, what a header says, and what stands for a {placeholder}. */
#ifndef FANBENCH_HTTP_H
#define FANBENCH_HTTP_H

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The value of a header in the answer that begins at `answer`, or NULL. */
static const char *header(const char *answer, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = strstr(answer, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, length) || line[2 + length] != ':')
            continue;
        for (line += 3 + length; *line == ' ';)
            line++;
        return line;
    }
    return NULL;
}

/* The end of a chunked body that begins at `body`, or NULL while it has not all come. */
static const char *chunks_end(const char *body, const char *end)
{
    for (;;) {
        char *after;
        long size = strtol(body, &after, 16);
        const char *line = after == body ? NULL : strstr(after, "\r\n");
        if (!line || line + 2 + size + 2 > end)
            return NULL;
        body = line + 2 + size + 2;
        if (size == 0)
            return body;
    }
}

/* The length of the answer at `answer`, 0 while it has not all come; `body` is where its body begins. */
static size_t answer_length(const char *answer, size_t length, const char **body)
{
    const char *end = strstr(answer, "\r\n\r\n");
    if (!end)
        return 0;
    *body = end + 4;
    const char *told = header(answer, "Content-Length");
    if (told) {
        size_t whole = (size_t)(*body - answer) + strtoul(told, NULL, 10);
        return length >= whole ? whole : 0;
    }
    told = header(answer, "Transfer-Encoding");
    if (told && !strncasecmp(told, "chunked", 7)) {
        const char *last = chunks_end(*body, answer + length);
        return last ? (size_t)(last - answer) : 0;
    }
    return (size_t)(*body - answer);
}

/* Copy `from` until one of `stops`, into `size` bytes. */
static void copy_until(char *to, size_t size, const char *from, const char *stops)
{
    size_t length = from ? strcspn(from, stops) : 0;
    if (length >= size)
        length = size - 1;
    if (length)
        memcpy(to, from, length);
    to[length] = 0;
}

struct placeholder {
    const char *name, *value;
};

/* Copy `template` with the values of its placeholders; returns the length. */
static size_t fill(char *to, size_t size, const char *template, const struct placeholder *known)
{
    size_t used = 0;
    while (*template && used + 1 < size) {
        const struct placeholder *found = known;
        while (found->name && (*template != '{' || strncmp(template, found->name, strlen(found->name))))
            found++;
        if (!found->name) {
            to[used++] = *template++;
            continue;
        }
        size_t length = strlen(found->value);
        if (length > size - 1 - used)
            length = size - 1 - used;
        memcpy(to + used, found->value, length);
        used += length;
        template += strlen(found->name);
    }
    to[used] = 0;
    return used;
}

#endif

/* What a server has cost: the processor time and the memory of its processes. */
#ifndef FANBENCH_PROCESS_H
#define FANBENCH_PROCESS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct processes {
    int number, ids[8];
};

static double clock_seconds(clockid_t clock)
{
    struct timespec at;
    return clock_gettime(clock, &at) ? 0 : (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static double now(void)
{
    return clock_seconds(CLOCK_MONOTONIC);
}

/* Of all threads, user and kernel, to the nanosecond: /proc/<pid>/stat counts in hundredths of a second. */
static double cpu_seconds(const struct processes *of)
{
    double sum = 0;
    for (int k = 0; k < of->number; k++) {
        clockid_t clock;
        if (!clock_getcpuclockid(of->ids[k], &clock))
            sum += clock_seconds(clock);
    }
    return sum;
}

static long resident_kib(const struct processes *of)
{
    long sum = 0;
    for (int k = 0; k < of->number; k++) {
        char name[64], line[256];
        snprintf(name, sizeof name, "/proc/%d/status", of->ids[k]);
        FILE *file = fopen(name, "r");
        while (file && fgets(line, sizeof line, file))
            if (!strncmp(line, "VmRSS:", 6))
                sum += atol(line + 6);
        if (file)
            fclose(file);
    }
    return sum;
}

/* Numbers separated by commas. */
static int numbers(const char *text, int *into, int most)
{
    int count = 0;
    for (; text && count < most; text = strchr(text, ',') ? strchr(text, ',') + 1 : NULL)
        into[count++] = atoi(text);
    return count;
}

#endif

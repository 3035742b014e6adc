#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_start(progress *p, const options *o, const char *unit, uint64_t start, uint64_t total) {
  const double now = seconds();
  *p = (progress){!o->quiet && isatty(STDERR_FILENO), unit, start, total, now, now};
}

/* 12.3 k, 45.6 M */
static void put_rate(char *text, size_t size, double v) {
  static const char *const prefix[] = {"", " k", " M", " G"};
  int i = 0;
  for (; v >= 1000 && i < 3; i++) v /= 1000;
  snprintf(text, size, "%.3g%s", v, prefix[i]);
}

void progress_show(progress *p, uint64_t done) {
  if (!p->shown) return;
  const double now = seconds();
  if (now - p->last < 0.2) return;
  p->last = now;
  const double rate = (double)(done - p->start) / (now - p->began);
  char speed[40], left[60] = "";
  put_rate(speed, sizeof speed, rate);
  if (p->total != UINT64_MAX && rate > 0) {
    const double s = (double)(p->total - done) / rate;
    if (s < 100)
      snprintf(left, sizeof left, " of %" PRIu64 ", %.0f s left", p->total, s);
    else
      snprintf(left, sizeof left, " of %" PRIu64 ", %.0f min left", p->total, s / 60);
  }
  fprintf(stderr, "\r%" PRIu64 " %s%s, %s/s\033[K", done, p->unit, left, speed);
  fflush(stderr);
}

void progress_end(progress *p) {
  if (p->shown) fputs("\r\033[K", stderr);
  p->shown = false;
}

/* What ends a process, and its temporary files. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/bench.h"

static char temporary[64], folder[256];

const char *bench_temporary(void) {
  if (!*temporary) snprintf(temporary, sizeof temporary, "/tmp/adtool-bench-%ld.nl", (long)getpid());
  return temporary;
}

const char *bench_folder(void) {
  const char *place = getenv("TMPDIR");
  if (*folder) return folder;
  snprintf(folder, sizeof folder, "%s/adtool-bench-XXXXXX", place ? place : "/tmp");
  if (!mkdtemp(folder)) {
    *folder = '\0';
    bench_fail("no temporary folder in %s", place ? place : "/tmp");
  }
  return folder;
}

void bench_remove_temporary(void) {
  char command[sizeof folder + 8];
  if (*temporary) unlink(temporary);
  if (!*folder) return;
  snprintf(command, sizeof command, "rm -rf %s", folder);
  if (system(command)) fprintf(stderr, "bench: %s is left\n", folder);
}

ad_error bench_error;

void bench_fail(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  fputs("bench: ", stderr);
  vfprintf(stderr, format, ap);
  putc('\n', stderr);
  va_end(ap);
  bench_remove_temporary();
  _exit(EXIT_FAILURE);
}

void bench_must_at(const char *file, int line, ad_status s) {
  if (s) bench_fail("%s:%d: %s", file, line, bench_error.message);
}

void *bench_alloc(size_t count, size_t size) {
  void *p = calloc(count, size);
  if (!p) bench_fail("out of memory");
  return p;
}

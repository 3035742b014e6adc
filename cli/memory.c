/* GMP, MPFR and FLINT know no failure: when memory runs out in them, the run ends here. */
#include <flint/flint.h>
#include <gmp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"

static const options *of_run; /* NULL: in a worker, whose status says it */
static int worker_status;

static _Noreturn void leave(void) {
  static atomic_flag left = ATOMIC_FLAG_INIT;
  while (atomic_flag_test_and_set(&left)) pause(); /* another thread is about to */
  _exit(of_run ? out_of_memory(of_run) : worker_status);
}

static void *checked(void *p) {
  if (!p) leave();
  return p;
}

static void *allocate(size_t n) {
  return checked(malloc(n ? n : 1));
}

static void *allocate_zeros(size_t count, size_t n) {
  return checked(calloc(count ? count : 1, n ? n : 1));
}

static void *reallocate(void *p, size_t n) {
  return checked(realloc(p, n ? n : 1));
}

static void *reallocate_sized(void *p, size_t had, size_t n) {
  (void)had;
  return reallocate(p, n);
}

static void free_sized(void *p, size_t n) {
  (void)n;
  free(p);
}

void memory_start(const options *o) {
  of_run = o;
  mp_set_memory_functions(allocate, reallocate_sized, free_sized); /* MPFR's, too */
  __flint_set_memory_functions(allocate, allocate_zeros, reallocate, free);
}

void memory_start_worker(int status) {
  of_run = NULL;
  worker_status = status;
}

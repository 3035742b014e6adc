#include <signal.h>
#include <string.h>

#ifdef HAVE_CBLAS
#include <cblas.h>
/* In OpenBLAS with threads of its own; not in its headers. */
extern int blas_thread_shutdown_(void) __attribute__((weak));
#endif

#include "cli.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

static int run(options *o, int argc, char **argv) {
  if (argc < 2) {
    help_overview(stderr);
    return AD_EUSAGE;
  }
  if (!strcmp(argv[1], "--version")) return printf("adtool %s\n", PACKAGE_VERSION), 0;
  if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) return help_overview(stdout), 0;
  const command *c = command_find(o, argv[1]);
  if (!c) return AD_EUSAGE;
  int status = options_parse(o, c, argc - 2, argv + 2);
  if (!status && o->help)
    help_command(stdout, c);
  else if (!status)
    status = c->run(o);
  return status;
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN); /* a closed pipe is a write error with a message and a status */
#ifdef HAVE_CBLAS
  /* The threads are ours, else bits would depend on their number; those that it has would wait busily for a while. */
  openblas_set_num_threads(1);
  if (blas_thread_shutdown_) blas_thread_shutdown_();
#endif
  options o;
  options_start(&o, argc, argv);
  memory_start(&o);
  int status = finish_output(&o, run(&o, argc, argv));
  options_clear(&o);
  ad_thread_cleanup();
  return status;
}

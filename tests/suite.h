/* How every suite ends. */
#ifndef AD_TESTS_SUITE_H
#define AD_TESTS_SUITE_H

#include <check.h>

/* Runs a suite, which it frees; what main() returns. */
int suite_run(Suite *s);

#endif

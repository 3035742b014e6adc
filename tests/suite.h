/* Check, and how every suite ends. */
#ifndef AD_TESTS_SUITE_H
#define AD_TESTS_SUITE_H

#include <check.h>

/* Check's own macro, but for one thing: where the condition holds, that one writes the line to a file, a system call
 * that took most of the time of suites with millions of assertions. */
#undef ck_assert_msg
#define ck_assert_msg(expr, ...) \
  ((expr) ? (void)0 : _ck_assert_failed(__FILE__, __LINE__, "Assertion '" #expr "' failed", ##__VA_ARGS__))

/* Runs a suite, which it frees; what main() returns. */
int suite_run(Suite *s);

#endif

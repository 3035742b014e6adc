/* Memory that runs out.  INSIST makes a call with its first allocation failing, then its second, and so on until it
 * succeeds: every failure is AD_ENOMEM and leaves the objects usable, for the next attempt is made on them.  Linked
 * with
 * --wrap for malloc, calloc, realloc, aligned_alloc and free: the library's own calls, not those of the libraries that
 * it uses. */
#ifndef AD_TESTS_FAILING_H
#define AD_TESTS_FAILING_H

#include <stdbool.h>

#include "suite.h"
#include "adtool.h"

/* The allocator: counts while `counting`, fails the call number `fail_at`, and knows what is alive. */
enum { MOST_ALIVE = 1 << 16 };
extern struct failing_heap {
  bool counting, failed;
  unsigned long calls, fail_at, failures; /* injected so far */
  size_t alive;
  void *block[MOST_ALIVE]; /* allocated while counting, not yet freed */
} heap;
extern ad_error err;

void failing_before(unsigned long n); /* counts from here on, and allocation n fails */
/* After the call: whether to try again, with the next allocation failing. */
bool failing_again(const char *call, int line, ad_status got);

#define INSIST(call)                                \
  do {                                              \
    unsigned long n_ = 0;                           \
    ad_status got_;                                 \
    do {                                            \
      failing_before(++n_);                         \
      got_ = (call);                                \
    } while (failing_again(#call, __LINE__, got_)); \
  } while (0)

/* The same for calls on a graph: a failure leaves its counts as they were. */
#define INSIST_GRAPH(g, call)                                                                     \
  do {                                                                                            \
    unsigned long n_ = 0;                                                                         \
    ad_status got_;                                                                               \
    const size_t nodes_ = ad_graph_node_count(g), outputs_ = ad_graph_output_count(g);            \
    const size_t inputs_ = ad_graph_input_count(g), meta_ = ad_graph_meta_count(g);               \
    do {                                                                                          \
      failing_before(++n_);                                                                       \
      got_ = (call);                                                                              \
      if (got_)                                                                                   \
        ck_assert_msg(ad_graph_node_count(g) == nodes_ && ad_graph_output_count(g) == outputs_ && \
                          ad_graph_input_count(g) == inputs_ && ad_graph_meta_count(g) == meta_,  \
                      "line %d: %s failed and changed the graph", __LINE__, #call);               \
    } while (failing_again(#call, __LINE__, got_));                                               \
  } while (0)

/* Nothing that was allocated while counting is left, and something was made to fail. */
void nothing_left(void);

ad_numbers *failing_numbers(const char *const *text, size_t count);
ad_graph *failing_graph(void); /* with something of everything */
ad_node failing_apply(ad_graph *g, const char *op, size_t nargs, const ad_node *args, size_t nattrs,
                      const ad_attr *attrs);
void expect_equal(const ad_graph *a, const ad_graph *b);

#endif

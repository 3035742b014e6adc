#include "failing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *p);

struct failing_heap heap;
ad_error err;

static bool denied(void) {
  if (!heap.counting || ++heap.calls != heap.fail_at) return false;
  return heap.failed = true;
}

static void *born(void *p) {
  if (p && heap.counting && heap.alive < MOST_ALIVE) heap.block[heap.alive++] = p;
  return p;
}

static void died(const void *p) {
  for (size_t i = heap.alive; p && i-- > 0;)
    if (heap.block[i] == p) {
      heap.block[i] = heap.block[--heap.alive];
      return;
    }
}

void *__wrap_malloc(size_t size) {
  return denied() ? NULL : born(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size) {
  return denied() ? NULL : born(__real_calloc(count, size));
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
  return denied() ? NULL : born(__real_aligned_alloc(alignment, size));
}

void *__wrap_realloc(void *p, size_t size) {
  if (denied()) return NULL;
  died(p);
  return born(__real_realloc(p, size));
}

void __wrap_free(void *p) {
  died(p);
  __real_free(p);
}

/* ---- Calls that insist */

void failing_before(unsigned long n) {
  heap.calls = 0;
  heap.fail_at = n;
  heap.failed = false;
  heap.counting = true;
}

/* Whether to try again, with the next allocation failing. */
bool failing_again(const char *call, int line, ad_status got) {
  heap.counting = false;
  if (got == AD_OK) {
    ck_assert_msg(!heap.failed, "line %d: %s: an allocation failed, and nobody noticed", line, call);
    return false;
  }
  ck_assert_msg(got == AD_ENOMEM && err.code == AD_ENOMEM && heap.failed, "line %d: %s: status %d, error %d: %s", line,
                call, (int)got, (int)err.code, err.message);
  heap.failures++;
  return true;
}

void nothing_left(void) {
  ck_assert_msg(heap.alive == 0, "%zu blocks are still allocated", heap.alive);
  ck_assert_msg(heap.failures > 0, "no allocation was made to fail");
}

ad_numbers *failing_numbers(const char *const *text, size_t count) {
  ad_numbers *n;
  unsigned long at = 0;
  do {
    failing_before(++at);
    n = ad_numbers_new();
    heap.counting = false;
  } while (!n);
  for (size_t i = 0; i < count; i++) INSIST(ad_numbers_push_text(n, text[i], strlen(text[i]), &err));
  INSIST(ad_numbers_push_double(n, 2.5, &err));
  return n;
}

ad_node failing_apply(ad_graph *g, const char *op, size_t nargs, const ad_node *args, size_t nattrs,
                      const ad_attr *attrs) {
  ad_node out;
  INSIST_GRAPH(g, ad_graph_apply(g, &out, ad_op_find(op), nargs, args, nattrs, attrs, &err));
  return out;
}

/* A graph with something of everything. */
ad_graph *failing_graph(void) {
  static const char *const texts[] = {"0.1", "1/3", "-2.5", "0x1p-3", "pi"};
  ad_graph *g;
  ad_node x, s, c, pi, tenth, two, parts[20];
  INSIST(ad_graph_new(&g, NULL, &err));
  ad_numbers *n = failing_numbers(texts, 5);
  INSIST_GRAPH(g, ad_graph_set_name(g, "everything", &err));
  INSIST_GRAPH(g, ad_graph_set_meta(g, "author", "somebody", &err));
  INSIST_GRAPH(g, ad_graph_set_meta(g, "author", "somebody else", &err));
  INSIST_GRAPH(g, ad_graph_input(g, &x, &(ad_input_spec){.name = "x", .shape = {2, {2, 3}}, .value = n}, &err));
  INSIST_GRAPH(g, ad_graph_input(g, &s, &(ad_input_spec){.name = "s", .dtype = AD_F32, .fixed = true}, &err));
  INSIST_GRAPH(g, ad_graph_constant(g, &c, &(ad_shape){1, {6}}, n, AD_F32, &err));
  INSIST_GRAPH(g, ad_graph_constant_text(g, &pi, "pi", &err));
  INSIST_GRAPH(g, ad_graph_constant_text(g, &tenth, "0.1", &err));
  INSIST_GRAPH(g, ad_graph_constant_double(g, &two, 2, &err));
  ad_node y = failing_apply(g, "mul", 2, (ad_node[]){x, pi}, 0, NULL);
  INSIST_GRAPH(g, ad_graph_set_node_name(g, y, "y", &err));
  y = failing_apply(g, "leaky_relu", 1, &y, 0, NULL);
  y = failing_apply(g, "softmax", 1, &y, 1, &(ad_attr){"axis", {0}, (int64_t[]){-2}});
  y = failing_apply(g, "add", 2, (ad_node[]){y, failing_apply(g, "pow", 2, (ad_node[]){s, two}, 0, NULL)}, 0, NULL);
  ad_node flat = failing_apply(g, "reshape", 1, &y, 1, &(ad_attr){"shape", {1, {1}}, (int64_t[]){-1}});
  flat = failing_apply(g, "sub", 2, (ad_node[]){flat, c}, 0, NULL);
  for (int i = 0; i < 20; i++)
    parts[i] = failing_apply(g, "gather", 1, &flat, 1, &(ad_attr){"indices", {1, {2}}, (int64_t[]){i % 6, -1}});
  ad_node all = failing_apply(g, "concat", 20, parts, 0, NULL); /* more arguments than fit without allocating */
  all = failing_apply(g, "mul", 2, (ad_node[]){all, tenth}, 0, NULL);
  ad_node product =
      failing_apply(g, "matmul", 2, (ad_node[]){x, failing_apply(g, "transpose", 1, &x, 0, NULL)}, 0, NULL);
  ad_node sums[2] = {failing_apply(g, "logsumexp", 1, &all, 0, NULL), failing_apply(g, "sum", 1, &product, 0, NULL)};
  ad_node loss = failing_apply(g, "add", 2, sums, 0, NULL);
  INSIST_GRAPH(g, ad_graph_output(g, "loss", loss, &err));
  INSIST_GRAPH(g, ad_graph_output(g, "product", product, &err));
  for (int i = 0; i < 40; i++) { /* the tables of names grow */
    char name[24];
    snprintf(name, sizeof name, "output %d", i);
    INSIST_GRAPH(g, ad_graph_output(g, name, loss, &err));
    loss = failing_apply(g, "sin", 1, &loss, 0, NULL);
    snprintf(name, sizeof name, "node %d", i);
    INSIST_GRAPH(g, ad_graph_set_node_name(g, loss, name, &err));
  }
  ad_numbers_free(n);
  return g;
}

/* The canonical bytes of a graph, without failures. */
static void *bytes_of(const ad_graph *g, size_t *size) {
  void *bytes = NULL;
  ck_assert_int_eq(ad_graph_write(g, &bytes, size, &(ad_write_options){.format = "adg", .stored = true}, &err), AD_OK);
  return bytes;
}

void expect_equal(const ad_graph *a, const ad_graph *b) {
  size_t na, nb;
  void *pa = bytes_of(a, &na), *pb = bytes_of(b, &nb);
  ck_assert_msg(na == nb && !memcmp(pa, pb, na), "not the same graph");
  ad_free(pa);
  ad_free(pb);
}

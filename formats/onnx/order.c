#include "onnx/order.h"

#include <stdio.h>
#include <string.h>

#include "error.h"

/* The nodes of one graph, and the numbers of those whose results node i takes: take[first[i]] up to first[i + 1]. */
typedef struct list {
  size_t count;
  Onnx__NodeProto **node;
  ad_names results; /* ids are positions in maker */
  uint32_t *maker, *take;
  size_t *first, makers, maker_capacity, taken, take_capacity;
} list;

/* The names inside a body, which hide those outside. */
typedef struct hidden {
  const struct hidden *outer;
  ad_names names;
} hidden;

static void must(ad_onnx_build *b, bool memory) {
  if (!memory && !b->status) ad_onnx_check(b, ad_fail_memory(b->e));
}

static void take(ad_onnx_build *b, list *l, const hidden *h, const char *name) {
  uint32_t id;
  if (b->status || !name || !*name || !ad_names_find(&l->results, name, &id)) return;
  const uint32_t maker = l->maker[id];
  for (; h; h = h->outer)
    if (ad_names_find(&h->names, name, &id)) return;
  must(b, ad_reserve(&l->take, &l->take_capacity, l->taken + 1, sizeof *l->take));
  if (!b->status) l->take[l->taken++] = maker;
}

static void hide(ad_onnx_build *b, hidden *h, const char *name) {
  uint32_t id;
  if (!b->status && name && *name && !ad_names_find(&h->names, name, &id))
    must(b, ad_names_add(&h->names, name, (uint32_t)h->names.count));
}

static void take_for(ad_onnx_build *b, list *l, const hidden *outer, const Onnx__NodeProto *n) {
  for (size_t i = 0; i < n->n_input; i++) take(b, l, outer, n->input[i]);
  for (size_t i = 0; i < n->n_attribute; i++) {
    const Onnx__GraphProto *g = n->attribute[i]->g;
    hidden h = {.outer = outer};
    if (!g) continue;
    for (size_t k = 0; k < g->n_input; k++) hide(b, &h, g->input[k]->name);
    for (size_t k = 0; k < g->n_initializer; k++) hide(b, &h, g->initializer[k]->name);
    for (size_t k = 0; k < g->n_node; k++)
      for (size_t j = 0; j < g->node[k]->n_output; j++) hide(b, &h, g->node[k]->output[j]);
    for (size_t k = 0; k < g->n_node; k++) take_for(b, l, &h, g->node[k]);
    for (size_t k = 0; k < g->n_output; k++) take(b, l, &h, g->output[k]->name);
    ad_names_clear(&h.names);
  }
}

static void read_list(ad_onnx_build *b, list *l) {
  uint32_t id;
  for (size_t i = 0; i < l->count; i++)
    for (size_t k = 0; k < l->node[i]->n_output && !b->status; k++) {
      const char *name = l->node[i]->output[k];
      if (!*name || ad_names_find(&l->results, name, &id)) continue;
      must(b, ad_reserve(&l->maker, &l->maker_capacity, l->makers + 1, sizeof *l->maker) &&
                  ad_names_add(&l->results, name, (uint32_t)l->makers));
      if (!b->status) l->maker[l->makers++] = (uint32_t)i;
    }
  for (size_t i = 0; i < l->count && !b->status; i++) {
    l->first[i] = l->taken;
    take_for(b, l, NULL, l->node[i]);
  }
  l->first[l->count] = l->taken;
}

typedef struct step {
  uint32_t node;
  size_t next; /* of those that it takes */
} step;

static void fail_cycle(ad_onnx_build *b, const list *l, const step *from, const step *top) {
  enum { SHOWN = 6 };
  char text[SHOWN * 64 + 64];
  size_t used = 0;
  for (const step *s = from; s <= top && s < from + SHOWN; s++) {
    const Onnx__NodeProto *n = l->node[s->node];
    used += (size_t)snprintf(text + used, sizeof text - used, "'%.50s' takes ", n->output[0]);
  }
  const char *last = top < from + SHOWN ? l->node[from->node]->output[0] : "";
  snprintf(text + used, sizeof text - used, *last ? "'%.50s'" : "...%s", last);
  ad_onnx_fail(b, "the nodes form a cycle: %s", text);
}

enum { NEW, OPEN, PLACED };

/* Depth first: what a node takes is placed before it. */
static void place(ad_onnx_build *b, const list *l, step *stack, uint8_t *state, Onnx__NodeProto **to) {
  size_t placed = 0;
  for (size_t i = 0; i < l->count; i++) {
    step *top = stack - 1;
    if (state[i] == NEW) *++top = (step){(uint32_t)i, l->first[i]}, state[i] = OPEN;
    while (top >= stack) {
      if (top->next == l->first[top->node + 1]) {
        to[placed++] = l->node[top->node];
        state[top->node] = PLACED;
        top--;
        continue;
      }
      const uint32_t n = l->take[top->next++];
      if (state[n] == OPEN) {
        const step *from = top;
        while (from->node != n) from--;
        fail_cycle(b, l, from, top);
        return;
      }
      if (state[n] == NEW) *++top = (step){n, l->first[n]}, state[n] = OPEN;
    }
  }
}

static void sort(ad_onnx_build *b, list *l) {
  bool sorted = true;
  for (size_t i = 0; i < l->count; i++)
    for (size_t k = l->first[i]; k < l->first[i + 1]; k++) sorted = sorted && l->take[k] < i;
  if (sorted) return;
  step *stack = ad_calloc(l->count, sizeof *stack);
  uint8_t *state = ad_calloc(l->count, sizeof *state);
  Onnx__NodeProto **to = ad_calloc(l->count, sizeof(Onnx__NodeProto *));
  must(b, stack && state && to);
  if (!b->status) place(b, l, stack, state, to);
  if (!b->status) memcpy(l->node, to, l->count * sizeof(Onnx__NodeProto *));
  ad_free(stack);
  ad_free(state);
  ad_free(to);
}

void ad_onnx_order(ad_onnx_build *b, size_t count, Onnx__NodeProto **nodes) {
  list l = {.count = count, .node = nodes};
  if (b->status) return;
  if (count >= UINT32_MAX) ad_onnx_refuse(b, "%zu nodes", count);
  l.first = b->status ? NULL : ad_calloc(count + 1, sizeof *l.first);
  must(b, l.first);
  if (!b->status) read_list(b, &l);
  if (!b->status) sort(b, &l);
  ad_names_clear(&l.results);
  ad_free(l.maker);
  ad_free(l.take);
  ad_free(l.first);
  for (size_t i = 0; i < count && !b->status; i++)
    for (size_t k = 0; k < nodes[i]->n_attribute; k++)
      if (nodes[i]->attribute[k]->g)
        ad_onnx_order(b, nodes[i]->attribute[k]->g->n_node, nodes[i]->attribute[k]->g->node);
}

/* Making a graph from another one. */
#include <string.h>

#include "error.h"
#include "ir/graph.h"
#include "mem.h"

ad_status ad_graph_new_like(ad_graph **out, const ad_graph *g, ad_error *e) {
  ad_graph *c;
  ad_status s = ad_graph_new(&c, &g->limits, e);
  if (s) return s;
  c->kinks = g->kinks;
  if (g->name) s = ad_graph_set_name(c, g->name, e);
  for (size_t i = 0; !s && i < g->meta_count; i++) s = ad_graph_set_meta(c, g->meta[2 * i], g->meta[2 * i + 1], e);
  for (size_t i = 0; !s && i < g->shape_count; i++) {
    uint32_t id;
    s = ad_graph_intern_shape(c, &g->shapes[i], &id, e);
  }
  if (s)
    ad_graph_free(c);
  else
    *out = c;
  return s;
}

/* The first of the graph's texts for a number not before this one. */
static size_t first_text(const ad_graph *g, size_t number) {
  size_t lo = 0, hi = g->exact_count;
  while (lo < hi) {
    const size_t mid = lo + (hi - lo) / 2;
    if (g->exact[mid].index < number)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

static size_t text_at(const ad_graph *g, size_t i) {
  return i < g->exact_count ? g->exact[i].text : g->text_size;
}

ad_status ad_graph_copy_leaf(ad_graph *g, ad_node *out, const ad_graph *from, ad_node n, ad_error *e) {
  ad_literal l = from->literal[from->arg[from->first_arg[n]]];
  const size_t first = first_text(from, l.first), end = first_text(from, l.first + l.count);
  const size_t text = text_at(from, first), bytes = text_at(from, end) - text; /* both lists rise together */
  const ad_graph_mark before = ad_graph_mark_end(g);
  if (!ad_reserve(&g->number, &g->number_capacity, g->number_count + l.count, sizeof *g->number) ||
      !ad_reserve(&g->exact, &g->exact_capacity, g->exact_count + (end - first), sizeof *g->exact) ||
      !ad_reserve(&g->text, &g->text_capacity, g->text_size + bytes, 1))
    return ad_fail_memory(e);
  if (l.count) memcpy(g->number + g->number_count, from->number + l.first, l.count * sizeof *g->number);
  if (bytes) memcpy(g->text + g->text_size, from->text + text, bytes);
  for (size_t i = first; i < end; i++)
    g->exact[g->exact_count++] =
        (ad_exact){from->exact[i].index - l.first + g->number_count, from->exact[i].text - text + g->text_size};
  l.first = g->number_count;
  g->number_count += l.count;
  g->text_size += bytes;
  ad_status s = ad_graph_put_leaf(g, out, from->op[n], from->shape[n], &l, e);
  if (!s && n < from->input_count) {
    if (ad_names_add(&g->names, ad_names_of(&from->names, n), *out))
      g->input_count++;
    else
      s = ad_fail_memory(e);
  }
  if (s) ad_graph_cut(g, &before);
  return s;
}

ad_graph_mark ad_graph_mark_end(const ad_graph *g) {
  return (ad_graph_mark){g->count,       g->arg_count, g->literal_count, g->number_count,
                         g->exact_count, g->text_size, g->slot_count,    g->int_count};
}

void ad_graph_cut(ad_graph *g, const ad_graph_mark *m) {
  g->count = m->nodes;
  g->arg_count = m->args;
  g->literal_count = m->literals;
  g->number_count = m->numbers;
  g->exact_count = m->exact;
  g->text_size = m->text;
  g->slot_count = m->slots;
  g->int_count = m->ints;
}

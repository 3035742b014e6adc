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
  for (size_t i = 0; !s && i < g->meta_keys.count; i++)
    s = ad_graph_set_meta(c, ad_names_at(&g->meta_keys, i), g->meta_text[i], e);
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

/* Without a name, and not counted as an input. */
static ad_status copy_leaf(ad_graph *g, ad_node *out, const ad_graph *from, ad_node n, ad_error *e) {
  ad_literal l = from->literal[from->arg[from->first_arg[n]]];
  const size_t first = first_text(from, l.first), end = first_text(from, l.first + l.count);
  const size_t text = text_at(from, first), bytes = text_at(from, end) - text; /* both lists rise together */
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
  return ad_graph_put_leaf(g, out, from->op[n], from->shape[n], &l, e);
}

ad_status ad_graph_copy_leaf(ad_graph *g, ad_node *out, const ad_graph *from, ad_node n, ad_error *e) {
  const ad_graph_mark before = ad_graph_mark_end(g);
  ad_status s = copy_leaf(g, out, from, n, e);
  if (!s && n < from->input_count) {
    if (ad_names_add(&g->names, ad_names_of(&from->names, n), *out))
      g->input_count++;
    else
      s = ad_fail_memory(e);
  }
  if (s) ad_graph_cut(g, &before);
  return s;
}

ad_status ad_graph_copy_inputs(ad_graph *g, const ad_graph *from, ad_error *e) {
  const bool only = from->names.count == from->input_count;
  ad_status s = only && !ad_names_copy(&g->names, &from->names) ? ad_fail_memory(e) : AD_OK;
  for (ad_node i = 0; !s && i < from->input_count; i++) {
    ad_node n;
    s = only ? copy_leaf(g, &n, from, i, e) : ad_graph_copy_leaf(g, &n, from, i, e);
    if (!s && only) g->input_count++;
  }
  return s;
}

ad_status ad_graph_copy_outputs(ad_graph *g, const ad_graph *from, const ad_node *to, ad_error *e) {
  if (!ad_reserve(&g->output_node, &g->output_capacity, from->output_count, sizeof *g->output_node) ||
      !ad_names_copy(&g->output_names, &from->output_names))
    return ad_fail_memory(e);
  for (size_t i = 0; i < from->output_count; i++) g->output_node[i] = to[from->output_node[i]];
  g->output_count = from->output_count;
  return AD_OK;
}

/* ---- Dropping nodes.  What is kept moves down: `end` is how far. */

static uint32_t move_literal(ad_graph *g, ad_graph_mark *end, uint32_t literal) {
  ad_literal l = g->literal[literal];
  const size_t first = first_text(g, l.first), last = first_text(g, l.first + l.count);
  const size_t text = text_at(g, first), bytes = text_at(g, last) - text;
  if (l.count) memmove(g->number + end->numbers, g->number + l.first, l.count * sizeof *g->number);
  if (bytes) memmove(g->text + end->text, g->text + text, bytes);
  for (size_t i = first; i < last; i++)
    g->exact[end->exact++] =
        (ad_exact){g->exact[i].index - l.first + end->numbers, g->exact[i].text - text + end->text};
  l.first = end->numbers;
  end->numbers += l.count;
  end->text += bytes;
  g->literal[end->literals] = l;
  return (uint32_t)end->literals++;
}

static uint32_t move_attrs(ad_graph *g, ad_graph_mark *end, uint32_t slot, size_t count) {
  const size_t start = end->slots;
  for (size_t k = 0; k < count; k++) {
    ad_attr_slot a = g->slot[slot + k];
    if (a.first != SIZE_MAX) {
      const size_t n = (size_t)ad_shape_size(&g->shapes[a.shape]);
      if (n) memmove(g->ints + end->ints, g->ints + a.first, n * sizeof *g->ints);
      a.first = end->ints;
      end->ints += n;
    }
    g->slot[end->slots++] = a;
  }
  return (uint32_t)start;
}

ad_status ad_graph_drop(ad_graph *g, ad_node *to, const uint8_t *flags, uint8_t flag, ad_error *e) {
  ad_graph_mark end = {0};
  for (ad_node n = 0; n < g->count; n++) {
    to[n] = AD_NO_NODE;
    if ((flags[n] & flag) != flag) continue;
    const ad_op op = g->op[n];
    const ad_node *args;
    const size_t nargs = ad_graph_args(g, n, &args);
    uint32_t *own = g->arg + end.args;
    g->op[end.nodes] = (uint8_t)op;
    g->shape[end.nodes] = g->shape[n];
    g->first_arg[end.nodes] = (uint32_t)end.args;
    for (size_t k = 0; k < nargs; k++) own[k] = to[args[k]];
    if (ad_has_payload(op))
      own[nargs] = op <= AD_OP_CONSTANT ? move_literal(g, &end, args[nargs])
                                        : move_attrs(g, &end, args[nargs], ad_op_rule_get(op)->attrs);
    end.args += nargs + ad_has_payload(op);
    to[n] = (ad_node)end.nodes++;
  }
  g->first_arg[end.nodes] = (uint32_t)end.args;
  ad_graph_cut(g, &end);
  for (size_t i = 0; i < g->output_count; i++) g->output_node[i] = to[g->output_node[i]];
  if (!ad_shrink(&g->op, g->count + 1, sizeof *g->op) || !ad_shrink(&g->shape, g->count + 1, sizeof *g->shape) ||
      !ad_shrink(&g->first_arg, g->count + 1, sizeof *g->first_arg) ||
      !ad_shrink(&g->arg, g->arg_count + 1, sizeof *g->arg))
    return ad_fail_memory(e);
  g->node_capacity = g->count + 1;
  g->arg_capacity = g->arg_count + 1;
  return AD_OK;
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

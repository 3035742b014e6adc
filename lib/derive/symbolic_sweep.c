/* The two sweeps that make nodes, and what rules use of them: sums of adjoints, parts of tensors. */
#include <string.h>

#include "derive/symbolic.h"
#include "error.h"
#include "exec/program.h"
#include "ir/graph.h"
#include "mem.h"

/* ---- What rules use */

const ad_shape *ad_rule_shape(const ad_rule *r, size_t k) {
  return ad_graph_node_shape(r->s->from, r->args[k]);
}

ad_node ad_rule_arg(const ad_rule *r, size_t k) {
  return r->s->map[r->args[k]];
}

bool ad_rule_active(const ad_rule *r, size_t k) {
  return r->s->active[r->args[k]];
}

ad_sym ad_rule_tangent(const ad_rule *r, size_t k) {
  return r->s->d[r->args[k]];
}

/* As it outlives the rule's expressions. */
static ad_sym kept(ad_emit *cx, ad_sym s) {
  double v;
  return ad_emit_is_number(cx, s, &v) ? s : ad_emit_node(cx, s);
}

void ad_symbolic_add(ad_symbolic *s, ad_node n, ad_sym value) {
  ad_emit *cx = &s->emit;
  if (value == AD_SYM_NONE || cx->status) return;
  ad_sym *sum = &s->d[n];
  if (*sum == AD_SYM_NONE) {
    *sum = kept(cx, value);
    return;
  }
  double v;
  const ad_shape *shape = ad_graph_node_shape(s->from, n);
  if (ad_emit_is_number(cx, *sum, &v) && ad_emit_is_number(cx, value, &v)) *sum = ad_sym_tensor(cx, *sum, shape);
  *sum = kept(cx, ad_emit_2(cx, AD_OP_ADD, *sum, value));
}

void ad_rule_give(const ad_rule *r, size_t k, ad_sym value) {
  ad_symbolic_add(r->s, r->args[k], value);
}

void ad_rule_give_broadcast(const ad_rule *r, size_t k, ad_sym value) {
  ad_emit *cx = r->cx;
  const ad_shape *to = ad_rule_shape(r, k), *from = r->shape;
  int64_t axes[AD_MAX_RANK];
  size_t count = 0;
  double v;
  if (value == AD_SYM_NONE) return;
  for (int i = 0; i < from->rank; i++) {
    const int j = i - (from->rank - to->rank);
    if (j < 0 || (to->dim[j] == 1 && from->dim[i] != 1)) axes[count++] = i;
  }
  if (!ad_shape_equal(from, to) || !ad_emit_is_number(cx, value, &v)) value = ad_sym_broadcast(cx, value, from);
  if (!ad_shape_equal(from, to)) value = ad_sym_reshape(cx, ad_sym_sum(cx, value, count, axes), to);
  ad_rule_give(r, k, value);
}

void ad_symbolic_add_part(ad_symbolic *s, ad_node to, ad_part part) {
  ad_emit *cx = &s->emit;
  part.value = kept(cx, part.value);
  if (cx->status) return;
  const uint32_t at = (uint32_t)s->part_count;
  if (at == UINT32_MAX - 1 || !ad_reserve(&s->part, &s->part_capacity, s->part_count + 1, sizeof *s->part)) {
    ad_emit_fail(cx, ad_fail_memory(cx->e));
    return;
  }
  uint32_t *last = &s->parts[to];
  part.next = *last == AD_NO_NODE ? at : s->part[*last].next;
  s->part[s->part_count++] = part;
  if (*last != AD_NO_NODE) s->part[*last].next = at;
  *last = at;
}

/* Parts much smaller than the tensor wait for each other, or n of them would cost n tensors. */
enum { SMALL = 8 };

void ad_rule_give_part(const ad_rule *r, ad_sym value) {
  const int64_t part = ad_shape_size(r->shape), whole = ad_shape_size(ad_rule_shape(r, 0));
  if (!part) return;
  if (part <= whole / SMALL)
    ad_symbolic_add_part(r->s, r->args[0], (ad_part){.consumer = r->n, .value = value});
  else
    ad_rule_give(r, 0, ad_move_spread(r, value));
}

static ad_rule rule_of(ad_symbolic *s, ad_node n) {
  ad_rule r = {.s = s, .cx = &s->emit, .n = n, .op = ad_lowered_op(s->from, n)};
  r.nargs = ad_graph_args(s->from, n, &r.args);
  r.shape = ad_graph_node_shape(s->from, n);
  r.x = s->map[r.args[0]];
  r.z = s->map[n];
  return r;
}

/* ---- Adjoints */

static int64_t part_size(const ad_symbolic *s, const ad_part *p) {
  return p->consumer == AD_NO_NODE ? 1 : ad_shape_size(ad_graph_node_shape(s->from, p->consumer));
}

/* All parts of n's adjoint added to the rest by one table of elements. */
static void add_parts(ad_symbolic *s, ad_node n, uint32_t last, size_t count, size_t elements) {
  ad_emit *cx = &s->emit;
  const ad_shape *shape = ad_graph_node_shape(s->from, n), flat = {1, {ad_shape_size(shape)}};
  int64_t *index = ad_malloc(elements, sizeof *index);
  ad_sym *value = ad_malloc(count, sizeof *value);
  if (!index || !value) ad_emit_fail(cx, ad_fail_memory(cx->e));
  size_t at = 0, k = 0;
  for (uint32_t i = s->part[last].next; k < count && !cx->status; i = s->part[i].next, k++) {
    const ad_part *p = &s->part[i];
    const int64_t size = part_size(s, p);
    if (p->consumer == AD_NO_NODE) {
      index[at] = (int64_t)p->element;
    } else {
      const ad_rule r = rule_of(s, p->consumer);
      ad_move_elements(&r, index + at);
    }
    value[k] = p->value;
    if (elements == count && ad_sym_shape(cx, value[k])->rank) value[k] = ad_sym_reshape(cx, value[k], &(ad_shape){0});
    if (elements != count) {
      const ad_shape line = {1, {size}};
      value[k] = ad_sym_reshape(cx, ad_sym_tensor(cx, value[k], &line), &line);
    }
    at += (size_t)size;
  }
  if (!cx->status) {
    const ad_sym updates = ad_sym_join(cx, elements == count ? AD_OP_STACK : AD_OP_CONCAT, count, value, 0);
    const ad_sym base = ad_sym_reshape(cx, ad_sym_tensor(cx, s->d[n], shape), &flat);
    s->d[n] = ad_sym_reshape(cx, ad_sym_scatter(cx, base, updates, (int64_t)elements, index, 0), shape);
  }
  ad_free(index);
  ad_free(value);
}

/* n's adjoint is complete: its parts join it. */
static void settle(ad_symbolic *s, ad_node n) {
  const uint32_t last = s->parts[n];
  if (last == AD_NO_NODE) return;
  size_t count = 0, elements = 0;
  uint32_t i = last;
  do {
    i = s->part[i].next;
    count++;
    elements += (size_t)part_size(s, &s->part[i]);
  } while (i != last);
  const ad_part only = s->part[last];
  if (count > 1 || only.consumer == AD_NO_NODE) {
    add_parts(s, n, last, count, elements);
    return;
  }
  const ad_rule r = rule_of(s, only.consumer);
  ad_symbolic_add(s, n, ad_move_spread(&r, only.value));
}

static void adjoint_of(const ad_rule *r, ad_sym d) {
  switch (ad_op_rule_get(r->op)->kernel) {
    case AD_KERNEL_ELEMENT:
      ad_element_adjoint(r, d);
      break;
    case AD_KERNEL_MATMUL:
      ad_matmul_adjoint(r, d);
      break;
    case AD_KERNEL_MOVE:
      ad_move_adjoint(r, d);
      break;
    case AD_KERNEL_GATHER:
      ad_gather_adjoint(r, d);
      break;
    case AD_KERNEL_SCATTER_ADD:
      ad_scatter_add_adjoint(r, d);
      break;
    case AD_KERNEL_REDUCE:
      ad_reduce_adjoint(r, d);
      break;
    case AD_KERNEL_ALONG:
      ad_along_adjoint(r, d);
      break;
    case AD_KERNEL_NONE:
      break;
  }
}

void ad_symbolic_back(ad_symbolic *s) {
  const size_t inputs = ad_graph_input_count(s->from);
  for (size_t n = ad_graph_node_count(s->from); n-- > 0 && !s->emit.status;) {
    if (!s->active[n]) continue;
    settle(s, (ad_node)n);
    if (n < inputs || s->d[n] == AD_SYM_NONE) continue;
    const ad_rule r = rule_of(s, (ad_node)n);
    adjoint_of(&r, s->d[n]);
    ad_emit_forget(&s->emit);
  }
}

/* ---- Tangents */

static ad_sym tangent_of(const ad_rule *r) {
  switch (ad_op_rule_get(r->op)->kernel) {
    case AD_KERNEL_ELEMENT:
      return ad_element_tangent(r);
    case AD_KERNEL_MATMUL:
      return ad_matmul_tangent(r);
    case AD_KERNEL_MOVE:
      return ad_move_tangent(r);
    case AD_KERNEL_GATHER:
      return ad_gather_tangent(r);
    case AD_KERNEL_SCATTER_ADD:
      return ad_scatter_add_tangent(r);
    case AD_KERNEL_REDUCE:
      return ad_reduce_tangent(r);
    case AD_KERNEL_ALONG:
      return ad_along_tangent(r);
    case AD_KERNEL_NONE:
      break;
  }
  return AD_SYM_NONE;
}

void ad_symbolic_forward(ad_symbolic *s) {
  for (ad_node n = (ad_node)ad_graph_input_count(s->from); n < ad_graph_node_count(s->from) && !s->emit.status; n++) {
    if (!s->active[n] || s->map[n] == AD_NO_NODE) continue;
    const ad_rule r = rule_of(s, n);
    s->d[n] = kept(&s->emit, tangent_of(&r));
    ad_emit_forget(&s->emit);
  }
}

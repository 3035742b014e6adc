#include "passes/scalars.h"

#include <string.h>

#include "error.h"
#include "ir/move.h"
#include "mem.h"
#include "passes/passes.h"

enum { MOST = INT32_MAX };

/* A number of the original graph: below `inputs` an element of an input, from there on a node of the new graph. */
typedef uint32_t place;

typedef struct scalarizer {
  const ad_graph *from;
  ad_graph *g;
  uint8_t *needed;
  size_t *first; /* of each node of `from`: where its elements' places lie */
  place *pool;
  place inputs;          /* elements of all inputs */
  ad_node *element;      /* their slices; AD_NO_NODE: not yet made */
  size_t *input_element; /* the number of the first element of each input */
  size_t args;           /* room in arg, */
  ad_node *arg;
  place *list; /* and in list */
  size_t list_room;
  ad_error *e;
} scalarizer;

static size_t size_of(const scalarizer *s, ad_node n) {
  return (size_t)ad_shape_size(ad_graph_node_shape(s->from, n));
}

/* ---- Inputs and constants */

/* The input's element as a scalar. */
static ad_status make_element(scalarizer *s, place p) {
  ad_node input = 0;
  for (ad_node end = (ad_node)ad_graph_input_count(s->from); end - input > 1;) { /* empty ones have no element */
    const ad_node mid = input + (end - input) / 2;
    if (s->input_element[mid] <= p)
      input = mid;
    else
      end = mid;
  }
  const ad_shape *shape = ad_graph_node_shape(s->from, input);
  if (!shape->rank) {
    s->element[p] = input;
    return AD_OK;
  }
  int64_t start[AD_MAX_RANK], stop[AD_MAX_RANK], axes[AD_MAX_RANK];
  size_t at = p - s->input_element[input];
  for (int d = shape->rank - 1; d >= 0; d--) {
    start[d] = (int64_t)(at % (size_t)shape->dim[d]);
    stop[d] = start[d] + 1;
    axes[d] = d;
    at /= (size_t)shape->dim[d];
  }
  const ad_shape list = {1, {shape->rank}};
  const ad_attr attrs[] = {{"start", list, start}, {"stop", list, stop}, {"squeeze", list, axes}};
  return ad_graph_apply(s->g, &s->element[p], AD_OP_SLICE, 1, &input, 3, attrs, s->e);
}

static ad_status node_at(scalarizer *s, place p, ad_node *n) {
  if (p >= s->inputs) {
    *n = p - s->inputs;
    return AD_OK;
  }
  const ad_status status = s->element[p] == AD_NO_NODE ? make_element(s, p) : AD_OK;
  *n = s->element[p];
  return status;
}

static ad_status copy_inputs(scalarizer *s) {
  ad_status status = AD_OK;
  for (ad_node n = 0; !status && n < ad_graph_input_count(s->from); n++) {
    const ad_values v = ad_graph_node_values(s->from, n);
    const ad_input_spec spec = {.name = ad_graph_node_name(s->from, n),
                                .shape = *ad_graph_node_shape(s->from, n),
                                .dtype = ad_graph_node_dtype(s->from, n),
                                .fixed = ad_graph_input_fixed(s->from, n)};
    ad_numbers *value = ad_numbers_new();
    ad_node out;
    if (!value) return ad_fail_memory(s->e);
    for (size_t i = 0; !status && i < v.count; i++) {
      const char *text = ad_values_text(&v, i);
      status = text ? ad_numbers_push_text(value, text, strlen(text), s->e)
                    : ad_numbers_push_double(value, v.value[i], s->e);
    }
    ad_input_spec with = spec;
    if (v.count) with.value = value;
    if (!status) status = ad_graph_input(s->g, &out, &with, s->e);
    ad_numbers_free(value);
    for (size_t i = 0; i < size_of(s, n); i++) s->pool[s->first[n] + i] = (place)(s->input_element[n] + i);
  }
  return status;
}

static ad_status make_constant(scalarizer *s, double value, const char *text, ad_dtype dtype, place *p) {
  ad_numbers *v = ad_numbers_new();
  ad_node n;
  if (!v) return ad_fail_memory(s->e);
  ad_status status = text ? ad_numbers_push_text(v, text, strlen(text), s->e) : ad_numbers_push_double(v, value, s->e);
  if (!status) status = ad_graph_constant(s->g, &n, &(ad_shape){0}, v, dtype, s->e);
  ad_numbers_free(v);
  if (!status) *p = s->inputs + n;
  return status;
}

static ad_status copy_constant(scalarizer *s, ad_node n, place *to) {
  const ad_values v = ad_graph_node_values(s->from, n);
  ad_status status = AD_OK;
  for (size_t i = 0; !status && i < size_of(s, n); i++)
    if (i >= v.count)
      to[i] = to[0];
    else
      status = make_constant(s, v.value[i], ad_values_text(&v, i), ad_graph_node_dtype(s->from, n), &to[i]);
  return status;
}

/* ---- Operations */

static ad_status apply(scalarizer *s, ad_op op, size_t nargs, const place *args, place *out) {
  ad_status status = AD_OK;
  ad_node n;
  if (!ad_reserve(&s->arg, &s->args, nargs, sizeof *s->arg)) return ad_fail_memory(s->e);
  for (size_t i = 0; !status && i < nargs; i++) status = node_at(s, args[i], &s->arg[i]);
  if (!status) status = ad_graph_apply(s->g, &n, op, nargs, s->arg, 0, NULL, s->e);
  if (!status) *out = s->inputs + n;
  return status;
}

static ad_status apply_2(scalarizer *s, ad_op op, place x, place y, place *out) {
  return apply(s, op, 2, (place[]){x, y}, out);
}

static ad_status apply_elements(scalarizer *s, ad_node n, place *to) {
  const ad_shape *shape = ad_graph_node_shape(s->from, n);
  const ad_node *args;
  const size_t count = ad_graph_node_args(s->from, n, &args), size = size_of(s, n);
  int64_t index[AD_MAX_RANK] = {0};
  place own[3];
  ad_status status = AD_OK;
  for (size_t i = 0; !status && i < size; i++) {
    for (size_t k = 0; k < count; k++)
      own[k] = s->pool[s->first[args[k]] + ad_broadcast_element(ad_graph_node_shape(s->from, args[k]), shape, index)];
    status = apply(s, ad_graph_node_op(s->from, n), count, own, &to[i]);
    ad_next_index(shape, index);
  }
  return status;
}

static ad_status move_elements(scalarizer *s, ad_node n, place *to) {
  const ad_shape *shape = ad_graph_node_shape(s->from, n);
  int64_t index[AD_MAX_RANK] = {0};
  ad_move move;
  ad_status status = ad_move_open(&move, s->from, n, s->e);
  if (status) return status;
  for (size_t i = 0; i < size_of(s, n); i++) {
    size_t element, k = ad_move_source(&move, index, i, &element);
    to[i] = s->pool[s->first[move.args[k]] + element];
    ad_next_index(shape, index);
  }
  ad_move_close(&move);
  return AD_OK;
}

/* One number out of a list; which operations the table reduces to. */
static ad_status reduce(scalarizer *s, ad_op op, const place *list, size_t count, place *out) {
  ad_status status = AD_OK;
  place stack, size;
  if (!count) return make_constant(s, op == AD_OP_PROD, NULL, AD_EXACT, out); /* max and min are never empty */
  *out = list[0];
  if (op == AD_OP_PROD) {
    for (size_t i = 1; !status && i < count; i++) status = apply_2(s, AD_OP_MUL, *out, list[i], out);
    return status;
  }
  if (count > 1) {
    status = apply(s, AD_OP_STACK, count, list, &stack);
    if (!status) status = apply(s, op == AD_OP_MEAN ? AD_OP_SUM : op, 1, &stack, out);
  }
  if (status || op != AD_OP_MEAN) return status;
  status = make_constant(s, (double)count, NULL, AD_EXACT, &size);
  return status ? status : apply_2(s, AD_OP_DIV, *out, size, out);
}

static ad_status reserve_list(scalarizer *s, size_t count) {
  return ad_reserve(&s->list, &s->list_room, count, sizeof *s->list) ? AD_OK : ad_fail_memory(s->e);
}

/* The elements of x, sorted by the element of the result that they belong to, each group in order. */
static ad_status reduce_axes(scalarizer *s, ad_node n, place *to) {
  const ad_node *args;
  ad_graph_node_args(s->from, n, &args);
  const ad_shape *x = ad_graph_node_shape(s->from, args[0]);
  const ad_attr axes = ad_graph_node_attr(s->from, n, 0);
  const size_t all = size_of(s, args[0]), size = size_of(s, n), each = size ? all / size : 0;
  size_t *filled = ad_calloc(size, sizeof *filled);
  ad_status status = filled ? reserve_list(s, all) : ad_fail_memory(s->e);
  int64_t index[AD_MAX_RANK] = {0};
  for (size_t i = 0; !status && i < all; i++) {
    size_t at = 0;
    for (int d = 0, k = 0; d < x->rank; d++)
      if (k < axes.shape.dim[0] && axes.value[k] == d)
        k++;
      else
        at = at * (size_t)x->dim[d] + (size_t)index[d];
    s->list[at * each + filled[at]++] = s->pool[s->first[args[0]] + i];
    ad_next_index(x, index);
  }
  for (size_t i = 0; !status && i < size; i++)
    status = reduce(s, ad_graph_node_op(s->from, n), each ? s->list + i * each : NULL, each, &to[i]);
  ad_free(filled);
  return status;
}

/* How factors are multiplied: plainly, or where zeros of some of them make a product 0. */
typedef struct times {
  ad_op op;
  bool swap;
} times;

static times times_of(const scalarizer *s, ad_node n) {
  if (ad_graph_node_op(s->from, n) != AD_OP_MATMUL_NO_NAN) return (times){AD_OP_MUL, false};
  const ad_attr zeros = ad_graph_node_attr(s->from, n, 0);
  if (zeros.shape.dim[0] == 2) return (times){AD_OP_MUL_OR_ZERO, false};
  return (times){zeros.shape.dim[0] ? AD_OP_MUL_NO_NAN : AD_OP_MUL, zeros.shape.dim[0] && zeros.value[0] == 0};
}

/* A row of x times a column of y, whose elements are `step` apart. */
static ad_status product(scalarizer *s, times t, const place *x, const place *y, size_t step, size_t count,
                         place *out) {
  ad_status status = reserve_list(s, count);
  for (size_t k = 0; !status && k < count; k++)
    status =
        t.swap ? apply_2(s, t.op, y[k * step], x[k], &s->list[k]) : apply_2(s, t.op, x[k], y[k * step], &s->list[k]);
  return status ? status : reduce(s, AD_OP_SUM, s->list, count, out);
}

/* Products.  A vector is a row on the left and a column on the right; leading axes broadcast. */
static ad_status multiply(scalarizer *s, ad_node n, place *to) {
  const ad_node *args;
  ad_graph_node_args(s->from, n, &args);
  const ad_shape *x = ad_graph_node_shape(s->from, args[0]), *y = ad_graph_node_shape(s->from, args[1]);
  const times t = times_of(s, n);
  const place *px = s->pool + s->first[args[0]], *py = s->pool + s->first[args[1]];
  const size_t inner = (size_t)x->dim[x->rank - 1], rows = x->rank > 1 ? (size_t)x->dim[x->rank - 2] : 1,
               columns = y->rank > 1 ? (size_t)y->dim[y->rank - 1] : 1;
  ad_shape leading = *ad_graph_node_shape(s->from, n), bx = *x, by = *y;
  leading.rank -= (x->rank > 1) + (y->rank > 1);
  bx.rank = x->rank > 2 ? x->rank - 2 : 0;
  by.rank = y->rank > 2 ? y->rank - 2 : 0;
  int64_t index[AD_MAX_RANK] = {0};
  ad_status status = AD_OK;
  for (int64_t b = 0; !status && b < ad_shape_size(&leading); b++) {
    const place *bpx = px + ad_broadcast_element(&bx, &leading, index) * rows * inner,
                *bpy = py + ad_broadcast_element(&by, &leading, index) * inner * columns;
    for (size_t i = 0; !status && i < rows * columns; i++)
      status = product(s, t, bpx + i / columns * inner, bpy + i % columns, columns, inner, to++);
    ad_next_index(&leading, index);
  }
  return status;
}

static ad_status scatter(scalarizer *s, ad_node n, place *to) {
  const ad_node *args;
  ad_graph_node_args(s->from, n, &args);
  const ad_shape *x = ad_graph_node_shape(s->from, args[0]), *updates = ad_graph_node_shape(s->from, args[1]);
  const ad_attr table = ad_graph_node_attr(s->from, n, 0);
  const int64_t axis = ad_graph_node_attr(s->from, n, 1).value[0];
  int64_t index[AD_MAX_RANK] = {0}, own[AD_MAX_RANK];
  ad_status status = AD_OK;
  memcpy(to, s->pool + s->first[args[0]], size_of(s, n) * sizeof *to);
  for (size_t i = 0; !status && i < size_of(s, args[1]); i++) {
    for (int d = 0; d < x->rank; d++)
      if (d != axis) own[d] = index[d < axis ? d : d - 1 + table.shape.rank];
    own[axis] = table.value[ad_position(&table.shape, index + axis)];
    if (own[axis] < 0) own[axis] += x->dim[axis];
    place *at = &to[ad_position(x, own)];
    status = apply_2(s, AD_OP_ADD, *at, s->pool[s->first[args[1]] + i], at);
    ad_next_index(updates, index);
  }
  return status;
}

static ad_status running_sums(scalarizer *s, ad_node n, place *to) {
  const ad_node *args;
  ad_graph_node_args(s->from, n, &args);
  const ad_shape *x = ad_graph_node_shape(s->from, n);
  const int64_t axis = ad_graph_node_attr(s->from, n, 0).value[0];
  const place *from = s->pool + s->first[args[0]];
  size_t step = 1;
  ad_status status = AD_OK;
  for (int d = (int)axis + 1; d < x->rank; d++) step *= (size_t)x->dim[d];
  for (size_t i = 0; !status && i < size_of(s, n); i++)
    if (i / step % (size_t)x->dim[axis])
      status = apply_2(s, AD_OP_ADD, to[i - step], from[i], &to[i]);
    else
      to[i] = from[i];
  return status;
}

static ad_status convert(scalarizer *s, ad_node n) {
  const ad_op op = ad_graph_node_op(s->from, n);
  place *to = s->pool + s->first[n];
  char text[AD_NODE_TEXT];
  if (op == AD_OP_CONSTANT) return copy_constant(s, n, to);
  if (ad_op_get(op)->cls == AD_CLASS_ELEMENT) return apply_elements(s, n, to);
  if (ad_is_move(op)) return move_elements(s, n, to);
  switch (op) {
    case AD_OP_SUM:
    case AD_OP_MEAN:
    case AD_OP_PROD:
    case AD_OP_REDUCE_MAX:
    case AD_OP_REDUCE_MIN:
      return reduce_axes(s, n, to);
    case AD_OP_MATMUL:
    case AD_OP_MATMUL_NO_NAN:
    case AD_OP_DOT:
      return multiply(s, n, to);
    case AD_OP_SCATTER_ADD:
      return scatter(s, n, to);
    case AD_OP_CUMSUM:
      return running_sums(s, n, to);
    default:
      return ad_fail(s->e, AD_EINPUT, "%s: adtool has no scalar form of %s, and the format has no tensors",
                     ad_graph_node_text(s->from, n, text), ad_op_get(op)->name);
  }
}

/* ---- The whole */

static ad_status check_places(const scalarizer *s, uint64_t count) {
  const uint64_t most = ad_graph_limits(s->from)->max_bytes;
  if (count <= most / sizeof(place)) return AD_OK;
  return ad_fail(s->e, AD_ELIMIT, "as scalars the graph needs more than the limit of %llu MiB of memory (--max-memory)",
                 (unsigned long long)(most >> 20));
}

/* Where elements lie; nothing is allocated that the limits do not allow. */
static ad_status lay_out(scalarizer *s) {
  const size_t nodes = ad_graph_node_count(s->from), inputs = ad_graph_input_count(s->from);
  const uint64_t limit = ad_graph_limits(s->from)->max_nodes, most = limit < MOST ? limit : MOST;
  uint64_t total = 0;
  s->needed = ad_calloc(nodes, 1);
  s->first = ad_malloc(nodes, sizeof *s->first);
  s->input_element = ad_malloc(inputs, sizeof *s->input_element);
  if (!s->needed || !s->first || !s->input_element) return ad_fail_memory(s->e);
  ad_mark_needed(s->from, s->needed);
  for (ad_node n = 0; n < nodes; n++) {
    if (n < inputs) s->input_element[n] = (size_t)total;
    s->first[n] = (size_t)total;
    if (n < inputs || s->needed[n]) total += size_of(s, n);
    if (total > most)
      return ad_fail(s->e, AD_ELIMIT, "as scalars the graph has more than %llu nodes, the limit (--max-nodes)",
                     (unsigned long long)most);
    if (n < inputs) s->inputs = (place)total;
  }
  ad_status status = check_places(s, total + s->inputs);
  if (status) return status;
  s->pool = ad_malloc((size_t)total, sizeof *s->pool);
  s->element = ad_malloc(s->inputs, sizeof *s->element);
  if (!s->pool || !s->element) return ad_fail_memory(s->e);
  memset(s->element, 0xFF, s->inputs * sizeof *s->element);
  return AD_OK;
}

static ad_status collect(scalarizer *s, ad_scalars *out) {
  size_t count = 0;
  for (size_t i = 0; i < ad_graph_output_count(s->from); i++) count += size_of(s, ad_graph_output_node(s->from, i));
  ad_status status = check_places(s, count);
  if (status) return status;
  out->output = ad_malloc(count, sizeof *out->output);
  if (!out->output) return ad_fail_memory(s->e);
  out->count = 0;
  for (size_t i = 0; i < ad_graph_output_count(s->from); i++) {
    const ad_node n = ad_graph_output_node(s->from, i);
    for (size_t k = 0; !status && k < size_of(s, n); k++)
      status = node_at(s, s->pool[s->first[n] + k], &out->output[out->count++]);
  }
  return status;
}

ad_status ad_scalars_make(ad_scalars *out, const ad_graph *g, ad_error *e) {
  scalarizer s = {.from = g, .e = e};
  *out = (ad_scalars){0};
  ad_status status = lay_out(&s);
  ad_limits limits = *ad_graph_limits(g);
  if (limits.max_nodes > MOST) limits.max_nodes = MOST; /* a place is a node or an element of an input */
  if (!status) status = ad_graph_new(&s.g, &limits, e);
  if (!status) status = copy_inputs(&s);
  for (ad_node n = (ad_node)ad_graph_input_count(g); !status && n < ad_graph_node_count(g); n++)
    if (s.needed[n]) status = convert(&s, n);
  if (!status) status = collect(&s, out);
  out->g = s.g;
  void *parts[] = {s.needed, s.first, s.pool, s.element, s.input_element, s.arg, s.list};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) ad_free(parts[i]);
  if (status) ad_scalars_clear(out);
  return status;
}

void ad_scalars_clear(ad_scalars *s) {
  ad_graph_free(s->g);
  ad_free(s->output);
  *s = (ad_scalars){0};
}

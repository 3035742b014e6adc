/* A graph is unrolled into scalars, and each of those is written by one usage of an operator, or by a few where CppAD
 * has none of that name. */
#include <math.h>
#include <string.h>

#include "cppad/cppad.h"
#include "cppad/operators.h"
#include "error.h"
#include "passes/scalars.h"

/* Numbers that are no nodes of the graph. */
typedef enum extra { ZERO, ONE, LN2, LN10, EXTRAS } extra;
static const double extra_value[EXTRAS] = {0, 1, 0x1.62e42fefa39efp-1, 0x1.26bb1bbb55516p+1};

typedef struct writer {
  ad_scalars s;
  ad_buffer *out;
  ad_buffer usage;
  uint8_t *needed;
  size_t *index; /* of each node in the file; 0: not there */
  size_t extra_index[EXTRAS];
  bool extra_used[EXTRAS];
  size_t *code;               /* of each row of the table; 0: not used */
  size_t codes, next, usages; /* next: the next result's index */
  size_t parameters, variables;
  size_t *input_index; /* of each input's first element */
  ad_error *e;
} writer;

static ad_op op_of(const writer *w, ad_node n) {
  return ad_graph_node_op(w->s.g, n);
}

static bool is_comparison(ad_op op) {
  return op >= AD_OP_LESS && op <= AD_OP_NOT_EQUAL;
}

/* ---- What is needed */

static void need(writer *w, size_t count, const ad_node *nodes) {
  for (size_t i = 0; i < count; i++) w->needed[nodes[i]] = 1;
}

static void need_extras(writer *w, ad_op op) {
  if (op == AD_OP_RELU || op == AD_OP_WHERE || is_comparison(op)) w->extra_used[ZERO] = true;
  if (op == AD_OP_RECIP || op == AD_OP_SIGMOID || is_comparison(op)) w->extra_used[ONE] = true;
  if (op == AD_OP_EXP2 || op == AD_OP_LOG2) w->extra_used[LN2] = true;
  if (op == AD_OP_LOG10) w->extra_used[LN10] = true;
}

static void mark_needed(writer *w) {
  const ad_graph *g = w->s.g;
  need(w, w->s.count, w->s.output);
  for (ad_node n = (ad_node)ad_graph_node_count(g); n-- > 0;) {
    const ad_node *args, *inner;
    if (!w->needed[n]) continue;
    const size_t count = ad_graph_node_args(g, n, &args);
    if (op_of(w, n) == AD_OP_WHERE && is_comparison(op_of(w, args[0]))) {
      ad_graph_node_args(g, args[0], &inner);
      need(w, 2, inner);
      need(w, 2, args + 1);
    } else {
      need(w, count, args);
      need_extras(w, op_of(w, n));
    }
  }
}

/* ---- Usages */

/* Appends one; the index of its result. */
static size_t put(writer *w, ad_cppad_form form, ad_op op, size_t count, const size_t *args) {
  const ad_cppad_operator *row = ad_cppad_find_op(form, op);
  size_t *code = &w->code[row - ad_cppad_operators];
  if (!*code) *code = ++w->codes;
  ad_buffer_printf(&w->usage, "%s\n[ %zu", w->usages++ ? "," : "", *code);
  if (form == AD_CPPAD_TOTAL) ad_buffer_printf(&w->usage, ", 1, %zu, [ ", count);
  for (size_t i = 0; i < count; i++)
    ad_buffer_printf(&w->usage, form == AD_CPPAD_TOTAL && !i ? "%zu" : ", %zu", args[i]);
  ad_buffer_puts(&w->usage, form == AD_CPPAD_TOTAL ? " ] ]" : " ]");
  return w->next++;
}

static size_t put_1(writer *w, ad_op op, size_t x) {
  return put(w, AD_CPPAD_DIRECT, op, 1, &x);
}

static size_t put_2(writer *w, ad_op op, size_t x, size_t y) {
  return put(w, AD_CPPAD_DIRECT, op, 2, (size_t[]){x, y});
}

/* x OP y ? a : b, with the comparisons that CppAD has. */
static size_t put_choice(writer *w, ad_op op, size_t x, size_t y, size_t a, size_t b) {
  if (op == AD_OP_GREATER) return put_choice(w, AD_OP_LESS, y, x, a, b);
  if (op == AD_OP_GREATER_EQUAL) return put_choice(w, AD_OP_LESS_EQUAL, y, x, a, b);
  if (op == AD_OP_NOT_EQUAL) return put_choice(w, AD_OP_EQUAL, x, y, b, a);
  return put(w, AD_CPPAD_CHOICE, op, 4, (size_t[]){x, y, a, b});
}

static size_t put_extreme(writer *w, ad_op op, size_t x, size_t y) {
  return op == AD_OP_MAX ? put_choice(w, AD_OP_LESS, x, y, y, x) : put_choice(w, AD_OP_LESS, y, x, y, x);
}

static size_t put_where(writer *w, const ad_node *args) {
  const ad_node *inner;
  const size_t *at = w->index;
  if (!is_comparison(op_of(w, args[0])))
    return put_choice(w, AD_OP_NOT_EQUAL, at[args[0]], w->extra_index[ZERO], at[args[1]], at[args[2]]);
  ad_graph_node_args(w->s.g, args[0], &inner);
  return put_choice(w, op_of(w, args[0]), at[inner[0]], at[inner[1]], at[args[1]], at[args[2]]);
}

static ad_status put_stack(writer *w, ad_op op, ad_node stack, size_t *out) {
  const ad_node *list;
  const size_t count = ad_graph_node_args(w->s.g, stack, &list);
  if (op != AD_OP_SUM) {
    *out = w->index[list[0]];
    for (size_t i = 1; i < count; i++)
      *out = put_extreme(w, op == AD_OP_REDUCE_MAX ? AD_OP_MAX : AD_OP_MIN, *out, w->index[list[i]]);
    return AD_OK;
  }
  size_t *args = ad_malloc(count, sizeof *args);
  if (!args) return ad_fail_memory(w->e);
  for (size_t i = 0; i < count; i++) args[i] = w->index[list[i]];
  *out = put(w, AD_CPPAD_TOTAL, AD_OP_SUM, count, args);
  ad_free(args);
  return AD_OK;
}

/* What CppAD calls otherwise, or does in several steps. */
static ad_status put_composed(writer *w, ad_node n, const ad_node *args, size_t *out) {
  const ad_op op = op_of(w, n);
  const size_t x = w->index[args[0]], y = ad_op_get(op)->max_args > 1 ? w->index[args[1]] : 0,
               one = w->extra_index[ONE], zero = w->extra_index[ZERO];
  switch (op) {
    case AD_OP_MUL_NO_NAN: /* the zero that counts comes first here */
      *out = put(w, AD_CPPAD_ABSORBING, op, 2, (size_t[]){y, x});
      break;
    case AD_OP_MUL_OR_ZERO: /* but for a zero times what is no number */
      *out = put(w, AD_CPPAD_ABSORBING, AD_OP_MUL_NO_NAN, 2, (size_t[]){x, y});
      break;
    case AD_OP_SQR:
      *out = put_2(w, AD_OP_MUL, x, x);
      break;
    case AD_OP_RECIP:
      *out = put_2(w, AD_OP_DIV, one, x);
      break;
    case AD_OP_MAX:
    case AD_OP_MIN:
      *out = put_extreme(w, op, x, y);
      break;
    case AD_OP_CLIP:
      *out = put_extreme(w, AD_OP_MIN, put_extreme(w, AD_OP_MAX, x, y), w->index[args[2]]);
      break;
    case AD_OP_RELU:
      *out = put_choice(w, AD_OP_LESS_EQUAL, x, zero, zero, x);
      break;
    case AD_OP_EXP2:
      *out = put_1(w, AD_OP_EXP, put_2(w, AD_OP_MUL, x, w->extra_index[LN2]));
      break;
    case AD_OP_LOG2:
    case AD_OP_LOG10:
      *out = put_2(w, AD_OP_DIV, put_1(w, AD_OP_LOG, x), w->extra_index[op == AD_OP_LOG2 ? LN2 : LN10]);
      break;
    case AD_OP_SIGMOID:
      *out = put_2(w, AD_OP_DIV, one, put_2(w, AD_OP_ADD, one, put_1(w, AD_OP_EXP, put_1(w, AD_OP_NEG, x))));
      break;
    default:
      return ad_fail(w->e, AD_EINPUT, "CppAD's graphs have no operator for %s", ad_op_get(op)->name);
  }
  return AD_OK;
}

static ad_status put_node(writer *w, ad_node n) {
  const ad_op op = op_of(w, n);
  const ad_node *args;
  const size_t count = ad_graph_node_args(w->s.g, n, &args);
  size_t *out = &w->index[n];
  if (op == AD_OP_WHERE) return *out = put_where(w, args), AD_OK;
  if (op == AD_OP_SUM || op == AD_OP_REDUCE_MAX || op == AD_OP_REDUCE_MIN) return put_stack(w, op, args[0], out);
  if (is_comparison(op)) {
    *out = put_choice(w, op, w->index[args[0]], w->index[args[1]], w->extra_index[ONE], w->extra_index[ZERO]);
    return AD_OK;
  }
  if (!ad_cppad_find_op(AD_CPPAD_DIRECT, op)) return put_composed(w, n, args, out);
  size_t own[AD_CPPAD_MOST_ARGUMENTS];
  for (size_t i = 0; i < count; i++) own[i] = w->index[args[i]];
  *out = put(w, AD_CPPAD_DIRECT, op, count, own);
  return AD_OK;
}

/* ---- The parts of the file */

/* Parameters first, then variables, each in the inputs' order. */
static void number_inputs(writer *w) {
  const ad_graph *g = w->s.g;
  for (int variables = 0; variables < 2; variables++)
    for (ad_node n = 0; n < ad_graph_input_count(g); n++) {
      size_t *count = variables ? &w->variables : &w->parameters;
      if (ad_graph_input_fixed(g, n) != !variables) continue;
      w->input_index[n] = 1 + w->parameters + (variables ? w->variables : 0);
      if (!ad_graph_node_shape(g, n)->rank) w->index[n] = w->input_index[n];
      *count += (size_t)ad_shape_size(ad_graph_node_shape(g, n));
    }
}

static void number_element(writer *w, ad_node n) {
  const ad_node *args;
  ad_graph_node_args(w->s.g, n, &args);
  const ad_shape *shape = ad_graph_node_shape(w->s.g, args[0]);
  const int64_t *start = ad_graph_node_attr(w->s.g, n, 0).value;
  size_t at = 0;
  for (int d = 0; d < shape->rank; d++) at = at * (size_t)shape->dim[d] + (size_t)start[d];
  w->index[n] = w->input_index[args[0]] + at;
}

static void put_constant(writer *w, ad_buffer *list, size_t *count, double v) {
  char text[AD_NUMBER_TEXT];
  ad_number_short_text(text, v);
  ad_buffer_printf(list, "%s%s", *count ? ",\n" : "\n", text);
  ++*count;
  w->next++;
}

static ad_status put_constants(writer *w, ad_buffer *list, size_t *count) {
  for (ad_node n = 0; n < ad_graph_node_count(w->s.g); n++) {
    if (op_of(w, n) == AD_OP_SLICE) number_element(w, n);
    if (op_of(w, n) != AD_OP_CONSTANT || !w->needed[n]) continue;
    const double v = ad_graph_node_values(w->s.g, n).value[0];
    if (!isfinite(v)) return ad_fail(w->e, AD_EINPUT, "a constant is not finite; CppAD's graphs hold decimals only");
    w->index[n] = w->next;
    put_constant(w, list, count, v);
  }
  for (int i = 0; i < EXTRAS; i++) {
    if (!w->extra_used[i]) continue;
    w->extra_index[i] = w->next;
    put_constant(w, list, count, extra_value[i]);
  }
  return AD_OK;
}

static ad_status put_usages(writer *w) {
  ad_status s = AD_OK;
  for (ad_node n = (ad_node)ad_graph_input_count(w->s.g); !s && n < ad_graph_node_count(w->s.g); n++) {
    const ad_op op = op_of(w, n);
    if (w->needed[n] && op != AD_OP_CONSTANT && op != AD_OP_SLICE && op != AD_OP_STACK) s = put_node(w, n);
  }
  return s;
}

static void put_definitions(writer *w) {
  ad_buffer_printf(w->out, "\"op_define_vec\" : [ %zu, [", w->codes);
  for (size_t code = 1; code <= w->codes; code++)
    for (size_t i = 0; i < ad_cppad_operator_count; i++) {
      const ad_cppad_operator *op = &ad_cppad_operators[i];
      if (w->code[i] != code) continue;
      ad_buffer_printf(w->out, "%s\n{ \"op_code\":%zu, \"name\":\"%s\"", code > 1 ? "," : "", code, op->name);
      if (op->arguments) ad_buffer_printf(w->out, ", \"n_arg\":%d", op->arguments);
      ad_buffer_puts(w->out, " }");
    }
  ad_buffer_puts(w->out, " ]\n],\n");
}

static ad_status write_all(writer *w, const ad_graph *g) {
  ad_buffer constants = {0};
  size_t count = 0;
  mark_needed(w);
  number_inputs(w);
  w->next = 1 + w->parameters + w->variables;
  ad_status s = put_constants(w, &constants, &count);
  if (!s) s = put_usages(w);
  if (!s && (constants.failed || w->usage.failed)) s = ad_fail_memory(w->e);
  if (!s) {
    ad_buffer_printf(w->out, "{\n\"function_name\" : \"%s\",\n", ad_graph_name(g));
    put_definitions(w);
    ad_buffer_printf(w->out,
                     "\"n_dynamic_ind\" : %zu,\n\"n_variable_ind\" : %zu,\n\"constant_vec\" : [ %zu, [%s ]\n],\n",
                     w->parameters, w->variables, count, constants.data ? constants.data : "");
    ad_buffer_printf(w->out, "\"op_usage_vec\" : [ %zu, [", w->usages);
    ad_buffer_put(w->out, w->usage.data ? w->usage.data : "", w->usage.size);
    ad_buffer_printf(w->out, " ]\n],\n\"dependent_vec\" : [ %zu, [", w->s.count);
    for (size_t i = 0; i < w->s.count; i++) ad_buffer_printf(w->out, "%s %zu", i ? "," : "", w->index[w->s.output[i]]);
    ad_buffer_puts(w->out, " ] ]\n}\n");
  }
  ad_buffer_clear(&constants);
  return s;
}

ad_status ad_cppad_write(const ad_graph *g, ad_buffer *out, const ad_write_options *o, ad_error *e) {
  (void)o;
  writer w = {.out = out, .e = e};
  if (strchr(ad_graph_name(g), '"'))
    return ad_fail(e, AD_EINPUT, "the graph's name has a double quote, which CppAD's graphs cannot hold: '%s'",
                   ad_graph_name(g));
  ad_status s = ad_scalars_make(&w.s, g, e);
  if (s) return s;
  if (!w.s.count) s = ad_fail(e, AD_EINPUT, "the graph has no outputs: CppAD would compute nothing");
  const size_t nodes = ad_graph_node_count(w.s.g);
  w.needed = ad_calloc(nodes, 1);
  w.index = ad_calloc(nodes, sizeof *w.index);
  w.input_index = ad_calloc(ad_graph_input_count(g), sizeof *w.input_index);
  w.code = ad_calloc(ad_cppad_operator_count, sizeof *w.code);
  if (!s && (!w.needed || !w.index || !w.input_index || !w.code)) s = ad_fail_memory(e);
  if (!s) s = write_all(&w, g);
  void *parts[] = {w.needed, w.index, w.input_index, w.code};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) ad_free(parts[i]);
  ad_buffer_clear(&w.usage);
  ad_scalars_clear(&w.s);
  return s;
}

#include <string.h>

#include "cppad/cppad.h"
#include "cppad/operators.h"
#include "cppad/scan.h"
#include "decimal.h"
#include "error.h"
#include "hash.h"

/* A usage of an operator that has a result. */
typedef struct usage {
  const ad_cppad_operator *op;
  const char *place;
  size_t first; /* of its arguments; they end where those of the next begin */
} usage;

/* Nodes are numbered from 1: parameters, variables, constants, then results.  The first two are only counted in the
 * file, so that those which are used lie in a hash table, which grows with the file and not with what it says.  Usages
 * are kept until all are read: only those are built that a dependent variable needs, so that the order of nodes follows
 * from these alone. */
typedef struct reader {
  ad_cppad_scan scan;
  ad_graph *g;
  ad_node p, x;
  uint64_t parameters, variables;
  size_t constants, constant_capacity;
  double *constant;
  size_t usages, usage_capacity;
  usage *usage;
  size_t args, arg_capacity;
  uint64_t *arg; /* numbers of nodes: of all usages, then of the dependent variables */
  ad_node *node; /* of each constant, then of each usage; AD_NO_NODE: not made yet */
  bool *needed;  /* of each usage */
  bool *alias;   /* whether it is a sum of one node, which is that node */
  ad_node *own;  /* arguments of the usage that is being built */
  size_t own_capacity;
  size_t slots, used;
  struct element {
    uint64_t number; /* 0: empty */
    ad_node node;
  } * element;
  size_t definitions, definition_capacity;
  const ad_cppad_operator **definition;
} reader;

bool ad_cppad_sniff(const void *bytes, size_t size) {
  ad_error e;
  ad_cppad_scan s = {
      .source = {bytes, size, ""}, .p = bytes, .end = (const char *)bytes + size, .token = bytes, .e = &e};
  const char *text;
  size_t length;
  return size && !ad_cppad_mark(&s, '{') && !ad_cppad_string(&s, "", &text, &length) && length == 13 &&
         !memcmp(text, "function_name", length);
}

/* ---- Nodes */

static struct element *slot_of(struct element *table, size_t slots, uint64_t number) {
  size_t i = ad_hash_end(ad_hash_add(ad_hash_seed(table), number)) & (slots - 1);
  while (table[i].number && table[i].number != number) i = (i + 1) & (slots - 1);
  return &table[i];
}

static ad_status grow_elements(reader *r) {
  const size_t slots = r->slots ? 2 * r->slots : 64;
  struct element *table = ad_calloc(slots, sizeof *table);
  if (!table) return ad_fail_memory(r->scan.e);
  for (size_t i = 0; i < r->slots; i++)
    if (r->element[i].number) *slot_of(table, slots, r->element[i].number) = r->element[i];
  ad_free(r->element);
  r->element = table;
  r->slots = slots;
  return AD_OK;
}

/* The element of p or x with this number. */
static ad_status independent(reader *r, uint64_t number, ad_node *out) {
  ad_status s = 2 * (r->used + 1) > r->slots ? grow_elements(r) : AD_OK;
  if (s) return s;
  struct element *place = slot_of(r->element, r->slots, number);
  if (!place->number) {
    const bool parameter = number <= r->parameters;
    const ad_node input = parameter ? r->p : r->x;
    const int64_t start = (int64_t)(parameter ? number : number - r->parameters) - 1, stop = start + 1, axis = 0;
    const ad_shape one = {1, {1}};
    const ad_attr attrs[] = {{"start", one, &start}, {"stop", one, &stop}, {"squeeze", one, &axis}};
    s = ad_graph_apply(r->g, out, AD_OP_SLICE, 1, &input, 3, attrs, r->scan.e);
    if (s) return ad_cppad_place(&r->scan, s);
    *place = (struct element){number, *out};
    r->used++;
  }
  *out = place->node;
  return AD_OK;
}

static ad_status make_constant(reader *r, double v, ad_node *out) {
  ad_numbers *n = ad_numbers_new();
  if (!n) return ad_fail_memory(r->scan.e);
  ad_status s = ad_numbers_push_double(n, v, r->scan.e);
  if (!s) s = ad_graph_constant(r->g, out, &(ad_shape){0}, n, ad_decimal_dtype(v), r->scan.e);
  ad_numbers_free(n);
  return ad_cppad_place(&r->scan, s);
}

static ad_status node_of(reader *r, uint64_t number, ad_node *out) {
  const uint64_t independents = r->parameters + r->variables, leaves = independents + r->constants;
  ad_status s = AD_OK;
  while (number > leaves && r->alias[number - leaves - 1]) number = r->arg[r->usage[number - leaves - 1].first];
  if (number <= independents) return independent(r, number, out);
  const size_t i = (size_t)(number - independents - 1);
  if (r->node[i] == AD_NO_NODE) s = make_constant(r, r->constant[i], &r->node[i]);
  *out = r->node[i];
  return s;
}

/* ---- Lists: [count, [entry, ...]] */

/* Reads the count and calls `entry` for each. */
static ad_status read_list(reader *r, const char *what, ad_status (*entry)(reader *r, size_t i)) {
  uint64_t count;
  ad_status s = ad_cppad_mark(&r->scan, '[');
  if (!s) s = ad_cppad_integer(&r->scan, what, 0, UINT64_MAX, &count);
  if (!s && count > (uint64_t)(r->scan.end - r->scan.p))
    s = ad_cppad_fail(&r->scan, "%s is %llu, more than the rest of the file can hold", what, (unsigned long long)count);
  if (!s) s = ad_cppad_mark(&r->scan, ',');
  if (!s) s = ad_cppad_mark(&r->scan, '[');
  for (size_t i = 0; !s && i < count; i++) {
    if (i) s = ad_cppad_mark(&r->scan, ',');
    if (!s) s = entry(r, i);
  }
  if (!s && ad_cppad_peek(&r->scan) == ',')
    s = ad_cppad_fail(&r->scan, "the list goes on behind %s, which is %llu", what, (unsigned long long)count);
  if (!s) s = ad_cppad_mark(&r->scan, ']');
  return s ? s : ad_cppad_mark(&r->scan, ']');
}

static ad_status read_definition(reader *r, size_t i) {
  ad_cppad_scan *scan = &r->scan;
  const char *name;
  size_t length;
  uint64_t code, arguments = 0;
  ad_status s = ad_cppad_mark(scan, '{');
  if (!s) s = ad_cppad_key(scan, "op_code");
  if (!s) s = ad_cppad_integer(scan, "an op_code, which counts from 1,", i + 1, i + 1, &code);
  if (!s) s = ad_cppad_mark(scan, ',');
  if (!s) s = ad_cppad_key(scan, "name");
  if (!s) s = ad_cppad_string(scan, "the name of an operator", &name, &length);
  if (s) return s;
  const ad_cppad_operator *op = ad_cppad_find(name, length);
  if (!op)
    return ad_cppad_fail(scan, "there is no operator '%.*s'", (int)(length < AD_MAX_NAME ? length : AD_MAX_NAME), name);
  if (!ad_reserve(&r->definition, &r->definition_capacity, i + 1, sizeof *r->definition))
    return ad_fail_memory(scan->e);
  r->definition[i] = op;
  r->definitions = i + 1;
  if (op->arguments) {
    s = ad_cppad_mark(scan, ',');
    if (!s) s = ad_cppad_key(scan, "n_arg");
    if (!s) s = ad_cppad_integer(scan, "n_arg", op->arguments, op->arguments, &arguments);
  }
  return s ? s : ad_cppad_mark(scan, '}');
}

static ad_status read_constant(reader *r, size_t i) {
  if (!ad_reserve(&r->constant, &r->constant_capacity, i + 1, sizeof *r->constant)) return ad_fail_memory(r->scan.e);
  r->constants = i + 1;
  return ad_cppad_real(&r->scan, "a constant", &r->constant[i]);
}

/* ---- Usages of operators */

/* The number of a node that is there already. */
static ad_status read_argument(reader *r, size_t i) {
  (void)i;
  const uint64_t most = r->parameters + r->variables + r->constants + r->usages;
  if (!most) return ad_cppad_fail(&r->scan, "there is no node yet that could stand here");
  if (!ad_reserve(&r->arg, &r->arg_capacity, r->args + 1, sizeof *r->arg)) return ad_fail_memory(r->scan.e);
  return ad_cppad_integer(&r->scan, "the index of a node before this one", 1, most, &r->arg[r->args++]);
}

/* n_result, n_arg, [arguments] */
static ad_status read_counted(reader *r, uint64_t results, uint64_t least, uint64_t most) {
  ad_cppad_scan *scan = &r->scan;
  uint64_t n, count;
  ad_status s = ad_cppad_mark(scan, ',');
  if (!s) s = ad_cppad_integer(scan, "n_result", results, results, &n);
  if (!s) s = ad_cppad_mark(scan, ',');
  if (!s) s = ad_cppad_integer(scan, "n_arg", least, most, &count);
  if (!s) s = ad_cppad_mark(scan, ',');
  if (!s) s = ad_cppad_mark(scan, '[');
  for (size_t i = 0; !s && i < count; i++) {
    if (i) s = ad_cppad_mark(scan, ',');
    if (!s) s = read_argument(r, i);
  }
  return s ? s : ad_cppad_mark(scan, ']');
}

/* An atomic or discrete function: named in the file, defined elsewhere. */
static ad_status refuse(reader *r, const ad_cppad_operator *op) {
  const char *name;
  size_t length;
  ad_status s = ad_cppad_mark(&r->scan, ',');
  if (!s) s = ad_cppad_string(&r->scan, "the name of a function", &name, &length);
  if (s) return s;
  return ad_cppad_fail(&r->scan, "the %s function '%.*s' is not in the file, so that its derivatives are unknown",
                       *op->name == 'a' ? "atomic" : "discrete", (int)(length < AD_MAX_NAME ? length : AD_MAX_NAME),
                       name);
}

static ad_status read_usage(reader *r, size_t i) {
  (void)i;
  ad_cppad_scan *scan = &r->scan;
  const uint64_t many = (uint64_t)(scan->end - scan->p);
  uint64_t code;
  const char *text;
  size_t length;
  ad_status s = ad_cppad_mark(scan, '[');
  if (!s && !r->definitions) s = ad_cppad_fail(scan, "an operator is used, but op_define_vec has none");
  if (!s) s = ad_cppad_integer(scan, "an op_code of op_define_vec", 1, r->definitions, &code);
  if (s) return s;
  const ad_cppad_operator *op = r->definition[code - 1];
  const usage u = {op, scan->token, r->args};
  switch (op->form) {
    case AD_CPPAD_OUTSIDE:
      return refuse(r, op);
    case AD_CPPAD_MESSAGE:
      for (int k = 0; !s && k < 2; k++) {
        s = ad_cppad_mark(scan, ',');
        if (!s) s = ad_cppad_string(scan, "a text to print", &text, &length);
      } /* fall through */
    case AD_CPPAD_ASSERTION:
      if (!s) s = read_counted(r, 0, 2, 2);
      r->args = u.first;
      return s ? s : ad_cppad_mark(scan, ']');
    case AD_CPPAD_TOTAL:
      s = read_counted(r, 1, 1, many);
      break;
    default:
      for (size_t k = 0; !s && k < op->arguments; k++) {
        s = ad_cppad_mark(scan, ',');
        if (!s) s = read_argument(r, k);
      }
  }
  if (!s) s = ad_cppad_mark(scan, ']');
  if (s) return s;
  if (!ad_reserve(&r->usage, &r->usage_capacity, r->usages + 1, sizeof *r->usage)) return ad_fail_memory(scan->e);
  r->usage[r->usages++] = u;
  return AD_OK;
}

/* ---- The graph */

static ad_status apply(reader *r, ad_op op, size_t nargs, const ad_node *args, ad_node *out) {
  return ad_cppad_place(&r->scan, ad_graph_apply(r->g, out, op, nargs, args, 0, NULL, r->scan.e));
}

static ad_status operate(reader *r, const ad_cppad_operator *op, size_t count, ad_node *out) {
  ad_node n;
  ad_status s;
  switch (op->form) {
    case AD_CPPAD_ABSORBING:
      return apply(r, op->op, 2, (ad_node[]){r->own[1], r->own[0]}, out);
    case AD_CPPAD_CHOICE:
      s = apply(r, op->op, 2, r->own, &n);
      return s ? s : apply(r, AD_OP_WHERE, 3, (ad_node[]){n, r->own[2], r->own[3]}, out);
    case AD_CPPAD_TOTAL:
      s = apply(r, AD_OP_STACK, count, r->own, &n);
      return s ? s : apply(r, AD_OP_SUM, 1, &n, out);
    default:
      return apply(r, op->op, count, r->own, out);
  }
}

/* The nodes of arguments first .. first + count - 1 into r->own. */
static ad_status find_own(reader *r, size_t first, size_t count) {
  if (!ad_reserve(&r->own, &r->own_capacity, count, sizeof *r->own)) return ad_fail_memory(r->scan.e);
  ad_status s = AD_OK;
  for (size_t k = 0; !s && k < count; k++) s = node_of(r, r->arg[first + k], &r->own[k]);
  return s;
}

static void need(reader *r, size_t first, size_t end) {
  const uint64_t before = r->parameters + r->variables + r->constants;
  for (size_t k = first; k < end; k++)
    if (r->arg[k] > before) r->needed[r->arg[k] - before - 1] = true;
}

/* dependents: where the arguments that are the dependent variables begin. */
static ad_status build(reader *r, size_t dependents) {
  ad_node y;
  ad_status s = AD_OK;
  r->node = ad_malloc(r->constants + r->usages, sizeof *r->node);
  r->needed = ad_calloc(r->usages, sizeof *r->needed);
  r->alias = ad_calloc(r->usages, sizeof *r->alias);
  if (!r->node || !r->needed || !r->alias) return ad_fail_memory(r->scan.e);
  memset(r->node, 0xFF, (r->constants + r->usages) * sizeof *r->node);
  need(r, dependents, r->args);
  for (size_t i = r->usages, end = dependents; i-- > 0; end = r->usage[i].first) {
    r->alias[i] = r->usage[i].op->form == AD_CPPAD_TOTAL && end - r->usage[i].first == 1;
    if (r->needed[i]) need(r, r->usage[i].first, end);
  }
  for (size_t i = 0; !s && i < r->usages; i++) {
    const size_t first = r->usage[i].first, end = i + 1 < r->usages ? r->usage[i + 1].first : dependents;
    if (!r->needed[i] || r->alias[i]) continue;
    r->scan.token = r->usage[i].place;
    s = find_own(r, first, end - first);
    if (!s) s = operate(r, r->usage[i].op, end - first, &r->node[r->constants + i]);
  }
  r->scan.token = r->scan.p;
  if (!s) s = find_own(r, dependents, r->args - dependents);
  if (!s) s = apply(r, AD_OP_STACK, r->args - dependents, r->own, &y);
  return s ? s : ad_graph_output(r->g, "y", y, r->scan.e);
}

/* ---- The whole */

static ad_status make_input(reader *r, const char *name, uint64_t size, bool fixed, ad_node *out) {
  const ad_input_spec spec = {.name = name, .shape = {1, {(int64_t)size}}, .fixed = fixed};
  return size ? ad_cppad_place(&r->scan, ad_graph_input(r->g, out, &spec, r->scan.e)) : AD_OK;
}

static ad_status read_independents(reader *r, const char *key, const char *name, bool fixed, uint64_t *count,
                                   ad_node *input) {
  ad_status s = ad_cppad_key(&r->scan, key);
  if (!s) s = ad_cppad_integer(&r->scan, key, 0, UINT32_MAX / 2, count);
  if (!s) s = make_input(r, name, *count, fixed, input);
  return s ? s : ad_cppad_mark(&r->scan, ',');
}

static ad_status read_section(reader *r, const char *key, const char *what, ad_status (*entry)(reader *r, size_t i)) {
  ad_status s = ad_cppad_key(&r->scan, key);
  return s ? s : read_list(r, what, entry);
}

static ad_status read_name(reader *r) {
  const char *text;
  size_t length;
  char name[AD_MAX_NAME + 1];
  ad_status s = ad_cppad_key(&r->scan, "function_name");
  if (!s) s = ad_cppad_string(&r->scan, "the function's name", &text, &length);
  if (s || length > AD_MAX_NAME) return s;
  memcpy(name, text, length);
  name[length] = '\0';
  s = ad_graph_set_name(r->g, name, NULL);
  return s == AD_ENOMEM ? ad_fail_memory(r->scan.e) : AD_OK; /* a name that can't be one is left out */
}

static ad_status read_all(reader *r) {
  ad_cppad_scan *scan = &r->scan;
  ad_status s = ad_cppad_mark(scan, '{');
  if (!s) s = read_name(r);
  if (!s) s = ad_cppad_mark(scan, ',');
  if (!s) s = read_section(r, "op_define_vec", "the number of operators", read_definition);
  if (!s) s = ad_cppad_mark(scan, ',');
  if (!s) s = read_independents(r, "n_dynamic_ind", "p", true, &r->parameters, &r->p);
  if (!s) s = read_independents(r, "n_variable_ind", "x", false, &r->variables, &r->x);
  if (!s) s = read_section(r, "constant_vec", "the number of constants", read_constant);
  if (!s) s = ad_cppad_mark(scan, ',');
  if (!s) s = read_section(r, "op_usage_vec", "the number of usages", read_usage);
  if (!s) s = ad_cppad_mark(scan, ',');
  const size_t dependents = r->args;
  if (!s) s = read_section(r, "dependent_vec", "the number of dependent variables", read_argument);
  if (!s && r->args == dependents)
    s = ad_cppad_fail(scan, "there are no dependent variables, so that nothing is computed");
  if (!s) s = ad_cppad_mark(scan, '}');
  if (!s && (ad_cppad_peek(scan) || scan->p < scan->end)) s = ad_cppad_fail(scan, "something stands behind the graph");
  return s ? s : build(r, dependents);
}

ad_status ad_cppad_read(ad_graph **g, const void *bytes, size_t size, const char *path, const ad_limits *limits,
                        ad_error *e) {
  ad_error own;
  const char *text = bytes;
  reader r = {.scan = {.source = {text, size, path}, .p = text, .end = text + size, .token = text, .e = e ? e : &own}};
  ad_status s = ad_graph_new(&r.g, limits, e);
  if (!s) s = read_all(&r);
  if (s)
    ad_graph_free(r.g);
  else
    *g = r.g;
  void *parts[] = {r.constant, r.usage, r.arg, r.node, r.needed, r.alias, r.own, r.element, r.definition};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) ad_free(parts[i]);
  return s;
}

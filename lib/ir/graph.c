/* Building a graph: every node is checked when it is added. */
#include "ir/graph.h"

#include <float.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "hash.h"
#include "mem.h"

_Static_assert(AD_OP_COUNT <= UINT8_MAX, "the op column is a byte");

ad_limits ad_limits_resolve(const ad_limits *l) {
  ad_limits r = l ? *l : (ad_limits){0};
  if (!r.max_nodes) r.max_nodes = 100000000;
  if (!r.max_elements) r.max_elements = (uint64_t)1 << 31;
  if (!r.max_bytes) r.max_bytes = (uint64_t)16 << 30;
  if (!r.max_precision) r.max_precision = 10000000;
  if (!r.max_yaml_depth) r.max_yaml_depth = 64;
  if (!r.max_expr_depth) r.max_expr_depth = 256;
  if (!r.max_scalar) r.max_scalar = 1 << 20;
  return r;
}

static char *copy_text(const char *s) {
  size_t n = strlen(s) + 1;
  char *p = ad_malloc(n, 1);
  return p ? memcpy(p, s, n) : NULL;
}

static const ad_shape scalar_shape = {0};

ad_status ad_graph_new(ad_graph **out, const ad_limits *limits, ad_error *e) {
  AD_GIVEN(out, e);
  ad_graph *g = ad_calloc(1, sizeof *g);
  if (!g) return ad_fail_memory(e);
  g->limits = ad_limits_resolve(limits);
  if (!ad_reserve(&g->shapes, &g->shape_capacity, 1, sizeof *g->shapes)) {
    ad_graph_free(g);
    return ad_fail_memory(e);
  }
  g->shapes[g->shape_count++] = scalar_shape;
  *out = g;
  return AD_OK;
}

void ad_graph_free(ad_graph *g) {
  if (!g) return;
  for (size_t i = 0; i < g->meta_keys.count; i++) ad_free(g->meta_text[i]);
  for (size_t i = 0; i < g->note_count; i++) ad_free(g->note[i]);
  void *parts[] = {g->name,   g->op,    g->first_arg, g->shape, g->arg,         g->shapes, g->shape_slots, g->literal,
                   g->number, g->exact, g->text,      g->slot,  g->output_node, g->ints,   g->meta_text,   g->note};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) ad_free(parts[i]);
  ad_names_clear(&g->names);
  ad_names_clear(&g->output_names);
  ad_names_clear(&g->meta_keys);
  ad_free(g);
}

/* ---- Names and texts */

ad_status ad_graph_check_name(const char *what, const char *name, ad_error *e) {
  size_t n = strlen(name);
  if (!n) return ad_fail(e, AD_EINPUT, "%s has an empty name", what);
  if (n > AD_MAX_NAME)
    return ad_fail(e, AD_EINPUT, "%s's name is %zu bytes long; the limit is %d: '%.40s...'", what, n, AD_MAX_NAME,
                   name);
  if (name[0] == '%')
    return ad_fail(e, AD_EINPUT, "%s's name '%s' starts with %%, which marks anonymous nodes", what, name);
  for (const char *s = name; *s;) {
    const bool plain = *s >= ' ' && *s <= '~';
    const size_t length = plain ? 1 : ad_character(s, name + n);
    if (!length || *s == '`')
      return ad_fail(e, AD_EINPUT, "%s's name has %s at byte %d", what,
                     *s == '`'                 ? "a backquote"
                     : (unsigned char)*s < 128 ? "a control character"
                                               : "something that is not UTF-8 or a control character",
                     (int)(s - name));
    s += length;
  }
  return AD_OK;
}

static ad_status replace_text(char **slot, const char *text, ad_error *e) {
  char *copy = copy_text(text);
  if (!copy) return ad_fail_memory(e);
  ad_free(*slot);
  *slot = copy;
  return AD_OK;
}

ad_status ad_graph_set_name(ad_graph *g, const char *name, ad_error *e) {
  AD_GIVEN(g && name, e);
  if (*name) {
    ad_status s = ad_graph_check_name("the graph", name, e);
    if (s) return s;
  }
  return replace_text(&g->name, name, e);
}

/* Whether it is UTF-8: control characters, which ad_character refuses, are in ASCII and behind the bytes C2 and E2, all
 * of whose sequences are characters. */
static bool is_utf8(const char *s) {
  const char *end = s + strlen(s);
  for (size_t n; s < end; s += n) {
    const unsigned char *u = (const unsigned char *)s;
    const bool second = (u[1] & 0xC0) == 0x80, third = second && (u[2] & 0xC0) == 0x80;
    n = *u < 0x80 ? 1 : *u == 0xC2 && second ? 2 : *u == 0xE2 && third ? 3 : ad_character(s, end);
    if (!n) return false;
  }
  return true;
}

static bool is_among(char c, char from, char to) {
  return c >= from && c <= to;
}

static bool is_section(const char *tag, const char *hex) {
  if (strlen(tag) != 4 || !is_among(tag[0], 'a', 'z')) return false;
  for (int i = 1; i < 4; i++)
    if (!is_among(tag[i], 'a', 'z') && !is_among(tag[i], 'A', 'Z') && !is_among(tag[i], '0', '9')) return false;
  return strlen(hex) % 2 == 0 && !hex[strspn(hex, "0123456789abcdef")];
}

/* What every format that keeps texts can write. */
static ad_status check_meta(const ad_graph *g, const char *key, const char *text, ad_error *e) {
  enum { PREFIX = sizeof AD_META_SECTION - 1 };
  ad_status s = ad_graph_check_name("a meta entry", key, e);
  if (s) return s;
  if (!is_utf8(text)) return ad_fail(e, AD_EINPUT, "the meta entry '%s' is not UTF-8", key);
  if (strncmp(key, AD_META_SECTION, PREFIX)) return AD_OK;
  if (!is_section(key + PREFIX, text))
    return ad_fail(e, AD_EINPUT,
                   "the meta entry '%s' is no kept section: a tag of a lower-case letter and three letters or digits, "
                   "text in hexadecimal",
                   key);
  size_t sections = 0;
  for (size_t i = 0; i < g->meta_keys.count; i++) {
    const char *other = ad_names_at(&g->meta_keys, i);
    sections += strcmp(other, key) && !strncmp(other, AD_META_SECTION, PREFIX);
  }
  return sections < AD_MAX_META_SECTIONS ? AD_OK
                                         : ad_fail(e, AD_EINPUT, "a graph has at most %d kept sections (%s...)",
                                                   AD_MAX_META_SECTIONS, AD_META_SECTION);
}

ad_status ad_graph_set_meta(ad_graph *g, const char *key, const char *text, ad_error *e) {
  AD_GIVEN(g && key && text, e);
  ad_status s = check_meta(g, key, text, e);
  if (s) return s;
  uint32_t at;
  if (ad_names_find(&g->meta_keys, key, &at)) return replace_text(&g->meta_text[at], text, e);
  const size_t count = g->meta_keys.count;
  char *t = copy_text(text);
  if (!t || !ad_reserve(&g->meta_text, &g->meta_capacity, count + 1, sizeof *g->meta_text) ||
      !ad_names_add(&g->meta_keys, key, (uint32_t)count)) {
    ad_free(t);
    return ad_fail_memory(e);
  }
  g->meta_text[count] = t;
  return AD_OK;
}

ad_status ad_graph_add_note(ad_graph *g, ad_error *e, const char *format, ...) {
  char text[sizeof e->message];
  va_list ap;
  va_start(ap, format);
  vsnprintf(text, sizeof text, format, ap);
  va_end(ap);
  char *copy = copy_text(text);
  if (!copy || !ad_reserve(&g->note, &g->note_capacity, g->note_count + 1, sizeof *g->note)) {
    ad_free(copy);
    return ad_fail_memory(e);
  }
  g->note[g->note_count++] = copy;
  return AD_OK;
}

const char *ad_graph_note(const ad_graph *g, size_t i) {
  return i < g->note_count ? g->note[i] : NULL;
}

ad_status ad_graph_set_kinks(ad_graph *g, const ad_kinks *k, ad_error *e) {
  AD_GIVEN(g && k, e);
  if (k->abs_at_zero != -1 && k->abs_at_zero != 0 && k->abs_at_zero != 1)
    return ad_fail(e, AD_EINPUT, "kinks: abs is -1, 0 or 1, not %g", k->abs_at_zero);
  if (k->relu_at_zero != 0 && k->relu_at_zero != 0.5 && k->relu_at_zero != 1)
    return ad_fail(e, AD_EINPUT, "kinks: relu is 0, 0.5 or 1, not %g", k->relu_at_zero);
  if (k->ties != AD_TIES_SHARE && k->ties != AD_TIES_FIRST && k->ties != AD_TIES_LAST)
    return ad_fail(e, AD_EINPUT, "kinks: ties is share, first or last");
  g->kinks = *k;
  return AD_OK;
}

static ad_status taken(const ad_graph *g, const char *name, ad_error *e) {
  uint32_t id;
  if (!ad_names_find(&g->names, name, &id)) return AD_OK;
  return ad_fail(e, AD_EINPUT, "the name '%s' is used twice; names of inputs and nodes are unique", name);
}

ad_status ad_graph_set_node_name(ad_graph *g, ad_node n, const char *name, ad_error *e) {
  AD_GIVEN(g && name, e);
  ad_status s = ad_graph_check_name("a node", name, e);
  if (!s) s = taken(g, name, e);
  if (s) return s;
  if (n >= g->count) return ad_fail(e, AD_EUSAGE, "there is no node %u to name '%s'", n, name);
  const char *old = ad_names_of(&g->names, n);
  if (old) return ad_fail(e, AD_EUSAGE, "node %u is named '%s' already", n, old);
  return ad_names_add(&g->names, name, n) ? AD_OK : ad_fail_memory(e);
}

ad_status ad_graph_output(ad_graph *g, const char *name, ad_node n, ad_error *e) {
  AD_GIVEN(g && name, e);
  uint32_t id;
  ad_status s = ad_graph_check_name("an output", name, e);
  if (s) return s;
  if (n >= g->count) return ad_fail(e, AD_EUSAGE, "output '%s' wants node %u, which does not exist", name, n);
  if (ad_names_find(&g->output_names, name, &id)) return ad_fail(e, AD_EINPUT, "the output '%s' is given twice", name);
  if (!ad_reserve(&g->output_node, &g->output_capacity, g->output_count + 1, sizeof *g->output_node) ||
      !ad_names_add(&g->output_names, name, (uint32_t)g->output_count))
    return ad_fail_memory(e);
  g->output_node[g->output_count++] = n;
  return AD_OK;
}

/* ---- Shapes */

static uint32_t hash_shape(const uint32_t *table, const ad_shape *s) {
  uint64_t h = ad_hash_seed(table);
  for (int i = 0; i < s->rank; i++) h = ad_hash_add(h, (uint64_t)s->dim[i]);
  return ad_hash_end(h);
}

static bool grow_shape_slots(ad_graph *g) {
  size_t slots = g->shape_slot_count ? 2 * g->shape_slot_count : 64;
  uint32_t *table = ad_calloc(slots, sizeof *table);
  if (!table) return false;
  for (size_t i = 0; i < g->shape_count; i++) {
    size_t k = hash_shape(table, &g->shapes[i]) & (slots - 1);
    while (table[k]) k = (k + 1) & (slots - 1);
    table[k] = (uint32_t)i + 1;
  }
  ad_free(g->shape_slots);
  g->shape_slots = table;
  g->shape_slot_count = slots;
  return true;
}

/* What an error speaks of: an input, or whatever else is said. */
typedef struct subject {
  const char *what, *input;
} subject;
typedef char subject_room[AD_MAX_NAME + 16];

static const char *subject_text(char *room, subject s) {
  if (!s.input) return s.what;
  snprintf(room, sizeof(subject_room), "input '%s'", s.input);
  return room;
}

static ad_status check_shape(const ad_graph *g, const ad_shape *s, subject who, ad_error *e) {
  subject_room room;
  if (s->rank < 0 || s->rank > AD_MAX_RANK)
    return ad_fail(e, AD_EINPUT, "%s has rank %d; the limit is %d", subject_text(room, who), s->rank, AD_MAX_RANK);
  int64_t n = ad_shape_size(s);
  if (n >= 0 && (uint64_t)n <= g->limits.max_elements) return AD_OK;
  char text[AD_SHAPE_TEXT];
  ad_shape_text(text, s);
  const char *what = subject_text(room, who);
  for (int i = 0; i < s->rank; i++)
    if (s->dim[i] < 0) return ad_fail(e, AD_EINPUT, "%s has a negative size: %s", what, text);
  return ad_fail(e, AD_ELIMIT, "%s of shape %s has more than %llu elements, the limit (--max-elements)", what, text,
                 (unsigned long long)g->limits.max_elements);
}

ad_status ad_graph_intern_shape(ad_graph *g, const ad_shape *s, uint32_t *id, ad_error *e) {
  if (s->rank == 0) {
    *id = 0;
    return AD_OK;
  }
  if (2 * (g->shape_count + 1) > g->shape_slot_count && !grow_shape_slots(g)) return ad_fail_memory(e);
  size_t k = hash_shape(g->shape_slots, s) & (g->shape_slot_count - 1);
  for (; g->shape_slots[k]; k = (k + 1) & (g->shape_slot_count - 1))
    if (ad_shape_equal(&g->shapes[g->shape_slots[k] - 1], s)) {
      *id = g->shape_slots[k] - 1;
      return AD_OK;
    }
  if (!ad_reserve(&g->shapes, &g->shape_capacity, g->shape_count + 1, sizeof *g->shapes)) return ad_fail_memory(e);
  ad_shape clean = {.rank = s->rank};
  memcpy(clean.dim, s->dim, (size_t)s->rank * sizeof clean.dim[0]);
  g->shapes[g->shape_count] = clean;
  *id = (uint32_t)g->shape_count++;
  g->shape_slots[k] = *id + 1;
  return AD_OK;
}

/* ---- Nodes */

/* The columns of `nodes` more nodes, and the end of the last one's arguments. */
static ad_status reserve_columns(ad_graph *g, size_t nodes, ad_error *e) {
  size_t a = g->node_capacity, b = a, c = a, need;
  if (__builtin_add_overflow(g->count + 1, nodes, &need) || !ad_reserve(&g->op, &a, need, sizeof *g->op) ||
      !ad_reserve(&g->first_arg, &b, need, sizeof *g->first_arg) || !ad_reserve(&g->shape, &c, need, sizeof *g->shape))
    return ad_fail_memory(e);
  g->node_capacity = a;
  g->first_arg[g->count] = (uint32_t)g->arg_count;
  return AD_OK;
}

ad_status ad_graph_reserve(ad_graph *g, size_t nodes, size_t args, ad_error *e) {
  size_t need;
  AD_GIVEN(g, e);
  if (nodes > g->limits.max_nodes) nodes = (size_t)g->limits.max_nodes;
  if (__builtin_add_overflow(g->arg_count, args, &need) || need > UINT32_MAX) need = UINT32_MAX;
  if (!ad_reserve(&g->arg, &g->arg_capacity, need, sizeof *g->arg)) return ad_fail_memory(e);
  return reserve_columns(g, nodes, e);
}

/* Makes room for one node with `words` argument words. */
static inline ad_status reserve_node(ad_graph *g, size_t words, ad_error *e) {
  if (g->count >= g->limits.max_nodes)
    return ad_fail(e, AD_ELIMIT, "the graph has more than %llu nodes, the limit (--max-nodes)",
                   (unsigned long long)g->limits.max_nodes);
  if (g->arg_count + words > UINT32_MAX) return ad_fail(e, AD_ELIMIT, "the graph has more than 2^32 arguments");
  if (g->count + 1 >= g->node_capacity) {
    ad_status s = reserve_columns(g, 1, e);
    if (s) return s;
  }
  if (!ad_reserve(&g->arg, &g->arg_capacity, g->arg_count + words, sizeof *g->arg)) return ad_fail_memory(e);
  return AD_OK;
}

static double to_dtype(double v, ad_dtype t) {
  return t == AD_F32 ? (double)(float)v : v;
}

/* Copies numbers into the pool, rounded to the dtype when one is given. */
static ad_status add_literal(ad_graph *g, const ad_numbers *v, ad_dtype dtype, bool fixed, uint32_t *id, ad_error *e) {
  size_t count = v ? v->count : 0, exact = v && dtype == AD_EXACT ? v->exact_count : 0;
  size_t text = v && dtype == AD_EXACT ? v->text_size : 0;
  if (!ad_reserve(&g->literal, &g->literal_capacity, g->literal_count + 1, sizeof *g->literal) ||
      !ad_reserve(&g->number, &g->number_capacity, g->number_count + count, sizeof *g->number) ||
      !ad_reserve(&g->exact, &g->exact_capacity, g->exact_count + exact, sizeof *g->exact) ||
      !ad_reserve(&g->text, &g->text_capacity, g->text_size + text, 1))
    return ad_fail_memory(e);
  for (size_t i = 0; i < count; i++) g->number[g->number_count + i] = to_dtype(v->value[i], dtype);
  if (v && dtype == AD_F32) /* from the text, not through double: one rounding */
    for (size_t i = 0; i < v->exact_count; i++) {
      bool same;
      g->number[g->number_count + v->exact[i].index] = ad_number_round(v->text + v->exact[i].text, AD_F32, &same);
    }
  for (size_t i = 0; i < exact; i++)
    g->exact[g->exact_count + i] = (ad_exact){g->number_count + v->exact[i].index, g->text_size + v->exact[i].text};
  if (text) memcpy(g->text + g->text_size, v->text, text);
  g->literal[g->literal_count] = (ad_literal){g->number_count, count, (uint8_t)dtype, fixed};
  *id = (uint32_t)g->literal_count++;
  g->number_count += count;
  g->exact_count += exact;
  g->text_size += text;
  return AD_OK;
}

static ad_status check_count(const ad_numbers *v, const ad_shape *s, subject who, ad_error *e) {
  size_t want = (size_t)ad_shape_size(s);
  if (!v || v->count == want || v->count == 1) return AD_OK;
  subject_room room;
  char text[AD_SHAPE_TEXT];
  ad_shape_text(text, s);
  return ad_fail(e, AD_EINPUT, "%s has %zu numbers, but its shape %s has %zu elements", subject_text(room, who),
                 v->count, text, want);
}

ad_status ad_graph_input(ad_graph *g, ad_node *out, const ad_input_spec *spec, ad_error *e) {
  AD_GIVEN(g && out && spec && spec->name && spec->dtype <= AD_F32, e);
  const subject who = {.input = spec->name};
  uint32_t shape, id;
  ad_status s = ad_graph_check_name("an input", spec->name, e);
  if (!s) s = taken(g, spec->name, e);
  if (s) return s;
  if (g->count != g->input_count)
    return ad_fail(e, AD_EUSAGE, "input '%s' comes after other nodes; a graph's inputs come first", spec->name);
  s = check_shape(g, &spec->shape, who, e);
  if (!s) s = check_count(spec->value, &spec->shape, who, e);
  if (!s) s = ad_graph_intern_shape(g, &spec->shape, &shape, e);
  if (!s) s = reserve_node(g, 1, e);
  if (!s) s = add_literal(g, spec->value, spec->dtype, spec->fixed, &id, e);
  if (s) return s;
  if (!ad_names_add(&g->names, spec->name, (uint32_t)g->count)) return ad_fail_memory(e);
  *out = ad_graph_put_node(g, AD_OP_INPUT, shape, 0, NULL, true, id);
  g->input_count++;
  return AD_OK;
}

ad_status ad_graph_set_input_value(ad_graph *g, ad_node input, const ad_numbers *value, ad_dtype dtype, ad_error *e) {
  AD_GIVEN(g && dtype <= AD_F32, e);
  if (input >= g->input_count) return ad_fail(e, AD_EUSAGE, "node %u is not an input", input);
  uint32_t *literal = &g->arg[g->first_arg[input]], id;
  ad_status s = check_count(value, &g->shapes[g->shape[input]], (subject){.input = ad_names_of(&g->names, input)}, e);
  if (!s) s = add_literal(g, value, dtype, g->literal[*literal].fixed, &id, e);
  if (!s) *literal = id;
  return s;
}

static const subject constant_subject = {.what = "a constant"};

ad_status ad_graph_constant(ad_graph *g, ad_node *out, const ad_shape *shape, const ad_numbers *value, ad_dtype dtype,
                            ad_error *e) {
  uint32_t sid, id;
  AD_GIVEN(g && out && shape && value && dtype <= AD_F32, e);
  ad_status s = check_shape(g, shape, constant_subject, e);
  if (!s && !value->count && ad_shape_size(shape)) s = ad_fail(e, AD_EINPUT, "a constant has no numbers");
  if (!s) s = check_count(value, shape, constant_subject, e);
  if (!s) s = ad_graph_intern_shape(g, shape, &sid, e);
  if (!s) s = reserve_node(g, 1, e);
  if (!s) s = add_literal(g, value, dtype, false, &id, e);
  if (!s) *out = ad_graph_put_node(g, AD_OP_CONSTANT, sid, 0, NULL, true, id);
  return s;
}

ad_status ad_graph_constant_double(ad_graph *g, ad_node *out, double v, ad_error *e) {
  ad_numbers one = {.count = 1, .value = &v};
  return ad_graph_constant(g, out, &scalar_shape, &one, AD_EXACT, e);
}

ad_status ad_graph_constant_text(ad_graph *g, ad_node *out, const char *text, ad_error *e) {
  ad_numbers one = {0};
  AD_GIVEN(g && out && text, e);
  ad_status s = ad_numbers_push_text(&one, text, strlen(text), e);
  if (!s) s = ad_graph_constant(g, out, &scalar_shape, &one, AD_EXACT, e);
  ad_free(one.value);
  ad_free(one.exact);
  ad_free(one.text);
  return s;
}

/* Sorts the caller's attributes into the row's order. */
static ad_status sort_attrs(ad_infer *in, const ad_op_info *info, size_t nattrs, const ad_attr *attrs, ad_error *e) {
  for (size_t i = 0; i < nattrs; i++) {
    int k = 0;
    while (k < info->attr_count && strcmp(info->attr[k].name, attrs[i].name)) k++;
    if (k == info->attr_count) {
      char known[200] = "";
      for (k = 0; k < info->attr_count; k++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", k ? ", " : "; it has ", info->attr[k].name);
      }
      return ad_fail(e, AD_EINPUT, "%s has no attribute '%s'%s", info->name, attrs[i].name, known);
    }
    if (in->attr[k].value) return ad_fail(e, AD_EINPUT, "%s: attribute '%s' is given twice", info->name, attrs[i].name);
    const ad_attr_info *want = &info->attr[k];
    if (!attrs[i].value) continue; /* absent */
    int64_t n = ad_shape_size(&attrs[i].shape);
    bool single = want->kind == AD_ATTR_INT || want->kind == AD_ATTR_BOOL;
    if (n < 0 || (single && attrs[i].shape.rank != 0))
      return ad_fail(e, AD_EINPUT, "%s: attribute '%s' is one integer", info->name, want->name);
    if ((want->kind == AD_ATTR_INTS || want->kind == AD_ATTR_SHAPE) && (attrs[i].shape.rank > 1 || n > AD_MAX_RANK))
      return ad_fail(e, AD_EINPUT, "%s: attribute '%s' is a list of at most %d integers", info->name, want->name,
                     AD_MAX_RANK);
    if (want->kind == AD_ATTR_BOOL && attrs[i].value[0] != 0 && attrs[i].value[0] != 1)
      return ad_fail(e, AD_EINPUT, "%s: attribute '%s' is yes or no", info->name, want->name);
    in->attr[k] = attrs[i];
    in->attr[k].name = want->name;
    if (want->kind != AD_ATTR_TENSOR && !single) in->attr[k].shape = (ad_shape){1, {n}};
  }
  for (int k = 0; k < info->attr_count; k++)
    if (info->attr[k].required && !in->attr[k].value)
      return ad_fail(e, AD_EINPUT, "%s wants the attribute '%s': %s", info->name, info->attr[k].name,
                     info->attr[k].doc);
  return AD_OK;
}

/* Stores normalised attributes; *first is the slot of the first one. */
static ad_status add_attrs(ad_graph *g, const ad_attr *attr, int count, uint32_t *first, ad_error *e) {
  size_t ints = 0;
  uint32_t shape[AD_MAX_ATTRS] = {0};
  for (int k = 0; k < count; k++) {
    if (!attr[k].value) continue;
    ints += (size_t)ad_shape_size(&attr[k].shape);
    ad_status s = ad_graph_intern_shape(g, &attr[k].shape, &shape[k], e);
    if (s) return s;
  }
  if (!ad_reserve(&g->slot, &g->slot_capacity, g->slot_count + (size_t)count, sizeof *g->slot) ||
      !ad_reserve(&g->ints, &g->int_capacity, g->int_count + ints + 1,
                  sizeof *g->ints)) /* + 1: empty lists have an address, too */
    return ad_fail_memory(e);
  *first = (uint32_t)g->slot_count;
  for (int k = 0; k < count; k++) {
    size_t n = attr[k].value ? (size_t)ad_shape_size(&attr[k].shape) : 0;
    if (n) memcpy(g->ints + g->int_count, attr[k].value, n * sizeof *g->ints);
    g->slot[g->slot_count++] = (ad_attr_slot){attr[k].value ? g->int_count : SIZE_MAX, shape[k]};
    g->int_count += n;
  }
  return AD_OK;
}

ad_status ad_graph_put(ad_graph *g, ad_node *out, ad_op op, uint32_t shape, size_t nargs, const ad_node *args,
                       const ad_attr *attr, ad_error *e) {
  const int attrs = ad_op_get(op)->attr_count;
  uint32_t first = 0;
  ad_status s = reserve_node(g, nargs + 1, e);
  if (!s && attrs) s = add_attrs(g, attr, attrs, &first, e);
  if (!s) *out = ad_graph_put_node(g, op, shape, nargs, args, attrs > 0, first);
  return s;
}

ad_status ad_graph_put_leaf(ad_graph *g, ad_node *out, ad_op op, uint32_t shape, const ad_literal *l, ad_error *e) {
  ad_status s = reserve_node(g, 1, e);
  if (s) return s;
  if (!ad_reserve(&g->literal, &g->literal_capacity, g->literal_count + 1, sizeof *g->literal))
    return ad_fail_memory(e);
  g->literal[g->literal_count] = *l;
  *out = ad_graph_put_node(g, op, shape, 0, NULL, true, (uint32_t)g->literal_count++);
  return AD_OK;
}

/* Adds to a shape rule's message which nodes it speaks of. */
static ad_status name_args(const ad_graph *g, ad_status s, size_t nargs, const ad_node *args, ad_error *e) {
  if (!s || !e) return s;
  size_t used = strlen(e->message);
  for (size_t i = 0; i < nargs && i < 4 && used < sizeof e->message - 1; i++) {
    char node[AD_NODE_TEXT], shape[AD_SHAPE_TEXT];
    ad_shape_text(shape, &g->shapes[g->shape[args[i]]]);
    used += (size_t)snprintf(e->message + used, sizeof e->message - used, "%s%s %s", i ? ", " : " (",
                             ad_graph_node_text(g, args[i], node), shape);
  }
  if (nargs && used < sizeof e->message - 1)
    snprintf(e->message + used, sizeof e->message - used, nargs > 4 ? ", ...)" : ")");
  ad_clean(e->message);
  return s;
}

static ad_status apply_generally(ad_graph *g, ad_node *out, ad_op op, size_t nargs, const ad_node *args, size_t nattrs,
                                 const ad_attr *attrs, ad_error *e) {
  const ad_op_info *info = ad_op_get(op);
  const ad_op_rule *rule = ad_op_rule_get(op);
  const ad_shape *few[8], **arg = few;
  if (nargs > 8 && !(arg = ad_malloc(nargs, sizeof *arg))) return ad_fail_memory(e);
  for (size_t i = 0; i < nargs; i++) arg[i] = &g->shapes[g->shape[args[i]]];
  ad_infer in = {.op = op, .nargs = nargs, .arg = arg};
  ad_status s = sort_attrs(&in, info, nattrs, attrs, e);
  if (!s)
    s = name_args(g,
                  rule->infer ? rule->infer(&in, e) : ad_infer_broadcast_shapes(&in.shape, arg, nargs, info->name, e),
                  nargs, args, e);
  if (!s) s = check_shape(g, &in.shape, (subject){.what = info->name}, e);
  uint32_t shape = 0;
  if (!s) s = ad_graph_intern_shape(g, &in.shape, &shape, e);
  if (!s) s = ad_graph_put(g, out, op, shape, nargs, args, in.attr, e);
  if (arg != few) ad_free(arg);
  return s;
}

ad_status ad_graph_apply(ad_graph *g, ad_node *out, ad_op op, size_t nargs, const ad_node *args, size_t nattrs,
                         const ad_attr *attrs, ad_error *e) {
  const ad_op_info *info = ad_op_get(op);
  AD_GIVEN(g && out && (args || !nargs) && (attrs || !nattrs), e);
  for (size_t i = 0; i < nattrs; i++) AD_GIVEN(attrs[i].name, e);
  if (!info || info->cls == AD_CLASS_LEAF || info->cls == AD_CLASS_LOWERED)
    return ad_fail(e, AD_EUSAGE, "%s can't be applied", info ? info->name : "an unknown operation");
  if (nargs < (size_t)info->min_args || nargs > (size_t)info->max_args) {
    if (info->max_args == AD_VARIADIC)
      return ad_fail(e, AD_EINPUT, "%s takes at least %d argument%s (%s)", info->name, info->min_args,
                     info->min_args == 1 ? "" : "s", info->arg_names);
    const bool by_name = nargs > (size_t)info->max_args && info->attr_count;
    return ad_fail(e, AD_EINPUT, "%s takes %d argument%s (%s), not %zu%s%s%s", info->name, info->max_args,
                   info->max_args == 1 ? "" : "s", info->arg_names, nargs,
                   by_name ? "; an attribute goes by name: " : "", by_name ? info->attr[0].name : "",
                   by_name ? "=..." : "");
  }
  bool scalars = info->cls == AD_CLASS_ELEMENT && nattrs == 0;
  for (size_t i = 0; i < nargs; i++) {
    if (args[i] >= g->count)
      return ad_fail(e, AD_EUSAGE, "%s: argument %zu is node %u, which does not exist yet", info->name, i + 1, args[i]);
    scalars = scalars && g->shape[args[i]] == 0;
  }
  if (info->default_arg && nargs == 1) {
    ad_node both[2] = {args[0], 0};
    const ad_graph_mark before = ad_graph_mark_end(g);
    ad_status s = ad_graph_constant_text(g, &both[1], info->default_arg, e);
    if (!s) s = ad_graph_apply(g, out, op, 2, both, nattrs, attrs, e);
    if (s) ad_graph_cut(g, &before); /* takes the constant back */
    return s;
  }
  if (!scalars) return apply_generally(g, out, op, nargs, args, nattrs, attrs, e);
  ad_status s = reserve_node(g, nargs, e);
  if (!s) *out = ad_graph_put_node(g, op, 0, nargs, args, false, 0);
  return s;
}

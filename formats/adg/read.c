/* From the columns of .adg to a graph.  Nothing is trusted: each count is checked against the bytes that are left
 * before anything is allocated, and the graph's own functions check every node. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "adg/adg.h"
#include "adg/columns.h"
#include "adg/container.h"
#include "error.h"
#include "ir/graph.h"

typedef struct cursor {
  const unsigned char *p, *start, *end;
  size_t offset; /* of the section in the file */
} cursor;

typedef struct reader {
  cursor c[ADG_TAGS];
  ad_graph *g;
  ad_numbers *numbers;
  size_t doubles, next_double; /* in DBLS */
  ad_op op[256];
  uint8_t scalar_args[256]; /* of an elementwise operation of one or two arguments: how many; else 0 */
  unsigned op_count;
  bool op_used[256];
  int64_t *ints;
  size_t int_capacity;
  ad_node *args;
  size_t arg_capacity;
  ad_error *e;
} reader;

bool ad_adg_sniff(const void *bytes, size_t size) {
  return size >= 4 && !memcmp(bytes,
                              "\x89"
                              "ADG",
                              4);
}

static size_t at(const cursor *c) {
  return c->offset + (size_t)(c->p - c->start);
}

static size_t left(const cursor *c) {
  return (size_t)(c->end - c->p);
}

/* LEB128, the shortest form only. */
static ad_status varint(reader *r, ad_adg_tag tag, uint64_t *v) {
  cursor *c = &r->c[tag];
  if (c->p < c->end && *c->p < 0x80) {
    *v = *c->p++;
    return AD_OK;
  }
  uint64_t x = 0;
  for (unsigned shift = 0; c->p < c->end; shift += 7) {
    unsigned char b = *c->p++;
    if (shift == 63 && b > 1) return ad_adg_fail(r->e, at(c) - 1, "a number has more than 64 bits");
    x |= (uint64_t)(b & 0x7F) << shift;
    if (b & 0x80) {
      if (shift == 63) return ad_adg_fail(r->e, at(c) - 1, "a number has more than 64 bits");
      continue;
    }
    if (!b && shift) return ad_adg_fail(r->e, at(c) - 1, "a number is longer than it needs to be");
    *v = x;
    return AD_OK;
  }
  return ad_adg_fail(r->e, at(c), "a section ends too soon");
}

static ad_status bounded(reader *r, ad_adg_tag tag, uint64_t most, const char *what, uint64_t *v) {
  size_t place = at(&r->c[tag]);
  ad_status s = varint(r, tag, v);
  if (!s && *v > most)
    s = ad_adg_fail(r->e, place, "%s is %llu, at most %llu is possible", what, (unsigned long long)*v,
                    (unsigned long long)most);
  return s;
}

/* A string of at most `most` bytes into text, which has room for the zero as well. */
static ad_status string(reader *r, ad_adg_tag tag, char *text, size_t most) {
  uint64_t n;
  cursor *c = &r->c[tag];
  ad_status s = bounded(r, tag, most < left(c) ? most : left(c), "the length of a text", &n);
  if (s) return s;
  if (n > left(c)) return ad_adg_fail(r->e, at(c), "a text is cut off");
  memcpy(text, c->p, n);
  text[n] = '\0';
  if (memchr(text, 0, n)) return ad_adg_fail(r->e, at(c), "a text holds a zero byte");
  c->p += n;
  return AD_OK;
}

/* The same, of any length that the section has; freed with ad_free. */
static ad_status long_string(reader *r, ad_adg_tag tag, char **text) {
  size_t room = left(&r->c[tag]);
  uint64_t n;
  cursor before = r->c[tag];
  ad_status s = bounded(r, tag, room, "the length of a text", &n);
  if (s) return s;
  if (!(*text = ad_malloc(n + 1, 1))) return ad_fail_memory(r->e);
  r->c[tag] = before;
  s = string(r, tag, *text, n);
  if (s) {
    ad_free(*text);
    *text = NULL;
  }
  return s;
}

static ad_status shape(reader *r, ad_adg_tag tag, ad_shape *out) {
  uint64_t v;
  ad_status s = bounded(r, tag, AD_MAX_RANK, "a rank", &v);
  *out = (ad_shape){.rank = s ? 0 : (int32_t)v};
  for (int i = 0; !s && i < out->rank; i++) {
    s = bounded(r, tag, (uint64_t)INT64_MAX, "a size", &v);
    out->dim[i] = (int64_t)v;
  }
  if (!s && ad_shape_size(out) < 0) s = ad_adg_fail(r->e, at(&r->c[tag]), "a shape overflows");
  return s;
}

/* An error of the graph's functions gets its place. */
static ad_status place(reader *r, ad_adg_tag tag, ad_status s) {
  if (s && r->e && r->e->offset < 0) r->e->offset = (int64_t)at(&r->c[tag]);
  return s == AD_EUSAGE ? (r->e ? r->e->code = AD_EINPUT : AD_EINPUT) : s;
}

/* ---- Sections */

static ad_status read_meta(reader *r) {
  char name[AD_MAX_NAME + 1], *text = NULL;
  uint64_t v[4], count;
  ad_status s = bounded(r, ADG_META, ADG_OPERATION_SET, "the operation set's version", &count);
  if (!s) s = string(r, ADG_META, name, AD_MAX_NAME);
  if (!s && *name) s = place(r, ADG_META, ad_graph_set_name(r->g, name, r->e));
  for (int i = 0; !s && i < 4; i++) s = bounded(r, ADG_META, i == 3 ? 1 : 2, "a kink policy", &v[i]);
  if (!s) {
    ad_kinks k = {(double)v[0] - 1, (double)v[1] / 2, (ad_ties)v[2], v[3] == 1};
    s = place(r, ADG_META, ad_graph_set_kinks(r->g, &k, r->e));
  }
  if (!s) s = bounded(r, ADG_META, left(&r->c[ADG_META]), "a count of texts", &count);
  for (uint64_t i = 0; !s && i < count; i++) {
    size_t before = ad_graph_meta_count(r->g);
    s = string(r, ADG_META, name, AD_MAX_NAME);
    if (!s) s = long_string(r, ADG_META, &text);
    if (!s && !strncmp(name, AD_META_SECTION, strlen(AD_META_SECTION)))
      s = ad_adg_fail(r->e, at(&r->c[ADG_META]), "a text's key is reserved for kept sections");
    if (!s) s = place(r, ADG_META, ad_graph_set_meta(r->g, name, text, r->e));
    if (!s && ad_graph_meta_count(r->g) == before) s = ad_adg_fail(r->e, at(&r->c[ADG_META]), "a text is there twice");
    ad_free(text);
    text = NULL;
  }
  return s;
}

static ad_status keep_extra(reader *r, const ad_adg_extra *x) {
  char key[sizeof AD_META_SECTION + 4];
  snprintf(key, sizeof key, "%s%s", AD_META_SECTION, x->tag);
  char *hex;
  if (!(hex = ad_malloc(2 * x->section.size + 1, 1))) return ad_fail_memory(r->e);
  for (size_t i = 0; i < x->section.size; i++) sprintf(hex + 2 * i, "%02x", x->section.raw[i]);
  hex[2 * x->section.size] = '\0';
  size_t before = ad_graph_meta_count(r->g);
  ad_status s = place(r, ADG_META, ad_graph_set_meta(r->g, key, hex, r->e));
  if (!s && ad_graph_meta_count(r->g) == before)
    s = ad_adg_fail(r->e, x->section.offset, "a kept section is there twice");
  ad_free(hex);
  return s;
}

static ad_status read_optb(reader *r) {
  char name[AD_MAX_NAME + 1];
  while (left(&r->c[ADG_OPTB])) {
    size_t where = at(&r->c[ADG_OPTB]);
    ad_status s = string(r, ADG_OPTB, name, AD_MAX_NAME);
    if (s) return s;
    ad_op op = ad_op_find(name);
    if (op == AD_NO_OP || op == AD_OP_INPUT || ad_op_get(op)->cls == AD_CLASS_LOWERED) {
      s = ad_fail(r->e, AD_EINPUT, "the operation '%.80s' of this .adg file is unknown here", name);
      if (r->e) r->e->offset = (int64_t)where;
      return s;
    }
    for (unsigned i = 0; i < r->op_count; i++)
      if (r->op[i] == op) return ad_adg_fail(r->e, where, "the operation '%s' is listed twice", name);
    if (ad_op_get(op)->cls == AD_CLASS_ELEMENT && ad_op_get(op)->max_args <= 2)
      r->scalar_args[r->op_count] = (uint8_t)ad_op_get(op)->max_args;
    r->op[r->op_count++] = op; /* fewer than 256 can be different */
  }
  return AD_OK;
}

static double next_double(reader *r) {
  uint64_t bits = 0;
  for (int k = 0; k < 8; k++)
    bits |= (uint64_t)r->c[ADG_DBLS].start[(size_t)k * r->doubles + r->next_double] << (8 * k);
  r->next_double++;
  double v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

static bool is_integer(double v) {
  return v == floor(v) && fabs(v) <= ADG_LARGEST_INTEGER && !(v == 0 && signbit(v));
}

/* One number; *text is the exact text or NULL, to be freed. */
static ad_status number(reader *r, double *v, char **text) {
  uint64_t code;
  size_t where = at(&r->c[ADG_NUMB]);
  *text = NULL;
  ad_status s = varint(r, ADG_NUMB, &code);
  if (s) return s;
  if (code == ADG_NUMBER_TEXT) return long_string(r, ADG_TEXT, text);
  if (code == ADG_NUMBER_DOUBLE) {
    if (r->next_double == r->doubles) return ad_adg_fail(r->e, where, "there are fewer doubles than numbers want");
    *v = next_double(r);
    if (is_integer(*v)) return ad_adg_fail(r->e, where, "an integer is written as a double");
    return AD_OK;
  }
  code -= ADG_NUMBER_INTEGER;
  *v = (double)(int64_t)(code >> 1 ^ -(code & 1));
  return is_integer(*v) ? AD_OK : ad_adg_fail(r->e, where, "an integer is out of range");
}

/* `count` numbers into r->numbers. */
static ad_status numbers(reader *r, size_t count) {
  ad_status s = AD_OK;
  ad_numbers_clear(r->numbers);
  if (count > left(&r->c[ADG_NUMB]))
    return ad_adg_fail(r->e, at(&r->c[ADG_NUMB]), "there are fewer numbers than elements");
  for (size_t i = 0; !s && i < count; i++) {
    double v = 0;
    char *text;
    s = number(r, &v, &text);
    if (s) return s;
    s = text ? ad_numbers_push_text(r->numbers, text, strlen(text), r->e) : ad_numbers_push_double(r->numbers, v, r->e);
    s = place(r, ADG_TEXT, s);
    if (!s && text && !ad_numbers_text(r->numbers, i))
      s = ad_adg_fail(r->e, at(&r->c[ADG_TEXT]), "a number is written as text though a double holds it");
    if (!s && text && strcmp(text, ad_numbers_text(r->numbers, i)))
      s = ad_adg_fail(r->e, at(&r->c[ADG_TEXT]), "a number's text has a plus sign");
    ad_free(text);
  }
  return s;
}

static ad_status literal(reader *r, ad_adg_tag tag, unsigned allowed, uint64_t *flags, ad_shape *out) {
  size_t where = at(&r->c[tag]);
  ad_status s = varint(r, tag, flags);
  if (s) return s;
  bool value = *flags & ADG_HAS_VALUE, fill = *flags & ADG_FILL;
  if (*flags & ~(uint64_t)allowed || (*flags & ADG_DTYPE) > AD_F32 || (fill && !value))
    return ad_adg_fail(r->e, where, "a value has unknown flags");
  s = shape(r, tag, out);
  if (s) return s;
  size_t size = (size_t)ad_shape_size(out);
  if (fill && size == 1) return ad_adg_fail(r->e, where, "a single element is written as a fill");
  if (size > ad_graph_limits(r->g)->max_elements)
    return ad_fail(r->e, AD_ELIMIT, "a tensor has more than %llu elements, the limit (--max-elements)",
                   (unsigned long long)ad_graph_limits(r->g)->max_elements);
  return numbers(r, fill ? 1 : value ? size : 0);
}

static ad_status read_inputs(reader *r) {
  uint64_t count, flags;
  char name[AD_MAX_NAME + 1];
  ad_status s = bounded(r, ADG_INPT, left(&r->c[ADG_INPT]), "the number of inputs", &count);
  for (uint64_t i = 0; !s && i < count; i++) {
    ad_input_spec spec = {.name = name};
    ad_node n;
    s = string(r, ADG_INPT, name, AD_MAX_NAME);
    if (!s) s = literal(r, ADG_INPT, ADG_DTYPE | ADG_HAS_VALUE | ADG_FILL | ADG_FIXED, &flags, &spec.shape);
    if (s) return s;
    spec.dtype = (ad_dtype)(flags & ADG_DTYPE);
    spec.fixed = flags & ADG_FIXED;
    spec.value = flags & ADG_HAS_VALUE ? r->numbers : NULL;
    s = place(r, ADG_INPT, ad_graph_input(r->g, &n, &spec, r->e));
  }
  return s;
}

static ad_status read_constant(reader *r) {
  uint64_t flags;
  ad_shape sh;
  ad_node n;
  const cursor *c = &r->c[ADG_CNST];
  if (left(c) >= 2 && c->p[0] == ADG_HAS_VALUE && c->p[1] == 0) { /* an exact scalar, the common case */
    double v;
    char *text;
    r->c[ADG_CNST].p += 2;
    ad_status s = number(r, &v, &text);
    if (!s && !text) return place(r, ADG_CNST, ad_graph_constant_double(r->g, &n, v, r->e));
    if (s) return s;
    size_t length = strlen(text);
    ad_numbers_clear(r->numbers);
    s = place(r, ADG_TEXT, ad_numbers_push_text(r->numbers, text, length, r->e));
    const char *kept = s ? NULL : ad_numbers_text(r->numbers, 0);
    if (!s && (!kept || strcmp(kept, text)))
      s = ad_adg_fail(r->e, at(&r->c[ADG_TEXT]), "a number is written as text though a double holds it");
    ad_free(text);
    return s ? s : place(r, ADG_CNST, ad_graph_constant(r->g, &n, &(ad_shape){0}, r->numbers, AD_EXACT, r->e));
  }
  ad_status s = literal(r, ADG_CNST, ADG_DTYPE | ADG_HAS_VALUE | ADG_FILL, &flags, &sh);
  if (!s && !(flags & ADG_HAS_VALUE) && ad_shape_size(&sh)) s = ad_adg_fail(r->e, at(c), "a constant has no numbers");
  return s ? s : place(r, ADG_CNST, ad_graph_constant(r->g, &n, &sh, r->numbers, (ad_dtype)(flags & ADG_DTYPE), r->e));
}

static ad_status read_attrs(reader *r, const ad_op_info *info, ad_attr *attr, size_t *count) {
  size_t first[AD_MAX_ATTRS] = {0}, used = 0;
  *count = 0;
  for (int i = 0; i < info->attr_count; i++) {
    uint64_t v;
    ad_status s = bounded(r, ADG_ATTR, 1, "an attribute's mark", &v);
    if (s) return s;
    if (!v) continue;
    attr[*count].name = info->attr[i].name;
    s = shape(r, ADG_ATTR, &attr[*count].shape);
    if (s) return s;
    uint64_t n = (uint64_t)ad_shape_size(&attr[*count].shape);
    if (n > left(&r->c[ADG_ATTR])) return ad_adg_fail(r->e, at(&r->c[ADG_ATTR]), "an attribute is cut off");
    if (!ad_reserve(&r->ints, &r->int_capacity, used + n + 1, sizeof *r->ints)) return ad_fail_memory(r->e);
    first[(*count)++] = used;
    for (uint64_t k = 0; k < n; k++) {
      s = varint(r, ADG_ATTR, &v);
      if (s) return s;
      r->ints[used++] = (int64_t)(v >> 1 ^ -(v & 1));
    }
  }
  for (size_t i = 0; i < *count; i++) attr[i].value = r->ints + first[i];
  return AD_OK;
}

/* What is written is normalised; anything else would be a second form of the same graph. */
static bool same_attrs(const reader *r, ad_node n, const ad_op_info *info, const ad_attr *attr, size_t count) {
  size_t k = 0;
  for (int i = 0; i < info->attr_count; i++) {
    ad_attr has = ad_graph_node_attr(r->g, n, i);
    if (!has.value) continue;
    if (k == count || strcmp(attr[k].name, has.name) || !ad_shape_equal(&attr[k].shape, &has.shape) ||
        memcmp(attr[k].value, has.value, (size_t)ad_shape_size(&has.shape) * sizeof *has.value))
      return false;
    k++;
  }
  return k == count;
}

static ad_status read_operation(reader *r, ad_op op) {
  const ad_op_info *info = ad_op_get(op);
  const size_t here = ad_graph_node_count(r->g);
  uint64_t nargs = (uint64_t)info->max_args, back;
  ad_node few[3], *args = few, n;
  ad_status s;
  if (info->max_args == AD_VARIADIC) {
    s = bounded(r, ADG_ATTR, left(&r->c[ADG_ARGB]) + 1, "the number of arguments", &nargs);
    if (s) return s;
    if (!ad_reserve(&r->args, &r->arg_capacity, nargs + 1, sizeof *r->args)) return ad_fail_memory(r->e);
    args = r->args;
  }
  for (uint64_t i = 0; i < nargs; i++) {
    const ad_adg_tag tag = i ? ADG_ARGB : ADG_ARGA;
    s = varint(r, tag, &back);
    if (s) return s;
    if (!back || back > here) return ad_adg_fail(r->e, at(&r->c[tag]) - 1, "an argument lies before the first node");
    args[i] = (ad_node)(here - back);
  }
  if (!info->attr_count) return place(r, ADG_NODE, ad_graph_apply(r->g, &n, op, nargs, args, 0, NULL, r->e));
  ad_attr attr[AD_MAX_ATTRS];
  size_t count;
  s = read_attrs(r, info, attr, &count);
  if (!s) s = place(r, ADG_ATTR, ad_graph_apply(r->g, &n, op, nargs, args, count, attr, r->e));
  if (!s && !same_attrs(r, n, info, attr, count))
    s = ad_adg_fail(r->e, at(&r->c[ADG_ATTR]), "the attributes of an operation are not in their normal form");
  return s;
}

/* The length of a number of one to three bytes in its shortest form, where three are there; 0: it is another. */
static inline unsigned short_varint(const unsigned char *p, uint32_t *v) {
  const uint32_t w = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16, ends = ~w & 0x808080;
  if (!ends) return 0;
  const unsigned more = (unsigned)__builtin_ctz(ends) / 8;
  const uint32_t x = w & (ends ^ (ends - 1));
  *v = (x & 0x7F) | (x >> 1 & 0x3F80) | (x >> 2 & 0x1FC000);
  return more && !(*v >> 7 * more) ? 0 : more + 1;
}

/* An operation on one or two scalars that are near enough, without a branch on how many and how near; false: nothing
 * has been read. */
static inline bool scalar_operation(reader *r, ad_op op, unsigned nargs) {
  cursor *a = &r->c[ADG_ARGA], *b = &r->c[ADG_ARGB];
  const size_t here = r->g->count;
  uint32_t first, second;
  if (left(a) < 3 || left(b) < 3) return false;
  const unsigned n = short_varint(a->p, &first), m = short_varint(b->p, &second);
  const bool two = nargs == 2;
  second = two ? second : 1;
  if (!n || (two && !m) || first - 1 >= here || second - 1 >= here) return false;
  const ad_node args[2] = {(ad_node)(here - first), (ad_node)(here - second)};
  if (!ad_graph_apply_scalar(r->g, op, nargs, args)) return false;
  a->p += n;
  b->p += two ? m : 0;
  return true;
}

static ad_status read_nodes(reader *r) {
  cursor *c = &r->c[ADG_NODE];
  uint64_t count;
  unsigned met = 0;
  ad_status s = bounded(r, ADG_NODE, UINT32_MAX, "the number of nodes", &count);
  if (!s && count != left(c)) s = ad_adg_fail(r->e, at(c), "the column of operations has a wrong length");
  if (!s) s = ad_graph_reserve(r->g, count, left(&r->c[ADG_ARGA]) + left(&r->c[ADG_ARGB]), r->e);
  for (uint64_t i = 0; !s && i < count; i++) {
    unsigned char code = *c->p++;
    if (code >= r->op_count || code > met) return ad_adg_fail(r->e, at(c) - 1, "an operation is not in the table");
    met += code == met; /* the table has them in the order in which they come */
    if (r->scalar_args[code] && scalar_operation(r, r->op[code], r->scalar_args[code])) continue;
    s = r->op[code] == AD_OP_CONSTANT ? read_constant(r) : read_operation(r, r->op[code]);
  }
  if (!s && met != r->op_count) s = ad_adg_fail(r->e, r->c[ADG_OPTB].offset, "an operation of the table is not used");
  return s;
}

static ad_status read_names(reader *r) {
  uint64_t count, step, n = 0;
  char name[AD_MAX_NAME + 1];
  ad_status s = bounded(r, ADG_NAME, left(&r->c[ADG_NAME]), "the number of names", &count);
  for (uint64_t i = 0; !s && i < count; i++) {
    s = bounded(r, ADG_NAME, ad_graph_node_count(r->g), "the node of a name", &step);
    if (!s && ((i && !step) || (n += step) >= ad_graph_node_count(r->g) || n < ad_graph_input_count(r->g)))
      s = ad_adg_fail(r->e, at(&r->c[ADG_NAME]), "a name belongs to no node");
    if (!s) s = string(r, ADG_NAME, name, AD_MAX_NAME);
    if (!s) s = place(r, ADG_NAME, ad_graph_set_node_name(r->g, (ad_node)n, name, r->e));
  }
  return s;
}

static ad_status read_outputs(reader *r) {
  uint64_t count, n;
  char name[AD_MAX_NAME + 1];
  ad_status s = bounded(r, ADG_OUTP, left(&r->c[ADG_OUTP]), "the number of outputs", &count);
  for (uint64_t i = 0; !s && i < count; i++) {
    s = string(r, ADG_OUTP, name, AD_MAX_NAME);
    if (!s) s = bounded(r, ADG_OUTP, UINT32_MAX, "an output's node", &n);
    if (!s) s = place(r, ADG_OUTP, ad_graph_output(r->g, name, (ad_node)n, r->e));
  }
  return s;
}

static ad_status read_all(reader *r, const ad_adg_file *f) {
  for (int i = 0; i < ADG_TAGS; i++)
    r->c[i] =
        (cursor){f->section[i].raw, f->section[i].raw, f->section[i].raw + f->section[i].size, f->section[i].offset};
  if (f->section[ADG_DBLS].size % 8)
    return ad_adg_fail(r->e, f->section[ADG_DBLS].offset, "doubles have eight bytes each");
  r->doubles = f->section[ADG_DBLS].size / 8;
  ad_status s = read_meta(r);
  for (size_t i = 0; !s && i < f->extra_count; i++) s = keep_extra(r, &f->extra[i]);
  if (!s) s = read_optb(r);
  if (!s) s = read_inputs(r);
  if (!s) s = read_nodes(r);
  if (!s) s = read_names(r);
  if (!s) s = read_outputs(r);
  r->c[ADG_DBLS].p = r->c[ADG_DBLS].start + 8 * r->next_double;
  for (int i = 0; !s && i < ADG_TAGS; i++)
    if (left(&r->c[i])) s = ad_adg_fail(r->e, at(&r->c[i]), "a section has more than it should");
  return s;
}

ad_status ad_adg_read(ad_graph **g, const void *bytes, size_t size, const char *path, const ad_limits *limits,
                      ad_error *e) {
  ad_adg_file f;
  reader *r = ad_calloc(1, sizeof *r);
  if (!r) return ad_fail_memory(e);
  r->e = e;
  ad_status s = ad_adg_open(&f, bytes, size, ad_limits_resolve(limits).max_bytes, e);
  bool open = !s;
  if (!s && !(r->numbers = ad_numbers_new())) s = ad_fail_memory(e);
  if (!s) s = ad_graph_new(&r->g, limits, e);
  if (!s) s = read_all(r, &f);
  if (s)
    ad_graph_free(r->g);
  else
    *g = r->g;
  if (s && e) snprintf(e->file, sizeof e->file, "%s", path);
  if (open) ad_adg_close(&f);
  ad_numbers_free(r->numbers);
  ad_free(r->ints);
  ad_free(r->args);
  ad_free(r);
  return s;
}

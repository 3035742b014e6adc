#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "ir/ops.h"
#include "yaml/expr.h"
#include "yaml/layout.h"
#include "yaml/yaml.h"

typedef struct writer {
  ad_yaml_layout layout;
  const ad_graph *g;
  ad_buffer *out;
  ad_buffer text; /* an expression, before it is known whether it wants quotes */
} writer;

/* ---- YAML texts */

static bool plain(const char *s, bool flow) {
  if (!*s || strchr("?:,[]{}#&*!|>'\"%@`", *s) || *s == ' ' || (*s == '-' && (!s[1] || s[1] == ' ' || s[1] == '-')))
    return false;
  for (; *s; s++) {
    if ((unsigned char)*s < 32 || *s == 127) return false;
    if (*s == ':' && (!s[1] || s[1] == ' ')) return false;
    if (*s == ' ' && (!s[1] || s[1] == '#')) return false;
    if (flow && strchr(",[]{}", *s)) return false;
  }
  return true;
}

static void put_text(ad_buffer *b, const char *s, bool flow) {
  if (plain(s, flow)) {
    ad_buffer_puts(b, s);
    return;
  }
  ad_buffer_puts(b, "\"");
  for (; *s; s++) {
    if (*s == '"' || *s == '\\')
      ad_buffer_printf(b, "\\%c", *s);
    else if (*s == '\n')
      ad_buffer_puts(b, "\\n");
    else if ((unsigned char)*s < 32 || *s == 127)
      ad_buffer_printf(b, "\\x%02X", (unsigned)*s);
    else
      ad_buffer_put(b, s, 1);
  }
  ad_buffer_puts(b, "\"");
}

/* ---- Numbers */

static void put_number(ad_buffer *b, const ad_values *v, size_t i) {
  const char *text = ad_values_text(v, i);
  char buf[AD_NUMBER_TEXT];
  if (!text) {
    ad_number_exact_text(buf, v->value[i]);
    text = buf;
  }
  ad_buffer_puts(b, text);
}

/* Numbers that are rounded first may as well be written short. */
static void put_rounded(ad_buffer *b, const ad_values *v, size_t i, ad_dtype dtype) {
  char buf[AD_NUMBER_TEXT];
  if (dtype == AD_EXACT || ad_values_text(v, i)) {
    put_number(b, v, i);
    return;
  }
  ad_number_short_text(buf, v->value[i]);
  ad_buffer_puts(b, buf);
}

static size_t put_nested(ad_buffer *b, const ad_values *v, const ad_shape *s, int axis, size_t at, ad_dtype dtype) {
  if (axis == s->rank) {
    put_rounded(b, v, at, dtype);
    return at + 1;
  }
  ad_buffer_puts(b, "[");
  for (int64_t i = 0; i < s->dim[axis]; i++) {
    if (i) ad_buffer_puts(b, ", ");
    at = put_nested(b, v, s, axis + 1, at, dtype);
  }
  ad_buffer_puts(b, "]");
  return at;
}

/* The value of an input or a constant, as a mapping where a bare value would not say everything. */
static void put_literal(writer *w, ad_node n, bool fixed) {
  static const char *const types[] = {"exact", "f64", "f32"};
  const ad_shape *s = ad_graph_node_shape(w->g, n);
  ad_values v = ad_graph_node_values(w->g, n);
  ad_dtype dtype = ad_graph_node_dtype(w->g, n);
  int64_t size = ad_shape_size(s);
  bool fill = v.count == 1 && size != 1, empty = size == 0;
  char shape[AD_SHAPE_TEXT];
  ad_shape_text(shape, s);
  if (v.count && !fixed && dtype == AD_EXACT && !fill && !empty) {
    put_nested(w->out, &v, s, 0, 0, dtype);
    return;
  }
  const char *sep = "";
  if (!v.count && !s->rank && !fixed && dtype == AD_EXACT) return; /* `x:`, a scalar without a value */
  ad_buffer_puts(w->out, "{");
  if (!v.count || fill || empty) ad_buffer_printf(w->out, "shape: %s", shape), sep = ", ";
  if (fill) {
    ad_buffer_printf(w->out, "%sfill: ", sep);
    put_rounded(w->out, &v, 0, dtype);
    sep = ", ";
  } else if (v.count || (empty && ad_graph_node_op(w->g, n) == AD_OP_CONSTANT)) {
    ad_buffer_printf(w->out, "%svalue: ", sep);
    if (empty)
      ad_buffer_puts(w->out, "[]");
    else
      put_nested(w->out, &v, s, 0, 0, dtype);
    sep = ", ";
  }
  if (dtype != AD_EXACT) ad_buffer_printf(w->out, "%sdtype: %s", sep, types[dtype]), sep = ", ";
  if (fixed) ad_buffer_printf(w->out, "%sdiff: no", sep);
  ad_buffer_puts(w->out, "}");
}

/* ---- Expressions */

enum { LOOSEST, SUM = 2, PRODUCT, UNARY_MINUS, POWER, PRIMARY };

static const struct {
  uint16_t op;
  const char *sign;
  int level, left, right; /* its own, and what its operands must be at least */
} infix[] = {{AD_OP_LESS, " < ", 1, SUM, SUM},
             {AD_OP_LESS_EQUAL, " <= ", 1, SUM, SUM},
             {AD_OP_GREATER, " > ", 1, SUM, SUM},
             {AD_OP_GREATER_EQUAL, " >= ", 1, SUM, SUM},
             {AD_OP_EQUAL, " == ", 1, SUM, SUM},
             {AD_OP_NOT_EQUAL, " != ", 1, SUM, SUM},
             {AD_OP_ADD, " + ", SUM, SUM, PRODUCT},
             {AD_OP_SUB, " - ", SUM, SUM, PRODUCT},
             {AD_OP_MUL, "*", PRODUCT, PRODUCT, UNARY_MINUS},
             {AD_OP_DIV, "/", PRODUCT, PRODUCT, UNARY_MINUS},
             {AD_OP_MATMUL, " @ ", PRODUCT, PRODUCT, UNARY_MINUS},
             {AD_OP_POW, "^", POWER, PRIMARY, UNARY_MINUS}};

static void put_name(writer *w, ad_buffer *b, ad_node n) {
  const char *name = ad_graph_node_name(w->g, n);
  if (!name)
    ad_buffer_printf(b, "%%%u", n);
  else if (ad_expr_plain_name(name))
    ad_buffer_puts(b, name);
  else
    ad_buffer_printf(b, "`%s`", name);
}

static bool inlined_constant(const writer *w, ad_node n) {
  return !w->layout.entry[n] && ad_graph_node_op(w->g, n) == AD_OP_CONSTANT;
}

static bool inlined_integer(const writer *w, ad_node n) {
  if (!inlined_constant(w, n)) return false;
  char buf[AD_NUMBER_TEXT];
  const char *s = ad_yaml_constant_text(w->g, n, buf);
  if (*s == '-') s++;
  return s[strspn(s, "0123456789")] == '\0';
}

static void put_expr(writer *w, ad_node n, int level);

static void put_operation(writer *w, ad_node n, int level);

static void open_if(writer *w, bool need) {
  if (need) ad_buffer_puts(&w->text, "(");
}

static void close_if(writer *w, bool need) {
  if (need) ad_buffer_puts(&w->text, ")");
}

static void put_ints(ad_buffer *b, const int64_t *v, const ad_shape *s, int axis, size_t *at) {
  if (axis == s->rank) {
    ad_buffer_printf(b, "%lld", (long long)v[(*at)++]);
    return;
  }
  ad_buffer_puts(b, "[");
  for (int64_t i = 0; i < s->dim[axis]; i++) {
    if (i) ad_buffer_puts(b, ", ");
    put_ints(b, v, s, axis + 1, at);
  }
  ad_buffer_puts(b, "]");
}

static void put_attr_value(ad_buffer *b, const ad_attr *a, ad_attr_kind kind) {
  size_t at = 0;
  if (kind == AD_ATTR_BOOL)
    ad_buffer_puts(b, a->value[0] ? "yes" : "no");
  else if (kind == AD_ATTR_INTS && a->shape.dim[0] == 1)
    ad_buffer_printf(b, "%lld", (long long)a->value[0]);
  else
    put_ints(b, a->value, &a->shape, 0, &at);
}

/* Attributes that say what their absence says. */
static bool is_default(const writer *w, ad_node n, int k, const ad_attr *a) {
  const ad_node *args;
  const ad_op_info *info = ad_op_get(ad_graph_node_op(w->g, n));
  if (!a->value) return true;
  if (info->attr[k].required) return false;
  if (info->attr[k].kind == AD_ATTR_BOOL) return a->value[0] == 0;
  ad_graph_node_args(w->g, n, &args);
  int rank = ad_graph_node_shape(w->g, args[0])->rank;
  if (ad_op_rule_get(ad_graph_node_op(w->g, n))->kernel == AD_KERNEL_REDUCE) return a->shape.dim[0] == rank;
  if (ad_graph_node_op(w->g, n) == AD_OP_TRANSPOSE) {
    for (int i = 0; i < rank; i++)
      if (a->value[i] != rank - 1 - i) return false;
    return true;
  }
  return false;
}

/* x[...]: every axis as the reader's indexing makes it; false when some axis can't be said so. */
static bool put_index(writer *w, ad_node n, ad_node base) {
  const ad_shape *s = ad_graph_node_shape(w->g, base);
  ad_attr a[4];
  for (int k = 0; k < 4; k++) a[k] = ad_graph_node_attr(w->g, n, k);
  if (!s->rank) return false;
  int last = s->rank - 1; /* axes taken whole need not be said at the end */
  int64_t drop = a[3].shape.dim[0] - 1;
  for (; last > 0; last--) {
    bool whole = a[0].value[last] == 0 && a[1].value[last] == s->dim[last] && a[2].value[last] == 1;
    if (!whole || (drop >= 0 && a[3].value[drop] == last)) break;
  }
  for (int i = 0, d = 0; i <= last; i++)
    if (d <= drop && a[3].value[d] == i) {
      d++;
      if (a[1].value[i] != a[0].value[i] + 1 || a[2].value[i] != 1) return false;
    }
  put_expr(w, base, PRIMARY);
  ad_buffer_puts(&w->text, "[");
  for (int i = 0, d = 0; i <= last; i++) {
    int64_t start = a[0].value[i], stop = a[1].value[i], step = a[2].value[i], size = s->dim[i];
    if (i) ad_buffer_puts(&w->text, ", ");
    if (d <= drop && a[3].value[d] == i) {
      d++;
      ad_buffer_printf(&w->text, "%lld", (long long)start);
      continue;
    }
    if (start != (step > 0 ? 0 : size - 1)) ad_buffer_printf(&w->text, "%lld", (long long)start);
    ad_buffer_puts(&w->text, ":");
    if (stop != (step > 0 ? size : -1 - size)) ad_buffer_printf(&w->text, "%lld", (long long)stop);
    if (step != 1) ad_buffer_printf(&w->text, ":%lld", (long long)step);
  }
  ad_buffer_puts(&w->text, "]");
  return true;
}

static void put_call(writer *w, ad_node n) {
  const ad_node *args;
  size_t count = ad_graph_node_args(w->g, n, &args);
  ad_op op = ad_graph_node_op(w->g, n);
  const ad_op_info *info = ad_op_get(op);
  ad_buffer_printf(&w->text, "%s(", op == AD_OP_REDUCE_MAX ? "max" : op == AD_OP_REDUCE_MIN ? "min" : info->name);
  for (size_t i = 0; i < count; i++) {
    if (i) ad_buffer_puts(&w->text, ", ");
    put_expr(w, args[i], LOOSEST);
  }
  for (int k = 0; k < info->attr_count; k++) {
    ad_attr a = ad_graph_node_attr(w->g, n, k);
    if (is_default(w, n, k, &a)) continue;
    ad_buffer_printf(&w->text, ", %s=", info->attr[k].name);
    put_attr_value(&w->text, &a, info->attr[k].kind);
  }
  ad_buffer_puts(&w->text, ")");
}

/* An operation in infix where that reads back as the same operation. */
static void put_operation(writer *w, ad_node n, int level) {
  const ad_node *args;
  ad_graph_node_args(w->g, n, &args);
  ad_op op = ad_graph_node_op(w->g, n);
  if (op == AD_OP_NEG && !inlined_constant(w, args[0])) {
    open_if(w, level > UNARY_MINUS);
    ad_buffer_puts(&w->text, "-");
    put_expr(w, args[0], UNARY_MINUS);
    close_if(w, level > UNARY_MINUS);
    return;
  }
  if (op == AD_OP_SLICE && put_index(w, n, args[0])) return;
  bool fraction = op == AD_OP_DIV && inlined_integer(w, args[0]) && inlined_integer(w, args[1]);
  for (size_t i = 0; i < sizeof infix / sizeof infix[0] && !fraction; i++) {
    if (infix[i].op != op) continue;
    open_if(w, level > infix[i].level);
    put_expr(w, args[0], infix[i].left);
    ad_buffer_puts(&w->text, infix[i].sign);
    put_expr(w, args[1], infix[i].right);
    close_if(w, level > infix[i].level);
    return;
  }
  put_call(w, n);
}

static void put_expr(writer *w, ad_node n, int level) {
  if (w->layout.entry[n]) {
    put_name(w, &w->text, n);
  } else if (inlined_constant(w, n)) {
    char buf[AD_NUMBER_TEXT];
    const char *text = ad_yaml_constant_text(w->g, n, buf);
    int own = strchr(text, '/') ? PRODUCT : *text == '-' ? UNARY_MINUS : PRIMARY;
    open_if(w, level > own);
    ad_buffer_puts(&w->text, text);
    close_if(w, level > own);
  } else {
    put_operation(w, n, level);
  }
}

/* ---- The file */

static void put_key(writer *w, ad_node n) {
  const char *name = ad_graph_node_name(w->g, n);
  ad_buffer_puts(w->out, "  ");
  if (name)
    put_text(w->out, name, false);
  else
    ad_buffer_printf(w->out, "\"%%%u\"", n);
  ad_buffer_puts(w->out, ": ");
}

/* What was collected in w->text, as a YAML text. */
static void put_collected(writer *w, bool flow) {
  put_text(w->out, w->text.data ? w->text.data : "", flow);
  w->text.size = 0;
  if (w->text.data) w->text.data[0] = '\0';
}

static void put_explicit(writer *w, ad_node n) {
  const ad_node *args;
  size_t count = ad_graph_node_args(w->g, n, &args);
  const ad_op_info *info = ad_op_get(ad_graph_node_op(w->g, n));
  ad_buffer_printf(w->out, "{op: %s, args: [", info->name);
  for (size_t i = 0; i < count; i++) {
    if (i) ad_buffer_puts(w->out, ", ");
    put_name(w, &w->text, args[i]);
    put_collected(w, true);
  }
  ad_buffer_puts(w->out, "]");
  for (int k = 0; k < info->attr_count; k++) {
    ad_attr a = ad_graph_node_attr(w->g, n, k);
    if (!a.value) continue;
    ad_buffer_printf(w->out, ", %s: ", info->attr[k].name);
    put_attr_value(w->out, &a, info->attr[k].kind);
  }
  ad_buffer_puts(w->out, "}");
}

static void put_constant(writer *w, ad_node n) {
  char buf[AD_NUMBER_TEXT];
  const char *text = ad_yaml_constant_text(w->g, n, buf);
  bool hidden = !ad_graph_node_shape(w->g, n)->rank && ad_graph_node_dtype(w->g, n) == AD_EXACT &&
                ad_graph_find_node(w->g, text + (*text == '-')) != AD_NO_NODE;
  if (hidden) /* `e: e` would speak of itself */
    ad_buffer_printf(w->out, "{value: %s}", text);
  else
    put_literal(w, n, false);
}

static void put_header(writer *w) {
  ad_kinks k = ad_graph_kinks(w->g);
  ad_buffer_puts(w->out, "adtool: 1\n");
  if (*ad_graph_name(w->g)) {
    ad_buffer_puts(w->out, "name: ");
    put_text(w->out, ad_graph_name(w->g), false);
    ad_buffer_puts(w->out, "\n");
  }
  if (k.abs_at_zero != 0 || k.relu_at_zero != 0 || k.ties != AD_TIES_SHARE || k.pow00_nan) {
    static const char *const ties[] = {"share", "first", "last"};
    ad_buffer_printf(w->out, "kinks: {abs: %g, relu: %g, ties: %s, pow00: %s}\n", k.abs_at_zero, k.relu_at_zero,
                     ties[k.ties], k.pow00_nan ? "nan" : "1");
  }
  if (ad_graph_meta_count(w->g)) ad_buffer_puts(w->out, "meta:\n");
  for (size_t i = 0; i < ad_graph_meta_count(w->g); i++) {
    ad_buffer_puts(w->out, "  ");
    put_text(w->out, ad_graph_meta_key(w->g, i), false);
    ad_buffer_puts(w->out, ": ");
    put_text(w->out, ad_graph_meta_text(w->g, i), false);
    ad_buffer_puts(w->out, "\n");
  }
}

static void put_all(writer *w) {
  size_t inputs = ad_graph_input_count(w->g);
  put_header(w);
  if (inputs) ad_buffer_puts(w->out, "inputs:\n");
  for (ad_node n = 0; n < inputs; n++) {
    put_key(w, n);
    put_literal(w, n, ad_graph_input_fixed(w->g, n));
    ad_buffer_puts(w->out, "\n");
  }
  bool any = false;
  for (ad_node n = (ad_node)inputs; n < ad_graph_node_count(w->g) && !w->out->failed; n++) {
    if (!w->layout.entry[n]) continue;
    if (!any) ad_buffer_puts(w->out, "nodes:\n");
    any = true;
    put_key(w, n);
    if (ad_graph_node_op(w->g, n) == AD_OP_CONSTANT) {
      put_constant(w, n);
    } else if (w->layout.explicit_nodes) {
      put_explicit(w, n);
    } else {
      put_operation(w, n, LOOSEST);
      put_collected(w, false);
    }
    ad_buffer_puts(w->out, "\n");
  }
  ad_buffer_puts(w->out, "outputs:\n");
  for (size_t i = 0; i < ad_graph_output_count(w->g); i++) {
    ad_buffer_puts(w->out, "  ");
    put_text(w->out, ad_graph_output_name(w->g, i), false);
    ad_buffer_puts(w->out, ": ");
    put_expr(w, ad_graph_output_node(w->g, i), LOOSEST);
    put_collected(w, false);
    ad_buffer_puts(w->out, "\n");
  }
}

ad_status ad_yaml_write(const ad_graph *g, ad_buffer *out, const ad_write_options *o, ad_error *e) {
  writer w = {.g = g, .out = out};
  ad_status s = ad_yaml_lay_out(&w.layout, g, o->explicit_nodes, e);
  if (!s) put_all(&w);
  if (!s && (w.text.failed || out->failed)) s = ad_fail_memory(e);
  ad_yaml_layout_clear(&w.layout);
  ad_buffer_clear(&w.text);
  return s;
}

/* ---- One node at a time */

struct ad_yaml_speller {
  writer w;
};

ad_status ad_yaml_speller_new(ad_yaml_speller **out, const ad_graph *g, ad_error *e) {
  ad_yaml_speller *s = ad_calloc(1, sizeof *s);
  if (s) s->w.layout.entry = ad_calloc(ad_graph_node_count(g), 1);
  if (!s || !s->w.layout.entry) {
    ad_free(s);
    return ad_fail_memory(e);
  }
  s->w.g = s->w.layout.graph = g;
  for (ad_node n = 0; n < ad_graph_node_count(g); n++)
    s->w.layout.entry[n] = ad_graph_node_op(g, n) != AD_OP_CONSTANT || !ad_yaml_inline_constant(g, n);
  *out = s;
  return AD_OK;
}

void ad_yaml_speller_free(ad_yaml_speller *s) {
  if (!s) return;
  ad_yaml_layout_clear(&s->w.layout);
  ad_buffer_clear(&s->w.text);
  ad_free(s);
}

void ad_yaml_spell_name(ad_yaml_speller *s, ad_node n, ad_buffer *out) {
  put_name(&s->w, out, n);
}

void ad_yaml_spell(ad_yaml_speller *s, ad_node n, ad_buffer *out) {
  s->w.text.size = 0;
  if (ad_graph_node_op(s->w.g, n) == AD_OP_INPUT)
    ad_buffer_puts(&s->w.text, "input");
  else if (ad_graph_node_op(s->w.g, n) != AD_OP_CONSTANT)
    put_operation(&s->w, n, LOOSEST);
  else if (ad_graph_node_shape(s->w.g, n)->rank)
    ad_buffer_puts(&s->w.text, "constant");
  else
    ad_buffer_puts(&s->w.text, ad_yaml_constant_text(s->w.g, n, (char[AD_NUMBER_TEXT]){0}));
  if (s->w.text.failed) out->failed = true;
  ad_buffer_put(out, s->w.text.data, s->w.text.size);
}

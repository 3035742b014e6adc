/* Operations as infix expressions that read back as the same operations. */
#include <string.h>

#include "ir/ops.h"
#include "yaml/token.h"
#include "yaml/write.h"

/* Levels of the grammar in expr.h. */
enum { LOOSEST, COMPARISON, SUM, PRODUCT, MINUS, POWER, PRIMARY };

static const struct {
  ad_op op;
  const char *sign;
  int level, left, right; /* its own, and what its operands must be at least */
} infix[] = {{AD_OP_LESS, " < ", COMPARISON, SUM, SUM},      {AD_OP_LESS_EQUAL, " <= ", COMPARISON, SUM, SUM},
             {AD_OP_GREATER, " > ", COMPARISON, SUM, SUM},   {AD_OP_GREATER_EQUAL, " >= ", COMPARISON, SUM, SUM},
             {AD_OP_EQUAL, " == ", COMPARISON, SUM, SUM},    {AD_OP_NOT_EQUAL, " != ", COMPARISON, SUM, SUM},
             {AD_OP_ADD, " + ", SUM, SUM, PRODUCT},          {AD_OP_SUB, " - ", SUM, SUM, PRODUCT},
             {AD_OP_MUL, "*", PRODUCT, PRODUCT, MINUS},      {AD_OP_DIV, "/", PRODUCT, PRODUCT, MINUS},
             {AD_OP_MATMUL, " @ ", PRODUCT, PRODUCT, MINUS}, {AD_OP_POW, "^", POWER, PRIMARY, MINUS}};

static void put_operation(ad_yaml_writer *w, ad_node n, int level);

static bool is_number(const ad_yaml_writer *w, ad_node n) {
  return !w->layout.entry[n] && ad_graph_node_op(w->g, n) == AD_OP_CONSTANT;
}

static bool is_integer(const ad_yaml_writer *w, ad_node n) {
  if (!is_number(w, n)) return false;
  char buf[AD_NUMBER_TEXT];
  const char *s = ad_yaml_constant_text(w->g, n, buf);
  if (*s == '-') s++;
  return s[strspn(s, "0123456789")] == '\0';
}

static void open_if(ad_yaml_writer *w, bool need) {
  if (need) ad_buffer_puts(&w->text, "(");
}

static void close_if(ad_yaml_writer *w, bool need) {
  if (need) ad_buffer_puts(&w->text, ")");
}

void ad_yaml_put_name(ad_yaml_writer *w, ad_node n) {
  const char *name = ad_graph_node_name(w->g, n);
  if (!name)
    ad_buffer_printf(&w->text, "%%%u", n);
  else if (ad_token_plain_name(name))
    ad_buffer_puts(&w->text, name);
  else
    ad_buffer_printf(&w->text, "`%s`", name);
}

static void put_number(ad_yaml_writer *w, ad_node n, int level) {
  char buf[AD_NUMBER_TEXT];
  const char *text = ad_yaml_constant_text(w->g, n, buf);
  int own = strchr(text, '/') ? PRODUCT : *text == '-' ? MINUS : PRIMARY;
  open_if(w, level > own);
  ad_buffer_puts(&w->text, text);
  close_if(w, level > own);
}

/* At a place that wants an operand of at least this level. */
static void put_at(ad_yaml_writer *w, ad_node n, int level) {
  if (w->layout.entry[n])
    ad_yaml_put_name(w, n);
  else if (is_number(w, n))
    put_number(w, n, level);
  else
    put_operation(w, n, level);
}

/* ---- Calls */

/* Attributes that say what their absence says. */
static bool is_default(const ad_yaml_writer *w, ad_node n, int k, const ad_attr *a) {
  const ad_node *args;
  const ad_op op = ad_graph_node_op(w->g, n);
  const ad_op_info *info = ad_op_get(op);
  if (!a->value) return true;
  if (info->attr[k].required) return false;
  if (info->attr[k].kind == AD_ATTR_BOOL) return a->value[0] == 0;
  ad_graph_node_args(w->g, n, &args);
  int rank = ad_graph_node_shape(w->g, args[0])->rank;
  if (ad_op_rule_get(op)->kernel == AD_KERNEL_REDUCE) return a->shape.dim[0] == rank;
  if (op != AD_OP_TRANSPOSE) return false;
  for (int i = 0; i < rank; i++)
    if (a->value[i] != rank - 1 - i) return false;
  return true;
}

static void put_call(ad_yaml_writer *w, ad_node n) {
  const ad_node *args;
  size_t count = ad_graph_node_args(w->g, n, &args);
  ad_op op = ad_graph_node_op(w->g, n);
  const ad_op_info *info = ad_op_get(op);
  ad_buffer_printf(&w->text, "%s(", op == AD_OP_REDUCE_MAX ? "max" : op == AD_OP_REDUCE_MIN ? "min" : info->name);
  for (size_t i = 0; i < count; i++) {
    if (i) ad_buffer_puts(&w->text, ", ");
    put_at(w, args[i], LOOSEST);
  }
  for (int k = 0; k < info->attr_count; k++) {
    ad_attr a = ad_yaml_attr_of(w->g, n, k);
    if (is_default(w, n, k, &a)) continue;
    ad_buffer_printf(&w->text, ", %s=", info->attr[k].name);
    ad_yaml_put_attr(&w->text, &a, info->attr[k].kind, false);
  }
  ad_buffer_puts(&w->text, ")");
}

/* ---- Indexing */

/* What a slice says about one axis. */
typedef struct range {
  int64_t start, stop, step, size;
  bool dropped;
} range;

/* The ranges of all axes, and how many of them must be said: axes taken whole need not, at the end.  false: some axis
 * can't be said by an index. */
static bool ranges_of(const ad_yaml_writer *w, ad_node n, const ad_shape *s, range *r, int *said) {
  ad_attr a[4];
  for (int k = 0; k < 4; k++) a[k] = ad_yaml_attr_of(w->g, n, k);
  int64_t drop = 0;
  *said = 1;
  for (int i = 0; i < s->rank; i++) {
    bool dropped = drop < a[3].shape.dim[0] && a[3].value[drop] == i;
    r[i] = (range){a[0].value[i], a[1].value[i], a[2].value[i], s->dim[i], dropped};
    drop += dropped;
    if (dropped && (r[i].stop != r[i].start + 1 || r[i].step != 1)) return false;
    if (dropped || r[i].start != 0 || r[i].stop != r[i].size || r[i].step != 1) *said = i + 1;
  }
  return s->rank > 0;
}

static void put_range(ad_buffer *b, const range *r) {
  if (r->dropped) {
    ad_buffer_printf(b, "%lld", (long long)r->start);
    return;
  }
  if (r->start != (r->step > 0 ? 0 : r->size - 1)) ad_buffer_printf(b, "%lld", (long long)r->start);
  ad_buffer_puts(b, ":");
  if (r->stop != (r->step > 0 ? r->size : -1 - r->size)) ad_buffer_printf(b, "%lld", (long long)r->stop);
  if (r->step != 1) ad_buffer_printf(b, ":%lld", (long long)r->step);
}

static bool put_index(ad_yaml_writer *w, ad_node n, ad_node base) {
  range r[AD_MAX_RANK];
  int said;
  if (!ranges_of(w, n, ad_graph_node_shape(w->g, base), r, &said)) return false;
  put_at(w, base, PRIMARY);
  for (int i = 0; i < said; i++) {
    ad_buffer_puts(&w->text, i ? ", " : "[");
    put_range(&w->text, &r[i]);
  }
  ad_buffer_puts(&w->text, "]");
  return true;
}

/* ---- Operations */

/* As deep as the longest expression of the layout. */
static void put_operation(ad_yaml_writer *w, ad_node n, int level) {
  const ad_node *args;
  ad_graph_node_args(w->g, n, &args);
  ad_op op = ad_graph_node_op(w->g, n);
  if (op == AD_OP_NEG && !is_number(w, args[0])) { /* -2 would be the number */
    open_if(w, level > MINUS);
    ad_buffer_puts(&w->text, "-");
    put_at(w, args[0], MINUS);
    close_if(w, level > MINUS);
    return;
  }
  if (op == AD_OP_SLICE && put_index(w, n, args[0])) return;
  bool fraction = op == AD_OP_DIV && is_integer(w, args[0]) && is_integer(w, args[1]); /* 1/3 would be the number */
  for (size_t i = 0; i < sizeof infix / sizeof infix[0] && !fraction; i++) {
    if (infix[i].op != op) continue;
    open_if(w, level > infix[i].level);
    put_at(w, args[0], infix[i].left);
    ad_buffer_puts(&w->text, infix[i].sign);
    put_at(w, args[1], infix[i].right);
    close_if(w, level > infix[i].level);
    return;
  }
  put_call(w, n);
}

void ad_yaml_put_entry(ad_yaml_writer *w, ad_node n) {
  put_operation(w, n, LOOSEST);
}

void ad_yaml_put_operand(ad_yaml_writer *w, ad_node n) {
  put_at(w, n, LOOSEST);
}

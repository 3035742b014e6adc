#include "trace.h"

#include <string.h>

#include "yaml/yaml.h"

enum { MAX_COLUMNS = 8, MAX_WIDTH = 40 };

/* A table of texts, printed with aligned columns. */
typedef struct table {
  size_t columns, count, capacity;
  char **cell;
  bool failed;
} table;

static void add_cell(table *t, ad_buffer *b) {
  if (b->failed || !ad_reserve(&t->cell, &t->capacity, t->count + 1, sizeof *t->cell)) {
    t->failed = true;
    ad_buffer_clear(b);
    return;
  }
  if (!b->data) ad_buffer_puts(b, "");
  t->cell[t->count++] = b->data;
  *b = (ad_buffer){0};
}

static void put_table(ad_buffer *b, table *t) {
  size_t width[MAX_COLUMNS + 4] = {0};
  for (size_t i = 0; i < t->count; i++) {
    size_t n = (size_t)text_width(t->cell[i]);
    if (n > width[i % t->columns] && n <= MAX_WIDTH) width[i % t->columns] = n;
  }
  for (size_t i = 0; i < t->count; i++) {
    bool last = i % t->columns + 1 == t->columns;
    ad_buffer_puts(b, t->cell[i]);
    size_t n = (size_t)text_width(t->cell[i]);
    if (last)
      ad_buffer_puts(b, "\n");
    else
      ad_buffer_printf(b, "%*s", (int)(width[i % t->columns] > n ? width[i % t->columns] - n + 2 : 2), "");
  }
  b->failed = b->failed || t->failed;
  for (size_t i = 0; i < t->count; i++) ad_free(t->cell[i]);
  ad_free(t->cell);
}

static void add_text(table *t, const char *text) {
  ad_buffer b = {0};
  ad_buffer_puts(&b, text);
  add_cell(t, &b);
}

static void add_tensor(table *t, const ad_span *v, const session *s, ad_node n) {
  ad_buffer b = {0};
  put_short_tensor(&b, v, ad_graph_node_shape(s->graph, n), s->o->digits);
  add_cell(t, &b);
}

/* The names of the tangents' columns: one for each element of the inputs. */
static void add_headings(table *t, const session *s) {
  for (size_t k = 0; k < ad_program_wrt_count(s->program); k++) {
    ad_node x = ad_program_wrt(s->program, k);
    int64_t size = ad_shape_size(ad_graph_node_shape(s->graph, x));
    for (int64_t j = 0; j < size; j++) {
      ad_buffer b = {0};
      ad_buffer_puts(&b, "d/d");
      put_element_name(&b, ad_graph_node_name(s->graph, x), ad_graph_node_shape(s->graph, x), (size_t)j);
      add_cell(t, &b);
    }
  }
}

void put_trace(ad_buffer *b, const session *s) {
  ad_error e;
  ad_yaml_speller *speller = NULL;
  bool forward = s->mode == AD_MODE_FORWARD;
  uint64_t columns = ad_program_wrt_size(s->program);
  if (forward && columns > MAX_COLUMNS) {
    ad_buffer_printf(b, "(tangents by %llu input elements are too many for a table; choose up to %d with --wrt)\n",
                     (unsigned long long)columns, MAX_COLUMNS);
    return;
  }
  bool *active = session_active(s);
  if (!active || ad_yaml_speller_new(&speller, s->graph, &e)) {
    ad_free(active);
    b->failed = true;
    return;
  }
  table t = {.columns = forward ? 3 + (size_t)columns : 4};
  add_text(&t, "node");
  add_text(&t, "expression");
  add_text(&t, "value");
  if (forward)
    add_headings(&t, s);
  else
    add_text(&t, "adjoint");
  for (ad_node n = 0; n < ad_graph_node_count(s->graph); n++) {
    ad_buffer name = {0}, text = {0};
    ad_yaml_spell_name(speller, n, &name);
    ad_yaml_spell(speller, n, &text);
    add_cell(&t, &name);
    add_cell(&t, &text);
    ad_span v = ad_workspace_value(s->workspace, n), d = ad_workspace_adjoint(s->workspace, n);
    add_tensor(&t, &v, s, n);
    for (uint32_t k = 0; forward && k < columns; k++) {
      d = ad_workspace_tangent(s->workspace, k, n);
      add_tensor(&t, &d, s, n);
    }
    if (!forward && active[n]) add_tensor(&t, &d, s, n);
    if (!forward && !active[n]) add_text(&t, "-");
  }
  ad_free(active);
  ad_yaml_speller_free(speller);
  put_table(b, &t);
}

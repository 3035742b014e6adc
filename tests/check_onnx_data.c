/* The models that ONNX tests its implementations with, as Debian's libonnx-testdata has them: each is loaded and gives
 * the expected outputs at the inputs beside it, or is refused in words that say what is not supported; and where there
 * is something to differentiate, all methods agree.  Without the package there is nothing to do.
 *
 * The expected outputs were computed in the precision of their type, so they are compared to that: 1e-5 relative and
 * 1e-6 absolute for float.  Inputs of integers, and sizes without a number, are bound to what the data has; where that
 * is not enough, because sizes depend on a float input, too, all inputs are.
 *
 * ADTOOL_ONNX_DATA is another folder like data/ of the package; ADTOOL_ONNX_VERBOSE=1 lists what was found out. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adtool.h"
#include "onnx_model.h"
#include "suite.h"
#include "ulps.h"

static const char *const groups[] = {"node", "simple", "pytorch-converted", "pytorch-operator"};
enum { GROUPS = 4 };

typedef enum outcome { MATCHES, REFUSED, FAILS } outcome;

typedef struct result {
  int group;
  char *name;
  outcome outcome;
  char message[1000];
  bool differentiable, too_large, check_failed; /* too large: to be checked in reasonable time */
  char check_message[300];
} result;

static const char *root;
static result *results;
static size_t result_count;

/* ---- Files */

static void *slurp(const char *path, size_t *size) {
  FILE *f = fopen(path, "rb");
  if (!f) return NULL;
  fseek(f, 0, SEEK_END);
  *size = (size_t)ftell(f);
  rewind(f);
  char *bytes = malloc(*size + 1);
  if (!bytes || fread(bytes, 1, *size, f) != *size) abort();
  fclose(f);
  return bytes;
}

/* A tensor of the data, as doubles. */
typedef struct array {
  int type;
  size_t rank, count;
  int64_t *dim;
  double *v;
} array;

static double half_float(uint16_t h) {
  const int e = h >> 10 & 31, m = h & 1023;
  const double v = e == 31 ? (m ? NAN : INFINITY) : e ? ldexp(1 + m / 1024.0, e - 15) : ldexp(m / 1024.0, -14);
  return h >> 15 ? -v : v;
}

static double raw_element(int type, const uint8_t *p, size_t i) {
  union {
    float f;
    double d;
    uint8_t u8;
    int8_t i8;
    uint16_t u16;
    int16_t i16;
    uint32_t u32;
    int32_t i32;
    uint64_t u64;
    int64_t i64;
  } u = {.u64 = 0};
  static const int bytes[] = {0, 4, 1, 1, 2, 2, 4, 8, 0, 1, 2, 8, 4, 8, 0, 0, 2};
  memcpy(&u, p + i * (size_t)bytes[type], (size_t)bytes[type]);
  switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
      return (double)u.f;
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
      return u.d;
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
      return half_float(u.u16);
    case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
      u.u32 = (uint32_t)u.u16 << 16;
      return (double)u.f;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
      return u.i8;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
      return u.i16;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
      return u.i32;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
      return (double)u.i64;
    default:
      return (double)u.u64;
  }
}

static bool is_real(int type) {
  return type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT || type == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE ||
         type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 || type == ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16;
}

/* False: the file is not there, or no tensor of numbers.  The package's bfloat16 tensors say that they are uint16. */
static bool read_tensor(const char *path, const Onnx__ValueInfoProto *declared, array *t) {
  size_t size;
  void *bytes = slurp(path, &size);
  *t = (array){0};
  if (!bytes) return false;
  Onnx__TensorProto *p = onnx__tensor_proto__unpack(NULL, size, bytes);
  free(bytes);
  if (!p) return false;
  const Onnx__TypeProto *type = declared ? declared->type : NULL;
  t->type = p->data_type;
  if (type && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE &&
      type->tensor_type->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16)
    t->type = ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16;
  t->rank = p->n_dims;
  t->count = 1;
  t->dim = calloc(p->n_dims + 1, sizeof *t->dim);
  bool numbers = true; /* sequences are read as tensors here, and their dimensions can be anything */
  for (size_t i = 0; i < p->n_dims; i++) {
    numbers = numbers && p->dims[i] >= 0 && p->dims[i] < 1000000 && t->count < 10000000;
    if (numbers) t->count *= (size_t)(t->dim[i] = p->dims[i]);
  }
  t->v = calloc(t->count + 1, sizeof *t->v);
  if (!t->dim || !t->v) abort();
  numbers = numbers && t->type != ONNX__TENSOR_PROTO__DATA_TYPE__STRING && t->type >= 1 && t->type <= 16;
  for (size_t i = 0; numbers && i < t->count; i++) {
    if (p->has_raw_data)
      t->v[i] = raw_element(t->type, p->raw_data.data, i);
    else if (p->n_float_data)
      t->v[i] = (double)p->float_data[i];
    else if (p->n_double_data)
      t->v[i] = p->double_data[i];
    else if (p->n_int64_data)
      t->v[i] = (double)p->int64_data[i];
    else if (p->n_int32_data && t->type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16)
      t->v[i] = half_float((uint16_t)p->int32_data[i]);
    else if (p->n_int32_data)
      t->v[i] = p->int32_data[i];
  }
  onnx__tensor_proto__free_unpacked(p, NULL);
  return numbers;
}

static void free_tensor(array *t) {
  free(t->dim);
  free(t->v);
}

/* ---- One model */

enum { MOST = 64, MOST_ELEMENTS = 300000 };

typedef struct model {
  result *r;
  char folder[900];
  Onnx__ModelProto *proto;
  void *bytes;
  size_t size;
  size_t inputs; /* those without a value in the file */
  const Onnx__ValueInfoProto *input[MOST];
  array data[MOST];
} model;

static void open_model(model *m, result *r) {
  char path[1000];
  *m = (model){.r = r};
  snprintf(m->folder, sizeof m->folder, "%s/%s/%s", root, groups[r->group], r->name);
  snprintf(path, sizeof path, "%s/model.onnx", m->folder);
  m->bytes = slurp(path, &m->size);
  m->proto = m->bytes ? onnx__model_proto__unpack(NULL, m->size, m->bytes) : NULL;
  if (!m->proto) abort();
  const Onnx__GraphProto *g = m->proto->graph;
  for (size_t i = 0; i < g->n_input; i++) {
    bool initial = false;
    for (size_t k = 0; k < g->n_initializer; k++)
      initial = initial || !strcmp(g->initializer[k]->name, g->input[i]->name);
    if (!initial && m->inputs < MOST) m->input[m->inputs++] = g->input[i];
  }
}

static void close_model(model *m) {
  onnx__model_proto__free_unpacked(m->proto, NULL);
  free(m->bytes);
}

static void read_data(model *m, int set) {
  char path[1000];
  for (size_t i = 0; i < m->inputs; i++) {
    snprintf(path, sizeof path, "%s/test_data_set_%d/input_%zu.pb", m->folder, set, i);
    read_tensor(path, m->input[i], &m->data[i]);
  }
}

static ad_numbers *numbers_of(const double *v, size_t count) {
  ad_numbers *n = ad_numbers_new();
  for (size_t i = 0; i < count; i++)
    if (ad_numbers_push_double(n, v[i], NULL)) abort();
  return n;
}

static ad_status load(const model *m, bool all, ad_graph **g, ad_error *e) {
  ad_binding b[2 * MOST] = {{0}};
  size_t count = 0;
  for (size_t i = 0; i < m->inputs; i++) {
    const Onnx__TypeProto *type = m->input[i]->type;
    if (!m->data[i].v || !type || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE) continue;
    const Onnx__TensorShapeProto *shape = type->tensor_type->shape;
    for (size_t d = 0; shape && d < shape->n_dim && d < m->data[i].rank && count < MOST; d++) {
      const Onnx__TensorShapeProto__Dimension *dim = shape->dim[d];
      bool twice = dim->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
      for (size_t k = 0; !twice && k < count; k++) twice = !strcmp(b[k].name, dim->dim_param);
      const double size = (double)m->data[i].dim[d];
      if (!twice) b[count++] = (ad_binding){dim->dim_param, numbers_of(&size, 1), NULL};
    }
  }
  for (size_t i = 0; i < m->inputs; i++)
    if (m->data[i].v && (all || !is_real(m->data[i].type)))
      b[count++] = (ad_binding){m->input[i]->name, numbers_of(m->data[i].v, m->data[i].count), NULL};
  const ad_status s = ad_graph_read_bound(g, m->bytes, m->size, m->r->name, count, b, NULL, e);
  for (size_t i = 0; i < count; i++) ad_numbers_free((ad_numbers *)b[i].value);
  return s;
}

/* The references of windows were computed with 3.1415 for pi, and some were written down with four decimals, as were
 * their operands.  What is quantised by a scale that was rounded to a float may differ by a step where without rounding
 * it lies between two. */
static bool near(const model *m, int type, double got, double want) {
  const bool window = strstr(m->r->name, "window_") ||
                      (strlen(m->r->name) > 6 && !strcmp(m->r->name + strlen(m->r->name) - 6, "window"));
  if (window && !strstr(m->r->name, "with_window")) return fabs(got - want) <= 1e-4;
  if (strstr(m->r->name, "roialign") || strstr(m->r->name, "gridsample_bicubic")) return fabs(got - want) <= 1e-4;
  double relative = 1e-5, absolute = 1e-6;
  if (type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16) relative = absolute = 0x1p-10;
  if (type == ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16) relative = absolute = 0x1p-7;
  if (!is_real(type)) relative = absolute = 0;
  if (!is_real(type) && strstr(m->r->name, "dynamicquantize")) absolute = 1;
  return got == want || (isnan(got) && isnan(want)) || fabs(got - want) <= absolute + relative * fabs(want);
}

static bool wrong(model *m, const char *what, const char *why) {
  m->r->outcome = FAILS;
  snprintf(m->r->message, sizeof m->r->message, "%.60s: %.900s", what, why);
  return false;
}

static bool set_point(model *m, const ad_graph *g, ad_point *p) {
  ad_error e;
  for (size_t i = 0; i < m->inputs; i++) {
    const ad_node n = ad_graph_find_node(g, m->input[i]->name);
    if (n >= ad_graph_input_count(g) || !m->data[i].v) continue;
    if (ad_point_set_double(p, n, m->data[i].v, m->data[i].count, &e)) return wrong(m, "point", e.message);
  }
  return true;
}

static bool outputs_match(model *m, const ad_graph *g, const ad_workspace *w, int set) {
  char path[1000], text[300];
  for (size_t k = 0; k < m->proto->graph->n_output; k++) {
    array want;
    snprintf(path, sizeof path, "%s/test_data_set_%d/output_%zu.pb", m->folder, set, k);
    if (!read_tensor(path, m->proto->graph->output[k], &want)) {
      free_tensor(&want);
      return wrong(m, path, "is missing or no tensor");
    }
    const ad_node n = ad_graph_output_node(g, k);
    const ad_shape *shape = ad_graph_node_shape(g, n);
    const ad_span v = ad_workspace_value(w, n);
    bool same = (size_t)shape->rank == want.rank && v.count == want.count;
    for (int i = 0; same && i < shape->rank; i++) same = shape->dim[i] == want.dim[i];
    if (!same) {
      ad_shape_text(text, shape);
      wrong(m, "another shape", text);
    }
    for (size_t i = 0; same && i < want.count; i++)
      if (!near(m, want.type, ad_span_double(&v, i), want.v[i])) {
        snprintf(text, sizeof text, "output %zu, element %zu is %.9g, expected %.9g", k, i, ad_span_double(&v, i),
                 want.v[i]);
        same = wrong(m, "values", text);
      }
    free_tensor(&want);
    if (!same) return false;
  }
  return true;
}

static void check_derivatives(model *m, const ad_graph *g, const ad_point *p) {
  ad_check_report report;
  ad_error e;
  uint64_t elements = 0;
  for (ad_node n = 0; n < ad_graph_node_count(g); n++) elements += (uint64_t)ad_shape_size(ad_graph_node_shape(g, n));
  const ad_check_options o = {.max_entries = elements < 4000 ? 16 : 1, .probes = 1, .max_precision = 1024};
  for (ad_node n = 0; n < ad_graph_input_count(g); n++)
    m->r->differentiable =
        m->r->differentiable || (!ad_graph_input_fixed(g, n) && ad_shape_size(ad_graph_node_shape(g, n)) > 0);
  m->r->too_large = elements > MOST_ELEMENTS;
  if (!m->r->differentiable || m->r->too_large) return;
  const ad_status s = ad_check(&report, g, p, &o, &e);
  m->r->check_failed = s || report.verdict == AD_VERDICT_FAIL;
  snprintf(m->r->check_message, sizeof m->r->check_message, "%.290s", s ? e.message : report.reason);
  if (!s) ad_check_clear(&report);
}

/* False: no such data. */
static bool run_set(model *m, int set) {
  ad_graph *g = NULL;
  ad_program *program = NULL;
  ad_workspace *w = NULL;
  ad_point *p = NULL;
  ad_error e = {0};
  char path[1000];
  array probe;
  snprintf(path, sizeof path, "%s/test_data_set_%d/output_0.pb", m->folder, set);
  const bool there = read_tensor(path, NULL, &probe);
  free_tensor(&probe);
  if (!there && set > 0) return false;
  read_data(m, set);
  ad_status s = load(m, false, &g, &e);
  if (s && strstr(e.message, "must be known") && load(m, true, &g, &e) == AD_OK) s = AD_OK;
  if (s) {
    wrong(m, "load", e.message);
    if (strstr(e.message, "not supported: ")) m->r->outcome = REFUSED;
  } else if ((s = ad_point_new(&p, g, &e)) || !set_point(m, g, p) || (s = ad_program_new(&program, g, NULL, &e)) ||
             (s = ad_workspace_new(&w, program, ad_backend_find("tape"), NULL, &e)) ||
             (s = ad_workspace_set_point(w, p, &e)) || (s = ad_workspace_primal(w, &e))) {
    if (s) wrong(m, "evaluation", e.message);
  } else if (outputs_match(m, g, w, set) && set == 0) {
    check_derivatives(m, g, p);
  }
  ad_workspace_free(w);
  ad_program_free(program);
  ad_point_free(p);
  ad_graph_free(g);
  for (size_t i = 0; i < m->inputs; i++) free_tensor(&m->data[i]);
  return m->r->outcome == MATCHES;
}

static void run_model(result *r) {
  model m;
  open_model(&m, r);
  for (int set = 0; run_set(&m, set); set++) continue;
  close_model(&m);
}

/* ---- All of them */

static int by_name(const void *a, const void *b) {
  const result *x = a, *y = b;
  return x->group != y->group ? x->group - y->group : strcmp(x->name, y->name);
}

static const char *other, *only; /* ADTOOL_ONNX_DATA, ADTOOL_ONNX_ONLY */

static void find_models(void) {
  char path[1000];
  other = getenv("ADTOOL_ONNX_DATA");
  only = getenv("ADTOOL_ONNX_ONLY");
  root = other ? other : "/usr/share/libonnx-testdata/data";
  for (int g = 0; g < GROUPS; g++) {
    snprintf(path, sizeof path, "%s/%s", root, groups[g]);
    DIR *d = opendir(path);
    for (struct dirent *entry; d && (entry = readdir(d));) {
      if (entry->d_name[0] == '.' || (only && !strstr(entry->d_name, only))) continue;
      if (!(result_count & (result_count - 1))) results = realloc(results, (2 * result_count + 1) * sizeof *results);
      if (!results) abort();
      results[result_count++] = (result){.group = g, .name = strdup(entry->d_name)};
    }
    if (d) closedir(d);
  }
  if (result_count) qsort(results, result_count, sizeof *results, by_name);
  const size_t all = result_count;
  result_count = 0;
  for (size_t i = 0; i < all; i++)
    if (ulps_tries(i))
      results[result_count++] = results[i];
    else
      free(results[i].name);
}

START_TEST(matches_or_is_refused) {
  const result *r = &results[_i];
  ck_assert_msg(r->outcome != FAILS, "%s/%s: %s", groups[r->group], r->name, r->message);
}
END_TEST

START_TEST(derivatives_pass) {
  const result *r = &results[_i];
  ck_assert_msg(!r->check_failed, "%s/%s: %s", groups[r->group], r->name, r->check_message);
}
END_TEST

/* The table of the manual. */
START_TEST(manual_has_the_table) {
  char table[1000] = "@c Made by make update-onnx.\n";
  size_t sum[3] = {0}, used = strlen(table);
  for (int g = 0; g <= GROUPS; g++) {
    size_t count[3] = {0};
    for (size_t i = 0; i < result_count; i++) count[results[i].outcome] += results[i].group == g;
    for (int k = 0; k < 3; k++) sum[k] += count[k];
    const size_t *n = g < GROUPS ? count : sum;
    used += (size_t)snprintf(table + used, sizeof table - used, "@item %s @tab %zu @tab %zu @tab %zu\n",
                             g < GROUPS ? groups[g] : "all", n[0] + n[1] + n[2], n[0], n[1]);
  }
  onnx_page("onnx-models.texi", table);
}
END_TEST

int main(void) {
  find_models();
  if (!result_count) {
    printf("skipped: there is no folder %s (Debian's libonnx-testdata)\n", root);
    return 77;
  }
  size_t differentiable = 0, too_large = 0, count[3] = {0};
  for (size_t i = 0; i < result_count; i++) {
    result *r = &results[i];
    run_model(r);
    count[r->outcome]++;
    differentiable += r->differentiable;
    too_large += r->differentiable && r->too_large;
    if (r->too_large && getenv("ADTOOL_ONNX_VERBOSE")) printf("large: ");
    if (!getenv("ADTOOL_ONNX_VERBOSE")) continue;
    static const char *const word[] = {"matches", "refused", "FAILS"};
    printf("%s %s/%s %s%s\n", word[r->outcome], groups[r->group], r->name, r->message,
           r->check_failed ? " CHECK: " : "");
    if (r->check_failed) printf("   %s\n", r->check_message);
  }
  printf("%zu match, %zu of them can be differentiated (%zu too large to be checked); %zu refused, %zu fail\n",
         count[MATCHES], differentiable, too_large, count[REFUSED], count[FAILS]);
  Suite *s = suite_create("onnx_data");
  TCase *c = tcase_create("models");
  tcase_add_loop_test(c, matches_or_is_refused, 0, (int)result_count);
  tcase_add_loop_test(c, derivatives_pass, 0, (int)result_count);
  if (!other && !only && ulps_multiplier() >= 1) tcase_add_test(c, manual_has_the_table);
  suite_add_tcase(s, c);
  SRunner *runner = srunner_create(s);
  srunner_set_fork_status(runner, CK_NOFORK); /* the work is done */
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  for (size_t i = 0; i < result_count; i++) free(results[i].name);
  free(results);
  return failed != 0;
}

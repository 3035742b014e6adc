/* Every public function, called with NULL where a pointer must not be, and with indices, counts and enumerators that
 * are out of range: AD_EUSAGE, or what stands for nothing.  Uses adtool.h alone, so that it can be built against an
 * installed library; tests/api.sh sees to it that no function is missing here. */
#include <adtool.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAR = 1000 };
static int checks, bad;
static ad_error error;

static void note(bool right, const char *function, const char *what) {
  checks++;
  if (right) return;
  bad++;
  printf("%s: not true: %s\n", function, what);
  fflush(stdout);
}

static void must(ad_status s) {
  if (!s) return;
  printf("the test itself fails: %s\n", error.message);
  exit(1);
}

static bool refused(ad_status s) {
  const bool right = s == AD_EUSAGE && error.code == AD_EUSAGE && error.message[0];
  error = (ad_error){.code = AD_OK};
  return right;
}

/* A row each: the function and its arguments but the error, with which it must say AD_EUSAGE; the function and what
 * must be true of what it returns; the function and arguments with which it does nothing. */
#define USAGE(f, ...)                                                   \
  do {                                                                  \
    note(refused(f(__VA_ARGS__, &error)), #f, #f "(" #__VA_ARGS__ ")"); \
    note(f(__VA_ARGS__, NULL) == AD_EUSAGE, #f, "without an error");    \
  } while (0)
#define GIVES(f, condition) note(condition, #f, #condition)
#define DOES_NOTHING(f, ...) (f(__VA_ARGS__), note(true, #f, ""))

/* y = x0 x1 + k as `f`, x as `g`: an input with numbers, a fixed one, one without a value. */
static ad_graph *graph(void) {
  static const ad_shape two = {1, {2}};
  ad_graph *g;
  ad_node x, k, product;
  ad_numbers *n = ad_numbers_new();
  must(ad_graph_new(&g, NULL, &error));
  must(ad_numbers_push_double(n, 2, &error));
  must(ad_graph_input(g, &x, &(ad_input_spec){.name = "x", .shape = two, .value = n}, &error));
  must(ad_graph_input(g, &k, &(ad_input_spec){.name = "k", .value = n, .fixed = true}, &error));
  must(ad_graph_apply(g, &product, ad_op_find("prod"), 1, &x, 0, NULL, &error));
  must(ad_graph_apply(g, &product, ad_op_find("add"), 2, (ad_node[]){product, k}, 0, NULL, &error));
  must(ad_graph_output(g, "f", product, &error));
  must(ad_graph_output(g, "g", x, &error));
  ad_numbers_free(n);
  return g;
}

static bool empty(ad_span s) {
  return !s.count && !s.data;
}

static void tables(void) {
  char text[AD_SHAPE_TEXT];
  ad_numbers *n = ad_numbers_new();
  must(ad_numbers_push_text(n, "1/3", 3, &error));
  GIVES(ad_exit_status, ad_exit_status(AD_ENOMEM) == 6);
  GIVES(ad_limits_resolve, ad_limits_resolve(NULL).max_nodes > 0);
  GIVES(ad_numbers_new, n != NULL);
  DOES_NOTHING(ad_numbers_free, NULL);
  DOES_NOTHING(ad_numbers_clear, NULL);
  USAGE(ad_numbers_push_double, NULL, 1);
  USAGE(ad_numbers_push_text, NULL, "1", 1);
  USAGE(ad_numbers_push_text, n, NULL, 1);
  GIVES(ad_numbers_count, ad_numbers_count(NULL) == 0);
  GIVES(ad_numbers_double, isnan(ad_numbers_double(NULL, 0)) && isnan(ad_numbers_double(n, 1)));
  GIVES(ad_numbers_text, !ad_numbers_text(NULL, 0) && ad_numbers_text(n, 0) && !ad_numbers_text(n, 1));
  GIVES(ad_number_valid, !ad_number_valid(NULL, 0) && !ad_number_valid(NULL, 3));
  GIVES(ad_number_exact_text, ad_number_exact_text(NULL, 0.1) == 0);
  GIVES(ad_number_short_text, ad_number_short_text(NULL, 0.1) == 0);
  GIVES(ad_shape_size, ad_shape_size(NULL) == -1 && ad_shape_size(&(ad_shape){.rank = FAR}) == -1);
  GIVES(ad_shape_equal, !ad_shape_equal(NULL, &(ad_shape){0}) && !ad_shape_equal(&(ad_shape){0}, NULL));
  GIVES(ad_shape_equal, ad_shape_equal(&(ad_shape){.rank = FAR}, &(ad_shape){.rank = FAR}));
  DOES_NOTHING(ad_shape_text, NULL, &(ad_shape){0});
  DOES_NOTHING(ad_shape_text, text, NULL);
  DOES_NOTHING(ad_shape_text, text, &(ad_shape){.rank = FAR});
  GIVES(ad_op_find, ad_op_find(NULL) == AD_NO_OP && ad_op_find("") == AD_NO_OP);
  GIVES(ad_op_count, ad_op_count() > 0);
  GIVES(ad_op_get, !ad_op_get((ad_op)ad_op_count()) && !ad_op_get(AD_NO_OP));
  GIVES(ad_op_suggest, !ad_op_suggest(NULL));
  GIVES(ad_pass_count, ad_pass_count() > 0);
  GIVES(ad_pass_get, !ad_pass_get(ad_pass_count()));
  GIVES(ad_format_count, ad_format_count() > 0);
  GIVES(ad_format_get, !ad_format_get(ad_format_count()));
  DOES_NOTHING(ad_free, NULL);
  GIVES(ad_backend_count, ad_backend_count() > 0);
  GIVES(ad_backend_get, !ad_backend_get(ad_backend_count()));
  GIVES(ad_backend_find, !ad_backend_find(NULL) && !ad_backend_find(""));
  GIVES(ad_backend_name, !ad_backend_name(NULL));
  GIVES(ad_backend_doc, !ad_backend_doc(NULL));
  GIVES(ad_backend_kind, ad_backend_kind(NULL) == AD_KIND_F64);
  GIVES(ad_backend_mode, ad_backend_mode(NULL) == AD_MODE_DEFAULT);
  GIVES(ad_backend_supports, !ad_backend_supports(NULL, AD_MODE_DEFAULT));
  GIVES(ad_backend_supports, !ad_backend_supports(ad_backend_get(0), (ad_mode)FAR));
  GIVES(ad_verdict_name, !ad_verdict_name((ad_verdict)FAR));
  GIVES(ad_entry_class_name, !ad_entry_class_name((ad_entry_class)FAR));
  ad_numbers_free(n);
}

static void building(ad_graph *g) {
  ad_node out;
  ad_graph *never = NULL;
  const ad_node x = 0, far = FAR;
  ad_numbers *one = ad_numbers_new();
  must(ad_numbers_push_double(one, 1, &error));
  const ad_op sum = ad_op_find("sum"), add = ad_op_find("add"), gather = ad_op_find("gather");
  const size_t nodes = ad_graph_node_count(g);
  USAGE(ad_graph_new, NULL, NULL);
  DOES_NOTHING(ad_graph_free, NULL);
  USAGE(ad_graph_set_name, NULL, "name");
  USAGE(ad_graph_set_name, g, NULL);
  USAGE(ad_graph_set_kinks, NULL, &(ad_kinks){0});
  USAGE(ad_graph_set_kinks, g, NULL);
  USAGE(ad_graph_reserve, NULL, 1, 1);
  USAGE(ad_graph_set_meta, NULL, "key", "text");
  USAGE(ad_graph_set_meta, g, NULL, "text");
  USAGE(ad_graph_set_meta, g, "key", NULL);
  USAGE(ad_graph_input, NULL, &out, &(ad_input_spec){.name = "z"});
  USAGE(ad_graph_input, g, NULL, &(ad_input_spec){.name = "z"});
  USAGE(ad_graph_input, g, &out, NULL);
  USAGE(ad_graph_input, g, &out, &(ad_input_spec){.name = NULL});
  USAGE(ad_graph_input, g, &out, &(ad_input_spec){.name = "z", .dtype = (ad_dtype)FAR});
  USAGE(ad_graph_set_input_value, NULL, x, one, AD_EXACT);
  USAGE(ad_graph_set_input_value, g, far, one, AD_EXACT);
  USAGE(ad_graph_set_input_value, g, x, one, (ad_dtype)FAR);
  USAGE(ad_graph_constant, NULL, &out, &(ad_shape){0}, one, AD_EXACT);
  USAGE(ad_graph_constant, g, NULL, &(ad_shape){0}, one, AD_EXACT);
  USAGE(ad_graph_constant, g, &out, NULL, one, AD_EXACT);
  USAGE(ad_graph_constant, g, &out, &(ad_shape){0}, NULL, AD_EXACT);
  USAGE(ad_graph_constant, g, &out, &(ad_shape){0}, one, (ad_dtype)FAR);
  USAGE(ad_graph_constant_double, NULL, &out, 1);
  USAGE(ad_graph_constant_double, g, NULL, 1);
  USAGE(ad_graph_constant_text, NULL, &out, "1");
  USAGE(ad_graph_constant_text, g, NULL, "1");
  USAGE(ad_graph_constant_text, g, &out, NULL);
  USAGE(ad_graph_apply, NULL, &out, sum, 1, &x, 0, NULL);
  USAGE(ad_graph_apply, g, NULL, sum, 1, &x, 0, NULL);
  USAGE(ad_graph_apply, g, &out, AD_NO_OP, 1, &x, 0, NULL);
  USAGE(ad_graph_apply, g, &out, sum, 1, NULL, 0, NULL);
  USAGE(ad_graph_apply, g, &out, sum, 1, &far, 0, NULL);
  USAGE(ad_graph_apply, g, &out, add, 2, (const ad_node[]){x, AD_NO_NODE}, 0, NULL);
  USAGE(ad_graph_apply, g, &out, sum, 1, &x, 1, NULL);
  USAGE(ad_graph_apply, g, &out, sum, 1, &x, 1, &(ad_attr){.value = &(int64_t){0}});
  GIVES(ad_graph_apply, ad_graph_apply(g, &out, sum, 1, &x, 1, &(ad_attr){.name = "keepdims"}, NULL) == AD_OK);
  GIVES(ad_graph_apply, ad_graph_apply(g, &out, gather, 1, &x, 1, &(ad_attr){.name = "indices"}, NULL) == AD_EINPUT);
  USAGE(ad_graph_set_node_name, NULL, 3, "z");
  USAGE(ad_graph_set_node_name, g, FAR, "z");
  USAGE(ad_graph_set_node_name, g, AD_NO_NODE, "z");
  USAGE(ad_graph_set_node_name, g, 3, NULL);
  USAGE(ad_graph_output, NULL, "z", x);
  USAGE(ad_graph_output, g, NULL, x);
  USAGE(ad_graph_output, g, "z", FAR);
  USAGE(ad_graph_optimize, NULL, g, NULL);
  USAGE(ad_graph_optimize, &never, NULL, NULL);
  USAGE(ad_graph_optimize, &never, g, &(ad_optimize_options){.passes = UINT32_MAX});
  USAGE(ad_graph_optimize, &never, g, &(ad_optimize_options){.keep_count = 1});
  USAGE(ad_graph_optimize, &never, g, &(ad_optimize_options){.keep_count = 1, .keep = &far});
  GIVES(ad_graph_node_count, ad_graph_node_count(g) == nodes + 1 && !never);
  ad_numbers_free(one);
}

static void asking(const ad_graph *g) {
  char text[AD_NODE_TEXT];
  const ad_node x = 0, op = 2, *args;
  const ad_values numbers = ad_graph_node_values(g, x);
  GIVES(ad_graph_limits, !ad_graph_limits(NULL));
  GIVES(ad_graph_name, !*ad_graph_name(NULL));
  GIVES(ad_graph_kinks, ad_graph_kinks(NULL).abs_at_zero == 0);
  GIVES(ad_graph_meta_count, ad_graph_meta_count(NULL) == 0);
  GIVES(ad_graph_meta_key, !ad_graph_meta_key(NULL, 0) && !ad_graph_meta_key(g, 0) && !ad_graph_meta_key(g, SIZE_MAX));
  GIVES(ad_graph_meta_text, !ad_graph_meta_text(NULL, 0) && !ad_graph_meta_text(g, 0));
  GIVES(ad_graph_node_count, ad_graph_node_count(NULL) == 0);
  GIVES(ad_graph_input_count, ad_graph_input_count(NULL) == 0);
  GIVES(ad_graph_output_count, ad_graph_output_count(NULL) == 0);
  GIVES(ad_graph_output_node, ad_graph_output_node(NULL, 0) == AD_NO_NODE && ad_graph_output_node(g, 2) == AD_NO_NODE);
  GIVES(ad_graph_output_name, !ad_graph_output_name(NULL, 0) && !ad_graph_output_name(g, (size_t)1 << 32));
  GIVES(ad_graph_find_output, ad_graph_find_output(NULL, "f") == SIZE_MAX);
  GIVES(ad_graph_find_output, ad_graph_find_output(g, NULL) == SIZE_MAX);
  GIVES(ad_graph_find_node, ad_graph_find_node(NULL, "x") == AD_NO_NODE && ad_graph_find_node(g, NULL) == AD_NO_NODE);
  GIVES(ad_graph_node_op, ad_graph_node_op(NULL, x) == AD_NO_OP && ad_graph_node_op(g, FAR) == AD_NO_OP);
  GIVES(ad_graph_node_args, !ad_graph_node_args(NULL, op, &args) && !ad_graph_node_args(g, FAR, &args));
  GIVES(ad_graph_node_args, !ad_graph_node_args(g, op, NULL));
  GIVES(ad_graph_node_shape, !ad_graph_node_shape(NULL, x) && !ad_graph_node_shape(g, FAR));
  GIVES(ad_graph_node_name, !ad_graph_node_name(NULL, x) && !ad_graph_node_name(g, FAR));
  GIVES(ad_graph_node_text, !ad_graph_node_text(g, x, NULL) && ad_graph_node_text(NULL, x, text) == text);
  GIVES(ad_graph_node_text, !strcmp(ad_graph_node_text(g, FAR, text), "node 1000 (unknown)"));
  GIVES(ad_graph_node_attr, !ad_graph_node_attr(NULL, op, 0).name && !ad_graph_node_attr(g, FAR, 0).name);
  GIVES(ad_graph_node_attr, !ad_graph_node_attr(g, x, 0).name && !ad_graph_node_attr(g, op, -1).name);
  GIVES(ad_graph_node_attr, ad_graph_node_attr(g, op, 0).name && !ad_graph_node_attr(g, op, FAR).name);
  GIVES(ad_graph_input_fixed, !ad_graph_input_fixed(NULL, x) && !ad_graph_input_fixed(g, FAR));
  GIVES(ad_graph_input_fixed, !ad_graph_input_fixed(g, op));
  GIVES(ad_graph_node_dtype, ad_graph_node_dtype(NULL, x) == AD_EXACT && ad_graph_node_dtype(g, op) == AD_EXACT);
  GIVES(ad_graph_node_values, !ad_graph_node_values(NULL, x).count && !ad_graph_node_values(g, op).count);
  GIVES(ad_values_text, !ad_values_text(NULL, 0) && !ad_values_text(&(ad_values){0}, 0));
  GIVES(ad_values_text, !ad_values_text(&numbers, numbers.count) && !ad_values_text(&numbers, SIZE_MAX));
}

static void files(const ad_graph *g) {
  static const char yaml[] = "adtool: 1\ninputs: {x: 1}\noutputs: {f: x}\n";
  ad_graph *never = NULL;
  void *bytes = NULL;
  size_t size = 0;
  char hex[65];
  ad_numbers *one = ad_numbers_new();
  must(ad_numbers_push_double(one, 1, &error));
  const ad_binding nameless = {.value = one}, without = {.name = "n"};
  USAGE(ad_graph_load, NULL, "x.yaml", NULL);
  USAGE(ad_graph_load, &never, NULL, NULL);
  USAGE(ad_graph_read, NULL, yaml, sizeof yaml - 1, "x.yaml", NULL);
  USAGE(ad_graph_read, &never, NULL, 1, "x.yaml", NULL);
  USAGE(ad_graph_read, &never, yaml, sizeof yaml - 1, NULL, NULL);
  USAGE(ad_graph_load_bound, NULL, "x.yaml", 0, NULL, NULL);
  USAGE(ad_graph_load_bound, &never, NULL, 0, NULL, NULL);
  USAGE(ad_graph_read_bound, NULL, yaml, sizeof yaml - 1, "x.yaml", 0, NULL, NULL);
  USAGE(ad_graph_read_bound, &never, yaml, sizeof yaml - 1, "x.yaml", 1, NULL, NULL);
  USAGE(ad_graph_read_bound, &never, yaml, sizeof yaml - 1, "x.yaml", 1, &nameless, NULL);
  USAGE(ad_graph_read_bound, &never, yaml, sizeof yaml - 1, "x.yaml", 1, &without, NULL);
  USAGE(ad_graph_save, NULL, "x.yaml", NULL);
  USAGE(ad_graph_save, g, NULL, NULL);
  USAGE(ad_graph_write, NULL, &bytes, &size, &(ad_write_options){.format = "yaml"});
  USAGE(ad_graph_write, g, NULL, &size, &(ad_write_options){.format = "yaml"});
  USAGE(ad_graph_write, g, &bytes, NULL, &(ad_write_options){.format = "yaml"});
  USAGE(ad_graph_write, g, &bytes, &size, NULL);
  USAGE(ad_graph_write, g, &bytes, &size, &(ad_write_options){0});
  USAGE(ad_graph_hash, NULL, hex);
  USAGE(ad_graph_hash, g, NULL);
  GIVES(ad_graph_write, !never && !bytes && !size);
  ad_numbers_free(one);
}

static void points(const ad_graph *g) {
  ad_point *p, *never = NULL;
  const double two[2] = {1, 2};
  ad_numbers *one = ad_numbers_new();
  must(ad_numbers_push_double(one, 1, &error));
  must(ad_point_new(&p, g, &error));
  USAGE(ad_point_new, NULL, g);
  USAGE(ad_point_new, &never, NULL);
  DOES_NOTHING(ad_point_free, NULL);
  USAGE(ad_point_set, NULL, 0, one);
  USAGE(ad_point_set, p, 2, one);
  USAGE(ad_point_set, p, AD_NO_NODE, one);
  USAGE(ad_point_set, p, 0, NULL);
  USAGE(ad_point_set_double, NULL, 0, two, 2);
  USAGE(ad_point_set_double, p, 2, two, 1);
  USAGE(ad_point_set_double, p, 0, NULL, 2);
  GIVES(ad_point_set_double, ad_point_set_double(p, 0, two, SIZE_MAX, NULL) == AD_EINPUT);
  USAGE(ad_point_load, NULL, "x.yaml");
  USAGE(ad_point_load, p, NULL);
  USAGE(ad_point_set_text, NULL, "x", "1");
  USAGE(ad_point_set_text, p, NULL, "1");
  USAGE(ad_point_set_text, p, "x", NULL);
  ad_point_free(p);
  ad_numbers_free(one);
}

static void programs(const ad_graph *g) {
  ad_program *p, *never = NULL;
  const ad_node far = FAR;
  must(ad_program_new(&p, g, NULL, &error));
  USAGE(ad_program_new, NULL, g, NULL);
  USAGE(ad_program_new, &never, NULL, NULL);
  USAGE(ad_program_new, &never, g, &(ad_program_options){.output_count = 1});
  USAGE(ad_program_new, &never, g, &(ad_program_options){.output_count = 1, .outputs = &far});
  USAGE(ad_program_new, &never, g, &(ad_program_options){.wrt_count = 1});
  USAGE(ad_program_new, &never, g, &(ad_program_options){.wrt_count = 1, .wrt = &far});
  DOES_NOTHING(ad_program_free, NULL);
  GIVES(ad_program_graph, !ad_program_graph(NULL));
  GIVES(ad_program_wrt_count, ad_program_wrt_count(NULL) == 0);
  GIVES(ad_program_wrt, ad_program_wrt(NULL, 0) == AD_NO_NODE && ad_program_wrt(p, 1) == AD_NO_NODE);
  GIVES(ad_program_wrt_size, ad_program_wrt_size(NULL) == 0);
  GIVES(ad_program_output_count, ad_program_output_count(NULL) == 0);
  GIVES(ad_program_output, ad_program_output(NULL, 0) == AD_NO_NODE && ad_program_output(p, 2) == AD_NO_NODE);
  GIVES(ad_program_output_size, ad_program_output_size(NULL) == 0);
  ad_program_free(p);
}

/* What a workspace is asked for that it does not have.  It has two directions, adjoints, series of order 2, one point.
 */
static void out_of_range(ad_workspace *w, const ad_numbers *one, const ad_numbers *three) {
  const ad_node x = 0, k = 1, f = 3;
  const double two[2] = {1, 2};
  USAGE(ad_workspace_set_input, w, 2, two, 1);
  USAGE(ad_workspace_set_input, w, x, two, 3);
  USAGE(ad_workspace_set_input, w, x, two, SIZE_MAX);
  USAGE(ad_workspace_set_inputs, w, two, 2);
  USAGE(ad_workspace_set_points, w, 2, two, 2, 1);
  USAGE(ad_workspace_set_points, w, x, two, 2, 0);
  USAGE(ad_workspace_set_points, w, x, two, 2, 2);
  USAGE(ad_workspace_seed_tangent, w, 2, x, 0, 1);
  USAGE(ad_workspace_seed_tangent, w, 0, k, 0, 1);
  USAGE(ad_workspace_seed_tangent, w, 0, FAR, 0, 1);
  USAGE(ad_workspace_seed_tangent, w, 0, x, 2, 1);
  USAGE(ad_workspace_seed_tangent, w, 0, x, SIZE_MAX, 1);
  USAGE(ad_workspace_seed_adjoint, w, FAR, 0, 1);
  USAGE(ad_workspace_seed_adjoint, w, f, 1, 1);
  USAGE(ad_workspace_seed_adjoint, w, f, SIZE_MAX, 1);
  USAGE(ad_workspace_seed_tangents, w, 2, x, one);
  USAGE(ad_workspace_seed_tangents, w, 0, k, one);
  USAGE(ad_workspace_seed_tangents, w, 0, FAR, one);
  USAGE(ad_workspace_seed_tangents, w, 0, x, three);
  USAGE(ad_workspace_seed_adjoints, w, FAR, one);
  USAGE(ad_workspace_seed_adjoints, w, f, three);
  USAGE(ad_workspace_seed_coefficient, w, 0, x, 0, 1);
  USAGE(ad_workspace_seed_coefficient, w, 3, x, 0, 1);
  USAGE(ad_workspace_seed_coefficient, w, 1, k, 0, 1);
  USAGE(ad_workspace_seed_coefficient, w, 1, FAR, 0, 1);
  USAGE(ad_workspace_seed_coefficient, w, 1, x, 2, 1);
  USAGE(ad_workspace_seed_coefficient, w, 2, x, SIZE_MAX, 1);
  GIVES(ad_workspace_value, empty(ad_workspace_value(w, FAR)) && empty(ad_workspace_value(w, AD_NO_NODE)));
  GIVES(ad_workspace_tangent, empty(ad_workspace_tangent(w, 2, x)) && empty(ad_workspace_tangent(w, 0, FAR)));
  GIVES(ad_workspace_adjoint, empty(ad_workspace_adjoint(w, FAR)));
  GIVES(ad_workspace_coefficient, empty(ad_workspace_coefficient(w, 3, x)));
  GIVES(ad_workspace_coefficient, empty(ad_workspace_coefficient(w, 1, FAR)));
  GIVES(ad_workspace_gradient, empty(ad_workspace_gradient(w, 2)) && empty(ad_workspace_gradient(w, AD_NO_NODE)));
  USAGE(ad_workspace_run_gradient, w, &(ad_gradient_request){.output = FAR});
  USAGE(ad_workspace_run_gradient, w, &(ad_gradient_request){.output = f, .mode = (ad_mode)FAR});
  USAGE(ad_workspace_run_gradient, w, &(ad_gradient_request){.output = f, .seed_count = 2});
  USAGE(ad_workspace_run_gradient, w,
        &(ad_gradient_request){.output = f, .seed_count = 1, .element = &(size_t){SIZE_MAX}});
}

static void without(ad_workspace *w, const ad_point *p, const ad_numbers *one) {
  const double two[2] = {1, 2};
  USAGE(ad_workspace_set_point, NULL, p);
  USAGE(ad_workspace_set_point, w, NULL);
  USAGE(ad_workspace_set_input, NULL, 0, two, 2);
  USAGE(ad_workspace_set_input, w, 0, NULL, 2);
  USAGE(ad_workspace_set_inputs, NULL, two, 2);
  USAGE(ad_workspace_set_inputs, w, NULL, 3);
  USAGE(ad_workspace_set_points, NULL, 0, two, 2, 1);
  USAGE(ad_workspace_set_points, w, 0, NULL, 2, 1);
  USAGE(ad_workspace_primal, NULL);
  DOES_NOTHING(ad_workspace_clear_seeds, NULL);
  USAGE(ad_workspace_seed_tangent, NULL, 0, 0, 0, 1);
  USAGE(ad_workspace_seed_adjoint, NULL, 3, 0, 1);
  USAGE(ad_workspace_seed_tangents, NULL, 0, 0, one);
  USAGE(ad_workspace_seed_tangents, w, 0, 0, NULL);
  USAGE(ad_workspace_seed_adjoints, NULL, 3, one);
  USAGE(ad_workspace_seed_adjoints, w, 3, NULL);
  USAGE(ad_workspace_seed_coefficient, NULL, 1, 0, 0, 1);
  USAGE(ad_workspace_set_direction, NULL, p);
  USAGE(ad_workspace_set_direction, w, NULL);
  USAGE(ad_workspace_forward, NULL);
  USAGE(ad_workspace_reverse, NULL);
  USAGE(ad_workspace_taylor, NULL);
  USAGE(ad_workspace_run_gradient, NULL, &(ad_gradient_request){.output = 3});
  USAGE(ad_workspace_run_gradient, w, NULL);
  GIVES(ad_workspace_value, empty(ad_workspace_value(NULL, 0)));
  GIVES(ad_workspace_tangent, empty(ad_workspace_tangent(NULL, 0, 0)));
  GIVES(ad_workspace_adjoint, empty(ad_workspace_adjoint(NULL, 0)));
  GIVES(ad_workspace_coefficient, empty(ad_workspace_coefficient(NULL, 1, 0)));
  GIVES(ad_workspace_gradient, empty(ad_workspace_gradient(NULL, 0)));
  GIVES(ad_workspace_gradients, empty(ad_workspace_gradients(NULL)));
  DOES_NOTHING(ad_workspace_diagnose, NULL, NULL, NULL);
  DOES_NOTHING(ad_workspace_diagnose, w, NULL, NULL);
  GIVES(ad_workspace_undetermined, !ad_workspace_undetermined(NULL, NULL, NULL));
}

static void spans(const ad_workspace *w) {
  char text[8] = "text";
  const ad_span s = ad_workspace_value(w, 0);
  GIVES(ad_span_double, isnan(ad_span_double(NULL, 0)) && isnan(ad_span_double(&s, 2)));
  GIVES(ad_span_double, isnan(ad_span_double(&s, SIZE_MAX)) && isnan(ad_span_double(&(ad_span){0}, 0)));
  GIVES(ad_span_text, !ad_span_text(text, sizeof text, NULL, 0, 0) && !*text);
  GIVES(ad_span_text, !ad_span_text(text, sizeof text, &s, 2, 0) && !ad_span_text(NULL, sizeof text, &s, 0, 0));
  GIVES(ad_span_text, ad_span_text(NULL, 0, &s, 0, 0) == 1);
}

/* A point that does not set an input without a value changes nothing. */
static void half_points(void) {
  ad_graph *g;
  ad_node n;
  ad_point *p;
  ad_program *program;
  ad_workspace *w;
  must(ad_graph_new(&g, NULL, &error));
  must(ad_graph_input(g, &n, &(ad_input_spec){.name = "x"}, &error));
  must(ad_graph_output(g, "f", n, &error));
  must(ad_graph_input(g, &n, &(ad_input_spec){.name = "y"}, &error));
  must(ad_point_new(&p, g, &error));
  must(ad_point_set_double(p, 0, &(double){7}, 1, &error));
  must(ad_program_new(&program, g, NULL, &error));
  must(ad_workspace_new(&w, program, ad_backend_find("tape"), NULL, &error));
  must(ad_workspace_set_inputs(w, (const double[]){1, 2}, 2, &error));
  must(ad_workspace_primal(w, &error));
  ad_span v = ad_workspace_value(w, 0);
  GIVES(ad_workspace_set_point, ad_workspace_set_point(w, p, &error) == AD_EINPUT && ad_span_double(&v, 0) == 1);
  GIVES(ad_workspace_set_point, ad_workspace_forward(w, &error) == AD_EUSAGE); /* for want of tangents, not of a run */
  ad_workspace_free(w);
  ad_program_free(program);
  ad_point_free(p);
  ad_graph_free(g);
}

static void workspaces(const ad_graph *g) {
  ad_program *p;
  ad_point *point;
  ad_workspace *w, *never = NULL;
  ad_numbers *one = ad_numbers_new(), *three = ad_numbers_new();
  for (int i = 0; i < 4; i++) must(ad_numbers_push_double(i ? three : one, i, &error));
  must(ad_program_new(&p, g, NULL, &error));
  must(ad_point_new(&point, g, &error));
  USAGE(ad_workspace_new, NULL, p, ad_backend_get(0), NULL);
  USAGE(ad_workspace_new, &never, NULL, ad_backend_get(0), NULL);
  USAGE(ad_workspace_new, &never, p, NULL, NULL);
  USAGE(ad_workspace_new, &never, p, ad_backend_get(0), &(ad_workspace_options){.points = UINT32_MAX});
  USAGE(ad_workspace_new, &never, p, ad_backend_find("mpfr"), &(ad_workspace_options){.precision = 1});
  DOES_NOTHING(ad_workspace_free, NULL);
  for (size_t i = 0; i < ad_backend_count(); i++) {
    const ad_workspace_options o = {.directions = 2, .reverse = true, .order = 2};
    must(ad_workspace_new(&w, p, ad_backend_get(i), &o, &error));
    must(ad_workspace_primal(w, &error));
    out_of_range(w, one, three);
    without(w, point, one);
    spans(w);
    ad_workspace_free(w);
  }
  ad_point_free(point);
  ad_program_free(p);
  ad_numbers_free(one);
  ad_numbers_free(three);
}

static void structures(const ad_graph *g) {
  ad_program *p;
  ad_sparsity s = {0};
  ad_colouring c = {0};
  must(ad_program_new(&p, g, NULL, &error));
  USAGE(ad_sparsity_jacobian, NULL, p);
  USAGE(ad_sparsity_jacobian, &s, NULL);
  USAGE(ad_sparsity_hessian, NULL, p);
  USAGE(ad_sparsity_hessian, &s, NULL);
  DOES_NOTHING(ad_sparsity_clear, NULL);
  must(ad_sparsity_jacobian(&s, p, &error));
  USAGE(ad_colour, NULL, &s, AD_COLOUR_COLUMNS);
  USAGE(ad_colour, &c, NULL, AD_COLOUR_COLUMNS);
  USAGE(ad_colour, &c, &s, (ad_colour_kind)FAR);
  USAGE(ad_colour, &c, &s, AD_COLOUR_STAR);
  for (int kind = AD_COLOUR_COLUMNS; kind <= AD_COLOUR_ACYCLIC; kind++) {
    USAGE(ad_colour, &c, &(ad_sparsity){.rows = 2, .columns = 2}, (ad_colour_kind)kind);
    USAGE(ad_colour, &c, &((ad_sparsity){2, 2, (size_t[]){0, 1, 2}, NULL}), (ad_colour_kind)kind);
    USAGE(ad_colour, &c, &((ad_sparsity){2, 2, (size_t[]){0, 1, 2}, (uint32_t[]){0, FAR}}), (ad_colour_kind)kind);
    USAGE(ad_colour, &c, &((ad_sparsity){2, 2, (size_t[]){0, 2, 1}, (uint32_t[]){0, 1}}), (ad_colour_kind)kind);
  }
  DOES_NOTHING(ad_colouring_clear, NULL);
  ad_sparsity_clear(&s);
  ad_program_free(p);
}

static void jacobians(const ad_graph *g) {
  ad_program *p;
  ad_jacobian *never = NULL;
  must(ad_program_new(&p, g, NULL, &error));
  USAGE(ad_jacobian_new, NULL, p, NULL, NULL);
  USAGE(ad_jacobian_new, &never, NULL, NULL, NULL);
  USAGE(ad_jacobian_new, &never, p, NULL, &(ad_jacobian_options){.mode = (ad_mode)FAR});
  USAGE(ad_jacobian_new, &never, p, ad_backend_find("tape"), &(ad_jacobian_options){.mode = AD_MODE_FORWARD});
  DOES_NOTHING(ad_jacobian_free, NULL);
  GIVES(ad_jacobian_workspace, !ad_jacobian_workspace(NULL));
  USAGE(ad_jacobian_run, NULL);
  GIVES(ad_jacobian_values, empty(ad_jacobian_values(NULL)));
  GIVES(ad_jacobian_sparsity, !ad_jacobian_sparsity(NULL));
  GIVES(ad_jacobian_get_plan, ad_jacobian_get_plan(NULL).rows == 0);
  ad_program_free(p);
}

static void derivatives(const ad_graph *g) {
  ad_graph *never = NULL;
  const size_t far = FAR;
  const ad_node node = FAR;
#define DERIVATIVE(f)                                                                   \
  do {                                                                                  \
    USAGE(f, NULL, g, NULL);                                                            \
    USAGE(f, &never, NULL, NULL);                                                       \
    USAGE(f, &never, g, &(ad_derivative_request){.output_count = 1});                   \
    USAGE(f, &never, g, &((ad_derivative_request){.output_count = 1, .output = &far})); \
    USAGE(f, &never, g, &(ad_derivative_request){.wrt_count = 1});                      \
    USAGE(f, &never, g, &((ad_derivative_request){.wrt_count = 1, .wrt = &node}));      \
  } while (0)
  DERIVATIVE(ad_graph_gradient);
  DERIVATIVE(ad_graph_vjp);
  DERIVATIVE(ad_graph_jvp);
  USAGE(ad_graph_gradient, &never, g, NULL); /* of two outputs */
  USAGE(ad_graph_gradient, &never, g,
        &((ad_derivative_request){.output_count = 1, .output = &(size_t){0}, .seed_count = 1, .element = &far}));
}

static void mixed(const ad_graph *g) {
  ad_program *p;
  ad_workspace *w;
  ad_mixed *m, *never = NULL;
  const ad_variable xx[2] = {{0, 0}, {0, 1}}, outside[2] = {{0, 0}, {0, 2}}, farther[2] = {{0, 0}, {0, SIZE_MAX}},
                    node[2] = {{0, 0}, {FAR, 0}};
  must(ad_program_new(&p, g, NULL, &error));
  must(ad_workspace_new(&w, p, ad_backend_find("tape"), &(ad_workspace_options){.order = 2}, &error));
  const ad_mixed_request r = {.order = 2, .count = 1, .variable = xx};
  must(ad_workspace_primal(w, &error));
  must(ad_mixed_new(&m, w, &r, &error));
  USAGE(ad_mixed_new, NULL, w, &r);
  USAGE(ad_mixed_new, &never, NULL, &r);
  USAGE(ad_mixed_new, &never, w, NULL);
  USAGE(ad_mixed_new, &never, w, &((ad_mixed_request){.order = 0, .count = 1, .variable = xx}));
  USAGE(ad_mixed_new, &never, w, &((ad_mixed_request){.order = 2, .count = 0, .variable = xx}));
  USAGE(ad_mixed_new, &never, w, &((ad_mixed_request){.order = 2, .count = 1}));
  USAGE(ad_mixed_new, &never, w, &((ad_mixed_request){.order = 2, .count = 1, .variable = outside}));
  USAGE(ad_mixed_new, &never, w, &((ad_mixed_request){.order = 2, .count = 1, .variable = farther}));
  USAGE(ad_mixed_new, &never, w, &((ad_mixed_request){.order = 2, .count = 1, .variable = node}));
  USAGE(ad_mixed_new, &never, w, &((ad_mixed_request){.order = 2, .count = 1, .variable = xx, .output_count = 1}));
  USAGE(ad_mixed_new, &never, w,
        &((ad_mixed_request){
            .order = 2, .count = 1, .variable = xx, .output_count = 1, .outputs = &(ad_node){AD_NO_NODE}}));
  DOES_NOTHING(ad_mixed_free, NULL);
  GIVES(ad_mixed_directions, ad_mixed_directions(NULL) == 0);
  USAGE(ad_mixed_run, NULL);
  GIVES(ad_mixed_derivative, empty(ad_mixed_derivative(NULL, 0, 0)) && empty(ad_mixed_derivative(m, 1, 0)));
  GIVES(ad_mixed_derivative, empty(ad_mixed_derivative(m, 0, 2)));
  ad_mixed_free(m);
  ad_workspace_free(w);
  ad_program_free(p);
}

static void hessians(const ad_graph *g) {
  ad_hessian *h, *never = NULL;
  ad_point *p;
  ad_numbers *one = ad_numbers_new();
  const ad_hessian_options o = {.of = {.output_count = 1, .output = &(size_t){0}}};
  const double seeds[4] = {1, 0, 0, 1};
  must(ad_numbers_push_double(one, 1, &error));
  must(ad_point_new(&p, g, &error));
  must(ad_hessian_new(&h, g, NULL, &o, &error));
  USAGE(ad_hessian_new, NULL, g, NULL, &o);
  USAGE(ad_hessian_new, &never, NULL, NULL, &o);
  USAGE(ad_hessian_new, &never, g, NULL, NULL); /* of two outputs */
  USAGE(ad_hessian_new, &never, g, NULL, &((ad_hessian_options){.of = o.of, .mode = (ad_mode)FAR}));
  USAGE(ad_hessian_new, &never, g, NULL, &(ad_hessian_options){.of = {.output_count = 1}});
  DOES_NOTHING(ad_hessian_free, NULL);
  GIVES(ad_hessian_size, ad_hessian_size(NULL) == 0);
  GIVES(ad_hessian_wrt_count, ad_hessian_wrt_count(NULL) == 0);
  GIVES(ad_hessian_wrt, ad_hessian_wrt(NULL, 0) == AD_NO_NODE && ad_hessian_wrt(h, 1) == AD_NO_NODE);
  USAGE(ad_hessian_set_point, NULL, p);
  USAGE(ad_hessian_set_point, h, NULL);
  GIVES(ad_hessian_workspace, !ad_hessian_workspace(NULL));
  USAGE(ad_hessian_run, NULL);
  USAGE(ad_hessian_products, NULL, seeds, 1);
  USAGE(ad_hessian_products, h, NULL, 1);
  USAGE(ad_hessian_products, h, seeds, 3);
  USAGE(ad_hessian_products, h, seeds, SIZE_MAX);
  USAGE(ad_hessian_products_exact, NULL, one, 1);
  USAGE(ad_hessian_products_exact, h, NULL, 1);
  USAGE(ad_hessian_products_exact, h, one, 1);
  USAGE(ad_hessian_products_exact, h, one, SIZE_MAX);
  GIVES(ad_hessian_values, empty(ad_hessian_values(NULL)));
  GIVES(ad_hessian_sparsity, !ad_hessian_sparsity(NULL));
  GIVES(ad_hessian_colours, ad_hessian_colours(NULL) == 0);
  GIVES(ad_hessian_output, empty(ad_hessian_output(NULL)));
  GIVES(ad_hessian_gradient, empty(ad_hessian_gradient(NULL, 0)) && empty(ad_hessian_gradient(h, 1)));
  GIVES(ad_hessian_gradient, empty(ad_hessian_gradient(h, SIZE_MAX)));
  ad_hessian_free(h);
  ad_point_free(p);
  ad_numbers_free(one);
}

static void verification(const ad_graph *g) {
  static const ad_check_report zero;
  ad_check_report r = zero;
  ad_program *p;
  ad_workspace *w;
  double d[1], bound[1];
  const ad_node far = FAR, f = 3;
  must(ad_program_new(&p, g, NULL, &error));
  must(ad_workspace_new(&w, p, ad_backend_find("tape"), NULL, &error));
  USAGE(ad_check, NULL, g, NULL, NULL);
  USAGE(ad_check, &r, NULL, NULL, NULL);
  USAGE(ad_check, &r, g, NULL, &(ad_check_options){.wrt_count = 1});
  USAGE(ad_check, &r, g, NULL, &((ad_check_options){.wrt_count = 1, .wrt = &far}));
  USAGE(ad_check, &r, g, NULL, &(ad_check_options){.output_count = 1});
  USAGE(ad_check, &r, g, NULL, &((ad_check_options){.output_count = 1, .outputs = &far}));
  GIVES(ad_check, !memcmp(&r, &zero, sizeof r)); /* a failure leaves it as it was */
  DOES_NOTHING(ad_check_clear, NULL);
  USAGE(ad_difference_double, NULL, bound, w, f, 0, 0);
  USAGE(ad_difference_double, d, NULL, w, f, 0, 0);
  USAGE(ad_difference_double, d, bound, NULL, f, 0, 0);
  USAGE(ad_difference_double, d, bound, w, FAR, 0, 0);
  USAGE(ad_difference_double, d, bound, w, f, 2, 0);
  USAGE(ad_difference_double, d, bound, w, f, 0, 2);
  USAGE(ad_difference_double, d, bound, w, f, AD_NO_NODE, SIZE_MAX);
  ad_workspace_free(w);
  ad_program_free(p);
  ad_thread_cleanup();
  GIVES(ad_thread_cleanup, true);
}

int main(void) {
  ad_graph *g = graph();
  tables();
  building(g);
  asking(g);
  files(g);
  points(g);
  programs(g);
  workspaces(g);
  half_points();
  structures(g);
  jacobians(g);
  derivatives(g);
  mixed(g);
  hessians(g);
  verification(g);
  ad_graph_free(g);
  printf("%d%%: Checks: %d, Failures: %d, Errors: 0\n", (checks - bad) * 100 / checks, checks, bad);
  return bad != 0;
}

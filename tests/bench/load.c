/* Loading a saved graph of a million nodes, beside doing no more than what any reader of the format must do, and
 * loading files of one's own. */
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>
#include <zlib.h>

#include "bench/bench.h"

typedef struct saved {
  void *bytes;
  size_t size;
  unsigned char *room; /* for one section, inflated */
} saved;

static code c;

static saved *save(const char *format) {
  bench_tool t;
  saved *s = bench_alloc(1, sizeof *s);
  bench_tool_code(&t, &c);
  bench_must(ad_graph_write(t.g, &s->bytes, &s->size, &(ad_write_options){.format = format}, &bench_error));
  ad_graph_free(t.g);
  return s;
}

static void load(void *state) {
  const saved *s = state;
  ad_graph *g;
  bench_must(ad_graph_read(&g, s->bytes, s->size, "memory", NULL, &bench_error));
  if (ad_graph_node_count(g) != c.count) bench_fail("%zu nodes were read", ad_graph_node_count(g));
  ad_graph_free(g);
}

static void add_load(bench_run *b, saved *s) {
  bench_add(b, (bench_rival){"adtool", 0, (double)c.count, load, s, NULL, 0});
  b->bytes = (double)s->size / (double)c.count, b->bytes_of = "bytes of file";
}

static void events(void *state) {
  const saved *s = state;
  yaml_parser_t parser;
  yaml_event_t event;
  if (!yaml_parser_initialize(&parser)) bench_fail("out of memory");
  yaml_parser_set_input_string(&parser, s->bytes, s->size);
  for (bool more = true; more;) {
    if (!yaml_parser_parse(&parser, &event)) bench_fail("libyaml: %s", parser.problem);
    more = event.type != YAML_STREAM_END_EVENT;
    yaml_event_delete(&event);
  }
  yaml_parser_delete(&parser);
}

static void yaml(bench_run *b) {
  saved *s = save("yaml");
  add_load(b, s);
  bench_add(b, (bench_rival){"libyaml's events alone", 1.3, (double)c.count, events, s, NULL, 0});
}

static uint64_t number(const unsigned char *p, int bytes) {
  uint64_t v = 0;
  while (bytes-- > 0) v = v << 8 | p[bytes];
  return v;
}

/* The file's layout is in the manual: a header of 32 bytes, a table of 40 bytes a section, blocks of up to 1 MiB, each
 * behind its length. */
static void inflate_all(void *state) {
  const saved *s = state;
  const unsigned char *file = s->bytes;
  const size_t sections = number(file + 12, 4);
  for (size_t i = 0; i < sections; i++) {
    const unsigned char *entry = file + 32 + 40 * i, *p = file + number(entry + 8, 8);
    size_t raw = number(entry + 24, 8);
    if (!entry[4]) continue; /* stored */
    for (unsigned char *out = s->room; raw;) {
      uLongf want = raw < 1 << 20 ? raw : 1 << 20, got = want;
      const uLong n = number(p, 4);
      if (uncompress(out, &got, p + 4, n) != Z_OK || got != want) bench_fail("a block is not inflated");
      out += want, raw -= want, p += 4 + n;
    }
  }
}

static void adg(bench_run *b) {
  saved *s = save("adg");
  s->room = bench_alloc(16, c.count);
  add_load(b, s);
  b->bytes_limit = 3;
  bench_add(b, (bench_rival){"inflate alone", 1.3, (double)c.count, inflate_all, s, NULL, 0});
}

static void load_file(void *path) {
  ad_graph *g;
  bench_must(ad_graph_load(&g, path, NULL, &bench_error));
  ad_graph_free(g);
}

static void asl_load(void *path) {
  bench_asl_load(path);
}

static void add_file(bench_run *b, char *path, double units) {
  const size_t n = strlen(path);
  bench_add(b, (bench_rival){"adtool", 0, units, load_file, path, NULL, 0});
  if (n > 3 && !strcmp(path + n - 3, ".nl") && bench_asl_load(path))
    bench_add(b, (bench_rival){"ASL", 1, units, asl_load, path, NULL, 0});
}

static void nl(bench_run *b) {
  char *path = strdup(bench_temporary());
  bench_write_nl(&c, NULL, path);
  add_file(b, path, (double)c.count);
}

static char *file_path;

static void file(bench_run *b) {
  add_file(b, file_path, (double)b->size);
}

bench_workload bench_load_file(char *path) {
  struct stat s;
  const char *slash = strrchr(path, '/');
  if (stat(path, &s)) bench_fail("%s can't be read", path);
  file_path = path;
  return (bench_workload){slash ? slash + 1 : path, "byte", (size_t)s.st_size, file};
}

/* Neighbours refer to each other in one graph, anything to anything in the other. */
#define ROWS(FORMAT)                        \
  static void near_##FORMAT(bench_run *b) { \
    code_rosenbrock(&c, b->size);           \
    FORMAT(b);                              \
  }                                         \
  static void far_##FORMAT(bench_run *b) {  \
    code_dag(&c, b->size);                  \
    FORMAT(b);                              \
  }
ROWS(yaml)
ROWS(adg)
ROWS(nl)

const bench_workload bench_load[] = {{"load-yaml", "node", 1000000, near_yaml},
                                     {"load-yaml-dag", "node", 1000000, far_yaml},
                                     {"load-adg", "node", 1000000, near_adg},
                                     {"load-adg-dag", "node", 1000000, far_adg},
                                     {"load-nl", "node", 1000000, near_nl},
                                     {"load-nl-dag", "node", 1000000, far_nl},
                                     {0}};

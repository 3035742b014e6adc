/* .nl files that are not what they should be, and the names beside them: a file that was cut off between segments,
 * counts that disagree with the header, .col and .row files that belong to something else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "graphs.h"
#include "ir/graph.h"
#include "nl_bytes.h"
#include "suite.h"

#define ERR (&graphs_error)

/* One entry a segment; two constraints, two objectives, three variables. */
static const nl_header header = {3, 2, 2, 3, 5, 0};
static const char *const segments[] = {
    "C #0 o #41 v #1",        "C #1 n =0",
    "O #0 #0 o #2 v #0 v #0", "O #1 #1 n =0",
    "x #1 #1 =0.5",           "r '3 '4 =2",
    "b '3 '3 '0 =-1 =1",      "k #2 #2 #4",
    "J #0 #2 #0 =1 #1 =0",    "J #1 #3 #0 =1 #1 =2 #2 =3",
    "G #0 #2 #0 =0 #2 =4",    "G #1 #1 #1 =-1",
};
enum { SEGMENTS = sizeof segments / sizeof segments[0] };

static void join(ad_buffer *tokens, int without, int end) {
  for (int i = 0; i < end; i++)
    if (i != without) ad_buffer_printf(tokens, "%s ", segments[i]);
}

static ad_status read_bytes(ad_graph **g, const ad_buffer *b) {
  return ad_graph_read(g, b->data, b->size, "m.nl", NULL, ERR);
}

/* Puts the segments behind the header of the whole model. */
static ad_buffer file_of(nl_form form, int without, int end) {
  ad_buffer all = {0}, some = {0}, whole = {0}, b = {0}, part = {0};
  join(&all, -1, SEGMENTS);
  join(&some, without, end);
  nl_bytes(&whole, form, &header, all.data);
  nl_bytes(&part, form, &header, some.data ? some.data : "");
  size_t head = 0, other = 0; /* ten lines, whose counts may differ */
  for (int line = 0; line < 10; line++) {
    head += strcspn(whole.data + head, "\n") + 1;
    other += strcspn(part.data + other, "\n") + 1;
  }
  ad_buffer_put(&b, whole.data, head);
  ad_buffer_put(&b, part.data + other, part.size - other);
  ad_buffer_clear(&all), ad_buffer_clear(&some), ad_buffer_clear(&whole), ad_buffer_clear(&part);
  return b;
}

static ad_graph *model(void) {
  ad_graph *g;
  ad_buffer b = file_of(NL_TEXT, -1, SEGMENTS);
  must(read_bytes(&g, &b));
  ck_assert_ptr_null(ad_graph_note(g, 0));
  ad_buffer_clear(&b);
  return g;
}

START_TEST(cut_between_segments) {
  for (nl_form form = NL_TEXT; form <= NL_BIG; form++)
    for (int end = 0; end < SEGMENTS; end++) {
      ad_graph *g;
      ad_buffer b = file_of(form, -1, end);
      must_fail(AD_EINPUT, end ? "cut off" : "more than the rest of the file", read_bytes(&g, &b));
      ck_assert_msg(graphs_error.line > 0 || graphs_error.offset >= 0, "no place");
      ad_buffer_clear(&b);
    }
}
END_TEST

START_TEST(segments_that_must_be_there) {
  for (nl_form form = NL_TEXT; form <= NL_BIG; form++)
    for (int i = 0; i < SEGMENTS; i++) {
      ad_graph *g;
      ad_buffer b = file_of(form, i, SEGMENTS);
      const char key = segments[i][0];
      char part[40];
      snprintf(part, sizeof part,
               strchr("rbk", key) ? "segment %c is missing"
               : key == 'J'       ? "Jacobian"
                                  : "gradients",
               key);
      if (strchr("rbkJG", key))
        must_fail(AD_EINPUT, part, read_bytes(&g, &b));
      else if (!read_bytes(&g, &b))
        ad_graph_free(g);
      ad_buffer_clear(&b);
    }
}
END_TEST

static ad_status with_counts(ad_graph **g, const char *counts) {
  ad_buffer b = file_of(NL_TEXT, -1, SEGMENTS), changed = {0};
  char *at = strstr(b.data, " 5 3\n");
  ck_assert_ptr_nonnull(at);
  ad_buffer_put(&changed, b.data, (size_t)(at - b.data));
  ad_buffer_puts(&changed, counts);
  ad_buffer_puts(&changed, at + 4);
  const ad_status s = read_bytes(g, &changed);
  ad_buffer_clear(&b);
  ad_buffer_clear(&changed);
  return s;
}

/* Fewer or more in J are an error, in G a note; a header that does not say is right. */
START_TEST(counts_of_nonzeros) {
  ad_graph *g;
  must_fail(AD_EINPUT, "promises 4 nonzeros in the Jacobian, but the segments J have 5", with_counts(&g, " 4 3"));
  must_fail(AD_EINPUT, "promises 6 nonzeros in the Jacobian, but the segments J have 5", with_counts(&g, " 6 3"));
  for (int n = 2; n <= 4; n += 2) {
    char counts[20], want[80];
    snprintf(counts, sizeof counts, " 5 %d", n);
    snprintf(want, sizeof want, "promises %d nonzeros in gradients, but the segments G have 3", n);
    must(with_counts(&g, counts));
    ck_assert_ptr_nonnull(strstr(ad_graph_note(g, 0), want));
    ck_assert_ptr_null(ad_graph_note(g, 1));
    ad_graph_free(g);
  }
  static const char *const unsaid[] = {" 5", ""};
  for (int i = 0; i < 2; i++) {
    must(with_counts(&g, unsaid[i]));
    ck_assert_ptr_null(ad_graph_note(g, 0));
    ad_graph_free(g);
  }
}
END_TEST

static const char *meta(const ad_graph *g, const char *key) {
  for (size_t i = 0; i < ad_graph_meta_count(g); i++)
    if (!strcmp(ad_graph_meta_key(g, i), key)) return ad_graph_meta_text(g, i);
  return "none";
}

/* AMPL's library reads k & 2: no lower bound, k & 1: no upper one, and no other bit; old Pyomo writes 4. */
START_TEST(bits_of_complements) {
  static const int bits[][2] = {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 0}, {5, 1}, {7, 3}};
  for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
    char tokens[200], want[40];
    ad_graph *g;
    ad_buffer b = {0};
    snprintf(tokens, sizeof tokens, "C #0 o #41 v #1 O #0 #0 n =0 r '5 #%d #2 b '3 '3 k #1 #0 J #0 #1 #1 =1",
             bits[i][0]);
    nl_bytes(&b, (nl_form)(i % 3), &(nl_header){2, 1, 1, 2, 1, 0}, tokens);
    must(read_bytes(&g, &b));
    snprintf(want, sizeof want, "complements:%d:2", bits[i][1]);
    ck_assert_str_eq(meta(g, "nl.bounds.con"), want);
    ad_graph_free(g);
    ad_buffer_clear(&b);
  }
}
END_TEST

/* Numbers in metadata that nobody can have meant. */
START_TEST(sizes_in_metadata) {
  static const char *const bad[] = {"binary_variables:",
                                    "binary_variables:1234567890123456789",
                                    "binary_variables:-1",
                                    "binary_variables",
                                    "binary_variables:2147483648",
                                    "binary_variables:-",
                                    ":1",
                                    "ternary_variables:1"};
  ad_graph *g = model();
  void *bytes;
  size_t size;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    must(ad_graph_set_meta(g, "nl.sizes", bad[i], ERR));
    must_fail(AD_EINPUT, "'nl.sizes' has '",
              ad_graph_write(g, &bytes, &size, &(ad_write_options){.format = "nl"}, ERR));
  }
  ad_graph_free(g);
}
END_TEST

/* ---- Beside the file */

static char folder[] = "/tmp/check_nl_files.XXXXXX", nl[64], names[2][64];

static void make_folder(void) {
  if (!mkdtemp(folder)) abort();
  snprintf(nl, sizeof nl, "%s/m.nl", folder);
  for (int i = 0; i < 2; i++) snprintf(names[i], sizeof names[i], "%s/m.%s", folder, i ? "row" : "col");
}

static void remove_folder(void) {
  unlink(nl);
  for (int i = 0; i < 2; i++) unlink(names[i]);
  rmdir(folder);
}

static void write_bytes(const char *path, const void *bytes, size_t size) {
  FILE *f = fopen(path, "wb");
  ck_assert_ptr_nonnull(f);
  ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
  ck_assert_int_eq(fclose(f), 0);
}

static void write_model(void) {
  ad_buffer b = file_of(NL_TEXT, -1, SEGMENTS);
  write_bytes(nl, b.data, b.size);
  ad_buffer_clear(&b);
}

/* Names that are not those of the model are left out, with a note. */
START_TEST(names_that_do_not_fit) {
  static const struct {
    int row;
    const char *bytes;
    size_t size;
    const char *note, *x, *con, *obj;
  } cases[] = {
      {0, "a\nb\nc\n", 6, NULL, "a\nb\nc", "none", "none"},
      {0, "a\r\nb\r\nc", 7, NULL, "a\nb\nc", "none", "none"},
      {0, "a\nb\n", 4, "2 names where the model has 3 variables", "none", "none", "none"},
      {0, "a\nb\nc\nd\n", 8, "4 names where the model has 3 variables", "none", "none", "none"},
      {0, "", 0, "0 names", "none", "none", "none"},
      {0, "a\n\xE9\nc\n", 6, "not UTF-8", "none", "none", "none"},
      {0, "a\n\0\nc\n", 6, "no text", "none", "none", "none"},
      {1, "p\nq\n", 4, NULL, "none", "p\nq", "none"},
      {1, "p\nq\nr\n", 6, NULL, "none", "p\nq", "r"},
      {1, "p\nq\nr\ns\n", 8, NULL, "none", "p\nq", "r\ns"},
      {1, "p\n", 2, "1 names where the model has 2 rows", "none", "none", "none"},
      {1, "p\nq\nr\ns\nt\n", 10, "5 names where the model has 4 rows", "none", "none", "none"},
  };
  write_model();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    ad_graph *g;
    write_bytes(names[cases[i].row], cases[i].bytes, cases[i].size);
    must(ad_graph_load(&g, nl, NULL, ERR));
    const char *note = ad_graph_note(g, 0);
    ck_assert_msg(cases[i].note ? note && strstr(note, cases[i].note) : !note, "case %zu: '%s'", i, note ? note : "");
    ck_assert_str_eq(meta(g, "nl.names.x"), cases[i].x);
    ck_assert_str_eq(meta(g, "nl.names.con"), cases[i].con);
    ck_assert_str_eq(meta(g, "nl.names.obj"), cases[i].obj);
    ad_graph_free(g);
    unlink(names[cases[i].row]);
  }
}
END_TEST

/* A pipe is not waited for, and a folder is nothing; a file that can't be read is an error. */
START_TEST(names_that_cannot_be_read) {
  write_model();
  for (int i = 0; i < 2; i++) {
    ad_graph *g;
    ck_assert_int_eq(mkfifo(names[i], 0600), 0);
    must(ad_graph_load(&g, nl, NULL, ERR));
    must_fail(
        AD_EIO, "in the way",
        (must(ad_graph_set_meta(g, i ? "nl.names.con" : "nl.names.x", "a", ERR)), ad_graph_save(g, nl, NULL, ERR)));
    write_model();
    ad_graph_free(g);
    unlink(names[i]);
    ck_assert_int_eq(mkdir(names[i], 0700), 0);
    must(ad_graph_load(&g, nl, NULL, ERR));
    ad_graph_free(g);
    rmdir(names[i]);
    ck_assert_int_eq(symlink(names[i], names[i]), 0);
    must_fail(AD_EIO, "open", ad_graph_load(&g, nl, NULL, ERR));
    unlink(names[i]);
    if (access("/proc/self/mem", R_OK)) continue;
    ck_assert_int_eq(symlink("/proc/self/mem", names[i]), 0); /* its first page can't be read */
    must_fail(AD_EIO, "read", ad_graph_load(&g, nl, NULL, ERR));
    unlink(names[i]);
  }
}
END_TEST

/* A model without names takes the place of one that had some. */
START_TEST(old_names_are_removed) {
  ad_graph *g = model(), *back;
  for (int i = 0; i < 2; i++) write_bytes(names[i], "a\nb\nc\n", 6);
  must(ad_graph_save(g, nl, NULL, ERR));
  for (int i = 0; i < 2; i++) ck_assert_int_ne(access(names[i], F_OK), 0);
  must(ad_graph_save(g, nl, NULL, ERR));
  for (int i = 0; i < 2; i++) write_bytes(names[i], "a\nb\nc\n", 6);
  must(ad_graph_set_meta(g, "nl.names.obj", "only\nthese", ERR)); /* which a .row file can't say */
  must(ad_graph_set_meta(g, "nl.names.x", "u\nv\nw", ERR));
  must(ad_graph_save(g, nl, NULL, ERR));
  ck_assert_int_ne(access(names[1], F_OK), 0);
  must(ad_graph_load(&back, nl, NULL, ERR));
  ck_assert_str_eq(meta(back, "nl.names.x"), "u\nv\nw");
  ck_assert_str_eq(meta(back, "nl.names.con"), "none");
  ck_assert_str_eq(meta(back, "nl.names.obj"), "none");
  ad_graph_free(back);
  ad_graph_free(g);
}
END_TEST

int main(void) {
  Suite *s = suite_create("nl files");
  TCase *c = tcase_create("segments");
  tcase_add_test(c, cut_between_segments);
  tcase_add_test(c, segments_that_must_be_there);
  tcase_add_test(c, counts_of_nonzeros);
  tcase_add_test(c, bits_of_complements);
  tcase_add_test(c, sizes_in_metadata);
  suite_add_tcase(s, c);
  c = tcase_create("names");
  tcase_add_unchecked_fixture(c, make_folder, remove_folder);
  tcase_add_test(c, names_that_do_not_fit);
  tcase_add_test(c, names_that_cannot_be_read);
  tcase_add_test(c, old_names_are_removed);
  suite_add_tcase(s, c);
  return suite_run(s);
}

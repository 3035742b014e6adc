/* .adg files that are wrong though all checksums are right: sections of a good file, changed and put together again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adg/adg.h"
#include "adg/container.h"
#include "graphs.h"
#include "suite.h"

#define ERR (&graphs_error)

/* The file that the manual takes apart. */
static ad_graph *ten(void) {
  char path[1024];
  const char *root = getenv("ADTOOL_SRCDIR");
  ad_graph *g;
  snprintf(path, sizeof path, "%s/tests/examples/ten.yaml", root ? root : ".");
  must(ad_graph_load(&g, path, NULL, ERR));
  return g;
}

static ad_buffer canonical(const ad_graph *g) {
  ad_buffer b = {0};
  must(ad_adg_write(g, &b, &(ad_write_options){.stored = true}, ERR));
  return b;
}

static ad_status read_file(const ad_adg_file *f, ad_graph **g) {
  ad_buffer b = {0};
  must(ad_adg_assemble(&b, f, true, ERR));
  const ad_status s = ad_adg_read(g, b.data, b.size, "file", NULL, ERR);
  ad_buffer_clear(&b);
  return s;
}

static void refuse(const ad_adg_file *f, const char *part) {
  ad_graph *g;
  must_fail(AD_EINPUT, part, read_file(f, &g));
  ck_assert_msg(graphs_error.offset >= 0, "'%s' has no place", graphs_error.message);
}

typedef struct change {
  ad_adg_tag tag;
  const char *bytes; /* of the section */
  size_t size;
  const char *part; /* of the message */
} change;

#define CHANGE(tag, bytes, part) \
  { tag, bytes, sizeof bytes - 1, part }

static const change changes[] = {
    CHANGE(ADG_META, "\2\3ten\1\0\0\0\0", "operation set's version"),
    CHANGE(ADG_META, "\1\3ten\3\0\0\0\0", "a kink policy"),
    CHANGE(ADG_META, "\1\3ten\1\0\0\2\0", "a kink policy"),
    CHANGE(ADG_META, "\1\3ten\1\0\0\0\0\0", "more than it should"),
    CHANGE(ADG_META, "\1\3te\0\1\0\0\0\0", "zero byte"),
    CHANGE(ADG_META, "\1\3te\1\1\0\0\0\0", "control character"),
    CHANGE(ADG_META, "\1\3ten\1\0\0\0\1\1k\1\xE9", "not UTF-8"),
    CHANGE(ADG_META, "\1\3ten\1\0\0\0\2\1k\1v\1k\1w", "there twice"),
    CHANGE(ADG_META,
           "\1\3ten\1\0\0\0\1\20adg.section.abcd\2"
           "00",
           "reserved"),
    CHANGE(ADG_META, "\1\3ten\1\0\0\0\x80\0", "longer than it needs"),
    CHANGE(ADG_META, "\1\3ten\1\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\2", "more than 64 bits"),
    CHANGE(ADG_META, "\1\3ten\1\0\0", "ends too soon"),
    CHANGE(ADG_OPTB, "\3mul\3sum\3sin\10constant\3pow\3add\3sub\3cos", "not used"),
    CHANGE(ADG_OPTB, "\3mul\3sum\3sin\10constant\3pow\3add\3mul", "listed twice"),
    CHANGE(ADG_OPTB, "\3mul\3sum\3sin\10constant\3pow\3add\3sup", "unknown here"),
    CHANGE(ADG_OPTB, "\3mul\3sum\3sin\10constant\3pow\3add", "not in the table"),
    CHANGE(ADG_INPT, "\2\1x\4\0\1x\4\1\2", "used twice"),
    CHANGE(ADG_INPT, "\2\1x\3\0\1y\4\1\2", "flags"),
    CHANGE(ADG_INPT, "\2\1x\44\0\1y\4\1\2", "flags"),
    CHANGE(ADG_INPT, "\2\1x\14\0\1y\4\1\2", "fill"),
    CHANGE(ADG_INPT, "\2\1x\4\0\1y\4\11\2", "a rank"),
    CHANGE(ADG_NODE, "\7\0\1\2\3\4\3\5\6", "wrong length"),
    CHANGE(ADG_NODE, "\10\0\2\1\3\4\3\5\6", "not in the table"),
    CHANGE(ADG_ARGA, "\0\1\1\2\2\1", "before the first node"),
    CHANGE(ADG_ARGA, "\1\1\1\2\2\0", "before the first node"),
    CHANGE(ADG_ARGA, "\3\1\1\2\2\1", "before the first node"),
    CHANGE(ADG_ARGA, "\1\1\1\2\2", "ends too soon"),
    CHANGE(ADG_ARGA, "\1\1\1\2\2\1\1", "more than it should"),
    CHANGE(ADG_ARGB, "\0\1\1\11", "before the first node"),
    CHANGE(ADG_ARGB, "\2\1\1\0", "before the first node"),
    CHANGE(ADG_ATTR, "\1\1\1\1\1\0\0", "normal form"),
    CHANGE(ADG_ATTR, "\0\1\0\0", "normal form"),
    CHANGE(ADG_ATTR, "\2\1\1\0\1\0\0", "is 2"),
    CHANGE(ADG_CNST, "\4\0\24\0", "flags"),
    CHANGE(ADG_CNST, "\0\0\4\0", "number"),
    CHANGE(ADG_NUMB, "\1\6\10\6", "ends too soon"),
    CHANGE(ADG_NUMB, "\1\6\10\6\0", "fewer doubles"),
    CHANGE(ADG_NUMB, "\1\6\10\6\x84\x80\x80\x80\x80\x80\1", "out of range"),
    CHANGE(ADG_TEXT,
           "\3"
           "0.5\3"
           "1/3",
           "though a double holds it"),
    CHANGE(ADG_TEXT,
           "\4.inf\3"
           "1/3",
           "though a double holds it"),
    CHANGE(ADG_TEXT,
           "\4+0.1\3"
           "1/3",
           "plus sign"),
    CHANGE(ADG_TEXT,
           "\3"
           "0,1\3"
           "1/3",
           "not a number"),
    CHANGE(ADG_DBLS, "\0\0\0\0\0\0\1", "eight bytes"),
    CHANGE(ADG_DBLS, "\0\0\0\0\0\0\xF8\x3F", "more than it should"),
    CHANGE(ADG_NAME, "\2\3\1s\0\1t", "belongs to no node"),
    CHANGE(ADG_NAME, "\2\1\1s\5\1t", "belongs to no node"),
    CHANGE(ADG_NAME, "\2\3\1s\7\1t", "belongs to no node"),
    CHANGE(ADG_NAME, "\2\3\1s\3\1s", "used twice"),
    CHANGE(ADG_OUTP, "\1\1f\12", "does not exist"),
    CHANGE(ADG_OUTP, "\2\1f\11\1f\11", "given twice"),
};

START_TEST(columns_are_checked) {
  const change *c = &changes[_i];
  ad_graph *g = ten();
  ad_buffer b = canonical(g);
  ad_adg_file f;
  must(ad_adg_open(&f, b.data, b.size, UINT64_MAX, ERR));
  f.section[c->tag].raw = (const unsigned char *)c->bytes;
  f.section[c->tag].size = c->size;
  refuse(&f, c->part);
  ad_adg_close(&f);
  ad_buffer_clear(&b);
  ad_graph_free(g);
}
END_TEST

/* An integer goes with the integers. */
START_TEST(an_integer_is_no_double) {
  static const unsigned char three[] = {0, 0, 0, 0, 0, 0, 8, 0x40}, half[] = {0, 0, 0, 0, 0, 0, 0xE0, 0x3F};
  ad_graph *g = ten(), *h;
  ad_buffer b = canonical(g);
  ad_adg_file f;
  must(ad_adg_open(&f, b.data, b.size, UINT64_MAX, ERR));
  f.section[ADG_NUMB].raw = (const unsigned char *)"\1\0\10\6\1";
  f.section[ADG_DBLS].raw = three;
  f.section[ADG_DBLS].size = sizeof three;
  refuse(&f, "an integer is written as a double");
  f.section[ADG_DBLS].raw = half;
  must(read_file(&f, &h));
  ck_assert_double_eq(ad_graph_node_values(h, 1).value[0], 0.5);
  ad_graph_free(h);
  ad_adg_close(&f);
  ad_buffer_clear(&b);
  ad_graph_free(g);
}
END_TEST

/* No node is its own operand: a distance of 0 is refused in both columns, of scalars and of tensors, near the end of a
 * column and far from it. */
START_TEST(no_node_is_its_own_operand) {
  ad_graph *g = graphs_new(), *h;
  ad_node x = graphs_input(g, "x", SCALAR, NULL, 0), v = graphs_input(g, "v", SHAPE(3), NULL, 0), n = x;
  for (int i = 0; i < 8; i++) n = graphs_binary(g, i % 2 ? "mul" : "add", n, x);
  n = graphs_binary(g, "mul", v, n);
  n = graphs_apply(g, "dot", NODES(n, v), 0, NULL);
  n = graphs_apply(g, "stack", NODES(n, x, n), 0, NULL);
  must(ad_graph_output(g, "f", n, ERR));
  ad_buffer b = canonical(g);
  ad_adg_file f;
  must(ad_adg_open(&f, b.data, b.size, UINT64_MAX, ERR));
  for (ad_adg_tag tag = ADG_ARGA; tag <= ADG_ARGB; tag++) {
    const ad_adg_section whole = f.section[tag];
    unsigned char *copy = malloc(whole.size);
    ck_assert_ptr_nonnull(copy);
    for (size_t i = 0; i < whole.size; i++) {
      memcpy(copy, whole.raw, whole.size);
      copy[i] = 0;
      f.section[tag].raw = copy;
      refuse(&f, "before the first node");
      copy[i] = 127;
      refuse(&f, "before the first node");
    }
    f.section[tag] = whole;
    free(copy);
  }
  must(read_file(&f, &h));
  ad_graph_free(h);
  ad_adg_close(&f);
  ad_buffer_clear(&b);
  ad_graph_free(g);
}
END_TEST

/* ---- Sections of other programs */

enum { OWN = 13, MOST = 1024 };

START_TEST(many_sections) {
  static const size_t counts[] = {OWN, 60, MOST, MOST + 1};
  ad_graph *g = ten(), *h;
  ad_buffer b = canonical(g);
  ad_adg_file f;
  must(ad_adg_open(&f, b.data, b.size, UINT64_MAX, ERR));
  ad_adg_extra *extra = calloc(MOST, sizeof *extra), *none = f.extra;
  ck_assert_ptr_nonnull(extra);
  for (size_t i = 0; i < MOST; i++) {
    snprintf(extra[i].tag, sizeof extra[i].tag, "a%03x", (unsigned)i);
    extra[i].section = (ad_adg_section){.raw = (const unsigned char *)"content", .size = i % 8};
  }
  f.extra = extra;
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
    f.extra_count = counts[i] - OWN;
    if (counts[i] > MOST) {
      refuse(&f, "section table does not fit");
      continue;
    }
    must(read_file(&f, &h));
    ck_assert_uint_eq(ad_graph_meta_count(h), f.extra_count);
    ad_buffer again = canonical(h), first = {0};
    must(ad_adg_assemble(&first, &f, true, ERR));
    ck_assert(again.size == first.size && !memcmp(again.data, first.data, first.size));
    if (counts[i] == MOST) must_fail(AD_EINPUT, "at most 1011", ad_graph_set_meta(h, "adg.section.zzzz", "", ERR));
    if (counts[i] == MOST) must(ad_graph_set_meta(h, "adg.section.a000", "00", ERR));
    ad_buffer_clear(&again);
    ad_buffer_clear(&first);
    ad_graph_free(h);
  }
  static const struct {
    const char *tags[2], *part;
  } wrong[] = {{{"abcd", "abcd"}, "there twice"},
               {{"Abcd", "abcd"}, "needed"},
               {{"ab-d", "abcd"}, "letters or digits"},
               {{"1bcd", "abcd"}, "letters or digits"}};
  f.extra_count = 2;
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    for (int k = 0; k < 2; k++) memcpy(extra[k].tag, wrong[i].tags[k], 5);
    refuse(&f, wrong[i].part);
  }
  f.extra = none;
  f.extra_count = 0;
  free(extra);
  ad_adg_close(&f);
  ad_buffer_clear(&b);
  ad_graph_free(g);
}
END_TEST

int main(void) {
  Suite *s = suite_create("adg");
  TCase *c = tcase_create("files with right checksums");
  tcase_add_loop_test(c, columns_are_checked, 0, sizeof changes / sizeof changes[0]);
  tcase_add_test(c, an_integer_is_no_double);
  tcase_add_test(c, no_node_is_its_own_operand);
  tcase_add_test(c, many_sections);
  suite_add_tcase(s, c);
  return suite_run(s);
}

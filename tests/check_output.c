/* Files that are written: those of batches go on where a journal says, and take up nothing else; none is written over
 * that somebody else has laid there. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch/checksum.h"
#include "batch/output.h"
#include "beside.h"
#include "file.h"
#include "graphs.h"
#include "mem.h"
#include "suite.h"

static char folder[] = "/tmp/check_output.XXXXXX";

static const char *in_folder(const char *name) {
  static char path[4][200];
  static int next;
  next = (next + 1) % 4;
  snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
  return path[next];
}

static void write_file(const char *path, const void *bytes, size_t size) {
  FILE *f = fopen(path, "wb");
  ck_assert_ptr_nonnull(f);
  ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
  ck_assert_int_eq(fclose(f), 0);
}

START_TEST(checksums) {
  unsigned char bytes[200];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 37);
  for (size_t n = 0; n <= sizeof bytes; n += 7) {
    const uint64_t whole = ad_checksum_of(bytes, n);
    for (size_t cut = 0; cut <= n; cut++) {
      ad_checksum c;
      ad_checksum_start(&c);
      ad_checksum_add(&c, bytes, cut);
      ad_checksum_add(&c, bytes + cut, n - cut);
      ck_assert_uint_eq(ad_checksum_end(&c), whole);
    }
    for (size_t bit = 0; bit < 8 * n; bit++) {
      bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
      ck_assert_uint_ne(ad_checksum_of(bytes, n), whole);
      bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
  }
  ck_assert_uint_ne(ad_checksum_of("\0", 1), ad_checksum_of("\0\0", 2));
}
END_TEST

static ad_piece line_piece(const char *text, uint64_t i) {
  const uint64_t sum = ad_checksum_of(text, 10);
  return (ad_piece){text, 10, sum, ad_checksum_at(i, sum), 1, i % 2};
}

/* Whatever the part and the journal were cut to, the file comes out the same. */
START_TEST(outputs_go_on) {
  const char *path = in_folder("out"), *part = in_folder("out.part"), *journal = in_folder("out.journal");
  char want[5 + 20 * 10 + 1] = "head\n";
  for (int i = 0; i < 20; i++) sprintf(want + 5 + 10 * i, "line %4d\n", i);
  ad_output *o;
  uint64_t seen = 0, input = 0;
  for (uint64_t i = 0; i < 20; i++) input += line_piece(want + 5 + 10 * i, i).input;
  for (long cut = 0; cut < 1200; cut += 5) {
    must(ad_output_open(&o, path, "key", "head\n", 5, &graphs_error));
    must_fail(AD_EIO, "another run", ad_output_open(&(ad_output *){NULL}, path, "key", "head\n", 5, &graphs_error));
    for (uint64_t i = ad_output_chunks(o); i < 20; i++) {
      const ad_piece p = line_piece(want + 5 + 10 * i, i);
      must(ad_output_write(o, &p, &graphs_error));
    }
    ad_output_leave(o, true);
    if (cut < 600)
      ck_assert_int_eq(truncate(journal, cut), 0);
    else
      ck_assert_int_eq(truncate(part, cut - 600), 0);
    must(ad_output_open(&o, path, cut % 3 ? "key" : cut % 2 ? "another" : NULL, "head\n", 5, &graphs_error));
    seen += ad_output_chunks(o);
    if (cut % 3 == 0) ck_assert_uint_eq(ad_output_chunks(o), 0);
    const uint64_t half = ad_output_chunks(o) / 2;
    if (cut % 4 == 0) must(ad_output_cut(o, half, &graphs_error));
    if (cut % 4 == 0) ck_assert_uint_eq(ad_output_chunks(o), half);
    ck_assert_uint_eq(ad_output_rows(o), ad_output_chunks(o));
    ck_assert_uint_eq(ad_output_failed(o), ad_output_chunks(o) / 2);
    for (uint64_t i = 0; i < 20; i++) {
      const ad_piece p = line_piece(want + 5 + 10 * i, i);
      ad_piece was;
      if (i >= ad_output_chunks(o)) must(ad_output_write(o, &p, &graphs_error));
      must(ad_output_chunk(o, i, &was, &graphs_error));
      ck_assert(was.rows == 1 && was.failed == i % 2 && was.input == p.input);
    }
    uint64_t size, again;
    ad_output_sums sums;
    must(ad_output_finish(o, NULL, &sums, &graphs_error));
    ck_assert_uint_eq(sums.size, sizeof want - 1);
    ck_assert_uint_eq(sums.input, input);
    must(ad_output_sum(path, &size, &again, &graphs_error));
    ck_assert_uint_eq(sums.checksum, again);
    char got[sizeof want + 1] = "";
    FILE *f = fopen(path, "rb");
    ck_assert_uint_eq(fread(got, 1, sizeof got, f), sizeof want - 1);
    fclose(f);
    ck_assert_str_eq(got, want);
    ck_assert(access(part, F_OK) && access(journal, F_OK));
  }
  ck_assert_uint_gt(seen, 100);
}
END_TEST

/* A file of which one chunk's input is not known was made from what is not known. */
START_TEST(unknown_inputs_stay_unknown) {
  const char *path = in_folder("unknown");
  ad_output *o;
  ad_output_sums sums;
  must(ad_output_open(&o, path, "key", "", 0, &graphs_error));
  must(ad_output_write(o, &(ad_piece){"a", 1, 0, 0, 1, 0}, &graphs_error));
  must(ad_output_write(o, &(ad_piece){"b", 1, 0, 7, 1, 0}, &graphs_error));
  must(ad_output_finish(o, NULL, &sums, &graphs_error));
  ck_assert_uint_eq(sums.input, 0);
}
END_TEST

static void expect_file(const char *path, const char *want) {
  char got[100] = "";
  FILE *f = fopen(path, "rb");
  ck_assert_ptr_nonnull(f);
  const size_t n = fread(got, 1, sizeof got - 1, f);
  fclose(f);
  ck_assert_msg(n == strlen(want) && !strcmp(got, want), "%s has '%s', not '%s'", path, got, want);
}

/* What others have laid where the part or the journal goes is neither written to nor removed. */
START_TEST(files_of_others_are_left_alone) {
  const char *path = in_folder("mine"), *victim = in_folder("victim"),
             *own = in_folder(_i ? "mine.part" : "mine.journal"), *other = in_folder(_i ? "mine.journal" : "mine.part");
  ad_output *o;
  struct stat st;
  for (int kind = 0; kind < 6; kind++) {
    static const char *const part[] = {"a symbolic link", "a symbolic link", "a second name",
                                       "no regular file", "Is a directory",  "another user"};
    unlink(victim);
    if (kind != 1) write_file(victim, "precious", 8);
    if (kind < 2) ck_assert_int_eq(symlink(victim, own), 0); /* the second one leads nowhere */
    if (kind == 2) ck_assert_int_eq(link(victim, own), 0);
    if (kind == 3) ck_assert_int_eq(mkfifo(own, 0600), 0);
    if (kind == 4) ck_assert_int_eq(mkdir(own, 0700), 0);
    if (kind == 5) write_file(own, "theirs", 6);
    if (kind == 5 && (geteuid() || chown(own, 12345, (gid_t)-1))) {
      unlink(own);
      continue; /* only root can give a file away */
    }
    must_fail(AD_EIO, part[kind], ad_output_open(&o, path, "key", "head", 4, &graphs_error));
    if (kind == 1)
      ck_assert(lstat(victim, &st));
    else
      expect_file(victim, "precious");
    if (kind == 5) expect_file(own, "theirs");
    ck_assert_int_eq(lstat(own, &st), 0);
    ck_assert(access(other, F_OK)); /* nothing is left behind */
    ck_assert_int_eq(remove(own), 0);
  }
  must(ad_output_open(&o, path, "key", "head", 4, &graphs_error));
  must(ad_output_finish(o, NULL, NULL, &graphs_error));
  expect_file(path, "head");
}
END_TEST

/* A file that is written takes the place of a link, not of what that leads to, whatever lies around. */
START_TEST(links_are_replaced) {
  const char *path = in_folder("link"), *victim = in_folder("target"), *pipe_ = in_folder("pipe");
  char old[220];
  struct stat st;
  snprintf(old, sizeof old, "%s.tmp.%ld", path, (long)getpid());
  write_file(old, "", 0);
  ad_output *o;
  for (int i = 0; i < 2; i++) {
    write_file(victim, "precious", 8);
    ck_assert_int_eq(chmod(victim, 0600), 0);
    unlink(path);
    ck_assert_int_eq(symlink(victim, path), 0);
    if (i) {
      must(ad_output_open(&o, path, "key", "new", 3, &graphs_error));
      must(ad_output_finish(o, NULL, NULL, &graphs_error));
    } else {
      must(ad_file_write(path, "new", 3, &graphs_error));
    }
    expect_file(victim, "precious");
    expect_file(path, "new");
    ck_assert(!lstat(path, &st) && S_ISREG(st.st_mode));
    ck_assert_int_eq(chmod(path, 0640), 0); /* the mode of a file stays, whatever the mask is */
    const mode_t mask = umask(077);
    must(ad_file_write(path, "newer", 5, &graphs_error));
    umask(mask);
    ck_assert(!lstat(path, &st) && (st.st_mode & 07777) == 0640);
  }
  /* what is no file is written to, also through a link */
  ck_assert_int_eq(mkfifo(pipe_, 0600), 0);
  ck_assert_int_eq(unlink(path) || symlink(pipe_, path), 0);
  const int fd = open(pipe_, O_RDWR | O_NONBLOCK);
  char got[10] = "";
  must(ad_file_write(path, "into", 4, &graphs_error));
  ck_assert_int_eq(read(fd, got, sizeof got), 4);
  close(fd);
  ck_assert(!lstat(path, &st) && S_ISLNK(st.st_mode));
}
END_TEST

static void visit(void *context, const char *path) {
  ad_buffer_printf(context, "%s ", path);
}

START_TEST(files_beside_a_model_are_listed) {
  static const char nl[] = "g3 1 1 0\n 1 1 1 0 0\n";
  ad_buffer b = {0};
  ck_assert(ad_graph_beside("some/m.nl", nl, sizeof nl - 1, visit, &b));
  ck_assert(ad_graph_beside("m.nlx", nl, sizeof nl - 1, visit, &b)); /* names belong to STUB.nl only */
  ck_assert(ad_graph_beside("m.yaml", "adtool: 1", 9, visit, &b));
  ck_assert_str_eq(b.data, "some/m.col some/m.row ");
  ad_buffer_clear(&b);
}
END_TEST

static void clean_up(void) {
  char command[100];
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  if (system(command)) perror(folder);
}

int main(void) {
  if (!mkdtemp(folder)) return EXIT_FAILURE;
  Suite *s = suite_create("output");
  TCase *c = tcase_create("output");
  tcase_set_timeout(c, 300);
  tcase_add_test(c, checksums);
  tcase_add_test(c, outputs_go_on);
  tcase_add_test(c, unknown_inputs_stay_unknown);
  tcase_add_loop_test(c, files_of_others_are_left_alone, 0, 2);
  tcase_add_test(c, links_are_replaced);
  tcase_add_test(c, files_beside_a_model_are_listed);
  suite_add_tcase(s, c);
  const int status = suite_run(s);
  clean_up();
  return status;
}

/* What the record of a graph is made from: its path, what --bind says, and every file that is read for it. */
#include <string.h>
#include <sys/stat.h>

#include "batch.h"
#include "batch/checksum.h"
#include "beside.h"
#include "file.h"

typedef struct inputs {
  ad_checksum sum;
  bool known; /* all could be read, and can be again */
} inputs;

static void add(inputs *x, const void *bytes, uint64_t size) {
  ad_checksum_add(&x->sum, &size, sizeof size);
  ad_checksum_add(&x->sum, bytes, (size_t)size);
}

/* Whether there is a file to read; that there is none is known as well.  named: by the user, who may have named a pipe,
 * which can't be read twice; one that lies beside a graph is not read at all. */
static bool readable(inputs *x, const char *path, bool named) {
  struct stat st;
  const bool input = named && !strcmp(path, "-"), there = !input && !stat(path, &st),
             regular = there && S_ISREG(st.st_mode);
  if (input || (named && there && !regular)) x->known = false;
  const uint64_t no_size = UINT64_MAX;
  if (!regular) ad_checksum_add(&x->sum, &no_size, sizeof no_size);
  return regular;
}

static void add_content(inputs *x, const char *path) {
  uint64_t words[2];
  if (ad_output_sum(path, &words[0], &words[1], NULL)) x->known = false;
  add(x, words, sizeof words);
}

static void add_beside(void *context, const char *path) {
  if (readable(context, path, false)) add_content(context, path);
}

static void add_graph(inputs *x, const char *path, uint64_t most) {
  void *bytes;
  size_t size;
  if (!readable(x, path, true)) return;
  if (ad_file_read(&bytes, &size, path, most, NULL)) {
    x->known = false;
    return;
  }
  add(x, bytes, size);
  if (!ad_graph_beside(path, bytes, size, add_beside, x)) x->known = false;
  ad_free(bytes);
}

uint64_t batch_sum_inputs(const options *o, const char *path) {
  inputs x = {.known = true};
  ad_checksum_start(&x.sum);
  add(&x, path, strlen(path));
  for (size_t i = 0; i < o->bind_count; i++) {
    add(&x, o->bind[i].name, strlen(o->bind[i].name));
    add(&x, o->bind[i].value, strlen(o->bind[i].value));
    const char *file = o->bind[i].value[0] == '@' ? o->bind[i].value + 1 : NULL;
    if (file && readable(&x, file, true)) add_content(&x, file);
  }
  add_graph(&x, path, ad_limits_resolve(&o->limits).max_bytes);
  return x.known ? ad_checksum_end(&x.sum) : 0;
}

#include "onnx/external.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "onnx/onnx.h"
#include "onnx/scan.h"

bool ad_onnx_is_external(const Onnx__TensorProto *t) {
  return (t->has_data_location && t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL) ||
         t->n_external_data > 0;
}

static const char *name_of(const Onnx__TensorProto *t) {
  return t->name ? t->name : "";
}

static const char *entry_of(const Onnx__TensorProto *t, const char *key) {
  for (size_t i = 0; i < t->n_external_data; i++)
    if (t->external_data[i]->key && !strcmp(t->external_data[i]->key, key)) return t->external_data[i]->value;
  return NULL;
}

static bool read_size(const char *text, uint64_t *v) {
  *v = 0;
  for (const char *p = text; *p; p++)
    if (*p < '0' || *p > '9' || __builtin_mul_overflow(*v, UINT64_C(10), v) ||
        __builtin_add_overflow(*v, (uint64_t)(*p - '0'), v))
      return false;
  return *text != '\0';
}

static void fail(ad_onnx_build *b, const Onnx__TensorProto *t, const char *place, const char *why) {
  ad_onnx_check(
      b, ad_fail(b->e, AD_EIO, "the data of the tensor '%.80s' in '%.200s': %s", name_of(t), place ? place : "", why));
}

/* Whether no component of a path is "..", and it does not start at the root. */
static bool stays_below(const char *path) {
  bool start = true;
  if (*path == '/') return false;
  for (const char *p = path; *p; start = *p++ == '/')
    if (start && p[0] == '.' && p[1] == '.' && (!p[2] || p[2] == '/')) return false;
  return true;
}

/* The file with links followed, if it is below the folder; a link that leads elsewhere is no way out. */
static bool resolve(ad_onnx_build *b, const Onnx__TensorProto *t, const char *place, char *file) {
  char folder[PATH_MAX], path[2 * PATH_MAX];
  const char *model = b->files.model, *slash = strrchr(model, '/');
  const int n = snprintf(path, sizeof path, "%.*s", slash ? (int)(slash - model) + 1 : 1, slash ? model : ".");
  if (n >= PATH_MAX || strlen(place) >= PATH_MAX) errno = ENAMETOOLONG;
  bool found = n < PATH_MAX && strlen(place) < PATH_MAX && realpath(path, folder);
  if (found) {
    snprintf(path + n, sizeof path - (size_t)n, "/%s", place);
    found = realpath(path, file) != NULL;
  }
  if (!found) {
    fail(b, t, place, strerror(errno));
    return false;
  }
  const size_t length = strcmp(folder, "/") ? strlen(folder) : 0;
  if (strncmp(file, folder, length) != 0 || file[length] != '/')
    fail(b, t, place, "a link leads out of the model's folder; copy the file there");
  return !b->status;
}

/* Each file counts once among the bytes that bound what may be computed. */
static void count_bytes(ad_onnx_build *b, const char *file) {
  uint32_t id;
  if (ad_names_find(&b->files.seen, file, &id)) return;
  if (ad_names_add(&b->files.seen, file, (uint32_t)b->files.seen.count))
    b->budget += b->files.size;
  else
    ad_onnx_check(b, ad_fail_memory(b->e));
}

static bool open_file(ad_onnx_build *b, const Onnx__TensorProto *t, const char *place) {
  char file[PATH_MAX];
  struct stat st;
  if (b->files.open && !strcmp(b->files.place, place)) return true;
  if (!resolve(b, t, place, file)) return false;
  ad_onnx_external_close(b);
  const int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0 || fstat(fd, &st)) {
    fail(b, t, place, strerror(errno));
    if (fd >= 0) close(fd);
    return false;
  }
  b->files.open = true;
  b->files.fd = fd;
  b->files.size = (uint64_t)st.st_size;
  b->files.place = place;
  if (S_ISREG(st.st_mode))
    count_bytes(b, file);
  else
    fail(b, t, place, "this is no regular file");
  return !b->status;
}

bool ad_onnx_external_open(ad_onnx_build *b, const Onnx__TensorProto *t, uint64_t bytes, uint64_t *offset) {
  const char *place = entry_of(t, "location"), *from = entry_of(t, "offset"), *size = entry_of(t, "length");
  char text[200];
  uint64_t length = bytes;
  *offset = 0;
  if (b->status) return false;
  if (!place || !*place) {
    ad_onnx_fail(b, "the tensor '%.80s' lies in another file, which it does not name", name_of(t));
  } else if (!b->files.model) {
    ad_onnx_fail(b,
                 "the tensor '%.80s' lies in another file, '%.200s', beside the model's; this one was not read from a "
                 "file",
                 name_of(t), place);
  } else if (!stays_below(place)) {
    fail(b, t, place, "must be a path in the model's folder, without '..'");
  } else if ((from && !read_size(from, offset)) || (size && !read_size(size, &length))) {
    fail(b, t, place, "its offset or length is no number");
  } else if (length != bytes) {
    snprintf(text, sizeof text, "the length given is %llu bytes, and the tensor's elements take %llu",
             (unsigned long long)length, (unsigned long long)bytes);
    fail(b, t, place, text);
  } else if (open_file(b, t, place) && (*offset > b->files.size || bytes > b->files.size - *offset)) {
    snprintf(text, sizeof text, "the file ends at byte %llu; the tensor's %llu bytes start at %llu",
             (unsigned long long)b->files.size, (unsigned long long)bytes, (unsigned long long)*offset);
    fail(b, t, place, text);
  }
  return !b->status;
}

bool ad_onnx_external_read(ad_onnx_build *b, const Onnx__TensorProto *t, uint64_t offset, void *to, size_t bytes) {
  for (size_t done = 0; done < bytes && !b->status;) {
    const ssize_t n = pread(b->files.fd, (char *)to + done, bytes - done, (off_t)(offset + done));
    if (n > 0)
      done += (size_t)n;
    else if (n == 0)
      fail(b, t, b->files.place, "became shorter while it was read");
    else if (errno != EINTR)
      fail(b, t, b->files.place, strerror(errno));
  }
  return !b->status;
}

void ad_onnx_external_close(ad_onnx_build *b) {
  if (b->files.open) close(b->files.fd);
  b->files.open = false;
}

/* ---- Which files there are */

typedef struct beside {
  const char *model;
  ad_beside_fn *visit;
  void *context;
  ad_buffer last; /* tensors of one file mostly follow one another */
  bool done;
} beside;

static void visit_entry(void *context, const unsigned char *bytes, size_t size) {
  beside *s = context;
  Onnx__StringStringEntryProto *x = onnx__string_string_entry_proto__unpack(NULL, size, bytes);
  if (x && x->key && x->value && !strcmp(x->key, "location") && stays_below(x->value)) {
    const char *slash = strrchr(s->model, '/');
    ad_buffer path = {0};
    ad_buffer_put(&path, s->model, slash ? (size_t)(slash - s->model) + 1 : 0);
    ad_buffer_puts(&path, x->value);
    const bool again = s->last.data && path.data && !strcmp(path.data, s->last.data);
    if (!path.failed && !again) s->visit(s->context, path.data);
    s->done = s->done && !path.failed;
    ad_buffer_clear(&s->last);
    s->last = path;
  }
  s->done = s->done && x;
  if (x) onnx__string_string_entry_proto__free_unpacked(x, NULL);
}

bool ad_onnx_beside(const char *path, const void *bytes, size_t size, ad_beside_fn *visit, void *context) {
  beside s = {.model = path, .visit = visit, .context = context, .done = true};
  ad_onnx_scan_external(bytes, size, visit_entry, &s);
  ad_buffer_clear(&s.last);
  return s.done;
}

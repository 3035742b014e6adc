#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "mem.h"

bool ad_write_all(int fd, const void *bytes, size_t n) {
  for (const char *p = bytes; n;) {
    ssize_t put = write(fd, p, n);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    p += put;
    n -= (size_t)put;
  }
  return true;
}

/* The standard stream that a path stands for; -1: none.  To open a link to a file anew would write over its start. */
static int stream_of(const char *path) {
  struct stat st, stream;
  if (!strcmp(path, "-")) return STDOUT_FILENO;
  if (lstat(path, &st) || !S_ISLNK(st.st_mode) || stat(path, &st)) return -1;
  for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
    if (!fstat(fd, &stream) && stream.st_dev == st.st_dev && stream.st_ino == st.st_ino) return fd;
  return -1;
}

bool ad_io_replaces(const char *path, mode_t *mode) {
  struct stat st, old;
  if (mode) *mode = !lstat(path, &old) && S_ISREG(old.st_mode) ? old.st_mode & 07777 : AD_NO_MODE;
  return stream_of(path) < 0 && (stat(path, &st) || S_ISREG(st.st_mode));
}

int ad_io_open_direct(const char *path) {
  const int fd = stream_of(path);
  return fd >= 0 ? fd : open(path, O_WRONLY | O_CLOEXEC);
}

int ad_io_close(int fd) {
  return fd > STDERR_FILENO ? close(fd) : 0;
}

ad_status ad_io_set_mode(int fd, mode_t mode, const char *path, ad_error *e) {
  return mode != AD_NO_MODE && fchmod(fd, mode) ? ad_fail_errno(e, "set the mode of", path) : AD_OK;
}

/* Not mkstemp: the file has the mode that the process's mask leaves, from its start on. */
ad_status ad_io_temporary(int *fd, char **name, const char *path, mode_t mode, ad_error *e) {
  enum { TRIES = 100 };
  const size_t room = strlen(path) + 32;
  char *p = ad_malloc(room, 1);
  unsigned random;
  if (!p) return ad_fail_memory(e);
  *fd = -1;
  errno = EEXIST;
  for (int i = 0; *fd < 0 && errno == EEXIST && i < TRIES; i++) {
    if (getentropy(&random, sizeof random)) break;
    snprintf(p, room, "%s.tmp.%08x", path, random);
    *fd = open(p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode == AD_NO_MODE ? 0666 : mode);
  }
  ad_status s = *fd < 0 ? ad_fail_errno(e, "create a file beside", path) : ad_io_set_mode(*fd, mode, p, e);
  if (s && *fd >= 0) {
    close(*fd);
    unlink(p);
  }
  if (s) ad_free(p);
  if (!s) *name = p;
  return s;
}

ad_status ad_io_open_own(int *fd, const char *path, ad_error *e) {
  struct stat st;
  *fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (*fd >= 0) return AD_OK;
  if (errno == EEXIST) *fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); /* a pipe must not hold it up */
  const char *what = NULL;
  if (*fd < 0 && !lstat(path, &st) && S_ISLNK(st.st_mode))
    what = "is a symbolic link";
  else if (*fd < 0 || fstat(*fd, &st))
    return ad_fail_errno(e, "create", path);
  else if (!S_ISREG(st.st_mode))
    what = "is no regular file";
  else if (st.st_uid != geteuid())
    what = "belongs to another user";
  else if (st.st_nlink > 1)
    what = "has a second name, a hard link";
  if (!what) return AD_OK;
  return ad_fail(e, AD_EIO, "'%s' %s, and would be written over; remove it, or write somewhere else", path, what);
}

void ad_io_sync_folder(const char *path) {
  const char *slash = strrchr(path, '/');
  const size_t n = slash && slash > path ? (size_t)(slash - path) : 1;
  char folder[4096] = ""; /* a longer path can't be opened */
  if (n >= sizeof folder) return;
  const int fd = open(memcpy(folder, slash ? path : ".", n), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

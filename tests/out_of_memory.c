/* The command when memory runs out, in the library, in the command or in a library that it uses: the answer is as ever,
 * or the exit status is 6 with a message; nothing wrong is written, no file is half there, nothing is left allocated.
 *   out_of_memory LIST [all]    runs each line of LIST as `adtool LINE` in a folder of its own, again and again, with
 * one allocation failing: some of them, chosen at random, or all The command is linked into this program (its main is
 * tool_main), and so is an allocator that can fail. */
#include <dirent.h>
#include <fcntl.h>
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#undef main
enum { FEW = 3, MOST_WORDS = 40, SECONDS = 60 };
int tool_main(int argc, char **argv);

#if !defined(__GLIBC__) || defined(__SANITIZE_ADDRESS__)
int main(void) {
  puts("skipped: the allocator can't be replaced here");
  return 77;
}
#else
/* ---- The allocator */

extern void *__libc_malloc(size_t n), *__libc_calloc(size_t count, size_t n), *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);
extern void __libc_free(void *p);

/* Of a run; shared with its parent. */
static struct heap {
  unsigned long calls, fail_at;
  long alive;
  bool on, ended; /* the command came back */
} nothing, *heap = &nothing;

static bool denied(void) {
  if (!heap->on || __atomic_add_fetch(&heap->calls, 1, __ATOMIC_RELAXED) != heap->fail_at) return false;
  errno = ENOMEM;
  return true;
}

static void *born(void *p) {
  if (p && heap->on) __atomic_add_fetch(&heap->alive, 1, __ATOMIC_RELAXED);
  return p;
}

void *malloc(size_t n) {
  return denied() ? NULL : born(__libc_malloc(n));
}

void *calloc(size_t count, size_t n) {
  return denied() ? NULL : born(__libc_calloc(count, n));
}

void *realloc(void *p, size_t n) {
  if (!p) return malloc(n);
  return n && denied() ? NULL : __libc_realloc(p, n);
}

void *memalign(size_t align, size_t n) {
  return denied() ? NULL : born(__libc_memalign(align, n));
}

void *aligned_alloc(size_t align, size_t n) {
  return memalign(align, n);
}

int posix_memalign(void **p, size_t align, size_t n) {
  *p = memalign(align, n);
  return *p ? 0 : ENOMEM;
}

void free(void *p) {
  if (p && heap->on) __atomic_sub_fetch(&heap->alive, 1, __ATOMIC_RELAXED);
  __libc_free(p);
}

/* ---- A run */

typedef struct result {
  int status; /* -1: a signal */
  unsigned long calls;
  long alive;
  bool ended;
  char *out, *err, *files; /* files: each with its name before it */
} result;

static void stop(const char *what) {
  perror(what);
  exit(1);
}

static char *text_of(const char *path) {
  FILE *f = fopen(path, "rb");
  char *text = NULL;
  size_t size = 0, got;
  if (!f) stop(path);
  do {
    if (!(text = realloc(text, size + 65537))) stop("memory");
    got = fread(text + size, 1, 65536, f);
    for (size_t i = size; i < size + got; i++)
      if (!text[i]) text[i] = '\1'; /* it is compared as text */
    size += got;
  } while (got);
  text[size] = '\0';
  fclose(f);
  return text;
}

static int visible(const struct dirent *d) {
  return strcmp(d->d_name, ".") && strcmp(d->d_name, "..");
}

/* What lies in the current folder, which is empty then.  Unfinished batches are no results. */
static char *take_files(void) {
  struct dirent **entry;
  char *all = strdup("");
  const int n = scandir(".", &entry, visible, alphasort);
  for (int i = 0; i < n; i++) {
    const char *name = entry[i]->d_name, *dot = strrchr(name, '.');
    if (!dot || (strcmp(dot, ".part") && strcmp(dot, ".journal"))) {
      char *text = text_of(name), *more;
      if (asprintf(&more, "%s[%s]\n%s\n", all, name, text) < 0) stop("memory");
      free(all);
      free(text);
      all = more;
    }
    unlink(name);
    free(entry[i]);
  }
  free(entry);
  return all;
}

static void redirect(int to, const char *path) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || dup2(fd, to) < 0) _exit(99);
  close(fd);
}

static result run(int argc, char **argv, unsigned long fail_at) {
  *heap = (struct heap){.fail_at = fail_at};
  const pid_t pid = fork();
  if (pid < 0) stop("fork");
  if (!pid) {
    alarm(SECONDS);
    redirect(STDOUT_FILENO, "../out");
    redirect(STDERR_FILENO, "../err");
    heap->on = true;
    const int status = tool_main(argc, argv);
    heap->on = false;
    heap->ended = true;
    _exit(status);
  }
  int how;
  if (waitpid(pid, &how, 0) < 0) stop("wait");
  heap->on = false;
  return (result){WIFEXITED(how) ? WEXITSTATUS(how) : -1,
                  heap->calls,
                  heap->alive,
                  heap->ended,
                  text_of("../out"),
                  text_of("../err"),
                  take_files()};
}

static void clear(result *r) {
  free(r->out);
  free(r->err);
  free(r->files);
}

/* Whether every line of the one text stands in the other, in order. */
static bool is_part(const char *part, const char *whole) {
  while (*part) {
    const size_t n = strcspn(part, "\n") + 1;
    while (*whole && strncmp(part, whole, n)) {
      whole += strcspn(whole, "\n");
      whole += *whole == '\n';
    }
    if (!*whole || part[n - 1] != '\n') return false;
    whole += n;
    part += n;
  }
  return true;
}

/* What is wrong with a run where memory ran out, NULL: nothing. */
static const char *wrong(const result *r, const result *right, const char *command) {
  if (r->status < 0) return "a signal";
  if (r->ended && r->alive > right->alive && strncmp(command, "batch", 5)) return "memory is left allocated";
  if (r->status == right->status && !strcmp(r->out, right->out) && !strcmp(r->files, right->files) &&
      !strcmp(r->err, right->err))
    return NULL;
  if (r->status == 1 && !strncmp(command, "batch", 5) && (strstr(r->out, "memory") || strstr(r->files, "memory")))
    return NULL; /* the record of a graph says it */
  if (r->status != 6) return "not the right answer, and not status 6";
  if (!strstr(r->err, "emory") && !strstr(r->err, "unavailable")) return "no message"; /* the latter is a thread's */
  if (!is_part(r->out, right->out)) return "a wrong output";
  if (*r->files && strcmp(r->files, right->files) && strncmp(command, "batch", 5)) return "a file that is not whole";
  return NULL;
}

static unsigned long checks, bad;

static void try_command(char *line, bool all) {
  char *word[MOST_WORDS] = {(char *)"adtool"}, *copy = strdup(line);
  int words = 1;
  for (char *w = strtok(copy, " "); w && words < MOST_WORDS - 1; w = strtok(NULL, " ")) word[words++] = w;
  result right = run(words, word, 0);
  if (right.status < 0 || right.status > 5) {
    printf("adtool %s: status %d: %s\n", line, right.status, right.err);
    bad++;
  }
  const unsigned long step = all || right.calls < FEW ? 1 : right.calls / FEW;
  for (unsigned long n = 1 + (unsigned long)rand() % step; n <= right.calls; n += step) {
    result r = run(words, word, n);
    const char *what = wrong(&r, &right, line);
    checks++;
    if (what) {
      bad++;
      printf("adtool %s\n  allocation %lu of %lu fails: %s: status %d, %ld blocks for %ld\n%.300s%.300s%.300s\n", line,
             n, right.calls, what, r.status, r.alive, right.alive, r.out, r.err, r.files);
      fflush(stdout);
    }
    clear(&r);
  }
  clear(&right);
  free(copy);
}

int main(int argc, char **argv) {
  char line[4096];
  const bool all = argc > 2 && !strcmp(argv[2], "all");
  FILE *list = argc > 1 ? fopen(argv[1], "r") : NULL;
  const char *seed = getenv("ADTOOL_TEST_SEED");
  if (!list || mkdir("run", 0700) || chdir("run")) stop("out_of_memory LIST");
  heap = mmap(NULL, sizeof *heap, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (heap == MAP_FAILED) stop("mmap");
  srand(seed ? (unsigned)atoi(seed) : (unsigned)getpid());
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, list)) {
    line[strcspn(line, "\n")] = '\0';
    if (*line && *line != '#') try_command(line, all);
  }
  fclose(list);
  printf("%lu%%: Checks: %lu, Failures: %lu, Errors: 0\n", checks ? (checks - bad) * 100 / checks : 0, checks, bad);
  return bad || !checks;
}
#endif

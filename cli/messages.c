#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "error.h"

static bool in_colour(void) {
  const char *no = getenv("NO_COLOR");
  return isatty(STDERR_FILENO) && !(no && *no);
}

void put_json_error(ad_buffer *b, const ad_error *e) {
  ad_buffer_puts(b, "{\"message\": ");
  put_json_string(b, e->message);
  if (e->file[0]) {
    ad_buffer_puts(b, ", \"file\": ");
    put_json_string(b, e->file);
  }
  if (e->line > 0) ad_buffer_printf(b, ", \"line\": %lld", (long long)e->line);
  if (e->column > 0) ad_buffer_printf(b, ", \"column\": %lld", (long long)e->column);
  if (e->offset >= 0) ad_buffer_printf(b, ", \"offset\": %lld", (long long)e->offset);
  ad_buffer_printf(b, ", \"status\": %d}", ad_exit_status(e->code));
}

/* Returns the exit status. */
static int report_json(const ad_error *e) {
  ad_buffer b = {0};
  ad_buffer_puts(&b, "{\"error\": ");
  put_json_error(&b, e);
  ad_buffer_puts(&b, "}\n");
  if (b.failed)
    fprintf(stderr, "{\"error\": {\"message\": \"out of memory\", \"status\": %d}}\n", AD_ELIMIT);
  else
    fwrite(b.data, 1, b.size, stderr);
  const int status = b.failed ? AD_ELIMIT : ad_exit_status(e->code);
  ad_buffer_clear(&b);
  return status;
}

int report(const options *o, const ad_error *e) {
  if (o->silent) return proof_report(e);
  fflush(stdout);
  if (o->format == FORMAT_JSON || o->format == FORMAT_NDJSON) return report_json(e);
  bool colour = in_colour();
  if (e->file[0]) {
    char file[sizeof e->file];
    memcpy(file, e->file, sizeof file);
    ad_clean(file);
    fprintf(stderr, "%s:", file);
    if (e->line > 0) fprintf(stderr, "%lld:", (long long)e->line);
    if (e->line > 0 && e->column > 0) fprintf(stderr, "%lld:", (long long)e->column);
    if (e->line <= 0 && e->offset >= 0) fprintf(stderr, "byte %lld:", (long long)e->offset);
    fputc(' ', stderr);
  } else {
    fputs("adtool: ", stderr);
  }
  if (e->file[0] || e->code != AD_EUSAGE)
    fprintf(stderr, "%serror:%s ", colour ? "\033[1;31m" : "", colour ? "\033[0m" : "");
  fprintf(stderr, "%s\n", e->message);
  if (e->excerpt[0]) {
    fprintf(stderr, "  %s\n", e->excerpt);
    if (e->excerpt_column > 0)
      fprintf(stderr, "  %*s%s^%s\n", e->excerpt_column - 1, "", colour ? "\033[1;32m" : "", colour ? "\033[0m" : "");
  }
  return ad_exit_status(e->code);
}

int usage_error(const options *o, const char *format, ...) {
  ad_error e;
  char message[sizeof e.message];
  va_list ap;
  va_start(ap, format);
  vsnprintf(message, sizeof message, format, ap);
  va_end(ap);
  ad_fail(&e, AD_EUSAGE, "%s", message);
  return report(o, &e);
}

int report_option(const options *o, const char *option, const char *name, ad_error *e) {
  snprintf(e->file, sizeof e->file, "--%s%s%.200s", option, *name ? " " : "", name);
  if (e->code == AD_EINPUT) e->code = AD_EUSAGE;
  return report(o, e);
}

int out_of_memory(const options *o) {
  ad_error e;
  ad_fail_memory(&e);
  return report(o, &e);
}

static void put_note(const char *format, va_list ap) {
  char text[8192];
  vsnprintf(text, sizeof text, format, ap);
  ad_clean(text);
  fflush(stdout);
  fprintf(stderr, "note: %s\n", text);
}

void note(const options *o, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  if (!o->quiet && !o->silent) put_note(format, ap);
  va_end(ap);
}

void note_always(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  put_note(format, ap);
  va_end(ap);
}

static int write_errno; /* of the first write to standard output that failed; the stream keeps no reason */

void put_stdout(const void *bytes, size_t size) {
  if (fwrite(bytes, 1, size, stdout) != size && !write_errno) write_errno = errno;
}

int finish_output(const options *o, int status) {
  bool bad = ferror(stdout) != 0;
  errno = 0;
  if (!fclose(stdout) && !bad) return status;
  int why = write_errno ? write_errno : errno;
  ad_error e;
  ad_fail(&e, AD_EIO, "can't write to standard output%s%s", why ? ": " : "", why ? strerror(why) : "");
  report(o, &e);
  return status ? status : AD_EIO;
}

/* What the benchmark prints. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/hand.h"

/* ---- Who runs where */

static void cpu(char *name, size_t size) {
  snprintf(name, size, "unknown processor");
  char line[256];
  FILE *f = fopen("/proc/cpuinfo", "r");
  while (f && fgets(line, sizeof line, f)) {
    const char *colon = strchr(line, ':');
    if (strncmp(line, "model name", 10) || !colon) continue;
    snprintf(name, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
    break;
  }
  if (f) fclose(f);
}

void bench_who(FILE *out) {
  char name[256];
  cpu(name, sizeof name);
  fprintf(out, "%s, %ld processors; compiled by %s", name, sysconf(_SC_NPROCESSORS_ONLN),
#ifdef __clang__
          "clang " __clang_version__
#else
          "gcc " __VERSION__
#endif
  );
#ifdef HAND_LANES
  fprintf(out, "; hand-written lanes: %s with SLEEF", HAND_ISA);
#else
  fputs("; no hand-written lanes (SLEEF on x86-64)", out);
#endif
#ifdef HAVE_CBLAS
  fputs("; CBLAS: OpenBLAS, one thread", out);
#else
  fputs("; no CBLAS", out);
#endif
#ifdef BENCH_ADOLC
  fputs("; ADOL-C " BENCH_ADOLC, out);
#else
  fputs("; no ADOL-C (libadolc-dev)", out);
#endif
#ifdef BENCH_ASL
  fputs("; ASL", out);
#else
  fputs("; no ASL (libamplsolver-dev)", out);
#endif
  putc('\n', out);
}

/* ---- Tables */

static const char *size_text(char *buf, size_t size) {
  const int power = (int)floor(log10((double)size) + 1e-9);
  if (power >= 3 && size == (size_t)llround(pow(10, power)))
    sprintf(buf, "10^%d", power);
  else
    sprintf(buf, "%zu", size);
  return buf;
}

/* Three significant digits, no exponent. */
static const char *number_text(char *buf, double v) {
  sprintf(buf, v < 1 ? "%.3f" : v < 10 ? "%.2f" : v < 100 ? "%.1f" : "%.0f", v);
  return buf;
}

static double per_unit(const bench_run *b, size_t i) {
  return b->seconds[i] / b->rival[i].units * 1e9;
}

static bool first_of_json = true;

void bench_report_start(bench_format f) {
  first_of_json = true;
  if (f == BENCH_JSON) {
    fputs("{\"machine\": \"", stdout);
    fflush(stdout);
    char text[1024] = "";
    FILE *memory = fmemopen(text, sizeof text, "w");
    if (memory) {
      bench_who(memory);
      fclose(memory);
    }
    for (const char *c = text; *c && *c != '\n'; c++) printf(*c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    puts("\", \"rows\": [");
  } else if (f == BENCH_MARKDOWN) {
    bench_who(stdout);
    puts(
        "\n| workload | size | ns a | adtool | rival | its ns | ratio | target | "
        "|\n|---|---|---|---|---|---|---|---|---|");
  } else {
    bench_who(stdout);
    printf("\n%-16s %-6s %-12s %9s  %-26s %9s %7s %7s\n", "workload", "size", "ns a", "adtool", "rival", "its ns",
           "ratio", "target");
  }
}

static void row(bench_format f, const bench_workload *w, const char *unit, double tool, const char *rival, double other,
                double limit) {
  char size[32], t[32], o[32] = "", ratio[32] = "", target[32] = "";
  size_text(size, w->size);
  number_text(t, tool);
  if (other > 0) { /* there is something to compare with */
    number_text(o, other);
    number_text(ratio, tool / other);
  }
  if (limit > 0) sprintf(target, "%.4g", limit);
  const char *met = limit <= 0 ? "" : tool <= limit * other ? "met" : "missed";
  if (f == BENCH_JSON) {
    printf("%s{\"workload\": \"%s\", \"size\": %zu, \"unit\": \"%s\", \"adtool\": %.6g", first_of_json ? "" : ",\n",
           w->name, w->size, unit, tool);
    if (other > 0) printf(", \"rival\": \"%s\", \"time\": %.6g, \"ratio\": %.6g", rival, other, tool / other);
    if (limit > 0) printf(", \"target\": %s, \"met\": %s", target, tool <= limit * other ? "true" : "false");
    putchar('}');
    first_of_json = false;
  } else if (f == BENCH_MARKDOWN) {
    printf("| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", w->name, size, unit, t, rival, o, ratio, target, met);
  } else {
    printf("%-16s %-6s %-12s %9s  %-26s %9s %7s %7s %s\n", w->name, size, unit, t, rival, o, ratio, target, met);
  }
}

void bench_report(bench_format f, const bench_workload *w, const bench_run *b) {
  const double tool = per_unit(b, 0);
  for (size_t i = 1; i < b->count; i++) row(f, w, w->unit, tool, b->rival[i].name, per_unit(b, i), b->rival[i].limit);
  if (b->count == 1) row(f, w, w->unit, tool, "nobody", 0, 0);
  if (b->bytes_of) row(f, w, b->bytes_of, b->bytes, "", b->bytes_limit, b->bytes_limit > 0);
  fflush(stdout);
}

void bench_report_end(bench_format f) {
  if (f == BENCH_JSON) puts("\n]}");
}

#include <string.h>

#include "cli.h"
#include "error.h"

extern const command command_eval, command_grad, command_jac, command_jvp, command_vjp, command_hess, command_hvp,
    command_taylor, command_diff, command_check, command_batch, command_merge, command_convert, command_fmt,
    command_info, command_dot, command_hash, command_ops, command_backends, command_help;

const command *const commands[] = {
    &command_eval,   &command_grad, &command_jac,   &command_jvp,   &command_vjp,      &command_hess,    &command_hvp,
    &command_taylor, &command_diff, &command_check, &command_batch, &command_merge,    &command_convert, &command_fmt,
    &command_info,   &command_dot,  &command_hash,  &command_ops,   &command_backends, &command_help,    NULL};

static const char *next_command(const void *context, size_t i) {
  (void)context;
  for (size_t k = 0; k < i; k++)
    if (!commands[k]) return NULL;
  return commands[i] ? commands[i]->name : NULL;
}

const command *command_find(const options *o, const char *name) {
  for (size_t i = 0; commands[i]; i++)
    if (!strcmp(commands[i]->name, name)) return commands[i];
  const char *near = ad_suggest(name, next_command, NULL);
  if (near)
    usage_error(o, "unknown command '%s' (did you mean '%s'?)", name, near);
  else
    usage_error(o, "unknown command '%s'; `adtool help` lists them all", name);
  return NULL;
}

void help_overview(FILE *f) {
  fputs(
      "usage: adtool COMMAND [options] GRAPH...\n\n"
      "Derivatives of saved computational graphs.\n\n",
      f);
  for (size_t i = 0; commands[i]; i++) fprintf(f, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
  fputs(
      "\n`adtool help COMMAND` shows the options of a command. GRAPH is a file, or - for standard input.\n"
      "Exit status: 0 fine, 1 a check failed, 2 a wrong command line, 3 a wrong file, 4 a number out of domain "
      "(--strict),\n"
      "5 input or output, 6 a limit or out of memory.\n",
      f);
}

void help_command(FILE *f, const command *c) {
  fprintf(f, "usage: adtool %s [options]%s%s\n\n%s\n\n", c->name, *c->arguments ? " " : "", c->arguments, c->text);
  bool limits = false;
  for (const option_id *t = c->takes; *t != OPT_COUNT; t++) {
    limits = limits || *t == OPT_MAX_NODES;
    if (*t != OPT_MAX_NODES) fprintf(f, "  %-26s %s\n", option_usage(*t), option_text(c, *t));
  }
  for (int id = OPT_MAX_NODES; limits && id <= OPT_MAX_SCALAR; id++)
    fprintf(f, "  %-26s %s\n", option_usage((option_id)id), option_text(c, (option_id)id));
  fprintf(f, "  %-26s %s\n", option_usage(OPT_HELP), option_text(c, OPT_HELP));
}

static int run_help(const options *o) {
  if (!o->file_count) return help_overview(stdout), 0;
  const command *c = command_find(o, o->file[0]);
  if (!c) return AD_EUSAGE;
  help_command(stdout, c);
  return 0;
}

static const option_id help_takes[] = {OPT_COUNT};
const command command_help = {"help",
                              "[COMMAND]",
                              "what a command does, and its options",
                              "Shows all commands, or one command with its options.",
                              0,
                              1,
                              help_takes,
                              0,
                              run_help};

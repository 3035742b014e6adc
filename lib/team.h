/* Threads that wait for work and share it out.  What a task writes must not depend on the thread that takes it: then
 * results are the same, bit for bit, for any number of threads. */
#ifndef AD_TEAM_H
#define AD_TEAM_H

#include "adtool.h"

typedef struct ad_team ad_team;

/* Task `task` of a run, done by thread `thread` of the team: 0 is the one that called ad_team_run. */
typedef void ad_team_task(void *context, size_t task, unsigned thread);

enum { AD_TEAM_MOST = 4096 };

/* The processors that this process may run on. */
unsigned ad_team_processors(void);

/* A team of `threads`, the caller included; 0: one for each processor.  `leave` (or NULL) is what each thread but the
 * caller's does last, like ad_thread_cleanup.  AD_ELIMIT when the system refuses a thread. */
ad_status ad_team_new(ad_team **t, unsigned threads, void (*leave)(void), ad_error *e);
unsigned ad_team_threads(const ad_team *t);
/* Does tasks 0 .. count-1, each once, dealt in order to whoever is free, and returns when all are done and visible to
 * the caller.  Allocates nothing and can't fail; not to be called from a task. */
void ad_team_run(ad_team *t, ad_team_task *task, void *context, size_t count);
void ad_team_free(ad_team *t);

#endif

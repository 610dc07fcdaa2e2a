/* What the parts of the shim share. */
#ifndef MACHORUN_H
#define MACHORUN_H

#include <stddef.h>

#define MACHORUN_TRAP 70 /* the exit code of a process that used what is not provided */

/* Ends the process, naming a flag or a number that has no known meaning here. */
__attribute__((noreturn, cold)) void machorun_unsupported(const char *what);

/* A symbol that a module may import, as it is written in Mach-O. */
struct machorun_symbol {
    const char *name;
    void *address;
};
extern const struct machorun_symbol machorun_files[], machorun_threads[], machorun_system[], machorun_variadics[];

/* Bring errno to what the module last wrote to *__error(), where libc wrote nothing since. */
void machorun_sync_errno(void);

int machorun_errno_from_darwin(int number);

#endif

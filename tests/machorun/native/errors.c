/* errno: Darwin's numbers for Linux's. */

#define _GNU_SOURCE
#include "machorun.h"

#include <errno.h>
#include <string.h>

extern int __xpg_strerror_r(int, char *, size_t); /* what POSIX asks for; GNU's returns the text */

/* Those up to 34 are the same but for 11. */
static const struct {
    short linux_number, darwin;
} table[] = {
    {EAGAIN, 35}, {EDEADLK, 11}, {EINPROGRESS, 36}, {EALREADY, 37}, {ENOTSOCK, 38}, {EDESTADDRREQ, 39}, {EMSGSIZE, 40},
    {EPROTOTYPE, 41}, {ENOPROTOOPT, 42}, {EPROTONOSUPPORT, 43}, {ESOCKTNOSUPPORT, 44}, {EOPNOTSUPP, 102},
    {EPFNOSUPPORT, 46}, {EAFNOSUPPORT, 47}, {EADDRINUSE, 48}, {EADDRNOTAVAIL, 49}, {ENETDOWN, 50}, {ENETUNREACH, 51},
    {ENETRESET, 52}, {ECONNABORTED, 53}, {ECONNRESET, 54}, {ENOBUFS, 55}, {EISCONN, 56}, {ENOTCONN, 57},
    {ESHUTDOWN, 58}, {ETOOMANYREFS, 59}, {ETIMEDOUT, 60}, {ECONNREFUSED, 61}, {ELOOP, 62}, {ENAMETOOLONG, 63},
    {EHOSTDOWN, 64}, {EHOSTUNREACH, 65}, {ENOTEMPTY, 66}, {EUSERS, 68}, {EDQUOT, 69}, {ESTALE, 70}, {EREMOTE, 71},
    {ENOLCK, 77}, {ENOSYS, 78}, {EOVERFLOW, 84}, {ECANCELED, 89}, {EIDRM, 90}, {ENOMSG, 91}, {EILSEQ, 92},
    {EBADMSG, 94}, {EMULTIHOP, 95}, {ENODATA, 96}, {ENOLINK, 97}, {ENOSR, 98}, {ENOSTR, 99}, {EPROTO, 100},
    {ETIME, 101}, {ENOTRECOVERABLE, 104}, {EOWNERDEAD, 105},
};
enum { ENTRIES = sizeof table / sizeof *table };

static int to_darwin(int number) {
    for (int i = 0; i < ENTRIES; i++)
        if (table[i].linux_number == number) return table[i].darwin;
    return number;
}

int machorun_errno_from_darwin(int number) {
    for (int i = 0; i < ENTRIES; i++)
        if (table[i].darwin == number) return table[i].linux_number;
    return number;
}

/* What the module sees, what it was given last, and what errno was then. */
static __thread int value, given, seen;

void machorun_sync_errno(void) {
    if (value != given && errno == seen) errno = machorun_errno_from_darwin(value);
    seen = errno;
    value = given = to_darwin(errno);
}

static int *darwin_error(void) {
    machorun_sync_errno();
    return &value;
}

static int darwin_strerror_r(int number, char *text, size_t size) {
    return __xpg_strerror_r(machorun_errno_from_darwin(number), text, size);
}

static char *darwin_strerror(int number) { return strerror(machorun_errno_from_darwin(number)); }

const struct machorun_symbol machorun_errors[] = {
    {"___error", darwin_error}, {"_strerror_r", darwin_strerror_r}, {"_strerror", darwin_strerror}, {0}};

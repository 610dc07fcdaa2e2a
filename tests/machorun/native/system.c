/* The rest of libSystem that differs: clocks, limits, random bytes, dyld's list of images, what compilers call. */

#define _GNU_SOURCE
#include "machorun.h"

#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static clockid_t clock_of(int darwin) {
    switch (darwin) {
    case 0: return CLOCK_REALTIME;
    case 4: case 5: return CLOCK_MONOTONIC_RAW;
    case 6: return CLOCK_BOOTTIME; /* Darwin's goes on while the machine sleeps */
    case 8: case 9: return CLOCK_MONOTONIC;
    case 12: return CLOCK_PROCESS_CPUTIME_ID;
    case 16: return CLOCK_THREAD_CPUTIME_ID;
    default: machorun_unsupported("a clock");
    }
}
static int darwin_clock_gettime(int clock, struct timespec *time) { return clock_gettime(clock_of(clock), time); }
static uint64_t absolute_time(void) { /* nanoseconds: the timebase says 1/1 */
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
static int timebase(uint32_t *fraction) {
    fraction[0] = fraction[1] = 1;
    return 0;
}

static long darwin_sysconf(int name) {
    switch (name) {
    case 1: return sysconf(_SC_ARG_MAX);
    case 5: return sysconf(_SC_OPEN_MAX);
    case 29: return sysconf(_SC_PAGESIZE);
    case 57: return sysconf(_SC_NPROCESSORS_CONF);
    case 58: return sysconf(_SC_NPROCESSORS_ONLN);
    case 70: return sysconf(_SC_GETGR_R_SIZE_MAX);
    case 71: return sysconf(_SC_GETPW_R_SIZE_MAX);
    case 72: return sysconf(_SC_HOST_NAME_MAX);
    default: machorun_unsupported("a name of sysconf");
    }
}

static void fill(void *at, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t got = getrandom((char *)at + done, size - done, 0);
        if (got < 0 && errno != EINTR) abort();
        if (got > 0) done += (size_t)got;
    }
}
static int cc_random(void *at, size_t size) {
    fill(at, size);
    return 0;
}
static uint32_t random_word(void) {
    uint32_t word;
    fill(&word, sizeof word);
    return word;
}

/* No image of Darwin's is listed: whoever walks them, as backtraces do, finds none. */
static uint32_t image_count(void) { return 0; }
static const void *image_none(uint32_t index) {
    (void)index;
    return NULL;
}
static long image_slide(uint32_t index) {
    (void)index;
    return 0;
}

static char ***ns_environ(void) { return &environ; }
static int ns_argument_count = 1;
static char *ns_arguments[] = {"python", NULL}, **ns_argument_vector = ns_arguments;
static int *ns_argc(void) { return &ns_argument_count; }
static char ***ns_argv(void) { return &ns_argument_vector; }
static int ns_executable_path(char *path, uint32_t *size) {
    ssize_t length = readlink("/proc/self/exe", path, *size - 1);
    if (length < 0) return -1;
    path[length] = 0;
    return 0;
}

static void zero(void *at, size_t size) { memset(at, 0, size); }
static void pattern(char *to, const void *unit, size_t width, size_t size) {
    for (; size >= width; size -= width, to += width) memcpy(to, unit, width);
    memcpy(to, unit, size);
}
static void pattern4(void *to, const void *unit, size_t size) { pattern(to, unit, 4, size); }
static void pattern8(void *to, const void *unit, size_t size) { pattern(to, unit, 8, size); }
static void pattern16(void *to, const void *unit, size_t size) { pattern(to, unit, 16, size); }

struct two { double sine, cosine; };
struct two_floats { float sine, cosine; };
static struct two sincos_stret(double x) { return (struct two){sin(x), cos(x)}; }
static struct two_floats sincosf_stret(float x) { return (struct two_floats){sinf(x), cosf(x)}; }

static uintptr_t stack_guard = 0x595e9fbd94fda766;
__attribute__((noreturn)) static void stack_smashed(void) {
    static const char text[] = "machorun: the module's stack was overwritten (___stack_chk_fail)\n";
    ssize_t ignored = write(2, text, sizeof text - 1);
    (void)ignored;
    _exit(MACHORUN_TRAP);
}
__attribute__((noreturn)) static void assertion(const char *function, const char *file, int line, const char *what) {
    fprintf(stderr, "Assertion failed: (%s), function %s, file %s, line %d.\n", what, function ? function : "?", file, line);
    abort();
}

/* dyld binds the thread-locals' thunks to this and then replaces it, so that it is never called. */
__attribute__((noreturn)) static void tlv_bootstrap(void) { machorun_unsupported("a thread-local before its set-up"); }
__attribute__((noreturn)) static void stub_binder(void) { machorun_unsupported("a symbol that is bound lazily"); }

void machorun_chkstk(void);
__asm__(".globl machorun_chkstk\nmachorun_chkstk:\n  ret\n");

const struct machorun_symbol *machorun_find(const char *name);
static void *darwin_dlsym(void *handle, const char *name) { /* what std asks for where it may be missing */
    char symbol[256];
    if ((intptr_t)handle != -2) machorun_unsupported("dlsym in one library");
    snprintf(symbol, sizeof symbol, "_%s", name);
    const struct machorun_symbol *found = machorun_find(symbol);
    return found ? found->address : NULL;
}

extern const struct machorun_symbol machorun_errors[];
static const struct machorun_symbol system_symbols[];
static const struct machorun_symbol *const all[] = {machorun_errors, machorun_files, machorun_threads, machorun_variadics,
                                                    system_symbols};

const struct machorun_symbol *machorun_find(const char *name) {
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (const struct machorun_symbol *s = all[i]; s->name; s++)
            if (!strcmp(s->name, name)) return s;
    return NULL;
}

/* glibc has none to take the address of: it is linked into each library, and calls this. */
static int darwin_atexit(void (*function)(void)) { return atexit(function); }

/* The address of a symbol that differs from Linux's; NULL where the shim has none of this name. */
void *machorun_symbol(const char *name) {
    const struct machorun_symbol *found = machorun_find(name);
    return found ? found->address : NULL;
}

static const struct machorun_symbol system_symbols[] = {
    {"_clock_gettime", darwin_clock_gettime}, {"_mach_absolute_time", absolute_time},
    {"_mach_continuous_time", absolute_time}, {"_mach_timebase_info", timebase}, {"_sysconf", darwin_sysconf},
    {"_CCRandomGenerateBytes", cc_random}, {"_arc4random_buf", fill}, {"_arc4random", random_word},
    {"__dyld_image_count", image_count}, {"__dyld_get_image_header", image_none},
    {"__dyld_get_image_name", image_none}, {"__dyld_get_image_vmaddr_slide", image_slide},
    {"__NSGetEnviron", ns_environ}, {"__NSGetArgc", ns_argc}, {"__NSGetArgv", ns_argv},
    {"__NSGetExecutablePath", ns_executable_path}, {"___bzero", zero}, {"_bzero", zero},
    {"_memset_pattern4", pattern4}, {"_memset_pattern8", pattern8}, {"_memset_pattern16", pattern16},
    {"___sincos_stret", sincos_stret}, {"___sincosf_stret", sincosf_stret}, {"___exp10", exp10},
    {"___exp10f", exp10f}, {"___stack_chk_guard", &stack_guard}, {"___stack_chk_fail", stack_smashed},
    {"___assert_rtn", assertion}, {"___stderrp", &stderr}, {"___stdoutp", &stdout}, {"___stdinp", &stdin},
    {"__tlv_bootstrap", tlv_bootstrap}, {"dyld_stub_binder", stub_binder}, {"___chkstk_darwin", machorun_chkstk},
    {"_dlsym", darwin_dlsym}, {"_atexit", darwin_atexit}, {0}};

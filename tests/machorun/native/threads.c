/* Threads: Darwin's objects begin with a signature of 8 bytes; glibc's own lies behind it where there is room. */

#define _GNU_SOURCE
#include "machorun.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *);
extern void *__dso_handle __attribute__((visibility("hidden")));

_Static_assert(sizeof(pthread_mutex_t) <= 56, "fits into Darwin's");
_Static_assert(sizeof(pthread_cond_t) <= 48, "fits into Darwin's");
_Static_assert(sizeof(pthread_rwlock_t) <= 192, "fits into Darwin's");
_Static_assert(sizeof(pthread_attr_t) <= 64, "fits into Darwin's");
_Static_assert(sizeof(pthread_mutexattr_t) <= 16 && sizeof(pthread_condattr_t) <= 16, "fit into Darwin's");

/* Signatures: an object that a static initialiser made, and one that is glibc's by now. */
enum {
    MUTEX = 0x32AAABA7,
    MUTEX_ERRORCHECK = 0x32AAABA1,
    MUTEX_RECURSIVE = 0x32AAABA2,
    CONDITION = 0x3CB0B1BB,
    RWLOCK = 0x2DA8B3B4,
    ONCE = 0x30B1BCBA,
    READY = 0x4D414348,
    MAKING = 0x4D414349,
};

struct object { /* a mutex, a rwlock or a once */
    int64_t signature;
    char rest[];
};

static int result(int number) { /* these functions return Darwin's number */
    switch (number) {
    case 0: return 0;
    case EAGAIN: return 35;
    case EDEADLK: return 11;
    case ETIMEDOUT: return 60;
    default: return number;
    }
}

static void *mutex_init(struct object *m, int kind) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, kind);
    pthread_mutex_init((pthread_mutex_t *)m->rest, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return m->rest;
}

static pthread_mutex_t *mutex(struct object *m) {
    for (;;) {
        int64_t now = __atomic_load_n(&m->signature, __ATOMIC_ACQUIRE);
        if (now == READY) return (pthread_mutex_t *)m->rest;
        if (now == MAKING) { sched_yield(); continue; }
        int kind = now == MUTEX             ? PTHREAD_MUTEX_DEFAULT
                   : now == MUTEX_ERRORCHECK ? PTHREAD_MUTEX_ERRORCHECK
                   : now == MUTEX_RECURSIVE  ? PTHREAD_MUTEX_RECURSIVE
                                             : -1;
        if (kind < 0) return NULL; /* Darwin answers EINVAL, too */
        if (!__atomic_compare_exchange_n(&m->signature, &now, MAKING, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) continue;
        mutex_init(m, kind);
        __atomic_store_n(&m->signature, READY, __ATOMIC_RELEASE);
    }
}

static int darwin_mutex_init(struct object *m, const pthread_mutexattr_t *attributes) {
    int failed = pthread_mutex_init((pthread_mutex_t *)m->rest, attributes);
    m->signature = READY;
    return result(failed);
}
#define ON_MUTEX(name)                                             \
    static int darwin_mutex_##name(struct object *m) {             \
        pthread_mutex_t *here = mutex(m);                          \
        return here ? result(pthread_mutex_##name(here)) : EINVAL; \
    }
ON_MUTEX(lock)
ON_MUTEX(trylock)
ON_MUTEX(unlock)
static int darwin_mutex_destroy(struct object *m) {
    pthread_mutex_t *here = mutex(m);
    if (!here) return EINVAL;
    int failed = pthread_mutex_destroy(here);
    if (!failed) m->signature = 0;
    return result(failed);
}

static int darwin_mutexattr_settype(pthread_mutexattr_t *attributes, int kind) {
    switch (kind) {
    case 0: return pthread_mutexattr_settype(attributes, PTHREAD_MUTEX_NORMAL);
    case 1: return pthread_mutexattr_settype(attributes, PTHREAD_MUTEX_ERRORCHECK);
    case 2: return pthread_mutexattr_settype(attributes, PTHREAD_MUTEX_RECURSIVE);
    default: return EINVAL;
    }
}

static pthread_cond_t *condition(void *c) { /* has no room for a signature */
    int64_t made_statically = CONDITION;
    __atomic_compare_exchange_n((int64_t *)c, &made_statically, 0, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    return c;
}
static int darwin_cond_init(void *c, const pthread_condattr_t *a) { return result(pthread_cond_init(c, a)); }
static int darwin_cond_destroy(void *c) { return result(pthread_cond_destroy(condition(c))); }
static int darwin_cond_signal(void *c) { return result(pthread_cond_signal(condition(c))); }
static int darwin_cond_broadcast(void *c) { return result(pthread_cond_broadcast(condition(c))); }
static int darwin_cond_wait(void *c, struct object *m) { return result(pthread_cond_wait(condition(c), mutex(m))); }
static int darwin_cond_timedwait(void *c, struct object *m, const struct timespec *until) {
    return result(pthread_cond_timedwait(condition(c), mutex(m), until));
}

static struct timespec from_now(uint64_t nanoseconds) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    nanoseconds += (uint64_t)at.tv_nsec;
    at.tv_sec += (time_t)(nanoseconds / 1000000000), at.tv_nsec = (long)(nanoseconds % 1000000000);
    return at;
}
static int darwin_cond_timedwait_relative(void *c, struct object *m, const struct timespec *time) {
    struct timespec until = from_now((uint64_t)time->tv_nsec);
    until.tv_sec += time->tv_sec;
    return darwin_cond_timedwait(c, m, &until);
}

static pthread_rwlock_t *rwlock(struct object *l) {
    int64_t made_statically = RWLOCK; /* what follows are zeros, as glibc wants it */
    __atomic_compare_exchange_n(&l->signature, &made_statically, READY, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    return l->signature == READY ? (pthread_rwlock_t *)l->rest : NULL;
}
static int darwin_rwlock_init(struct object *l, const void *attributes) {
    if (attributes) machorun_unsupported("attributes of a rwlock");
    l->signature = READY;
    return result(pthread_rwlock_init((pthread_rwlock_t *)l->rest, NULL));
}
#define ON_RWLOCK(name)                                              \
    static int darwin_rwlock_##name(struct object *l) {              \
        pthread_rwlock_t *here = rwlock(l);                          \
        return here ? result(pthread_rwlock_##name(here)) : EINVAL;  \
    }
ON_RWLOCK(rdlock)
ON_RWLOCK(wrlock)
ON_RWLOCK(tryrdlock)
ON_RWLOCK(trywrlock)
ON_RWLOCK(unlock)
ON_RWLOCK(destroy)

static int darwin_once(struct object *o, void (*function)(void)) {
    if (o->signature != ONCE) return EINVAL;
    return result(pthread_once((pthread_once_t *)o->rest, function));
}

static int darwin_key_create(unsigned long *key, void (*destructor)(void *)) {
    pthread_key_t made;
    int failed = pthread_key_create(&made, destructor);
    if (!failed) *key = made;
    return result(failed);
}
static int darwin_key_delete(unsigned long key) { return result(pthread_key_delete((pthread_key_t)key)); }
static void *darwin_getspecific(unsigned long key) { return pthread_getspecific((pthread_key_t)key); }
static int darwin_setspecific(unsigned long key, const void *value) {
    return result(pthread_setspecific((pthread_key_t)key, value));
}

static int darwin_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
    return result(pthread_create(thread, attributes, start, argument));
}
static int darwin_join(pthread_t thread, void **value) { return result(pthread_join(thread, value)); }

static int darwin_threadid(pthread_t thread, uint64_t *id) {
    if (thread && !pthread_equal(thread, pthread_self())) machorun_unsupported("the number of another thread");
    *id = (uint64_t)syscall(SYS_gettid);
    return 0;
}
static int darwin_setname(const char *name) { return result(pthread_setname_np(pthread_self(), name)); }

static void stack_of(pthread_t thread, void **low, size_t *size) {
    pthread_attr_t attributes;
    if (pthread_getattr_np(thread, &attributes)) abort();
    pthread_attr_getstack(&attributes, low, size);
    pthread_attr_destroy(&attributes);
}
static void *darwin_stackaddr(pthread_t thread) { /* its upper end */
    void *low;
    size_t size;
    stack_of(thread, &low, &size);
    return (char *)low + size;
}
static size_t darwin_stacksize(pthread_t thread) {
    void *low;
    size_t size;
    stack_of(thread, &low, &size);
    return size;
}

static int thread_local_at_exit(void (*function)(void *), void *object, void *image) {
    (void)image; /* never unloaded, and glibc does not know it: this library's own handle serves */
    return __cxa_thread_atexit_impl(function, object, &__dso_handle);
}

static void unfair_lock(uint32_t *lock) {
    while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE)) sched_yield();
}
static int unfair_trylock(uint32_t *lock) { return !__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE); }
static void unfair_unlock(uint32_t *lock) { __atomic_store_n(lock, 0, __ATOMIC_RELEASE); }

struct semaphore {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    long value;
};

static struct semaphore *semaphore_create(long value) {
    struct semaphore *made = malloc(sizeof *made);
    if (!made) abort();
    pthread_mutex_init(&made->mutex, NULL), pthread_cond_init(&made->condition, NULL);
    made->value = value;
    return made;
}
static long semaphore_signal(struct semaphore *s) {
    pthread_mutex_lock(&s->mutex);
    s->value++;
    pthread_cond_signal(&s->condition);
    pthread_mutex_unlock(&s->mutex);
    return 0;
}
static long semaphore_wait(struct semaphore *s, uint64_t until) { /* until: from dispatch_time */
    int failed = 0;
    struct timespec at = {.tv_sec = (time_t)(until / 1000000000), .tv_nsec = (long)(until % 1000000000)};
    pthread_mutex_lock(&s->mutex);
    while (!s->value && !failed) {
        if (until == UINT64_MAX)
            pthread_cond_wait(&s->condition, &s->mutex);
        else
            failed = pthread_cond_timedwait(&s->condition, &s->mutex, &at);
    }
    if (s->value) s->value--, failed = 0;
    pthread_mutex_unlock(&s->mutex);
    return failed ? 49 : 0; /* KERN_OPERATION_TIMED_OUT */
}
static void dispatch_release(struct semaphore *s) {
    pthread_mutex_destroy(&s->mutex), pthread_cond_destroy(&s->condition);
    free(s);
}
static uint64_t dispatch_time(uint64_t when, int64_t nanoseconds) { /* opaque to callers: ours is the wall clock's */
    if (when == UINT64_MAX) return when;
    if (when) machorun_unsupported("a base of dispatch_time");
    struct timespec at = from_now((uint64_t)nanoseconds);
    return (uint64_t)at.tv_sec * 1000000000 + (uint64_t)at.tv_nsec;
}

const struct machorun_symbol machorun_threads[] = {
    {"_pthread_mutex_init", darwin_mutex_init}, {"_pthread_mutex_lock", darwin_mutex_lock},
    {"_pthread_mutex_trylock", darwin_mutex_trylock}, {"_pthread_mutex_unlock", darwin_mutex_unlock},
    {"_pthread_mutex_destroy", darwin_mutex_destroy}, {"_pthread_mutexattr_init", pthread_mutexattr_init},
    {"_pthread_mutexattr_destroy", pthread_mutexattr_destroy},
    {"_pthread_mutexattr_settype", darwin_mutexattr_settype}, {"_pthread_cond_init", darwin_cond_init},
    {"_pthread_cond_destroy", darwin_cond_destroy}, {"_pthread_cond_signal", darwin_cond_signal},
    {"_pthread_cond_broadcast", darwin_cond_broadcast}, {"_pthread_cond_wait", darwin_cond_wait},
    {"_pthread_cond_timedwait", darwin_cond_timedwait}, {"_pthread_condattr_init", pthread_condattr_init},
    {"_pthread_condattr_destroy", pthread_condattr_destroy},
    {"_pthread_cond_timedwait_relative_np", darwin_cond_timedwait_relative},
    {"_pthread_rwlock_init", darwin_rwlock_init}, {"_pthread_rwlock_rdlock", darwin_rwlock_rdlock},
    {"_pthread_rwlock_wrlock", darwin_rwlock_wrlock}, {"_pthread_rwlock_tryrdlock", darwin_rwlock_tryrdlock},
    {"_pthread_rwlock_trywrlock", darwin_rwlock_trywrlock}, {"_pthread_rwlock_unlock", darwin_rwlock_unlock},
    {"_pthread_rwlock_destroy", darwin_rwlock_destroy}, {"_pthread_once", darwin_once},
    {"_pthread_key_create", darwin_key_create}, {"_pthread_key_delete", darwin_key_delete},
    {"_pthread_getspecific", darwin_getspecific}, {"_pthread_setspecific", darwin_setspecific},
    {"_pthread_create", darwin_create}, {"_pthread_join", darwin_join}, {"_pthread_detach", pthread_detach},
    {"_pthread_self", pthread_self}, {"_pthread_attr_init", pthread_attr_init},
    {"_pthread_attr_destroy", pthread_attr_destroy}, {"_pthread_attr_setstacksize", pthread_attr_setstacksize},
    {"_pthread_attr_getstacksize", pthread_attr_getstacksize}, {"_pthread_threadid_np", darwin_threadid},
    {"_pthread_setname_np", darwin_setname}, {"_pthread_getname_np", pthread_getname_np},
    {"_pthread_get_stackaddr_np", darwin_stackaddr}, {"_pthread_get_stacksize_np", darwin_stacksize},
    {"__tlv_atexit", thread_local_at_exit}, {"_os_unfair_lock_lock", unfair_lock},
    {"_os_unfair_lock_trylock", unfair_trylock}, {"_os_unfair_lock_unlock", unfair_unlock},
    {"_dispatch_semaphore_create", semaphore_create}, {"_dispatch_semaphore_signal", semaphore_signal},
    {"_dispatch_semaphore_wait", semaphore_wait}, {"_dispatch_release", dispatch_release},
    {"_dispatch_time", dispatch_time}, {0}};

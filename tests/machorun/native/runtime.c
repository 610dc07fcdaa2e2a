/* What the loader cannot do in Python: thread-locals, and traps for symbols that the shim lacks. */

#define _GNU_SOURCE
#include "machorun.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* --- traps: each unknown symbol is bound to a page of its own that nobody may touch --- */

static struct {
    uintptr_t start;
    size_t slot, count;
    const char *const *names;
} traps;
static struct sigaction before[2];

__attribute__((noreturn, cold)) static void die(const char *what, const char *name) {
    char text[512];
    int length = snprintf(text, sizeof text, "machorun: %s %s\n", what, name);
    if (length > (int)sizeof text) length = sizeof text;
    ssize_t ignored = write(2, text, (size_t)length);
    (void)ignored;
    _exit(MACHORUN_TRAP);
}

void machorun_unsupported(const char *what) { die("the shim of libSystem does not know", what); }

static void on_fault(int number, siginfo_t *info, void *context) {
    (void)context;
    uintptr_t at = (uintptr_t)info->si_addr;
    if (at >= traps.start && at < traps.start + traps.slot * traps.count)
        die("trap: the module used a symbol that is not provided:", traps.names[(at - traps.start) / traps.slot]);
    sigaction(number, &before[number == SIGBUS], NULL); /* the fault comes again, and is not ours */
}

void machorun_set_traps(uintptr_t start, size_t slot, size_t count, const char *const *names) {
    static int installed;
    traps.start = start, traps.slot = slot, traps.count = count, traps.names = names;
    if (installed++) return;
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &action, &before[0]);
    sigaction(SIGBUS, &action, &before[1]);
}

/* --- thread-locals: a block for each image and thread, copied from the image as it is after fixups --- */

struct block {
    pthread_key_t key;
    const void *template;
    size_t size, align;
};

void *machorun_new_block(const void *template, size_t size, size_t align) {
    struct block *block = malloc(sizeof *block);
    if (!block || pthread_key_create(&block->key, free)) abort();
    block->template = template, block->size = size, block->align = align < 16 ? 16 : align;
    return block;
}

/* Called by the thunk below with a descriptor {thunk, block, offset}. */
__attribute__((used, visibility("hidden"))) void *machorun_thread_local(void **descriptor) {
    struct block *block = descriptor[1];
    char *memory = pthread_getspecific(block->key);
    if (!memory) {
        if (posix_memalign((void **)&memory, block->align, block->size ? block->size : 1)) abort();
        memcpy(memory, block->template, block->size);
        pthread_setspecific(block->key, memory);
    }
    return memory + (uintptr_t)descriptor[2];
}

/* Code that reads a thread-local counts on it that its other registers stay, those of vectors included. */
#if defined(__x86_64__)
__attribute__((used, visibility("hidden"))) uint32_t machorun_xsave;

__attribute__((constructor)) static void look_at_processor(void) {
    unsigned a, b, c, d;
    machorun_xsave = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_OSXSAVE) ? 0xE7 : 0; /* x87, SSE, AVX, AVX-512 */
}

__asm__(".globl machorun_thunk\n"
        ".type machorun_thunk, @function\n"
        "machorun_thunk:\n"
        "  pushq %rbp\n  movq %rsp, %rbp\n"
        "  pushq %rbx\n  pushq %rcx\n  pushq %rdx\n  pushq %rsi\n  pushq %rdi\n"
        "  pushq %r8\n  pushq %r9\n  pushq %r10\n  pushq %r11\n"
        "  subq $2880, %rsp\n  andq $-64, %rsp\n"
        "  movl machorun_xsave(%rip), %eax\n  testl %eax, %eax\n  je 1f\n"
        "  movq $0, 512(%rsp)\n  movq $0, 520(%rsp)\n  movq $0, 528(%rsp)\n  movq $0, 536(%rsp)\n"
        "  movq $0, 544(%rsp)\n  movq $0, 552(%rsp)\n  movq $0, 560(%rsp)\n  movq $0, 568(%rsp)\n"
        "  xorl %edx, %edx\n  xsave64 (%rsp)\n"
        "  call machorun_thread_local\n  movq %rax, %rbx\n"
        "  movl machorun_xsave(%rip), %eax\n  xorl %edx, %edx\n  xrstor64 (%rsp)\n  jmp 2f\n"
        "1: fxsave64 (%rsp)\n  call machorun_thread_local\n  movq %rax, %rbx\n  fxrstor64 (%rsp)\n"
        "2: movq %rbx, %rax\n  leaq -72(%rbp), %rsp\n"
        "  popq %r11\n  popq %r10\n  popq %r9\n  popq %r8\n"
        "  popq %rdi\n  popq %rsi\n  popq %rdx\n  popq %rcx\n  popq %rbx\n  popq %rbp\n  ret\n"
        ".size machorun_thunk, . - machorun_thunk\n");
#elif defined(__aarch64__)
__asm__(".globl machorun_thunk\n"
        ".type machorun_thunk, %function\n"
        "machorun_thunk:\n"
        "  stp x29, x30, [sp, #-16]!\n  mov x29, sp\n  sub sp, sp, #640\n"
        "  stp x1, x2, [sp]\n  stp x3, x4, [sp, #16]\n  stp x5, x6, [sp, #32]\n  stp x7, x8, [sp, #48]\n"
        "  stp x9, x10, [sp, #64]\n  stp x11, x12, [sp, #80]\n  stp x13, x14, [sp, #96]\n  stp x15, x18, [sp, #112]\n"
        "  stp q0, q1, [sp, #128]\n  stp q2, q3, [sp, #160]\n  stp q4, q5, [sp, #192]\n  stp q6, q7, [sp, #224]\n"
        "  stp q8, q9, [sp, #256]\n  stp q10, q11, [sp, #288]\n  stp q12, q13, [sp, #320]\n  stp q14, q15, [sp, #352]\n"
        "  stp q16, q17, [sp, #384]\n  stp q18, q19, [sp, #416]\n  stp q20, q21, [sp, #448]\n  stp q22, q23, [sp, #480]\n"
        "  stp q24, q25, [sp, #512]\n  stp q26, q27, [sp, #544]\n  stp q28, q29, [sp, #576]\n  stp q30, q31, [sp, #608]\n"
        "  bl machorun_thread_local\n"
        "  ldp x1, x2, [sp]\n  ldp x3, x4, [sp, #16]\n  ldp x5, x6, [sp, #32]\n  ldp x7, x8, [sp, #48]\n"
        "  ldp x9, x10, [sp, #64]\n  ldp x11, x12, [sp, #80]\n  ldp x13, x14, [sp, #96]\n  ldp x15, x18, [sp, #112]\n"
        "  ldp q0, q1, [sp, #128]\n  ldp q2, q3, [sp, #160]\n  ldp q4, q5, [sp, #192]\n  ldp q6, q7, [sp, #224]\n"
        "  ldp q8, q9, [sp, #256]\n  ldp q10, q11, [sp, #288]\n  ldp q12, q13, [sp, #320]\n  ldp q14, q15, [sp, #352]\n"
        "  ldp q16, q17, [sp, #384]\n  ldp q18, q19, [sp, #416]\n  ldp q20, q21, [sp, #448]\n  ldp q22, q23, [sp, #480]\n"
        "  ldp q24, q25, [sp, #512]\n  ldp q26, q27, [sp, #544]\n  ldp q28, q29, [sp, #576]\n  ldp q30, q31, [sp, #608]\n"
        "  add sp, sp, #640\n  ldp x29, x30, [sp], #16\n  ret\n");
#else
#error "machorun knows x86_64 and arm64"
#endif

/* Functions with `...`: on arm64 Darwin passes what stands for the dots on the stack, in slots of 8 bytes. */

#define _GNU_SOURCE
#include "machorun.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int machorun_open(const char *path, int flags, int mode);
int machorun_openat(int at, const char *path, int flags, int mode);
int machorun_fcntl(int fd, int command, long argument);

#if defined(__x86_64__)

/* System V passes them as it passes all else. */
const struct machorun_symbol machorun_variadics[] = {
    {"_open", machorun_open}, {"_openat", machorun_openat}, {"_fcntl", machorun_fcntl}, {0}};

#else

/* NAME(fixed arguments …): puts the slots' address behind them and goes on in slots_NAME. */
#define AT_SLOTS(name, fixed)                                                                         \
    void at_##name(void);                                                                             \
    __asm__(".globl at_" #name "\nat_" #name ":\n  mov x" #fixed ", sp\n  b slots_" #name "\n")

typedef uintptr_t word;

static va_list *list(va_list *made, word *slots) { /* all registers used up: it goes on at the slots */
    memset(made, 0, sizeof *made);
    made->__stack = slots;
    return made;
}

static void *python(const char *name) {
    void *found = dlsym(RTLD_DEFAULT, name);
    if (!found) machorun_unsupported(name);
    return found;
}

int slots_open(const char *path, int flags, word *slots) { return machorun_open(path, flags, (int)slots[0]); }
int slots_openat(int at, const char *path, int flags, word *slots) {
    return machorun_openat(at, path, flags, (int)slots[0]);
}
int slots_fcntl(int fd, int command, word *slots) { return machorun_fcntl(fd, command, (long)slots[0]); }
int slots_snprintf(char *to, size_t size, const char *format, word *slots) {
    va_list made;
    return vsnprintf(to, size, format, *list(&made, slots));
}
int slots_fprintf(FILE *to, const char *format, word *slots) {
    va_list made;
    return vfprintf(to, format, *list(&made, slots));
}
int slots_printf(const char *format, word *slots) {
    va_list made;
    return vprintf(format, *list(&made, slots));
}
AT_SLOTS(open, 2);
AT_SLOTS(openat, 3);
AT_SLOTS(fcntl, 2);
AT_SLOTS(snprintf, 3);
AT_SLOTS(fprintf, 2);
AT_SLOTS(printf, 1);

/* Python's with a variant that takes a va_list. */
#define PYTHON_2(name, variant)                                                        \
    __attribute__((used)) static word slots_##name(word a, word b, word *slots) {      \
        va_list made;                                                                  \
        word (*function)(word, word, va_list) = python(variant);                       \
        return function(a, b, *list(&made, slots));                                    \
    }                                                                                  \
    AT_SLOTS(name, 2)
#define PYTHON_1(name, variant)                                                        \
    __attribute__((used)) static word slots_##name(word a, word *slots) {              \
        va_list made;                                                                  \
        word (*function)(word, va_list) = python(variant);                             \
        return function(a, *list(&made, slots));                                       \
    }                                                                                  \
    AT_SLOTS(name, 1)
PYTHON_2(PyErr_Format, "PyErr_FormatV");
PYTHON_1(PyUnicode_FromFormat, "PyUnicode_FromFormatV");
PYTHON_2(PyArg_ParseTuple, "PyArg_VaParse");
PYTHON_2(PyArg_Parse, "PyArg_VaParse");
PYTHON_1(Py_BuildValue, "Py_VaBuildValue");
PYTHON_1(_Py_BuildValue_SizeT, "_Py_VaBuildValue_SizeT");
__attribute__((used)) static int slots_PyArg_ParseTupleAndKeywords(word a, word b, word c, word d, word *slots) {
    va_list made;
    int (*function)(word, word, word, word, va_list) = python("PyArg_VaParseTupleAndKeywords");
    return function(a, b, c, d, *list(&made, slots));
}
AT_SLOTS(PyArg_ParseTupleAndKeywords, 4);
__attribute__((used)) static int slots_PyOS_snprintf(word a, word b, word c, word *slots) {
    va_list made;
    int (*function)(word, word, word, va_list) = python("PyOS_vsnprintf");
    return function(a, b, c, *list(&made, slots));
}
AT_SLOTS(PyOS_snprintf, 3);

/* Those without one, which take pointers and integers alone: their slots are handed on as plain arguments. */
#define SLOTS                                                                                                    \
    slots[0], slots[1], slots[2], slots[3], slots[4], slots[5], slots[6], slots[7], slots[8], slots[9], slots[10], \
        slots[11], slots[12], slots[13], slots[14], slots[15], slots[16], slots[17], slots[18], slots[19]
#define FORWARD_1(name)                                                               \
    __attribute__((used)) static word slots_##name(word a, word *slots) {             \
        word (*function)(word, ...) = python(#name);                                  \
        return function(a, SLOTS);                                                    \
    }                                                                                 \
    AT_SLOTS(name, 1)
#define FORWARD_2(name)                                                               \
    __attribute__((used)) static word slots_##name(word a, word b, word *slots) {     \
        word (*function)(word, word, ...) = python(#name);                            \
        return function(a, b, SLOTS);                                                 \
    }                                                                                 \
    AT_SLOTS(name, 2)
FORWARD_1(PyTuple_Pack);
FORWARD_1(PyObject_CallFunctionObjArgs);
FORWARD_2(PyObject_CallMethodObjArgs);
FORWARD_2(PyObject_CallFunction);
FORWARD_2(_PyObject_CallFunction_SizeT);
__attribute__((used)) static word slots_PyObject_CallMethod(word a, word b, word c, word *slots) {
    word (*function)(word, word, word, ...) = python("PyObject_CallMethod");
    return function(a, b, c, SLOTS);
}
AT_SLOTS(PyObject_CallMethod, 3);
__attribute__((used)) static word slots_PyErr_WarnFormat(word a, word b, word c, word *slots) {
    word (*function)(word, word, word, ...) = python("PyErr_WarnFormat");
    return function(a, b, c, SLOTS);
}
AT_SLOTS(PyErr_WarnFormat, 3);

#define ENTRY(name) {"_" #name, at_##name}
const struct machorun_symbol machorun_variadics[] = {
    ENTRY(open), ENTRY(openat), ENTRY(fcntl), ENTRY(snprintf), ENTRY(fprintf), ENTRY(printf), ENTRY(PyErr_Format),
    ENTRY(PyUnicode_FromFormat), ENTRY(PyArg_ParseTuple), ENTRY(PyArg_Parse), ENTRY(PyArg_ParseTupleAndKeywords),
    ENTRY(Py_BuildValue), ENTRY(_Py_BuildValue_SizeT), ENTRY(PyOS_snprintf), ENTRY(PyTuple_Pack),
    ENTRY(PyObject_CallFunctionObjArgs), ENTRY(PyObject_CallMethodObjArgs), ENTRY(PyObject_CallFunction),
    ENTRY(_PyObject_CallFunction_SizeT), ENTRY(PyObject_CallMethod), ENTRY(PyErr_WarnFormat), {0}};

#endif

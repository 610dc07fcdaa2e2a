"""Where the symbols that a macOS module imports come from on Linux.

A name is bound only where its interface is the same on both systems: here by name, or in the C shim where it
differs. Everything else becomes a trap that names it.
"""

from __future__ import annotations

import ctypes

LIBSYSTEM = "/usr/lib/libSystem.B.dylib"
LIBCXX = "/usr/lib/libc++.1.dylib"
# Libraries that may be named; those without a list below provide nothing.
KNOWN = (
    LIBSYSTEM,
    LIBCXX,
    "/usr/lib/libiconv.2.dylib",
    "/usr/lib/libcharset.1.dylib",
    "/usr/lib/libresolv.9.dylib",
    "/usr/lib/libz.1.dylib",
)
FRAMEWORKS = "/System/Library/Frameworks/"
ASIDE = ("$NOCANCEL", "$UNIX2003", "$DARWIN_EXTSN")  # spellings of the same function

_SAME = """
    malloc calloc realloc free posix_memalign aligned_alloc abort exit _exit qsort bsearch rand srand
    memcpy memmove memset memcmp memchr memmem strlen strnlen strcmp strncmp strcasecmp strncasecmp strchr strrchr
    strstr strcpy strncpy strcat strncat strdup strndup strtok_r strspn strcspn strpbrk strcoll
    strtol strtoll strtoul strtoull strtod strtof atoi atol atof
    getenv setenv unsetenv getcwd chdir getpid getppid getuid geteuid getgid getegid isatty
    read write readv writev pread pwrite lseek close ftruncate truncate fsync unlink rename mkdir rmdir link symlink
    readlink chmod fchmod access dup dup2 pipe umask munmap mprotect
    getentropy nanosleep usleep sleep gettimeofday time gmtime_r localtime_r mktime timegm sched_yield
    puts fputs fputc putc fwrite fread fflush fclose putchar perror
    ceil floor trunc round rint nearbyint lround llround lrint llrint fabs fmod remainder fma fmin fmax copysign
    pow exp exp2 expm1 log log2 log10 log1p sqrt cbrt hypot sin cos tan asin acos atan atan2 sinh cosh tanh asinh
    acosh atanh frexp ldexp scalbn modf tgamma lgamma_r erf erfc
    ceilf floorf truncf roundf rintf fabsf fmodf fmaf fminf fmaxf copysignf powf expf exp2f expm1f logf log2f log10f
    log1pf sqrtf cbrtf hypotf sinf cosf tanf asinf acosf atanf atan2f sinhf coshf tanhf asinhf acoshf atanhf frexpf
    ldexpf scalbnf
    pthread_equal __cxa_atexit
"""
_SAME_ON_X86_64 = "snprintf printf fprintf sscanf"  # with dots: elsewhere passed otherwise
# Frames, and 128-bit integers.
_LIBGCC = """
    _Unwind_RaiseException _Unwind_Resume _Unwind_DeleteException _Unwind_Backtrace _Unwind_ForcedUnwind
    _Unwind_Resume_or_Rethrow _Unwind_GetIP _Unwind_GetIPInfo _Unwind_SetIP _Unwind_GetGR _Unwind_SetGR
    _Unwind_GetLanguageSpecificData _Unwind_GetRegionStart _Unwind_GetDataRelBase _Unwind_GetTextRelBase
    _Unwind_GetCFA _Unwind_FindEnclosingFunction
    __udivti3 __umodti3 __divti3 __modti3 __floattidf __floatuntidf __fixdfti __fixunsdfti __floattisf __floatuntisf
    __fixsfti __fixunssfti
"""
_CXX = """
    _Znwm _Znam _ZdlPv _ZdaPv _ZdlPvm _ZdaPvm _ZnwmRKSt9nothrow_t _ZnamRKSt9nothrow_t _ZSt7nothrow _ZSt9terminatev
    __gxx_personality_v0 __cxa_begin_catch __cxa_end_catch __cxa_throw __cxa_rethrow __cxa_allocate_exception
    __cxa_free_exception __cxa_pure_virtual __cxa_guard_acquire __cxa_guard_release __cxa_guard_abort
    __cxa_get_exception_ptr __dynamic_cast
    _ZTVN10__cxxabiv117__class_type_infoE _ZTVN10__cxxabiv120__si_class_type_infoE
    _ZTVN10__cxxabiv121__vmi_class_type_infoE
    _ZNKSt3__16locale9use_facetERNS0_2idE _ZNSt3__15ctypeIcE2idE _ZNSt3__16locale7classicEv
"""
SAME, SAME_ON_X86_64, LIBGCC, CXX = (
    frozenset(names.split()) for names in (_SAME, _SAME_ON_X86_64, _LIBGCC, _CXX)
)


class MissingLibraryError(Exception):
    """A library that the module loads is not provided."""


class Symbols:
    """Finds symbols in the shim and this process."""

    def __init__(self, shim: ctypes.CDLL, arch: str) -> None:
        """Take symbols that differ from `shim`."""
        self._shim = shim.machorun_symbol
        self._shim.argtypes, self._shim.restype = [ctypes.c_char_p], ctypes.c_void_p
        self._same = SAME | (SAME_ON_X86_64 if arch == "x86_64" else frozenset())
        self._process = ctypes.CDLL(None)
        self._libm = ctypes.CDLL("libm.so.6")
        self._libgcc = ctypes.CDLL("libgcc_s.so.1", ctypes.RTLD_GLOBAL)
        self._cxx: ctypes.CDLL | None = None

    def in_library(self, library: str, symbol: str) -> int | None:
        """Return the address of a symbol of that library, as its install name; None where it is not provided."""
        if library == LIBSYSTEM:
            return self._libsystem(symbol)
        if library == LIBCXX and symbol[1:] in CXX:
            return self._address(self._libcxx(), symbol[1:])
        return None

    def in_python(self, symbol: str) -> int | None:
        """Return the address of a symbol of Python, in Mach-O's spelling (`_PyList_New`)."""
        if not symbol.startswith(("_Py", "__Py")):
            return None
        found: int | None = self._shim(symbol.encode())
        return found or self._address(self._process, symbol[1:])

    def require(self, library: str) -> None:
        """Raise `MissingLibraryError` where the library is neither provided nor known to be left out."""
        if library == LIBCXX:
            self._libcxx()
        elif library not in KNOWN and not library.startswith(FRAMEWORKS):
            raise MissingLibraryError(f"Library not loaded: {library}")

    def _libcxx(self) -> ctypes.CDLL:
        if self._cxx is None:
            try:
                self._cxx = ctypes.CDLL("libc++.so.1", ctypes.RTLD_GLOBAL)
            except OSError as error:
                raise MissingLibraryError(f"{error} (Debian: libc++1)") from error
        return self._cxx

    def _libsystem(self, symbol: str) -> int | None:
        if symbol.startswith(("_Py", "__Py")):
            return None
        found: int | None = self._shim(symbol.encode())
        if found:
            return found
        name = symbol[1:]
        for aside in ASIDE:
            name = name.removesuffix(aside)
        found = self._shim(b"_" + name.encode())
        if found:
            return found
        if name in LIBGCC:
            return self._address(self._libgcc, name)
        if name in self._same:
            return self._address(self._process, name) or self._address(self._libm, name)
        return None

    @staticmethod
    def _address(library: ctypes.CDLL, name: str) -> int | None:
        try:
            symbol = getattr(library, name)
        except AttributeError:
            return None
        address: int | None = ctypes.cast(symbol, ctypes.c_void_p).value
        return address

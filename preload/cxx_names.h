// Declarations of the 20 forms of operator new and delete by their mangled names (64-bit: size_t is m), and hidden
// names for our own definitions of the basic forms, by which a derived form sees whether the program has replaced one.
//
// All are weak: so a program that links the static library may replace them, and a compiler does not inline one form
// into another.
#ifndef MB_PRELOAD_CXX_NAMES_H
#define MB_PRELOAD_CXX_NAMES_H

#include <stddef.h>

#include "platform/compiler.h"

#define MB_CXX_NAME MB_EXPORT __attribute__((weak))

struct mb_nothrow; // std::nothrow_t

// new and new[]: plain, aligned, nothrow, aligned nothrow
MB_CXX_NAME void *_Znwm(size_t bytes);
MB_CXX_NAME void *_Znam(size_t bytes);
MB_CXX_NAME void *_ZnwmSt11align_val_t(size_t bytes, size_t align);
MB_CXX_NAME void *_ZnamSt11align_val_t(size_t bytes, size_t align);
MB_CXX_NAME void *_ZnwmRKSt9nothrow_t(size_t bytes, const struct mb_nothrow *tag);
MB_CXX_NAME void *_ZnamRKSt9nothrow_t(size_t bytes, const struct mb_nothrow *tag);
MB_CXX_NAME void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t align, const struct mb_nothrow *tag);
MB_CXX_NAME void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t align, const struct mb_nothrow *tag);

// delete and delete[]: plain, sized, nothrow, aligned, sized aligned, aligned nothrow
MB_CXX_NAME void _ZdlPv(void *p);
MB_CXX_NAME void _ZdaPv(void *p);
MB_CXX_NAME void _ZdlPvm(void *p, size_t bytes);
MB_CXX_NAME void _ZdaPvm(void *p, size_t bytes);
MB_CXX_NAME void _ZdlPvRKSt9nothrow_t(void *p, const struct mb_nothrow *tag);
MB_CXX_NAME void _ZdaPvRKSt9nothrow_t(void *p, const struct mb_nothrow *tag);
MB_CXX_NAME void _ZdlPvSt11align_val_t(void *p, size_t align);
MB_CXX_NAME void _ZdaPvSt11align_val_t(void *p, size_t align);
MB_CXX_NAME void _ZdlPvmSt11align_val_t(void *p, size_t bytes, size_t align);
MB_CXX_NAME void _ZdaPvmSt11align_val_t(void *p, size_t bytes, size_t align);
MB_CXX_NAME void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *p, size_t align, const struct mb_nothrow *tag);
MB_CXX_NAME void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *p, size_t align, const struct mb_nothrow *tag);

MB_HIDDEN void *mb_self_new(size_t bytes);
MB_HIDDEN void *mb_self_new_array(size_t bytes);
MB_HIDDEN void *mb_self_new_aligned(size_t bytes, size_t align);
MB_HIDDEN void *mb_self_new_array_aligned(size_t bytes, size_t align);
MB_HIDDEN void mb_self_delete(void *p);
MB_HIDDEN void mb_self_delete_array(void *p);
MB_HIDDEN void mb_self_delete_aligned(void *p, size_t align);
MB_HIDDEN void mb_self_delete_array_aligned(void *p, size_t align);

#endif

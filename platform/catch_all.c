// What: implements platform/catch_all.h by a stack frame in assembly with its own personality routine. When an
// exception reaches the frame, the routine tells the unwinder that it is handled here; the landing pad passes it to the
// C++ runtime as caught (__cxa_begin_catch, __cxa_end_catch). The symbols of the runtime and the unwinder are weak
// references: in a static C++ program the linker binds them, and libmbmalloc.so, which must not depend on a C++
// runtime, does without. Source of the protocol: Itanium C++ ABI, Exception Handling, 1.6 and 2.5.
#include "platform/catch_all.h"

#include <stdint.h>
#include <unwind.h>

#include "platform/compiler.h"

__attribute__((weak)) void *__cxa_begin_catch(void *exception);
__attribute__((weak)) void __cxa_end_catch(void);
#pragma weak _Unwind_SetGR
#pragma weak _Unwind_SetIP

MB_HIDDEN void *mb_catch_frame(mb_catchable *function, size_t first, size_t second);
MB_HIDDEN extern const char mb_catch_landing[];
MB_HIDDEN void *mb_catch_swallow(void *exception);
MB_HIDDEN _Unwind_Reason_Code mb_catch_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
                                                   struct _Unwind_Exception *exception, struct _Unwind_Context *context);

#if defined(__x86_64__)
enum { CPU_KNOWN = 1 };
__asm__(".text\n"
        ".globl mb_catch_frame, mb_catch_landing\n"
        ".hidden mb_catch_frame, mb_catch_landing\n"
        ".type mb_catch_frame, @function\n"
        "mb_catch_frame:\n"
        ".cfi_startproc\n"
        ".cfi_personality 0x1b, mb_catch_personality\n" // relative, four bytes
        "    sub $8, %rsp\n"
        ".cfi_def_cfa_offset 16\n"
        "    mov %rdi, %rax\n"
        "    mov %rsi, %rdi\n"
        "    mov %rdx, %rsi\n"
        "    call *%rax\n"
        "1:  add $8, %rsp\n"
        ".cfi_def_cfa_offset 8\n"
        "    ret\n"
        "mb_catch_landing:\n"
        ".cfi_def_cfa_offset 16\n"
        "    mov %rax, %rdi\n"
        "    call mb_catch_swallow\n"
        "    jmp 1b\n"
        ".cfi_endproc\n"
        ".size mb_catch_frame, . - mb_catch_frame\n");
#elif defined(__aarch64__)
enum { CPU_KNOWN = 1 };
__asm__(".text\n"
        ".globl mb_catch_frame, mb_catch_landing\n"
        ".hidden mb_catch_frame, mb_catch_landing\n"
        ".type mb_catch_frame, %function\n"
        "mb_catch_frame:\n"
        ".cfi_startproc\n"
        ".cfi_personality 0x1b, mb_catch_personality\n"
        "    stp x29, x30, [sp, #-16]!\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset 29, -16\n"
        ".cfi_offset 30, -8\n"
        "    mov x29, sp\n"
        "    mov x8, x0\n"
        "    mov x0, x1\n"
        "    mov x1, x2\n"
        "    blr x8\n"
        "1:  ldp x29, x30, [sp], #16\n"
        "    ret\n"
        "mb_catch_landing:\n"
        "    bl mb_catch_swallow\n"
        "    b 1b\n"
        ".cfi_endproc\n"
        ".size mb_catch_frame, . - mb_catch_frame\n");
#else
enum { CPU_KNOWN = 0 };
const char mb_catch_landing[1];
void *mb_catch_frame(mb_catchable *function, size_t first, size_t second) { return function(first, second); }
#endif

MB_UNUSED void *mb_catch_swallow(void *exception) {
    __cxa_begin_catch(exception);
    __cxa_end_catch();
    return NULL;
}

// A forced unwind (pthread_cancel, pthread_exit) is not caught: it continues through the frame.
MB_UNUSED _Unwind_Reason_Code mb_catch_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
                                                   struct _Unwind_Exception *exception, struct _Unwind_Context *context) {
    (void)class;
    if (version != 1) return _URC_FATAL_PHASE1_ERROR;
    if (actions & _UA_FORCE_UNWIND) return _URC_CONTINUE_UNWIND;
    if (actions & _UA_SEARCH_PHASE) return _URC_HANDLER_FOUND;
    if ((actions & _UA_HANDLER_FRAME) == 0) return _URC_CONTINUE_UNWIND;
    _Unwind_SetGR(context, __builtin_eh_return_data_regno(0), (uintptr_t)exception);
    _Unwind_SetIP(context, (uintptr_t)mb_catch_landing);
    return _URC_INSTALL_CONTEXT;
}

bool mb_can_catch_all(void) {
    return CPU_KNOWN && __cxa_begin_catch != NULL && __cxa_end_catch != NULL && _Unwind_SetGR != NULL && _Unwind_SetIP != NULL;
}

void *mb_call_caught(mb_catchable *function, size_t first, size_t second) { return mb_catch_frame(function, first, second); }

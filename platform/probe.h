// Static probe points for tracers (USDT): a nop in the code, and an ELF note that tells where it is and where its
// arguments are.
//
// What: the format of SystemTap's sys/sdt.h, version 3, which bpftrace, perf, gdb and SystemTap read. A probe that is
// not traced costs a nop and the evaluation of its arguments, so probes stand in slow paths only.
#ifndef MB_PLATFORM_PROBE_H
#define MB_PLATFORM_PROBE_H

#include <stdint.h>

// A probe mbmalloc:name with two arguments of 64 bits.
#define MB_PROBE2(name, first, second)                                                                                                     \
    __asm__ volatile("990: nop\n"                                                                                                          \
                     ".pushsection .note.stapsdt,\"?\",\"note\"\n"                                                                         \
                     ".balign 4\n"                                                                                                         \
                     ".4byte 992f-991f, 994f-993f, 3\n"                                                                                    \
                     "991: .asciz \"stapsdt\"\n"                                                                                           \
                     "992: .balign 4\n"                                                                                                    \
                     "993: .8byte 990b\n"                                                                                                  \
                     ".8byte _.stapsdt.base\n"                                                                                             \
                     ".8byte 0\n"                                                                                                          \
                     ".asciz \"mbmalloc\"\n"                                                                                               \
                     ".asciz \"" #name "\"\n"                                                                                              \
                     ".asciz \"8@%0 8@%1\"\n"                                                                                              \
                     "994: .balign 4\n"                                                                                                    \
                     ".popsection\n"                                                                                                       \
                     ".ifndef _.stapsdt.base\n"                                                                                            \
                     ".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"                                               \
                     ".weak _.stapsdt.base\n"                                                                                              \
                     ".hidden _.stapsdt.base\n"                                                                                            \
                     "_.stapsdt.base: .space 1\n"                                                                                          \
                     ".size _.stapsdt.base, 1\n"                                                                                           \
                     ".popsection\n"                                                                                                       \
                     ".endif\n"                                                                                                            \
                     :                                                                                                                     \
                     : "r"((uint64_t)(first)), "r"((uint64_t)(second)))

#endif

// The C++ operators' test, callable from C: cxx_suite.cpp is linked into a C++ program, or is a library that a C
// program opens with RTLD_LOCAL, or part of a fully static program.
#ifndef MB_TESTS_PROCESS_CXX_SUITE_H
#define MB_TESTS_PROCESS_CXX_SUITE_H

#ifdef __cplusplus
extern "C"
#endif
void cxx_suite_run(void);

#endif

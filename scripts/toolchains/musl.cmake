# musl on the processor of this machine: Debian's musl-tools, whose compiler is gcc with other headers and libraries (C
# alone). On Alpine the system's own compiler needs no such file.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${CMAKE_HOST_SYSTEM_PROCESSOR})
set(CMAKE_C_COMPILER musl-gcc)
# What other compilers ask the linker for: tables by which call stacks are walked, and what debuggers know a build by.
add_link_options(-Wl,--eh-frame-hdr,--build-id)

# For the tests: what this target is called there, and C++ if scripts/toolchains/musl-g++ has made a compiler for it.
set(MB_TARGET musl)
set(MB_TARGET_CXX OFF)
get_filename_component(made ${CMAKE_CURRENT_LIST_DIR}/../../build/debian/musl-g++ ABSOLUTE)
if(EXISTS ${made}/.done)
    set(MB_TARGET_CXX ON)
    set(CMAKE_CXX_COMPILER ${made}/bin/musl-g++)
endif()

# musl on 64-bit ARM, built on another machine: Debian's gcc-aarch64-linux-gnu with the headers and libraries of its
# package musl-dev for arm64, which scripts/debian fetches (C alone). Its programs run here by qemu-user-static.
get_filename_component(root ${CMAKE_CURRENT_LIST_DIR}/../.. ABSOLUTE)
set(packages ${root}/build/debian/arm64)
set(specs ${root}/build/debian/aarch64-musl.specs)
if(NOT EXISTS ${packages}/usr/lib/aarch64-linux-musl/libc.a OR NOT EXISTS ${specs})
    execute_process(COMMAND ${root}/scripts/debian arm64 musl musl-dev RESULT_VARIABLE failed OUTPUT_QUIET)
    if(failed)
        message(FATAL_ERROR "Debian's packages musl and musl-dev for arm64 cannot be had")
    endif()
    set(include "-nostdinc -isystem ${packages}/usr/include/aarch64-linux-musl -isystem include%s")
    set(lib ${packages}/usr/lib/aarch64-linux-musl)
    # As musl-gcc has them for the machine's own processor.
    file(WRITE ${specs} "%rename cpp_options old_cpp_options

*cpp_options:
${include} %(old_cpp_options)

*cc1:
%(cc1_cpu) ${include}

*link_libgcc:
-L${packages}/lib/aarch64-linux-musl -L${lib} -L .%s

*libgcc:
libgcc.a%s %:if-exists(libgcc_eh.a%s)

*startfile:
%{!shared: ${lib}/Scrt1.o} ${lib}/crti.o crtbeginS.o%s

*endfile:
crtendS.o%s ${lib}/crtn.o

*link:
-dynamic-linker /lib/ld-musl-aarch64.so.1 -nostdlib %{shared:-shared} %{static:-static} %{rdynamic:-export-dynamic}

")
endif()
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
# This libgcc asks glibc which instructions there are: without it no LSE atomics. (Alpine's own asks musl.)
set(CMAKE_C_FLAGS_INIT "-specs=${specs} -mno-outline-atomics")
add_link_options(-Wl,--eh-frame-hdr,--build-id)

# For the tests.
set(MB_TARGET musl)
set(MB_TARGET_CXX OFF)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L ${packages})

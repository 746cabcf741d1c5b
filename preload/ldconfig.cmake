# After an installation: tells the loader of the new library where it looks at all, else says what is left to do. Run by
# `cmake --install`, which sets MB_LIBDIR and MB_SONAME.
if(NOT "$ENV{DESTDIR}" STREQUAL "")
    return() # a package's tree
endif()
set(libdir ${MB_LIBDIR})
if(NOT IS_ABSOLUTE "${libdir}")
    set(libdir ${CMAKE_INSTALL_PREFIX}/${libdir})
endif()
find_program(MB_LDCONFIG ldconfig PATHS /sbin /usr/sbin NO_CACHE)
if(NOT MB_LDCONFIG)
    return() # musl's loader keeps no list
endif()
# Every folder that the loader looks in, as "/usr/lib: (from ...)".
execute_process(COMMAND ${MB_LDCONFIG} -v -N -X OUTPUT_VARIABLE folders ERROR_QUIET)
string(FIND "\n${folders}" "\n${libdir}:" found)
if(found EQUAL -1)
    message(STATUS "The loader does not look in ${libdir}: link with -Wl,-rpath,${libdir}, or preload by the whole path")
    return()
endif()
execute_process(COMMAND ${MB_LDCONFIG} RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
if(status EQUAL 0)
    message(STATUS "ldconfig: the loader finds ${MB_SONAME}")
else()
    message(STATUS "Run ldconfig as root, so that the loader finds ${MB_SONAME}")
endif()

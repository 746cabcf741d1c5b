# What `cmake --install` puts where, how it is taken away again (target `uninstall`), and the packages that cpack makes.
target_include_directories(mbmalloc INTERFACE
    $<BUILD_INTERFACE:${MB_PUBLIC_INCLUDE}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_include_directories(mbmalloc_static INTERFACE
    $<BUILD_INTERFACE:${MB_PUBLIC_INCLUDE}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set(MB_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/mbmalloc)
install(TARGETS mbmalloc mbmalloc_static EXPORT mbmalloc
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${MB_PUBLIC_INCLUDE}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h*")
install(TARGETS mbmalloc_tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES preload/mbmalloc-gdb.py DESTINATION ${CMAKE_INSTALL_DATADIR}/mbmalloc)
install(FILES LICENSE core/CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright) # where Debian looks for it
install(EXPORT mbmalloc NAMESPACE mbmalloc:: FILE mbmallocConfig.cmake DESTINATION ${MB_PACKAGE_DIR})
# find_package(mbmalloc 1.0) takes any 1.x that is not older: the binary interface is the same (preload/mbmalloc.abi).
write_basic_package_version_file(mbmallocConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mbmallocConfigVersion.cmake DESTINATION ${MB_PACKAGE_DIR})

# Everything in it is relative to the file itself, so that the installed tree may move.
file(RELATIVE_PATH MB_PC_TO_INCLUDE ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_FULL_INCLUDEDIR})
file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/mbmalloc.pc CONTENT
"libdir=\${pcfiledir}/..
includedir=\${pcfiledir}/${MB_PC_TO_INCLUDE}

Name: mbmalloc
Description: ${PROJECT_DESCRIPTION}
Version: ${MB_VERSION}
Libs: -L\${libdir} -lmbmalloc
Cflags: -I\${includedir}
")
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mbmalloc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# --- manual pages -----------------------------------------------------------------------------------------------------

find_program(MB_SCDOC scdoc)
add_custom_target(mb_product DEPENDS mbmalloc mbmalloc_static mbmalloc_tool) # everything that is installed
if(MB_SCDOC)
    file(GLOB sources CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/preload ${PROJECT_SOURCE_DIR}/preload/*.scd)
    set(MB_PAGES)
    foreach(source IN LISTS sources)
        string(REGEX REPLACE "\\.scd$" "" page ${source})
        string(REGEX REPLACE ".*\\." "" section ${page})
        add_custom_command(OUTPUT ${page}
            COMMAND sh -c "exec \"$1\" <\"$2\" >\"$3\"" sh ${MB_SCDOC} ${PROJECT_SOURCE_DIR}/preload/${source} ${page}
            DEPENDS preload/${source} VERBATIM)
        install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
        list(APPEND MB_PAGES ${page})
    endforeach()
    add_custom_target(mbmalloc_man ALL DEPENDS ${MB_PAGES})
    add_dependencies(mb_product mbmalloc_man)
elseif(MB_IS_TOP)
    message(WARNING "The manual pages are neither built nor installed: scdoc is missing (Debian: apt-get install scdoc)")
    install(CODE [[message(WARNING "No manual pages: scdoc was missing when this was configured")]])
endif()

# --- after the installation, and back ---------------------------------------------------------------------------------

install(CODE "set(MB_LIBDIR \"${CMAKE_INSTALL_LIBDIR}\")\nset(MB_SONAME \"libmbmalloc.so.${PROJECT_VERSION_MAJOR}\")")
install(SCRIPT ${PROJECT_SOURCE_DIR}/preload/ldconfig.cmake)
if(MB_IS_TOP)
    add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -P ${PROJECT_SOURCE_DIR}/preload/uninstall.cmake
        WORKING_DIRECTORY ${CMAKE_BINARY_DIR})
endif()

# --- packages ---------------------------------------------------------------------------------------------------------

if(MB_IS_TOP)
    set(CPACK_GENERATOR TGZ DEB)
    set(CPACK_PACKAGE_NAME mbmalloc)
    set(CPACK_PACKAGE_VERSION ${MB_VERSION})
    set(CPACK_PACKAGE_FILE_NAME mbmalloc-${MB_VERSION}-linux-${CMAKE_SYSTEM_PROCESSOR})
    set(CPACK_PACKAGE_CONTACT "The mbmalloc authors <mbmalloc@localhost>")
    set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
    set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
    set(CPACK_STRIP_FILES ON)
    set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
    string(REPLACE "-" "~" CPACK_DEBIAN_PACKAGE_VERSION ${MB_VERSION}) # 1.0.0~rc1 is older than 1.0.0
    set(CPACK_DEBIAN_PACKAGE_SECTION libs)
    set(CPACK_DEBIAN_PACKAGE_DEPENDS "libc6 (>= 2.34)")
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/debian/triggers "activate-noawait ldconfig\n")
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/debian/shlibs
        "libmbmalloc ${PROJECT_VERSION_MAJOR} mbmalloc (>= ${CPACK_DEBIAN_PACKAGE_VERSION})\n")
    set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
        ${CMAKE_CURRENT_BINARY_DIR}/debian/triggers ${CMAKE_CURRENT_BINARY_DIR}/debian/shlibs)
    set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
    include(CPack)
endif()

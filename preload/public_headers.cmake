# Makes build/include as it is installed: mbmalloc.h, mbmalloc/regions.h, and every header that these include, below
# mbmalloc/ at its place in the tree. The copies are changed: paths of includes begin with mbmalloc/, keywords of C11
# that C++ lacks are replaced (platform/c11.h), and they count as system headers, so that a user's warning options do
# not apply.
set(MB_PUBLIC_INCLUDE ${CMAKE_CURRENT_BINARY_DIR}/include)
file(REMOVE_RECURSE ${MB_PUBLIC_INCLUDE})

# The installed name of a header of the tree.
function(mb_public_name header result)
    if(header STREQUAL "preload/mbmalloc.h")
        set(${result} mbmalloc.h PARENT_SCOPE)
    elseif(header STREQUAL "preload/regions.h")
        set(${result} mbmalloc/regions.h PARENT_SCOPE)
    else()
        set(${result} mbmalloc/${header} PARENT_SCOPE)
    endif()
endfunction()

function(mb_publish header)
    mb_public_name(${header} name)
    if(EXISTS ${MB_PUBLIC_INCLUDE}/${name})
        return()
    endif()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${header})
    file(READ ${PROJECT_SOURCE_DIR}/${header} text)
    if(NOT header STREQUAL "platform/c11.h")
        string(REPLACE "#include <stdatomic.h>" "#include \"platform/c11.h\"" text "${text}")
        string(REGEX REPLACE "(^|[^A-Za-z0-9_])_Atomic\\(" "\\1mb_c11_Atomic_of(" text "${text}")
        string(REGEX REPLACE "(^|[^A-Za-z0-9_])(atomic_[a-z_]+|memory_order_[a-z_]+)" "\\1mb_c11_\\2" text "${text}")
        string(REGEX REPLACE "(^|[^A-Za-z0-9_])(_Atomic|_Static_assert|_Alignof|_Noreturn)" "\\1mb_c11\\2" text "${text}")
        if(text MATCHES "mb_c11_")
            string(PREPEND text "#include \"platform/c11.h\"\n")
        endif()
    endif()
    string(PREPEND text "#pragma GCC system_header\n")
    string(REGEX MATCHALL "#include \"[^\"]+\"" includes "${text}")
    file(WRITE ${MB_PUBLIC_INCLUDE}/${name} "") # seen
    foreach(line IN LISTS includes)
        string(REGEX REPLACE "#include \"([^\"]+)\"" "\\1" included "${line}")
        mb_publish(${included})
        mb_public_name(${included} included_name)
        string(REPLACE "${line}" "#include <${included_name}>" text "${text}")
    endforeach()
    file(WRITE ${MB_PUBLIC_INCLUDE}/${name} "${text}")
endfunction()

mb_publish(preload/mbmalloc.h)
configure_file(${PROJECT_SOURCE_DIR}/preload/mbmalloc_pmr.hpp ${MB_PUBLIC_INCLUDE}/mbmalloc/pmr.hpp COPYONLY)

# Makes build/include as it is installed: mbmalloc.h, mbmalloc/regions.h, and below mbmalloc/ every header that these include, where
# it stands in the tree. A copy differs from its source in four ways, so that a header of ours needs to know of none of them:
# includes are written from mbmalloc/, and three words of C11 that C++ lacks go through platform/compiler.h and platform/atomic.h.
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
    string(REPLACE "#include <stdatomic.h>" "#include \"platform/atomic.h\"" text "${text}")
    string(REGEX REPLACE "(^|[^A-Za-z_])_Atomic([^A-Za-z_])" "\\1MB_ATOMIC\\2" text "${text}")
    string(REGEX REPLACE "(^|[^A-Za-z_])_Static_assert([^A-Za-z_])" "\\1MB_STATIC_ASSERT\\2" text "${text}")
    if(header STREQUAL "platform/atomic.h" OR header STREQUAL "platform/compiler.h")
        file(READ ${PROJECT_SOURCE_DIR}/${header} text) # where the words are defined
    endif()
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

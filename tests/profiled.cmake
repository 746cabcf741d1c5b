# Runs tests again while the heap profile samples every block (heap_profile=1), as profiled_NAME with the label
# "profiled": a program must not behave differently when it is profiled.
#
# By default only tests of process and misuse that take a few seconds; -DMB_TESTS_PROFILED=ON adds the others of these
# folders, some of which take minutes. Tests that set options of their own are not run again.
option(MB_TESTS_PROFILED "Also run the long tests while every block is sampled" OFF)

set(MB_PROFILED_FOLDERS fork limits misuse process programs)

# Tests of what a profile may change, by reason:
set(MB_PROFILED_NOT_PLACE # where blocks lie: sampled blocks of all threads are together in slabs of their own
    few_pages gdb line_pairs)
set(MB_PROFILED_NOT_ROOM # how much memory the library takes: the profile has a table of 2 MiB, and samplers
    accounting idle_pool.* many_keepers sparse_large)
set(MB_PROFILED_NOT_TOOL # tests of the profile itself, and of tools that start programs with their own options
    heap_profile.* recipes options surroundings tool tools valgrind statistics cgroup_limit twins)
set(MB_PROFILED_QUICK
    "^(misuse_(double_free|pointer|ending|policy|cxx|damage|sized)|process_(small|sizes|alignment|calloc_zero|enomem|errno_kept|fork_nested|fork_unused|fork_raw|vfork_spawn|life_.*|large|large_kept_.*|perturb.*|introspect|realloc_shrink|tls_destructors|tsd_destructors|tiny_stacks|cancel|override.*|static|purge_.*|cxx.*|libc_.*|deepbind.*|seccomp_.*|unshare_user|walled_in|page_state|wrapped_threads))$")
string(REPLACE ";" "|" MB_PROFILED_NOT "^process_(${MB_PROFILED_NOT_PLACE};${MB_PROFILED_NOT_ROOM};${MB_PROFILED_NOT_TOOL})$")

# mb_profiled_twin_(NAME COMMAND c...): registers the second test; NAME is already described.
function(mb_profiled_twin_ name)
    cmake_parse_arguments(PARSE_ARGV 1 H "" "" "COMMAND")
    get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
    get_test_property(${name} ENVIRONMENT env)
    get_test_property(${name} TIMEOUT timeout)
    get_test_property(${name} RUN_SERIAL serial)
    if(MB_SANITIZE OR NOT folder IN_LIST MB_PROFILED_FOLDERS OR env MATCHES "MBMALLOC_OPTIONS" OR name MATCHES "${MB_PROFILED_NOT}")
        return()
    endif()
    if(NOT MB_TESTS_PROFILED AND NOT name MATCHES "${MB_PROFILED_QUICK}")
        return()
    endif()
    add_test(NAME profiled_${name} COMMAND ${H_COMMAND})
    set_tests_properties(profiled_${name} PROPERTIES
        LABELS profiled SKIP_RETURN_CODE 77 TIMEOUT ${timeout} RUN_SERIAL ${serial} ENVIRONMENT "${env};MBMALLOC_OPTIONS=heap_profile=1")
    mb_skip_by_target_(profiled_${name})
endfunction()

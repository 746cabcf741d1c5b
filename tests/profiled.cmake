# The same tests with every block sampled by the heap profile (heap_profile=1): profiled_NAME beside NAME, under the label "profiled". A program that is
# being profiled must do what it does else.
#
# By default those of processes and misuse that take a few seconds; -DMB_TESTS_PROFILED=ON adds all others of these folders, some for minutes. A test that sets
# options of its own has no twin.
option(MB_TESTS_PROFILED "Also run the long tests while every block is sampled" OFF)

set(MB_PROFILED_FOLDERS fork limits misuse process programs)

# What a profile may change, by the reason:
set(MB_PROFILED_NOT_PLACE # where blocks lie: sampled ones are apart, those of all threads side by side in slabs that nobody owns
    few_pages gdb line_pairs)
set(MB_PROFILED_NOT_ROOM # how much room the library takes: the profile's table of 2 MiB, and samplers
    accounting idle_pool.* many_keepers sparse_large)
set(MB_PROFILED_NOT_TOOL # the profile itself, or tools that start programs with options of their own
    heap_profile.* recipes options surroundings tool tools valgrind statistics cgroup_limit twins)
set(MB_PROFILED_QUICK
    "^(misuse_(double_free|pointer|ending|policy|cxx|damage|sized)|process_(small|sizes|alignment|calloc_zero|enomem|errno_kept|fork_nested|fork_unused|fork_raw|vfork_spawn|life_.*|large|large_kept_.*|perturb.*|introspect|realloc_shrink|tls_destructors|tsd_destructors|tiny_stacks|cancel|override.*|static|purge_.*|cxx.*|libc_.*|deepbind.*|seccomp_.*|unshare_user|walled_in|page_state|wrapped_threads))$")
string(REPLACE ";" "|" MB_PROFILED_NOT "^process_(${MB_PROFILED_NOT_PLACE};${MB_PROFILED_NOT_ROOM};${MB_PROFILED_NOT_TOOL})$")

# mb_profiled_twin_(NAME COMMAND c...): after the test itself is described.
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

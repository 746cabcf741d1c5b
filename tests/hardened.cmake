# Runs tests again with profile=hardened, as hardened_NAME with the label "hardened", and some with profile=debug, as
# debug_NAME.
#
# By default only tests that take a second or two; -DMB_TESTS_HARDENED=ON adds the others of these folders. Tests that
# set options of their own, or depend on the default front, are not run again.
option(MB_TESTS_HARDENED "Also run the long tests with profile=hardened" OFF)

set(MB_HARDENED_FOLDERS fork limits misuse model process programs race soak)

# These check properties of the default front: lengths rounded to pages, blocks kept for reuse, blocks that share cache
# lines, the helper thread, numbers of system calls. limits_mlock_future allows 8 MiB of locked memory, which is too
# little for the hardened front's slabs for each class and shard.
set(MB_HARDENED_NOT "^(misuse_told|process_(large|large_kept|idle_helper|many_keepers|shrink_refused|line_pairs|purge_refused)|limits_(stranded|idle)|limits_mlock_future|race_.*)$")

set(MB_HARDENED_QUICK
    "^(soak|model_.*|misuse_.*|process_(small|sizes|alignment|calloc_zero|enomem|errno_kept|fork_nested|fork_unused|vfork_spawn|life_.*|tls_destructors|tsd_destructors|tiny_stacks|cancel|twin.*|override.*|static_program|purge_.*|cxx.*|libc_.*|deepbind|seccomp_.*)|program_(sqlite3|perl|lua|awk|sort))$")

# Tests that also run with profile=debug; most of the programs take a minute there.
set(MB_DEBUG_TOO "^(misuse_.*|program_(python|gcc|git|sqlite3|redis))$")
set(MB_DEBUG_QUICK "^(misuse_(double_free|pointer|sweep|sized|attack|ending|policy|cxx|damage)|program_git)$")

# The profile keeps freed blocks for a while: tests of memory growth allow this much more.
set(MB_HARDENED_SLACK_KIB 8192)

# mb_hardened_twin_(NAME COMMAND c...): registers the second test; NAME is already described.
function(mb_hardened_twin_ name)
    cmake_parse_arguments(PARSE_ARGV 1 H "" "" "COMMAND")
    get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
    get_test_property(${name} ENVIRONMENT env)
    get_test_property(${name} TIMEOUT timeout)
    get_test_property(${name} RUN_SERIAL serial)
    if(MB_SANITIZE OR NOT folder IN_LIST MB_HARDENED_FOLDERS OR env MATCHES "MBMALLOC_OPTIONS" OR name MATCHES "${MB_HARDENED_NOT}")
        return()
    endif()
    if(name MATCHES "${MB_DEBUG_TOO}" AND (MB_TESTS_HARDENED OR name MATCHES "${MB_DEBUG_QUICK}"))
        add_test(NAME debug_${name} COMMAND ${H_COMMAND})
        set_tests_properties(debug_${name} PROPERTIES LABELS hardened SKIP_RETURN_CODE 77 TIMEOUT 3600 RUN_SERIAL ${serial}
            ENVIRONMENT "${env};MBMALLOC_OPTIONS=profile=debug;MB_TEST_STAGE_SECONDS=1200")
        mb_skip_by_target_(debug_${name})
    endif()
    if(NOT MB_TESTS_HARDENED AND NOT name MATCHES "${MB_HARDENED_QUICK}")
        return()
    endif()
    list(APPEND env MBMALLOC_OPTIONS=profile=hardened MB_TEST_SLACK_KIB=${MB_HARDENED_SLACK_KIB})
    add_test(NAME hardened_${name} COMMAND ${H_COMMAND})
    set_tests_properties(hardened_${name} PROPERTIES
        LABELS hardened SKIP_RETURN_CODE 77 TIMEOUT ${timeout} RUN_SERIAL ${serial} ENVIRONMENT "${env}")
    mb_skip_by_target_(hardened_${name})
endfunction()

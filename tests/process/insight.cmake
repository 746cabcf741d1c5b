# What is told about the heap: statistics, limits, the interface of mbmalloc.h, the mbmalloc command, the gdb script.
if(MB_SANITIZE)
    return()
endif()

foreach(name statistics limit gdb)
    add_executable(process_${name}_probe ${name}_probe.c)
    target_link_libraries(process_${name}_probe PRIVATE mb_test_flags)
endforeach()
foreach(kind plain static)
    add_executable(process_tool_probe_${kind} tool_probe.c)
    target_link_libraries(process_tool_probe_${kind} PRIVATE mb_test_flags)
endforeach()
target_link_options(process_tool_probe_static PRIVATE -static)
add_executable(process_refuse_exec refuse_exec.c)
target_link_libraries(process_refuse_exec PRIVATE mb_test_flags)

mb_script_test(NAME process_statistics SCRIPT statistics.sh ARGS $<TARGET_FILE:process_statistics_probe>)
mb_script_test(NAME process_cgroup_limit SCRIPT cgroup_limit.sh ARGS $<TARGET_FILE:process_limit_probe>)
mb_script_test(NAME process_tool SCRIPT tool.sh TIMEOUT 180
    ARGS $<TARGET_FILE:mbmalloc_tool> $<TARGET_FILE:process_tool_probe_plain> $<TARGET_FILE:process_tool_probe_static>
         $<TARGET_FILE:process_refuse_exec>)
add_executable(process_heap_profile_probe heap_profile_probe.c)
target_link_libraries(process_heap_profile_probe PRIVATE mb_test_flags)
target_compile_options(process_heap_profile_probe PRIVATE -g)
mb_script_test(NAME process_heap_profile SCRIPT heap_profile.sh TIMEOUT 180
    ARGS $<TARGET_FILE:mbmalloc_tool> $<TARGET_FILE:process_heap_profile_probe>)
mb_script_test(NAME process_gdb SCRIPT gdb.sh ARGS $<TARGET_FILE:process_gdb_probe> TIMEOUT 120)

mb_plain_test(NAME process_api SOURCES api.c)
mb_plain_test(NAME process_pmr SOURCES pmr.cpp)
target_include_directories(process_api PRIVATE ${MB_PUBLIC_INCLUDE})
if(TARGET process_pmr)
    target_include_directories(process_pmr PRIVATE ${MB_PUBLIC_INCLUDE})
endif()

# SPDX-License-Identifier: Apache-2.0
# Compiler options as one interface target, and the two functions that declare a library and a test.

add_library(handeye_options INTERFACE)
target_include_directories(handeye_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(handeye_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  -Wold-style-cast -Wextra-semi -Wimplicit-fallthrough -Wswitch-enum
  # a designated initialiser names what differs; the rest is the default on purpose
  -Wno-missing-field-initializers>)
if(HANDEYE_WERROR)
  target_compile_options(handeye_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
if(HANDEYE_SANITIZE)
  set(HANDEYE_SANITIZED ON)
  target_compile_options(handeye_options INTERFACE
    -fsanitize=${HANDEYE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  if(HANDEYE_SANITIZE_EXCEPT)
    target_compile_options(handeye_options INTERFACE -fno-sanitize=${HANDEYE_SANITIZE_EXCEPT})
  endif()
  target_link_options(handeye_options INTERFACE -fsanitize=${HANDEYE_SANITIZE})
endif()
# A hundred test programs of up to 400 MB: gold links them in half the time.
find_program(HANDEYE_GOLD ld.gold)
if(HANDEYE_TESTS AND HANDEYE_GOLD AND NOT HANDEYE_FUZZ)
  target_link_options(handeye_options INTERFACE -fuse-ld=gold)
endif()
if(HANDEYE_FUZZ)
  target_compile_options(handeye_options INTERFACE
    -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(handeye_options INTERFACE -fsanitize=address,undefined)
endif()
target_compile_definitions(handeye_options INTERFACE $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)

# handeye_library(NAME SOURCES... ) declares handeye_NAME with the alias handeye::NAME.
# Arguments after HEADERS are its front headers; each must compile alone.
function(handeye_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;HEADERS;PUBLIC;PRIVATE" ${ARGN})
  add_library(handeye_${name} STATIC ${arg_SOURCES})
  add_library(handeye::${name} ALIAS handeye_${name})
  target_sources(handeye_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${arg_HEADERS})
  set_target_properties(handeye_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  target_link_libraries(handeye_${name} PUBLIC handeye_options ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
endfunction()

set(HANDEYE_TEST_TIMEOUT_SCALE 1 CACHE STRING "Multiplies every test's time limit: sanitizers and full counts need more")
# The tests that carry a label are built by the target tests_<label>; the three that ./check builds under asan always exist.
foreach(label base engine actions)
  add_custom_target(tests_${label})
endforeach()

# handeye_test(NAME SOURCES... LIBS... [LABELS...] [TIMEOUT s] [SERIAL]): one GoogleTest program, one ctest entry per TEST; SERIAL: with
# nothing beside it.
function(handeye_test name)
  cmake_parse_arguments(arg "SERIAL" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBS} GTest::gtest_main)
  # What is tested is optimised and watched; the tests themselves are compiled quickly, which is half of a build under the sanitizers.
  target_compile_options(${name} PRIVATE -O0 $<$<BOOL:${HANDEYE_SANITIZED}>:-fno-sanitize=undefined>)
  target_compile_definitions(${name} PRIVATE
    HANDEYE_SOURCE_DIR="${PROJECT_SOURCE_DIR}" HANDEYE_BINARY_DIR="${PROJECT_BINARY_DIR}")
  foreach(label ${arg_LABELS})
    if(NOT TARGET tests_${label})
      add_custom_target(tests_${label})
    endif()
    add_dependencies(tests_${label} ${name})
  endforeach()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  math(EXPR timeout "${arg_TIMEOUT} * ${HANDEYE_TEST_TIMEOUT_SCALE}")
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 TEST_LIST ${name}_tests PROPERTIES TIMEOUT ${timeout})
  # gtest_discover_tests takes lists apart, so labels are set by a file that ctest reads after the discovered tests.
  set(labels_file ${CMAKE_CURRENT_BINARY_DIR}/${name}_labels.cmake)
  file(WRITE ${labels_file}
    "if(${name}_tests)\n  set_tests_properties(\${${name}_tests} PROPERTIES LABELS \"${arg_LABELS}\" RUN_SERIAL \"${arg_SERIAL}\")\nendif()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${labels_file})
endfunction()

# SPDX-License-Identifier: Apache-2.0
# Every third-party package, as an imported target. What each is for: docs/dependencies.md.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
set(Boost_NO_WARN_NEW_VERSIONS ON)
find_package(Boost 1.81 REQUIRED) # headers only
pkg_check_modules(sqlite3 REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(webp REQUIRED IMPORTED_TARGET libwebp)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(hwy REQUIRED IMPORTED_TARGET libhwy)
pkg_check_modules(seccomp REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(tesseract REQUIRED IMPORTED_TARGET tesseract lept)
pkg_check_modules(systemd REQUIRED IMPORTED_TARGET libsystemd)

# Debian's opencv4.pc pulls in every module and 130 packages; these few are what we use.
find_path(HANDEYE_OPENCV_INCLUDE opencv2/core.hpp PATH_SUFFIXES opencv4 REQUIRED)
add_library(handeye_opencv INTERFACE)
target_include_directories(handeye_opencv SYSTEM INTERFACE ${HANDEYE_OPENCV_INCLUDE})
foreach(part core imgproc imgcodecs)
  find_library(HANDEYE_OPENCV_${part} opencv_${part} REQUIRED)
  target_link_libraries(handeye_opencv INTERFACE ${HANDEYE_OPENCV_${part}})
endforeach()
find_library(HANDEYE_OPENCV_videoio opencv_videoio REQUIRED) # brings FFmpeg: for handeye::video alone
pkg_check_modules(glib REQUIRED IMPORTED_TARGET glib-2.0)
pkg_check_modules(pangocairo REQUIRED IMPORTED_TARGET pangocairo)

if(HANDEYE_X11)
  pkg_check_modules(x11 REQUIRED IMPORTED_TARGET x11 xext xtst xrandr xdamage xi xfixes xres)
  pkg_check_modules(xkbcommon REQUIRED IMPORTED_TARGET xkbcommon)
endif()
if(HANDEYE_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
if(HANDEYE_BENCH)
  find_package(benchmark REQUIRED)
endif()

# SPDX-License-Identifier: Apache-2.0
# Writes OUT: rows {keysym, code point} of the X keysyms older than Unicode, read from the system's keysymdef.h (IN).
file(STRINGS "${IN}" lines REGEX "^#define XK_[A-Za-z0-9_]+ +0x[0-9a-f]+ +/\\* U\\+[0-9A-F]+ ")
set(rows "")
foreach(line IN LISTS lines)
  if(line MATCHES "^#define XK_[A-Za-z0-9_]+ +(0x[0-9a-f]+) +/\\* U\\+([0-9A-F]+) ")
    string(APPEND rows "{${CMAKE_MATCH_1}, 0x${CMAKE_MATCH_2}},\n")
  endif()
endforeach()
file(WRITE "${OUT}" "${rows}")

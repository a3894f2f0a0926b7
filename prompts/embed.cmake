# SPDX-License-Identifier: Apache-2.0
# Writes the templates into a C++ source: cmake -DROOT=<prompts> -DFILES=<a.md|b.md> -DOUT=<file.cpp> -P embed.cmake
string(REPLACE "|" ";" FILES "${FILES}")
set(text "// Generated from prompts/*/*.md by embed.cmake.\n#include \"prompts/embedded.h\"\n\n")
string(APPEND text "namespace handeye {\nnamespace {\nconstexpr EmbeddedTemplate kTemplates[] = {\n")
foreach(file IN LISTS FILES)
  file(READ "${ROOT}/${file}" content)
  string(APPEND text "    {\"${file}\", R\"__prompt(${content})__prompt\"},\n")
endforeach()
string(APPEND text "};\n} // namespace\n\nstd::span<const EmbeddedTemplate> embedded_templates() { return kTemplates; }\n\n} // namespace handeye\n")
file(WRITE "${OUT}" "${text}")

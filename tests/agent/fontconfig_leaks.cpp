// SPDX-License-Identifier: Apache-2.0
// What LeakSanitizer must not count: fontconfig keeps its configuration until the process ends, and gives nobody a safe moment to
// free it while Pango holds on to it.

extern "C" const char* __lsan_default_suppressions(); // NOLINT(bugprone-reserved-identifier): the sanitizer calls it
extern "C" const char* __lsan_default_suppressions() { return "leak:libfontconfig\n"; } // NOLINT(bugprone-reserved-identifier)

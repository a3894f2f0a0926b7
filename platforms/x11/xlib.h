// SPDX-License-Identifier: Apache-2.0
// Xlib without the macros that break innocent code. Only platforms/x11 includes it.
#pragma once

#include <X11/XKBlib.h>
#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XInput2.h>
#include <X11/extensions/XShm.h>
#include <X11/extensions/XRes.h>
#include <X11/extensions/XTest.h>
#include <X11/extensions/Xdamage.h>
#include <X11/extensions/Xrandr.h>
#include <X11/extensions/record.h>
#include <X11/keysym.h>

#undef None
#undef Bool
#undef Status
#undef Success
#undef Always

namespace handeye::x11 {

/// What Xlib calls None.
inline constexpr unsigned long kNone = 0;

} // namespace handeye::x11

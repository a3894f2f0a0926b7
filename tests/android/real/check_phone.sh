#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Tries handeye on a real phone and says line by line what it saw. Nothing is installed and no app's data is changed: it opens
# Settings and its search field, types there, turns the screen and turns it back.
#   tests/android/real/check_phone.sh [SERIAL]      with HANDEYE=path/to/handeye, else build/dev or build/release
set -u
root=$(cd "$(dirname "$0")/../../.." && pwd)
handeye=${HANDEYE:-}
for candidate in "$root"/build/{release,dev}/bin/handeye; do [[ -z $handeye && -x $candidate ]] && handeye=$candidate; done
[[ -n $handeye ]] || { echo "build handeye first, or name it in HANDEYE" >&2; exit 2; }
command -v adb >/dev/null || { echo "adb is missing: apt-get install adb" >&2; exit 2; }
adb start-server
serial=${1:-}
adb_to() { adb ${serial:+-s "$serial"} shell "$@"; }
target=(--platform android ${serial:+--serial "$serial"})
out=$(mktemp -d); bad=0
check() { # NAME WANT GOT
    if [[ $3 == *"$2"* ]]; then echo "ok  $1"; else echo "NO  $1: wanted \"$2\", got \"$3\""; bad=1; fi
}
act() { "$handeye" act "${target[@]}" "$1" 2>&1; }
focus() { adb_to dumpsys window | grep -m1 mCurrentFocus=; }

"$handeye" platforms
"$handeye" doctor "${target[@]}" || true # the engine's row is not about the phone
echo "phone: $(adb_to getprop ro.product.model), Android $(adb_to getprop ro.build.version.release), API $(adb_to getprop ro.build.version.sdk)"

act '{"action_type":"open_app","app_name":"Settings"}' >/dev/null
check "open_app brings Settings to the front" "settings" "$(focus)"

auto=$(adb_to settings get system accelerometer_rotation) turn=$(adb_to settings get system user_rotation)
adb_to settings put system accelerometer_rotation 0
for rotation in 0 1; do
    adb_to settings put system user_rotation $rotation
    for ((i = 0; i < 50; ++i)); do
        "$handeye" screenshot "${target[@]}" -o "$out/rotation$rotation.png" || bad=1
        read -r width height < <(python3 -c 'import struct,sys; print(*struct.unpack(">II", open(sys.argv[1],"rb").read()[16:24]))' "$out/rotation$rotation.png")
        [[ $rotation == 1 && $width -gt $height || $rotation == 0 && $height -gt $width ]] && break
    done
    check "the picture of rotation $rotation has its sides" "$([[ $rotation == 1 ]] && echo wide || echo tall)" "$([[ $width -gt $height ]] && echo wide || echo tall)"
done
adb_to settings put system user_rotation "${turn//$'\r'/}"; adb_to settings put system accelerometer_rotation "${auto//$'\r'/}"

before=$(md5sum <"$out/rotation0.png")
act '{"action_type":"swipe","direction":"up"}' >/dev/null
"$handeye" screenshot "${target[@]}" -o "$out/swiped.png"
check "a swipe up scrolls Settings" "moved" "$([[ $before == "$(md5sum <"$out/swiped.png")" ]] && echo still || echo moved)"

adb_to am start -a android.settings.APP_SEARCH_SETTINGS >/dev/null 2>&1
check "ASCII arrives in the search field" "confirmed" "$(act '{"verb":"type","text":"wifi 100%s"}')"
check "Unicode arrives, or is refused by name" "$(adb_to ime list -a -s | grep -q adbkeyboard && echo confirmed || echo ADBKeyboard)" "$(act '{"verb":"type","text":"Grüße, 世界 😀"}')"
act '{"action_type":"navigate_back"}' >/dev/null
act '{"action_type":"navigate_home"}' >/dev/null
check "home leaves Settings" "home" "$([[ $(focus) == *ettings* ]] && echo settings || echo home)"
echo "pictures: $out"
exit $bad

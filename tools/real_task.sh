#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real task: fills and submits a GTK form on a headless X display with the bundled model, pixels in, clicks out, and
# compares what the application wrote with what it was to receive. Once with `handeye run`, once through `handeyed`.
#
# real_task.sh BIN_DIR OUT_DIR     exit 0: both agree, 1: not, 5: something could not start
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
form=$root/examples/form_app
model=$root/models/nano
goal="Set Name to Ada, tick Agree and click Save."

say() { printf '%s\n' "$*"; }

# compare WHO FILE: what the application received
compare() {
    if cmp -s "$form/want.json" "$2"; then
        say "PASS  $1: the application received $(cat "$2")"
    else
        say "FAIL  $1: wanted $(cat "$form/want.json")"
        say "           got $(cat "$2" 2>/dev/null || echo "no file $2: the application never started")"
        return 1
    fi
}

# Paths may hold blanks: handeye splits the command line as a shell would.
launch() { printf "'%s' '%s' '%s'" "$bin/handeye-form-app" "$form/spec.json" "$1"; }

run_directly() {
    say "Task: $goal"
    say "Screen: a headless X display of 336x224 pixels. Model: models/nano, on the CPU."
    rm -f "$out/direct.json" "$out"/direct.handeye*
    # An empty runtime folder: no daemon of this user is found, the task runs in this process.
    XDG_RUNTIME_DIR=$private "$bin/handeye" run "$goal" --headless 336x224 --launch "$(launch "$out/direct.json")" \
        --model "$model" --record "$out/direct.handeye" || say "handeye run ended with code $?"
    compare "handeye run" "$out/direct.json"
    "$bin/handeye" report "$out/direct.handeye" -o "$out/report.html" >/dev/null
    say "Report: $out/report.html"
}

json_text() { local text=${1//\\/\\\\}; printf '"%s"' "${text//\"/\\\"}"; }

stop_daemon() {
    [[ -n ${daemon:-} ]] || return 0
    kill -TERM "$daemon" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
    daemon=
}

run_through_daemon() {
    rm -f "$out/daemon.json"
    XDG_STATE_HOME=$out/state "$bin/handeyed" --listen "unix:$private/d/handeyed.sock" --model "$model" >"$out/handeyed.log" 2>&1 &
    daemon=$!
    local waited=0
    until [[ -S $private/d/handeyed.sock ]]; do
        kill -0 "$daemon" 2>/dev/null || { say "handeyed ended:"; cat "$out/handeyed.log"; return 5; }
        ((waited++ < 300)) || { say "handeyed made no socket within 30 s"; return 5; }
        sleep 0.1
    done
    say "Task through handeyed: JSON-RPC over WebSocket on a Unix socket"
    "$bin/ws_client" "unix:$private/d/handeyed.sock" x11 "$goal" \
        "{\"headless\":\"336x224\",\"launch\":[$(json_text "$(launch "$out/daemon.json")")]}" ||
        say "ws_client ended with code $?"
    compare "handeyed over WebSocket" "$out/daemon.json"
}

daemon=
# A socket's path may hold 107 bytes, which a deep checkout can exceed; so it lies in a short folder of its own (0700).
private=$(mktemp -d)
trap 'stop_daemon; rm -rf "$private"' EXIT
run_directly
run_through_daemon

# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034
# Shell functions that ./quickstart and ./check share: messages, timed stages, packages. Source it; it runs nothing itself.

if [[ -t 1 ]]; then bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'; else bold='' red='' green='' plain=''; fi

say() { printf '%s\n' "$*"; }
die() { printf '%serror:%s %s\n' "$red" "$plain" "$*" >&2; exit 1; }

# stage "TITLE" COMMAND...: announces, runs, tells how long it took; the times are kept for stage_table.
stage_names=() stage_times=()
stage() {
    local title=$1 begin=$SECONDS
    shift
    printf '\n%s== %s%s\n' "$bold" "$title" "$plain"
    "$@"
    stage_names+=("$title") stage_times+=("$((SECONDS - begin))")
    say "-- $title: $((SECONDS - begin)) s"
}
stage_table() {
    local i
    printf '\n%-58s %8s\n' stage seconds
    for i in "${!stage_names[@]}"; do printf '%-58s %8d\n' "${stage_names[$i]}" "${stage_times[$i]}"; done
    printf '%-58s %8d\n' total "$SECONDS"
}

# Compilations at a time: one per core, less where memory is short (a heavy translation unit takes about 1 GB).
jobs_here() {
    local cores gigabytes
    cores=$(nproc)
    gigabytes=$(awk '/MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)
    echo $((gigabytes < 1 ? 1 : gigabytes < cores ? gigabytes : cores))
}

# packages_of SECTION...: the names in those sections of packages.txt
packages_of() {
    local section
    for section in "$@"; do
        awk -v want="[$section]" '{ sub(/#.*/, "") } /^\[/ { here = ($1 == want); next } here && NF { print $1 }' \
            "$root/tools/packages.txt"
    done
}

is_installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# install_packages SECTION...: installs what is missing of those sections, or stops with a message.
install_packages() {
    local wanted missing=() package as_root=() plan removed count
    command -v apt-get >/dev/null && command -v dpkg-query >/dev/null || die "this script installs with apt-get, which is not
here. On another distribution install the equivalents of tools/packages.txt (Boost >= 1.81, GCC >= 12), then build with
  cmake --preset release && cmake --build --preset release"
    mapfile -t wanted < <(packages_of "$@")
    for package in "${wanted[@]}"; do is_installed "$package" || missing+=("$package"); done
    if ((${#missing[@]} == 0)); then
        say "all ${#wanted[@]} packages are installed"
        return
    fi
    say "missing ${#missing[@]} of ${#wanted[@]} packages: ${missing[*]}"
    if ((EUID != 0)); then
        command -v sudo >/dev/null || die "installing packages needs root and there is no sudo. As root run
  apt-get install --no-install-recommends ${missing[*]}
and start again."
        as_root=(sudo)
    fi
    # The package lists are fetched only when they cannot answer.
    if ! plan=$(plan_of "${missing[@]}"); then
        say "apt's package lists are missing or old: apt-get update"
        "${as_root[@]}" apt-get update -q=2 || die "apt-get update failed; its own message stands above"
        plan=$(plan_of "${missing[@]}") || die "apt cannot install them: $plan"
    fi
    removed=$(awk '/^Remv / {printf " %s", $2}' <<<"$plan")
    [[ -z $removed ]] || die "apt would REMOVE packages to install these, so nothing was changed. It would remove:$removed
Decide yourself: apt-get install --no-install-recommends ${missing[*]}"
    count=$(grep -c '^Inst ' <<<"$plan")
    say "apt installs $count packages and removes none"
    run_apt "$count" "${missing[@]}" || {
        say "a download failed; the package lists may be old: apt-get update, then once more"
        "${as_root[@]}" apt-get update -q=2 && run_apt "$count" "${missing[@]}"
    } || die "apt-get install failed; its output is in $(apt_log)"
}
plan_of() { LC_ALL=C apt-get -s install --no-install-recommends "$@" 2>&1; }
apt_log() { echo "${TMPDIR:-/tmp}/handeye-apt-$UID.log"; }
# run_apt COUNT PACKAGE...: uses the caller's as_root; --no-remove makes apt itself keep the promise.
run_apt() {
    local count=$1
    shift
    LC_ALL=C "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-remove --no-install-recommends \
        -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold "$@" </dev/null 2>&1 | tee "$(apt_log)" |
        awk -v count="$count" -v tty="$([[ -t 1 ]] && echo 1)" '
            /^Setting up / { done++; if (tty) printf "\r  [%d/%d] %-50.50s", done, count, $3
                             else if (done % 25 == 0 || done == count) printf "  [%d/%d] %s\n", done, count, $3; fflush() }
            END { if (tty) print "" }'
}

# build PRESET [-DNAME=VALUE...] [TARGET...]: configures and builds; no target: all
build() {
    local preset=$1 definitions=()
    shift
    while [[ ${1:-} == -D* ]]; do definitions+=("$1") && shift; done
    mkdir -p "$root/build"
    cmake --preset "$preset" -S "$root" "${definitions[@]}" >"$root/build/$preset-configure.log" 2>&1 || {
        cat "$root/build/$preset-configure.log"
        die "configuring preset $preset failed"
    }
    NINJA_STATUS='[%f/%t %es] ' ninja -C "$root/build/$preset" -j "$(jobs_here)" "$@"
}

# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# The stages of ./check. Source it after common.sh; it reads root, keep and fuzz_seconds of the caller.

failures=0 results=()

# attempt "TITLE" COMMAND...: as stage, but a failure is counted and the next stage still runs.
attempt() {
    local title=$1 result=passed begin=$SECONDS
    shift
    printf '\n%s== %s%s\n' "$bold" "$title" "$plain"
    # A subshell of its own keeps "set -e" working inside, which "||" would switch off.
    set +e
    (set -e; "$@")
    local code=$?
    set -e
    case $code in
    0) ;;
    77) result=skipped ;;
    *) result=FAILED failures=$((failures + 1)) ;;
    esac
    stage_names+=("$title: $result") stage_times+=("$((SECONDS - begin))") results+=("$title|$result|$((SECONDS - begin))")
    say "-- $title: $result, $((SECONDS - begin)) s"
}

# fresh_build PRESET [-DNAME=VALUE...] [TARGET...]
fresh_build() {
    local preset=$1 definitions=()
    shift
    while [[ ${1:-} == -D* ]]; do definitions+=("$1") && shift; done
    ((keep)) || rm -rf "${root:?}/build/$preset"
    build "$preset" "${definitions[@]}" "$@"
}

# run_tests PRESET CTEST_OPTION...: every X test starts a display of its own, so they run side by side.
run_tests() {
    local preset=$1
    shift
    export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1:suppressions="$root/tools/tsan.supp"
    local wrapper=()
    # GCC 12's thread sanitizer cannot map its shadow where the kernel randomises addresses widely.
    [[ $preset == tsan ]] && wrapper=(setarch -R)
    "${wrapper[@]}" ctest --test-dir "$root/build/$preset" --output-on-failure --no-tests=error -j "$(nproc)" "$@" |
        tee "$root/build/$preset-tests.log"
}

# run_tests_without_network PRESET: the suite in a network namespace of its own, where only loopback exists (S27). Root needs no user
# namespace for that. Others are root of one: there a test cannot become a second user, and xterm cannot hand a terminal to its group;
# those tests have their say in the other stages.
run_tests_without_network() {
    local preset=$1 namespaces=-n left_out='security_empty_network'
    if ((EUID != 0)); then
        namespaces=-rn left_out+='|ASecondUser|Terminal|FocusWindowMovesTheFocusByTitle|AWindowThatNoRuleNamesGetsNothing'
    fi
    unshare "$namespaces" true 2>/dev/null || { say "a network namespace of one's own is not permitted here"; exit 77; }
    unshare "$namespaces" sh -c 'ip link set lo up && exec "$@"' sh \
        ctest --test-dir "$root/build/$preset" --output-on-failure --no-tests=error -j "$(nproc)" -E "$left_out" |
        tee "$root/build/$preset-offline-tests.log"
}

run_tidy() {
    local files
    mapfile -t files < <(git ls-files 'base/*.cpp' 'engine/*.cpp' 'platforms/*.cpp' 'actions/*.cpp' 'prompts/*.cpp' \
        'agent/*.cpp' 'server/*.cpp' 'apps/*.cpp')
    run-clang-tidy-16 -quiet -p "$root/build/dev" -j "$(nproc)" "${files[@]}" 2>/dev/null | tee "$root/build/tidy.log" |
        grep -E '(error|warning):' || true
    ! grep -qE '(error|warning):' "$root/build/tidy.log"
}

# Takes each guard of tests/security/mutations.json out of a copy of the tree and sees its test fail.
run_seen_to_fail() {
    python3 -B "$root/tests/security/seen_to_fail.py" --jobs "$(jobs_here)" --keep "$root/build/mutants" | tee "$root/build/seen-to-fail.md"
}

run_fuzzers() {
    local seconds=$1 program name work targets
    targets=$(cd "$root/tests/fuzz" && printf '%s\n' *_fuzz.cpp)
    # shellcheck disable=SC2086
    fresh_build fuzz ${targets//.cpp/}
    local programs=("$root"/build/fuzz/bin/*_fuzz)
    [[ -x ${programs[0]} ]] || die "no fuzzer was built in build/fuzz/bin"
    for program in "${programs[@]}"; do
        name=$(basename "$program" _fuzz)
        work=$root/build/fuzz/corpus/$name
        mkdir -p "$work"
        say "fuzzing $name for $seconds s"
        "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 \
            -artifact_prefix="$root/build/fuzz/crash-$name-" "$work" "$root/tests/fuzz/corpus/$name"
    done
}

# GLM-4.1V-9B in its real size with random weights: 30 GB of disk for a while, 12 GB of memory.
run_full_size() {
    local free_kb memory_kb folder=$root/build/full-size
    free_kb=$(df --output=avail -k "$root/build" | tail -1)
    memory_kb=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
    ((free_kb > 32000000 && memory_kb > 12000000)) || { say "needs 32 GB of disk and 12 GB of memory; here: $((free_kb / 1000000)) and $((memory_kb / 1000000))"; exit 77; }
    rm -rf "$folder"
    /usr/bin/python3 -B "$root/tests/oracle/full_size.py" check "$root/build/dev/bin/handeye" "$folder"
    rm -rf "$folder"
}

# The bundled model's training, from nothing. torch is not among the packages: where no Python has it, this is skipped.
run_training_smoke() {
    local python=${HANDEYE_TRAINING_PYTHON:-python3} folder=$root/build/training-smoke
    "$python" -c 'import torch, transformers, tokenizers, safetensors, PIL' 2>/dev/null ||
        { say "$python has no torch and transformers; HANDEYE_TRAINING_PYTHON can name one that has"; exit 77; }
    rm -rf "$folder" && mkdir -p "$folder"
    "$python" -B "$root/models/nano/train/smoke.py" "$folder"
    rm -rf "$folder"
}

# build_cuda [ARCHITECTURE]: of one architecture the kernels alone, of all of them every program.
build_cuda() {
    command -v nvcc >/dev/null || [[ -x /usr/local/cuda/bin/nvcc ]] || { say "nvcc is not here"; exit 77; }
    if (($#)); then
        fresh_build cuda "-DCMAKE_CUDA_ARCHITECTURES=$1" handeye_engine_cuda
    else
        fresh_build cuda
    fi
}

# The seeds of the sampled tests, so that a failure can be run again.
print_seeds() {
    local log=$root/build/dev/Testing/Temporary/LastTest.log
    [[ -f $log ]] || return 0
    printf '\nseeds of the sampled tests (HANDEYE_FULL=1 runs their full counts):\n'
    awk '/^[0-9]+\/[0-9]+ Testing: / { test = $3 }
         tolower($0) ~ /seeds?[ =:]+[0-9]/ { sub(/^[ \t]+/, ""); if (!seen[test $0]++) printf "  %s: %s\n", test, $0 }' \
        "$log" | cut -c1-150
}

# What ctest said last, of each run; runs that failed come last.
closing_lines() {
    local log pass late=()
    for log in "$root"/build/{tsan,asan,dev}-tests.log; do
        [[ -f $log && $log -nt $root/build/.check-started ]] || continue
        if grep -q '^100% tests passed' "$log"; then pass=1; else pass=0; fi
        if ((pass)); then show_closing "$log"; else late+=("$log"); fi
    done
    for log in "${late[@]}"; do show_closing "$log"; done
    ((failures == 0)) || printf '\n%s%d stages FAILED:%s %s\n' "$red" "$failures" "$plain" \
        "$(printf '%s\n' "${results[@]}" | awk -F'|' '$2 == "FAILED" {printf "%s%s", sep, $1; sep = "; "}')"
    for log in "${late[@]}"; do show_reasons "$log"; done
}
# Why tests failed, in the words of their first failures: what a person reads first who has only the end of the output.
show_reasons() {
    local log=$1
    printf '\nfirst failures of %s:\n' "$(basename "$log" .log)"
    awk '/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / { name = ""; if (/\*\*\*(Failed|Timeout|Exception)/) { name = $4; lines = 8; told = 0 }; next }
         /^ +Start +[0-9]+: / { next }
         name == "" { next }
         /Failure$|Error|ERROR|exception/ { told = 1 }
         told && lines-- > 0 && shown++ < 40 { print substr("  " name ": " $0, 1, 300) }' "$log"
}
show_closing() {
    printf '\n%s:\n' "$(basename "$1" .log)"
    sed -n '/^[0-9]*% tests passed/,$p' "$1"
}

# Markdown, for docs/verification.md
result_table() {
    local row
    printf 'Commit %s%s, %s UTC, %s, %d cores.\n\n| stage | result | seconds |\n|---|---|---|\n' \
        "$(git rev-parse --short=12 HEAD)" "$(git diff --quiet HEAD || echo ' with uncommitted changes')" \
        "$(date -u '+%Y-%m-%d %H:%M')" "$(. /etc/os-release && echo "$PRETTY_NAME")" "$(nproc)"
    for row in "${results[@]}"; do
        IFS='|' read -r title result seconds <<<"$row"
        printf '| %s | %s | %d |\n' "$title" "$result" "$seconds"
    done
    grep -hE '^[0-9]+% tests passed' "$root"/build/{dev,asan,tsan}-tests.log 2>/dev/null | sed 's/^/\n/' || true
}

# Replaces what stands between the two marks in docs/verification.md.
record_table() {
    local page=$root/docs/verification.md
    awk -v table="$1" '
        /<!-- check --full: begin -->/ { print; print ""; while ((getline line < table) > 0) print line; print ""; skip = 1; next }
        /<!-- check --full: end -->/ { skip = 0 }
        !skip' "$page" >"$page.new" && mv "$page.new" "$page"
    say "recorded in docs/verification.md"
}

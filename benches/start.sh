#!/usr/bin/env bash
# Prints what a start costs: time to the first answer on an empty folder, memory after it, size of the binary.
#   benches/start.sh target/release/bailiwick [RUNS]
# Needs bash, curl and /proc.
set -euo pipefail

binary=$(realpath "${1:?path of a release binary}")
runs=${2:-5}
folder=$(mktemp -d)
server=
trap '[ -n "$server" ] && kill -KILL "$server" 2>/dev/null; rm -rf "$folder"' EXIT

free_port() { # one on which nobody listens right now
    bash -c 'for p in $(shuf -i 20000-29999 -n 50); do (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || { echo "$p"; exit; }; done'
}

times=()
for ((run = 1; run <= runs; run++)); do
    home="$folder/$run"
    mkdir "$home"
    port=$(free_port)
    began=$(date +%s%N)
    (cd "$home" && exec env \
        BAILIWICK__SERVER__PUBLIC_ADDR="127.0.0.1:$port" \
        BAILIWICK__SERVER__INTERNAL_ADDR=127.0.0.1:0 \
        BAILIWICK__SERVER__ADMIN_ADDR=127.0.0.1:0 \
        BAILIWICK__LOG__FILTER=error \
        "$binary" serve >"$home/out" 2>"$home/err") &
    server=$!
    until curl -sf -o /dev/null --max-time 5 "http://127.0.0.1:$port/.well-known/jwks.json"; do
        kill -0 "$server" 2>/dev/null || { cat "$home/err" >&2; exit 1; }
    done
    ended=$(date +%s%N)
    times+=($(((ended - began) / 1000)))
    memory=$(awk '/^VmRSS:/ { print $2 }' "/proc/$server/status")
    peak=$(awk '/^VmHWM:/ { print $2 }' "/proc/$server/status")
    kill -TERM "$server"
    wait "$server" || true
    server=
done

sorted=($(printf '%s\n' "${times[@]}" | sort -n))
awk -v best="${sorted[0]}" -v median="${sorted[$((runs / 2))]}" -v worst="${sorted[$((runs - 1))]}" -v runs="$runs" \
    'BEGIN { printf "start to first answer, empty folder, %d runs: best %.0f ms, median %.0f ms, worst %.0f ms\n", runs, best / 1000, median / 1000, worst / 1000 }'
awk -v now="$memory" -v peak="$peak" 'BEGIN { printf "resident after start: %.1f MiB (peak %.1f MiB)\n", now / 1024, peak / 1024 }'
awk -v size="$(stat -c %s "$binary")" 'BEGIN { printf "binary: %.1f MiB\n", size / 1048576 }'

#!/bin/sh
# One shard of many dumps: shard.sh LIST SHARD SHARDS OUT
#
# LIST has the name of one dump a line, and is the same for all shards. Shard 0 of 100 takes lines 1, 101, 201 and so
# on, and writes OUT/part-000000.ndjson. Started again, it goes on where it was. TIMEOUT (5m) is for each dump, JOBS
# (1) how many at the same time, SYMBOLS a folder of symbols.
#
# Ends with 0 when there is a record of every dump, whatever the records say.
set -eu
list=$1 shard=$2 shards=$3 out=$4
mkdir -p "$out"
part=$out/part-$(printf %06d "$shard").ndjson

# The names may be too many for one command line; outputs of several concatenate. xargs ends with 123 when dumps have
# findings or errors, with something else when alpc-dump could not be run or was killed.
awk -v shard="$shard" -v shards="$shards" '(NR - 1) % shards == shard' "$list" | tr '\n' '\0' |
    xargs -0 -r sh -c '
        part=$1
        shift
        exec alpc-dump "$@" triage --format ndjson --jobs "${JOBS:-1}" --timeout "${TIMEOUT:-5m}" \
            ${SYMBOLS:+--symbols "$SYMBOLS"} --resume "$part" >>"$part"
    ' sh "$part" || [ $? -eq 123 ]

#!/usr/bin/env bash
# Holds dumps against rules: the lines for people go to stdout, JUnit XML into a file, or SARIF into one that ends in .sarif.
#
#   check.sh RULES REPORT DUMP...
#
# Ends as alpc-dump does: 0 when every condition holds, 1 when one fails, 3 when one cannot be determined, 2 when something
# could not be used at all. UNDECIDED=warn lets what cannot be determined pass, with a warning.
# SYMBOLS names PDBs or folders of them, one a line.
set -euo pipefail

rules=$1 report=$2
shift 2

symbols=()
while IFS= read -r place; do
    [[ -z $place ]] || symbols+=(--symbols "$place")
done <<<"${SYMBOLS:-}"

check() {
    alpc-dump "$@" ${symbols[@]+"${symbols[@]}"} check --rules "$rules"
}

status=0
check "$@" || status=$?
format=junit
[[ $report != *.sarif ]] || format=sarif
check "$@" --format "$format" >"$report" 2>/dev/null || true

if [[ $status == 3 && ${UNDECIDED:-fail} == warn ]]; then
    echo "::warning::some conditions could not be determined: the dumps lack what they ask for"
    status=0
fi
exit "$status"

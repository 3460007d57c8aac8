#!/bin/sh
# Hands in a run as a job array of N shards, and the job that merges them when all have ended.
# usage: TIDEMARK_OUT=/shared/full sh submit.sh N [OPTION of sbatch...]
set -eu

if [ $# -lt 1 ] || [ -z "${TIDEMARK_OUT:-}" ]; then
    echo "usage: TIDEMARK_OUT=FOLDER [TIDEMARK=PROGRAM] [TIDEMARK_PLAN='WORD...'] sh $0 N [OPTION of sbatch...]" >&2
    exit 2
fi
here=$(dirname "$0")
shards=$1
shift
mkdir -p "$TIDEMARK_OUT"
export TIDEMARK_OUT

array=$(sbatch --parsable --export=ALL --chdir="$TIDEMARK_OUT" --array="1-$shards" "$@" "$here/shard.sbatch")
# afterany: where a sample crashed the shard's status is 1, and it is whole nevertheless. `tidemark merge` refuses what is not.
merge=$(sbatch --parsable --export=ALL --chdir="$TIDEMARK_OUT" --dependency="afterany:${array%%;*}" "$@" "$here/merge.sbatch")
echo "shards: job ${array%%;*}, 1 to $shards; merge: job ${merge%%;*}; run: $TIDEMARK_OUT/run"

# python3: words of 200,000 lines counted, sorted and joined.
# shellcheck shell=sh source=workloads/programs/common.sh
. "${0%/*}/common.sh"
words 200000 2 > words.txt
phase run
under python3 -c '
import collections
lines = [line.split() for line in open("words.txt")]
counts = collections.Counter(word for line in lines for word in line)
pairs = collections.Counter(pair for line in lines for pair in zip(line, line[1:]))
open("out.txt", "w").write("\n".join(" ".join(sorted(line)) for line in lines))
assert sum(counts.values()) == 8 * len(lines)
'

# python3: a document of 100,000 records read from JSON, indexed, written again, dropped.
# shellcheck shell=sh source=workloads/programs/common.sh
. "${0%/*}/common.sh"
words 100000 1 > words.txt
phase run
under python3 -c '
import json, os
phases = os.fdopen(int(os.environ["TIDEMARK_PHASE_FD"]), "w")
def phase(name):
    print(name, file=phases, flush=True)
phase("build")
records = [{"id": number, "words": line.split(), "text": line} for number, line in enumerate(open("words.txt"))]
phase("dump")
text = json.dumps(records)
del records
phase("load")
records = json.loads(text)
index = {}
for record in records:
    for word in record["words"]:
        index.setdefault(word, []).append(record["id"])
phase("drop")
del records, text, index
import gc, time
gc.collect()
time.sleep(0.5)
os._exit(0) # not by what the interpreter frees on its way out
'

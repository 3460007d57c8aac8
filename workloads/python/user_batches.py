"""The first article's process on a real CPython: users of some 9 KB each, worked through 500 at a time.

The same phases as workloads/user_batches.c. It leaves out the database. Reports go to the null device as they are.

Started by `tidemark run --host PYTHON`, as user_batches.py n=20000 batch=500 collect=batch results=written links=cyclic.
"""
import gc
import os
import string
import sys

import tidemark_host

COLLECTS = ("batch", "never", "disabled")
RESULTS = ("written", "kept")
LINKS = ("cyclic", "acyclic")
NAME_LENGTH = 20
EVENTS = 40
EVENT_LENGTH = 150
REPORT_LENGTH = 400
TEXT = string.ascii_lowercase * 17


def make_user(number, links):
    at = number % 26
    events = []
    for _ in tidemark_host.lazy_range(EVENTS):
        events.append(TEXT[at:at + EVENT_LENGTH])
    user = {"id": number, "name": TEXT[at:at + NAME_LENGTH], "events": events}
    if links == "cyclic":
        session = {"user": user}
        user["session"] = session
    return user


def make_users(first, end, links):
    users = []
    for number in tidemark_host.lazy_range(end - first):
        users.append(make_user(first + number, links))
    return users


def make_reports(users):
    reports = []
    for user in users:
        at = user["id"] % 26
        reports.append(TEXT[at:at + REPORT_LENGTH])
    return reports


def serve(values, sink):
    """Returns the reports of all batches that are kept."""
    n, batch, kept = values["n"], values["batch"], []
    first = 0
    while first < n:
        users = make_users(first, min(n, first + batch), values["links"])
        reports = make_reports(users)
        del users
        if values["results"] == "kept":
            kept.append(reports)
        else:
            for report in reports:
                os.write(sink, report.encode("ascii"))
        del reports
        if values["collect"] == "batch":
            gc.collect()
        first += batch
    return kept


def kept_bytes(kept):
    total = sys.getsizeof(kept)
    for reports in kept:
        total += sys.getsizeof(reports) + len(reports) * sys.getsizeof(reports[0])
    return total


def play(host, values):
    sink = os.open(os.devnull, os.O_WRONLY)
    if values["collect"] == "disabled":
        gc.disable()
    host.begin("serve")
    kept = serve(values, sink)
    host.begin("del", kept_bytes(kept), freed=True)
    del kept
    host.begin("collect", freed=True)
    gc.collect()
    host.idle(values["idle_ns"], freed=True)
    os.close(sink)


if __name__ == "__main__":
    tidemark_host.run(play, {"n": (20000, 1), "batch": (500, 1)},
                      {"collect": COLLECTS, "results": RESULTS, "links": LINKS})

"""
docs/examples/cluster/ as it stands, on a Slurm of one node that this test starts and ends: munged, slurmctld and slurmd of the
Debian packages, in a folder of their own, on ports of their own, without systemd, accounting and cgroups. Leaves out several
nodes. Where there is no Slurm, or it does not start, the test is not run, with the reason (77, ctest's SKIP_RETURN_CODE).
"""
import ctypes
import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "tests")
from tidemark_run import TIDEMARK, read_record, read_samples  # noqa: E402

NOT_RUN = 77
EXAMPLE = os.path.abspath("docs/examples/cluster")
SHARDS = 3
# Two units for three shards: the third is empty. Some tenths of a second each.
PLAN = "-w list_lifetime:n=20k|30k -a pymalloc,glibc --idle 50ms --rounds 3 --warm-up 0 --no-repeats"
CONF = """ClusterName=tidemark
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
ReturnToService=2
MpiDefault=none
MailProg=/bin/true
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 NodeHostname={host} CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
libc = ctypes.CDLL(None, use_errno=True)


class NotRun(Exception):
    """What this machine lacks for the test."""


def die_with_the_test():
    """In a daemon, before it begins: also where this test is killed, none is left."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def free_ports(count):
    """Held all at once, so that they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for(what, seconds, holds):
    """holds() within that time, or a failure that says what was waited for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return
        time.sleep(0.2)
    raise AssertionError("not within %d s: %s" % (seconds, what))


def descendants():
    """Every process beneath this one: what a daemon left behind is this one's too (PR_SET_CHILD_SUBREAPER)."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % name, encoding="utf-8", errors="replace") as file:
                parents[int(name)] = int(file.read().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended
    found, last = {os.getpid()}, None
    while last != len(found):
        last = len(found)
        found |= {process for process, parent in parents.items() if parent in found}
    return found - {os.getpid()}


class Slurm:
    """A cluster of this machine alone; `with` ends it in every case."""

    def __init__(self, folder):
        self.folder = folder
        self.daemons = []
        self.environment = {**os.environ, "SLURM_CONF": os.path.join(folder, "slurm.conf")}
        for name in [name for name in self.environment if name.startswith(("SLURM_", "SBATCH_")) and name != "SLURM_CONF"]:
            del self.environment[name]

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        for process in descendants():  # jobs, and what looks after them
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        while True:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return

    def daemon(self, name, *arguments):
        with open(os.path.join(self.folder, name + ".log"), "w", encoding="utf-8") as log:
            self.daemons.append(subprocess.Popen([name, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                 env=self.environment, preexec_fn=die_with_the_test))

    def log(self, name):
        with open(os.path.join(self.folder, name + ".log"), encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-6:])

    def start(self):
        os.chmod(self.folder, 0o755)  # munged wants every user to reach its socket
        for name in ("state", "spool"):
            os.mkdir(os.path.join(self.folder, name), 0o755)
        key = os.path.join(self.folder, "munge.key")
        with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(os.urandom(128))
        host, (controller, node) = socket.gethostname().partition(".")[0], free_ports(2)
        with open(self.environment["SLURM_CONF"], "w", encoding="utf-8") as file:
            file.write(CONF.format(folder=self.folder, host=host, user=getpass.getuser(), controller=controller, node=node,
                                   cpus=os.cpu_count()))
        place = lambda name: os.path.join(self.folder, name)
        self.daemon("munged", "--foreground", "--key-file=" + key, "--socket=" + place("munge.socket"), "--num-threads=10",
                    "--pid-file=" + place("munged.pid"), "--log-file=" + place("munge.log"), "--seed-file=" + place("munge.seed"))
        self.come_up("munged", 20, lambda: os.path.exists(place("munge.socket")))
        self.daemon("slurmctld", "-D", "-f", self.environment["SLURM_CONF"])
        self.come_up("slurmctld", 30, lambda: self.ask("sinfo", "-h").returncode == 0)
        self.daemon("slurmd", "-D", "-N", host, "-f", self.environment["SLURM_CONF"])
        self.come_up("slurmd", 60, lambda: self.ask("sinfo", "-h", "-o", "%T").stdout.strip() == "idle")

    def come_up(self, name, seconds, is_up):
        deadline = time.monotonic() + seconds
        while not is_up():
            if self.daemons[-1].poll() is not None or time.monotonic() > deadline:
                raise NotRun("%s does not start here: %s" % (name, self.log(name)))
            time.sleep(0.1)

    def ask(self, *words, **more):
        return subprocess.run(words, env={**self.environment, **more}, capture_output=True, text=True, check=False, timeout=60)

    def jobs(self):
        asked = self.ask("squeue", "-h", "-o", "%i %T")
        if asked.returncode != 0:
            raise AssertionError(asked.stderr + self.log("slurmctld"))
        return asked.stdout.split("\n")[:-1]

    def submit(self, out):
        """The example, as a user hands it in."""
        handed = self.ask("sh", os.path.join(EXAMPLE, "submit.sh"), str(SHARDS), TIDEMARK=TIDEMARK, TIDEMARK_OUT=out,
                          TIDEMARK_PLAN=PLAN)
        if handed.returncode != 0:
            raise AssertionError("submit.sh: " + handed.stderr)
        print(handed.stdout, end="")

    def wait_for_jobs(self, seconds=300):
        wait_for("the end of all jobs: %s" % self.jobs(), seconds, lambda: not self.jobs())


def logs(out):
    """What the jobs said, for a failure."""
    said = []
    for name in sorted(os.listdir(out)):
        if name.endswith(".log"):
            with open(os.path.join(out, name), encoding="utf-8", errors="replace") as file:
                said.append("%s:\n%s" % (name, "".join(file.readlines()[-12:])))
    return "\n".join(said)


def check(holds, what, out):
    if not holds:
        raise AssertionError("%s\n%s" % (what, logs(out)))


def content(folder):
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(where, name), "rb") as file:
                found[os.path.relpath(os.path.join(where, name), folder)] = file.read()
    return found


def check_merged(out):
    """The merged run has every sample of the plan that one machine would measure, once, and is what merging by hand gives."""
    run = os.path.join(out, "run")
    check(os.path.exists(os.path.join(run, "plan.json")), "there is no merged run", out)
    planned = subprocess.run([TIDEMARK, "run", *PLAN.split(), "--dry-run"], capture_output=True, text=True, check=True)
    plan, samples, machine = read_record(run + "/plan.json"), read_samples(run), read_record(run + "/machine.json")
    check("%d samples," % len(samples) in planned.stdout, "it has %d samples; planned: %s" % (len(samples), planned.stdout), out)
    check(sorted((sample["cell"], sample["round"]) for sample in samples)
          == sorted((cell, number) for number, turn in enumerate(plan["order"]) for cell in turn), "samples are not the plan's", out)
    check({cell["status"] for cell in read_record(run + "/summary.json")} == {"ok"}, "a cell is not ok", out)
    check(plan["shard"]["merged"] == list(range(1, SHARDS + 1)), "not all shards were merged", out)
    check([shard["host_name"] for shard in machine["shards"]] == [socket.gethostname()] * SHARDS, "another host's name", out)
    check([shard["samples"] > 0 for shard in machine["shards"]] == [True, True, False], "another share of the samples", out)
    by_hand = os.path.join(out, "by-hand")
    subprocess.run([TIDEMARK, "merge", "-o", by_hand, *(out + "/shard-%d" % index for index in (3, 2, 1))], check=True,
                   stdout=subprocess.DEVNULL)
    check(content(by_hand) == content(run), "merged by hand it is another run", out)
    drawn = subprocess.run([TIDEMARK, "show", run], capture_output=True, text=True, check=True)
    check("measured on 1 machine, 3 of 3 shards merged" in drawn.stdout, drawn.stdout, out)


def test_a_run_goes_over_the_cluster_and_is_merged(slurm, folder):
    out = os.path.join(folder, "out")
    slurm.submit(out)
    slurm.wait_for_jobs()
    check_merged(out)


def test_what_was_stopped_is_handed_in_once_more_and_finished(slurm, folder):
    """A node's time is over in the middle of a shard: nothing is merged of it, and the same command finishes it."""
    out = os.path.join(folder, "stopped")
    slurm.submit(out)
    curves = os.path.join(out, "shard-1", "curves")
    wait_for("a sample of the first shard", 60, lambda: os.path.isdir(curves) and len(os.listdir(curves)) > 1)
    first = next(job.split()[0] for job in slurm.jobs() if job.split()[0].endswith("_1"))
    slurm.ask("scancel", "--batch", "--signal=TERM", first)
    slurm.wait_for_jobs()
    before = read_samples(os.path.join(out, "shard-1"))
    check(read_record(os.path.join(out, "shard-1", "machine.json"))["interrupted"], "the shard was not stopped", out)
    check(not os.path.exists(os.path.join(out, "run")), "an unfinished shard was merged", out)
    check("shard 1 of 3 did not finish" in logs(out), "merge does not say what lacks", out)
    slurm.submit(out)
    slurm.wait_for_jobs()
    check(read_samples(os.path.join(out, "shard-1"))[:len(before)] == before, "what was measured was measured again", out)
    check_merged(out)


def run_tests(folder):
    lacks = [name for name in ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel") if not shutil.which(name)]
    if lacks:
        raise NotRun("there is no %s here (Debian packages slurmctld, slurmd, slurm-client and munge)" % ", ".join(lacks))
    with Slurm(tempfile.mkdtemp(dir=folder)) as slurm:
        for test in (test_a_run_goes_over_the_cluster_and_is_merged, test_what_was_stopped_is_handed_in_once_more_and_finished):
            began = time.monotonic()
            test(slurm, folder)
            print("%s: ok, %.1f s" % (test.__name__, time.monotonic() - began), flush=True)


def end(*_):
    raise SystemExit(1)  # what is open is closed


def main():
    """The tests are in a process of their own, which ends all that it started also where this one is killed."""
    tests = os.fork()
    if tests == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        return run_all()
    signal.signal(signal.SIGTERM, lambda *_: os.kill(tests, signal.SIGTERM))
    return os.waitstatus_to_exitcode(os.waitpid(tests, 0)[1])


def run_all():
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    signal.signal(signal.SIGTERM, end)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    folder = tempfile.mkdtemp(prefix="tidemark-slurm-")
    os.chmod(folder, 0o755)
    try:
        run_tests(folder)
    except NotRun as lack:
        print("n/a: %s" % lack)
        return 1 if "CI" in os.environ else NOT_RUN
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if descendants() else 0  # nothing is left


if __name__ == "__main__":
    sys.exit(main())

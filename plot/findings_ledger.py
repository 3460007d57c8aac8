"""
Says what the calls to the kernel cost: how many each row made, how long they took, what they took and gave back.
It leaves out the figure (system_calls.py). A run without the pass `ledger` has no such section.
"""
import system_calls
import words
from findings import Section


def read_sections(run):
    """A section for each experiment that is drawn."""
    pairs, more = system_calls.candidates(run)
    return [Section(f"syscalls-{index}" if index else "syscalls", f"Calls to the kernel ({words.experiment(experiment)})",
                    [_say(ledgers) + (_say_more(more) if more and not index else "")],
                    [f"{words.plain(one.cell.allocator)}: {system_calls.say(one)}." for one in ledgers])
            for index, (experiment, ledgers) in enumerate(pairs)]


def _say(ledgers):
    shares = [(share, one) for one in ledgers if (share := system_calls.share_of_all(one)) is not None]
    if not shares:
        return "How long the phases took without being watched is not known."
    most, one = max(shares, key=lambda pair: pair[0])
    name = words.plain(one.cell.allocator)
    if most < 0.01:
        return f"Nowhere did they take 1{words.NARROW}% of the time; most on {name}, {words.percent_small(most)}."
    return f"They took the largest share of the time on {name}: {words.percent_short(most)}."


def _say_more(more):
    are = "is" if more == 1 else "are"
    return (f" {words.amount(more, 'further experiment')}, with less time in calls, {are} not drawn: "
            "`tidemark show RUN --syscalls` has all.")

"""
Says who holds memory back: of what is resident at the end, what the program asked for, what cannot go back, what could.
It leaves out the figure (held_back.py). A run without the pass `pages` has no such section.
"""
import held_back
import words
from findings import Section


def read_sections(run):
    sections = []
    for index, (experiment, rows) in enumerate(held_back.candidates(run)):
        anchor = f"held-{index}" if index else "held"
        sections.append(Section(anchor, f"Who holds memory back ({words.experiment(experiment)})", [_say(rows)],
                                [f"{words.plain(one.cell.allocator)}: {held_back.say(one)}." for one in rows]))
    return sections


def _say(rows):
    text = ("A page with one byte in it that the program still holds cannot go back unless blocks are moved; these pages "
            "are the floor. What is resident beyond it the allocator holds back by choice.")
    most = max(rows, key=lambda one: one.last.held)
    floors = [one.last.floor for one in rows if one.last.floor > 0]
    if most.last.held > 0:
        text += f" {words.plain(most.cell.allocator)} held back most at the end, {words.memory(most.last.held)}."
    if len(floors) > 1 and max(floors) > 0.05:
        text += f" The floors lie between {words.memory(min(floors))} and {words.memory(max(floors))}."
    return text

#!/usr/bin/python3
"""
Makes a manual page of what `tidemark COMMAND --help` prints, by help2man.

It leaves out any text of its own: the synopsis, the options, the examples and the exit status are the program's, the name is
its line in `tidemark --complete`. What no help text holds (files, environment) comes from packaging/man/NAME.h2m. The same
program and date give the same page.
"""
import argparse
import datetime
import os
import re
import subprocess
import sys
import tempfile


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0].strip())
    parser.add_argument("--help2man", required=True, help="the program help2man")
    parser.add_argument("--program", required=True, help="tidemark, as built")
    parser.add_argument("--command", help="a command of it; without one the page is tidemark(1)")
    parser.add_argument("--include", required=True, help="help2man's include file, for what --help does not say")
    parser.add_argument("--version", required=True, help="of the program")
    parser.add_argument("--date", required=True, help="of the version, 2026-01-31; SOURCE_DATE_EPOCH overrides it")
    parser.add_argument("output", help="the page, NAME.1")
    return parser.parse_args()


def ask(program, *words):
    return subprocess.run([program, *words], check=True, capture_output=True, text=True).stdout


def read_commands(program):
    """The commands with their summaries, in the order of the help text."""
    return dict(line.split("\t") for line in ask(program, "--complete", "").splitlines())


def take(pattern, text):
    """The text without the first match, and what the match's group holds ('' without one)."""
    found = re.search(pattern, text, re.MULTILINE | re.DOTALL)
    return (text[:found.start()] + text[found.end():], found.group(1)) if found else (text, "")


def split_help(text, has_commands):
    """A help text in the order of help2man's sections, and its usage, examples and exit status apart."""
    parts = {}
    text, parts["usage"] = take(r"^Usage: (.*?)\n", text)
    text, parts["examples"] = take(r"^Example:\n((?:  .*?(?:\n|\Z))+)", text)
    text, parts["status"] = take(r"^Exit status: (.*?)(?:\n\n|\Z)", text)
    text, options = take(r"^((?: {2,6}-.*?\n)(?: .*?\n)*)(?:\n|\Z)", text)
    text, commands = take(r"^((?:  [a-z]+ +.*?\n)+)\n", text) if has_commands else (text, "")
    text, note = take(r"^(Mandatory or optional arguments .*?)(?:\n\n|\Z)", text)
    parts["text"] = text.strip() + "\n\n"
    if commands:
        parts["text"] += "*Commands*\n\n%s\n" % commands
    if options:
        parts["text"] += "Options:\n\n%s\n%s" % (options, note)
    return parts


def escape(text):
    """Plain text as roff that prints it as it is, with no line that help2man takes for a section or a pattern."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'\[/])", r"\\&\1", text, flags=re.MULTILINE)


def format_synopsis(usage, command):
    program = "tidemark " + command if command else "tidemark"
    rest = escape(usage[len(program):].strip())
    return ".B %s\n%s\n" % (program, re.sub(r"\b[A-Z_]{3,}\b", r"\\fI\g<0>\\fR", rest))


def format_examples(examples):
    return ".nf\n%s.fi\n" % escape(re.sub(r"^  ", "", examples, flags=re.MULTILINE)) if examples else ""


def format_status(status):
    meanings = re.findall(r"(\d+) ([^;]+?)(?:;|\.?$)", " ".join(status.split()))
    return "".join(".TP\n.B %s\n%s\n" % (number, escape(meaning)) for number, meaning in meanings)


def format_see_also(name, commands):
    pages = ["tidemark"] + ["tidemark-" + command for command in commands]
    return ",\n".join(".BR %s (1)" % escape(page) for page in pages if page != name) + "\n"


def write_include(path, name, summary, parts, commands):
    sections = {
        "COMMANDS": "",  # its place: before what the help text does not say
        "NAME": "%s \\- %s\n" % (name, summary),
        "=SYNOPSIS": format_synopsis(parts["usage"], name.partition("-")[2]),
        "EXIT STATUS": format_status(parts["status"]),
        "EXAMPLES": format_examples(parts["examples"]),
        "SEE ALSO": format_see_also(name, commands),
    }
    with open(path, "w", encoding="utf-8") as file:
        for section, text in sections.items():
            if text or section == "COMMANDS":
                file.write("[%s]\n%s\n" % (section, text))


def run_help2man(arguments, name, summary, parts, commands):
    with tempfile.TemporaryDirectory() as scratch:
        text, include = os.path.join(scratch, name), os.path.join(scratch, "include.h2m")
        with open(text, "w", encoding="utf-8") as file:
            file.write(parts["text"])
        write_include(include, name, summary, parts, commands)
        # help2man runs its last argument and the option in a shell and takes what is printed.
        return subprocess.run(
            [arguments.help2man, "--no-info", "--section=1", "--locale=C.UTF-8", "--manual=User Commands",
             "--source=Tidemark " + arguments.version, "--version-string=tidemark " + arguments.version,
             "--include=" + include, "--include=" + arguments.include, "--help-option=--", "cat '%s'" % text],
            check=True, stdout=subprocess.PIPE, text=True).stdout


def date_of(arguments):
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if epoch.isdigit():
        return datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc).strftime("%Y-%m-%d")
    return arguments.date


def main():
    arguments = read_arguments()
    commands = read_commands(arguments.program)
    name = "tidemark-" + arguments.command if arguments.command else "tidemark"
    summary = commands[arguments.command] if arguments.command else "what a memory allocator costs in time and memory"
    words = [arguments.command, "--help"] if arguments.command else ["--help"]
    parts = split_help(ask(arguments.program, *words), has_commands=not arguments.command)
    page = run_help2man(arguments, name, summary, parts, commands)
    # help2man knows the month alone, and in words that mandoc does not take for a date.
    page = re.sub(r'^(\.TH \S+ "1") "[^"]*"', r'\1 "%s"' % date_of(arguments), page, count=1, flags=re.MULTILINE)
    with open(arguments.output, "w", encoding="utf-8") as file:
        file.write(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())

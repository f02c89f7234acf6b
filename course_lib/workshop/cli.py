"""The command `course …`; `course --help` lists what it can do. Every line of output is meant for a person."""

from __future__ import annotations

import argparse
import os
import sys

from ..base.errors import CourseError
from ..base.quiet import printable
from .commands import lessons, own, reference, upkeep, world


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status. A `CourseError` becomes two lines on stderr; a closed pipe or Ctrl-C ends it quietly."""
    printable()
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        status = options.run(options) or 0
        sys.stdout.flush()
        return status
    except CourseError as error:
        print(f"{error.what}\n{error.next}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `course … | head`: the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains once more when it ends
        return 0
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except OSError as error:
        print(
            f"{error.filename or 'A file'}: {error.strerror or error}.\nCheck the path and its permissions.",
            file=sys.stderr,
        )
        return 1


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    parser = argparse.ArgumentParser(
        prog="course", description="Techniques for Fine-Tuning LLMs, from the command line."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    for theme in (lessons, world, own, reference, upkeep):  # the order of the help
        theme.add(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""One case: what it is called, what it plays with, what was seen."""

import contextlib

from calls import Server, Stream, Tap
from field import Field

CASES = []
OFF, ON, ONLY = "off", "on", "only"


def case(number, name, right, report="", modes=(OFF, ON)):
    """Declares a case: a short name, what is right, the public report that it plays."""
    def declare(play):
        play.number, play.title, play.right = number, name, right
        play.report, play.modes = report, modes
        CASES.append(play)
        return play
    return declare


class Trial(contextlib.ExitStack):
    """What a case does things with. Everything is undone when it ends.

    `slack` is how many times the time that a release build may take a measured thing may take.
    """

    def __init__(self, ringfence, mode, slack):
        super().__init__()
        self.ringfence, self.mode, self.slack = ringfence, mode, slack
        self.claims, self.facts = [], []

    def field(self, *names, policies=(), **options):
        """A lab with an agent; `policies` are pairs of a file's name and its text."""
        return self.enter_context(Field(
            self.ringfence, self.mode, names or ("blue-1", "green-1"), policies, **options))

    def server(self, field, name, port, answer=None, **options):
        return self.closing(Server(field, name, port, answer, **options))

    def stream(self, *what, **options):
        return self.closing(Stream(*what, **options))

    def tap(self, field):
        return self.closing(Tap(field))

    def closing(self, one):
        self.callback(one.close)
        return one

    def claim(self, what, holds, seen=""):
        """Something that has to hold, and what was seen instead."""
        self.claims.append((what, bool(holds), str(seen)))
        return bool(holds)

    def fact(self, text):
        """Something that was measured, for the table."""
        self.facts.append(text)

    def within(self, what, seconds, limit):
        """A time that was measured, in seconds; None if it did not happen."""
        self.fact(f"{what} {'never' if seconds is None else f'{seconds:.2f} s'}")
        self.claim(f"{what} within {limit * self.slack:g} s",
                   seconds is not None and seconds <= limit * self.slack, seconds)

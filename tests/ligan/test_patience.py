import pytest

from ligan.patience import LONGEST_PAUSE, patiently
from ligan.problem import Problem


class Daemon:
    """Answers with each of `answers` in turn; time passes only where the caller sleeps."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.now = 0.0
        self.pauses = []

    def call(self):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Problem):
            raise answer
        return answer

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds

    def ask(self, patience_s):
        return patiently(self.call, patience_s, self.sleep, lambda: self.now)


AWAY = Problem("unreachable", "connection refused")


@pytest.mark.parametrize("slug", ["unreachable", "storage-full", "storage-unavailable"])
def test_an_answer_is_waited_for(slug):
    away = Problem(slug, "for now")
    daemon = Daemon(away, away, away, "here")
    assert daemon.ask(60) == "here"
    assert len(daemon.pauses) == 3
    assert daemon.pauses == sorted(set(daemon.pauses))


def test_patience_ends():
    daemon = Daemon(AWAY)
    with pytest.raises(Problem, match="connection refused"):
        daemon.ask(10)
    assert 10 - LONGEST_PAUSE <= daemon.now <= 10


def test_a_refusal_is_not_asked_again():
    daemon = Daemon(Problem("stale-report", "too late"), "never reached")
    with pytest.raises(Problem, match="too late"):
        daemon.ask(60)
    assert daemon.pauses == []

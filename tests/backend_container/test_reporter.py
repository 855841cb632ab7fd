import threading
from dataclasses import replace

import pytest

from backend_container.reporter import Report, Reporter
from ligan.problem import Problem
from ligan.wire.job import Done, Ready
from tests.ligan.stub import wait_until


class Line:
    """In place of `ligan.web.client.Client`: notes what is sent; `trouble` maps a path to what it raises, in turn."""

    def __init__(self, **trouble):
        self.trouble = {"/" + path.replace("_", "-"): list(problems) for path, problems in trouble.items()}
        self.sent, self.threads = [], []
        self.open = threading.Event()
        self.open.set()

    def post(self, path, message, answer):
        self._take(path)
        return answer()

    def put_bytes(self, path, body):
        self._take(path.partition("/artifacts")[1] + "/" + body.decode())

    def _take(self, path):
        self.threads.append(threading.current_thread())
        self.open.wait()
        problems = self.trouble.get(path)
        if problems:
            raise problems.pop(0)
        self.sent.append(path)


def report(path, supersedes=None, **artifacts):
    return Report(path, Done(), {name: body.encode() for name, body in artifacts.items()}, supersedes)


def send(line, *reports, patience_s=30):
    reporter = Reporter(line, patience_s)
    for one in reports:
        reporter.post(one)
    assert reporter.drain(20)
    return line.sent


def test_reports_go_out_in_order_and_artifacts_before_what_speaks_of_them():
    sent = send(Line(), Report("/on-ready", Ready()), report("/on-result", a="one", b="two"), report("/on-error"))
    assert sent == ["/on-ready", "/artifacts/one", "/artifacts/two", "/on-result", "/on-error"]


AWAY = Problem("unreachable", "connection refused")


def test_a_report_is_sent_again_until_the_daemon_is_back_and_others_wait_behind_it():
    assert send(Line(on_ready=[AWAY, AWAY]), report("/on-ready"), report("/on-result")) == ["/on-ready", "/on-result"]


def test_an_artifact_is_sent_again_too():
    line = Line()
    line.trouble["/artifacts/one"] = [AWAY]
    assert send(line, report("/on-result", a="one")) == ["/artifacts/one", "/on-result"]


@pytest.mark.parametrize(("slug", "level"), [("stale-report", "INFO"), ("not-authorised", "ERROR")])
def test_a_refused_report_is_dropped_and_the_next_one_goes_out(slug, level, caplog):
    caplog.set_level("INFO")
    refusal = Problem(slug, "no")
    assert send(Line(on_result=[refusal]), report("/on-result"), report("/on-error")) == ["/on-error"]
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (level, f"/on-result was dropped: {slug}: no")
    ]


def test_patience_has_an_end():
    assert send(Line(on_ready=[AWAY]), report("/on-ready"), report("/on-result"), patience_s=0) == ["/on-result"]


def test_only_the_newest_of_reports_with_a_mark_is_sent():
    line = Line()
    line.open.clear()
    reporter = Reporter(line, 30)
    reporter.post(report("/first"))
    wait_until(lambda: not reporter.drain(0) and not reporter._waiting, "the first report is on its way")
    for path, mark in (("/a1", "a"), ("/b1", "b"), ("/a2", "a"), ("/end", None), ("/b2", "b"), ("/a3", "a")):
        reporter.post(report(path, mark))
    line.open.set()
    assert reporter.drain(20)
    assert line.sent == ["/first", "/end", "/b2", "/a3"]


def lingering(path, linger_s):
    return replace(report(path, "a"), linger_s=linger_s)


def test_what_lingers_gives_way_to_what_comes_soon():
    assert send(Line(), lingering("/begun", 20), lingering("/done", 20), report("/result", "a")) == ["/result"]


def test_what_lingers_goes_out_in_its_turn_when_another_comes():
    assert send(Line(), lingering("/begun", 20), report("/other", "b")) == ["/begun", "/other"]


def test_what_lingers_goes_out_when_nothing_comes():
    assert send(Line(), lingering("/begun", 0.01)) == ["/begun"]


def test_draining_says_when_it_was_not_enough():
    line = Line()
    line.open.clear()
    reporter = Reporter(line, 30)
    reporter.post(report("/on-ready"))
    assert not reporter.drain(0.01)
    line.open.set()
    assert reporter.drain(20)


def test_a_report_whose_turn_it_is_goes_out_on_the_callers_own_thread():
    line = Line()
    reporter = Reporter(line, 30)
    reporter.send(report("/on-result"))
    assert line.sent == ["/on-result"]
    assert line.threads == [threading.current_thread()]


def test_it_takes_the_place_of_what_lingers():
    line = Line()
    reporter = Reporter(line, 30)
    reporter.post(lingering("/begun", 20))
    reporter.send(report("/on-result", "a"))
    assert reporter.drain(0)
    assert line.sent == ["/on-result"]
    reporter.post(report("/next"))
    assert reporter.drain(20)
    assert line.sent == ["/on-result", "/next"]


def test_it_waits_behind_others_and_so_does_its_caller_not():
    line = Line()
    line.open.clear()
    reporter = Reporter(line, 30)
    reporter.post(report("/first"))
    wait_until(lambda: line.threads, "the first report is on its way")
    reporter.send(report("/second"))
    reporter.send(report("/third"))
    line.open.set()
    assert reporter.drain(20)
    assert line.sent == ["/first", "/second", "/third"]
    assert threading.current_thread() not in line.threads


def test_artifacts_are_not_for_the_callers_thread():
    line = Line()
    reporter = Reporter(line, 30)
    reporter.send(report("/on-result", a="one"))
    assert reporter.drain(20)
    assert line.sent == ["/artifacts/one", "/on-result"]
    assert threading.current_thread() not in line.threads


def test_what_did_not_get_through_is_sent_again_before_all_others():
    line = Line(on_result=[AWAY, AWAY, AWAY])
    reporter = Reporter(line, 30)
    reporter.send(report("/on-result"))
    assert line.threads == [threading.current_thread()]
    reporter.send(report("/on-error"))
    assert reporter.drain(20)
    assert line.sent == ["/on-result", "/on-error"]
    assert line.threads.count(threading.current_thread()) == 1


def test_what_is_refused_is_dropped_there_too(caplog):
    line = Line(on_result=[Problem("stale-report", "no")])
    reporter = Reporter(line, 30)
    caplog.set_level("INFO")
    reporter.send(report("/on-result"))
    assert reporter.drain(0)
    assert [record.getMessage() for record in caplog.records] == ["/on-result was dropped: stale-report: no"]


def test_posts_meanwhile_wait_for_the_callers_call():
    line = Line()
    line.open.clear()
    reporter = Reporter(line, 30)
    caller = threading.Thread(target=reporter.send, args=(report("/on-result"),))
    caller.start()
    wait_until(lambda: line.threads, "the caller's call")
    reporter.post(report("/next"))
    assert not reporter.drain(0.05)
    assert line.threads == [caller]
    line.open.set()
    assert reporter.drain(20)
    caller.join(20)
    assert line.sent == ["/on-result", "/next"]


@pytest.mark.parametrize(("refusal", "calls"), [("stale-report", 1), ("not-authorised", 0), ("unreachable", 0)])
def test_who_posted_a_report_hears_that_its_task_is_nobodys_any_more(refusal, calls):
    heard = []
    stale = Report("/on-progress", Done(), when_stale=lambda: heard.append("stale"))
    send(Line(on_progress=[Problem(refusal, "no")]), stale)
    assert len(heard) == calls

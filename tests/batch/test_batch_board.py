"""The board alone: leases, jobs put off, lost messages; each against a real Redis."""

from __future__ import annotations

import shutil
import threading

import pytest
from redis_server import Redis, free_port

pytest.importorskip("celery", reason="NO CELERY: the queue was not tested (pip install celery redis)")
pytest.importorskip("redis", reason="NO REDIS CLIENT: the queue was not tested (pip install celery redis)")
if shutil.which("redis-server") is None:
    pytest.skip("NO REDIS SERVER: the queue was not tested (apt install redis-server)", allow_module_level=True)


def test_a_lease_that_nobody_renews_is_swept_once(broker: Redis) -> None:
    from maquette.batch.board import Board

    def sweep() -> list[str]:
        board.redis.delete("maquette:swept")  # as if the pause between two looks were over
        return board.sweep()

    board, job = Board(broker.url), {"key": "k", "name": "n", "queue": "q"}
    assert board.submit(job) and not board.submit({"key": "k", "queue": "q"})
    assert board.lengths(["q"]) == {"q": 2}  # once too often is harmless: only one delivery can claim it
    assert board.claim("k", "me") == 1 and board.claim("k", "you") == 0
    assert board.claim("k", "me") == 1  # the answer was lost on the way: asked again, it is the same
    assert sweep() == [] and board.renew("k", "me") and not board.renew("k", "you")
    board.redis.zadd("maquette:leases", {"k": 1})
    assert board.sweep() == []  # somebody has just looked
    assert sweep() == ["k"] and sweep() == []
    assert board.renew("k", "me")  # back from an outage before anybody else began: still its own
    assert board.claim("k", "you") == 0 and sweep() == []
    board.redis.zadd("maquette:leases", {"k": 1})
    assert sweep() == ["k"] and board.claim("k", "you") == 2
    assert not board.renew("k", "me")  # one that comes back too late hears that the job is another's
    assert not board.later(job, 0, "me")  # whoever has no room for it does not take it from the one who works
    assert board.renew("k", "you")
    assert board.later({**job, "rung": 1}, 0, "you")
    assert not board.renew("k", "you")  # what was given back is not taken back
    assert sweep() == ["k"] and board.job("k") == {**job, "rung": 1}
    assert board.claim("k", "me") == 3
    assert board.finish("k", {"state": "done"}) and not board.finish("k", {"state": "dead"})
    assert not board.renew("k", "me")
    assert board.claim("k", "me") == 0 and board.result("k") == {"state": "done"}
    assert not board.submit(job) and sweep() == []
    assert board.results({"k": 1, "j": 2}) == {"k": {"state": "done"}}
    board.forget(["k"])
    assert board.results({"k": 1}) == {}


def test_after_an_outage_who_works_may_say_so_before_its_job_is_given_away(broker: Redis) -> None:
    """Nobody could renew while Redis was away: the first look afterwards gives every lease another term, the next ones
    take what still was not renewed."""
    from maquette.batch.board import LEASE_SECONDS, Board

    def sweep() -> list[str]:
        board.redis.delete("maquette:swept")
        return board.sweep()

    board = Board(broker.url)
    for key in ("alive", "dead"):
        board.publish({"key": key, "name": key, "queue": "q"})
        assert board.claim(key, "me") == 1
    assert sweep() == []
    board.redis.decrby("maquette:looked", int(LEASE_SECONDS * 1000))
    board.redis.zadd("maquette:leases", {"alive": 1, "dead": 1})
    assert sweep() == []
    assert board.claim("alive", "you") == 0 and board.renew("alive", "me")
    board.redis.zadd("maquette:leases", {"dead": 1})
    assert sweep() == ["dead"] and board.claim("dead", "you") == 2


def test_a_job_put_off_while_it_was_being_sent_is_not_forgotten(broker: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweeper sends; before it can note that, a worker has claimed, failed and put the job off: that stays noted.
    A sweeper that dies between the two leaves the job for the next."""
    from maquette.batch.board import Board

    board, job = Board(broker.url), {"key": "k", "name": "n", "queue": "q"}
    board.publish(job)
    board.later(job, 0, "me")
    monkeypatch.setattr(board, "_send", lambda job: (board.claim("k", "me"), board.later(job, 60, "me")))
    assert board.sweep() == ["k"]
    assert board.redis.zcard("maquette:later") == 1
    board.later(job, 0, "me")
    monkeypatch.setattr(board, "_send", lambda job: 1 / 0)
    board.redis.delete("maquette:swept")
    with pytest.raises(ZeroDivisionError):
        board.sweep()
    assert board.redis.zcard("maquette:later") == 1


def test_who_finds_no_room_changes_nothing_but_the_time_of_the_next_message(broker: Redis) -> None:
    """Not the job, which may have gone down the ladder since, nor a lease, nor a back-off; but the message that found
    no room is followed by another, also when the sweeper is about to note it as sent."""
    from maquette.batch.board import Board

    board, job = Board(broker.url), {"key": "k", "name": "n", "queue": "q"}
    assert not board.no_room("k", 0)
    board.publish(job)
    assert board.claim("k", "me") == 1 and not board.no_room("k", 0)
    assert board.later({**job, "rung": 1}, 60, "me")
    due = board.redis.zscore("maquette:later", "k")
    assert board.no_room("k", 0)
    assert board.redis.zscore("maquette:later", "k") == due + 1 and board.job("k") == {**job, "rung": 1}
    board._run("sent", ["maquette:later"], "k", str(int(due)))
    assert board.redis.zcard("maquette:later") == 1
    board.redis.delete("maquette:later")
    assert board.no_room("k", 0) and board.sweep() == ["k"]


def test_a_message_waits_for_a_redis_that_restarts(broker: Redis) -> None:
    """Celery alone gives up within a second."""
    from maquette.batch.board import Board

    board = Board(broker.url)
    board.publish({"key": "k", "name": "n", "queue": "q"})
    broker.stop()
    back = threading.Timer(3, broker.start)
    back.start()
    board._send({"key": "k", "name": "n", "queue": "q"})
    back.join()
    assert board.lengths(["q"]) == {"q": 2}


def test_a_broker_that_is_away_is_one_error_in_words(broker: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    from maquette.batch.board import Board, BrokerError

    monkeypatch.setattr("maquette.batch.board._PATIENCE", {"max_retries": 1})

    board = Board(broker.url, f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(BrokerError, match="takes no message"):
        board.publish({"key": "k", "name": "n", "queue": "q"})
    assert board.job("k") is not None  # the next submission sends it

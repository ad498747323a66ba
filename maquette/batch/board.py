"""What all machines of a queue share, in Redis: leases, attempts, results, dead letters.

Celery carries the messages; it redelivers a killed worker's job only after its visibility timeout (measured: 101 s
after the start with one of 30 s). So every job under way has a lease here, renewed while its worker lives; one without
is sent again by whichever worker looks next. A job is known by its item key: a second delivery of it ends at once,
so sending once too often is harmless, and every step here sends first and forgets afterwards.
"""

from __future__ import annotations

import json
import time
from typing import Any

from ..errors import MissingError

LEASE_SECONDS = 12.0
QUEUE = "default"
TASK = "maquette.item"
_P = "maquette:"


def connect(url: str) -> Any:
    """A Redis client that waits for a Redis that restarts. Raises MissingError without the ``queue`` extra."""
    try:
        import redis
        from redis.backoff import ExponentialBackoff
        from redis.retry import Retry
    except ImportError as error:
        raise MissingError("--broker needs celery and redis: python install.py --extras queue") from error
    lost = [redis.ConnectionError, redis.TimeoutError]
    return redis.Redis.from_url(
        url, decode_responses=True, retry=Retry(ExponentialBackoff(cap=2, base=0.1), 30), retry_on_error=lost
    )


def make_app(url: str) -> Any:
    """Celery with late acknowledgement and one message at a time."""
    try:
        from celery import Celery
    except ImportError as error:
        raise MissingError("--broker needs celery and redis: python install.py --extras queue") from error
    app = Celery("maquette", broker=url)
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        task_default_queue=QUEUE,
        task_ignore_result=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_transport_options={"visibility_timeout": 6 * 3600},  # longer than any job: the lease is what counts
        worker_hijack_root_logger=False,
    )
    return app


class Board:
    """The shared state. A job is a dict with at least ``key``, ``name`` and ``queue``."""

    def __init__(self, url: str) -> None:
        self.redis = connect(url)
        self._app = make_app(url)

    def publish(self, job: dict[str, Any]) -> None:
        """Send a job to its queue."""
        self.redis.hset(f"{_P}jobs", job["key"], json.dumps(job))
        self._app.send_task(TASK, args=[job["key"]], queue=job["queue"])

    def job(self, key: str) -> dict[str, Any] | None:
        """The job as it was published last."""
        text = self.redis.hget(f"{_P}jobs", key)
        return json.loads(text) if text else None

    def submit(self, job: dict[str, Any]) -> bool:
        """Publish a job that has no result yet; True when it was not known. A known one is sent as it stands there."""
        if self.result(job["key"]) is not None:
            return False
        known = self.job(job["key"])
        self.publish(known or job)
        return known is None

    def claim(self, key: str, owner: str) -> int:
        """Take the lease: the number of this attempt (from 1), or 0 when another worker has it or it is done."""
        self.redis.hset(f"{_P}running", key, owner)
        if not self.redis.set(f"{_P}lease:{key}", owner, nx=True, px=int(LEASE_SECONDS * 1000)):
            return 0
        if not self.redis.hexists(f"{_P}jobs", key):  # done between the two looks
            self.release(key)
            return 0
        return int(self.redis.hincrby(f"{_P}attempts", key, 1))

    def renew(self, key: str) -> None:
        """Say that the job's worker lives."""
        self.redis.pexpire(f"{_P}lease:{key}", int(LEASE_SECONDS * 1000))

    def release(self, key: str) -> None:
        """The job is not under way any more."""
        pipe = self.redis.pipeline()
        pipe.hdel(f"{_P}running", key).delete(f"{_P}lease:{key}").execute()

    def finish(self, key: str, result: dict[str, Any]) -> None:
        """Done or dead, in one transaction: a result for the submitter, for a dead job also a dead letter."""
        pipe = self.redis.pipeline()
        pipe.hset(f"{_P}results", key, json.dumps(result))
        if result["state"] == "dead":
            pipe.rpush(f"{_P}dead", json.dumps({"key": key, **result}))
        pipe.hdel(f"{_P}jobs", key).hdel(f"{_P}attempts", key)
        pipe.hdel(f"{_P}running", key).delete(f"{_P}lease:{key}").execute()

    def result(self, key: str) -> dict[str, Any] | None:
        """What came of a job, or None while it is open."""
        text = self.redis.hget(f"{_P}results", key)
        return json.loads(text) if text else None

    def forget(self, key: str) -> None:
        """The submitter has noted the result."""
        self.redis.hdel(f"{_P}results", key)

    def later(self, job: dict[str, Any], seconds: float) -> None:
        """Publish again after a pause (any worker's ``sweep`` does it)."""
        self.redis.hset(f"{_P}jobs", job["key"], json.dumps(job))
        self.redis.zadd(f"{_P}later", {job["key"]: time.time() + seconds})

    def sweep(self) -> list[str]:
        """Send again what is due, and what lost its worker; the keys. Safe from many workers at once."""
        back = []
        for key in self.redis.zrangebyscore(f"{_P}later", 0, time.time()):
            self._again(key)
            if self.redis.zrem(f"{_P}later", key):
                back.append(key)
        for key in self.redis.hkeys(f"{_P}running"):
            if not self.redis.exists(f"{_P}lease:{key}"):
                self._again(key)
                if self.redis.hdel(f"{_P}running", key):
                    back.append(key)
        return back

    def _again(self, key: str) -> None:
        job = self.job(key)
        if job is not None:
            self.publish(job)

    def lengths(self, queues: list[str]) -> dict[str, int]:
        """Messages that wait, per queue."""
        return {name: int(self.redis.llen(name)) for name in queues}

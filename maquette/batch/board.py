"""What all machines of a queue share, in Redis: jobs, leases, attempts, results, dead letters.

A job is an item, where its result goes and the gate it must pass: two submitters that differ in one of them have two.
Celery carries the messages; it redelivers a killed worker's job only after its visibility timeout (measured: 101 s
after the start with one of 30 s). So every job under way has a lease here, renewed while its worker lives; one whose
lease ran out is sent again by whoever looks next. A message only names a job: a second delivery of it ends at once, so
sending once too often is harmless, and every step here sends first and forgets afterwards.

Each step is one Lua script: Redis runs it whole or not at all, by its own clock, so the machines' clocks do not matter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from typing import Any

from ..errors import BadInputError, MissingError

LEASE_SECONDS = 12.0
QUEUE = "default"
TASK = "maquette.item"
_P = "maquette:"
_JOBS, _ATTEMPTS, _OWNERS, _RESULTS = f"{_P}jobs", f"{_P}attempts", f"{_P}owners", f"{_P}results"
_LEASES, _LATER, _DEAD, _SWEPT = f"{_P}leases", f"{_P}later", f"{_P}dead", f"{_P}swept"
_LOOKED = f"{_P}looked"
_SWEEP_MS = 1000
"""No more than one look for lost jobs in this time, however many machines ask for one."""
_PATIENCE = {"max_retries": 30, "interval_start": 0.1, "interval_step": 0.2, "interval_max": 2.0}
"""Of a message: a Redis that restarts is waited for, as in ``connect``; one with a long journal loads for a while."""
_QUIET_MS = int(LEASE_SECONDS * 500)
"""No look in this time means an outage: a worker looks, like every machine that waits, at least twice in it."""

_NOW = "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000) "
_CLAIM = (
    _NOW
    + """
local jobs, leases, owners, attempts = unpack(KEYS)
local key, owner, lease = unpack(ARGV)
if redis.call('HEXISTS', jobs, key) == 0 then return 0 end
local till = redis.call('ZSCORE', leases, key)
if till and tonumber(till) > now then
  if redis.call('HGET', owners, key) ~= owner then return 0 end
  return tonumber(redis.call('HGET', attempts, key))
end
redis.call('ZADD', leases, now + lease, key)
redis.call('HSET', owners, key, owner)
return redis.call('HINCRBY', attempts, key, 1)
"""
)
# A job without an owner was swept while its worker could not say that it lives: that worker may take it back, unless
# another was quicker. One that was given back belongs to '': nobody takes that back.
_RENEW = (
    _NOW
    + """
local jobs, leases, owners = unpack(KEYS)
local key, owner, lease = unpack(ARGV)
if redis.call('HEXISTS', jobs, key) == 0 then return 0 end
local has = redis.call('HGET', owners, key)
if has and has ~= owner then return 0 end
redis.call('ZADD', leases, now + lease, key)
redis.call('HSET', owners, key, owner)
return 1
"""
)
_AGAIN = (
    _NOW
    + """
local jobs, leases, owners, later = unpack(KEYS)
local key, job, wait, owner = unpack(ARGV)
if redis.call('HEXISTS', jobs, key) == 0 then return 0 end
local till = redis.call('ZSCORE', leases, key)
if till and tonumber(till) > now and redis.call('HGET', owners, key) ~= owner then return 0 end
redis.call('HSET', jobs, key, job)
redis.call('ZADD', later, now + wait, key)
redis.call('ZREM', leases, key)
redis.call('HSET', owners, key, '')
return 1
"""
)
# By a worker that never had it. What waits in `later` already keeps its time but for 1 ms: whoever is sending it now
# must not strike it off, since that message may be the one that found no room.
_NO_ROOM = (
    _NOW
    + """
local jobs, leases, later = unpack(KEYS)
local key, wait = unpack(ARGV)
local till = redis.call('ZSCORE', leases, key)
if redis.call('HEXISTS', jobs, key) == 0 or till and tonumber(till) > now then return 0 end
if redis.call('ZADD', later, 'NX', now + wait, key) == 0 then redis.call('ZINCRBY', later, 1, key) end
return 1
"""
)
_FINISH = """
local jobs, leases, owners, later, attempts, results, dead = unpack(KEYS)
local key, result, letter = unpack(ARGV)
if redis.call('HDEL', jobs, key) == 0 then return 0 end
redis.call('HSET', results, key, result)
if letter ~= '' then redis.call('RPUSH', dead, letter) end
redis.call('HDEL', attempts, key)
redis.call('ZREM', leases, key)
redis.call('ZREM', later, key)
redis.call('HDEL', owners, key)
return 1
"""
# What is to be sent waits in `later` until it was sent: if the sender dies, another sends it. Where nobody has looked
# for a while, Redis or the network was away, and no worker could renew: each gets another term to say that it lives,
# else all that was under way would be computed twice.
_SWEEP = (
    _NOW
    + """
local leases, owners, later, swept, looked = unpack(KEYS)
local lease, pause, quiet = unpack(ARGV)
if not redis.call('SET', swept, 1, 'NX', 'PX', pause) then return {} end
local last = redis.call('GET', looked)
redis.call('SET', looked, now)
if last and now - last > tonumber(quiet) then
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now)) do
    redis.call('ZADD', leases, now + lease, key)
  end
end
local out = redis.call('ZRANGEBYSCORE', later, '-inf', now, 'LIMIT', 0, 500)
for _, key in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 500)) do
  redis.call('ZREM', leases, key)
  redis.call('HDEL', owners, key)
  out[#out + 1] = key
end
for _, key in ipairs(out) do redis.call('ZADD', later, now + lease, key) end
table.insert(out, 1, tostring(now + lease))
return out
"""
)
# Not what has been put off anew in the meantime.
_SENT = "if redis.call('ZSCORE', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('ZREM', KEYS[1], ARGV[1]) end"
# Open, and neither under way nor put off: if no message names them any more, nobody will ever do them.
_STRAYS = """
local jobs, leases, later = unpack(KEYS)
local out = {}
for _, key in ipairs(ARGV) do
  if redis.call('HEXISTS', jobs, key) == 1 and not redis.call('ZSCORE', leases, key)
    and not redis.call('ZSCORE', later, key) then out[#out + 1] = key end
end
return out
"""
# Neither open nor ended: another submitter of the same job has noted its result.
_GONE = """
local jobs, results = unpack(KEYS)
local out = {}
for _, key in ipairs(ARGV) do
  if redis.call('HEXISTS', jobs, key) == 0 and redis.call('HEXISTS', results, key) == 0 then out[#out + 1] = key end
end
return out
"""


class BrokerError(MissingError):
    """The broker could not be reached, or refuses."""


def board_key(item_key: str, store: str, gate: str) -> str:
    """A job's name on the board, of the item's key, the address its result goes to, and its gate in words."""
    return hashlib.sha256(json.dumps([item_key, store, gate]).encode()).hexdigest()


def connect(url: str, *, patient: bool = True) -> Any:
    """A Redis client that waits for a Redis that restarts, or one that gives up within seconds. Raises MissingError
    without the ``queue`` extra, or when no Redis answers there now."""
    try:
        import redis
        from redis.backoff import ExponentialBackoff
        from redis.retry import Retry
    except ImportError as error:
        raise MissingError("--broker needs celery and redis: python install.py --extras queue") from error
    lost = [redis.ConnectionError, redis.TimeoutError]
    try:
        redis.Redis.from_url(url, socket_connect_timeout=10).ping()
        retry = Retry(ExponentialBackoff(cap=2, base=0.1), 30 if patient else 0)
        limit = None if patient else 2.0
        times = {"socket_timeout": limit, "socket_connect_timeout": limit}
        return redis.Redis.from_url(url, decode_responses=True, retry=retry, retry_on_error=lost, **times)
    except ValueError as error:
        raise BadInputError("the queue's state lives in Redis; give an address such as redis://host:6379/0") from error
    except redis.RedisError as error:
        place = url.rpartition("@")[2]
        raise MissingError(f"no Redis answers at {place} ({type(error).__name__}): start one, or correct it") from error


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
    """The shared state. A job is a dict with at least ``key`` (see ``board_key``), ``name`` and ``queue``.

    ``broker``: where the messages go when not through the same Redis (any transport of Celery, for example ``sqs://``).
    """

    def __init__(self, url: str, broker: str = "") -> None:
        self.redis, self._hasty = connect(url), connect(url, patient=False)
        self._app = make_app(broker or url)
        self._counts_messages = not broker or broker == url
        scripts = {"strays": _STRAYS, "gone": _GONE}
        scripts |= {
            "claim": _CLAIM,
            "renew": _RENEW,
            "again": _AGAIN,
            "no_room": _NO_ROOM,
            "finish": _FINISH,
            "sweep": _SWEEP,
            "sent": _SENT,
        }
        self._scripts = {name: self.redis.register_script(text) for name, text in scripts.items()}

    def _run(self, script: str, keys: list[str], *values: Any) -> Any:
        return self._scripts[script](keys=keys, args=list(values))

    def publish(self, job: dict[str, Any]) -> None:
        """Send a job to its queue."""
        self.redis.hset(_JOBS, job["key"], json.dumps(job))
        self._send(job)

    def _send(self, job: dict[str, Any]) -> None:
        try:
            self._app.send_task(TASK, args=[job["key"]], queue=job["queue"], retry=True, retry_policy=_PATIENCE)
        except self._faults() as error:
            raise BrokerError(f"the broker takes no message ({type(error).__name__}: {error})") from error

    def _faults(self) -> tuple[type[Exception], ...]:
        """What the transport raises when its other end is away."""
        from kombu.exceptions import OperationalError

        link = self._app.connection_for_write()
        return (OperationalError, *link.connection_errors, *link.channel_errors)

    def job(self, key: str) -> dict[str, Any] | None:
        """The job as it was published last."""
        text = self.redis.hget(_JOBS, key)
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
        keys = [_JOBS, _LEASES, _OWNERS, _ATTEMPTS]
        return int(self._run("claim", keys, key, owner, int(LEASE_SECONDS * 1000)))

    def renew(self, key: str, owner: str) -> bool:
        """Say that the job's worker lives, also when its lease ran out and nobody else has begun; False when the job is
        no longer its own."""
        return bool(self._run("renew", [_JOBS, _LEASES, _OWNERS], key, owner, int(LEASE_SECONDS * 1000)))

    def later(self, job: dict[str, Any], seconds: float, owner: str) -> bool:
        """Give a job back: it is sent again after a pause, by whoever sweeps. False, and nothing happens, when it has
        ended or another worker has its lease."""
        keys = [_JOBS, _LEASES, _OWNERS, _LATER]
        return bool(self._run("again", keys, job["key"], json.dumps(job), int(seconds * 1000), owner))

    def no_room(self, key: str, seconds: float) -> bool:
        """Have a job sent again that found no room; False, and nothing happens, when it has ended or is under way."""
        return bool(self._run("no_room", [_JOBS, _LEASES, _LATER], key, int(seconds * 1000)))

    def finish(self, key: str, result: dict[str, Any]) -> bool:
        """Done or dead: a result for the submitter, and for the dead a letter. False when it had ended before."""
        letter = json.dumps({"key": key, **result}) if result["state"] == "dead" else ""
        keys = [_JOBS, _LEASES, _OWNERS, _LATER, _ATTEMPTS, _RESULTS, _DEAD]
        return bool(self._run("finish", keys, key, json.dumps(result), letter))

    def result(self, key: str) -> dict[str, Any] | None:
        """What came of a job, or None while it is open."""
        text = self.redis.hget(_RESULTS, key)
        return json.loads(text) if text else None

    def results(self, waiting: Collection[str]) -> dict[str, dict[str, Any]]:
        """What has come of the jobs in ``waiting``; the cost grows with the results, not with those that wait."""
        ended = [key for key in self.redis.hkeys(_RESULTS) if key in waiting]
        texts = self.redis.hmget(_RESULTS, ended) if ended else []
        return {key: json.loads(text) for key, text in zip(ended, texts, strict=True) if text}

    def forget(self, keys: Iterable[str]) -> None:
        """The submitter has noted these results."""
        self.redis.hdel(_RESULTS, *keys)

    def sweep(self) -> list[str]:
        """Send again what is due, and what lost its worker; the keys. Safe, and cheap, from many machines at once."""
        places = [_LEASES, _OWNERS, _LATER, _SWEPT, _LOOKED]
        till, *keys = self._run("sweep", places, int(LEASE_SECONDS * 1000), _SWEEP_MS, _QUIET_MS) or [0]
        for key in keys:
            self.resend(key)
            self._run("sent", [_LATER], key, till)
        return list(keys)

    def strays(self, queues: Collection[str], waiting: Collection[str]) -> set[str]:
        """Those of ``waiting`` that no message may name any more: a Redis or a worker that is killed can take a message
        along before its job was claimed. Looked for only when the queues are empty: else they may just wait there."""
        empty = not any(self.lengths(list(queues)).values()) if self._counts_messages else not self.redis.zcard(_LEASES)
        return set(self._run("strays", [_JOBS, _LEASES, _LATER], *list(waiting)[:1000])) if empty else set()

    def gone(self, waiting: Collection[str]) -> list[str]:
        """Those of ``waiting`` (of the first thousand) of which the board knows nothing: nobody will ever do them."""
        return list(self._run("gone", [_JOBS, _RESULTS], *list(waiting)[:1000]))

    def resend(self, key: str) -> None:
        """Send a message again; once too often is harmless."""
        job = self.job(key)
        if job is not None:
            self._send(job)

    def lengths(self, queues: list[str], *, patient: bool = True) -> dict[str, int]:
        """Messages that wait, per queue; empty where the broker is not this Redis. Raises RedisError when that is away,
        at once unless ``patient``."""
        client = self.redis if patient else self._hasty
        return {name: int(client.llen(name)) for name in queues} if self._counts_messages else {}

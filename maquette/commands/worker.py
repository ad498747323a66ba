"""``maquette worker``: one worker of a queue, for one ComfyUI server."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ._terminal import say


def add(groups: Any) -> None:
    """The grammar of the command."""
    p = groups.add_parser("worker", help="take batch jobs from a queue (Celery and Redis)")
    p.add_argument("--broker", required=True, metavar="URL", help="for example redis://localhost:6379/0")
    p.add_argument("--board", default="", metavar="URL", help="with a broker that is no Redis: the Redis of the leases")
    p.add_argument("--server", default="http://127.0.0.1:8188", help="the ComfyUI that computes")
    p.add_argument(
        "--queues", default="default", help="comma-separated: model versions this server has, e.g. triposr-4g"
    )
    p.add_argument("--retries", type=int, default=3)
    p.add_argument("--timeout", type=float, default=1800, help="seconds a prompt may take")
    p.add_argument("--backoff", type=float, default=5, help="first pause before another try, in seconds")
    p.add_argument("--state", type=Path, help="folder in which this worker remembers its prompts over a restart")
    p.add_argument("--cooldown", type=float, default=15, help="longest pause after a job in seconds, 0 = off")
    p.add_argument("--hottest", type=float, default=83, help="wait while a local GPU is hotter than this (Celsius)")
    p.add_argument("--health-host", default="127.0.0.1", help="address of the health endpoint; it has no password")
    p.add_argument("--health-port", type=int, default=0, help="port of the health endpoint (0: any)")
    p.add_argument("--webhook", default="", help="address that gets each result; secret: MAQUETTE_WEBHOOK_SECRET")
    p.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Work until stopped."""
    from ..batch.worker import Worker, WorkerSettings

    settings = WorkerSettings(
        broker=options.broker,
        board=options.board,
        server=options.server,
        queues=tuple(name.strip() for name in options.queues.split(",") if name.strip()),
        retries=options.retries,
        timeout=options.timeout,
        backoff=options.backoff,
        state=options.state,
        cooldown=options.cooldown,
        hottest=options.hottest,
        health_host=options.health_host,
        health_port=options.health_port,
        webhook=options.webhook,
    )
    return Worker(settings).run(say)

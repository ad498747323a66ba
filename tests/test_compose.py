"""docker-compose.yml cannot be run here: it is well-formed, joins only what it has, and its commands are understood."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from maquette.batch.cli import parser as batch_parser
from maquette.cli import parser

yaml = pytest.importorskip("yaml", reason="NO PYYAML: docker-compose.yml was not tested (pip install pyyaml)")


@pytest.fixture(scope="module")
def services(root: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((root / "docker-compose.yml").read_text(encoding="utf-8"))["services"])


def test_every_worker_has_its_own_comfyui_on_its_own_gpu_and_the_one_redis(services: dict[str, Any]) -> None:
    workers = {name: spec for name, spec in services.items() if name.startswith("worker-")}
    assert len(workers) >= 2
    gpus, servers = set(), set()
    for name, spec in workers.items():
        assert set(spec["depends_on"]) <= services.keys()
        options = parser().parse_args(spec["command"][3:])  # python -m maquette ...
        server = urlsplit(options.server)
        assert server.hostname in spec["depends_on"] and server.port == 8188, name
        assert urlsplit(options.broker).hostname == "redis"
        assert f"127.0.0.1:{options.health_port}/" in json.dumps(spec["healthcheck"])
        (device,) = services[str(server.hostname)]["deploy"]["resources"]["reservations"]["devices"]
        gpus.update(device["device_ids"])
        servers.add(server.hostname)
    assert len(gpus) == len(servers) == len(workers)


def test_nothing_is_open_to_the_world_and_redis_keeps_its_journal(services: dict[str, Any]) -> None:
    for name, spec in services.items():
        assert all(port.startswith("127.0.0.1:") for port in spec.get("ports", [])), name
    assert services["redis"]["command"][1:3] == ["--appendonly", "yes"]


def test_what_is_copied_and_called_is_there(root: Path, services: dict[str, Any]) -> None:
    (recipe,) = {spec["build"]["dockerfile"] for spec in services.values() if "build" in spec}
    text = (root / recipe).read_text(encoding="utf-8")
    for name in re.findall(r"custom_nodes/Maquette/([\w.]+)", text):
        assert (root / name).is_file(), name
    assert "NOT RUN" in (root / "docker-compose.yml").read_text(encoding="utf-8") and "NOT BUILT" in text


def test_the_submitter_is_called_as_it_wants(services: dict[str, Any]) -> None:
    words = [*services["submit"]["entrypoint"][2:], "/shared/in", "-o", "/shared/out"]
    assert batch_parser().parse_args(words).broker == "redis://redis:6379/0"
    assert "./shared:/shared" in services["submit"]["volumes"] and services["submit"]["profiles"]


def test_docker_reads_it(root: Path) -> None:
    command = ["docker", "compose", "version"]
    if shutil.which("docker") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("NO DOCKER COMPOSE: `docker compose config` was not run")
    done = subprocess.run(["docker", "compose", "config", "--quiet"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

"""The batch driver: many pictures through ComfyUI servers, unattended, nothing lost and nothing done twice.

Stands alone: standard library, requests (with its urllib3), websocket-client and rich; the queue adds celery, redis and
fsspec. No torch, no numpy, no ComfyUI import.

``items``, ``workflow``, ``outputs``, ``failures`` and ``ledger`` are plain data; ``client`` (over ``wire``) and
``events`` talk to one server; ``job`` does one item on it; ``driver`` gives many items to many servers. ``run`` joins
them for the command line, with ``display``, ``journal`` and ``page`` for people. With a queue ``remote`` submits,
``worker`` works, and ``board`` and ``store`` are what they share.
"""

"""The batch driver: many pictures through ComfyUI servers, unattended, nothing lost and nothing done twice.

Stands alone: standard library, requests and websocket-client; no torch, no numpy, no ComfyUI import. ``outputs``,
``workflow``, ``items`` and ``ledger`` are plain data; ``client`` talks to one server; ``runner`` drives many.
"""

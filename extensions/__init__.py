"""Kernel families: each folder has a wrapper, a PyTorch twin (``reference.py``) and C++/CUDA sources (``csrc/``).

Nothing here is compiled by default; ``python install.py --extensions`` builds in place, and a wrapper falls back to its
twin. Imports torch and nothing of Maquette.
"""

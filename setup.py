"""What pyproject.toml cannot say: ``extensions/`` is installed as ``maquette_extensions`` (see maquette/native.py)."""

from setuptools import find_namespace_packages, find_packages, setup

kernels = [f"maquette_extensions.{name}" for name in find_packages("extensions")]
setup(
    packages=[*find_namespace_packages(include=["maquette", "maquette.*"]), "maquette_extensions", *kernels],
    package_dir={"maquette_extensions": "extensions"},
)

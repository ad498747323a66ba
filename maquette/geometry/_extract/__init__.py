"""Private parts of ``geometry.extract``: sparse samples, the walk from coarse to fine, the mesh of the cells."""

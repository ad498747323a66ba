"""Private parts of the ``nano`` backend: network, column geometry, field, weights."""

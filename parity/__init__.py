"""The parity laboratory: cases run by another engine's installed package and by ours, and compared fill by fill.

Nothing here is imported by the package. Modules named `peer.py` run in the peer's own environment and must not import ml4t.
"""

"""The fused passes over an activation against plain torch's: equal to rounding, and how fast.

`python -m bench kernels`; docs/engine.md.
"""

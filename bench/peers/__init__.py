"""The same chain of additive blocks by other libraries, by plain PyTorch, and by this project: bytes, time, gradients.

`python -m bench peers`; what it found is in docs/peers.md.
"""

"""An epoch of this project's training loop against one of an ordinary PyTorch script.

`python -m bench epoch`; docs/time.md.
"""

"""Benchmark of reversible designs for training convolutional networks in little memory.

`python -m bench --help` lists every step; each can be run by hand. The engine, which imports nothing else of this
package, is `bench.reversible`.
"""

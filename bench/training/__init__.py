"""Training: the recipe, the data path, the clock, the loop, checkpoints and the record of a run.

The parts do not know each other's insides: `loop.Trainer` takes any module from images to logits, `command` puts a run
together from a configuration.
"""

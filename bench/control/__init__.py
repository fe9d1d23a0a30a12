"""A network and recipe whose accuracy on CIFAR-10 is published, trained on other images: what a data set allows.

Where a data set's images are not those that a target was set on (`cifar10-jpeg` lost detail), a run that misses the
target says little. What the control falls short of its published accuracy is not the reversible networks' doing.
"""

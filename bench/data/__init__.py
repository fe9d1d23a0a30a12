"""Data sets: where each is found, how it is read, and what is said when it is not there.

    images = load({"name": "digits", "train_images": None, "test_images": None, "image_size": 32}, in_channels=3)

A data set is a file here and a line in `registry.DATASETS`.
"""

from bench.data.images import Images, Originals
from bench.data.load import load
from bench.data.registry import DATASETS, DataSet

__all__ = ["DATASETS", "DataSet", "Images", "Originals", "load"]

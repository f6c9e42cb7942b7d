"""Data sources: from files to labelled samples in memory."""

from spikedoor.data.base import Dataset, ImageSet, SampleSet
from spikedoor.data.cifar import Cifar10, Cifar100
from spikedoor.data.digits import Digits
from spikedoor.data.folder import ImageFolder
from spikedoor.data.mnist import FashionMnist, Mnist
from spikedoor.data.source import DATASETS, DataSource

__all__ = [
    "DATASETS",
    "Cifar10",
    "Cifar100",
    "DataSource",
    "Dataset",
    "Digits",
    "FashionMnist",
    "ImageFolder",
    "ImageSet",
    "Mnist",
    "SampleSet",
]

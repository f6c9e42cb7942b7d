"""Data sources: from files to labelled samples in memory."""

from spikedoor.data.base import Dataset, ImageSet, SampleSet
from spikedoor.data.cifar import Cifar10, Cifar100
from spikedoor.data.digits import Digits
from spikedoor.data.events.cifar10_dvs import Cifar10Dvs
from spikedoor.data.events.folder import EventFolder
from spikedoor.data.events.framed import Framed
from spikedoor.data.events.gesture import DvsGesture
from spikedoor.data.events.ncaltech101 import NCaltech101
from spikedoor.data.events.nmnist import NMnist
from spikedoor.data.events.simulated import DigitsDvs, MnistDvs, Simulated
from spikedoor.data.folder import ImageFolder
from spikedoor.data.mnist import FashionMnist, Mnist
from spikedoor.data.source import DATASETS, DataSource

__all__ = [
    "DATASETS",
    "Cifar10",
    "Cifar10Dvs",
    "Cifar100",
    "DataSource",
    "Dataset",
    "Digits",
    "DigitsDvs",
    "DvsGesture",
    "EventFolder",
    "FashionMnist",
    "Framed",
    "ImageFolder",
    "ImageSet",
    "Mnist",
    "MnistDvs",
    "NCaltech101",
    "NMnist",
    "SampleSet",
    "Simulated",
]

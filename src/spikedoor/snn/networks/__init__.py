"""Networks by name; one definition serves as ANN and as SNN."""

from spikedoor.snn.networks.badnet import BadNet
from spikedoor.snn.networks.base import NETWORKS, Architecture, Network
from spikedoor.snn.networks.layered import Layered
from spikedoor.snn.networks.plain import VGG, SmallConv
from spikedoor.snn.networks.resnet import PreActResNet, ResNet

__all__ = [
    "NETWORKS",
    "VGG",
    "Architecture",
    "BadNet",
    "Layered",
    "Network",
    "PreActResNet",
    "ResNet",
    "SmallConv",
]

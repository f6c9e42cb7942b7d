"""What my-converter keeps, and the threshold that it finds."""

import torch
from my_plugin import MyConverter

from spikedoor.testing import check_converter


def test_it_keeps_what_every_converter_keeps():
    check_converter(MyConverter)


def test_the_threshold_is_the_scaled_quantile_of_what_is_active():
    converter = MyConverter(quantile=0.5, factor=2)
    assert converter.statistic(torch.tensor([0.0, 1.0, 2.0, 9.0])) == 2
    assert converter.combine([2, 4]) == 6

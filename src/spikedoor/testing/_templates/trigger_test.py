"""What my-trigger keeps, and what it draws."""

import numpy as np
from my_plugin import MyTrigger

from spikedoor.testing import check_trigger


def test_it_keeps_what_every_trigger_keeps():
    check_trigger(MyTrigger)


def test_the_cross_is_where_it_should_be():
    image = np.zeros((1, 1, 4, 3), dtype=np.uint8)
    expected = [[0, 0, 0], [0, 255, 0], [255, 255, 255], [0, 255, 0]]
    assert MyTrigger().apply(image)[0, 0].tolist() == expected

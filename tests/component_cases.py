"""Components of two made-up families, shapes and paints, for the tests of components."""

from abc import abstractmethod
from pathlib import Path
from typing import Literal, final

from pydantic import Field

from spikedoor.component import Component
from spikedoor.registry import Family

SHAPES = Family("shape", home=__name__)
PAINTS = Family("paint", home=__name__)


class Paint(Component):
    """What covers a shape."""

    family = PAINTS

    @abstractmethod
    def cost(self) -> float: ...


@final
@PAINTS.register("oil", "Van Eyck 1434", "https://example.org/oil")
class Oil(Paint):
    """Oil paint. It dries slowly.

    More about it.
    """

    layers: int = Field(1, ge=1, le=5)
    """Number of coats."""

    def cost(self) -> float:
        return 2.0 * self.layers


@final
@PAINTS.register("chalk")
class Chalk(Paint):
    """Chalk."""

    def cost(self) -> float:
        return 0.5


class Shape(Component):
    """A shape."""

    family = SHAPES

    paint: Paint = Oil()
    """What covers it."""
    undercoats: tuple[Paint, ...] = ()
    """What is below."""

    @abstractmethod
    def area(self) -> float: ...


@final
@SHAPES.register("square")
class Square(Shape):
    """A square."""

    side: float = Field(1.0, gt=0)
    """Side in metres."""
    corners: Literal["sharp", "round"] = "sharp"
    """Form of the corners."""
    holes: tuple[tuple[int, int], ...] = ()
    """Places of holes."""

    def area(self) -> float:
        return self.side**2


@final
@SHAPES.register("window")
class Window(Shape):
    """A window, in a frame."""

    file: Path
    """Where its picture is."""
    frame: Paint | None = None
    """Paint of the frame."""

    def area(self) -> float:
        return 1.0


class Order(Component):
    """A component of no family."""

    shape: Shape = Square()
    """What is ordered."""
    count: int = Field(1, ge=1)
    """How many."""

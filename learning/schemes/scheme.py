"""Nudge schemes: where to nudge, and how to weigh what is read there.

A scheme is a set of nodes ``beta_k`` and weights ``c_k``; its estimate of the error vector
``dL/d drive`` is ``delta = -sum_k c_k a*(beta_k)``. Positive `beta` pulls towards lower cost. All
figures of a scheme (order, noise gain, cost) follow from its nodes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from devices.kinds import KindRegistry
from devices.parameters import Parameters
from substrate.protocol import Port, Wave

Beta = Annotated[float, Field(gt=0.0, le=100.0)]

AUTO = "auto"
"""A size that is found by measuring."""

if TYPE_CHECKING:
    Size = float
else:
    Size = Annotated[
        Annotated[Beta, Tag("<size>")] | Annotated[Literal["auto"], Tag("<auto>")],
        Discriminator(lambda value: "<auto>" if value == AUTO else "<size>"),
    ]

PROBE, ROUNDS = 0.2, 2
"""Where the search of a size begins, and how often it measures, unless a scheme says so."""

POINTS = 32
"""Points of a cycle that stands still; enough for every number of harmonics."""

ROUNDING = 1e-9
"""What the sums over nodes and weights may differ from what they must be."""


class Node(NamedTuple):
    """One nudge whose answer is weighed."""

    beta: complex
    weight: complex
    mirrored: bool = False
    """Stands also for its complex conjugate, which the real network answers with the conjugate state."""


_UNTOLD = {"kind", "beta", "seed", "probe", "rounds"}
"""Parameters that a label does not tell among its details."""


class Scheme(Parameters):
    """What every scheme is derived from: a kind, a size, and nodes with weights.

    The weights of all nodes sum to 0 and those of ``c_k beta_k`` to 1, so that the estimate is a derivative.
    """

    kind: str
    """Which scheme."""

    beta: Beta
    """Size of the nudge; dimensionless, above 0."""

    @model_validator(mode="before")
    @classmethod
    def _sized(cls, given: Any) -> Any:
        """Refuse a size that is to be found where it cannot be."""
        if isinstance(given, dict) and given.get("beta") == AUTO and not issubclass(cls, ConstantNudges):
            words = (
                'beta = "auto" needs constant nudges of a known order: one-sided, backward, centred, circle, chebyshev'
            )
            raise PydanticCustomError(
                "auto", "{words}", {"words": words, "hint": "take one of these, or give a number"}
            )
        return given

    @property
    def is_auto(self) -> bool:
        """Whether its size is to be found."""
        return False

    def resized(self, beta: float) -> Self:
        """Return the scheme at a size."""
        return self.model_copy(update={"beta": beta})

    def tried_first(self) -> Self:
        """Return the scheme as it is measured first: at its size or, where that is to be found, at the probe."""
        return self

    @abstractmethod
    def nodes(self) -> list[Node]:
        """Return nudges and weights; a node at ``beta = 0`` is the free state, which is settled anyway."""

    @property
    def needs_complex(self) -> bool:
        """Whether it nudges into the complex plane, where only some activations have values."""
        return any(complex(node.beta).imag != 0.0 for node in self.nodes())

    @property
    def needs(self) -> frozenset[Port]:
        """Ports of the bench that it needs, beside the nudge itself."""
        return frozenset({"complex"}) if self.needs_complex else frozenset()

    @property
    def label(self) -> str:
        """Short name used in tables, figures and files, such as ``circle 4, beta 0.2``."""
        return f"{self.kind}{self.details}, beta {self.beta:g}"

    @property
    def details(self) -> str:
        """What the label tells beside kind and size: every further parameter but a seed."""
        own = {name: getattr(self, name) for name in type(self).model_fields.keys() - _UNTOLD}
        return "".join(f", {name} {own[name]}" for name in type(self).model_fields if name in own)

    def fault(self) -> tuple[str, str] | None:
        """Return what is wrong with the nodes and what to try; None where nothing is."""
        nodes = unfold_mirrored_nodes(self.nodes())
        if not any(node.beta != 0.0 for node in nodes):
            return "has no node with a nudge", "give at least one node with beta other than 0"
        whole = sum(node.weight for node in nodes)
        slope = sum(node.weight * node.beta for node in nodes)
        size = sum(abs(node.weight) for node in nodes)
        if not abs(whole) <= ROUNDING * size:
            return f"the weights of its nodes sum to {whole:.6g}", "they must sum to 0: what no nudge moves drops out"
        if not abs(slope - 1.0) <= ROUNDING:
            return f"its weights times nudges sum to {slope:.6g}", "they must sum to 1: an estimate is a derivative"
        return None


class ConstantNudges(Scheme):
    """What every scheme is derived from whose size can be found by measuring, see `learning.auto_nudge`."""

    beta: Size
    """Size of the nudge; dimensionless, above 0; or ``"auto"``."""

    probe: Beta | None = None
    """Where the search for ``beta = "auto"`` begins; dimensionless, above 0. Absent: 0.2. The size that is found is
    not larger than twice this."""

    rounds: Annotated[int, Field(ge=1, le=8)] | None = None
    """How often the search for ``beta = "auto"`` measures, each time at three sizes; 1 to 8. Absent: 2."""

    @model_validator(mode="after")
    def _searched(self) -> Self:
        """Refuse what only a search needs."""
        if not self.is_auto and (self.probe is not None or self.rounds is not None):
            words = '`probe` and `rounds` belong to beta = "auto", which searches for a size'
            raise PydanticCustomError("auto", "{words}", {"words": words, "hint": "leave them out"})
        return self

    @property
    def is_auto(self) -> bool:
        """Whether its size is to be found."""
        return str(self.beta) == AUTO

    def resized(self, beta: float) -> Self:
        """Return the scheme at a size, with nothing left to find."""
        return self.model_copy(update={"beta": beta, "probe": None, "rounds": None})

    def tried_first(self) -> Self:
        """Return the scheme as it is measured first: at its size, or at the probe."""
        return self.resized(self.probe or PROBE) if self.is_auto else self


class Swing(Scheme):
    """What every scheme is derived from whose nudge swings while the chip settles, and of which one cycle is read."""

    period: float
    """Time of one cycle, in units of tau."""

    cycles: int
    """Whole cycles before the one that is read."""

    @property
    @abstractmethod
    def fewest_points(self) -> int:
        """Fewest points of a cycle that it can be told from."""

    @abstractmethod
    def wave(self) -> Wave:
        """Return the swing of the nudge."""

    @abstractmethod
    def cycle(self, points: int) -> list[Node]:
        """Return nudge and weight at every point of the cycle that is read.

        Raises
        ------
        ValueError
            If there are too few points.
        """

    @abstractmethod
    def stopped(self, points: int) -> list[Node]:
        """Return the nodes of an endless period, of which so many points are settled, conjugates as one."""

    def nodes(self) -> list[Node]:
        """Return the nodes of an endless period."""
        return self.stopped(POINTS)

    @property
    def needs_complex(self) -> bool:
        """Whether it nudges into the complex plane."""
        return self.wave().kind == "rotation"

    @property
    def needs(self) -> frozenset[Port]:
        """Ports of the bench that it needs: a nudge that swings."""
        return super().needs | {"cycle", "nudge"}

    def fault(self) -> tuple[str, str] | None:
        """Return None: the nodes depend on the points of a cycle, which the chip chooses."""
        return None


SCHEMES: KindRegistry[Scheme] = KindRegistry("scheme", Scheme)  # type: ignore[type-abstract]
"""Every scheme that a scenario may name."""


class QuasiStaticSwing(NamedTuple):
    """A swinging nudge in the limit of an endless period: it is stopped and settled at every point."""

    scheme: Swing
    points: int = POINTS

    def nodes(self) -> list[Node]:
        """Return the nodes: one per point, or the upper half of a circle."""
        return self.scheme.stopped(self.points)


class Demand(NamedTuple):
    """What one estimate of one sample asks of the chip, its free settling and its free read included."""

    settlings: int
    reads: int
    """Real reads of all units; a complex state costs two."""


def unfold_mirrored_nodes(nodes: list[Node]) -> list[Node]:
    """Return the nodes with every mirrored one as two."""
    both = []
    for node in nodes:
        both.append(node._replace(mirrored=False))
        if node.mirrored:
            beta, weight = complex(node.beta).conjugate(), complex(node.weight).conjugate()
            both.append(Node(beta, weight, False))
    return both


def compute_noise_gain(nodes: Sequence[Node]) -> float:
    """Return ``G = beta^2 sum_k |c_k|^2``: read noise `sigma` gives the estimate a variance ``G sigma^2 / beta^2``.

    `beta` is the largest ``|beta_k|``. A mirrored node repeats the noise of the one that was read.
    """
    size = max(abs(node.beta) for node in nodes)
    return size**2 * sum(abs((1 + node.mirrored) * node.weight) ** 2 for node in nodes)


def find_truncation_order(nodes: Sequence[Node]) -> int:
    """Return the order p of the truncation error ``O(beta^p)``: the power p + 1 is the first above 1 that is seen.

    Of a drawn sign, the order of one sample.
    """
    size = max(abs(node.beta) for node in nodes)
    power = 2
    while abs(_compute_node_moment(nodes, power)) < 1e-9 * size ** (power - 1):
        power += 1
    return power - 1


def count_demand(scheme: Scheme, mirror: bool = True, points: int = 0) -> Demand:
    """Return what one estimate asks of the chip.

    Parameters
    ----------
    scheme : Scheme
    mirror : bool
        Whether a settling may stand for its conjugate.
    points : int
        Points of a cycle, which the chip chooses; for swinging nudges only.
    """
    if isinstance(scheme, Swing):
        return Demand(2, 1 + points * (2 if scheme.needs_complex else 1))
    nodes = scheme.nodes() if mirror else unfold_mirrored_nodes(scheme.nodes())
    nudged = [node for node in nodes if node.beta != 0.0]
    return Demand(1 + len(nudged), 1 + sum(2 if complex(node.beta).imag != 0.0 else 1 for node in nudged))


def _compute_node_moment(nodes: Sequence[Node], power: int) -> float:
    """Return the real part of ``sum_k c_k beta_k^power``, which is what an estimate keeps."""
    return sum((1 + node.mirrored) * (node.weight * complex(node.beta) ** power).real for node in nodes)

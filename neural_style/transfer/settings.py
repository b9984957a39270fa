"""What a `StyleTransfer` holds: how images are painted, whichever they are."""

from __future__ import annotations

import dataclasses
from typing import Any

from neural_style._fingerprint import fingerprint
from neural_style.features import Extractor
from neural_style.losses import Sum
from neural_style.objective import TileSize
from neural_style.optimizers import Optimizer
from neural_style.scales import Relay, Schedule

__all__ = ["Settings"]


@dataclasses.dataclass(frozen=True)
class Settings:
    """How images are painted.

    Attributes:
        loss: what is minimized; its terms weigh more than 0.
        extractor: in the precision it computes in.
        optimizer: moves the canvas below the final size.
        final_optimizer: moves it at the final size.
        scales: sizes and steps.
        tile: side of the tiles in pixels, `"auto"`, or None for none.
        relay: another network for some scales, in the same precision; None for none.
        detail_strength: share of the content's detail that a growing canvas is given.
        init: where the canvas begins if a run does not say.
    """

    loss: Sum
    extractor: Extractor
    optimizer: Optimizer
    final_optimizer: Optimizer
    scales: Schedule
    tile: TileSize
    relay: Relay | None
    detail_strength: float
    init: str

    def fingerprints(self) -> dict[str, str]:
        """A hash of each part that computes something, by its name."""
        names = ("extractor", "optimizer", "final_optimizer")
        return {name: fingerprint(getattr(self, name)) for name in names}

    def record(self) -> dict[str, Any]:
        """Plain values for the record of a run."""
        return {
            "network": str(self.extractor),
            "extractor": repr(self.extractor),
            "optimizer": repr(self.optimizer),
            "final_optimizer": repr(self.final_optimizer),
        }

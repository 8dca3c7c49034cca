"""One measured figure, and the yardstick it is held against."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Metric:
    """A value in a unit; `yardstick` was measured in the same run, in the same unit."""

    metric: str
    value: float
    unit: str
    yardstick: float | None = None

    @property
    def ratio(self) -> float | None:
        """Return the value over its yardstick."""
        return self.value / self.yardstick if self.yardstick else None

    def as_dict(self) -> dict[str, Any]:
        """Return the figure as it is written to the results."""
        return {**asdict(self), "ratio": self.ratio}

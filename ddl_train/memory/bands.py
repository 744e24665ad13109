"""Distance bands: cosines in steps of 0.1, as the names of strata tell them."""

import numpy as np

from ddl_train.records import FloatArray

_STEP = 0.1


def bands(cosines: FloatArray) -> list[str]:
    """In words: `cosine 0.1 to 0.2`; all that is negative is one band."""
    steps = np.floor(np.clip(cosines.astype(np.float64), -_STEP, 1.0 - 1e-9) / _STEP + 1e-9)
    return [
        "cosine below 0" if step < 0 else f"cosine {step / 10:.1f} to {(step + 1) / 10:.1f}"
        for step in steps
    ]


def closeness(stratum: str) -> float:
    """Cosine that the name of a stratum tells, in the middle of its band; 0 where it tells none."""
    low = stratum.partition("cosine ")[2].partition(" to ")[0]
    return float(low) + _STEP / 2 if low[:1].isdigit() else 0.0

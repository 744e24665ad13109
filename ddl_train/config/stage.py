"""What every stage's config is: frozen, checked when made, unknown keys fatal."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]


class StageConfig(BaseModel):
    """Frozen; a key that no field has is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

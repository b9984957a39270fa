"""Style transfer in one pass, for any style.

- `stylizer`: `OnePass`, which paints.
- `network`: encoder and decoders.
- `transform`: the closed forms that give a feature map the statistics of a style's.
"""

from neural_style.feedforward.stylizer import OnePass, clear_cache

__all__ = ["OnePass", "clear_cache"]

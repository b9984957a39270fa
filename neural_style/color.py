"""Colour: giving one picture the palette of another."""

from __future__ import annotations

import numpy as np

__all__ = ["match_color_moments"]


def match_color_moments(pixels: np.ndarray, reference: np.ndarray) -> np.ndarray:
    r"""Move a picture's colours so that their mean and covariance become the reference's.

    .. math:: x \mapsto A (x - \mu) + \hat\mu, \quad
              A = \Sigma^{-1/2} (\Sigma^{1/2} \hat\Sigma \Sigma^{1/2})^{1/2} \Sigma^{-1/2}

    the linear map that moves colours least (Pitié and Kokaram, 2007, "The linear Monge-Kantorovitch linear
    colour mapping"); Gatys et al. (2017), section 5.1, use other solutions of the same two equations.

    Args:
        pixels: float RGB in [0, 1], (1, height, width, 3).
        reference: likewise, of any size.

    Returns:
        float32 in [0, 1], shape of `pixels`; clipped, so the moments agree only up to clipping.
    """
    source, goal = pixels.reshape(-1, 3).astype(np.float64), reference.reshape(-1, 3).astype(np.float64)
    spread = np.cov(source, rowvar=False) + 1e-6 * np.eye(3)
    root, inverse = _power(spread, 0.5), _power(spread, -0.5)
    transform = inverse @ _power(root @ np.cov(goal, rowvar=False) @ root, 0.5) @ inverse
    moved = (source - source.mean(axis=0)) @ transform + goal.mean(axis=0)
    result: np.ndarray = np.clip(moved, 0.0, 1.0).reshape(pixels.shape).astype(np.float32)
    return result


def _power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    """Power of a symmetric positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    result: np.ndarray = (vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T
    return result

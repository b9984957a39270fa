"""Paint the two style plates of this folder, nocturne.jpg and harvest.jpg.

This script composes both, region by region, and brushwork.py next to it paints them. Run it from any folder; it takes
less than a minute and needs only NumPy and Pillow:

    python docs/images/paint_plates.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from brushwork import (
    HEIGHT,
    Array,
    Brush,
    Palette,
    Random,
    Scene,
    curl_angle,
    paint,
    pigments,
    plane,
    smooth_noise,
)

NIGHT = Palette(
    pigments=[
        pigments("0b0f3e 151d6b 1d2f96 46309a 2a45b8 6a3fae 2f6fc4 1f9aae 46bcb4 a4dcc0"),  # 0 sky
        pigments("160f46 2b1f7a 4b2f96 33479f 7a4fae 3f8fb8"),  # 1 mountains
        pigments("06142e 0b2a48 0f4557 1b6468 3a4a8c"),  # 2 hills on the far shore
        pigments("0b1040 13246e 1b3f92 1f6f9e 3f9db0 8fcfc6"),  # 3 lake
        pigments("050a20 0b1734 10324a 175052 4d7f3f"),  # 4 near bank
        pigments("b02c14 dc541a f0861e f8b02c fdd650 fff0a8 fff8d8"),  # 5 lantern paper
    ],
    lights=pigments("8a3a6a d8541e ee8424 f6ae30 fbd252 fff0b0"),
    brushes=[
        Brush(56, 260, coverage=2.4, taper=0.7, tone_spread=0.7),
        Brush(30, 170, coverage=2.2, taper=0.8),
        Brush(17, 110, coverage=1.5, taper=0.85, broad=0.6),
        Brush(9, 62, coverage=1.5, taper=0.9, broad=0.22),
    ],
    outline=pigments("070b26 0d1440 3a1230"),
    outline_brush=Brush(7, 90, coverage=1.1, taper=0.9),
)
WHIRLS = ((0.14, 0.16, 0.2, 1), (0.62, 0.3, 0.17, -1), (0.37, 0.43, 0.1, 1))  # x, y, radius and sense
LANTERNS = (  # x, y and radius, from the lake up
    (1.04, 0.635, 0.017), (0.92, 0.575, 0.021), (1.08, 0.5, 0.026), (0.8, 0.43, 0.03), (1.01, 0.37, 0.034),
    (0.88, 0.23, 0.046), (1.12, 0.16, 0.04), (0.72, 0.09, 0.052), (0.43, 0.13, 0.042), (0.31, 0.29, 0.03),
    (0.17, 0.4, 0.022),
)  # fmt: skip

DAY = Palette(
    pigments=[
        pigments("a02a4a c83a44 dd4f3a ea6c45 f08d4e f3ab66 f4c684 f3b8ac b4d6c4 6fbcb8"),  # 0 sky
        pigments("f6b21f fbd23c ffe680 fff3bd"),  # 1 sun
        pigments("8f5216 b9771c d6982a e8b83a f5da74"),  # 2 to 6 fields
        pigments("7a1a1e a82a1e cf4222 e5622e f09058"),
        pigments("2f4f22 4f7428 7c9a34 b0b84a dcd470"),
        pigments("8a2f58 b55578 d87a94 eca6ac f6cfc0"),
        pigments("7a3f17 a8611c cf8424 e8a83a f3c860"),
        pigments("0c4a60 127488 229ca0 58c2b4 b8e6cc"),  # 7 stream
        pigments("12302e 1a4d3a 2a6f44 5f963f a8b548 e0d060"),  # 8 leaves
        pigments("2f1a4e 4a2a6a 2a4a76 7a3a66"),  # 9 shadows
        pigments("7a2f1c b5641c d99028 efbc3e fadf7e fff2b8"),  # 10 haystacks
    ],
    lights=pigments("ee6a24 f28a24 f7a829 fbc838 fde06a fff4c4"),
    brushes=[
        Brush(60, 130, coverage=2.4, taper=0.1),
        Brush(36, 92, coverage=2.2, taper=0.1),
        Brush(24, 66, coverage=1.5, taper=0.12, broad=0.7),
        Brush(14, 46, coverage=1.4, taper=0.15, broad=0.25),
    ],
    outline=pigments("1a1a3e 2a1633 102a4a"),
    outline_brush=Brush(10, 100, coverage=1.8, taper=0.6, relief=1.2),
)
CLOUDS = ((0.25, 0.1, 0.2), (0.42, 0.22, 0.17), (0.1, 0.29, 0.14), (1.12, 0.33, 0.12))  # x, y and length
TREES = (  # x, y and radius
    (0.09, 0.42, 0.06), (0.19, 0.45, 0.045), (1.12, 0.42, 0.07), (0.98, 0.4, 0.04), (0.09, 0.8, 0.12),
    (0.62, 0.43, 0.035),
)  # fmt: skip
HAYSTACKS = (  # x, y and size
    (0.83, 0.55, 0.06), (0.66, 0.53, 0.035), (1.05, 0.72, 0.1), (0.27, 0.62, 0.05), (0.82, 0.88, 0.1),
)  # fmt: skip


def night_sky(random: Random) -> Array:
    """Stream function of the night sky, in radians: drifting bands, wound up by a few spiral whirls."""
    x, y = plane()
    phase: Array = 26 * y + 7 * np.sin(3.2 * x + 2 * y)
    phase += 4.5 * smooth_noise(3, random) + 1.2 * smooth_noise(6, random)
    for center_x, center_y, radius, sense in WHIRLS:
        distance = np.hypot(x - center_x, (y - center_y) * 1.2)
        phase += sense * (12 * np.exp(-((distance / radius) ** 2)) + np.arctan2(y - center_y, x - center_x))
    return phase


def lake_view(random: Random) -> Scene:
    """Sky, mountains, hills, lake and bank of the nocturne, still without its lights."""
    x, y = plane()
    phase = night_sky(random)
    peak = 0.08 * np.exp(-(((x - 0.55) / 0.13) ** 2))
    far = 0.56 + 0.05 * np.sin(5.3 * x + 2.2) + 0.018 * np.sin(17 * x) - peak
    near = 0.655 - 0.045 * np.cos(4.1 * x + 0.9) + 0.01 * np.sin(23 * x)
    shore = 0.71 + 0.006 * np.sin(17 * x)
    bank = 1.05 - 0.2 * np.exp(-((x / 0.28) ** 2)) - 0.16 * np.exp(-(((x - 1.2) / 0.2) ** 2))
    region = np.sum([y > far, y > np.maximum(far, near), y > shore], axis=0)
    region[y > bank] = 4
    slopes = np.arctan(2.5 * np.gradient(far, axis=1) * HEIGHT) + 0.5 * smooth_noise(8, random)
    folds = 0.5 + 0.3 * np.sin(38 * (y - 0.5 * far) + 22 * x + 2 * smooth_noise(4, random))
    waves = 0.4 + 0.3 * np.sin(70 * y + 5 * np.sin(4 * x)) + 0.15 * smooth_noise(7, random)
    bands = 0.48 + 0.4 * np.sin(phase) + 0.1 * smooth_noise(6, random)
    swell, grass = 0.2 * np.sin(40 * y + 7 * x), -1.4 + 0.6 * np.sin(6 * x)
    angle = np.choose(region, [curl_angle(phase), slopes, 0.5 * np.sin(9 * x), swell, grass])
    scene = Scene(region, angle, np.choose(region, [bands, folds, folds, waves, folds]))
    windows = np.clip(2 * smooth_noise(50, random) - 2.2, 0, 1)
    scene.glow += windows * (region == 2) * (np.abs(y - 0.68) < 0.025)
    return scene


def hang_lantern(scene: Scene, center_x: float, center_y: float, radius: float) -> None:
    """Add a paper lantern, the rings of light around it and its broken reflection in the lake."""
    x, y = plane()
    right, down = (x - center_x) / radius, (y - center_y) / radius
    distance, in_air = np.hypot(right, down), scene.region < 3
    halo = np.exp(-((distance / 2.4) ** 4)) * in_air
    scene.angle = np.where(halo > 0.3, np.arctan2(down, right) + np.pi / 2 + 0.2, scene.angle)
    scene.glow += 0.9 * halo * (0.6 + 0.4 * np.cos(6 * (distance - 1.15)))
    scene.glow += 0.35 * np.exp(-distance / 1.8) * in_air
    broken = (0.6 + 0.4 * np.sin(150 * y + 9 * center_x)) * (1.25 - y)
    scene.glow += 1.3 * np.exp(-((right / 0.9) ** 2)) * broken * (scene.region == 3)
    paper = (np.abs(right / 0.88) ** 2.4 + np.abs(down / 1.2) ** 3.4 < 1) & in_air
    lightness = 1.05 - 0.7 * (right**2 + (down - 0.2) ** 2) + 0.12 * np.sin(9 * down) - 0.6 * (down > 0.95)
    scene.place(paper, 5, -0.75 * right * np.sin(1.2 * down + 0.4), lightness)


def reeds(clumps: list[tuple[float, float]], number: int, random: Random) -> list[tuple[Array, Array]]:
    """Bending reeds that rise from clumps at the given places, the odd one with a golden head."""
    colors = pigments("040a1c 0a2036 0f3d46 1d5c50 37733f 8a8a34")
    blades = []
    for _ in range(number):
        foot = np.array(clumps[random.integers(len(clumps))]) + random.normal(size=2) * (0.045, 0.02)
        rise, bend = random.uniform(0.12, 0.34), random.normal() * 0.09
        climb = np.linspace(0, 1, 20)[:, None]
        path = (foot + climb * (0, -rise) + climb**2.2 * (bend, 0.25 * abs(bend))) * HEIGHT
        shade = min(int(random.exponential(1.5)), 4)
        blades.append((path, colors[[shade, shade + 1]]))
        if random.random() < 0.2:
            blades.append((path[-6:], pigments("a8561c e9a93a")))
    return blades


def nocturne(random: Random) -> Scene:
    """Paper lanterns drifting up from a lake into a night sky full of currents."""
    scene = lake_view(random)
    for center_x, center_y, radius in LANTERNS:
        hang_lantern(scene, center_x, center_y, radius)
    scene.glow = np.clip(scene.glow, 0, 0.95) * (scene.region != 5)
    scene.blades = reeds([(0.05, 1.0), (0.12, 1.02), (0.2, 1.04), (1.15, 1.03), (1.07, 1.05)], 150, random)
    return scene


def lumpy(x: Array, y: Array, lobes: int, turn: float) -> Array:
    """Distance from the origin, in units of an uneven round outline with a given number of lobes."""
    bearing = np.arctan2(y, x)
    lumps = 0.09 * np.sin(lobes * bearing + turn) + 0.05 * np.sin(3 * bearing - turn)
    return np.asarray(np.hypot(x, y) / (1 + lumps))


def fields_under_sun(random: Random) -> Scene:
    """Sky, sun, plowed fields and stream of the harvest."""
    x, y = plane()
    distance, bearing = np.hypot(x - 0.84, y - 0.2), np.arctan2(y - 0.2, x - 0.84)  # from the sun
    hills = 0.37 + 0.035 * np.sin(6 * x + 1) + 0.03 * np.sin(2.5 * x)
    depth = np.clip((y - hills) / (1 - hills), 0, 1)
    roll = depth + 0.04 * np.sin(5 * x + 5 * depth) + 0.02 * np.sin(11 * x)
    strip = np.searchsorted([0.09, 0.2, 0.36, 0.58, 0.82], roll)
    fan = (x - 0.5) / (0.28 + 0.9 * depth) + 0.37 * strip + 0.06 * np.sin(9 * depth)
    column = np.floor(fan * 2.2).astype(int)
    crop = (2 * strip + column) % 5
    plow = np.where((strip + column) % 2 == 0, 75 * fan, 95 * roll)
    sky = y < hills
    angle = np.where(sky, bearing + np.pi / 2, curl_angle(plow) + np.where(crop % 2 == 0, 0.0, 0.9))
    rings = 0.55 + 0.3 * np.sin(30 * distance + 1.2 * np.sin(7 * bearing)) - 0.25 * distance
    tone = np.where(sky, rings, 0.5 + 0.36 * np.sin(plow)) + 0.13 * smooth_noise(9, random)
    scene = Scene(np.where(sky, 0, 2 + crop), angle, tone)
    scene.place((distance < 0.1) & sky, 1, bearing, 1 - 6 * distance)
    scene.glow = np.where(distance < 0.1, 0.9, 0.6 * np.exp(-(((distance - 0.1) / 0.06) ** 2))) * sky
    course = 0.47 + 0.17 * np.sin(6.5 * np.sqrt(depth) + 3.3) + 0.1 * depth
    flow = np.arctan2(1.0, np.gradient(course, axis=0) * HEIGHT)
    ripples = 0.5 + 0.35 * np.sin(90 * (x - course) / (0.3 + depth))
    scene.place((np.abs(x - course) < 0.008 + 0.075 * depth**1.2) & ~sky, 7, flow, ripples)
    return scene


def plant_tree(scene: Scene, center_x: float, center_y: float, radius: float) -> None:
    """Add a tree with a lumpy crown, a short trunk and a shadow that falls away from the sun."""
    x, y = plane()
    right, down = (x - center_x) / radius, (y - center_y) / radius
    shadow = (np.hypot(right / 1.5 + 0.35, (down - 1.05) * 2.6) < 1) & (scene.region > 1)
    scene.place(shadow, 9, 0.15, 0.5)
    scene.place((np.abs(right) < 0.13) & (np.abs(down - 1) < 0.3), 9, np.pi / 2, 0.3)
    lightness = 0.45 + 0.28 * (right - down) + 0.3 * np.sin(5 * right + 1) * np.sin(5 * down)
    branches = np.arctan2(down - 1.2, right) + 0.5 * np.sin(4 * right)
    scene.place(lumpy(right, down, 7, 20 * center_x) < 1, 8, branches, lightness)


def build_haystack(scene: Scene, center_x: float, center_y: float, size: float) -> None:
    """Add a haystack, lit from the right, and its shadow."""
    x, y = plane()
    right, down = (x - center_x) / size, (y - center_y) / size
    scene.place(np.hypot(right / 1.5 + 0.4, (down - 0.75) * 3) < 1, 9, 0.1, 0.5)
    half_width = 0.95 * np.sqrt(np.clip(1 - ((0.8 - down) / 1.9) ** 2, 0, 1))
    lightness = 0.5 + 0.4 * right + 0.15 * np.sin(9 * down)
    scene.place((np.abs(right) < half_width) & (down < 0.8), 10, np.pi / 2 - 0.55 * right, lightness)


def harvest(random: Random) -> Scene:
    """A low sun over a patchwork of reaped fields, with haystacks, trees and a turquoise stream."""
    scene = fields_under_sun(random)
    x, y = plane()
    for cloud_x, cloud_y, length in CLOUDS:
        right, down = (x - cloud_x) / length, (y - cloud_y) / length
        puff = lumpy(right, 4.2 * down, 5, 9 * cloud_x)
        scene.place((puff < 1) & (scene.region == 0), 0, 0.5 * right, 1.1 - 0.35 * puff**2)
    for tree in TREES:
        plant_tree(scene, *tree)
    for haystack in HAYSTACKS:
        build_haystack(scene, *haystack)
    scene.glow *= scene.region < 2
    return scene


def main() -> None:
    """Paint both plates into the sample images of the package."""
    folder = Path(__file__).resolve().parents[2] / "neural_style" / "samples"
    for compose, palette, seed in ((nocturne, NIGHT, 7), (harvest, DAY, 11)):
        random = np.random.default_rng(seed)
        path = folder / f"{compose.__name__}.jpg"
        paint(compose(random), palette, random).save(path, quality=90)
        print(path)


if __name__ == "__main__":
    main()

"""Paint a scene with bristled brushes; paint_plates.py uses this module to paint its two pictures.

A scene gives for every pixel its region, its lightness, the warmth of the light and the direction of the brush.
Thousands of strokes are laid over the scene, large ones first; finally, the relief of the paint is lit from the upper
left.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

SIZE = (768, 640)
SCALE = 2  # pictures are painted larger and then reduced, which gives the strokes clean edges
WIDTH, HEIGHT = SIZE[0] * SCALE, SIZE[1] * SCALE
Array = np.ndarray
Random = np.random.Generator


@dataclass(frozen=True)
class Brush:
    """One pass over the picture: stroke sizes in painted pixels and the ways the strokes vary."""

    width: float
    length: float
    coverage: float  # how many times the strokes would cover the canvas, laid side by side
    taper: float  # 0 is a flat brush with blunt ends, 1 a round one that lifts off slowly
    broad: float = 1.0  # share of the strokes that is laid in areas without detail
    tone_spread: float = 0.9  # how many pigments a stroke may deviate from the tone of the scene
    wander: float = 0.1  # deviation of a stroke from the direction of the scene, in radians
    ragged: float = 0.3  # how unevenly the bristles run dry
    relief: float = 1.0


@dataclass(frozen=True)
class Palette:
    """The pigments of each region and of the lights, from dark to light, and the brushes to use, in order."""

    pigments: list[Array]
    lights: Array
    brushes: list[Brush]
    outline: Array
    outline_brush: Brush


def empty_map() -> Array:
    """A map of zeros as large as the canvas."""
    return np.zeros((HEIGHT, WIDTH))


@dataclass
class Scene:
    """A scene as maps of the size of the canvas, and the height of the paint laid so far."""

    region: Array
    angle: Array
    tone: Array
    glow: Array = field(default_factory=empty_map)
    height: Array = field(default_factory=empty_map)
    blades: list[tuple[Array, Array]] = field(default_factory=list)  # strokes laid last: path and two colors

    def place(self, where: Array, region: int, angle: Array | float, tone: Array | float) -> None:
        """Put an object into the scene: its region, brush direction and tone in the pixels it covers."""
        self.region[where] = region
        self.angle[where] = np.broadcast_to(angle, where.shape)[where]
        self.tone[where] = np.broadcast_to(tone, where.shape)[where]


def pigments(codes: str) -> Array:
    """Read space-separated hexadecimal colors as rows of red, green and blue in 0..1."""
    return np.array([list(bytes.fromhex(code)) for code in codes.split()]) / 255


def plane() -> tuple[Array, Array]:
    """Coordinates of every pixel, x in 0..1.2 and y in 0..1 from the top."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return columns / HEIGHT, rows / HEIGHT


def blur(values: Array, radius: float) -> Array:
    """Blur a map by a Gaussian, mirrored at the borders."""
    pad = int(3 * radius)
    padded = np.pad(values, pad, mode="symmetric")
    decay = [np.exp(-2 * (np.pi * radius * np.fft.fftfreq(size)) ** 2) for size in padded.shape]
    half = decay[1][: padded.shape[1] // 2 + 1]
    soft = np.fft.irfft2(np.fft.rfft2(padded) * decay[0][:, None] * half, s=padded.shape)
    return soft[pad:-pad, pad:-pad]


def smooth_noise(cells: int, random: Random) -> Array:
    """Soft hills of mean zero, about `cells` of them from top to bottom."""
    grid = random.normal(size=(cells + 3, cells * WIDTH // HEIGHT + 3)).astype(np.float32)
    return np.asarray(Image.fromarray(grid).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))


def curl_angle(phase: Array) -> Array:
    """Direction of a flow along the level lines of a stream function, which may jump by whole turns."""
    sine, cosine = np.sin(phase), np.cos(phase)
    slopes = zip(np.gradient(sine), np.gradient(cosine), strict=True)
    down, right = (cosine * rise - sine * fall for rise, fall in slopes)
    return np.asarray(np.arctan2(-right, down))


def at(values: Array, points: Array) -> Array:
    """Values of a map at points given as x, y; points outside take the nearest border pixel."""
    columns, rows = (np.clip(points[..., axis], 0, (WIDTH, HEIGHT)[axis] - 1).astype(int) for axis in (0, 1))
    return np.asarray(values[rows, columns])


def trace(angle: Array, starts: Array, lengths: Array, lean: Array, steps: int = 24) -> Array:
    """Follow the direction field both ways from every start: paths of shape (strokes, steps + 1, 2)."""

    def walk(sign: float) -> list[Array]:
        place, heading, visited = starts.astype(float), None, []
        for _ in range(steps // 2):
            turn = at(angle, place) + lean
            step = np.stack([np.cos(turn), np.sin(turn)], axis=1) * sign
            if heading is None:
                heading = step
            # a direction may point backwards along its line: keep going forwards
            step *= np.where((step * heading).sum(1, keepdims=True) < 0, -1.0, 1.0)
            heading = 0.5 * heading + 0.5 * step
            place = place + heading * (lengths / steps)[:, None]
            visited.append(place)
        return visited

    return np.stack(walk(-1.0)[::-1] + [starts.astype(float)] + walk(1.0), axis=1)


def stop_at_borders(path: Array, region: Array) -> Array:
    """Keep the part of a path around its middle that stays within one region."""
    crossed = at(region, path)
    middle = len(path) // 2
    foreign = np.flatnonzero(crossed != crossed[middle])
    first = max([index + 1 for index in foreign if index < middle], default=0)
    last = min([index for index in foreign if index > middle], default=len(path))
    return path[first:last]


def bristles(count: int, random: Random) -> Array:
    """Uneven values in about -1..1 across a brush: fine hairs gathered in a few coarser clumps."""
    across = np.linspace(0, 1, count)
    clumps = np.interp(across, np.linspace(0, 1, 6), random.normal(size=6))
    hairs = np.interp(across, np.linspace(0, 1, 4 + count // 4), random.normal(size=4 + count // 4))
    return np.clip(0.45 * clumps + 0.5 * hairs, -1.2, 1.2)


def sweep(path: Array, brush: Brush, random: Random) -> tuple[Array, Array, Array, float]:
    """The columns and rows a brush touches, as (along, across) grids, its way in 0..1 and its width."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    width = min(brush.width * random.uniform(0.7, 1.3), 0.6 * along[-1] + 3)
    traveled = np.linspace(0, 1, int(along[-1] / 0.7) + 2)
    center = np.stack([np.interp(traveled * along[-1], along, path[:, axis]) for axis in (0, 1)], axis=1)
    forward = np.gradient(center, axis=0)
    forward /= np.hypot(*forward.T)[:, None] + 1e-9
    lift = np.sqrt(np.clip(traveled / 0.12, 0, 1)) * np.clip((1 - traveled) / 0.65, 0, 1) ** 0.6
    half = width / 2 * (brush.taper * lift + 1 - brush.taper)
    offset = half[:, None] * np.linspace(-1, 1, int(width / 0.7) + 3)
    columns = np.rint(center[:, :1] - forward[:, 1:] * offset).astype(int)
    rows = np.rint(center[:, 1:] + forward[:, :1] * offset).astype(int)
    return columns, rows, traveled[:, None], width


def lay_stroke(
    canvas: Array,
    scene: Scene,
    path: Array,
    colors: Array,
    brush: Brush,
    random: Random,
) -> None:
    """Drag a brush loaded with two colors along a path: paint for the canvas, height for the scene."""
    columns, rows, traveled, width = sweep(path, brush, random)
    across = columns.shape[1]
    streak = (1 - traveled) * bristles(across, random) + traveled * bristles(across, random)
    begins = brush.ragged * 0.3 * np.abs(bristles(across, random))
    ends = 1 - brush.ragged * np.abs(bristles(across, random))
    wet = (traveled >= begins) & (traveled <= ends)
    wet &= (columns >= 0) & (columns < WIDTH) & (rows >= 0) & (rows < HEIGHT)
    edge = np.broadcast_to(np.linspace(-1, 1, across) ** 4, wet.shape)[wet]
    place, streak = (rows * WIDTH + columns)[wet], streak[wet]

    blend = np.clip(0.5 + 0.8 * streak, 0, 1)[:, None]
    paint_laid = (colors[0] + (colors[1] - colors[0]) * blend) * (1 + 0.13 * streak[:, None])
    canvas[place] += (paint_laid - canvas[place]) * 0.93
    height = scene.height.reshape(-1)
    body = (0.8 + 0.5 * streak + 0.5 * edge) * np.sqrt(width) * brush.relief
    height[place] = 0.35 * height[place] + body


def pick_colors(scene: Scene, palette: Palette, start: Array, brush: Brush, random: Random) -> Array:
    """The two pigments a stroke is loaded with: those of its region, or of the lights where they glow."""
    glow = at(scene.glow, start)
    lit = random.random() < glow
    stray = random.random() < 0.03  # now and then the brush still carries a color from elsewhere
    region = random.integers(len(palette.pigments)) if stray else at(scene.region, start)
    choice = palette.lights if lit else palette.pigments[region]
    tone = glow if lit else at(scene.tone, start)
    wanted = tone * (len(choice) - 1) + brush.tone_spread * random.normal()
    wanted = wanted + np.array([0.0, 0.8 * random.normal()])
    pair = choice[np.clip(np.rint(wanted), 0, len(choice) - 1).astype(int)]
    return np.asarray(pair * (1 + 0.06 * random.normal()) + 0.015 * random.normal(size=3))


def paint_pass(canvas: Array, scene: Scene, palette: Palette, brush: Brush, random: Random) -> None:
    """Cover the picture with one brush, in random order, sparing a fine one where there is no detail."""
    border = np.hypot(*np.gradient(scene.region.astype(float))) > 0
    detail = np.clip(30 * blur(border.astype(float), 12) + 1.5 * scene.glow, brush.broad, 1)
    number = int(brush.coverage * WIDTH * HEIGHT / (brush.width * brush.length))
    starts = random.uniform((0, 0), (WIDTH, HEIGHT), size=(number, 2))
    lengths = brush.length * random.uniform(0.6, 1.5, number)
    paths = trace(scene.angle, starts, lengths, brush.wander * random.normal(size=number))
    for start, path in zip(starts, paths, strict=True):
        path = stop_at_borders(path, scene.region)
        if len(path) > 4 and random.random() < at(detail, start):
            lay_stroke(canvas, scene, path, pick_colors(scene, palette, start, brush, random), brush, random)


def paint_outlines(canvas: Array, scene: Scene, palette: Palette, random: Random) -> None:
    """Draw the borders between regions with long dark strokes, tinged by the region they run in."""
    shade = np.random.default_rng(1).permutation(len(palette.pigments))[scene.region].astype(float)
    border = np.argwhere(np.hypot(*np.gradient(shade)) > 0)
    down, right = np.gradient(blur(shade, 4))
    angle = 0.5 * np.arctan2(2 * blur(right * down, 7), blur(right**2 - down**2, 7)) + np.pi / 2
    brush = palette.outline_brush
    number = int(brush.coverage * len(border) / brush.length)
    starts = random.choice(border, number)[:, ::-1] + random.normal(size=(number, 2)) * 1.5
    lengths = brush.length * random.uniform(0.5, 1.4, number)
    for start, path in zip(starts, trace(angle, starts, lengths, np.zeros(number)), strict=True):
        darkest = palette.pigments[at(scene.region, start)][0]
        colors = 0.65 * random.choice(palette.outline, 2) + 0.35 * darkest
        lay_stroke(canvas, scene, path, colors, brush, random)


def paint(scene: Scene, palette: Palette, random: Random) -> Image.Image:
    """Paint a scene, light the relief of its paint and reduce it to its final size."""
    underpainting = np.array([choice[len(choice) // 2] * 0.8 for choice in palette.pigments])
    canvas = underpainting[scene.region.reshape(-1)]
    for brush in palette.brushes:
        paint_pass(canvas, scene, palette, brush, random)
    paint_outlines(canvas, scene, palette, random)
    for path, colors in scene.blades:
        lay_stroke(canvas, scene, path, colors, Brush(11, 0, 0, 1.0, ragged=0.1), random)
    down, right = np.gradient(blur(scene.height, 1.2))
    slope = np.tanh(0.55 * (right + down))[..., None]
    picture = canvas.reshape(HEIGHT, WIDTH, 3)
    picture = np.where(slope > 0, picture + (1 - picture) * 0.26 * slope, picture * (1 + 0.36 * slope))
    image = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
    return image.resize(SIZE, Image.Resampling.LANCZOS)

"""What a visitor of the page may have chosen."""

from neural_style import samples
from neural_style.cli.app.form import Form

NOTHING = {"style_2": None, "style_3": None, "weight_1": 1.0, "weight_2": 1.0, "weight_3": 1.0}
NOTHING |= {"where": "everywhere", "brush": None, "strength": 0.5, "style_scale": 1.0, "color": "style", "size": 512}
NOTHING |= {"quality": "best", "recipe": "default", "steps": None, "seed": 0}


def form(photo=None, style_1=None, **changed):
    """The form with two sample images; keywords change it."""
    photo, style_1 = photo or str(samples.path("astronaut")), style_1 or str(samples.path("starry_night"))
    return Form(photo, style_1, **{**NOTHING, **changed})

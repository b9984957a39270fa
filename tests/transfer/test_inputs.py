"""What a run is made of, where a content or a style may be missing."""

import pytest

from neural_style import recipes
from neural_style.losses import Content, Moments, NearestNeighbor, Temporal, TotalVariation
from neural_style.transfer.inputs import loss_for

LOSS = 0.5 * Content() + Moments() + TotalVariation()


def test_everything_is_kept_where_there_are_both():
    assert loss_for(LOSS, content=True, style=True) == LOSS


def test_what_reads_a_missing_picture_is_left_out():
    assert loss_for(LOSS, content=False, style=True).names == ("style", "total_variation")
    assert loss_for(LOSS, content=True, style=False).names == ("content", "total_variation")


def test_what_holds_on_to_a_frame_is_left_out_where_there_is_none():
    assert loss_for(LOSS + 3.0 * Temporal(), content=True, style=True) == LOSS
    assert loss_for(LOSS + 3.0 * Temporal(), content=True, style=True, previous=True) == LOSS + 3.0 * Temporal()


def test_without_a_content_neighbours_are_sought_for_the_picture_itself():
    loss = loss_for(2.0 * NearestNeighbor(anchor=1.0), content=False, style=True)
    assert [(term.weight, term.loss) for term in loss] == [(2.0, NearestNeighbor(anchor=0.0))]
    assert "nearest" in loss_for(recipes.get("nnst").loss(), content=False, style=True).names


@pytest.mark.parametrize(("content", "style"), [(False, False), (False, True)])
def test_nothing_left_to_paint_is_told(content, style):
    with pytest.raises(ValueError, match="nothing to paint"):
        loss_for(Content() + TotalVariation(), content=content, style=style)

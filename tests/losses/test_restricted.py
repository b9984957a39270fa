"""The terms of a sum that are left where a content, a style or a previous frame is missing."""

import pytest

from neural_style import recipes
from neural_style.losses import Content, Moments, NearestNeighbor, Temporal, TotalVariation

LOSS = 0.5 * Content() + Moments() + TotalVariation()


def test_every_term_stays_where_nothing_is_missing():
    assert LOSS.restricted(content=True, style=True) == LOSS


def test_terms_that_read_a_missing_image_are_left_out():
    assert LOSS.restricted(content=False, style=True).names == ("style", "total_variation")
    assert LOSS.restricted(content=True, style=False).names == ("content", "total_variation")


def test_the_temporal_loss_is_left_out_without_a_previous_frame():
    loss = LOSS + 3.0 * Temporal()
    assert loss.restricted(content=True, style=True) == LOSS
    assert loss.restricted(content=True, style=True, previous=True) == loss


def test_without_a_content_neighbors_are_searched_for_the_image_itself():
    loss = (2.0 * NearestNeighbor(anchor=1.0)).restricted(content=False, style=True)
    assert [(term.weight, term.loss) for term in loss] == [(2.0, NearestNeighbor(anchor=0.0))]
    assert "nearest" in recipes.get("nnst").loss().restricted(content=False, style=True).names


@pytest.mark.parametrize(("content", "style"), [(False, False), (False, True)])
def test_a_sum_without_any_term_that_reads_an_image_is_refused(content, style):
    with pytest.raises(ValueError, match="nothing to paint"):
        (Content() + TotalVariation()).restricted(content=content, style=style)

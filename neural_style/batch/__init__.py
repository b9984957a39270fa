"""Stylize many images: one after another in this process, or over any executor, on one machine or several."""

from neural_style.batch.jobs import Job, jobs_in, stylize_many
from neural_style.batch.record import Outcome

__all__ = ["Job", "Outcome", "jobs_in", "stylize_many"]

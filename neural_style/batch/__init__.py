"""Stylize many images: one after another in this process, or over any executor, on one machine or several."""

from neural_style.batch.jobs import Job, Outcome, jobs_in, stylize_many

__all__ = ["Job", "Outcome", "jobs_in", "stylize_many"]

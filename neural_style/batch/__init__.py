"""Many pictures: one after the other in this process, or over any executor, on one machine or many."""

from neural_style.batch.jobs import Job, Outcome, jobs_in, stylize_many

__all__ = ["Job", "Outcome", "jobs_in", "stylize_many"]

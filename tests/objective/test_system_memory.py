"""The available memory, as the system reports it."""

from pathlib import Path

from neural_style.objective import available_bytes


def test_the_machine_reports_its_available_memory():
    found = available_bytes()
    assert found is None or 2**20 < found < 2**50


def test_without_a_report_half_of_the_installed_memory_counts(monkeypatch):
    def unreadable(self, *arguments, **options):
        raise OSError

    monkeypatch.setattr(Path, "read_text", unreadable)
    found = available_bytes()
    assert found is None or found > 2**20

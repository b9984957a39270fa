"""The line in which visitors wait."""

import threading
import time

from neural_style.cli.app.waiting import Line


def test_who_came_first_is_first_and_who_leaves_lets_others_move_up():
    line = Line()
    with line.place() as first:
        with line.place() as second, line.place() as third:
            assert [line.position(each) for each in (first, second, third)] == [0, 1, 2]
        with line.place() as last:
            assert line.position(last) == 1


def test_waiting_ends_as_soon_as_somebody_leaves():
    line, seconds = Line(), []

    def wait():
        began = time.monotonic()
        line.wait(60.0)
        seconds.append(time.monotonic() - began)

    with line.place():
        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.1)
    waiting.join(60.0)
    assert seconds and seconds[0] < 50.0

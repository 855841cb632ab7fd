"""Steps and an embedding for tests, importable by other processes."""

import numpy as np

from backend_container.datasets.face import RejectedError


def is_even(face):
    return int(face.name[:3]) % 2 == 0


def not_a_seventh(face):
    if int(face.name[:3]) % 7 == 0:
        raise RejectedError("a seventh")
    return face


def differs(*faces, least=1):
    """Whether the last file's number, without its last bit, is new."""
    *earlier, last = (int(face.name[:3]) // 2 for face in faces)
    return all(abs(last - other) >= least for other in earlier)


def no_third_sum(*faces):
    """Whether the numbers of the window are no multiple of three together."""
    return sum(int(face.name[:3]) for face in faces) % 3 != 0


def broken_by_opencv(face):
    import cv2

    return cv2.resize(face.photo, (0, 0))


def ends_its_process(face):
    import os

    os._exit(9)


class Person:
    """An embedding by which two files in a row show one person."""

    name = "person"
    same_person_below = 1.0

    def embed(self, photos):
        return np.zeros((len(photos), 1), np.float32)

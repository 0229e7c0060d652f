"""Drawn faces that express an intensity by mouth, eyebrows and background colours."""

from dataclasses import dataclass

import numpy as np

from sklearn_mmsent.utils._optional import import_optional

_SIZE = 64  # pixels of the image
_DRAWN = 2 * _SIZE  # drawn at twice the size for antialiasing

_SKINS = np.array([(255, 224, 196), (233, 190, 150), (198, 144, 100), (141, 92, 60), (94, 60, 42)])
_HAIRS = np.array([(35, 28, 25), (92, 58, 34), (164, 112, 60), (216, 184, 110), (140, 140, 140)])


@dataclass(frozen=True)
class Looks:
    """Properties of a speaker's looks that do not depend on emotion."""

    skin: np.ndarray
    hair: np.ndarray
    shirt: np.ndarray
    room: np.ndarray  # wall colour
    place: np.ndarray  # centre of the face, as fractions of the width
    radius: float

    @classmethod
    def draw(cls, rng):
        return cls(
            skin=_SKINS[rng.integers(len(_SKINS))] + rng.uniform(-8, 8, 3),
            hair=_HAIRS[rng.integers(len(_HAIRS))] + rng.uniform(-8, 8, 3),
            shirt=rng.uniform(40, 215, 3),
            room=rng.uniform(115, 145, 3),
            place=rng.uniform((0.45, 0.46), (0.55, 0.52)),
            radius=rng.uniform(0.27, 0.32),
        )


def draw_face(rng, shown, looks, noise):
    """Draw a face of 64 x 64 pixels that expresses an intensity in [-3, 3].

    Positive ones bend the mouth up and warm the light; negative ones bend it down, lower the brows
    and cool the light. Noise in [0, 1] is the strength of grain, and of changes of position and
    exposure.
    """
    drawing = import_optional("PIL.ImageDraw", extra="image", needed_by="make_clips")
    pillow = import_optional("PIL.Image", extra="image", needed_by="make_clips")
    # saturates: mild emotions are clearly expressed, strong ones only a little more
    mood = np.tanh(shown / 1.5)
    image = pillow.fromarray(_room(looks.room, mood))
    canvas = drawing.Draw(image)

    x, y = (looks.place + rng.normal(0, 0.01 + 0.02 * noise, 2)) * _DRAWN
    r = looks.radius * _DRAWN
    skin = looks.skin + np.array([14, 2, -14]) * mood  # flushed or pale
    _ellipse(canvas, x, y + 2.0 * r, 1.5 * r, r, looks.shirt)
    _ellipse(canvas, x, y - 0.3 * r, 1.05 * r, r, looks.hair)
    _ellipse(canvas, x, y, 0.9 * r, 1.1 * r, skin)
    for side in (-1, 1):
        eye = x + side * 0.36 * r
        _ellipse(canvas, eye, y - 0.2 * r, 0.15 * r, (0.12 - 0.05 * mood) * r, (250, 250, 250))
        _ellipse(canvas, eye, y - 0.2 * r, 0.07 * r, 0.07 * r, (30, 30, 40))
        frown = min(mood, 0.0)
        inner, outer = y - (0.5 + 0.2 * frown) * r, y - (0.48 - 0.12 * frown) * r
        brow = [(eye - side * 0.2 * r, inner), (eye + side * 0.2 * r, outer)]
        canvas.line(brow, fill=_rgb(looks.hair * 0.7), width=int(0.1 * r))
    across = np.linspace(-1, 1, 13)
    curve = y + (0.5 + 0.35 * mood * (0.4 - across**2)) * r
    mouth = list(zip(x + across * (0.42 + 0.06 * mood) * r, curve, strict=True))
    canvas.line(mouth, fill=(140, 30, 40), width=int(0.13 * r), joint="curve")

    image = image.resize((_SIZE, _SIZE), pillow.Resampling.BOX)
    exposure = 1 + rng.normal(0, 0.15 * noise)
    grain = rng.normal(0, 40 * noise, (_SIZE, _SIZE, 3))
    pixels = np.asarray(image) * exposure + grain
    return pillow.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _room(wall, mood):
    """Return the background: lit warm or cold by the emotion, brighter towards the top."""
    light = wall + np.array([65, 10, -65]) * mood
    shade = np.linspace(1.12, 0.88, _DRAWN)[:, None, None]
    column = np.clip(light * shade, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(column, (_DRAWN, _DRAWN, 3)))


def _ellipse(canvas, x, y, rx, ry, colour):
    canvas.ellipse((x - rx, y - ry, x + rx, y + ry), fill=_rgb(colour))


def _rgb(colour):
    return tuple(int(value) for value in np.clip(colour, 0, 255))

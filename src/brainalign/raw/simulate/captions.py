"""A small grammar that says in English what a stimulus shows.

    caption  : [frame] thing [pose] [place] [light] where
    thing    : article [size word] colour noun
    scene    : [frame] thing "," thing … "and" thing where [";" relation]

Size, pose, place and light are mentioned only where the factor is far from its middle.
"""

from __future__ import annotations

from .backgrounds import BACKGROUNDS
from .exemplar import Exemplar
from .factors import MAX_LIGHT_AZIMUTH, ObjectStimulus
from .options import WorldOptions
from .palette import COLOUR_WORDS
from .scenes import SceneStimulus
from .streams import derive_generator

CAPTIONS_PER_STIMULUS = 3
_FRAMES = ("", "a picture of ", "a rendering of ")
_FAR = 1 / 3  # of a factor's half range: nearer the middle it goes without saying


def write_object_captions(options: WorldOptions, item: ObjectStimulus) -> list[str]:
    """Write the captions of a single object.

    Parameters
    ----------
    options : WorldOptions
        Ranges that "large" or "left" refer to.
    item : ObjectStimulus
        What is shown.

    Returns
    -------
    captions : list of CAPTIONS_PER_STIMULUS str
        From the fullest to a short one; all name colour and category.
    """
    view = item.view
    middle = (options.smallest_size + options.largest_size) / 2
    size = (view.size - middle) / (options.largest_size - middle)
    thing = _name_thing(item.exemplar, _choose(size, "small", "large"))
    pose = _choose(view.yaw / options.max_yaw_deg, ", turned to the left", ", turned to the right")
    tilt = _choose(view.pitch / options.max_pitch_deg, ", seen from below", ", seen from above")
    spot = _name_spot(view.x / options.max_shift, view.y / options.max_shift)
    light = _choose(
        item.lighting.azimuth / MAX_LIGHT_AZIMUTH, ", lit from the left", ", lit from the right"
    )
    where = BACKGROUNDS[item.background].phrase
    generator = derive_generator(options.seed, "caption", item.stimulus)
    frame = _FRAMES[int(generator.integers(len(_FRAMES)))]
    plain = _name_thing(item.exemplar, "")
    return [
        _finish(f"{thing} {where}{pose}{tilt}{spot}{light}"),
        _finish(f"{frame}{thing} {where}{pose}"),
        _finish(f"{plain} {where}"),
    ]


def write_scene_captions(options: WorldOptions, scene: SceneStimulus) -> list[str]:
    """Write the captions of a scene.

    Parameters
    ----------
    options : WorldOptions
        Seed of the paraphrases.
    scene : SceneStimulus
        What is shown.

    Returns
    -------
    captions : list of CAPTIONS_PER_STIMULUS str
        All name every category of the scene; the first also says who stands left of whom.
    """
    where = BACKGROUNDS[scene.background].phrase
    ordered = sorted(scene.objects, key=lambda item: item.view.x)
    things = [_name_thing(item.exemplar, "") for item in ordered]
    nouns = [_add_article(item.exemplar.category) for item in ordered]
    first, last = ordered[0].exemplar.category, ordered[-1].exemplar.category
    generator = derive_generator(options.seed, "caption", scene.stimulus)
    frame = _FRAMES[int(generator.integers(len(_FRAMES)))]
    return [
        _finish(f"{_enumerate(things)} {where}; the {first} is left of the {last}"),
        _finish(f"{frame}{_enumerate(things)} {where}"),
        _finish(f"{_enumerate(nouns)} {where}"),
    ]


def _choose(value: float, low: str, high: str) -> str:
    if value > _FAR:
        return high
    return low if value < -_FAR else ""


def _name_spot(x: float, y: float) -> str:
    words = [word for word in (_choose(y, "bottom", "top"), _choose(x, "left", "right")) if word]
    return f", at the {' '.join(words)}" if words else ""


def _name_thing(exemplar: Exemplar, size_word: str) -> str:
    noun = exemplar.category
    if noun == "face":  # the exemplar's colour is that of the collar
        words = [size_word, noun, "with a", get_colour_word(exemplar.colour), "collar"]
    else:
        words = [size_word, get_colour_word(exemplar.colour), noun]
    return _add_article(" ".join(word for word in words if word))


def get_colour_word(colour: str) -> str:
    """How captions call a colour of the palette."""
    return COLOUR_WORDS.get(colour, colour)


def _add_article(phrase: str) -> str:
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}".replace("with a o", "with an o")


def _enumerate(things: list[str]) -> str:
    return ", ".join(things[:-1]) + " and " + things[-1]


def _finish(text: str) -> str:
    return text[0].upper() + text[1:] + "."

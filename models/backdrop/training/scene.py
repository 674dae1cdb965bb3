"""What a backdrop can show: the attributes of a scene, and how scenes are drawn at random."""

from dataclasses import asdict, dataclass

import numpy as np

SUBJECTS = ["mountains", "sea", "forest", "dunes", "city"]
TIMES = ["dawn", "noon", "dusk", "night"]
WEATHERS = ["clear", "mist", "rain", "snow"]
COLOURS = ["none", "red", "orange", "gold", "green", "teal", "blue", "purple", "pink", "grey"]
BODIES = ["none", "sun", "full moon", "crescent"]
POSITIONS = ["none", "left", "centre", "right"]
STARS = ["none", "few", "many"]

# The heads of every attribute classifier, in this order.
HEADS = {
    "subject": SUBJECTS,
    "time": TIMES,
    "weather": WEATHERS,
    "colour": COLOURS,
    "body": BODIES,
    "position": POSITIONS,
    "stars": STARS,
    "single": ["no", "yes"],
    "clouds": ["no", "yes"],
    "boat": ["no", "yes"],
}


@dataclass
class Scene:
    subject: str
    time: str
    weather: str
    colour: str
    body: str
    position: str
    stars: str
    single: str  # one mountain instead of a range
    clouds: str
    boat: str

    def labels(self):
        values = asdict(self)
        return [choices.index(values[head]) for head, choices in HEADS.items()]


def _pick(rng, choices, weights):
    weights = np.asarray(weights, float)
    return choices[rng.choice(len(choices), p=weights / weights.sum())]


def sample_scene(rng):
    """A scene that can exist: no sun at night, stars only in the dark, boats only at sea."""
    subject = SUBJECTS[rng.integers(5)]
    time = TIMES[rng.integers(4)]
    weather = _pick(rng, WEATHERS, [0.43, 0.21, 0.18, 0.18])
    colour = "none" if rng.random() < 0.62 else COLOURS[rng.integers(1, len(COLOURS))]
    body_weights = {
        "dawn": [0.34, 0.56, 0.05, 0.05],
        "noon": [0.36, 0.62, 0.01, 0.01],
        "dusk": [0.32, 0.50, 0.10, 0.08],
        "night": [0.26, 0.00, 0.42, 0.32],
    }[time]
    body = _pick(rng, BODIES, body_weights)
    position = "none" if body == "none" else POSITIONS[1 + rng.integers(3)]
    if time == "night":
        stars = _pick(rng, STARS, [0.27, 0.38, 0.35])
    elif time == "dusk" and rng.random() < 0.12:
        stars = "many"
    else:
        stars = "none"
    cloudy = 0.16 if weather in ("clear", "snow") and stars != "many" else 0.0
    return Scene(
        subject=subject,
        time=time,
        weather=weather,
        colour=colour,
        body=body,
        position=position,
        stars=stars,
        single="yes" if subject == "mountains" and rng.random() < 0.33 else "no",
        clouds="yes" if rng.random() < cloudy else "no",
        boat="yes" if subject == "sea" and rng.random() < 0.25 else "no",
    )

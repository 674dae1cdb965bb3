"""Says what a scene shows, in many ways: the grammar behind every training caption."""

import re

import numpy as np

SUBJECT_WORDS = {
    "mountains": ["mountains", "the mountains", "a mountain range", "peaks", "mountain peaks", "high mountains", "hills and mountains", "alps", "a chain of mountains"],
    "one mountain": ["one mountain", "a mountain", "a lone mountain", "a single peak", "one peak", "a solitary mountain", "a lonely peak", "a single mountain", "one big mountain"],
    "sea": ["sea", "the sea", "the ocean", "an ocean", "open water", "a calm sea", "the sea with reflections", "a seascape", "the water", "waves"],
    "forest": ["a forest", "the forest", "forest", "woods", "the woods", "pine trees", "a pine forest", "trees", "a woodland", "a glade in the forest"],
    "dunes": ["dunes", "sand dunes", "the dunes", "a desert", "desert dunes", "the desert", "desert sands", "rolling dunes", "a sandy desert"],
    "city": ["a city", "the city", "city skyline", "a city skyline", "a skyline", "skyscrapers", "a town", "city towers", "tall buildings", "the skyline of a city"],
}
TIME_PHRASES = {
    "dawn": ["at dawn", "at sunrise", "at daybreak", "in the early morning", "in the morning", "at first light", "in the dawn"],
    "noon": ["at noon", "at midday", "by day", "in the daytime", "in full daylight", "in the middle of the day", "in daylight"],
    "dusk": ["at dusk", "at sunset", "in the evening", "at twilight", "at nightfall", "in the evening light", "at sundown"],
    "night": ["at night", "by night", "after dark", "at midnight", "in the night", "in the dark of night", "in darkness"],
}
TIME_WORDS = {
    "dawn": ["dawn", "sunrise", "morning", "early morning", "dawn light", "daybreak"],
    "noon": ["noon", "midday", "daylight", "day", "daytime", "bright day"],
    "dusk": ["dusk", "sunset", "evening", "twilight", "evening light"],
    "night": ["night", "midnight", "night time", "dark night", "nighttime"],
}
TIME_ADJECTIVES = {"dawn": ["morning", "dawn"], "noon": ["daytime", "noon", "midday"], "dusk": ["evening", "dusk", "sunset", "twilight"], "night": ["night", "nocturnal", "midnight"]}
WEATHER_ADJECTIVES = {"clear": ["clear"], "mist": ["misty", "foggy", "hazy", "mist covered"], "rain": ["rainy", "rain swept", "wet"], "snow": ["snowy", "wintry", "snow covered"]}
WEATHER_PHRASES = {
    "clear": ["in clear weather", "under a clear sky", "on a clear day"],
    "mist": ["in mist", "in the mist", "in fog", "in the fog", "with mist", "wrapped in mist", "in haze"],
    "rain": ["in rain", "in the rain", "with rain", "under heavy rain", "in pouring rain", "with falling rain"],
    "snow": ["in snow", "in the snow", "with snow", "under falling snow", "with snow falling", "in winter", "with snowflakes"],
}
WEATHER_WORDS = {"clear": ["clear", "clear sky", "clear weather"], "mist": ["mist", "fog", "misty", "foggy", "haze"], "rain": ["rain", "rainy", "rainfall", "raining"], "snow": ["snow", "snowy", "snowfall", "winter", "snowing"]}
WEATHER_OVER = {"mist": ["mist over", "fog over", "mist in front of"], "rain": ["rain over", "rain falling on", "rain above"], "snow": ["snow over", "snow falling on", "snow on", "snowfall over"]}
BODY_WORDS = {
    "sun": ["sun", "the sun", "a bright sun", "the sun in the sky", "a round sun", "sunshine"],
    "full moon": ["full moon", "a full moon", "the full moon", "a round moon", "the moon", "moon"],
    "crescent": ["crescent moon", "a crescent moon", "a thin moon", "a crescent", "a sickle moon", "a new moon"],
}
BODY_PHRASES = {
    "sun": ["with the sun", "with a sun", "under the sun", "in sunshine", "with the sun in the sky"],
    "full moon": ["with a full moon", "under a full moon", "under the full moon", "with the moon", "in the light of the moon", "under the moon"],
    "crescent": ["with a crescent moon", "under a crescent moon", "under a thin moon", "with a sickle moon"],
}
BODY_ADJECTIVES = {"sun": ["sunlit", "sunny"], "full moon": ["moonlit"], "crescent": ["moonlit"]}
NO_BODY = {"night": ["no moon", "without a moon", "moonless"], "other": ["no sun", "without a sun", "an empty sky", "empty sky"]}
POSITION_PHRASES = {"left": ["on the left", "to the left", "at left", "left"], "centre": ["in the centre", "in the middle", "in the center", "at the centre"], "right": ["on the right", "to the right", "at right", "right"]}
STAR_WORDS = {"many": ["stars", "many stars", "a starry sky", "starry", "starry sky", "a sky full of stars"], "few": ["a few stars", "some stars"], "none": ["no stars", "starless", "without stars"]}
STAR_PHRASES = {"many": ["under the stars", "with stars", "under a starry sky", "with many stars"], "few": ["with a few stars"], "none": ["without stars", "under a starless sky"]}
CLOUD_WORDS = ["clouds", "with clouds", "cloudy", "a cloudy sky", "a few clouds", "white clouds"]
BOAT_WORDS = ["with a sailboat", "with a boat", "a sailing boat", "a small boat", "with a ship", "sailboat", "boat"]
COLOUR_WORDS = {
    "red": ["red", "crimson", "scarlet"], "orange": ["orange", "amber"], "gold": ["gold", "golden", "yellow"], "green": ["green", "emerald"],
    "teal": ["teal", "turquoise", "cyan"], "blue": ["blue", "azure"], "purple": ["purple", "violet"], "pink": ["pink", "rose"],
    "grey": ["grey", "gray", "monochrome", "black and white"],
}
COLOUR_PHRASES = ["in {}", "in {} tones", "in shades of {}", "{} colours", "{} tones", "all in {}", "{} palette", "in {} light", "with {} colours", "mostly {}", "{} tint"]
OPENINGS = ["a painted backdrop of", "a backdrop of", "a stage backdrop of", "a painting of", "a picture of", "a stage set with", "a theatre backdrop with", "a view of", "a landscape with", "scenery with", "an illustration of", "a poster of", "backdrop:", "painted backdrop of", "stage scenery,"]
CLOSINGS = ["painted backdrop", "stage backdrop", "backdrop", "painting", "flat painting", "stage set", "illustration", "theatre scenery", "poster", "beautiful", "matte painting"]


def _one(rng, choices):
    return choices[rng.integers(len(choices))]


def _article(text):
    """"a misty the sea" → "the misty sea": adjectives move behind the article."""
    match = re.match(r"^(.*?)\b(a|an|the|one) (.*)$", text)
    if match and match.group(1):
        adjectives, article, rest = match.groups()
        text = f"{article} {adjectives}{rest}"
    text = re.sub(r"\ba ([aeiou])", r"an \1", text)
    return re.sub(r"\ban ([^aeiou])", r"a \1", text)


def compose(scene, rng):
    """One caption and what it names. What it leaves out is mostly what the scene has not got."""
    extras = sum([scene.weather != "clear", scene.colour != "none", scene.body != "none", scene.stars == "many", scene.clouds == "yes", scene.boat == "yes"])
    say = {
        "subject": rng.random() < 0.96,
        "time": rng.random() < 0.90,
        "weather": rng.random() < (0.97 if scene.weather != "clear" else 0.28),
        "colour": scene.colour != "none" and rng.random() < 0.97,
        "body": scene.body != "none",
        "position": rng.random() < 0.52,
        "stars": rng.random() < {"many": 1.0, "few": 0.55, "none": 0.55 if scene.time == "night" else 0.0}[scene.stars],
        "clouds": scene.clouds == "yes",
        "boat": scene.boat == "yes",
        "empty": scene.body == "none" and rng.random() < 0.06,
    }
    if extras == 0 and scene.stars != "none" or extras == 0 and rng.random() < 0.6:
        if rng.random() < 0.30:  # a word or two is a prompt as well
            only = _one(rng, ["subject", "subject", "time", "both", "both", "both"])
            say = dict.fromkeys(say, False) | {"subject": only != "time", "time": only != "subject"}
    elif extras == 1 and rng.random() < 0.06:
        say = {key: value and key not in ("subject", "time", "position", "empty") for key, value in say.items()}
        if scene.weather == "clear":
            say["weather"] = False
    if not any(value for key, value in say.items() if key != "position"):
        say["subject"] = True

    tags = rng.random() < 0.42  # a list of words rather than a sentence
    adjectives, tail, listed = [], [], []
    implied_time = False
    if say["body"]:
        position = " " + _one(rng, POSITION_PHRASES[scene.position]) if say["position"] else ""
        style = rng.random()
        if style < 0.27 and not (scene.body == "crescent" and rng.random() < 0.6):
            word = _one(rng, BODY_ADJECTIVES[scene.body])
            if rng.random() < 0.5 and say["subject"]:
                adjectives.append(word)
            else:
                listed.append(word)
            if position or scene.body == "crescent" or rng.random() < 0.3:
                listed.append(_one(rng, BODY_WORDS[scene.body]) + position)
            if scene.body == "sun":  # a sun alone says day more often than dawn or dusk
                implied_time = rng.random() < {"noon": 0.7, "dawn": 0.3, "dusk": 0.12}[scene.time]
            else:
                implied_time = rng.random() < (0.7 if scene.time == "night" else 0.1)
        elif tags or style < 0.5:
            listed.append(_one(rng, BODY_WORDS[scene.body]) + position)
        else:
            tail.append(_one(rng, BODY_PHRASES[scene.body]) + position)
    if say["empty"]:
        listed.append(_one(rng, NO_BODY["night" if scene.time == "night" else "other"]))
    if say["time"] and not implied_time:
        style = rng.random()
        if style < 0.10 and say["subject"]:
            adjectives.append(_one(rng, TIME_ADJECTIVES[scene.time]))
        elif tags and style < 0.6:
            listed.append(_one(rng, TIME_WORDS[scene.time]))
        else:
            tail.insert(0, _one(rng, TIME_PHRASES[scene.time]))
    over = ""
    if say["weather"]:
        style = rng.random()
        if scene.weather != "clear" and style < 0.17 and say["subject"]:
            over = _one(rng, WEATHER_OVER[scene.weather])
        elif style < 0.50 and say["subject"]:
            adjectives.insert(0, _one(rng, WEATHER_ADJECTIVES[scene.weather]))
        elif tags or style < 0.66:
            listed.append(_one(rng, WEATHER_WORDS[scene.weather]))
        else:
            tail.append(_one(rng, WEATHER_PHRASES[scene.weather]))
    if say["colour"]:
        word = _one(rng, COLOUR_WORDS[scene.colour])
        style = rng.random()
        if style < 0.28 and say["subject"]:
            adjectives.insert(rng.integers(len(adjectives) + 1), word)
        elif style < 0.42:
            listed.append(word)
        else:
            (listed if tags else tail).append(_one(rng, COLOUR_PHRASES).format(word))
    if say["stars"]:
        if tags or rng.random() < 0.5:
            listed.append(_one(rng, STAR_WORDS[scene.stars]))
        else:
            tail.append(_one(rng, STAR_PHRASES[scene.stars]))
    if say["clouds"]:
        listed.append(_one(rng, CLOUD_WORDS))
    if say["boat"]:
        listed.append(_one(rng, BOAT_WORDS))

    head = ""
    if say["subject"]:
        key = "one mountain" if scene.single == "yes" else scene.subject
        words = _one(rng, SUBJECT_WORDS[key])
        if rng.random() < 0.12:
            words = re.sub(r"^(a|an|the) ", "", words)
        head = _article(" ".join([*adjectives, words]))
        if over:
            head = f"{over} {head}"
    else:
        listed = adjectives + listed
    tail = [tail[i] for i in rng.permutation(len(tail))] if rng.random() < 0.4 else tail
    if len(tail) > 1 and rng.random() < 0.25:
        listed += tail[1:]
        tail = tail[:1]
    listed = [listed[i] for i in rng.permutation(len(listed))]

    if rng.random() < 0.24 and head:
        head = f"{_one(rng, OPENINGS)} {head}"
    if rng.random() < 0.24:
        listed.insert(rng.integers(len(listed) + 1) if rng.random() < 0.25 else len(listed), _one(rng, CLOSINGS))
    body = " ".join([part for part in [head, *tail] if part])
    if listed and body and not tags and re.match("(a|the|some|many|with) ", listed[0]) and rng.random() < 0.4:
        text = " ".join([body, "and" if rng.random() < 0.4 else "with", _one(rng, [listed[0]])] + ([", " + ", ".join(listed[1:])] if listed[1:] else []))
        text = re.sub(r"\b(with|and) (with|under|in|without) ", r"\2 ", text).replace(" ,", ",")
    elif tags and body and rng.random() < 0.22:
        parts = [body, *listed]
        text = ", ".join(parts[i] for i in rng.permutation(len(parts)))
    else:
        separator = " " if rng.random() < 0.08 else ", "
        text = separator.join([part for part in [body, *listed] if part])
    if rng.random() < 0.05:
        text += "."
    if rng.random() < 0.12:
        text = text[:1].upper() + text[1:]
    named = {key for key, value in say.items() if value}
    if implied_time:
        named.discard("time")
    return text, named


def caption(scene, rng):
    return compose(scene, rng)[0]


def captions(scene, rng, count):
    return [caption(scene, rng) for _ in range(count)]


def main():
    import argparse

    from scene import sample_scene

    parser = argparse.ArgumentParser(description="Print some captions.")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    for _ in range(args.count):
        print(caption(sample_scene(rng), rng))


if __name__ == "__main__":
    main()

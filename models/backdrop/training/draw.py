"""Draws a scene as a picture of any shape: flat painted layers, curated palettes, soft edges."""

from dataclasses import replace

import numpy as np

SIZE = 128  # the size that the numbers below are written for
TOKEN = 16  # pixels a side of what the denoiser sees as one token
LUMA = np.array([0.30, 0.59, 0.11], np.float32)


def rgb(*values):
    return np.array(values, np.float32) / 255


# Sky from top to horizon, the far and the near end of the land, the light that falls on it.
PALETTES = {
    "dawn": [
        dict(sky=[(132, 158, 206), (240, 190, 190), (255, 230, 186)], far=(214, 178, 194), near=(84, 84, 124)),
        dict(sky=[(150, 186, 214), (250, 210, 194), (255, 240, 208)], far=(196, 186, 208), near=(72, 96, 124)),
        dict(sky=[(170, 156, 210), (246, 184, 200), (255, 220, 182)], far=(208, 166, 200), near=(94, 76, 124)),
    ],
    "noon": [
        dict(sky=[(44, 126, 214), (112, 182, 238), (214, 238, 250)], far=(160, 196, 222), near=(46, 104, 92)),
        dict(sky=[(32, 146, 208), (104, 202, 232), (224, 246, 240)], far=(156, 206, 214), near=(36, 110, 96)),
        dict(sky=[(70, 118, 208), (134, 176, 238), (226, 236, 248)], far=(168, 188, 226), near=(54, 96, 110)),
    ],
    "dusk": [
        dict(sky=[(58, 40, 98), (196, 72, 96), (255, 166, 78)], far=(156, 66, 100), near=(34, 18, 48)),
        dict(sky=[(34, 44, 100), (158, 74, 130), (252, 142, 94)], far=(126, 62, 118), near=(24, 20, 54)),
        dict(sky=[(86, 30, 70), (226, 86, 62), (255, 190, 88)], far=(170, 66, 66), near=(46, 16, 40)),
    ],
    "night": [
        dict(sky=[(8, 12, 42), (20, 34, 86), (52, 80, 138)], far=(38, 58, 108), near=(6, 10, 28)),
        dict(sky=[(12, 8, 40), (34, 26, 88), (78, 66, 138)], far=(54, 46, 108), near=(10, 8, 30)),
        dict(sky=[(4, 18, 38), (12, 48, 80), (42, 102, 126)], far=(28, 76, 100), near=(4, 16, 28)),
    ],
}
LIGHT = {"dawn": rgb(255, 222, 208), "noon": rgb(255, 253, 246), "dusk": rgb(232, 128, 100), "night": rgb(86, 104, 168)}
SNOW = {"dawn": rgb(255, 234, 230), "noon": rgb(250, 253, 255), "dusk": rgb(244, 186, 184), "night": rgb(162, 182, 226)}
HUES = {
    "red": (206, 44, 46), "orange": (236, 120, 34), "gold": (226, 176, 52), "green": (58, 156, 84),
    "teal": (30, 158, 158), "blue": (48, 102, 214), "purple": (134, 70, 190), "pink": (232, 108, 164),
    "grey": (132, 134, 138),
}


def mix(a, b, t):
    return a + (b - a) * t


def smooth(edge0, edge1, value):
    t = np.clip((value - edge0) / (edge1 - edge0), 0, 1)
    return t * t * (3 - 2 * t)


def cover(distance):
    """Coverage of a pixel whose signed distance inside a shape is `distance`."""
    return np.clip(distance + 0.5, 0, 1)


def over(picture, alpha, colour, part=None):
    """Paints a colour over the picture (or over one part of it) where alpha says so."""
    target = picture if part is None else picture[part]
    target += (colour - target) * alpha[..., None]


def noise1d(rng, step, amplitude, length=SIZE, curved=False):
    """Random heights every `step` pixels, joined by straight or curved lines."""
    count = int(length / step) + 3
    knots = rng.uniform(-1, 1, count)
    at = (np.arange(length) + rng.uniform(0, step)) / step
    i = at.astype(int)
    t = at - i
    if curved:
        t = t * t * (3 - 2 * t)
    return (mix(knots[i], knots[i + 1], t) * amplitude).astype(np.float32)


def snap(at):
    """The nearest corner of four tokens: a disc there looks the same to every one of them, wherever it stands."""
    return round((at + 0.5) / TOKEN) * TOKEN - 0.5


def disc_radius(size):
    return 11.5 * round(2 * min(size) / SIZE) / 2


def place_of(scene, size):
    """Where the sun or moon stands, and its radius. What is asked for decides it alone: where two places are possible, a
    small model paints half a disc at each."""
    width, height = size
    x = snap({"left": 0.25, "centre": 0.5, "right": 0.75}[scene.position] * width)
    low = scene.subject in ("sea", "dunes") and scene.time != "noon"
    y = max(snap((0.28 if low else 0.2) * height), TOKEN - 0.5)
    return x, y, disc_radius(size)


class Painter:
    def __init__(self, scene, rng, size=(SIZE, SIZE)):
        self.scene, self.rng = scene, rng
        # k scales things, kx and ky the places they have; at 128 x 128 all are 1.
        self.W, self.H = size
        self.k, self.kx, self.ky = min(size) / SIZE, self.W / SIZE, self.H / SIZE
        self.kt = (self.k * self.ky) ** 0.5  # heights of tall things
        self.area = self.W * self.H / SIZE**2
        self.Y, self.X = np.mgrid[0:self.H, 0:self.W].astype(np.float32)
        palette = PALETTES[scene.time][rng.integers(3)]
        self.sky = [rgb(*c) for c in palette["sky"]]
        self.far, self.near = rgb(*palette["far"]), rgb(*palette["near"])
        self.light, self.snow = LIGHT[scene.time].copy(), SNOW[scene.time].copy()
        self.picture = np.zeros((self.H, self.W, 3), np.float32)
        self.body, self.bodies = None, []
        self.day = scene.time in ("dawn", "noon")
        wet = {"rain": (0.42, 0.84), "snow": (0.30, 1.0), "mist": (0.18, 1.0)}.get(scene.weather)
        if wet:
            for c in [*self.sky, self.far, self.near]:
                grey = c @ LUMA * np.array([0.97, 1.0, 1.05], np.float32)
                c[:] = mix(c, grey, wet[0]) * wet[1]
        if scene.weather == "snow" and scene.time != "night":
            for c in [*self.sky, self.far]:
                c[:] = mix(c, self.snow, 0.22)
        self.fog = mix(self.sky[2], self.sky[1], 0.25) * 0.92 + self.snow * 0.08
        self.lit_side = {"left": -1, "right": 1}.get(scene.position, -1 if rng.random() < 0.5 else 1)

    def nx(self, step, amplitude, curved=False):
        return noise1d(self.rng, step * self.k, amplitude * self.k, self.W, curved)

    def ny(self, step, amplitude, curved=False):
        """Along the height; the amplitude in pixels is the caller's."""
        return noise1d(self.rng, step * self.k, amplitude, self.H, curved)

    def paint(self, second=None):
        """`second`: where another sun or moon stands, which no scene has: for those who count them."""
        horizon = {"sea": self.rng.uniform(62, 76), "city": 112, "forest": 96, "dunes": 84, "mountains": 96}[self.scene.subject]
        self.horizon = int(horizon * self.ky)
        self.paint_sky()
        self.paint_stars()
        if second:
            asked, self.scene = self.scene, replace(self.scene, position=second)
            self.paint_body()
            self.scene = asked
        self.paint_body()
        if self.scene.clouds == "yes":
            self.paint_clouds()
        if self.scene.weather == "rain" and self.body is None:
            self.paint_rain_clouds()
        getattr(self, "paint_" + self.scene.subject)()
        self.paint_tint()
        if self.scene.weather == "rain":
            self.paint_rain()
        elif self.scene.weather == "snow":
            self.paint_flakes()
        return (np.clip(self.picture, 0, 1) * 255 + 0.5).astype(np.uint8)

    # -- the sky ------------------------------------------------------------------------------
    def paint_sky(self):
        t = np.clip(self.Y / self.horizon, 0, 1)[..., None]
        upper = mix(self.sky[0], self.sky[1], np.clip(t / 0.58, 0, 1))
        self.picture[:] = mix(upper, self.sky[2], smooth(0.42, 1.0, t))

    def paint_stars(self):
        count = {"none": 0, "few": self.rng.integers(7, 12), "many": self.rng.integers(38, 52)}[self.scene.stars]
        for _ in range(round(count * self.area**0.7)):
            x, y = self.rng.uniform(2, self.W - 2), self.rng.uniform(2, self.horizon * 0.82)
            big = self.rng.random() < 0.3
            self.dot(x, y, 1.25 if big else 0.85, rgb(255, 252, 232), (0.95 if big else 0.75) * (1 - 0.5 * y / self.horizon))

    def dot(self, x, y, radius, colour, alpha):
        x0, x1 = max(int(x - radius - 1), 0), min(int(x + radius + 2), self.W)
        y0, y1 = max(int(y - radius - 1), 0), min(int(y + radius + 2), self.H)
        part = np.s_[y0:y1, x0:x1]
        distance = np.hypot(self.X[part] - x, self.Y[part] - y)
        over(self.picture, cover(radius - distance) * alpha, colour, part)

    def paint_body(self):
        scene, rng = self.scene, self.rng
        if scene.body == "none":
            return
        x, y, radius = place_of(scene, (self.W, self.H))
        self.body = (x, y, radius)
        self.bodies.append(self.body)
        distance = np.hypot(self.X - x, self.Y - y)
        veil = {"mist": 0.78, "rain": 0.82, "snow": 0.88}.get(scene.weather, 1.0)
        if scene.body == "sun":
            disc, glow = {
                "dawn": (rgb(255, 250, 226), rgb(255, 232, 190)),
                "noon": (rgb(255, 250, 208), rgb(255, 252, 226)),
                "dusk": (rgb(255, 226, 140), rgb(255, 176, 92)),
            }[scene.time]
            self.body_colour = disc
            over(self.picture, np.exp(-np.maximum(distance - radius, 0) / (17 * self.k)) * 0.55, glow)
            over(self.picture, cover(radius + 4.5 * self.k - distance) * 0.30, mix(glow, disc, 0.4))
            over(self.picture, cover(radius - distance) * (0.5 + 0.5 * veil), disc)
            return
        disc = rgb(250, 246, 226) if scene.time == "night" else rgb(252, 248, 238)
        self.body_colour = disc
        strength = 0.30 if scene.time == "night" else 0.16
        over(self.picture, np.exp(-np.maximum(distance - radius, 0) / (14 * self.k)) * strength, mix(self.sky[2], disc, 0.45))
        shape = cover(radius - distance)
        if scene.body == "crescent":
            # A dark disc as large as the moon, moved aside, leaves the crescent.
            side = 1 if rng.random() < 0.5 else -1
            shadow = np.hypot(self.X - x - side * radius * 0.55, self.Y - y + radius * 0.28)
            shape = shape * (1 - cover(radius * 0.92 - shadow))
        over(self.picture, shape * (0.5 + 0.5 * veil), disc)
        if scene.body == "full moon":
            for dx, dy, size in ((-0.32, -0.22, 0.30), (0.30, 0.12, 0.24), (-0.08, 0.46, 0.20)):
                spot = np.hypot(self.X - x - dx * radius, self.Y - y - dy * radius)
                over(self.picture, cover(size * radius - spot) * 0.85 * veil, mix(disc, rgb(206, 204, 206), 0.8))

    def paint_clouds(self):
        rng = self.rng
        top = mix(self.sky[2], rgb(255, 255, 255), 0.65 if self.scene.time != "night" else 0.08)
        if self.scene.time == "dusk":
            top = mix(self.sky[2], rgb(255, 200, 180), 0.4)
        under = mix(top, self.sky[1], 0.45)
        for i in range(round(rng.integers(2, 4) * max(1, self.area / self.k**2) ** 0.7)):
            for _ in range(8):
                x, y, w = rng.uniform(10, 118) * self.kx, rng.uniform(12 * self.ky, min(self.horizon * 0.6, 46 * self.ky)), rng.uniform(13, 21) * self.k
                if self.body is None or abs(x - self.body[0]) > w + self.body[2] + 6 * self.k or abs(y - self.body[1]) > 24 * self.k:
                    break
            else:
                continue
            puffs = [(x + dx * w, y - h * w * 0.30, w * r) for dx, h, r in ((-0.62, 0.0, 0.30), (-0.15, 0.55, 0.42), (0.35, 0.25, 0.36), (0.75, -0.02, 0.24))]
            shape = np.zeros_like(self.X)
            for px, py, pr in puffs:
                shape = np.maximum(shape, cover(pr - np.hypot(self.X - px, self.Y - py)))
            shape = shape * cover(y + w * 0.14 - self.Y)
            over(self.picture, shape * 0.95, mix(top, under, smooth(y - w * 0.35, y + w * 0.14, self.Y)[..., None]))

    def paint_rain_clouds(self):
        rng = self.rng
        dark = mix(self.sky[0], rgb(40, 46, 60), 0.35) * (0.92 if self.scene.time != "night" else 1.0)
        for row, (base, size) in enumerate(((17, 15), (9, 14))):
            base, size = base * self.k, size * self.k
            shape = cover(base - 6 * self.k - self.Y)
            x = rng.uniform(-8, 0)
            while x < self.W + 6:
                r = size * rng.uniform(0.7, 1.0)
                shape = np.maximum(shape, cover(r - np.hypot(self.X - x, (self.Y - base + r * 0.7) * 1.15)))
                x += r * 1.25
            over(self.picture, shape * 0.9, mix(dark, self.sky[1], 0.34 - 0.22 * row))

    # -- helpers for land ---------------------------------------------------------------------
    def layer_colour(self, albedo, depth):
        """A layer's colour: the material in this light near by, the far colour in the distance."""
        local = mix(albedo * self.light, self.near, 0.52 if self.scene.time != "noon" else 0.25)
        return mix(local, mix(self.far, self.sky[2], 0.15), depth)

    def ground(self, top, colour, fade=None):
        """Everything below the line `top`, lighter towards `fade` at its crest."""
        inside = cover(self.Y - top[None, :])
        if fade is not None:
            colour = mix(fade, colour, smooth(0, 26 * self.k, self.Y - top[None, :])[..., None])
        over(self.picture, inside, colour)

    def fog_bank(self, base, height, strength):
        if self.scene.weather != "mist":
            return
        base, height = base * self.ky, height * self.kt
        wave = self.nx(40, height / self.k * 0.22, curved=True)[None, :]
        bank = np.exp(-(((self.Y - base - wave) / height) ** 2))
        below = np.where(self.Y > base + wave, 1.0, bank)
        over(self.picture, (bank * 0.75 + below * 0.25) * strength, self.fog)

    # -- mountains ----------------------------------------------------------------------------
    def paint_mountains(self):
        rng, scene = self.rng, self.scene
        rock = rgb(122, 116, 132)
        far_line = 80 * self.ky + self.nx(17, 9) + self.nx(6, 2.5)
        self.ground(far_line, self.layer_colour(rock, 0.86))
        self.fog_bank(92, 15, 0.85)
        ceiling = (44 if self.body else 30) * self.ky
        steep = (self.ky / self.k) ** 0.6
        if scene.single == "yes":
            x = rng.uniform(50, 78) * self.kx
            self.mountain(x, max(rng.uniform(30, 40) * self.ky, ceiling if abs(x - (self.body or (9999,))[0]) < 44 * self.k else 30 * self.ky), rng.uniform(0.92, 1.2) * steep, 0.26, rock)
        else:
            count = round(rng.integers(3, 5) * max(1, self.W / self.H) ** 0.8)
            peaks = []
            for i in range(count):
                x = (i + 0.5) * self.W / count + rng.uniform(-9, 9) * self.k
                y = rng.uniform(ceiling, 66 * self.ky)
                if self.body and abs(x - self.body[0]) < 30 * self.k:
                    y = max(y, 54 * self.ky)
                peaks.append((y, x))
            if min(y for y, _ in peaks) > 50 * self.ky:
                i = int(np.argmax([abs(x - (self.body or (self.W / 2,))[0]) for _, x in peaks]))
                peaks[i] = (ceiling + rng.uniform(0, 6) * self.k, peaks[i][1])
            peaks.sort()
            for i, (y, x) in enumerate(peaks):
                self.mountain(x, y, rng.uniform(0.95, 1.35) * steep, 0.46 - 0.22 * i / (count - 1), rock)
        self.fog_bank(96, 15, 0.95)
        self.hill(99 * self.ky, 5, 0.30, rgb(70, 116, 84), trees=2.6)
        self.fog_bank(111, 9, 0.65)
        self.hill(113 * self.ky, 4, 0.0, rgb(40, 84, 64), trees=4.6)

    def mountain(self, px, py, slope, depth, rock):
        rng, scene = self.rng, self.scene
        left = slope * rng.uniform(0.85, 1.1)
        right = slope * rng.uniform(0.85, 1.1)
        dx = np.arange(self.W, dtype=np.float32) - px
        rough = self.nx(9, 2.6) + self.nx(4, 1.0)
        line = py + np.where(dx < 0, -dx * left, dx * right) + rough * smooth(0, 14 * self.k, np.abs(dx))
        inside = cover(self.Y - line[None, :])
        # Ridges run down from the summit and bend as they go: their sides take turns in the light.
        drop = np.maximum(self.Y - py, 0) + 2.0
        bend = self.ny(8, 2.2 * self.k)[:, None] + self.ny(19, 4.5 * self.k)[:, None] * smooth(0, 40 * self.k, self.Y - py)
        across = (self.X - px + bend) / (drop / slope)
        side = cover((self.X - px + bend) * self.lit_side)
        second = rng.uniform(0.36, 0.5)
        for sign in (-1, 1):
            face = cover((across * sign - second - self.ny(7, 0.07)[:, None]) * drop) * (sign * across > 0)
            side = mix(side, 1 - side, face * 0.45)
        base = self.layer_colour(rock, depth)
        lit_colour = mix(base, self.light, 0.24 if scene.time != "night" else 0.38)
        shade = base * (0.80 if scene.time != "night" else 0.74)
        surface = mix(shade, lit_colour, side[..., None])
        surface = mix(surface, self.layer_colour(rock, min(depth + 0.4, 0.9)), smooth(26 * self.ky, 62 * self.ky, self.Y - py)[..., None] * 0.75)
        # The snow cap ends in a jagged line that follows the ridges.
        reach = rng.uniform(15, 22) + (13 if scene.weather == "snow" else 0) + (4 if scene.single == "yes" else 0)
        reach *= self.kt
        zig = np.abs(((across * rng.uniform(2.1, 2.6) + rng.uniform(0, 1)) % 1.0) - 0.5) * 2
        cap = cover(reach * (0.62 + 0.62 * zig) - (self.Y - py))
        snow_lit = mix(self.snow, self.far, depth * 0.38)
        snow_shade = mix(snow_lit, mix(base, self.sky[1], 0.5), 0.52)
        surface = mix(surface, mix(snow_shade, snow_lit, side[..., None]), cap[..., None])
        over(self.picture, inside, surface)

    def hill(self, base, swell, depth, albedo, trees=0.0):
        rng = self.rng
        line = base + self.nx(42, swell, curved=True)
        colour = self.layer_colour(albedo, depth)
        if self.scene.weather == "snow":
            colour = mix(colour, self.snow, 0.55 if self.scene.time != "night" else 0.42)
            trees *= 0.9
        trees *= self.k
        self.ground(line, colour * 0.9, colour * 1.06)
        if trees:
            tone = colour * (0.78 if self.scene.weather != "snow" else 0.62)
            x = rng.uniform(0, 4)
            while x < self.W:
                if rng.random() < 0.62:
                    h = trees * rng.uniform(1.5, 2.8)
                    y = line[min(int(x), self.W - 1)] + 1.5
                    self.pine(x, y - h, y, h * 0.26, tone, tiers=2)
                x += trees * rng.uniform(0.8, 2.2)

    # -- forest -------------------------------------------------------------------------------
    def pine(self, cx, top, bottom, half, colour, tiers, snow=0.0):
        x0, x1 = max(int(cx - half - 2), 0), min(int(cx + half + 3), self.W)
        y0, y1 = max(int(top - 1), 0), min(int(bottom + 1), self.H)
        if x0 >= x1 or y0 >= y1:
            return
        part = np.s_[y0:y1, x0:x1]
        t = np.clip((self.Y[part] - top) / (bottom - top), 0, 1)
        stage = t * tiers
        width = half * (0.10 + 0.90 * t) * (0.58 + 0.42 * (stage - np.floor(stage)))
        inside = cover(width - np.abs(self.X[part] - cx)) * (self.Y[part] >= top)
        if np.ndim(colour) == 1 and half > 5:
            lit = cover((self.X[part] - cx) * self.lit_side - width * 0.15)[..., None]
            colour = mix(colour * 0.90, mix(colour, self.light, 0.10), lit)
        over(self.picture, inside, colour, part)
        if snow:
            # Snow lies on the upper face of every tier, more of it on the lit side.
            phase = stage - np.floor(stage)
            slope = np.abs(self.X[part] - cx) / (half + 1e-3)
            lying = smooth(0.62, 0.30, phase + slope * 0.55) * smooth(0.02, 0.10, t)
            over(self.picture, inside * np.maximum(lying * 0.8, 0.34) * snow, self.snow, part)

    def paint_forest(self):
        rng, scene = self.rng, self.scene
        leaf = rgb(54, 122, 82)
        snowy = scene.weather == "snow"
        floor = self.layer_colour(rgb(132, 178, 84), 0.12)
        if scene.body == "sun":
            floor = mix(floor, rgb(255, 226, 132) * self.light, 0.26 if scene.weather == "clear" else 0.14)
        elif self.body and scene.time == "night":
            floor = mix(floor, rgb(150, 180, 220), 0.22)
        if snowy:
            floor = mix(floor, self.snow, 0.75)
        # Far woods, as two hazy rows of tops, then three rows of trees with a glade between them.
        clear_x = self.body[0] if self.body else rng.uniform(40, 88) * self.kx
        rows = [(64, 20, 0.84, 3.4), (77, 26, 0.58, 5.0), (92, 37, 0.32, 7.4), (109, 55, 0.08, 11.0)]
        for i, (base, height, depth, half) in enumerate(rows):
            low, base, height, half = base, base * self.ky, height * self.kt, half * self.k
            colour = self.layer_colour(leaf, depth)
            line = base + self.nx(50, 2.5, curved=True)
            self.ground(line + (0 if i < 2 else 3), colour if i < 2 else mix(colour, floor, 0.72 if i == 3 else 0.5))
            x = rng.uniform(-half, 0)
            while x < self.W + half:
                gap = abs(x - clear_x) < (0, 0, 9, 24)[i] * self.k + half
                if not (gap and i >= 2):
                    h = height * rng.uniform(0.78, 1.18)
                    if self.body and abs(x - clear_x) < 20 * self.k:
                        h = min(h, base - self.body[1] - self.body[2] - 5 * self.k)
                    y = line[int(np.clip(x, 0, self.W - 1))] + 3
                    self.pine(x, y - h, y, half * rng.uniform(0.85, 1.1), colour, tiers=(3, 4, 5, 6)[i], snow=(0.45, 0.55, 0.70, 0.80)[i] if snowy else 0)
                x += half * rng.uniform(1.15, 1.75)
            self.fog_bank(low - 2, (9, 10, 10, 8)[i], (0.6, 0.72, 0.62, 0.4)[i])
            if i == 2 and scene.body == "sun" and scene.weather in ("clear", "mist"):
                self.light_shafts()
        line = 113 * self.ky + self.nx(50, 2.5, curved=True)
        self.ground(line, floor * 0.84, floor * 1.02)
        dark = self.layer_colour(leaf * 0.8, 0.0) * 0.72
        for x in (rng.uniform(-2, 9) * self.k, self.W + rng.uniform(-9, 2) * self.k):
            self.pine(x, rng.uniform(12, 30) * self.ky, self.H + 2, rng.uniform(17, 21) * self.k, dark, tiers=8, snow=0.45 if snowy else 0)

    def light_shafts(self):
        x, y, r = self.body
        angle = np.arctan2(self.X - x, self.Y - y)
        shafts = np.zeros_like(self.X)
        for centre in np.linspace(-0.75, 0.75, 4) + self.rng.uniform(-0.1, 0.1, 4):
            shafts = np.maximum(shafts, smooth(0.12, 0.03, np.abs(angle - centre)))
        reach = smooth(6 * self.k, 26 * self.k, np.hypot(self.X - x, self.Y - y) - r) * smooth(112 * self.ky, 50 * self.ky, self.Y)
        over(self.picture, shafts * reach * (0.44 if self.scene.time != "dusk" else 0.30), self.body_colour)

    # -- dunes --------------------------------------------------------------------------------
    def paint_dunes(self):
        rng, scene = self.rng, self.scene
        sand = {"dawn": rgb(240, 190, 160), "noon": rgb(244, 200, 122), "dusk": rgb(236, 140, 84), "night": rgb(150, 150, 190)}[scene.time]
        if scene.weather == "snow":
            sand = mix(sand, rgb(255, 255, 255), 0.4)
        if scene.weather == "rain":
            sand = mix(sand, rgb(170, 164, 158), 0.45)
        shadow_hue = {"dawn": rgb(150, 110, 140), "noon": rgb(188, 128, 76), "dusk": rgb(96, 36, 66), "night": rgb(22, 26, 64)}[scene.time]
        side = self.lit_side
        bases = [72, 82, 94, 109]
        previous = None
        for i, base in enumerate(bases):
            near, low, base = i / 3, base, base * self.ky
            wide = (self.kx * self.k) ** 0.5
            peak = rng.uniform(22, 106) * self.kx
            if previous is not None and abs(peak - previous) < 34 * self.kx:
                peak = (peak + 56 * self.kx) % (116 * self.kx) + 6 * self.kx
            previous = peak
            rise = (7, 12, 17, 18)[i] * self.kt * rng.uniform(0.8, 1.15)
            dx = np.arange(self.W, dtype=np.float32) - peak
            width = np.where(dx < 0, rng.uniform(46, 62) * wide, rng.uniform(46, 62) * wide).astype(np.float32)
            profile = np.exp(-np.abs(dx) / width * 1.7) * 1.0
            line = base - rise * profile + self.nx(60, 2.4, curved=True) + 4
            top = float(line[int(np.clip(peak, 0, self.W - 1))])
            lit = mix(sand * mix(self.light, np.ones(3, np.float32), 0.55), self.far, 0.55 * (1 - near))
            lit = lit * {"night": 0.66, "dusk": 0.94}.get(scene.time, 1.0)
            shade = mix(mix(lit, shadow_hue, 0.72), self.far, 0.35 * (1 - near))
            drop = self.Y - top
            # The crest winds down towards us; one side of it lies in the light, the other in shadow.
            curl = self.k * rng.uniform(9, 16) * rng.choice([-1, 1])
            crest = peak + curl * np.sin(np.clip(drop / self.kt, 0, 80) * rng.uniform(0.06, 0.085)) + drop * rng.uniform(-0.35, 0.35)
            facing = cover((self.X - crest) * side * 0.9)
            soft = smooth(46 * wide, 4 * wide, np.abs(self.X - crest)) * smooth(46 * self.kt, 8 * self.kt, drop)
            tone = mix(0.70, facing, soft)[..., None]
            surface = mix(shade, lit, tone)
            surface = mix(surface, lit * 0.93, smooth(14 * self.kt, 44 * self.kt, self.Y - line[None, :])[..., None] * 0.5)
            over(self.picture, cover(self.Y - line[None, :]), surface)
            self.fog_bank(low + 7, (9, 10, 10, 9)[i], (0.9, 0.85, 0.7, 0.35)[i])

    # -- the sea ------------------------------------------------------------------------------
    def paint_sea(self):
        rng, scene = self.rng, self.scene
        horizon = self.horizon
        if rng.random() < 0.4:  # a headland far out
            at, reach = rng.choice([0.0, self.W - 1.0]), rng.uniform(26, 50) * (self.kx * self.k) ** 0.5
            dx = np.abs(np.arange(self.W, dtype=np.float32) - at)
            line = horizon - np.maximum(0, self.k * rng.uniform(8, 14) * (1 - dx / reach)) - self.nx(9, 1.6) * (dx < reach - 6)
            self.ground(np.where(dx < reach, np.minimum(line, horizon), self.H).astype(np.float32), self.layer_colour(rgb(100, 110, 130), 0.72))
        # Water: the sky upside down, deeper and bluer.
        deep = {"dawn": rgb(86, 128, 166), "noon": rgb(16, 96, 160), "dusk": rgb(52, 26, 76), "night": rgb(6, 14, 44)}[scene.time]
        if scene.weather in ("rain", "snow", "mist"):
            deep = mix(deep, (deep @ LUMA) * np.ones(3, np.float32), 0.3)
        t = np.clip((self.Y - horizon) / (self.H - horizon), 0, 1)[..., None]
        water = mix(mix(self.sky[2], self.sky[1], np.clip(t * 1.8, 0, 1)), deep, smooth(-0.25, 0.8, t) * 0.92)
        over(self.picture, cover(self.Y - horizon), water)
        # Waves: long flat lenses, larger towards us, darker and lighter by turns.
        light = mix(self.sky[2], self.sky[1], 0.35)
        y = horizon + 3.0 * self.k
        while y < self.H - 2:
            near = (y - horizon) / (self.H - horizon)
            for _ in range(round(2 * self.kx / self.k)):
                cx, length, thick = rng.uniform(0, self.W), self.k * rng.uniform(12, 22) * (0.6 + near), self.k * (0.7 + 1.5 * near)
                lens = cover(thick * (1 - ((self.X - cx) / length) ** 2) - np.abs(self.Y - y - rng.uniform(-1, 1)))
                up = rng.random() < 0.6
                over(self.picture, lens * (0.34 if up else 0.30), light if up else deep * 0.8)
            y += (4.0 + 5.0 * near) * self.k
        if self.body:
            self.glitter(horizon, light)
        self.fog_bank((horizon + 1) / self.ky, 13, 0.95)
        if scene.boat == "yes":
            self.sailboat(horizon)

    def glitter(self, horizon, light):
        """The path of light below a sun or a moon: dashes that widen towards us."""
        rng = self.rng
        x, _, r = self.body
        veil = 0.55 if self.scene.weather == "mist" else 0.9
        column = smooth(1.0, 0.1, np.abs(self.X - x) / (r * (0.8 + np.maximum(self.Y - horizon, 0) / (60 * self.kt)))) * cover(self.Y - horizon)
        over(self.picture, column * 0.30 * veil, self.body_colour)
        y = horizon + 1.5 * self.k
        while y < self.H - 2:
            near = (y - horizon) / (self.H - horizon)
            half = r * (0.45 + 0.55 * near) * rng.uniform(0.6, 1.15)
            cx = x + rng.uniform(-1, 1) * (1 + 4 * near)
            dash = cover(self.k * (0.8 + 0.9 * near) * (1 - ((self.X - cx) / half) ** 2) - np.abs(self.Y - y))
            over(self.picture, dash * veil, self.body_colour)
            y += (3.0 + 2.2 * near) * self.k

    def sailboat(self, horizon):
        rng = self.rng
        x = rng.uniform(24, 104) * self.kx
        if self.body and abs(x - self.body[0]) < 16 * self.k:
            x = x + 26 * self.k if x < self.W / 2 else x - 26 * self.k
        y, s = horizon + rng.uniform(10, 22) * self.ky, rng.uniform(0.9, 1.25) * self.k
        hull = mix(self.near, rgb(90, 50, 40), 0.35) * 0.8
        sail = mix(rgb(255, 250, 240) * mix(self.light, np.ones(3, np.float32), 0.55), self.sky[2], 0.2)
        over(self.picture, cover(np.minimum(4.0 * s - np.abs(self.Y - y) * 1.0 - 1.6 * s, (9 * s - np.abs(self.X - x)) - (self.Y - y) * 1.0)), hull)
        mast_y, foot = y - 22 * s, y - 3.5 * s
        t = np.clip((self.Y - mast_y) / (foot - mast_y), 0, 1)
        band = cover(np.minimum(self.Y - mast_y, foot - self.Y))
        over(self.picture, band * cover(np.minimum(self.X - x - 0.6, t * 9 * s - (self.X - x))), sail)
        over(self.picture, band * cover(np.minimum(x - 0.9 - self.X, (t - 0.18) * 7.5 * s - (x - self.X))), sail * 0.88)

    # -- the city -----------------------------------------------------------------------------
    def paint_city(self):
        rng, scene = self.rng, self.scene
        stone = rgb(128, 132, 156)
        dark = scene.time in ("dusk", "night")
        lamp = rgb(255, 214, 120)
        ceiling = (44 if self.body else 30) * self.ky
        for i, (top, bottom, depth) in enumerate(((62, 88, 0.80), (50, 96, 0.46), (70, 112, 0.12))):
            top, bottom = top * self.ky, bottom * self.ky
            colour = self.layer_colour(stone, depth)
            x = rng.integers(-6, 0)
            tall = round(rng.integers(1, 3) * self.kx / self.k)
            while x < self.W:
                wide = round((int(rng.integers(9, 15)) if i < 2 else int(rng.integers(12, 21))) * self.k)
                y = int(rng.uniform(top, bottom))
                if i == 1 and rng.random() < 0.35 and tall:
                    y, tall = int(rng.uniform(ceiling - 2 * self.ky, ceiling + 10 * self.ky)), tall - 1
                if self.body and abs(x + wide / 2 - self.body[0]) < wide / 2 + self.body[2] + 4 * self.k:
                    y = max(y, int(self.body[1] + self.body[2] + 8 * self.k))
                self.tower(x, y, wide, colour, i, lamp if dark else None)
                x += wide + (int(rng.integers(0, 3)) if i == 1 else int(rng.integers(-1, 2)) if i == 0 else int(rng.integers(0, 5)))
            self.fog_bank((84, 100, 120)[i], (24, 22, 15)[i], (0.85, 0.80, 0.62)[i])
        quay = self.layer_colour(rgb(60, 70, 90), 0.0) * 0.72
        if scene.weather == "snow":
            quay = mix(quay, self.snow, 0.6)
        self.ground(np.full(self.W, 119.0 * self.ky, np.float32), quay)

    def tower(self, x, y, wide, colour, row, lamp):
        rng, scene = self.rng, self.scene
        x0, x1 = max(x, 0), min(x + wide, self.W)

        def q(pixels):
            return max(1, round(pixels * self.k))

        if x1 - x0 < 3:
            return
        shade = colour * (0.86 if row else 0.94)
        lit_left = self.lit_side < 0
        self.picture[y:, x0:x1] = colour
        split = x + (wide * 2 // 3 if lit_left else wide // 3)
        if row:
            part = np.s_[y:, max(split, x0):x1] if lit_left else np.s_[y:, x0:min(max(split, x0), x1)]
            self.picture[part] = shade
        style = rng.integers(5) if row else rng.integers(3)
        mid = x + wide // 2
        if style == 1 and wide >= 9 and y > 12:  # a step and a spire
            self.picture[y - q(4):y, max(x + 2, 0):min(x + wide - 2, self.W)] = colour
            if 0 < mid < self.W - 1 and row:
                self.picture[max(y - q(12), 0):y - q(4), mid:mid + 1] = mix(colour, shade, 0.5)
        elif style == 2 and y > 12:  # a pitched roof
            h = min(wide * 0.45, 7 * self.k)
            part = np.s_[int(y - h) - 1:y, x0:x1]
            edge = cover((self.Y[part] - (y - h)) * (wide / 2) / h - np.abs(self.X[part] - x - (wide - 1) / 2))
            over(self.picture, edge, colour, part)
        if scene.weather == "snow":
            self.picture[y:y + 2, x0:x1] = mix(self.snow, colour, 0.15 + 0.25 * (2 - row))
        if row == 0:
            return
        # Windows of 3 x 4 pixels: lamps after dark, glass by day.
        step_x, step_y = (q(5), q(6)) if row == 2 else (q(4), q(6))
        wx = q(3) if row == 2 else q(2)
        columns = (wide - 2) // step_x
        offset = x + (wide - (columns * step_x - (step_x - wx))) // 2
        glass = mix(colour, self.sky[1] if scene.time == "noon" else self.sky[2], 0.40)
        for cy in range(y + q(4), int(116 * self.ky), step_y):
            for c in range(columns):
                cx = offset + c * step_x
                if cx < 0 or cx + wx > self.W:
                    continue
                if lamp is None:
                    tone = glass if rng.random() < 0.8 else mix(glass, colour, 0.6)
                else:
                    on = rng.random() < (0.5 if scene.time == "night" else 0.42)
                    tone = mix(lamp, colour, 0.08 if row == 2 else 0.25) if on else colour * 0.84
                self.picture[cy:min(cy + q(4), int(118 * self.ky)), cx:cx + wx] = tone

    # -- weather and colour over everything ---------------------------------------------------
    def paint_rain(self):
        rng = self.rng
        tone = mix(self.sky[2], rgb(255, 255, 255), 0.55) if self.scene.time != "night" else rgb(150, 170, 214)
        lean = rng.uniform(0.18, 0.32)
        for _ in range(round(rng.integers(28, 36) * self.area**0.8)):
            x, y, length = rng.uniform(0, self.W + 6), rng.uniform(-4, self.H - 6), rng.uniform(9, 14) * self.k**0.5
            x0, x1 = max(int(x - length * lean - 3), 0), min(int(x + 4), self.W)
            y0, y1 = max(int(y), 0), min(int(y + length) + 1, self.H)
            if x0 >= x1 or y0 >= y1:
                continue
            part = np.s_[y0:y1, x0:x1]
            over(self.picture, np.clip(1.15 - np.abs(self.X[part] - x + (self.Y[part] - y) * lean), 0, 1) * 0.62, tone, part)

    def paint_flakes(self):
        rng = self.rng
        tone = rgb(255, 255, 255) if self.scene.time != "night" else rgb(226, 234, 252)
        for _ in range(round(rng.integers(46, 60) * self.area**0.8)):
            self.dot(rng.uniform(0, self.W - 1), rng.uniform(0, self.H - 1), rng.choice([1.1, 1.5, 2.0]), tone, 0.92)

    def paint_tint(self):
        if self.scene.colour == "none":
            return
        hue = rgb(*HUES[self.scene.colour])
        level = (self.picture @ LUMA)[..., None]
        middle = float(hue @ LUMA)
        low = hue * np.clip(level / middle, 0, 1)
        high = mix(hue, np.ones(3, np.float32), np.clip((level - middle) / (1 - middle), 0, 1) * 0.92)
        self.picture = mix(self.picture, np.where(level < middle, low, high), 0.62).astype(np.float32)


def draw(scene, rng, size=(SIZE, SIZE)):
    """`size`: width, height."""
    return Painter(scene, rng, size).paint()

"""The shapes that the model learns: how many pictures of each, and how often a batch has it.

Shares are of the batches; a batch of any shape costs about the same. Between them every count of rows and columns
of tokens (16 pixels) from 4 to 16 occurs: an entry of the position table that is never trained paints stripes.
"""

SQUARE = (128, 128)  # the shape of the autoencoder's training and of the reference settings

# (width, height): pictures, share of the batches
SHAPES = {
    SQUARE: (3200, 0.26),
    (256, 144): (1600, 0.16),
    (144, 256): (1400, 0.14),
    (192, 192): (1400, 0.15),
    (192, 128): (1200, 0.09),
    (128, 192): (1000, 0.06),
    (256, 128): (800, 0.04),
    (128, 256): (700, 0.03),
    (256, 256): (300, 0.02),
    (160, 160): (400, 0.02),
    (64, 64): (200, 0.005),
    (224, 112): (200, 0.007),
    (112, 224): (200, 0.007),
    (176, 96): (200, 0.007),
    (96, 176): (200, 0.007),
    (208, 80): (200, 0.006),
    (80, 208): (200, 0.006),
    (240, 64): (100, 0.003),
    (64, 240): (100, 0.003),
}


def name_of(size):
    return "{}x{}".format(*size)


def tokens_of(size):
    return (size[0] // 16) * (size[1] // 16)


def held_out(count):
    """How many of the last pictures of a shape are never trained on."""
    return max(20, count // 16)


def batch_of(size, at_square):
    """Pictures a batch, so that all shapes cost alike: rows of attention, and the scores of each row."""
    rows = tokens_of(size) + 33
    return max(2, round(at_square * 97 * (1 + 97 / 1000) / (rows * (1 + rows / 1000))))

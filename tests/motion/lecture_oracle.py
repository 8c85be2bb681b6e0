"""The lecture's iteration count in forty digits, by quadrature of the map's own flow.

From `(x, ..., x)` the lecture's descent is a map of one number. Where it is close to
the identity, the number of steps between two points is the integral of `1 / log G`
(its Abel function); the rest is stepped.
"""

from itertools import pairwise

import mpmath as mp

ORDER = 14
SLOW = mp.mpf("0.003")


def lecture_count(depth, step, accuracy):
    """First iteration at which the loss from `(1/2, ..., 1/2)` is within `accuracy`."""
    with mp.workdps(40):
        step, accuracy = mp.mpf(step), mp.mpf(accuracy)

        def forward(x):
            return x - step * (x**depth - 1) * x ** (depth - 1)

        def field(x):
            points = [x]
            for _ in range(ORDER):
                points.append(forward(points[-1]))
            total, sign = mp.mpf(0), 1
            for order in range(1, ORDER + 1):
                points = [b - a for a, b in pairwise(points)]
                total += sign * points[0] / order
                sign = -sign
            return total

        def curved(x):
            bend = (2 * depth - 1) * x ** (2 * depth - 2) - (depth - 1) * x ** (
                depth - 2
            )
            return abs(step * bend)

        x, count = mp.mpf(1) / 2, 0
        if curved(x) < SLOW:
            low, high = x, mp.mpf(1)
            for _ in range(150):
                middle = (low + high) / 2
                low, high = (middle, high) if curved(middle) < SLOW else (low, middle)
            pieces = [x + (low - x) * k / 40 for k in range(41)]
            steps = mp.quad(lambda s: 1 / field(s), pieces)
            count = int(mp.floor(steps))
            rest, x = steps - count, low
            x -= rest * field(low)
            for _ in range(40):
                miss = mp.quad(lambda s: 1 / field(s), [x, low]) - rest
                x += miss * field(x)
                if abs(miss) < mp.mpf(10) ** -25:
                    break
        while (x**depth - 1) ** 2 / 2 > accuracy:
            x, count = forward(x), count + 1
        return count
